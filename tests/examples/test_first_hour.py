"""`docs/manual/first-hour.md`: its blocks are run in their order, by a user without root, and show what the page says.

A block `sh` is what is typed, `text` behind it is what then stands in the terminal, `log` what the terminal of pound shows;
`…` stands for anything within a line. Ports are those of the test.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from peers import pound as program
from peers import wait
from peers.process import Process

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/manual/first-hour.md").read_text()
LAST = "As a service (5 minutes)"


def sections():
    """The blocks of each section, as (kind, text), by its title."""
    found = {}
    for part in PAGE.split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        found[title] = re.findall(r"^```(\w+)\n(.*?)^```$", body, re.M | re.S)
    return found


def fits(expected, line):
    """Whether a line is as the page has it."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("…"))), line) is not None


class Reader:
    """Who follows the page, in a folder of their own."""

    def __init__(self, home):
        self.home = home
        self.ports = {port: wait.free_port() for port in ("8080", "8001", "8002")}
        self.running = {}
        # /usr/sbin is not in everybody's PATH.
        (home / "bin").mkdir()
        (home / "bin/pound").symlink_to(program.binary().resolve())
        path = f"{home}/bin:/usr/local/bin:/usr/bin:/bin"
        self.env = {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8"}

    def here(self, text):
        """With the ports and the folder of this test."""
        for old, new in self.ports.items():
            text = re.sub(rf"\b{old}\b", str(new), text)
        return text.replace("/tmp/", f"{self.home}/")

    def types(self, text):
        """Runs lines to their end; what they printed."""
        done = subprocess.run(
            ["bash", "-ec", self.here(text)], cwd=self.home, env=self.env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def starts(self, line, port):
        """Leaves a program running that listens on this port of the page, in place of the one that did."""
        self.stops(port)
        log = self.home / f"{port}.log"
        log.unlink(missing_ok=True)
        number = self.ports[port]
        self.running[port] = Process(["bash", "-c", f"exec {self.here(line)}"], log, cwd=self.home, env=self.env)
        self.running[port].ready(lambda: wait.listens(number))

    def stops(self, port):
        if port in self.running:
            self.running.pop(port).stop()

    def follows(self, blocks):
        """Does what blocks say, up to the end; what is typed and runs on is a program to leave running."""
        printed = ""
        for kind, text in blocks:
            if kind == "pound":
                (self.home / "pound.cfg").write_text(self.here(text))
            elif kind == "python":
                (self.home / "shop.py").write_text(text)
            elif kind == "sh":
                printed = self.sh(text)
            elif kind == "text":
                expected, lines = text.splitlines(), printed.splitlines()
                assert len(expected) == len(lines) and all(map(fits, expected, lines)), f"{text}\nis not\n{printed}"
            else:
                assert kind == "log", kind
                for line in self.here(text).splitlines():
                    self.sees(line)

    def sh(self, text):
        printed = ""
        for line in text.splitlines():
            if line.startswith("pound -ev"):
                self.starts(line, "8080")
            elif line.startswith("python3 "):
                self.starts(line, re.search(r"\b(8001|8002)\b", line)[1])
            elif not line.startswith(("cargo ", "export PATH=")):
                printed += self.types(line)
        return printed

    def sees(self, line):
        """Waits for a line in the terminal of pound."""
        pound = self.running["8080"]
        wait.until(
            lambda: any(fits(line, seen) for seen in pound.output().splitlines()),
            lambda: f"no line {line} in\n{pound.output()}",
            within=20,
        )


@pytest.fixture
def reader(tmp_path):
    made = Reader(tmp_path)
    yield made
    for port in list(made.running):
        made.stops(port)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash is in PATH")
def test_every_step_shows_what_the_page_says(reader):
    pages = sections()
    titles = list(pages)
    build, one, two, stays, goes = titles[1:6]
    reader.follows(pages[build])
    reader.follows(pages[one])

    reader.follows(pages[two])
    asks = next(text for kind, text in pages[two] if kind == "sh" and "curl" in text)
    reader.stops("8002")
    assert set(reader.types(asks).splitlines()) == {"this is one"}
    reader.sees(reader.here("…127.0.0.1:8002…dead…"))
    reader.sh(next(text for kind, text in pages[two] if "--directory /tmp/two" in text))
    reader.sees(reader.here("…127.0.0.1:8002…is back…"))
    assert sorted(set(reader.types(asks).splitlines())) == ["this is one", "this is two"]

    # Which of the servers is next depends on what was before: the page says so.
    first, second = pages[stays][:5], pages[stays][5:]
    assert [kind for kind, _ in first] == ["python", "sh", "sh", "sh", "text"]
    reader.follows(first[:3])
    visits = reader.types(first[3][1]).splitlines()
    assert sorted(visits) == sorted(first[4][1].splitlines()) and visits[0] == visits[2] != visits[1], visits
    config, *rest = second
    reader.follows([config, ("sh", "pound -ev -f pound.cfg\n"), *rest])

    config, *rest = pages[goes]
    reader.follows([config, ("sh", "pound -ev -f pound.cfg\n"), *rest])


def test_nothing_needs_root_before_the_last_step():
    before, _, last = PAGE.partition(f"## {LAST}")
    assert "sudo" not in before and "sbin" not in before
    assert "sudo" in last


def test_the_files_of_the_last_step_are_there():
    named = re.findall(r"\bpackaging/[\w.-]+", PAGE)
    assert named and all((ROOT / name).is_file() for name in named)
