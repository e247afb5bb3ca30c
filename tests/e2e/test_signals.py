"""Signals: what each of them does to each process, and the log file that is opened again."""

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait
from peers.http import Client, ask

# What ends a process that says nothing about it, and should not end a server.
HARMLESS = [
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO),
    *(signal.SIGPWR, signal.SIGSTKFLT, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH),
    *(signal.SIGURG, signal.SIGCONT, signal.SIGTTIN, signal.SIGTTOU),
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
]


class Visits:
    """Asks all the time; each answer has to be a 200."""

    def __init__(self, port):
        self.port, self.answers, self.problems, self.going = port, 0, [], True
        self.thread = threading.Thread(target=self._go, daemon=True)
        self.thread.start()

    def _go(self):
        while self.going:
            try:
                with Client(self.port) as connection:
                    for _ in range(10):
                        status = connection.ask(f"/visit-{self.answers}").status
                        if status != 200:
                            self.problems.append(status)
                        self.answers += 1
            except (OSError, EOFError) as problem:
                self.problems.append(repr(problem))
                return

    def some_more(self):
        before = self.answers
        wait.until(lambda: self.answers >= before + 3 or self.problems, "nobody answers")
        assert not self.problems, self.problems

    def end(self):
        self.going = False
        self.thread.join(20)
        assert not self.problems, self.problems


