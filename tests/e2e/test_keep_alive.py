"""Connections that are used again, on both sides, and requests sent ahead."""

from peers import wait
from peers.backend import answer


def test_serves_many_requests_on_one_client_connection(proxy, backend, client):
    origin = backend(lambda request, _: answer(request.target))
    pound = proxy(origin)
    connection = client(pound)
    for number in range(50):
        assert connection.ask(f"/{number}").text == f"/{number}"
    assert origin.hits == 50


def test_uses_one_backend_connection_for_requests_in_a_row(proxy, backend, client):
    origin = backend()
    connection = client(proxy(origin))
    for _ in range(20):
        connection.ask()
    assert origin.accepted == 1


def test_uses_a_backend_connection_again_for_another_client(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, top=["Workers 1"])
    for _ in range(10):
        with_client = client(pound)
        assert with_client.ask().status == 200
        with_client.close()
    assert origin.accepted == 1


def test_answers_pipelined_requests_in_their_order(proxy, backend, client):
    origin = backend(lambda request, _: answer(request.target))
    connection = client(proxy(origin))
    connection.send(*(f"GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(30)))
    assert [connection.read_answer().text for _ in range(30)] == [f"/{n}" for n in range(30)]


def test_answers_pipelined_requests_that_came_in_one_segment(proxy, backend, client):
    origin = backend(lambda request, _: answer(request.method + request.text))
    connection = client(proxy(origin))
    connection.send(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n"
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    assert [connection.read_answer().text for _ in range(4)] == ["POSTabc", "GET", "POSTxy", "GET"]
    assert connection.at_end()


def test_understands_a_request_that_comes_byte_by_byte(proxy, backend, client):
    origin = backend()
    connection = client(proxy(origin))
    request = b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    for byte in request:
        connection.send(bytes([byte]))
    assert connection.read_answer().status == 200
    assert (origin.last.target, origin.last.body) == ("/slow", b"hello")


def test_closes_after_connection_close(proxy, backend, client):
    connection = client(proxy(backend()))
    answered = connection.ask(fields="Connection: close\r\n")
    assert "close" in answered.fields.tokens("Connection")
    assert connection.at_end()


def test_keeps_the_client_when_the_backend_closes(proxy, backend, client):
    origin = backend(answer("bye", fields="Connection: close\r\n"))
    connection = client(proxy(origin))
    for _ in range(3):
        answered = connection.ask()
        assert answered.text == "bye"
        assert "close" not in answered.fields.tokens("Connection")
    assert origin.accepted == 3


def test_closes_an_idle_client_after_its_time(proxy, backend, client):
    connection = client(proxy(backend(), listener=["Client 1"]))
    connection.ask()
    assert connection.has_ended_within(5)


def test_closes_a_client_that_never_finishes_its_head(proxy, backend, client):
    origin = backend()
    connection = client(proxy(origin, listener=["Client 1"]))
    connection.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    wait.until(lambda: _ended_or_fed(connection), "the connection was left open", within=8, every=0.2)
    assert origin.hits == 0


def _ended_or_fed(connection):
    """Sends one byte more; whether pound has given up by now."""
    try:
        connection.send(b"x")
    except OSError:
        return True
    return connection.has_ended_within(0.01) or b"408" in connection.buffer


def test_a_backend_connection_is_used_again_after_long_answers(proxy, backend, client):
    origin = backend(answer(2_000_000 * b"x"))
    connection = client(proxy(origin))
    assert [len(connection.ask().body) for _ in range(3)] == [2_000_000] * 3
    assert origin.accepted == 1


def test_what_stands_behind_a_long_answer_reaches_nobody(proxy, backend, client):
    origin = backend(lambda *_: answer(2_000_000 * b"x") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    connection = client(proxy(origin))
    assert [len(connection.ask().body) for _ in range(3)] == [2_000_000] * 3
    assert origin.accepted == 3
