"""What a client may make grow, and how slowly it may go: each bound has a directive, and holds to the byte."""

import select
import socket
import threading
import time

import pytest

from peers.backend import answer
from peers.http import Client

CHUNKED = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("place", ["top", "listener"])
def test_a_head_may_be_as_long_as_it_says(proxy, backend, client, place):
    pound = proxy(backend(), **{place: ["MaxHead 8k"]})

    def ask(length):
        head = "GET / HTTP/1.1\r\nHost: a\r\n"
        rest = length - len(head) - 2
        fields = ""
        while rest:
            line = min(rest, 2000) if rest - min(rest, 2000) > 5 or rest <= 2000 else rest
            fields += "X: " + "x" * (line - 5) + "\r\n"
            rest -= line
        connection = client(pound)
        connection.send(head + fields + "\r\n")
        return connection.read_answer().status

    assert ask(8192) == 200
    assert ask(8193) == 431


def test_a_head_may_have_as_many_fields_as_it_says(proxy, backend, client):
    pound = proxy(backend(), listener=["MaxFields 20"])
    for count, status in ((19, 200), (20, 431)):
        # Host is one of them.
        assert client(pound).ask(fields="X: y\r\n" * count).status == status


def test_more_is_allowed_where_the_file_says_so(proxy, backend, client):
    pound = proxy(backend(), listener=["MaxHead 256k", "MaxFields 1000"])
    assert client(pound).ask(fields="X-Padding: " + "y" * 200 + "\r\n").status == 200
    assert client(pound).ask(fields=("X: " + "y" * 200 + "\r\n") * 990).status == 200


@pytest.mark.parametrize(
    "line, body, status",
    [
        ("MaxChunkLine 32", "5;" + "x" * 30 + "\r\nhello\r\n0\r\n\r\n", 200),
        ("MaxChunkLine 32", "5;" + "x" * 31 + "\r\nhello\r\n0\r\n\r\n", 400),
        ("MaxChunkExt 10", "5;" + "x" * 9 + "\r\nhello\r\n0\r\n\r\n", 200),
        ("MaxChunkExt 10", "5;" + "x" * 10 + "\r\nhello\r\n0\r\n\r\n", 400),
        ("MaxChunkExt 0", "5\r\nhello\r\n0;x=y\r\n\r\n", 400),
        ("MaxChunkExt 0", "5\r\nhello\r\n0\r\n\r\n", 200),
        ("MaxTrailer 10", "0\r\nX: 3456\r\n\r\n", 431),
        ("MaxTrailer 10", "0\r\nX: 345\r\n\r\n", 200),
        ("MaxTrailer 2", "0\r\n\r\n", 200),
        ("MaxTrailerFields 1", "0\r\nX: 3\r\n\r\n", 200),
        ("MaxTrailerFields 1", "0\r\nX: 3\r\nY: 4\r\n\r\n", 431),
        ("MaxTrailerFields 0", "0\r\nX: 3\r\n\r\n", 431),
    ],
)
def test_a_chunked_body_keeps_to_its_bounds(proxy, backend, client, line, body, status):
    connection = client(proxy(backend(), listener=[line]))
    connection.send(CHUNKED + body)
    assert connection.read_answer().status == status


@pytest.mark.parametrize("most", [0, 3])
def test_a_backend_may_send_as_many_interim_answers_as_it_says(proxy, backend, client, most):
    def serve(connection):
        while (request := connection.read_request()) is not None:
            connection.send("HTTP/1.1 103 Early Hints\r\n\r\n" * int(request.target[1:]), answer("done"))

    pound = proxy(backend(serve=serve), listener=[f"MaxInterim {most}"])
    good = client(pound).ask(f"/{most}")
    assert (good.status, len(good.interim)) == (200, most)
    assert client(pound).ask(f"/{most + 1}").status == 502


def test_the_last_answer_of_a_connection_says_so(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, top=["MaxConnRequests 3"])
    connection = client(pound)
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
    closes = [connection.read_answer().fields.tokens("Connection") for _ in range(3)]
    assert closes == [[], [], ["close"]]
    assert connection.at_end()
    assert origin.hits == 3


