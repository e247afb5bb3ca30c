"""How long each side may be silent, and where: before an answer, within it, within a request, and while it reads.

The times are short, so that nobody has to wait; that the built-in ones are long enough is held by the golden files of
`config`, and by the two tests that wait for a little longer than older Pounds did.
"""

import socket
import threading
import time

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer
from peers.http import Client

EVENT = b"data: x\n\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def stream(pauses, framing="chunked"):
    """A back-end that sends an event, and one more after each pause."""

    def serve(connection):
        connection.read_request()
        total = len(EVENT) * (len(pauses) + 1)
        how = {"chunked": b"Transfer-Encoding: chunked\r\n", "length": b"Content-Length: %d\r\n" % total, "close": b""}
        piece = b"%x\r\n%s\r\n" % (len(EVENT), EVENT) if framing == "chunked" else EVENT
        connection.send(STREAM, how[framing], b"\r\n", piece)
        for pause in pauses:
            time.sleep(pause)
            connection.send(piece)
        if framing == "chunked":
            connection.send(b"0\r\n\r\n")

    return serve


def read_stream(connection):
    connection.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
    return connection.read_answer().body


def said_in_log(pound, *words):
    """Waits until one line of the log has all of the words."""
    wait.until(
        lambda: any(all(word in line for word in words) for line in pound.lines()),
        lambda: f"no line with {words}: {pound.output()}",
        20,
    )


def is_cut(connection):
    try:
        read_stream(connection)
    except (EOFError, ConnectionError):
        return True
    return False


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("place", ["top", "service", "each"])
def test_a_stream_may_pause_for_longer_than_the_head_may_take(proxy, backend, client, framing, place):
    where = {"top": {}, "service": {}, "each": {}}
    where[place] = {place: ["TimeOut 1", "StreamTimeOut 20"]}
    pound = proxy(backend(serve=stream([2.5], framing)), **where[place])
    assert read_stream(client(pound)) == EVENT * 2


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("lines, said", [
    (["TimeOut 20", "StreamTimeOut 1"], "the back-end sent nothing for 1 s (StreamTimeOut) in the middle of its answer"),
    (["TimeOut 1"], "the back-end sent nothing for 1 s (TimeOut) in the middle of its answer"),
])
def test_a_stream_that_pauses_for_too_long_is_cut(proxy, backend, client, framing, lines, said):
    """A file without the new word means what it meant."""
    pound = proxy(backend(serve=stream([15], framing)), each=lines)
    assert is_cut(client(pound))
    said_in_log(pound, "[E-BACKEND-STREAM-TIMEOUT]", said)


def test_an_answer_that_pauses_between_head_and_body_is_no_late_head(proxy, backend, client):
    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        time.sleep(2.5)
        connection.send("late")

    pound = proxy(backend(serve=serve), service=["TimeOut 1", "StreamTimeOut 20"])
    assert client(pound).ask().text == "late"


def test_the_built_in_times_let_a_stream_and_a_reader_pause(proxy, backend, client):
    """16 s between two events, as sse-starlette has them, while an upload and a reader pause for 12 s: all at once."""
    size = 30_000_000

    def serve(connection):
        request = connection.read_request()
        if request.target == "/upload":
            return connection.send(answer(str(len(request.body))))
        if request.target == "/big":
            return connection.send(answer(b"x" * size))
        connection.send(STREAM, b"Content-Length: 18\r\n\r\n", EVENT)
        time.sleep(16)
        connection.send(EVENT)

    pound = proxy(backend(serve=serve))
    events, upload, reader = client(pound), client(pound), client(pound)
    events.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
    upload.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
    reader.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(12)
    upload.send("def")
    assert upload.read_answer().text == "6"
    assert len(reader.read_answer().body) == size
    assert events.read_answer().body == EVENT * 2


def test_a_late_head_is_told_from_a_pause_and_the_log_says_what_helps(proxy, backend):
    pound = proxy(backend(serve=lambda connection: connection.read_to_end()), service=["TimeOut 1", "StreamTimeOut 20"])
    assert pound.ask().status in (503, 504)
    said_in_log(pound, "[E-BACKEND-TIMEOUT]", "sent no answer for 1 s (TimeOut)", "TimeOut in their Service")


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("place", ["top", "listener"])
def test_an_upload_may_pause(proxy, backend, client, framing, answered, place):
    """For longer than a head may take, whether or not the back-end has begun to answer."""

    def serve(connection):
        request = connection.read_request_head()
        if answered:
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        connection.read_request_body(request)
        connection.send(f"3\r\n{len(request.body):3}\r\n0\r\n\r\n" if answered else answer(f"{len(request.body):3}"))

    pound = proxy(backend(serve=serve), **{place: ["Client 1", "StreamClient 20"]})
    connection = client(pound)
    if framing == "length":
        head, pieces = "Content-Length: 6", ["abc", "def"]
    else:
        head, pieces = "Transfer-Encoding: chunked", ["3\r\nabc\r\n", "3\r\ndef\r\n0\r\n\r\n"]
    connection.send(f"POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n")
    for piece in pieces:
        time.sleep(2.5)
        connection.send(piece)
    assert connection.read_answer().text == ("first  6" if answered else "  6")


@pytest.mark.parametrize("lines, word", [(["Client 20", "StreamClient 1"], "StreamClient"), (["Client 1"], "Client")])
@pytest.mark.parametrize("sent", ["", "abc"])
def test_an_upload_that_pauses_for_too_long_is_answered_by_408(proxy, backend, client, lines, word, sent):
    pound = proxy(backend(), listener=lines)
    connection = client(pound)
    connection.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n{sent}")
    assert connection.read_answer().status == 408
    said_in_log(pound, "[E-CLIENT-BODY-TIMEOUT]", f"sent nothing for 1 s ({word}) in the middle of its request")


def narrow(pound):
    """A client whose system takes little at once, so that what it does not read is not taken for it either."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", pound.port))
    client = Client.__new__(Client)
    super(Client, client).__init__(sock)
    return client


@pytest.mark.parametrize("kind", ["backend", "file"])
def test_a_reader_may_pause(proxy, backend, tmp_path, kind):
    size = 20_000_000
    (tmp_path / "big").write_bytes(b"x" * size)
    times = ["Client 1", "StreamClient 20"]
    if kind == "backend":
        pound = proxy(backend(answer(b"x" * size)), listener=times)
    else:
        pound = proxy(listener=times, service=[f'SendFile "{tmp_path}"'])
    with narrow(pound) as connection:
        connection.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(3)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert len(connection.read_answer().body) == size


def test_a_reader_that_takes_nothing_for_too_long_is_cut(proxy, backend):
    pound = proxy(backend(answer(b"x" * 30_000_000)), listener=["Client 20", "StreamClient 1"])
    with narrow(pound) as connection:
        connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        said_in_log(pound, "[E-CLIENT-READ-TIMEOUT]", "the client took nothing for 1 s (StreamClient)")


@pytest.mark.parametrize("lines, seconds, word", [
    (["TimeOut 20", "StreamTimeOut 1"], 1, "StreamTimeOut"), (["TimeOut 1"], 1, "TimeOut")
])
def test_a_backend_that_takes_nothing_of_an_upload_is_given_up(proxy, backend, lines, seconds, word):
    stop = threading.Event()
    pound = proxy(backend(serve=lambda _: stop.wait(60)), service=lines)
    with Client(pound.port) as connection:
        connection.sock.settimeout(30)

        def upload():
            try:
                connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n", b"x" * 30_000_000)
            except OSError:
                pass  # it is refused meanwhile

        threading.Thread(target=upload, daemon=True).start()
        said_in_log(pound, "[E-BACKEND-READ-TIMEOUT]", f"took nothing of the request for {seconds} s ({word})")
    stop.set()


def test_a_service_says_it_for_its_backends_and_none_of_others(pound, backend, client):
    """The same back-end, with a name and without times of its own, in two services."""
    slow = backend(lambda *_: time.sleep(2.5) or answer("slow"))
    port = wait.free_port()
    text = cfg.text(
        f'Backend "slow"\nAddress 127.0.0.1\nPort {slow.port}\nEnd',
        "TimeOut 1",
        cfg.listen(
            port,
            cfg.service('Path -beg "/socket.io/"', 'UseBackend "slow"', "TimeOut 20"),
            cfg.service('Path -beg "/used/"', "TimeOut 20", 'Backend\nUse "slow"\nEnd'),
            cfg.service('UseBackend "slow"'),
        ),
    )
    running = pound(text, port)
    assert client(running).ask("/socket.io/?transport=polling").text == "slow"
    assert client(running).ask("/used/").text == "slow"
    assert client(running).ask("/").status in (503, 504)
    assert client(running).ask("/socket.io/").text == "slow"


def test_an_upgraded_connection_has_the_time_of_its_service(proxy, backend, client):
    def serve(connection):
        connection.read_request_head()
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        connection.read_to_end()

    connection = client(proxy(backend(serve=serve), top=["WSTimeOut 60"], service=["WSTimeOut 1"]))
    connection.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
    assert connection.read_answer_head().status == 101
    assert connection.has_ended_within(10)
