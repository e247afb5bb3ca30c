"""Peers that break off, stall or speak out of turn: each is repeated until a leak of anything would show."""

import os
import socket
import threading

import pytest

from peers import wait
from peers.backend import Backend, answer
from peers.http import Client

# In each round. A leaked descriptor or connection is counted exactly, so a few would do; memory needs more.
TIMES = 40

# How often `act` is called for that; once if it does many things at once.
ACTS = TIMES

# At the least two, at the most these.
ROUNDS = 6

# Less than a read buffer for each of them.
GROWTH_BYTES = TIMES * (8 << 10)

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def descriptors(pound):
    return len(os.listdir(f"/proc/{pound.pid}/fd"))


def repeat(pound, origin, act):
    """Does it often; then nothing may be left of it, and pound serves as before."""
    assert pound.ask().status == 200
    _round(pound, origin, act)
    before, memory = descriptors(pound), [pound.memory()]
    # Stores of buffers grow to what was in use at once, which differs from round to round, and then no more. A leak
    # adds its bytes in each round.
    while len(memory) < ROUNDS:
        _round(pound, origin, act)
        memory.append(pound.memory())
        # Pipes of long bodies are kept for a second.
        wait.until(lambda: descriptors(pound) <= before, "descriptors are left")
        if memory[-1] - memory[-2] < GROWTH_BYTES:
            break
    else:
        pytest.fail(f"memory grows with each round: {memory}")
    wait.until(pound.is_idle, "it is not idle afterwards")
    assert pound.ask().status == 200


def _round(pound, origin, act):
    for _ in range(ACTS):
        act()
    wait.until(lambda: not pound.clients(), lambda: f"clients are left: {pound.clients()}")
    origin.drop_connections()
    wait.until(lambda: not pound.connections(), lambda: f"connections are left: {pound.connections()}")


# What a client has sent when it goes away.
STATES = {
    "before_a_byte": b"",
    "in_a_head": b"GET / HTTP/1.1\r\nHost:",
    "in_a_body": POST + b"Content-Length: 100\r\n\r\nhello",
    "in_a_chunk_size": POST + b"Transfer-Encoding: chunked\r\n\r\n5",
    "in_a_chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "in_trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n",
    "with_requests_waiting": GET * 20,
}


@pytest.mark.parametrize("way", ["reset", "close", "half_close"])
@pytest.mark.parametrize("state", STATES)
def test_a_client_goes_away(proxy, backend, state, way):
    origin = backend()
    pound = proxy(origin, listener=["Client 3"])

    def act():
        connection = Client(pound.port)
        connection.send(STATES[state])
        if way == "half_close":
            connection.finish_sending()
            try:
                connection.read_to_end()
            except ConnectionError:
                pass
        if way == "reset":
            connection.reset()
        else:
            connection.close()

    repeat(pound, origin, act)


def test_a_client_that_sends_byte_by_byte(proxy, backend):
    origin = backend()
    pound = proxy(origin)
    request = POST + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-A: b\r\n\r\n"
    with Client(pound.port) as connection:
        for _ in range(3):
            for byte in request:
                connection.send(bytes([byte]))
            assert connection.read_answer().status == 200
    assert [seen.body for seen in origin.requests] == [b"hello"] * 3


def test_clients_that_send_byte_by_byte_and_leave_nothing_behind(proxy, backend):
    origin = backend()
    pound = proxy(origin)
    request = POST + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-A: b\r\n\r\n"

    def act():
        with Client(pound.port) as connection:
            for byte in request:
                connection.send(bytes([byte]))
            assert connection.read_answer().status == 200

    repeat(pound, origin, act)


