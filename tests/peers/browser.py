"""Chromium without a window: what a browser makes of a page, with nothing of this user's in it."""

import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

# Starting takes seconds where two cores are busy.
WITHIN_SECONDS = 90

OPTIONS = [
    "--headless",
    # Its sandbox refuses to be root's, and it sees nothing but the tests' own pages.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-proxy-server",
    # That it goes from http to https by itself would hide what pound says about it.
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,OptimizationHints,MediaRouter",
    # What the page looks like when it has been loaded (the event `load`).
    "--dump-dom",
]


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

    def load(self, url, places):
        """The page that it ends with; `places` says on which port `host:port` is to be found here.

        What a page's scripts do is waited for only if something that belongs to the page comes no sooner.
        """
        rules = ",".join(f"MAP {place} 127.0.0.1:{port}" for place, port in places.items())
        profile = self.home / "profile"
        done = subprocess.run(
            [program(), *OPTIONS, f"--user-data-dir={profile}", f"--host-resolver-rules={rules},MAP * ~NOTFOUND", url],
            env=self._environment(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WITHIN_SECONDS,
        )
        # Where its words go that are not about the page; shown if the test fails.
        sys.stderr.write(done.stderr.decode("utf-8", "replace"))
        assert done.returncode == 0, f"Chromium ended with {done.returncode}"
        return Page(done.stdout.decode("utf-8", "replace"))

    def _certutil(self, *arguments):
        done = subprocess.run(["certutil", *map(str, arguments)], env=self._environment(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    def _environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DBUS_"))}
        return {**kept, "HOME": str(self.home)}


class Page:
    """A page as it was when all that belongs to it had come."""

    def __init__(self, html):
        self.html = html

    def __repr__(self):
        return self.html

    def text(self, id_):
        """The text of the element with this `id`, which holds no other."""
        found = re.search(rf'id="{id_}"[^>]*>([^<]*)<', self.html)
        assert found, f"no element {id_}:\n{self.html}"
        return unescape(found[1])
