"""Answers that have no body, whatever their fields say: HEAD, 204, 304."""

import subprocess

import pytest

from peers.backend import answer


def test_head_has_the_length_but_no_body(proxy, backend, client):
    def reply(request, _):
        whole = answer("x" * 1234)
        return whole[:-1234] if request.method == "HEAD" else whole

    origin = backend(reply)
    connection = client(proxy(origin))
    for _ in range(3):
        answered = connection.ask(method="HEAD")
        assert (answered.status, answered.fields.one("Content-Length")) == (200, "1234")
        assert connection.ask().body == b"x" * 1234
    assert origin.accepted == 1


def test_head_of_a_chunked_answer_has_no_body(proxy, backend, client):
    origin = backend(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection = client(proxy(origin))
    assert connection.ask(method="HEAD").status == 200
    assert connection.ask(method="HEAD").status == 200


def test_head_of_an_answer_that_would_end_with_the_connection(proxy, backend, client):
    origin = backend(b"HTTP/1.1 200 OK\r\nX-No: framing\r\n\r\n")
    connection = client(proxy(origin))
    assert connection.ask(method="HEAD").status == 200
    assert connection.ask(method="HEAD").fields.one("X-No") == "framing"


@pytest.mark.parametrize(
    "status, fields",
    [
        ("204 No Content", ""),
        ("304 Not Modified", 'ETag: "a"\r\n'),
        ("304 Not Modified", "Content-Length: 1234\r\n"),
    ],
)
def test_the_next_request_follows_an_answer_without_a_body(proxy, backend, client, status, fields):
    def reply(request, _):
        if request.target == "/empty":
            return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode()
        return answer("next")

    connection = client(proxy(backend(reply)))
    for _ in range(3):
        assert connection.ask("/empty").status == int(status[:3])
        assert connection.ask().text == "next"


def test_curl_revalidates_a_file_of_nginx(proxy, nginx, tmp_path):
    (nginx.www / "page.txt").write_text("a page\n")
    url = proxy(nginx).url + "/page.txt"
    tag = curl("-D", "-", "-o", tmp_path / "page", url).lower().split("etag: ")[1].split()[0]
    assert (tmp_path / "page").read_text() == "a page\n"
    assert curl("-w", "%{http_code}", "-H", f"If-None-Match: {tag}", url) == "304"
    assert "content-length: 7" in curl("-I", url).lower()


def curl(*arguments):
    command = ["curl", "-sS", "--max-time", "10", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout
