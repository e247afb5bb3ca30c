"""Dead, dying and silent back-ends: who is left out, what is tried again, what the client is told."""

import threading
import time

import pytest

from peers import wait
from peers.backend import answer
from peers.http import ask


def test_a_dead_backend_is_left_out_without_a_failed_request(proxy, backend):
    good, dead = backend(name="good"), backend(name="dead")
    pound = proxy(good, dead, top=["Alive 30"])
    dead.stop()
    assert [pound.ask().status for _ in range(40)] == [200] * 40
    pound.wait_for_log(str(dead.port))


def test_a_dead_backend_comes_back_within_alive(proxy, backend):
    good, dead = backend(name="good"), backend(name="dead")
    pound = proxy(good, dead, top=["Alive 1"])
    dead.stop()
    assert {pound.ask().text for _ in range(30)} == {"good"}
    dead.start()
    wait.until(lambda: pound.ask().text == "dead", "the back-end is not back", within=3)


def test_a_dead_backend_costs_no_request_anything(proxy, backend, full_queue):
    """Once found dead it is probed, and requests wait for none of that while another one is alive."""
    good = backend(name="good")
    pound = proxy(good, full_queue(), top=["Alive 30"], each=["ConnTO 2"])
    wait.until(lambda: pound.ask().text == "good" and "is dead" in pound.output(), "it is not found dead")
    start = time.monotonic()
    assert {pound.ask().text for _ in range(30)} == {"good"}
    assert time.monotonic() - start < 2


def test_503_with_a_page_when_none_is_left(proxy, backend):
    one, two = backend(), backend()
    pound = proxy(one, two)
    one.stop()
    two.stop()
    start = time.monotonic()
    answered = pound.ask()
    assert (answered.status, "<html" in answered.text.lower()) == (503, True)
    assert answered.fields.one("Content-Type").startswith("text/html")
    assert time.monotonic() - start < 2


def test_a_connection_survives_503_and_goes_on(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, top=["Alive 1"])
    origin.stop()
    assert pound.ask().status == 503
    origin.start()
    wait.until(lambda: pound.ask().status == 200, "the back-end is not back", within=4)


def stale(backend, **more):
    """A back-end that dies silently when a connection is used for the second time."""

    def reply(request, connection):
        connection.count = getattr(connection, "count", 0) + 1
        return answer("fine") if connection.count == 1 else None

    return backend(reply, **more)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_tries_an_idempotent_request_again_on_a_stale_connection(proxy, backend, client, method):
    origin = stale(backend)
    connection = client(proxy(origin, listener=["xHTTP 2"]))
    assert connection.ask().text == "fine"
    answered = connection.ask(method=method, fields="Content-Length: 0\r\n" if method == "PUT" else "")
    assert answered.status == 200
    assert origin.accepted == 2


@pytest.mark.parametrize("packets", [1, 2])
def test_tries_a_body_again_that_came_with_its_head(proxy, backend, client, packets):
    """A body is not kept for this; one that is still in the read buffer can be sent again."""
    origin = stale(backend)
    connection = client(proxy(origin, listener=["xHTTP 1"]))
    connection.ask()
    head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
    if packets == 1:
        connection.send(head + "small body")
    else:
        # As many clients do, Python's own among them.
        connection.send(head)
        connection.send("small body")
    assert connection.read_answer().status == 200
    assert [request.body for request in origin.requests[1:]] == [b"small body"] * 2


def test_never_sends_a_post_twice(proxy, backend, client):
    origin = stale(backend)
    connection = client(proxy(origin))
    connection.ask()
    assert connection.ask(method="POST", body=b"order one").status in (502, 503)
    assert [request.body for request in origin.requests].count(b"order one") == 1


def test_a_connection_closed_while_idle_costs_no_request(proxy, backend, client):
    """Servers close idle connections all the time; even a POST must not notice."""
    origin = backend()
    connection = client(proxy(origin))
    for number in range(5):
        assert connection.ask().status == 200
        origin.drop_connections()
        # The end of the stream must have arrived before the next request is sent.
        wait.until(lambda: _closed_by_peer(origin.port) == 0, "pound holds on to closed connections", 5)
        assert connection.ask(method="POST", body=b"%d" % number).status == 200
    assert origin.hits == 10


def _closed_by_peer(port):
    """How many connections to `port` wait for their owner to close them (CLOSE_WAIT)."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "08" for row in rows)


def test_a_get_survives_a_backend_that_dies_before_its_answer(proxy, backend):
    good = backend(name="good")
    dying = backend(lambda *_: None, name="dying")
    pound = proxy(good, dying)
    assert {pound.ask().text for _ in range(20)} == {"good"}


def test_a_post_is_lost_with_the_backend_that_had_it(proxy, backend):
    dying = backend(lambda *_: None)
    assert proxy(dying).ask(method="POST", body=b"x").status == 502


def test_a_silent_backend_is_given_up_after_its_time(proxy, backend):
    silent = backend(serve=lambda connection: connection.read_to_end())
    pound = proxy(silent, each=["TimeOut 1"])
    start = time.monotonic()
    assert pound.ask().status in (503, 504)
    assert 0.8 < time.monotonic() - start < 5


def test_a_lonely_silent_backend_is_not_said_to_be_replaced(proxy, backend):
    silent = backend(serve=lambda connection: connection.read_to_end())
    pound = proxy(silent, each=["TimeOut 1"])
    for _ in range(2):
        assert pound.ask().status in (503, 504)
    wait.until(lambda: pound.output().count("[E-BACKEND-TIMEOUT]") >= 2, "nothing is logged")
    assert "sent to another one" not in pound.output()
    assert pound.output().count("[E-BACKEND-TIMEOUT]") == 2, pound.output()


def test_a_silent_backend_is_named_when_the_request_goes_to_another_one(proxy, backend):
    silent, good = backend(serve=lambda connection: connection.read_to_end()), backend(name="good")
    pound = proxy(silent, good, each=["TimeOut 1"])
    # One of the first two gets there, with either balancer.
    wait.until(
        lambda: pound.ask().text == "good" and "sent to another one" in pound.output(), "it is never sent again"
    )
    line = next(line for line in pound.output().splitlines() if "sent to another one" in line)
    assert f"=> 127.0.0.1:{silent.port}: " in line, line


def test_a_backend_that_does_not_accept_is_given_up_after_its_time(proxy, backend, full_queue):
    good = backend(name="good")
    pound = proxy(full_queue(), good, each=["ConnTO 1", "Priority 5"])
    start = time.monotonic()
    assert {pound.ask().text for _ in range(10)} == {"good"}
    assert time.monotonic() - start < 6


def test_no_request_fails_while_one_backend_flaps(proxy, backend):
    steady, flapping = backend(name="steady"), backend(name="flapping")
    pound = proxy(steady, flapping, top=["Alive 1"])
    failures, count, stop = [], [0], threading.Event()

    def load():
        while not stop.is_set():
            try:
                answered = ask(pound.port)
                if answered.status != 200:
                    failures.append(answered)
            except Exception as problem:  # noqa: BLE001 (whatever it was, the request failed)
                failures.append(problem)
            count[0] += 1

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            flapping.stop()
            done = count[0]
            wait.until(lambda: count[0] > done + 50, "the load stands still")
            flapping.start()
            hits = flapping.hits
            wait.until(lambda: flapping.hits > hits, "the back-end is not back", within=5)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert failures == []
