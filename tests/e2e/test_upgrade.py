"""Upgraded connections: WebSockets with an independent library, and raw tunnels."""

import asyncio
import contextlib
import threading

import pytest
from websockets.asyncio.server import serve as serve_websockets
from websockets.sync.client import connect

from peers import wait
from peers.backend import answer

UPGRADE = "Connection: Upgrade\r\nUpgrade: echo\r\n"
SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"


@pytest.fixture
def echo(pound):
    """A WebSocket server that sends every message back; gives its port."""
    port = wait.free_port()
    stop = {}

    async def main():
        async def reflect(socket):
            async for message in socket:
                await socket.send(message)

        stop["loop"], stop["event"] = asyncio.get_running_loop(), asyncio.Event()
        async with serve_websockets(reflect, "127.0.0.1", port, max_size=None):
            await stop["event"].wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    wait.until(lambda: wait.listens(port), "the WebSocket server does not listen")
    yield port
    stop["loop"].call_soon_threadsafe(stop["event"].set)
    thread.join(10)


def test_carries_websocket_messages_both_ways(proxy, echo):
    url = f"ws://127.0.0.1:{proxy(echo).port}/chat"
    with connect(url) as socket:
        for message in ("hello", b"\0\1\2", "x" * 200_000):
            socket.send(message)
            assert socket.recv(timeout=10) == message


def test_carries_many_websockets_at_once(proxy, echo):
    url = f"ws://127.0.0.1:{proxy(echo).port}/"
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(connect(url)) for _ in range(40)]
        for number, socket in enumerate(sockets):
            socket.send(str(number))
        assert [socket.recv(timeout=10) for socket in sockets] == [str(n) for n in range(40)]


def tunnel(origin_serve, proxy, backend, client):
    connection = client(proxy(backend(serve=origin_serve)))
    connection.send_request(fields=UPGRADE)
    head = connection.read_answer_head()
    assert (head.status, head.fields.one("Upgrade")) == (101, "echo")
    assert "upgrade" in head.fields.tokens("Connection")
    return connection


def test_the_client_may_finish_first(proxy, backend, client):
    def serve(origin):
        origin.read_request()
        origin.send(SWITCH)
        origin.send(b"got " + origin.read_to_end())

    connection = tunnel(serve, proxy, backend, client)
    connection.send("all I have")
    connection.finish_sending()
    assert connection.read_to_end() == b"got all I have"


def test_the_backend_may_finish_first(proxy, backend, client):
    received = []

    def serve(origin):
        origin.read_request()
        origin.send(SWITCH, "all I have")
        origin.finish_sending()
        received.append(origin.read_to_end())

    connection = tunnel(serve, proxy, backend, client)
    assert connection.read_to_end() == b"all I have"
    connection.send("and more")
    connection.finish_sending()
    wait.until(lambda: received == [b"and more"], lambda: f"the back-end received {received}")


def test_bytes_sent_with_the_switch_belong_to_the_tunnel(proxy, backend, client):
    def serve(origin):
        origin.read_request()
        origin.send(SWITCH + "first words")
        origin.read_to_end()

    connection = tunnel(serve, proxy, backend, client)
    assert connection.read_exactly(11) == b"first words"


def test_a_refused_upgrade_is_an_ordinary_answer(proxy, backend, client):
    origin = backend(answer("no", status="403 Forbidden"))
    connection = client(proxy(origin))
    assert connection.ask(fields=UPGRADE).status == 403
    assert connection.ask().status == 403
    assert origin.requests[0].fields.one("Upgrade") == "echo"


def test_a_switch_nobody_asked_for_is_not_passed_on(proxy, backend, client):
    connection = client(proxy(backend(SWITCH.encode())))
    assert connection.ask().status == 502


def test_never_upgrades_to_cleartext_http2(proxy, backend, client):
    origin = backend()
    fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    assert client(proxy(origin)).ask(fields=fields).status == 200
    assert not origin.last.fields.has("Upgrade")
    assert not origin.last.fields.has("HTTP2-Settings")


def test_an_idle_tunnel_ends_after_its_time(proxy, backend, client):
    def serve(origin):
        origin.read_request()
        origin.send(SWITCH)
        origin.read_to_end()

    connection = client(proxy(backend(serve=serve), each=["WSTimeOut 1"]))
    connection.send_request(fields=UPGRADE)
    assert connection.read_answer_head().status == 101
    assert connection.has_ended_within(6)