# A second is the shortest window there is. What is shown here are the rules; the default, which takes half a minute to
# judge anybody, is held by unit tests.
FAST = ["Client 3", "MinRate 1000 1s"]


def drip(connection, pieces, pause):
    """Sends piece by piece until there is something to read; the bytes that were sent."""
    sent = 0
    for piece in pieces:
        connection.send(piece)
        sent += len(piece)
        if select.select([connection.sock], [], [], pause)[0]:
            break
    return sent


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_drips_is_answered_by_408(proxy, backend, client, framing):
    origin = backend()
    pound = proxy(origin, listener=FAST)
    connection = client(pound)
    if framing == "length":
        connection.send("POST /drip HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        pieces = ["x"] * 100
    else:
        connection.send("POST /drip HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        pieces = ["1\r\nx\r\n"] * 100
    start = time.monotonic()
    drip(connection, pieces, 0.1)
    refused = connection.read_answer()
    assert refused.status == 408
    assert "E-CLIENT-SLOW" in refused.text
    assert refused.fields.tokens("Connection") == ["close"]
    # One window, and not the ten seconds that the drip would have taken.
    assert time.monotonic() - start < 5
    assert connection.at_end()
    pound.wait_for_log("[E-CLIENT-SLOW]")


def test_a_slow_and_steady_upload_lives(proxy, backend, client):
    origin = backend(lambda request, _: answer(f"{len(request.body)}"))
    connection = client(proxy(origin, listener=FAST))
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12000\r\n\r\n")
    assert drip(connection, ["x" * 400] * 30, 0.2) == 12000
    assert connection.read_answer().text == "12000"


class Drips:
    """Clients that announce a large body and send 20 bytes of it now and then, each until it is answered."""

    def __init__(self, pound, client, number, method="POST", length=1 << 30):
        self.connections = [client(pound) for _ in range(number)]
        for connection in self.connections:
            connection.send(f"{method} /drip HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")

    def send(self, seconds):
        """Goes on for so long; the number of those that were answered or cut off meanwhile."""
        end = time.monotonic() + seconds
        gone = set()
        while time.monotonic() < end and len(gone) < len(self.connections):
            for connection in set(self.connections) - gone:
                try:
                    connection.send(b"x" * 20)
                except OSError:
                    gone.add(connection)
            ready, _, _ = select.select([one.sock for one in self.connections if one not in gone], [], [], 0.2)
            gone |= {one for one in self.connections if one.sock in ready}
        return len(gone)


def taking_all(connection):
    """A back-end that reads whatever comes and says nothing until that ends."""
    connection.read_request_head()
    while connection.sock.recv(65536):
        pass


def test_a_few_slow_streams_live_and_a_crowd_of_them_does_not(proxy, backend, client):
    """As without a MinRate in the file, but measured over a second: on the wire both are the same."""
    pound = proxy(backend(serve=taking_all), top=["Workers 1", "StreamTimeOut 60"], listener=["StreamClient 8", "MinRate 1000 1s 3"])
    few = Drips(pound, client, 3)
    assert few.send(4) == 0, pound.output()
    crowd = Drips(pound, client, 10)
    together = Drips(pound, client, 0)
    together.connections = few.connections + crowd.connections
    assert together.send(15) == 13, "all of them are slow, and too many"
    assert crowd.connections[0].read_answer().status == 408
    pound.wait_for_log("[E-CLIENT-SLOW]")
    # When they are gone a few are borne again.
    assert Drips(pound, client, 3).send(3) == 0


def test_a_client_that_is_fast_is_not_in_the_crowd(proxy, backend, client):
    pound = proxy(backend(serve=taking_all), top=["Workers 1", "StreamTimeOut 60"], listener=["StreamClient 8", "MinRate 1000 1s 0"])
    steady, slow = client(pound), Drips(pound, client, 5)
    steady.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    assert drip(steady, ["x" * 400] * 20, 0.1) == 8000
    assert slow.send(1) == 5


@pytest.mark.parametrize("method", ["RPC_IN_DATA", "RPC_OUT_DATA"])
def test_a_channel_of_rpc_over_http_is_not_measured(proxy, backend, client, method):
    pound = proxy(backend(serve=taking_all), top=["StreamTimeOut 60"], listener=["xHTTP 3", "Client 120", "MinRate 1000 1s"])
    assert Drips(pound, client, 2, method=method).send(4) == 0, pound.output()


def test_the_rate_can_be_switched_off(proxy, backend, client):
    origin = backend(lambda request, _: answer(f"{len(request.body)}"))
    connection = client(proxy(origin, top=["MinRate 1000 1s"], listener=["MinRate 0"]))
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n")
    assert drip(connection, ["x"] * 30, 0.1) == 30
    assert connection.read_answer().text == "30"


def test_time_that_the_backend_takes_is_not_counted(proxy, backend, client):
    """The body goes up to a server that reads it slowly: its sender waits, and is not to blame."""

    def serve(origin):
        request = origin.read_request_head()
        left = int(request.fields.one("Content-Length"))
        for _ in range(30):
            time.sleep(0.1)
            left -= len(origin.read_exactly(min(100, left)))
        origin.read_exactly(left)
        origin.send(answer("patient"))

    connection = client(proxy(backend(serve=serve), listener=FAST))
    threading.Thread(target=lambda: connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n" + b"x" * 30_000_000), daemon=True).start()
    assert connection.read_answer().text == "patient"


def narrow(pound, room=4096):
    """A client whose system takes little at once, so that what it does not read is not taken for it either."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.connect(("127.0.0.1", pound.port))
    client = Client.__new__(Client)
    super(Client, client).__init__(sock)
    return client


def read_slowly(connection, step, pause, seconds):
    """Reads `step` bytes and pauses, over and over; the bytes read, and whether the other side broke off."""
    end, total = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        # What has arrived would hide a reset that came after it.
        if connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return total, True
        try:
            data = connection.sock.recv(step)
        except ConnectionError:
            return total, True
        if not data:
            return total, True
        total += len(data)
        time.sleep(pause)
    return total, False


@pytest.mark.parametrize("kind", ["backend", "file"])
def test_a_client_that_reads_a_byte_at_a_time_is_cut_off(proxy, pound, backend, tmp_path, kind):
    size = 20_000_000
    if kind == "backend":
        running = proxy(backend(answer(b"x" * size)), listener=["Client 60", "MinRate 1000 2s"])
    else:
        (tmp_path / "big").write_bytes(b"x" * size)
        running = proxy(listener=["Client 60", "MinRate 1000 2s"], service=[f'SendFile "{tmp_path}"'])
    with narrow(running) as connection:
        connection.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        read, broken = read_slowly(connection, 1, 0.1, 15)
        assert broken, f"still served after {read} bytes"
    running.wait_for_log("[E-CLIENT-SLOW]")


@pytest.mark.parametrize("silence, step, pause", [(2, 5000, 0.02), (4, 5000, 0.1)])
def test_a_client_that_reads_slowly_and_steadily_lives(proxy, backend, silence, step, pause):
    """Longer than Client allows to be silent: what its system acknowledges is progress, though we write nothing."""
    # Segments of loopback are 64 KB, and the system of a client that reads 50 KB a second tells of one or of two at once:
    # every 1.3 or 2.6 s. The time of MinRate has to be longer.
    pound = proxy(backend(answer(b"x" * 30_000_000)), listener=[f"Client {silence}", "MinRate 1000 6s"])
    # A window much smaller is opened in seconds and not by acknowledgements.
    with narrow(pound, 250_000) as connection:
        connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        read, broken = read_slowly(connection, step, pause, 4 * silence)
        assert not broken, f"cut off after {read} bytes: {pound.output()}"


def test_a_client_that_stops_reading_is_given_up(proxy, backend):
    pound = proxy(backend(answer(b"x" * 30_000_000)), listener=["Client 1"])
    with narrow(pound) as connection:
        connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        start = time.monotonic()
        pound.wait_for_log("the client took nothing for 1 s (Client)")
        assert time.monotonic() - start < 5
