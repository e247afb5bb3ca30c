"""Bodies in both directions: lengths, chunks, trailers, and answers that end when they end."""

import hashlib
import socket
import time

import pytest

from peers import wait
from peers.backend import answer

CHUNKED = "Transfer-Encoding: chunked\r\n"


def chunked(*chunks, extension="", trailers=""):
    parts = [f"{len(chunk):x}{extension}\r\n".encode() + chunk + b"\r\n" for chunk in chunks]
    return b"".join(parts) + f"0{extension}\r\n{trailers}\r\n".encode()


def stream(body, fields=CHUNKED, status="200 OK"):
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + body


@pytest.mark.parametrize("size", [0, 1, 1000, 65536, 3_000_001])
def test_passes_on_a_request_body_of_known_length(proxy, backend, client, size):
    origin = backend(lambda request, _: answer(hashlib.sha256(request.body).hexdigest()))
    body = bytes(number * 7 % 251 for number in range(256)) * (size // 256 + 1)
    body = body[:size]
    answered = client(proxy(origin)).ask(
        method="POST", fields="" if size else "Content-Length: 0\r\n", body=body
    )
    assert answered.text == hashlib.sha256(body).hexdigest()
    assert origin.last.fields.one("Content-Length") == str(size)


@pytest.mark.parametrize("size", [0, 1, 1000, 65536, 3_000_001])
def test_passes_on_an_answer_body_of_known_length(proxy, backend, client, size):
    body = b"0123456789abcdef" * (size // 16 + 1)
    origin = backend(answer(body[:size]))
    answered = client(proxy(origin)).ask()
    assert answered.body == body[:size]
    assert answered.fields.one("Content-Length") == str(size)


def test_keeps_the_chunks_of_a_request(proxy, backend, client):
    origin = backend()
    chunks = [b"a", b"bc" * 500, b"d" * 20000, b"e"]
    client(proxy(origin)).ask(method="POST", fields=CHUNKED, body=chunked(*chunks))
    assert origin.last.chunks == chunks


def test_keeps_the_chunks_of_an_answer(proxy, backend, client):
    chunks = [b"a", b"bc" * 500, b"d" * 20000, b"e"]
    answered = client(proxy(backend(stream(chunked(*chunks))))).ask()
    assert answered.chunks == chunks


def test_drops_chunk_extensions_in_both_directions(proxy, backend, client):
    body = chunked(b"one", b"two", extension=';name="value"')
    origin = backend(stream(body))
    answered = client(proxy(origin)).ask(method="POST", fields=CHUNKED, body=body)
    assert (origin.last.body, origin.last.chunk_extensions) == (b"onetwo", False)
    assert (answered.body, answered.chunk_extensions) == (b"onetwo", False)


def test_passes_on_trailers_of_a_request(proxy, backend, client):
    origin = backend()
    body = chunked(b"x", trailers="X-Sum: 1\r\nContent-Length: 9\r\nHost: evil\r\n")
    fields = CHUNKED + "Trailer: X-Sum\r\n"
    client(proxy(origin)).ask(method="POST", fields=fields, body=body)
    assert origin.last.trailers == [("X-Sum", "1")]


def test_passes_on_trailers_of_an_answer(proxy, backend, client):
    body = chunked(b"x", trailers="X-Sum: 1\r\nTransfer-Encoding: chunked\r\n")
    origin = backend(stream(body, CHUNKED + "Trailer: X-Sum\r\n"))
    answered = client(proxy(origin)).ask(fields="TE: trailers\r\nConnection: TE\r\n")
    assert answered.trailers == [("X-Sum", "1")]


def test_frames_an_answer_that_ends_with_the_connection(proxy, backend, client):
    origin = backend(serve=_until_close(b"part one, " * 1000, b"part two"))
    connection = client(proxy(origin))
    for _ in range(2):
        answered = connection.ask()
        assert answered.body == b"part one, " * 1000 + b"part two"
        assert answered.chunks is not None, "an HTTP/1.1 client gets chunks and may go on"


def _until_close(*parts):
    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", *parts)

    return serve


def test_never_passes_off_a_cut_chunked_answer_as_whole(proxy, backend, client):
    connection = client(proxy(backend(serve=_cut)))
    connection.send_request()
    head = connection.read_answer_head()
    with pytest.raises((EOFError, ConnectionError)):
        connection.read_answer_body(head)


def _cut(connection):
    connection.read_request()
    # Long enough to be passed on before the end is seen.
    connection.send(stream(b"2710\r\n" + 10_000 * b"x" + b"\r\n"))


def test_never_passes_off_a_short_answer_as_whole(proxy, backend, client):
    def short(connection):
        connection.read_request()
        # Long enough to be passed on before the end is seen; the answer to a shorter one may be a whole 502.
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + 90_000 * "x")

    connection = client(proxy(backend(serve=short)))
    connection.send_request()
    head = connection.read_answer_head()
    with pytest.raises((EOFError, ConnectionError)):
        connection.read_answer_body(head)


def test_does_not_complete_a_request_that_the_client_cut(proxy, backend, client):
    outcome = []

    def serve(connection):
        request = connection.read_request_head()
        try:
            connection.read_request_body(request)
            outcome.append("complete")
        except (EOFError, ConnectionError):
            outcome.append("cut")

    pound = proxy(backend(serve=serve))
    connection = client(pound)
    # Long enough to be passed on before the end is seen.
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n" + 10000 * "x" + "\r\n")
    connection.close()
    wait.until(lambda: outcome, "the back-end was left waiting")
    assert outcome == ["cut"]


def test_stray_bytes_after_an_answer_reach_nobody(proxy, backend, client):
    origin = backend(lambda *_: answer("good") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    connection = client(proxy(origin))
    assert [connection.ask().text for _ in range(5)] == ["good"] * 5


def test_refuses_a_body_larger_than_max_request(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, listener=["MaxRequest 1000"])
    assert client(pound).ask(method="POST", body=b"x" * 1000).status == 200
    connection = client(pound)
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
    assert connection.read_answer().status == 413
    assert connection.at_end()
    assert origin.hits == 1


def test_refuses_chunks_that_grow_beyond_max_request(proxy, backend, client):
    origin = backend()
    connection = client(proxy(origin, listener=["MaxRequest 1000"]))
    connection.send("POST / HTTP/1.1\r\nHost: a\r\n", CHUNKED, "\r\n")
    connection.send(*[chunked(b"x" * 600)[:-5] for _ in range(2)])
    assert connection.read_answer().status == 413
    assert connection.at_end()
    assert origin.hits == 0, "the back-end never saw a whole request"


def test_refuses_a_garbled_chunk(proxy, backend, client):
    origin = backend()
    connection = client(proxy(origin))
    connection.send("POST / HTTP/1.1\r\nHost: a\r\n", CHUNKED, "\r\n", "zz\r\nhello\r\n0\r\n\r\n")
    assert connection.read_answer().status in (400, 502)
    assert connection.at_end()
    assert origin.hits == 0


def test_nagle_does_not_delay_the_second_half_of_an_answer(proxy, backend, client):
    """A head and a body sent apart arrive together: no wait for a delayed acknowledgement."""
    def serve(connection):
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.read_request():
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            connection.send("hello")

    connection = client(proxy(backend(serve=serve)))
    connection.ask()
    start = time.monotonic()
    for _ in range(50):
        assert connection.ask().text == "hello"
    # 40 ms of delay each would make two seconds.
    assert time.monotonic() - start < 1
