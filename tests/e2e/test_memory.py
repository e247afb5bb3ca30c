"""How many clients there may be, how much memory they may take, and that it comes back when they have gone."""

import contextlib
import os
import resource
import selectors
import socket
import time
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer
from peers.http import Client, ask

MIB = 1 << 20


@pytest.fixture(autouse=True)
def descriptors():
    """Each client of a crowd takes one of ours."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Clients that all send the same and read nothing, from many addresses of loopback."""

    def __init__(self, port, count, sent):
        self.sockets, self.selector = [], selectors.DefaultSelector()
        self.port, self.sent = port, sent
        for number in range(count):
            self.add(number)

    def add(self, number):
        one = socket.socket()
        one.setblocking(False)
        # Little waits in the system for those who do not read.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Ports towards one address run out.
        with contextlib.suppress(BlockingIOError):
            one.connect((f"127.0.0.{1 + number % 8}", self.port))
        self.sockets.append(one)
        self.selector.register(one, selectors.EVENT_WRITE)

    def push(self, within=60, enough=None):
        """Sends what is to be sent by each that is connected; ends when all have, or when `enough` says so."""
        end = time.monotonic() + within
        while self.selector.get_map() and time.monotonic() < end and not (enough and enough()):
            for key, _ in self.selector.select(0.1):
                with contextlib.suppress(OSError):
                    key.fileobj.send(self.sent)
                self.selector.unregister(key.fileobj)

    def close(self):
        self.selector.close()
        for one in self.sockets:
            one.close()


@pytest.fixture
def crowd():
    started = []

    def start(*arguments, **more):
        started.append(Crowd(*arguments, **more))
        return started[-1]

    yield start
    for one in started:
        one.close()


