"""Back-ends that are restarted, that accept and give no answer, that hang: who is left out, for how long, what it costs."""

import socket
import threading
import time

import pytest

from peers import wait
from peers.backend import answer
from peers.http import ask


class Load:
    """Clients that ask without a pause until the block ends; `failures` has what was no 200."""

    def __init__(self, pound, clients=4, **request):
        self.failures, self.count, self.stop = [], 0, threading.Event()
        self.pound, self.request = pound, request
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self):
        while not self.stop.is_set():
            try:
                answered = ask(self.pound.port, **self.request)
                if answered.status != 200:
                    self.failures.append(answered.status)
            except Exception as problem:  # noqa: BLE001 (whatever it was, the request failed)
                self.failures.append(problem)
            self.count += 1

    def more(self, number):
        """Waits until so many more requests have been answered."""
        done = self.count
        wait.until(lambda: self.count >= done + number, "the load stands still", within=30)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


def resets(connection):
    """Reads a request and resets the connection."""
    if connection.read_request():
        connection.reset()


def hangs(connection):
    """Accepts, reads, and never says a word."""
    connection.read_to_end()


def said(pound):
    """The log once nothing more is on its way: what waits is written within a twentieth of a second."""
    before, after = None, pound.output()
    while before != after:
        time.sleep(0.2)
        before, after = after, pound.output()
    return after


# -- restarts


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_single_backend_that_was_restarted_is_back_with_the_next_request(proxy, backend, open_home, kind):
    origin = backend(path=open_home / "socket") if kind == "unix" else backend()
    pound = proxy(origin, top=["Alive 30"])
    assert pound.ask().status == 200
    origin.stop()
    if kind == "unix":
        (open_home / "socket").unlink()
    # So many refusals that probes are seconds apart.
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert pound.ask().status == 503
    origin.start()
    start = time.monotonic()
    wait.until(lambda: pound.ask().status == 200, "the back-end is not back", within=10, every=0.02)
    assert time.monotonic() - start < 1
    pound.wait_for_log("is back after")


def test_two_instances_restarted_one_after_the_other_fail_no_request(proxy, backend):
    one, two = backend(name="one"), backend(name="two")
    pound = proxy(one, two, top=["Alive 30"])
    with Load(pound) as load:
        load.more(20)
        for instance in (one, two, one, two):
            instance.stop()
            load.more(20)
            instance.start()
            # Nobody waits until pound has noticed.
        load.more(20)
    assert load.failures == []


def test_a_dead_backend_is_back_long_before_alive(proxy, backend):
    good, dead = backend(name="good"), backend(name="dead")
    pound = proxy(good, dead, top=["Alive 60"])
    dead.stop()
    assert {pound.ask().text for _ in range(20)} == {"good"}
    dead.start()
    wait.until(lambda: pound.ask().text == "dead", "the back-end is not back", within=10)


def test_503_at_once_when_none_can_be_reached(proxy, full_queue):
    """Those that do not even refuse are not tried by requests: each would wait for ConnTO."""
    pound = proxy(full_queue(), full_queue(), top=["Alive 30"], each=["ConnTO 1"])
    assert pound.ask().status == 503
    start = time.monotonic()
    with Load(pound, clients=8) as load:
        load.more(100)
    assert set(load.failures) == {503}
    # One request alone would wait for two seconds.
    assert time.monotonic() - start < 5


# -- no answers


def test_a_backend_that_resets_costs_few_posts(proxy, backend):
    good, bad = backend(name="good"), backend(serve=resets)
    pound = proxy(good, bad, top=["Balancer iwrr"])
    with Load(pound, method="POST", body=b"order") as load:
        load.more(1000)
    # Three in a row, those that were there at the same time, and single trials.
    assert len(load.failures) <= 10 and set(load.failures) <= {502}, load.failures
    pound.wait_for_log("is left out: it gave no answer to 3 requests in a row (MaxFails)")


def test_a_backend_that_was_left_out_gets_its_share_again(proxy, backend):
    good, bad = backend(name="good"), backend(lambda *_: None, name="bad")
    pound = proxy(good, bad, top=["Balancer iwrr", "Alive 1"])
    wait.until(lambda: pound.ask().status == 200 and "is left out" in pound.output(), "it is not left out")
    hits = bad.hits
    assert {pound.ask().text for _ in range(20)} == {"good"}
    assert bad.hits <= hits + 2, "more than single requests try it"
    bad.reply = answer("bad")
    wait.until(
        lambda: pound.ask().status == 200 and "answers again and gets its share" in pound.output(),
        "it stays out",
        within=20,
    )
    texts = [pound.ask().text for _ in range(20)]
    assert texts.count("bad") == 10