def state(pid):
    """A letter of proc_pid_stat(5); nothing if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def send_all(pids, visits, numbers=HARMLESS):
    for pid in pids:
        for number in numbers:
            os.kill(pid, number)
        visits.some_more()
    for pid in pids:
        # It has taken what was sent, and neither ended nor stopped.
        wait.until(lambda: state(pid) in ("S", "R", "D"), lambda: f"process {pid} is {state(pid) or 'gone'}")
    visits.some_more()


@pytest.fixture
def daemon(tmp_path):
    """Starts a daemon; gives the ids of its processes and stops it in the end."""
    started = []

    def start(text, **more):
        pid_file = tmp_path / "pound.pid"
        file = process.write(text, tmp_path)
        run = process.run("-f", file, "-p", pid_file, **more)
        assert run.returncode == 0, run.stderr
        supervisor = int(wait.until(pid_file.read_text, "the pid file is empty"))
        started.append(supervisor)
        (worker,) = wait.until(lambda: children(supervisor), "there is no serving process")
        return supervisor, worker

    yield start
    for pid in started:
        if state(pid):
            os.kill(pid, signal.SIGTERM)
            wait.until(lambda: state(pid) in ("", "Z"), "it did not stop", within=20)


def simple(port, origin, *top):
    return cfg.text("Grace 2", *top, cfg.listen(port, cfg.service(cfg.backend(origin))))


@pytest.mark.parametrize("options", [("-e",), ("-F",)])
def test_no_signal_without_a_meaning_ends_a_server_in_the_foreground(pound, backend, options):
    port = wait.free_port()
    started = pound(simple(port, backend(), "LogFacility -"), port, options=options)
    visits = Visits(port)
    send_all([started.pid], visits)
    visits.end()
    assert started.running()


def test_no_signal_without_a_meaning_ends_a_daemon(daemon, backend, tmp_path):
    port = wait.free_port()
    both = daemon(simple(port, backend(), f'LogFile "{tmp_path}/log"'))
    visits = Visits(port)
    # A daemon has no terminal whose Ctrl-Z could stop it.
    send_all(both, visits, [*HARMLESS, signal.SIGTSTP])
    visits.end()
    assert children(both[0]) == [both[1]], "the same process serves"


@pytest.mark.root
def test_no_signal_without_a_meaning_ends_the_keeper_of_certificates(daemon, backend, authority, tmp_path):
    port, site = wait.free_port(), authority.issue("site.test", file=tmp_path / "site.pem")
    tls = cfg.listen_tls(wait.free_port(), f'Cert "{site}"', cfg.service("Success"))
    both = daemon(simple(port, backend(), 'User "nobody"', 'Group "nogroup"', f'LogFile "{tmp_path}/log"') + tls + "\n")
    (keeper,) = wait.until(lambda: children(both[1]), "there is no keeper")
    visits = Visits(port)
    stopping = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP]
    send_all([keeper], visits, [*HARMLESS, *stopping])
    visits.end()
    assert children(both[1]) == [keeper]


def test_signals_that_come_while_it_starts_do_not_end_it(tmp_path, backend):
    port, origin = wait.free_port(), backend()
    # Reading this takes a while.
    many = [cfg.service(f'Path -re "^/{number}/[a-z]+"', cfg.backend(origin)) for number in range(2000)]
    file = process.write(cfg.text(cfg.listen(port, *many, cfg.service(cfg.backend(origin)))), tmp_path)
    with open(tmp_path / "log", "wb") as log:
        started = subprocess.Popen([process.binary(), "-f", file, "-e"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def settled():
        status = Path(f"/proc/{started.pid}/status").read_text()
        ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
        blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
        return ignored >> (signal.SIGRTMAX - 1) & 1 and blocked >> (signal.SIGUSR1 - 1) & 1

    try:
        wait.until(settled, "signals are not seen to at the start", every=0)
        for number in HARMLESS:
            # HUP ends it as long as nothing has begun.
            if number != signal.SIGHUP:
                started.send_signal(number)
        assert not wait.listens(port), "the signals came after the start"
        wait.until(lambda: wait.listens(port), lambda: (tmp_path / "log").read_text(), within=60)
        assert ask(port).status == 200
    finally:
        started.terminate()
        assert started.wait(20) == 0, (tmp_path / "log").read_text()


def test_what_the_caller_ignores_or_blocks_changes_nothing(daemon, backend, tmp_path):
    def stubborn():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD})

    port = wait.free_port()
    supervisor, worker = daemon(simple(port, backend(), f'LogFile "{tmp_path}/log"'), preexec_fn=stubborn)
    os.kill(worker, signal.SIGKILL)
    # A supervisor that is not told of the death of its child never starts it again.
    wait.until(lambda: children(supervisor) not in ([], [worker]), "nobody serves any more", within=20)
    wait.until(lambda: wait.listens(port), "nobody listens")
    assert ask(port).status == 200
    os.kill(supervisor, signal.SIGTERM)
    wait.until(lambda: state(supervisor) in ("", "Z"), "TERM does not reach it", within=20)


# -- the log file


def numbers(*files):
    """The visits that the log lines tell of."""
    lines = "".join(file.read_text() for file in files if file.exists()).splitlines()
    return [int(line.partition("/visit-")[2].split()[0]) for line in lines if "/visit-" in line]


def rotate(pid, log, visits, times=5):
    moved = []
    for number in range(times):
        old = log.with_name(f"log.{number}")
        log.rename(old)
        moved.append(old)
        # What comes between the move and the signal goes to the old file.
        visits.some_more()
        os.kill(pid, signal.SIGUSR1)
        wait.until(lambda: log.exists() and "/visit-" in log.read_text(), "the log was not opened again", within=20)
    return moved


def test_a_log_that_is_moved_away_loses_no_line(pound, backend, tmp_path):
    port, log = wait.free_port(), tmp_path / "log"
    started = pound(simple(port, backend(), f'LogFile "{log}"', "LogLevel 1"), port, options=("-F",))
    visits = Visits(port)
    moved = rotate(started.pid, log, visits)
    visits.end()
    assert started.stop() == 0
    assert sorted(numbers(*moved, log)) == list(range(visits.answers))
    assert f"USR1: {log} was opened again" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o640
    assert started.output() == "", "all lines go to the file"


@pytest.mark.root
def test_a_daemon_that_gave_up_its_rights_opens_its_log_again(daemon, backend, open_home):
    # Root alone may make files in there, as in /var/log.
    folder = open_home / "log"
    folder.mkdir(mode=0o755)
    port, log = wait.free_port(), folder / "log"
    both = daemon(simple(port, backend(), f'LogFile "{log}"', "LogLevel 1", 'User "nobody"', 'Group "nogroup"'))
    visits = Visits(port)
    moved = rotate(both[0], log, visits)
    # A serving process that is started again goes on in the file of today.
    os.kill(both[1], signal.SIGKILL)
    visits.thread.join(20)
    wait.until(lambda: wait.listens(port) and "starting it again" in log.read_text(), "nobody tells of the death", within=20)
    wait.until(lambda: children(both[0]) not in ([], [both[1]]), "nobody serves any more", within=20)
    answers = visits.answers
    visits = Visits(port)
    visits.answers = answers + 1000
    visits.some_more()
    visits.end()
    wait.until(lambda: visits.answers - 1 in numbers(log), "the new process logs elsewhere")
    assert set(range(answers - 500)) <= set(numbers(*moved, log))


@pytest.mark.root
def test_a_log_that_may_not_be_opened_again_goes_on_in_the_old_file(pound, backend, open_home):
    folder = open_home / "log"
    folder.mkdir(mode=0o755)
    port, log = wait.free_port(), folder / "log"
    started = pound(simple(port, backend(), f'LogFile "{log}"', 'User "nobody"', "LogLevel 1"), port, options=("-F",))
    old = log.with_name("log.1")
    log.rename(old)
    started.signal(signal.SIGUSR1)
    wait.until(lambda: "cannot be opened again" in old.read_text(), old.read_text, within=20)
    assert started.ask("/visit-7").status == 200
    wait.until(lambda: numbers(old) == [7], old.read_text)


@pytest.mark.root
def test_root_follows_no_link_that_somebody_put_in_the_place_of_the_log(tmp_path, backend):
    guarded, log = tmp_path / "guarded", tmp_path / "log"
    guarded.write_text("as it was\n")
    log.symlink_to(guarded)
    file = process.write(simple(wait.free_port(), 9, f'LogFile "{log}"', 'User "nobody"'), tmp_path)
    refused = process.run("-F", "-f", file)
    assert refused.returncode == 1
    assert "symbolic link" in refused.stderr and str(log) in refused.stderr
    assert (guarded.read_text(), guarded.stat().st_uid) == ("as it was\n", 0)


def test_a_log_that_cannot_be_opened_refuses_the_start(tmp_path):
    file = process.write(simple(wait.free_port(), 9, f'LogFile "{tmp_path}/none/log"'), tmp_path)
    refused = process.run("-F", "-f", file)
    assert refused.returncode == 1
    assert f"{tmp_path}/none/log" in refused.stderr and "no such directory" in refused.stderr
    assert re.search(rf"^pound: {re.escape(str(file))}:\d+: LogFile ", refused.stderr, re.M), refused.stderr
    checked = process.run("-c", "-f", file)
    assert (checked.returncode, "no such directory" in checked.stderr) == (0, True), checked.stderr
    assert f"warning: {file}:" in checked.stderr


def test_a_host_name_that_cannot_be_resolved_is_placed_in_the_file(tmp_path):
    text = "ListenHTTP\nAddress 127.0.0.1\nPort 0\nService\nBackend\nAddress nosuch.invalid\nPort 1\nEnd\nEnd\nEnd\n"
    text = text.replace("Port 0", f"Port {wait.free_port()}")
    file = process.write(text, tmp_path)
    refused = process.run("-F", "-f", file)
    assert refused.returncode == 1
    assert f"{file}:6: the host name nosuch.invalid of a back-end cannot be resolved" in refused.stderr, refused.stderr


def test_usr1_says_what_it_means_where_there_is_no_file(proxy, backend):
    started = proxy(backend())
    started.signal(signal.SIGUSR1)
    line = started.wait_for_log("USR1")
    assert "standard error" in line and "LogFile" in line
    assert started.ask().status == 200
