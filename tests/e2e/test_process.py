"""The process: options, start and stop, signals, privileges, what it says when it cannot start."""

import grp
import os
import pwd
import resource
import signal
import socket
import ssl
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait
from peers.backend import answer
from peers.http import Client, ask
from peers.tls import Authority, TlsClient, context


def simple(port, origin=9, *top):
    return cfg.text(top, cfg.listen(port, cfg.service(cfg.backend(origin))))


@pytest.fixture
def gated(backend):
    """A back-end that says when a request has come and answers when it is told to."""
    arrived, go = threading.Event(), threading.Event()

    def reply(*_):
        arrived.set()
        go.wait(30)
        return answer("finished")

    origin = backend(reply)
    origin.arrived, origin.go = arrived, go
    yield origin
    go.set()


# -- options


def test_version_and_help():
    version = process.run("-V")
    assert (version.returncode, "pound" in version.stdout.lower()) == (0, True)
    help_text = process.run("-h")
    assert help_text.returncode == 0
    for option in ("-c", "-e", "-F", "-f", "-p", "-v", "-V", "-h", "-W"):
        assert option in help_text.stdout, option


def test_an_unknown_option_is_refused_by_name():
    refused = process.run("--frobnicate")
    assert refused.returncode != 0
    assert "frobnicate" in refused.stderr


