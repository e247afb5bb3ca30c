"""Bodies are streamed, never held whole: memory stays small however slow the other side is."""

import hashlib
import threading
import time

from peers import wait
from peers.backend import answer

MIB = 1 << 20
BIG = 200 * MIB
# What a big transfer may add: buffers of both sides, not a body.
ROOM = 16 * MIB


def test_a_slow_reader_does_not_fill_memory(proxy, backend, client):
    sent = []

    def serve(origin):
        origin.read_request()
        origin.send(f"HTTP/1.1 200 OK\r\nContent-Length: {BIG}\r\n\r\n")
        block = b"x" * MIB
        for _ in range(BIG // MIB):
            origin.send(block)
            sent.append(MIB)

    pound = proxy(backend(serve=serve))
    before = pound.memory()
    connection = client(pound)
    connection.send_request()
    connection.read_answer_head()
    _until_steady(lambda: len(sent))
    assert len(sent) < BIG // MIB, "the back-end was read to its end though nobody took the bytes"
    assert pound.memory() - before < ROOM
    received = 0
    while received < BIG:
        received += len(connection.read_exactly(min(MIB, BIG - received)))
    assert pound.memory() - before < ROOM


def test_a_slow_backend_does_not_fill_memory(proxy, backend, client):
    go, digests = threading.Event(), []

    def serve(origin):
        request = origin.read_request_head()
        go.wait(30)
        total, digest = int(request.fields.one("Content-Length")), hashlib.sha256()
        while total:
            block = origin.read_exactly(min(MIB, total))
            digest.update(block)
            total -= len(block)
        digests.append(digest.hexdigest())
        origin.send(answer("done"))

    pound = proxy(backend(serve=serve))
    before = pound.memory()
    connection = client(pound)
    sent = []

    def upload():
        connection.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BIG}\r\n\r\n")
        for _ in range(BIG // MIB):
            connection.send(b"y" * MIB)
            sent.append(MIB)

    thread = threading.Thread(target=upload, daemon=True)
    thread.start()
    _until_steady(lambda: len(sent))
    assert len(sent) < BIG // MIB
    assert pound.memory() - before < ROOM
    go.set()
    assert connection.read_answer().text == "done"
    thread.join(10)
    assert digests == [hashlib.sha256(b"y" * BIG).hexdigest()]
    assert pound.memory() - before < ROOM


def _until_steady(count):
    """Waits until `count()` has been the same for half a second."""
    last = [count(), time.monotonic()]

    def steady():
        now = count()
        if now != last[0]:
            last[:] = [now, time.monotonic()]
        return time.monotonic() - last[1] > 0.5

    wait.until(steady, "the sender never stopped", within=30)


def test_the_first_bytes_do_not_wait_for_the_last(proxy, backend, client):
    go = threading.Event()

    def serve(origin):
        origin.read_request()
        origin.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        go.wait(20)
        origin.send("4\r\nlast\r\n0\r\n\r\n")

    connection = client(proxy(backend(serve=serve)))
    connection.send_request()
    head = connection.read_answer_head()
    seen = []

    def between(message):
        seen.append(message.chunks[-1])
        go.set()

    connection.read_chunked(head, between)
    assert seen == [b"first", b"last"]


def test_an_answer_may_come_during_the_upload(proxy, backend, client):
    def serve(origin):
        origin.read_request_head()
        origin.send(answer("enough", status="413 Content Too Large", fields="Connection: close\r\n"))
        origin.finish_sending()
        origin.read_to_end()

    connection = client(proxy(backend(serve=serve)))
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", b"z" * 1000)
    answered = connection.read_answer()
    assert (answered.status, answered.text) == (413, "enough")


def test_both_directions_may_stream_at_once(proxy, backend, client):
    """An answer that begins early and goes on while the request does: every block comes back at once."""

    def serve(origin):
        origin.read_request_head()
        origin.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            size = int(origin.read_through(b"\r\n"), 16)
            data = origin.read_exactly(size + 2)[:-2]
            origin.send(b"%x\r\n%s\r\n" % (size, data))
            if not size:
                return

    connection = client(proxy(backend(serve=serve)))
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    answered = connection.read_answer_head()
    assert answered.status == 200
    for word in (b"one", b"two", b"three"):
        line = b"%x\r\n%s\r\n" % (len(word), word)
        connection.send(line)
        assert connection.read_exactly(len(line)) == line
    connection.send("0\r\n\r\n")
    assert connection.read_exactly(5) == b"0\r\n\r\n"


def test_work_stops_at_the_backend_when_the_client_has_gone(proxy, backend, client):
    gone = []

    def serve(origin):
        origin.read_request()
        gone.append(origin.at_end())

    connection = client(proxy(backend(serve=serve)))
    connection.send_request()
    connection.reset()
    wait.until(lambda: gone == [True], "the back-end was left to work for nobody")


def test_gunicorn_streams_through(proxy, gunicorn, client):
    answered = client(proxy(gunicorn)).ask("/stream")
    assert answered.body == b"".join(b"line %d\n" % number for number in range(1000))
