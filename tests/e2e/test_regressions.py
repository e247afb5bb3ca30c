"""What went wrong once, as it went wrong: each of these failed before its fix."""

import resource
import signal
import threading
import time

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer


def test_an_answer_that_nobody_asked_for_reaches_nobody_however_many_requests_are_pipelined(
    pound, backend, client
):
    """A task that has used up its turn was told that an idle back-end connection is quiet, whatever had come on it."""
    stray = answer("stray", status="408 Request Timeout")
    origin = backend(lambda request, connection: answer("good") + stray)
    port = wait.free_port()
    local = cfg.service('Path "^/local"', "Success")
    server = pound(cfg.text("Workers 1", cfg.listen(port, local, cfg.service(cfg.backend(origin)))), port)
    for count in (125, 126, 127):
        assert server.ask("/first").text == "good"
        connection = client(server)
        connection.send(b"GET /local HTTP/1.1\r\nHost: a\r\n\r\n" * count + b"GET /last HTTP/1.1\r\nHost: a\r\n\r\n")
        answers = [connection.read_answer() for _ in range(count + 1)]
        assert answers[-1].text == "good", count


def test_our_own_lack_of_descriptors_kills_no_backend(proxy, backend, client):
    go = threading.Event()

    def reply(request, connection):
        go.wait(20)
        return answer("here")

    origin = backend(reply)
    few = 64

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, few))

    server = proxy(origin, top=["Workers 1", "Alive 60", "Client 60"], preexec_fn=limit)
    flood = [client(server) for _ in range(few + 20)]
    wait.until(lambda: "open files" in server.output(), server.output, within=5)
    # Each of these would need a descriptor of its own, since none is answered yet.
    for connection in flood[:20]:
        connection.send_request()
    server.wait_for_log("E-RESOURCES")
    go.set()
    assert 503 in {connection.read_answer().status for connection in flood[:20]}
    for connection in flood:
        connection.close()
    wait.until(lambda: server.ask().status == 200, server.output, within=5)
    assert "is dead" not in server.output()


def test_trailers_carry_no_claim_and_no_field_that_is_deleted(proxy, backend, client):
    origin = backend()
    server = proxy(
        origin,
        listener=['ForwardedHeader "X-Client-Addr"'],
        service=['DeleteHeader -icase "^X-User:"', 'SetHeader "X-Site: one"'],
    )
    connection = client(server)
    connection.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        "X-User: admin\r\nX-Site: two\r\nX-Client-Addr: 192.0.2.1\r\nTrue-Client-IP: 192.0.2.1\r\n"
        "X-SSL-Subject: CN=root\r\nX-Sum: 1\r\n\r\n"
    )
    assert connection.read_answer().status == 200
    assert [name.lower() for name, _ in origin.last.trailers] == ["x-sum"]


def test_an_answer_cut_by_a_stop_does_not_look_whole(proxy, backend, client):
    """An HTTP/1.0 client knows the end of a body by the end of the connection alone."""
    go = threading.Event()

    def serve(origin):
        origin.read_request()
        origin.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        go.wait(20)

    server = proxy(backend(serve=serve), top=["Grace 1"])
    connection = client(server)
    connection.send_request(version="1.0")
    connection.read_answer_head()
    assert connection.read_exactly(5) == b"hello"
    server.signal(signal.SIGTERM)
    with pytest.raises(ConnectionResetError):
        connection.read_to_end()
    go.set()
    assert server.exit_status() == 0
    assert "E-CUT-OFF" in server.output()


@pytest.mark.parametrize("sent", [b"", b"x"])
def test_a_stalled_upload_is_given_the_time_of_the_client(proxy, backend, client, sent):
    """Before the first byte of the body it was the back-end's time that ran."""
    server = proxy(backend(), listener=["Client 1"], each=["TimeOut 8"])
    connection = client(server)
    start = time.monotonic()
    connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n" + sent)
    assert connection.read_answer().status == 408
    assert time.monotonic() - start < 4