def test_check_accepts_a_good_file_and_starts_nothing(tmp_path):
    port = wait.free_port()
    checked = process.check(simple(port), tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert not wait.listens(port)


def test_a_missing_file_is_named(tmp_path):
    refused = process.run("-c", "-f", tmp_path / "none.cfg")
    assert refused.returncode == 1
    assert "none.cfg" in refused.stderr


# -- starting


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        wait.bind_free_port(taken)
        taken.listen()
        port = taken.getsockname()[1]
        refused = process.run("-e", "-f", process.write(simple(port), tmp_path))
    assert refused.returncode == 1
    assert str(port) in refused.stderr and "in use" in refused.stderr, refused.stderr
    assert "panicked" not in refused.stderr


@pytest.mark.parametrize("line, name", [('User "nobody-like-this"', "nobody-like-this"), ('Group "no-group"', "no-group")])
def test_an_unknown_user_or_group_is_named(tmp_path, line, name):
    port = wait.free_port()
    refused = process.run("-e", "-f", process.write(simple(port, 9, line), tmp_path))
    assert refused.returncode == 1
    assert name in refused.stderr


def test_runs_in_the_background_with_a_pid_file(tmp_path, backend):
    port, origin, pid_file = wait.free_port(), backend(), tmp_path / "pound.pid"
    file = process.write(simple(port, origin), tmp_path)
    started = process.run("-f", file, "-p", pid_file)
    assert started.returncode == 0, started.stderr
    pid = int(pid_file.read_text())
    try:
        assert ask(port).status == 200, "it must listen when the starting command returns"
        assert os.getsid(pid) != os.getsid(0)
        for descriptor in (0, 1, 2):
            assert os.readlink(f"/proc/{pid}/fd/{descriptor}") == "/dev/null"
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
    finally:
        os.kill(pid, signal.SIGTERM)
    wait.until(lambda: not _alive(pid), "it did not stop", within=10)
    assert not pid_file.exists()
    assert not wait.listens(port)


def _alive(pid):
    """Whether the process runs; a zombie nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_supervisor_replaces_a_worker_that_dies(tmp_path, backend):
    port, origin, pid_file = wait.free_port(), backend(), tmp_path / "pound.pid"
    file = process.write(simple(port, origin), tmp_path)
    assert process.run("-f", file, "-p", pid_file).returncode == 0
    supervisor = int(pid_file.read_text())
    try:
        (worker,) = children(supervisor)
        os.kill(worker, signal.SIGKILL)
        wait.until(lambda: _answers(port), "nobody serves any more", within=10)
        assert children(supervisor) not in ([worker], [])
        assert int(pid_file.read_text()) == supervisor
    finally:
        os.kill(supervisor, signal.SIGTERM)
    wait.until(lambda: not _alive(supervisor), "it did not stop", within=10)
    assert not wait.listens(port)


@pytest.fixture
def daemon(tmp_path):
    """Starts a daemon from lines of a configuration; ends all that came of it."""
    started = []

    def start(*lines):
        pid_file, log = tmp_path / "daemon.pid", tmp_path / "daemon.log"
        text = cfg.text(f'LogFile "{log}"', *lines)
        begun = process.run("-f", process.write(text, tmp_path), "-p", pid_file)
        assert begun.returncode == 0, begun.stderr
        daemon = Daemon(int(pid_file.read_text()), log)
        started.append(daemon)
        return daemon

    yield start
    for daemon in started:
        if _alive(daemon.supervisor):
            os.kill(daemon.supervisor, signal.SIGTERM)
        wait.until(lambda: not _alive(daemon.supervisor), daemon.output, within=20)


# How a client hears that TLS is refused.
ENDS = (ssl.SSLError, ConnectionError, EOFError)


class Daemon:
    def __init__(self, supervisor, log):
        self.supervisor = supervisor
        self.log = log

    def output(self):
        return self.log.read_text()

    def wait_for_log(self, text, times=1):
        wait.until(lambda: self.output().count(text) >= times, self.output, within=30)

    def kill_server(self):
        (server,) = children(self.supervisor)
        os.kill(server, signal.SIGKILL)
        wait.until(lambda: server not in children(self.supervisor), self.output)


def put(path, content):
    """Replaces a file in one step."""
    new = path.with_suffix(".new")
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.replace(new, path)


def statuses(port, count=30, **more):
    """What the first requests get, each on a connection of its own; those that come too early wait in the queue."""
    return {ask(port, **more).status for _ in range(count)}


@pytest.mark.parametrize(
    ("condition", "before", "after", "broken"),
    [
        ('Host -filewatch "{file}"', "other.example\n", "other.example\n127.0.0.1\n", "\u201c127.0.0.1\u201d\n"),
        ('Path -beg -filewatch "{file}"', "/other\n", "/\n", ""),
        ('ACL -filewatch "{file}"', "192.0.2.1\n", "127.0.0.0/8\n", "127.0.0.\n"),
    ],
)
def test_a_server_that_is_started_anew_denies_what_the_last_one_denied(daemon, tmp_path, condition, before, after, broken):
    port, file = wait.free_port(), tmp_path / "denied"
    file.write_text(before)
    denied = cfg.service(condition.format(file=file), "Error 403")
    running = daemon(cfg.listen(port, denied, cfg.service("Success")))
    host = {"host": "127.0.0.1"}
    assert ask(port, **host).status == 200
    put(file, after)
    wait.until(lambda: ask(port, **host).status == 403, running.output, within=20)
    running.kill_server()
    assert statuses(port, **host) == {403}
    # What cannot be read now has nothing to go on with: nobody is served, until it is right again.
    tries = 0
    for spoil in (lambda: put(file, broken), file.unlink):
        spoil()
        running.wait_for_log("the old list goes on", times=tries + 1)
        running.kill_server()
        tries += 1
        running.wait_for_log("is not started again", times=tries)
        with socket.create_connection(("127.0.0.1", port), timeout=2.5) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            with pytest.raises(TimeoutError):
                client.recv(1)
            assert children(running.supervisor) == []
            put(file, after)
            client.settimeout(30)
            assert client.recv(100).startswith(b"HTTP/1.1 403 "), "clients who wait are served by the list of now"
        assert statuses(port, **host) == {403}


def test_the_supervisor_can_be_stopped_while_a_list_keeps_it_from_starting_a_server(daemon, tmp_path):
    port, file = wait.free_port(), tmp_path / "denied"
    file.write_text("evil.example\n")
    running = daemon(cfg.listen(port, cfg.service(f'Host -filewatch "{file}"', "Error 403"), cfg.service("Success")))
    file.unlink()
    running.kill_server()
    running.wait_for_log("is not started again")
    os.kill(running.supervisor, signal.SIGTERM)
    wait.until(lambda: not _alive(running.supervisor), running.output, within=20)
    assert not wait.listens(port)


@pytest.mark.root
def test_a_list_outside_of_the_jail_is_read_before_a_server_is_started_anew(daemon, tmp_path, open_home):
    port, file = wait.free_port(), tmp_path / "denied"
    file.write_text("other.example\n")
    denied = cfg.service(f'Host -filewatch "{file}"', "Error 403")
    running = daemon(
        *(f'RootJail "{open_home}"', 'User "nobody"', 'Group "nogroup"'),
        cfg.listen(port, denied, cfg.service("Success")),
    )
    file.write_text("127.0.0.1\n")
    file.chmod(0o600)
    running.kill_server()
    assert statuses(port, host="127.0.0.1") == {403}


def test_a_server_that_is_started_anew_refuses_whom_the_last_one_refused(daemon, tmp_path):
    people, authority = Authority(tmp_path / "people", "People"), Authority(tmp_path / "authority")
    bob, good = (people.issue(subject=f"/CN={name}", usage="clientAuth") for name in ("Bob", "Good"))
    port, certificate, lists = wait.free_port(), authority.issue("localhost"), people.revoked(tmp_path)
    running = daemon(
        cfg.listen_tls(
            port,
            f'Cert "{certificate}"',
            "ClientCert 2 2",
            f'VerifyList "{people.certificate}"',
            f'CRLlist "{lists}"',
            cfg.service("Success"),
        )
    )

    def comes_in(person):
        try:
            with closing(TlsClient(port, wanted=context(certificate=person))) as client:
                return client.ask().status == 200
        except ENDS:
            return False

    assert comes_in(bob)
    people.revoke(bob)
    people.revoked(tmp_path)
    wait.until(lambda: not comes_in(bob), running.output, within=20)
    running.kill_server()
    assert not any(comes_in(bob) for _ in range(20))
    assert comes_in(good)
    right = lists.read_bytes()
    put(lists, b"nonsense\n")
    running.wait_for_log("the old content stays")
    running.kill_server()
    running.wait_for_log("is not started again")
    put(lists, right)
    wait.until(lambda: comes_in(good), running.output, within=20)
    assert not comes_in(bob)
    # A certificate is no guard: the old one goes on, and the log says so.
    put(certificate, b"nonsense\n")
    running.wait_for_log("the old one stays")
    running.kill_server()
    assert comes_in(good)
    running.wait_for_log("may be older than the last in use")


def children(pid):
    """The processes that `pid` has started."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += Path(f"/proc/{pid}/task/{task}/children").read_text().split()
    return [int(child) for child in found]


def test_the_command_line_overrides_the_pid_file(pound, tmp_path):
    port, written, ignored = wait.free_port(), tmp_path / "a.pid", tmp_path / "b.pid"
    started = pound(simple(port, 9, f'PIDFile "{ignored}"'), port, options=("-e", "-p", written))
    # It serves before it has written that down.
    wait.until(lambda: written.exists() and written.read_text(), "the pid file is empty or not there")
    assert int(written.read_text()) == started.pid
    assert not ignored.exists()


def test_starting_from_a_daemon_reports_errors_to_the_terminal(tmp_path):
    with socket.socket() as taken:
        wait.bind_free_port(taken)
        taken.listen()
        file = process.write(simple(taken.getsockname()[1]), tmp_path)
        refused = process.run("-f", file, "-p", tmp_path / "pid")
    assert refused.returncode == 1
    assert "in use" in refused.stderr
    assert not (tmp_path / "pid").exists()


def test_foreground_writes_nothing_to_stdout_by_itself(pound, tmp_path, backend):
    port = wait.free_port()
    started = pound(simple(port, backend(), "LogLevel 0"), port)
    assert started.ask().status == 200
    assert [line for line in started.lines() if "GET" in line] == []


def test_whoever_can_connect_is_served_from_the_first_moment(tmp_path):
    """No connection is taken by a socket that is closed again while pound starts."""
    for number in range(20):
        port = wait.free_port()
        home = tmp_path / str(number)
        home.mkdir()
        started = process.Pound(cfg.text("Workers 4", cfg.listen(port, cfg.service("Success"))), home, port, wait_until_ready=False)
        try:
            with wait.until(lambda port=port: _connected(port), "it does not listen", every=0) as connection:
                assert connection.ask().status == 200, f"start {number}"
        finally:
            started.stop()


def _connected(port):
    try:
        return Client(port)
    except OSError:
        return None


def test_resolves_host_names_and_listens_on_ipv6(pound, backend):
    port = wait.free_port("::1")
    text = cfg.text(
        cfg.block(
            "ListenHTTP",
            "Address ::1",
            f"Port {port}",
            cfg.service(cfg.block("Backend", "Address localhost", f"Port {backend().port}")),
        )
    )
    file_port = wait.free_port()
    text += cfg.text(cfg.listen(file_port, cfg.service("Success"), address="localhost"))
    started = pound(text, file_port)
    assert started.ask().status == 200
    with Client(port, host="::1") as connection:
        assert connection.ask().text == "backend"


def test_takes_a_listener_from_another_process(pound, tmp_path, backend):
    """SocketFrom: whoever listens on that unix socket hands over a listening socket."""
    with socket.socket() as listening, socket.socket(socket.AF_UNIX) as giver:
        wait.bind_free_port(listening)
        listening.listen()
        port = listening.getsockname()[1]
        path = str(tmp_path / "from")
        giver.bind(path)
        giver.listen()

        def give():
            connection, _ = giver.accept()
            with connection:
                socket.send_fds(connection, [b"\0"], [listening.fileno()])

        threading.Thread(target=give, daemon=True).start()
        text = cfg.text(cfg.block("ListenHTTP", f'SocketFrom "{path}"', cfg.service(cfg.backend(backend()))))
        assert pound(text, port).ask().text == "backend"


# -- stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_after_the_requests_in_flight(proxy, gated, client, number):
    pound = proxy(gated)
    idle, busy = client(pound), client(pound)
    busy.send_request()
    assert gated.arrived.wait(10)
    pound.signal(number)
    wait.until(lambda: not wait.listens(pound.port), "it still takes connections")
    assert idle.has_ended_within(5), "an idle connection must not hold it up"
    assert pound.running()
    gated.go.set()
    answered = busy.read_answer()
    assert answered.text == "finished"
    assert busy.at_end()
    assert pound.exit_status() == 0


def test_finishes_a_download_after_term(proxy, backend, client):
    body = b"0123456789abcdef" * 500_000
    pound = proxy(backend(answer(body)))
    connection = client(pound)
    connection.send_request()
    head = connection.read_answer_head()
    pound.signal(signal.SIGTERM)
    wait.until(lambda: not wait.listens(pound.port), "it still takes connections")
    assert connection.read_answer_body(head).body == body
    assert pound.exit_status() == 0


def test_does_not_wait_longer_than_grace(proxy, gated, client):
    pound = proxy(gated, top=["Grace 1"])
    connection = client(pound)
    connection.send_request()
    assert gated.arrived.wait(10)
    pound.signal(signal.SIGTERM)
    assert pound.exit_status(within=8) == 0


def test_stops_at_once_when_nothing_is_in_flight(proxy, backend, client):
    pound = proxy(backend(), top=["Grace 30"])
    client(pound).ask()
    pound.signal(signal.SIGTERM)
    assert pound.exit_status(within=5) == 0


def keep_asking(connect, pause, stopped, outcome):
    """Asks again and again on one connection, until an answer says that it ends; `outcome` gets what went wrong, or None."""
    try:
        with connect() as connection:
            while True:
                if connection.ask().fields.tokens("Connection") == ["close"]:
                    return outcome.append(None if stopped.is_set() else "told of an end before the stop")
                time.sleep(pause)
    except Exception as error:  # noqa: BLE001 (whatever it is, a request was lost)
        outcome.append(f"every {pause:.1f} s: {error!r}")


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_stop_loses_no_request_of_those_who_keep_their_connections(proxy, tls_proxy, backend, kind):
    """Twenty-four clients that ask every 0.1 to 3 s, and repeat nothing: each is told of the end by an answer."""
    origin = backend()
    pound = proxy(origin) if kind == "tcp" else tls_proxy(origin)
    connect = (lambda: Client(pound.port)) if kind == "tcp" else (lambda: TlsClient(pound.port))
    stopped, outcome = threading.Event(), []
    pauses = [0.1 + 2.9 * number / 23 for number in range(24)]
    crowd = [threading.Thread(target=keep_asking, args=(connect, pause, stopped, outcome), daemon=True) for pause in pauses]
    for one in crowd:
        one.start()
    wait.until(lambda: origin.hits > 60, "nobody asks")
    stopped.set()
    pound.signal(signal.SIGTERM)
    assert pound.exit_status(within=15) == 0
    for one in crowd:
        one.join(10)
    assert outcome == [None] * 24


@pytest.mark.parametrize("lines, least, most", [(["GraceIdle 0"], 0, 3), (["GraceIdle 2"], 1, 8), (["GraceIdle 20", "Client 2"], 1, 8), (["GraceIdle 20", "Grace 2"], 1, 8)])
def test_an_idle_connection_is_kept_as_long_as_the_file_says(proxy, backend, client, lines, least, most):
    pound = proxy(backend(), top=lines)
    connection = client(pound)
    connection.ask()
    start = time.monotonic()
    pound.signal(signal.SIGTERM)
    assert pound.exit_status(within=15) == 0
    assert least < time.monotonic() - start < most


def test_hup_is_logged_and_changes_nothing(proxy, backend, client):
    pound = proxy(backend())
    connection = client(pound)
    connection.ask()
    before = len(pound.lines())
    pound.signal(signal.SIGHUP)
    wait.until(lambda: len(pound.lines()) > before, "nothing was logged")
    assert connection.ask().status == 200
    assert pound.ask().status == 200


def test_hup_stops_gracefully_when_told_so(proxy, gated, client):
    pound = proxy(gated, options=("-e", "-W", "sighup=stop"))
    connection = client(pound)
    connection.send_request()
    assert gated.arrived.wait(10)
    pound.signal(signal.SIGHUP)
    wait.until(lambda: not wait.listens(pound.port), "it still takes connections")
    gated.go.set()
    assert connection.read_answer().text == "finished"
    assert pound.exit_status() == 0


def test_a_broken_pipe_does_not_kill_it(proxy, backend):
    pound = proxy(backend(answer(b"x" * 5_000_000)))
    for _ in range(20):
        connection = Client(pound.port)
        connection.send_request()
        connection.reset()
    assert pound.ask().status == 200


# -- privileges


def status_of(pid):
    """The fields of /proc/PID/status of every thread, as sets of lists of words."""
    seen = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                seen.setdefault(name, set()).add(tuple(value.split()))
    return seen


@pytest.mark.root
def test_gives_up_its_rights_with_all_groups_in_every_thread(pound, backend, open_home):
    port, user, group = wait.free_port(), pwd.getpwnam("nobody"), grp.getgrnam("nogroup")
    text = simple(port, backend(), 'User "nobody"', 'Group "nogroup"', "Workers 2")
    started = pound(text, port, preexec_fn=lambda: os.setgroups([0, 4, 20]))
    status = status_of(started.pid)
    assert status["Uid"] == {(str(user.pw_uid),) * 4}
    assert status["Gid"] == {(str(group.gr_gid),) * 4}
    wanted = {str(number) for number in os.getgrouplist("nobody", group.gr_gid)}
    assert all(set(groups) <= wanted for groups in status["Groups"]), status["Groups"]
    for name in ("CapPrm", "CapEff", "CapAmb"):
        assert status[name] == {("0" * 16,)}, name
    assert started.ask().status == 200


@pytest.mark.root
def test_binds_low_ports_before_it_gives_up_its_rights(pound, backend):
    port = next(port for port in range(1023, 600, -1) if _bindable(port))
    started = pound(simple(port, backend(), 'User "nobody"', 'Group "nogroup"'), port)
    assert started.ask().status == 200
    assert status_of(started.pid)["Uid"] != {("0",) * 4}


def _bindable(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@pytest.mark.root
def test_lives_in_its_root_jail(pound, backend, open_home):
    (open_home / "www").mkdir()
    (open_home / "www/a.txt").write_text("from inside\n")
    port, origin = wait.free_port(), backend()
    text = cfg.text(
        f'RootJail "{open_home}"',
        'User "nobody"',
        'Group "nogroup"',
        cfg.listen(port, cfg.service('Path -beg "/files"', 'SetPath "/a.txt"', f'SendFile "{open_home}/www"'), cfg.service(cfg.backend(origin))),
    )
    started = pound(text, port)
    # The port is bound before the rights are given up; an answer comes after.
    assert started.ask().text == "backend"
    assert os.readlink(f"/proc/{started.pid}/root") == str(open_home)
    assert started.ask("/files").text == "from inside\n"


@pytest.mark.root
def test_what_a_jail_keeps_from_being_opened_again_is_warned_of(daemon, tmp_path, open_home):
    port, file, inside = wait.free_port(), tmp_path / "denied", open_home / "denied"
    file.write_text("evil.example\n")
    inside.write_text("evil.example\n")

    def lines(log, listed):
        denied = cfg.service(f'Host -filewatch "{listed}"', "Error 403")
        return [f'RootJail "{open_home}"', 'User "nobody"', cfg.listen(port, denied, cfg.service("Success"))], f'LogFile "{log}"'

    outside, log = lines(tmp_path / "pound.log", file)
    checked = process.check(cfg.text(log, outside), tmp_path)
    assert checked.returncode == 0
    assert f"LogFile {tmp_path / 'pound.log'} lies outside of RootJail" in checked.stderr
    assert "copytruncate" in checked.stderr
    assert f"{file} lies outside of RootJail" in checked.stderr
    within, log = lines(open_home / "pound.log", inside)
    assert "outside of RootJail" not in process.check(cfg.text(log, within), tmp_path).stderr
    # The fixture's log is outside.
    daemon(outside).wait_for_log("daemon.log lies outside of RootJail")


@pytest.mark.root
def test_the_pid_file_is_written_as_root_and_removed_at_the_end(pound, backend, tmp_path):
    port, pid_file = wait.free_port(), tmp_path / "run.pid"
    started = pound(simple(port, backend(), 'User "nobody"', f'PIDFile "{pid_file}"'), port)
    assert int(pid_file.read_text()) == started.pid
    assert pid_file.stat().st_mode & 0o022 == 0, "nobody else may write it"
    assert started.stop() == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_a_port_it_may_not_bind_is_named(tmp_path):
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 1:
        pytest.skip("every user may bind every port here")
    refused = process.run("-e", "-f", process.write(simple(1), tmp_path))
    assert refused.returncode == 1
    assert "1" in refused.stderr and "ermission" in refused.stderr


# -- descriptors


def test_a_storm_of_aborted_connections_leaks_nothing(proxy, backend):
    origin = backend()
    pound = proxy(origin, listener=["Client 5"])
    for number in range(300):
        connection = Client(pound.port)
        part = ("", "GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        connection.send(part[number % 4])
        connection.reset() if number % 2 else connection.close()
    wait.until(lambda: not pound.clients(), lambda: f"still held: {pound.clients()}", within=12)
    wait.until(pound.is_idle, "it is busy with nothing")
    assert pound.ask().status == 200
    # What is left are idle connections to the back-end; when it closes them, they go too.
    origin.stop()
    wait.until(lambda: not pound.connections(), lambda: f"still held: {pound.connections()}")


def test_running_out_of_descriptors_is_survived(pound, backend):
    port, origin = wait.free_port(), backend()
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))  # noqa: E731
    started = pound(simple(port, origin, "Workers 1"), port, preexec_fn=limit)
    crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
    wait.until(started.is_idle, "it spins while it can take no connection")
    for one in crowd:
        one.close()
    wait.until(lambda: _answers(port), "it did not recover", within=15)


def _answers(port):
    try:
        return ask(port).status == 200
    except (OSError, EOFError):
        return False
