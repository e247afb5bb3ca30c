"""Clients that behave badly on purpose cannot hold pound up, nor make it grow."""

import resource
import socket
import time

from peers import wait
from peers.http import Client, ask


def test_slow_clients_do_not_hold_up_others(proxy, backend):
    pound = proxy(backend(), listener=["Client 10"])
    slow = []
    for _ in range(200):
        connection = socket.create_connection(("127.0.0.1", pound.port))
        connection.send(b"GET / HTTP/1.1\r\nHost: ")
        slow.append(connection)
    start = time.monotonic()
    for _ in range(50):
        assert pound.ask().status == 200
    assert time.monotonic() - start < 5
    for connection in slow:
        connection.close()


def test_a_crowd_that_sends_a_byte_a_second_costs_little_memory(proxy, backend):
    """Ten thousand at once, or as many as there are descriptors for: none of them holds a read buffer or the state of a
    request before its head is whole, and all that they send is taken in time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    try:
        pound = proxy(backend(), listener=["Client 120"])
        assert pound.ask().status == 200
        size = min(10_000, min(hard, 20_000) - 500)
        before, crowd = pound.memory(), []
        for _ in range(size):
            connection = socket.create_connection(("127.0.0.1", pound.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            crowd.append(connection)
        head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: and steady\r\n\r\n"
        each = []
        for second, byte in enumerate(head[:12]):
            start = time.monotonic()
            for connection in crowd:
                connection.send(bytes([byte]))
            each.append((pound.memory() - before) / size)
            time.sleep(max(0, start + 1 - time.monotonic()))
        print(f"{size} connections, bytes for each: {[round(bytes_) for bytes_ in each]}")
        assert max(each) < 4096, each
        # They were served all the while, and so is the rest of what they send.
        for connection in crowd[::100]:
            connection.send(head[12:])
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        for connection in crowd:
            connection.close()
        wait.until(lambda: not pound.clients(), "clients are left")
        wait.until(pound.is_idle, "it is not idle afterwards")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_many_idle_connections_cost_little_memory(proxy, backend):
    pound = proxy(backend(), listener=["Client 60"])
    assert pound.ask().status == 200
    before = pound.memory()
    crowd = []
    for _ in range(400):
        connection = Client(pound.port)
        connection.ask()
        crowd.append(connection)
    each = (pound.memory() - before) / len(crowd)
    assert each < 64 << 10, f"{each:.0f} bytes for each idle connection"
    wait.until(pound.is_idle, "idle connections keep it busy")
    for connection in crowd:
        connection.close()


def test_an_endless_head_is_cut_off(proxy, backend):
    origin = backend()
    pound = proxy(origin)
    before = pound.memory()
    connection = Client(pound.port)
    try:
        connection.send("GET / HTTP/1.1\r\n")
        for _ in range(100_000):
            connection.send("X-More: and more and more and more\r\n" * 10)
        raise AssertionError("35 MB of head were taken")
    except OSError:
        pass
    finally:
        connection.close()
    assert origin.hits == 0
    assert pound.memory() - before < 8 << 20


def test_an_endless_chunk_extension_is_cut_off(proxy, backend):
    pound = proxy(backend())
    connection = Client(pound.port)
    try:
        connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;")
        for _ in range(100_000):
            connection.send("x" * 1000)
        raise AssertionError("100 MB of chunk extension were taken")
    except OSError:
        pass
    finally:
        connection.close()


def test_pipelining_without_reading_does_not_fill_memory(proxy, backend):
    pound = proxy(backend(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000))
    before = pound.memory()
    connection = Client(pound.port)
    connection.sock.settimeout(1)
    try:
        for _ in range(100_000):
            connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    except (TimeoutError, OSError):
        pass
    assert pound.memory() - before < 8 << 20
    connection.close()


def test_answers_after_a_burst_of_garbage(proxy, backend):
    pound = proxy(backend())
    for byte in range(256):
        connection = Client(pound.port)
        try:
            connection.send(bytes([byte]) * 5000)
        except OSError:
            pass
        connection.close()
    assert ask(pound.port).status == 200
    wait.until(pound.is_idle, "garbage keeps it busy")
