"""The process under test: a built `pound` with a configuration in a file."""

import os
import signal
import subprocess
import time
from pathlib import Path

from . import wait
from .http import Client, ask

# States of a TCP connection (Linux, include/net/tcp_states.h) in which pound still holds its end.
HELD = {"01": "established", "08": "close_wait"}


def binary():
    """The `pound` to test: `$POUND`, else Cargo's release build."""
    given = os.environ.get("POUND")
    path = Path(given) if given else Path(__file__).parents[2] / "target/release/pound"
    assert path.is_file(), f"{path} is not built: run `cargo build --release --package pound`"
    return path


def check(text_or_file, home, *options):
    """Runs `pound -c` to its end; a `CompletedProcess` with text output."""
    file = write(text_or_file, home)
    return run("-c", "-f", file, *options, cwd=home)


def run(*arguments, within=20, program=None, **more):
    """Runs pound to its end with the arguments given; `program` may be a copy of it."""
    return subprocess.run(
        [program or binary(), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        **more,
    )


def write(text_or_file, home):
    if isinstance(text_or_file, Path):
        return text_or_file
    file = Path(home) / "pound.cfg"
    file.write_text(text_or_file)
    return file


class Pound:
    """A running `pound -e`. `port` is where its first listener is, for `ask` and `client`."""

    def __init__(self, text, home, port, options=("-e",), stdout=None, stderr=None, env=None, wait_until_ready=True, **more):
        self.home = Path(home)
        self.port = port
        self.file = write(text, home)
        self.log = self.home / "pound.log"
        out = open(self.log, "wb")
        self.started = time.time()
        self.process = subprocess.Popen(
            [binary(), "-f", self.file, *options],
            stdin=subprocess.DEVNULL,
            stdout=next(file for file in (stdout, stderr, out) if file is not None),
            stderr=out if stderr is None else stderr,
            cwd=home,
            env={**os.environ, "RUST_BACKTRACE": "1", **(env or {})},
            **more,
        )
        out.close()
        try:
            if wait_until_ready:
                self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    # -- life

    @property
    def pid(self):
        return self.process.pid

    def wait_until_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(
                    f"pound ended with {self.process.returncode}:\n{self.output()}\n"
                    f"---- {self.file}\n{self.file.read_text()}"
                )
            try:
                Client(self.port).close()
                return True
            except OSError:
                return False

        wait.until(ready, lambda: f"pound does not listen on {self.port}:\n{self.output()}", 15)

    def signal(self, number):
        os.kill(self.pid, number)

    def running(self):
        return self.process.poll() is None

    def exit_status(self, within=15):
        return self.process.wait(within)

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait()

    def stop(self, within=15):
        """TERM; the exit status."""
        if self.running():
            self.signal(signal.SIGTERM)
        try:
            return self.exit_status(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"pound did not stop within {within} s:\n{self.output()}") from None

    def end(self):
        """What must hold after every test, whatever it did to pound. The clients of the test have gone."""
        try:
            if self.running():
                # Closed connections are noticed soon, not at once.
                wait.until(
                    lambda: not self.clients(),
                    lambda: f"clients that have gone are still held: {self.clients()}\n{self.output()}",
                    within=12,
                )
                status = self.stop()
                assert status == 0, f"exit status {status} after TERM:\n{self.output()}"
            assert "panicked" not in self.output(), self.output()
        finally:
            self.kill()

    # -- what it did

    def output(self):
        return self.log.read_text(errors="replace")

    def lines(self):
        return self.output().splitlines()

    def wait_for_log(self, text, within=10):
        """The first line with `text`."""
        return wait.until(
            lambda: next((line for line in self.lines() if text in line), None),
            lambda: f"no {text!r} in the log:\n{self.output()}",
            within,
        )

    def connections(self):
        """Every TCP connection that pound holds an end of: (its port, the other port, state)."""
        inodes = set()
        folder = f"/proc/{self.pid}/fd"
        for number in os.listdir(folder):
            try:
                name = os.readlink(f"{folder}/{number}")
            except OSError:
                continue
            if name.startswith("socket:["):
                inodes.add(name[8:-1])
        found = []
        for table in ("tcp", "tcp6"):
            with open(f"/proc/{self.pid}/net/{table}") as lines:
                for row in [line.split() for line in lines][1:]:
                    if row[9] in inodes and row[3] in HELD:
                        ports = [int(end.rpartition(":")[2], 16) for end in row[1:3]]
                        found.append((*ports, HELD[row[3]]))
        return found

    def clients(self):
        """The connections to its first listener."""
        return [found for found in self.connections() if found[0] == self.port]

    def memory(self):
        """Resident bytes now."""
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_idle(self):
        """Measures for half a second whether it uses no processor time to speak of."""
        start = self.cpu_seconds()
        time.sleep(0.5)
        return self.cpu_seconds() - start <= 0.02

    # -- clients

    def client(self):
        return Client(self.port)

    def ask(self, target="/", method="GET", **more):
        return ask(self.port, target, method, **more)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"
