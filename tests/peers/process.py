"""A child process with a log file and a bounded end."""

import os
import signal
import subprocess

from . import wait

STOP_SECONDS = 15


class Process:
    """A child in its own process group; its output goes to `log`, which is shown when it fails."""

    def __init__(self, command, log, cwd=None, env=None):
        self.log = log
        self.command = [str(part) for part in command]
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self):
        return self.child.pid

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return text.read()

    def ready(self, condition, within=30.0):
        """Waits for `condition()`, and gives up at once when the process has ended instead."""

        def step():
            if self.child.poll() is not None:
                raise AssertionError(
                    f"{self.command[0]} ended with {self.child.returncode}:\n{self.output()}"
                )
            return condition()

        wait.until(step, lambda: f"{self.command} is not ready:\n{self.output()}", within)
        return self

    def kill(self):
        """SIGKILL to the whole group, as a machine that loses its power."""
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(STOP_SECONDS)

    def stop(self):
        """SIGTERM, then SIGKILL to whatever is left."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.child.returncode