def cgroup(name, limit):
    """A control group for a test, of this limit of memory; skips where none can be had."""
    for root, file in (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
        folder = Path(root) / name
        # Where only version 1 is there, the root of version 2 may be an ordinary folder.
        if not (Path(root) / "cgroup.procs").exists():
            continue
        try:
            folder.mkdir(exist_ok=True)
            (folder / file).write_text(str(limit))
            return folder
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
    return pytest.skip("no control group with a limit of memory can be made here")


def simple(port, origin, *top, listener=(), address="0.0.0.0", workers=2):
    return cfg.text(f"Workers {workers}", *top, cfg.listen(port, *listener, cfg.service(cfg.backend(origin)), address=address))


# -- how many


def empty(started):
    """Waits until those who looked whether it listens have been taken and have gone; they came before this one."""
    assert started.ask().status == 200
    wait.until(lambda: not started.clients(), "somebody is still there")


def test_more_clients_than_there_are_places_wait_and_are_served_in_their_turn(pound, backend):
    port = wait.free_port()
    started = pound(simple(port, backend(), "MaxConnections 3", "Client 60", "LogLevel 0", workers=1), port)
    empty(started)
    # They have begun a request, so they may not be closed for others.
    busy = [Client(port) for _ in range(3)]
    for one in busy:
        one.send("GET / HTTP/1.1\r\n")
    waiting = Client(port)
    waiting.send_request()
    line = started.wait_for_log("MaxConnections 3 is reached")
    assert "warning" in line and "wait" in line, line
    waiting.sock.settimeout(1)
    with pytest.raises(TimeoutError):
        waiting.read_answer()
    busy[0].close()
    waiting.sock.settimeout(30)
    assert waiting.read_answer().status == 200
    for one in busy[1:]:
        one.send("Host: a\r\n\r\n")
        assert one.read_answer().status == 200
        one.close()
    waiting.close()
    assert sum("MaxConnections" in line for line in started.lines()) <= 3


def test_who_idles_longest_goes_for_who_waits(pound, backend):
    port = wait.free_port()
    started = pound(simple(port, backend(), "MaxConnections 4", "Client 60", workers=1), port)
    empty(started)
    idle = [Client(port) for _ in range(4)]
    for one in idle:
        assert one.ask().status == 200
    with Client(port) as late:
        assert late.ask().status == 200
    closed = [one for one in idle if one.has_ended_within(0.2)]
    assert len(closed) == 1, "one place was needed"
    for one in idle:
        one.close()


def one_of_two_listeners_has_one_place(pound, origin):
    first, second = wait.free_port(), wait.free_port()
    text = cfg.text(
        "Workers 1",
        cfg.listen(first, "MaxConnections 1", "Client 60", cfg.service(cfg.backend(origin))),
        cfg.listen(second, "Client 60", cfg.service(cfg.backend(origin))),
    )
    started = pound(text, first)
    empty(started)
    return started, first, second


def test_a_full_listener_closes_nobodys_connection_to_another_one(pound, backend):
    started, first, second = one_of_two_listeners_has_one_place(pound, backend())
    with Client(second) as idle, Client(first) as busy, Client(first) as waiting:
        assert idle.ask().status == 200
        busy.send("GET / HTTP/1.1\r\n")
        waiting.send_request()
        started.wait_for_log("MaxConnections 1 of a listener is reached")
        # Longer than a client has to be idle to be closed for others.
        assert not idle.has_ended_within(3)
        assert idle.ask().status == 200


def test_a_listener_has_places_of_its_own(pound, backend):
    started, first, second = one_of_two_listeners_has_one_place(pound, backend())
    with Client(first) as busy, Client(first) as waiting:
        busy.send("GET / HTTP/1.1\r\n")
        waiting.send_request()
        started.wait_for_log("MaxConnections 1 of a listener is reached")
        for _ in range(3):
            assert ask(second).status == 200
        busy.close()
        assert waiting.read_answer().status == 200


def test_places_are_counted_right_after_many_clients(pound, backend):
    port = wait.free_port()
    started = pound(simple(port, backend(), "MaxConnections 5"), port)
    for number in range(400):
        connection = Client(port)
        connection.send(("", "GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "x\r\n\r\n")[number % 4])
        connection.reset() if number % 3 else connection.close()
    wait.until(lambda: not started.clients(), lambda: f"still held: {started.clients()}", within=20)
    with contextlib.ExitStack() as all_of_them:
        five = [all_of_them.enter_context(Client(port)) for _ in range(5)]
        assert [one.ask().status for one in five] == [200] * 5


# -- how much


def test_thousands_of_heads_that_drip_do_not_take_all_memory(pound, backend, crowd):
    port = wait.free_port()
    started = pound(simple(port, backend(), "MaxMemory 16m", "Client 120"), port)
    most = started.memory() + 16 * MIB
    assert started.stop() == 0
    started = pound(simple(port, backend(), f"MaxMemory {most // 1024}k", "Client 120", "LogLevel 0"), port)
    before = started.memory()
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Filler: 0123456789012345678901234567890123\r\n" * 32
    peak = 0

    def look():
        nonlocal peak
        peak = max(peak, started.memory())
        return False

    attack = crowd(port, 6000, head)
    attack.push(within=30, enough=look)
    started.wait_for_log("the memory for pound is used up", within=30)
    # Whoever sends a whole request is served, after those in the queue before them.
    answers = []
    for _ in range(5):
        with Client(port) as good:
            answers.append(good.ask().status)
        attack.push(within=0.2, enough=look)
    assert answers == [200] * 5
    assert peak < most, f"{before / MIB:.0f} MiB grew to {peak / MIB:.0f}, and {most / MIB:.0f} are allowed"
    assert started.running()
    attack.close()
    wait.until(lambda: not started.clients(), "clients that have gone are held", within=60)
    # It is over by itself.
    for _ in range(50):
        assert ask(port).status == 200


@pytest.mark.root
def test_in_a_small_container_it_keeps_below_what_the_kernel_would_kill_for(pound, backend, crowd):
    port = wait.free_port()
    limit = 64 * MIB
    group = cgroup(f"pound-test-{port}", limit)
    try:
        enter = lambda: (group / "cgroup.procs").write_text(str(os.getpid()))  # noqa: E731
        started = pound(simple(port, backend(), "Client 120", "LogLevel 0"), port, preexec_fn=enter)
        head = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Filler: 0123456789012345678901234567890123\r\n" * 32
        attack = crowd(port, 9000, head)
        attack.push(within=60)
        started.wait_for_log("(the cgroup)", within=60)
        for _ in range(5):
            with Client(port) as good:
                assert good.ask().status == 200
        assert started.memory() < limit
        attack.close()
        assert started.stop(within=30) == 0
    finally:
        wait.until(lambda: not (group / "cgroup.procs").read_text(), "the group has processes")
        group.rmdir()


@pytest.mark.xfail(reason="7.4 MiB become 11.5 to 12.2 in an optimised build, which is more than 1.5 times", strict=False)
def test_memory_comes_back_after_clients_that_never_read(pound, backend, crowd):
    port = wait.free_port()
    # More than the system takes for a client that reads nothing.
    large = answer(b"x" * 4_000_000)
    started = pound(simple(port, backend(large), "Client 10", "LogLevel 0"), port)
    assert started.ask().status == 200
    wait.until(started.is_idle, "it is busy with nothing")
    before = started.memory()
    attack = crowd(port, 1000, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    attack.push(within=60)
    wait.until(lambda: started.memory() > before + 10 * MIB, lambda: f"{started.memory() / MIB:.0f} MiB is no attack", within=30)
    attack.close()
    back = lambda: started.memory() <= 1.5 * before  # noqa: E731
    wait.until(back, lambda: f"{before / MIB:.1f} MiB became {started.memory() / MIB:.1f}", within=60)
    assert started.ask().status == 200


def test_thousands_of_refusals_at_once_cost_little(pound, backend, crowd):
    port, count = wait.free_port(), 8000
    started = pound(simple(port, backend(), "LogLevel 0", "LogFacility -"), port, options=("-F",))
    assert started.ask().status == 200
    wait.until(started.is_idle, "it is busy with nothing")
    before = peak = started.memory()

    def look():
        nonlocal peak
        peak = max(peak, started.memory())
        return False

    attack = crowd(port, count, b"no request\r\n\r\n")
    attack.push(within=60, enough=look)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        look()
    assert (peak - before) / count < 2500, f"{(peak - before) / count:.0f} bytes each"
    attack.close()


def test_a_budget_that_is_too_small_for_anything_still_serves(pound, backend):
    port = wait.free_port()
    # It takes about as much before the first client.
    started = pound(simple(port, backend(), "MaxMemory 16m"), port)
    with contextlib.ExitStack() as all_of_them:
        clients = [all_of_them.enter_context(Client(port)) for _ in range(10)]
        for _ in range(20):
            assert [one.ask().status for one in clients] == [200] * 10