def at_once(act):
    """Does it in as many threads as it is done times in a row elsewhere: what takes its time is waited for once."""

    def acts():
        threads = [threading.Thread(target=act, daemon=True) for _ in range(TIMES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "a client is still waited for"

    return acts


def test_clients_that_never_read_are_given_up(proxy, backend, monkeypatch):
    monkeypatch.setitem(globals(), "ACTS", 1)
    origin = backend(answer(b"x" * 8_000_000))
    pound = proxy(origin, listener=["Client 1"])

    def act():
        with Client(pound.port) as connection:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.send(GET)
            # The time of its own, then a reset that only shows when somebody asks.
            wait.until(lambda: connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "it is served for ever", 20)

    repeat(pound, origin, at_once(act))


def test_backends_that_never_read_are_given_up(proxy, monkeypatch):
    monkeypatch.setitem(globals(), "ACTS", 1)
    stop = threading.Event()
    origin = Rude(lambda connection: stop.wait(60))
    try:
        pound = proxy(origin, each=["TimeOut 1"])

        def act():
            with Client(pound.port) as connection:
                head = b"POST /rude HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n"
                try:
                    connection.send(head, b"x" * 30_000_000)
                except ConnectionError:
                    pass  # it was refused, and the rest of the body is no longer wanted
                try:
                    assert connection.read_answer().status == 504
                except ConnectionError:
                    pass

        repeat(pound, origin, at_once(act))
    finally:
        stop.set()
        origin.stop()


def test_clients_that_never_read(proxy, backend):
    origin = backend(answer(b"x" * 3_000_000))
    pound = proxy(origin, listener=["Client 1"])

    def act():
        connection = socket.create_connection(("127.0.0.1", pound.port))
        connection.sendall(GET)
        connection.close()

    repeat(pound, origin, act)


class Rude(Backend):
    """A back-end that does `manner` once the head of a request to `/rude` is there; it answers the others."""

    def __init__(self, manner):
        self.manner = manner
        super().__init__(serve=self.one)

    def one(self, connection):
        while True:
            request = connection.read_request_head()
            if request is None:
                return
            self.requests.append(request)
            if request.target == "/rude":
                self.manner(connection)
                return
            connection.read_request_body(request)
            connection.send(answer(f"echo {request.target}"))


MANNERS = {
    "resets": lambda connection: connection.reset(),
    "closes": lambda connection: None,
    "half_closes": lambda connection: (connection.finish_sending(), connection.read_to_end()),
    "resets_in_a_head": lambda connection: (connection.send("HTTP/1.1 200 O"), connection.reset()),
    "closes_in_a_body": lambda connection: connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"),
    "closes_in_a_chunk": lambda connection: connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello"),
    "resets_in_a_chunk": lambda connection: (connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello"), connection.reset()),
    "answers_before_the_body": lambda connection: connection.send(answer("early")),
    "answers_twice": lambda connection: connection.send(answer("once") + answer("smuggled")),
    "answers_byte_by_byte": lambda connection: [connection.send(bytes([byte])) for byte in answer("once")],
    "answers_byte_by_byte_and_resets": lambda connection: ([connection.send(bytes([byte])) for byte in answer("once")[:-1]], connection.reset()),
    "answers_and_babbles": lambda connection: connection.send(answer("once") + b"\0" * 100_000),
}


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("body", [b"", b"x" * 300_000], ids=["get", "upload"])
def test_a_backend_misbehaves(proxy, manner, body):
    origin = Rude(MANNERS[manner])
    try:
        pound = proxy(origin, each=["TimeOut 2"])

        def act():
            with Client(pound.port) as connection:
                try:
                    connection.send_request("/rude", "POST" if body else "GET", body=body)
                except ConnectionError:
                    pass  # it refused before all of the body was taken
                try:
                    found = connection.read_answer()
                    assert found.text in ("early", "once") or found.status == 502, found
                    second = connection.ask("/second")
                    assert second.text == "echo /second", f"somebody else's answer: {second}"
                except (EOFError, ConnectionError):
                    pass
            assert pound.ask("/next").text == "echo /next"

        repeat(pound, origin, act)
    finally:
        origin.stop()


def test_an_answer_that_nobody_asked_for_reaches_nobody(proxy):
    """A back-end that sends a second answer while its connection is idle. (One that sends it after the next request has
    gone out cannot be told from an honest one: HTTP/1.1 has nothing else to tell answers apart by.)"""
    sent = threading.Semaphore(0)

    def serve(connection):
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (request := connection.read_request()) is not None:
            connection.send(answer(f"echo {request.target}"))
            connection.send(answer("smuggled"))
            sent.release()

    origin = Backend(serve=serve)
    try:
        pound = proxy(origin)
        with Client(pound.port) as connection:
            for number in range(100):
                assert connection.ask(f"/{number}").text == f"echo /{number}"
                # On loopback what was sent has arrived.
                assert sent.acquire(timeout=10)
    finally:
        origin.stop()


def test_an_answer_before_the_request_is_one_answer(proxy):
    """A back-end that speaks first: its word may be taken for the answer, but then the next one reaches nobody."""

    def serve(connection):
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.send(answer("unasked"))
        while (request := connection.read_request()) is not None:
            connection.send(answer(f"echo {request.target}"))

    origin = Backend(serve=serve)
    try:
        pound = proxy(origin)
        for number in range(20):
            assert pound.ask(f"/{number}").text in ("unasked", f"echo /{number}")
            wait.until(lambda: not pound.clients(), "the client is left")
            origin.drop_connections()
    finally:
        origin.stop()
