"""Chromium without a window: what a browser makes of a page, with nothing of this user's in it.

It is driven and asked over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/): how a version
words its error pages, and what it prints where, is its own affair.
"""

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from html import unescape
from pathlib import Path

from . import wait

# Starting takes seconds where two cores are busy.
WITHIN_SECONDS = 90

OPTIONS = [
    "--headless",
    # Its sandbox refuses to be root's, and it sees nothing but the tests' own pages.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    # That it goes from http to https by itself would hide what pound says about it.
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,OptimizationHints,MediaRouter",
    # The protocol on descriptors 3 and 4: no port that a neighbour could take.
    "--remote-debugging-pipe",
]

# The pipes of `Popen` become 3 and 4, and the browser has no other business with the test.
AS_3_AND_4 = 'exec "$0" "$@" 3<&0 4>&1 </dev/null >&2'


def program():
    """Where Chromium is; on Debian `cargo xtask test` installs it."""
    return shutil.which("chromium")


class Browser:
    """`home` is its own: it believes `authority` and nobody else of ours."""

    def __init__(self, home, authority=None):
        self.home = Path(home)
        store = self.home / ".pki/nssdb"
        store.mkdir(parents=True)
        self._certutil("-d", f"sql:{store}", "-N", "--empty-password")
        if authority:
            self._certutil("-d", f"sql:{store}", "-A", "-t", "C,,", "-n", authority.name, "-i", authority.certificate)

    def load(self, url, places, until=None):
        """The page that it ends with; `places` says on which port `host:port` is to be found here.

        If the browser shows the page, its element with the id `until` is waited for to have text.
        """
        rules = ",".join(f"MAP {place} 127.0.0.1:{port}" for place, port in places.items())
        options = [f"--user-data-dir={self.home / 'profile'}", f"--host-resolver-rules={rules},MAP * ~NOTFOUND"]
        with _Protocol([program(), *OPTIONS, *options], self._environment(), self.home) as browser:
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            # It answers when the page, or the browser's own about an error, begins to be shown.
            error = browser.call("Page.navigate", session, url=url).get("errorText")

            def html():
                # There is no document for a moment when one page follows another.
                found = browser.call("Runtime.evaluate", session, expression="document.documentElement.outerHTML")
                return found["result"].get("value", "")

            page = Page(html(), error)
            if until and not error:
                page = wait.until(
                    lambda: (now := Page(html(), error)).has_text(until) and now,
                    lambda: f"no text in the element {until}:\n{html()}",
                    WITHIN_SECONDS,
                    every=0.1,
                )
            return page

    def _certutil(self, *arguments):
        done = subprocess.run(["certutil", *map(str, arguments)], env=self._environment(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    def _environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DBUS_"))}
        return {**kept, "HOME": str(self.home)}


class _Protocol:
    """A browser that runs while this is open, and its DevTools protocol: JSON, each message with a NUL behind it."""

    def __init__(self, command, environment, home):
        self.log = home / "chromium.log"
        self.last_id = 0
        self.received = b""
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                ["sh", "-c", AS_3_AND_4, *map(str, command)],
                env=environment,
                cwd=home,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,
            )
        self.readable = selectors.DefaultSelector()
        self.readable.register(self.child.stdout, selectors.EVENT_READ)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self.child.wait(WITHIN_SECONDS)
        finally:
            # What it started ends with it, also when it did not end by itself.
            try:
                os.killpg(self.child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.child.wait()
            self.readable.close()
            self.child.stdin.close()
            self.child.stdout.close()
            # Shown if the test fails.
            sys.stderr.write(self.log.read_text("utf-8", "replace"))

    def call(self, method, session=None, **parameters):
        """The result of a method; events and what others were answered are passed over."""
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self.child.stdin.write(json.dumps(message).encode() + b"\0")
        end = time.monotonic() + WITHIN_SECONDS
        while (answered := self._next(end, method)).get("id") != self.last_id:
            pass
        assert "error" not in answered, f"Chromium about {method}: {answered['error']}"
        return answered["result"]

    def _next(self, end, method):
        while b"\0" not in self.received:
            left = end - time.monotonic()
            assert left > 0 and self.readable.select(left), f"Chromium did not answer {method}"
            more = os.read(self.child.stdout.fileno(), 1 << 16)
            assert more, f"Chromium ended before it answered {method}"
            self.received += more
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)


class Page:
    """A page as it was when it was looked at, and the browser's error (`net::ERR_…`) if it did not show it."""

    def __init__(self, html, error=None):
        self.html = html
        self.error = error

    def __repr__(self):
        return f"{self.error or 'shown'}: {self.html}"

    def text(self, id_):
        """The text of the element with this `id`, which holds no other."""
        found = self._element(id_)
        assert found, f"no element {id_}:\n{self.html}"
        return unescape(found[1])

    def has_element(self, id_):
        """Whether the page has it."""
        return self._element(id_) is not None

    def has_text(self, id_):
        """Whether the element is there and not empty."""
        found = self._element(id_)
        return bool(found and found[1])

    def _element(self, id_):
        return re.search(rf'id="{id_}"[^>]*>([^<]*)<', self.html)