def test_the_last_one_is_never_left_out(proxy, backend):
    """Whatever it does: one that fails half of the requests is better than none."""
    origin = backend(lambda request, _: None if request.target == "/bad" else answer("fine"))
    pound = proxy(origin)
    for _ in range(10):
        assert pound.ask("/bad", method="POST", body=b"x").status == 502
    assert pound.ask().text == "fine"
    assert "left out" not in said(pound)


def test_half_of_a_group_at_most_is_left_out(proxy, backend):
    bad = [backend(serve=resets) for _ in range(4)]
    pound = proxy(*bad, top=["Balancer iwrr"])
    for _ in range(40):
        assert pound.ask(method="POST", body=b"x").status == 502
    wait.until(lambda: pound.output().count("is left out") == 2, lambda: pound.output())


def test_failures_with_answers_in_between_leave_nobody_out(proxy, backend):
    """A client whose request makes the application close cannot take it from the others."""

    def reply(request, _):
        return None if request.target == "/crash" else answer("fine")

    pound = proxy(backend(reply), backend(reply), top=["Balancer iwrr"])
    for _ in range(10):
        for target, status in (("/crash", 502), ("/crash", 502), ("/", 200), ("/", 200)):
            assert pound.ask(target, method="POST", body=b"x").status == status
    assert "left out" not in said(pound)


def test_what_a_client_breaks_off_counts_for_nothing(proxy, backend, client):
    slow = [backend(serve=hangs), backend(serve=hangs)]
    pound = proxy(*slow, top=["Balancer iwrr"])
    for number in range(1, 13):
        connection = client(pound)
        connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        wait.until(lambda: sum(one.accepted for one in slow) == number, "the request does not arrive")
        connection.reset()
    wait.until(lambda: not pound.clients(), "the clients are still held")
    assert "left out" not in said(pound)


def test_malformed_answers_leave_nobody_out(proxy, backend):
    """What an answer looks like may hang on what a client asks for."""
    bad = [backend(b"HTTP/1.1 200 OK\r\nBad Field: x\r\n\r\n") for _ in range(2)]
    pound = proxy(*bad, top=["Balancer iwrr"])
    for _ in range(12):
        assert pound.ask().status == 502
    assert "left out" not in said(pound)


@pytest.mark.parametrize("where", ["top", "each"])
def test_maxfails_0_leaves_nobody_out(proxy, backend, where):
    good, bad = backend(name="good"), backend(serve=resets)
    pound = proxy(good, bad, **{where: ["MaxFails 0"]}, service=["Balancer iwrr"])
    statuses = [pound.ask(method="POST", body=b"x").status for _ in range(20)]
    assert statuses.count(502) == 10
    assert "left out" not in said(pound)


def test_a_get_that_meets_silence_is_sent_to_another_one(proxy, backend):
    good, hung = backend(name="good"), backend(serve=hangs)
    pound = proxy(good, hung, top=["Balancer iwrr"], each=["TimeOut 1"])
    with Load(pound, clients=8) as load:
        wait.until(lambda: "is left out" in pound.output(), "it is not left out", within=20)
        load.more(200)
    assert load.failures == []


def test_a_backend_that_hangs_gets_no_new_requests_before_its_time_is_over(proxy, backend, client):
    good, hung = backend(name="good"), backend(serve=hangs)
    pound = proxy(good, hung, top=["Balancer iwrr"], each=["TimeOut 60"])
    waiting = []
    while hung.accepted < 4:
        waiting.append(client(pound))
        waiting[-1].send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        wait.until(lambda: good.hits + hung.accepted == len(waiting), "the request does not arrive")
    pound.wait_for_log("seems to hang: 4 requests wait")
    assert {pound.ask(method="POST", body=b"x").text for _ in range(20)} == {"good"}
    assert hung.accepted == 4


def test_silence_of_all_is_a_504_after_two_of_them(proxy, backend):
    silent = [backend(serve=hangs) for _ in range(4)]
    pound = proxy(*silent, each=["TimeOut 1"])
    start = time.monotonic()
    assert pound.ask().status == 504
    assert 1.8 < time.monotonic() - start < 6
    assert sum(one.accepted for one in silent) == 2


def test_a_post_that_meets_silence_is_sent_once(proxy, backend):
    silent = [backend(serve=hangs) for _ in range(2)]
    pound = proxy(*silent, each=["TimeOut 1"])
    assert pound.ask(method="POST", body=b"x").status == 504
    assert sum(one.accepted for one in silent) == 1


# -- idle connections


