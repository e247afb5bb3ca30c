"""Answers 1xx, and clients that wait for leave to send their body."""

import subprocess

from peers import wait
from peers.backend import answer

EXPECT = "Expect: 100-continue\r\nContent-Length: 5\r\n"


def test_passes_on_early_hints(proxy, backend, client):
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    answered = client(proxy(backend(hints + hints + answer("done")))).ask()
    assert [early.status for early in answered.interim] == [103, 103]
    assert answered.interim[0].fields.one("Link") == "</style.css>; rel=preload"
    assert answered.text == "done"


def test_passes_on_the_leave_of_a_backend(proxy, backend, client):
    seen = []

    def serve(connection):
        request = connection.read_request_head()
        seen.append(connection.buffer)
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        connection.read_request_body(request)
        connection.send(answer(request.body))

    connection = client(proxy(backend(serve=serve)))
    connection.send_request(method="POST", fields=EXPECT)
    assert connection.read_answer_head().status == 100
    assert seen == [b""], "the body came before it was asked for"
    connection.send("hello")
    assert connection.read_answer().text == "hello"


def test_a_client_that_waits_gets_a_refusal_at_once(proxy, backend, client):
    def serve(connection):
        connection.read_request_head()
        connection.send(answer("no", status="403 Forbidden", fields="Connection: close\r\n"))

    connection = client(proxy(backend(serve=serve)))
    connection.send_request(method="POST", fields=EXPECT)
    assert connection.read_answer().status == 403


def test_a_body_sent_without_leave_reaches_a_backend_that_never_gives_it(proxy, backend, client):
    """RFC 9110 10.1.1: a client does not wait for ever, and an old back-end knows no 100."""

    def serve(connection):
        request = connection.read_request()
        connection.send(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", request.body)

    connection = client(proxy(backend(serve=serve)))
    connection.send_request(method="POST", fields=EXPECT)
    connection.send("hello")
    assert connection.read_answer().text == "hello"


def test_refuses_expectations_it_does_not_know(proxy, backend, client):
    origin = backend()
    answered = client(proxy(origin)).ask(fields="Expect: miracles\r\n")
    assert answered.status == 417
    assert origin.hits == 0


def test_a_flood_of_interim_answers_ends(proxy, backend, client):
    def serve(connection):
        connection.read_request()
        while True:
            connection.send("HTTP/1.1 103 Early Hints\r\n\r\n" * 100)

    pound = proxy(backend(serve=serve))
    connection = client(pound)
    connection.send_request()
    statuses = set()
    try:
        while 200 not in statuses and 502 not in statuses:
            statuses.add(connection.read_answer_head().status)
    except (EOFError, ConnectionError):
        pass
    assert statuses <= {103, 502}
    wait.until(pound.is_idle, "pound is busy after the flood")


def test_curl_uploads_with_expect_through_gunicorn(proxy, gunicorn, tmp_path):
    file = tmp_path / "upload"
    file.write_bytes(b"u" * 2_000_000)
    url = proxy(gunicorn).url + "/upload"
    command = ["curl", "-sS", "--max-time", "20", "-H", "Expect: 100-continue", "-T", file, "-X", "POST", url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("gunicorn POST /upload 2000000 uuuu")