def test_a_client_that_waits_for_a_100_is_not_to_blame_for_the_silence(proxy, backend, client):
    def serve(origin):
        origin.read_request_head()
        origin.read_to_end()

    server = proxy(backend(serve=serve), listener=["Client 8"], each=["TimeOut 1"])
    connection = client(server)
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert connection.read_answer().status == 504


def test_an_empty_line_after_a_body_is_no_request(proxy, backend, client):
    server = proxy(backend(), listener=["Client 1"])
    connection = client(server)
    connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n")
    assert connection.read_answer().status == 200
    assert connection.read_to_end() == b"", "closed for silence, without an answer to nothing"
    assert " 408" not in server.output()


def test_one_failed_answer_does_not_move_a_session(proxy, backend, client):
    fail = {}

    def origin(name):
        def reply(request, connection):
            if fail.get(name):
                fail[name] -= 1
                return None
            return answer(name)

        return backend(reply, name=name)

    server = proxy(
        origin("one"),
        origin("two"),
        top=["Workers 1", "Alive 60"],
        service=[cfg.session("HEADER", id="X-Who")],
    )
    who = "X-Who: me\r\n"
    home = server.ask(fields=who).text
    # On the idle connection, and on the fresh one that is tried after it.
    fail[home] = 2
    assert server.ask(fields=who).text != home, "the other one stands in"
    assert {server.ask(fields=who).text for _ in range(5)} == {home}


def test_no_switch_of_protocols_before_the_end_of_the_request(proxy, backend, client):
    def serve(origin):
        origin.read_request_head()
        origin.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        assert origin.read_to_end() == b"", "body bytes went up as a tunnel"

    server = proxy(backend(serve=serve), listener=["MaxRequest 10"])
    connection = client(server)
    connection.send(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\nContent-Length: 5\r\n\r\n"
    )
    assert connection.read_answer().status == 502


def test_an_early_answer_arrives_whole_when_the_upload_is_given_up(proxy, backend, client):
    size = 2 << 20

    def serve(origin):
        origin.read_request_head()
        origin.send(answer(b"n" * size, status="403 Forbidden"))
        origin.read_to_end()

    server = proxy(backend(serve=serve))
    connection = client(server)
    connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome")
    head = connection.read_answer_head()
    assert head.status == 403
    connection.finish_sending()
    assert len(connection.read_exactly(size)) == size


def test_a_request_that_kills_its_reader_is_not_led_through_the_whole_farm(proxy, backend):
    """Eight back-ends whose idle connections close on it: it was sent sixteen times."""
    deadly = []

    def reply(request, connection):
        if request.target == "/deadly":
            deadly.append(request)
            return None
        return answer("fine")

    server = proxy(*[backend(reply) for _ in range(8)], top=["Workers 1", "Balancer iwrr"])
    for _ in range(16):
        assert server.ask().text == "fine"
    assert server.ask("/deadly").status == 502
    assert len(deadly) <= 3
    assert server.ask().text == "fine"


def test_405_names_what_is_allowed(proxy, backend):
    refused = proxy(backend()).ask(method="PUT")
    assert refused.status == 405
    assert refused.fields.tokens("Allow") == ["get", "post", "head"]
    assert refused.fields.has("Date")


def test_a_host_condition_matches_whatever_port_is_named(pound, backend):
    origin = backend()
    port = wait.free_port()
    named = cfg.service('Host "www.example.org"', cfg.backend(origin))
    server = pound(cfg.text(cfg.listen(port, named, cfg.service("Error 404"))), port)
    for host in ("www.example.org", f"www.example.org:{port}", "WWW.example.org.:81"):
        assert server.ask(host=host).status == 200, host
    assert server.ask(host="www.example.org.uk").status == 404


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 502)])
def test_a_server_that_dies_between_head_and_body_has_answered_nothing(proxy, backend, method, status):
    """Seen when a Zope instance was killed under load: head and body leave it apart."""

    def dies(origin):
        origin.read_request()
        origin.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")

    server = proxy(backend(serve=dies), backend(answer("good")), top=["Workers 1", "Balancer iwrr"])
    answers = [server.ask(method=method) for _ in range(4)]
    assert {answered.status for answered in answers} == {200, status}
    assert {answered.text for answered in answers if answered.status == 200} == {"good"}