def impatient(seconds, fields=""):
    """Answers, and closes when nothing has come for `seconds`."""

    def serve(connection):
        while True:
            request = connection.read_request()
            if request is None:
                return
            connection.send(answer("fine", fields=fields))
            connection.sock.settimeout(seconds)
            try:
                if not connection.sock.recv(1, socket.MSG_PEEK):
                    return
            except TimeoutError:
                return
            connection.sock.settimeout(20)

    return serve


def test_posts_timed_at_the_end_of_a_servers_patience_do_not_fail(proxy, backend):
    origin = backend(serve=impatient(0.3))
    pound = proxy(origin)
    # It has been seen to close: from then on a request that cannot be sent again takes no chances.
    assert pound.ask().status == 200
    wait.until(lambda: not [c for c in pound.connections() if c[1] == origin.port], "it is not noticed", 5)
    failures, lock = [], threading.Lock()

    def post(number):
        # From 0.29 s to 0.31 s after the last one.
        for step in range(8):
            status = pound.ask(method="POST", body=b"x").status
            if status != 200:
                with lock:
                    failures.append(status)
            time.sleep(0.29 + (number * 8 + step) % 20 / 1000)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_post_takes_no_connection_that_was_idle_for_a_second(proxy, backend):
    origin = backend()
    pound = proxy(origin, top=["Workers 1"])
    assert pound.ask().status == 200
    time.sleep(1.1)
    assert pound.ask(method="POST", body=b"x").status == 200
    assert origin.accepted == 2
    wait.until(
        lambda: pound.ask(method="POST", body=b"x").status == 200 and origin.hits > origin.accepted,
        "one that was just used is as good as a new one",
    )


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_server_that_says_how_long_it_waits_is_believed(proxy, backend, version):
    """`Keep-Alive: timeout=1` means that a connection is not used for as long as that."""
    fields = "Keep-Alive: timeout=1, max=9\r\nConnection: keep-alive\r\n"
    reply = answer("fine", fields=fields).replace(b"HTTP/1.1", f"HTTP/{version}".encode())
    origin = backend(reply)
    pound = proxy(origin, top=["Workers 1"])
    assert pound.ask().status == 200
    wait.until(lambda: pound.ask().status == 200 and origin.hits > origin.accepted, "none is used again")
    accepted = origin.accepted
    time.sleep(0.8)
    assert pound.ask().status == 200
    assert origin.accepted == accepted + 1


# -- what the log says


def test_nobody_alive_is_said_once_with_all_that_helps(proxy, backend):
    one, two = backend(), backend()
    pound = proxy(one, two, top=["Alive 30"])
    one.stop()
    two.stop()
    for _ in range(100):
        assert pound.ask().status == 503
    pound.wait_for_log("[E-NO-BACKEND]")
    lines = [line for line in pound.lines() if "[E-NO-BACKEND]" in line]
    assert 1 <= len(lines) <= 3, lines
    for peer in (one, two):
        assert f"127.0.0.1:{peer.port} dead for " in lines[0]
    assert "next probe in " in lines[0] or "being probed" in lines[0]
    wait.until(lambda: sum("is dead" in line for line in pound.lines()) == 2, lambda: pound.output())
    wait.until(
        lambda: sum(" 503 " in f"{line} " and "[E-" not in line for line in pound.lines()) == 100,
        lambda: f"each request has its own line\n{pound.output()}",
    )
    one.start()
    pound.wait_for_log("more requests to ", within=15)
    said = pound.wait_for_log("were answered by 503 meanwhile")
    assert int(said.split("more requests")[0].split()[-1]) >= 90


def test_an_error_of_ours_is_told_from_one_of_the_backends(proxy, backend):
    def reply(request, _):
        return None if request.target == "/ours" else answer("broken", status="502 Bad Gateway")

    pound = proxy(backend(reply), top=['LogFormat "mine" "line %U %{fault}N"', "LogLevel mine"])
    for target in ("/ours", "/theirs"):
        assert pound.ask(target, method="POST", body=b"x").status == 502
    assert pound.wait_for_log("line /ours").endswith("line /ours E-BACKEND-SILENT")
    assert pound.wait_for_log("line /theirs").endswith("line /theirs -")


def test_a_backend_that_never_answers_the_handshake_is_dead_until_it_does(proxy, backend):
    """A probe goes through the handshake too: that the port takes connections says nothing."""
    pound = proxy(backend(serve=hangs), top=["Alive 30"], each=["HTTPS", "Verify no", "ConnTO 1"])
    wait.until(lambda: pound.ask().status == 503 and "is dead" in pound.output(), "it is not found dead", 20)
    start = time.monotonic()
    # Through the first probes.
    while time.monotonic() < start + 2:
        asked = time.monotonic()
        assert pound.ask().status == 503
        assert time.monotonic() - asked < 0.8, "a request waits for it"
    assert "is back" not in said(pound)
