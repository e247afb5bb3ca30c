"""Clients that leave while a back-end works: by a reset, by ending TLS, by closing; and those that only end their side."""

import socket
import tempfile
import threading
import time
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer
from peers.http import Client

# Longer than any test takes: what ends before was told.
PATIENT = ["TimeOut 60", "StreamTimeOut 60"]


class Work:
    """A back-end that gets so far with its answer and then works on; it notes when its connection ends meanwhile."""

    PHASES = {
        "thinking": b"",
        "after_an_interim_answer": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        "between_head_and_body": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
        "in_a_body": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab",
        "in_a_chunked_body": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "in_a_body_without_length": b"HTTP/1.1 200 OK\r\n\r\nab",
    }

    def __init__(self, phase="thinking"):
        self.phase = phase
        self.begun = threading.Event()
        self.told = threading.Event()

    def __call__(self, connection):
        request = connection.read_request()
        # A probe asks nothing.
        if request is None:
            return
        if request.target == "/quick":
            # It closes, and says so: a POST that met the close would be 502.
            connection.send(answer("quick", fields="Connection: close\r\n"))
            return
        connection.send(self.PHASES[self.phase])
        self.begun.set()
        if connection.at_end():
            self.told.set()


def closing(connection):
    connection.sock.close()


def close_notify(connection):
    """Says farewell, and leaves TCP open."""
    connection.sock.settimeout(0)
    try:
        connection.sock.unwrap()
    except OSError:
        pass  # there is no answer to it yet


def fin_without_farewell(connection):
    connection.sock.shutdown(socket.SHUT_WR)


def resetting(connection):
    connection.reset()


def leaves_and_the_backend_is_told(pound, work, connection, leave, request="GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"):
    connection.send(request)
    assert work.begun.wait(10)
    # What is here and not read would make a reset of a close (RFC 1122 section 4.2.2.13).
    if work.phase == "after_an_interim_answer":
        connection.read_through(b"</a>\r\n\r\n")
    if work.phase in ("in_a_body", "in_a_chunked_body", "in_a_body_without_length"):
        connection.read_through(b"ab")
    leave(connection)
    assert work.told.wait(10), f"the back-end was left to work for nobody: {pound.output()}"


@pytest.mark.parametrize("phase", Work.PHASES)
@pytest.mark.parametrize("leave", [close_notify, fin_without_farewell, closing, resetting])
def test_over_tls_the_backend_is_told_always(tls_proxy, backend, tls_client, phase, leave):
    work = Work(phase)
    pound = tls_proxy(backend(serve=work), each=PATIENT, top=["HalfClose yes"])
    leaves_and_the_backend_is_told(pound, work, tls_client(pound), leave)
    assert tls_client(pound).ask("/quick").text == "quick", "the back-end is not to blame"


@pytest.mark.parametrize("phase", Work.PHASES)
@pytest.mark.parametrize("place", ["top", "listener"])
def test_over_tcp_the_backend_is_told_where_the_file_says_so(proxy, backend, client, phase, place):
    work = Work(phase)
    pound = proxy(backend(serve=work), each=PATIENT, **{place: ["HalfClose no"]})
    leaves_and_the_backend_is_told(pound, work, client(pound), closing)
    pound.wait_for_log("[E-CLIENT-LEFT]")
    assert pound.ask("/quick").text == "quick"


def test_it_is_told_on_a_connection_that_was_used_before_and_after_a_body(proxy, backend, client):
    """With the empty line behind the body that old clients send."""
    work = Work()
    pound = proxy(backend(serve=work), each=PATIENT, listener=["HalfClose no"])
    connection = client(pound)
    assert connection.ask("/quick").text == "quick"
    leaves_and_the_backend_is_told(
        pound, work, connection, closing, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n"
    )


@pytest.fixture
def on_a_path(pound):
    """Pound on a Unix socket: `on_a_path(back-end, lines of the listener)`."""
    with tempfile.TemporaryDirectory(prefix="pd-") as folder:

        def start(origin, *lines):
            path = Path(folder) / "listen"
            service = cfg.service(cfg.backend(origin, *PATIENT))
            return pound(cfg.text(cfg.block("ListenHTTP", f'Address "{path}"', *lines, service)), path)

        yield start


@pytest.mark.parametrize("phase", Work.PHASES)
def test_over_a_unix_socket_a_close_is_told_from_an_end(on_a_path, backend, client, phase):
    work = Work(phase)
    pound = on_a_path(backend(serve=work))
    leaves_and_the_backend_is_told(pound, work, client(pound), closing)


def slow_answer(request, _):
    time.sleep(0.5)
    return answer(f"slow {request.target}")


def test_a_client_that_ends_its_side_is_still_answered(proxy, on_a_path, backend, client):
    for pound in (proxy(backend(slow_answer), listener=["HalfClose yes"]), proxy(backend(slow_answer)), on_a_path(backend(slow_answer))):
        connection = client(pound)
        connection.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.finish_sending()
        assert connection.read_answer().text == "slow /a"
        assert connection.at_end()


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_the_next_request_is_no_farewell(proxy, tls_proxy, backend, client, tls_client, kind):
    start, connect = (proxy, client) if kind == "tcp" else (tls_proxy, tls_client)
    origin = backend(slow_answer)
    connection = connect(start(origin, top=["HalfClose no"]))
    get = "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection.send(get.format(1))
    wait.until(lambda: origin.hits == 1, "the first has not arrived")
    connection.send(get.format(2) + get.format(3))
    assert [connection.read_answer().text for _ in range(3)] == ["slow /1", "slow /2", "slow /3"]


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_client_that_leaves_before_there_is_a_connection_to_the_backend_is_noticed(
    proxy, client, tls_client, tls_proxy, full_queue, kind
):
    start, connect, leave = (proxy, client, closing) if kind == "tcp" else (tls_proxy, tls_client, close_notify)
    pound = start(full_queue(), each=["ConnTO 60"], top=["HalfClose no"])
    connection = connect(pound)
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(0.3)
    leave(connection)
    pound.wait_for_log("[E-CLIENT-LEFT]")


def test_a_client_that_has_left_is_not_served_by_the_next_backend(proxy, backend, client):
    """The first dies with the request in its hands; the request is sent again, and its client leaves then."""
    first = backend(lambda *_: None, name="first")
    work = Work()
    pound = proxy(first, backend(serve=work), each=PATIENT, top=["Balancer iwrr", "Workers 1"], listener=["HalfClose no"])
    for _ in range(2):
        connection = client(pound)
        work.begun.clear()
        work.told.clear()
        leaves_and_the_backend_is_told(pound, work, connection, closing)
    assert first.hits >= 1
