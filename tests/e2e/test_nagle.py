"""Peers that leave Nagle's algorithm on: they hold a small write back until the one before it is acknowledged.

The kernel holds an acknowledgement back for 40 ms where it expects an answer to carry it. Together these two cost every
such exchange 40 ms, unless pound has it acknowledged. A busy machine makes many tries slow and never all, so the fastest few
of them are judged.
"""

import ctypes
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer
from peers.http import Client, Wire
from peers.tls import Authority, TlsBackend, context

TRIES = 20
# Of the kernel's 40 ms (TCP_DELACK_MIN), some may have passed when the clock starts.
DELAYED = 0.030
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
GET = [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"]
POST = [b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n", b"body"]
CHUNKS = [
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"4\r\nbody\r\n",
    b"0\r\n\r\n",
]
LINES = [b"GET / HTTP/1.1\r\n", b"Host: localhost\r\n\r\n"]


def connect(port, wanted=None, session=None):
    """A client that waits for acknowledgements before it sends something small, from the first byte on."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    if wanted:
        sock = wanted.wrap_socket(sock, server_hostname="localhost", session=session)
    client = Client.__new__(Client)
    Wire.__init__(client, sock)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    return client


def exchange(client, writes):
    """Seconds from the first write of a request to the end of its answer."""
    start = time.monotonic()
    for part in writes:
        client.sock.sendall(part)
    assert client.read_answer().status == 200
    return time.monotonic() - start


def assert_prompt(times, allowed=DELAYED):
    fast = sorted(times)[len(times) // 8]
    assert fast < allowed, f"seconds: {[round(one, 3) for one in times]}"


def new_connections(port, writes=GET, wanted=None):
    """The times of the first answers of new connections."""
    times = []
    for _ in range(TRIES):
        with connect(port, wanted) as client:
            times.append(exchange(client, writes))
    return times


def kept_connection(port, writes, wanted=None):
    """The times of all answers but the first of a connection."""
    with connect(port, wanted) as client:
        return [exchange(client, writes) for _ in range(TRIES)][1:]


# -- clients


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_the_first_answer_over_tls_comes_at_once(tls_proxy, backend, authority, version):
    pound = tls_proxy(backend())
    assert_prompt(new_connections(pound.port, wanted=context(authority, version)))


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_the_first_answer_of_a_resumed_session_comes_at_once(tls_proxy, backend, authority, version):
    pound = tls_proxy(backend())
    wanted = context(authority, version)
    times, session = [], None
    for number in range(TRIES):
        with connect(pound.port, wanted, session) as client:
            assert client.sock.session_reused == (number > 0)
            times.append(exchange(client, GET))
            session = client.sock.session
    assert_prompt(times[1:])


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_the_first_answer_to_a_client_with_a_certificate_comes_at_once(tls_proxy, backend, authority, tmp_path, version):
    people = Authority(tmp_path / "people", "People")
    ann = people.issue(subject="/CN=Ann", usage="clientAuth", chain=True)
    pound = tls_proxy(backend(), listener=["ClientCert 2", f'VerifyList "{people.certificate}"'])
    assert_prompt(new_connections(pound.port, wanted=context(authority, version, ann)))


@pytest.mark.parametrize("writes", [POST, CHUNKS, LINES], ids=["body apart", "chunks", "lines"])
@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "tls"])
def test_a_request_in_pieces_is_answered_at_once(proxy, tls_proxy, backend, authority, over_tls, writes):
    pound = (tls_proxy if over_tls else proxy)(backend())
    wanted = context(authority) if over_tls else None
    assert_prompt(new_connections(pound.port, writes, wanted))
    assert_prompt(kept_connection(pound.port, writes, wanted))


# -- back-ends


class Slow:
    """What makes a back-end wait for acknowledgements: it leaves Nagle on, and answers in these pieces."""

    def __init__(self, *pieces):
        self.pieces = pieces

    def __call__(self, _, connection):
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        for piece in self.pieces:
            connection.sock.sendall(piece)
        return b""


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"hello"],
        [b"HTTP/1.1 200 OK\r\n", b"Content-Length: 5\r\n\r\n", b"hello"],
    ],
    ids=["body apart", "lines"],
)
def test_an_answer_in_pieces_is_passed_on_at_once(proxy, backend, pieces):
    """Not yet an answer in chunks: there the end still waits for an acknowledgement now and then."""
    server = backend(Slow(*pieces))
    pound = proxy(server)
    assert_prompt(kept_connection(pound.port, GET))
    assert server.accepted == 1


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_the_first_answer_of_a_back_end_over_tls_is_passed_on_at_once(pound, backend, authority, version):
    # Session tickets come before the answer, and there is nothing to say to them.
    certificate = authority.issue("localhost", "127.0.0.1")

    def reply(_, connection):
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        return answer("hello", fields="Connection: close\r\n")

    with TlsBackend(certificate, reply, version=version) as server:
        port = wait.free_port()
        lines = ["HTTPS", f'CAlist "{authority.certificate}"']
        proxy = pound(cfg.text(cfg.listen(port, cfg.service(cfg.backend(server, *lines)))), port)
        assert_prompt(kept_connection(proxy.port, GET))
        assert server.accepted == TRIES


# -- a path with a round trip

ROUND_TRIP = 0.010
CLONE_NEWNET = 0x40000000


@pytest.fixture
def far_away():
    """Runs a function in a network of its own, in which a round trip takes a while: `far_away(do)`."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for a network namespace")
    setup = f"ip link set lo up && tc qdisc add dev lo root netem delay {ROUND_TRIP * 500}ms && echo up && exec cat"
    try:
        holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", setup],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except FileNotFoundError:
        pytest.skip("needs unshare(1), for a network namespace")

    def run(do):
        problems = []

        def inside():
            try:
                # Of this thread alone, and of what it starts.
                with open(f"/proc/{holder.pid}/ns/net") as namespace:
                    libc = ctypes.CDLL(None, use_errno=True)
                    assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
                do()
            except BaseException as problem:  # noqa: BLE001 (raised where the test sees it)
                problems.append(problem)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if problems:
            raise problems[0]

    try:
        said = holder.stdout.readline()
        if said != b"up\n":
            pytest.skip(f"no network with a delay can be made here: {said.decode(errors='replace').strip()}")
        yield run
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()


def test_a_first_answer_from_far_away_takes_two_round_trips(tls_proxy, backend, authority, tmp_path, far_away):
    # One until the end of the handshake is acknowledged, and one for the request.
    server = backend(path=tmp_path / "backend.sock")

    def measure():
        pound = tls_proxy(server)
        for version in VERSIONS:
            times = new_connections(pound.port, wanted=context(authority, version))
            assert_prompt(times, 2 * ROUND_TRIP + DELAYED)

    far_away(measure)
