"""Configuration files: includes, and what a tired operator reads after a mistake."""

import re
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait


def refused(text, tmp_path):
    """What `pound -c` says about a file it must not accept."""
    checked = process.check(text, tmp_path)
    assert checked.returncode == 1, checked
    assert "panicked" not in checked.stderr
    return checked.stderr


GOOD = cfg.listen(8080, cfg.service(cfg.backend(9)))


def test_reports_every_error_of_a_file_at_once(tmp_path):
    text = (
        "Alife 30\n"  # line 1
        "Client many\n"  # line 2
        "ListenHTTP\n"
        "  Address 127.0.0.1\n"
        "  Port 99999\n"  # line 5
        "  Service\n"
        '    Path "("\n'  # line 7
        "    Backend\n"
        "      Adress 127.0.0.1\n"  # line 9
        "      Port 80\n"
        "    End\n"
        "  End\n"
        "End\n"
    )
    said = refused(text, tmp_path)
    for line in (1, 2, 5, 7, 9):
        assert f"pound.cfg:{line}" in said, f"nothing about line {line} in:\n{said}"


@pytest.mark.parametrize(
    "wrong, right",
    [("Alife 30", "Alive"), ("ListenHTTPP\nEnd", "ListenHTTP"), ("Balancer rondom", "random")],
)
def test_suggests_what_was_meant(tmp_path, wrong, right):
    said = refused(f"{wrong}\n{GOOD}\n", tmp_path)
    assert "did you mean" in said.lower() and right in said, said


def test_shows_the_line_and_marks_the_place(tmp_path):
    said = refused(f"Client many\n{GOOD}\n", tmp_path)
    assert "Client many" in said
    assert "^^^^" in said, said


@pytest.mark.parametrize(
    "text, words",
    [
        ("ListenHTTP\n  Address 127.0.0.1\n  Port 80\n", ["End"]),
        ("End\n", ["End"]),
        ('Service\n  URL "unfinished\nEnd\n', ["pound.cfg:2"]),
        ("Service\n  UseBackend \"nobody\"\nEnd\n", ["nobody"]),
        ('Service\n  ACL "nobody"\n  Success\nEnd\n', ["nobody"]),
        ('Include "none.cfg"\n', ["none.cfg"]),
        ("ListenHTTP\n  Address 127.0.0.1\n  Port 1\n  Port 2\nEnd\n", ["Port"]),
        ("Service\n  Session\n    Type COOKIE\n    TTL 5\n  End\nEnd\n", ["ID"]),
        ('ListenHTTP\n  Address 127.0.0.1\n  Port 1\n  ErrorFile 503 "/none/page"\nEnd\n', ["/none/page", "pound.cfg:4"]),
        ('Service\n  SendFile "/none/folder"\nEnd\n', ["/none/folder", "pound.cfg:2"]),
        ("Service\n  Redirect 999 \"http://x\"\nEnd\n", ["999"]),
    ],
)
def test_names_the_mistake(tmp_path, text, words):
    said = refused(text, tmp_path)
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("line", ['Control "/run/x"', "Lua\nEnd"])
def test_what_is_not_built_yet_is_refused_by_name(tmp_path, line):
    said = refused(f"{line}\n{GOOD}\n", tmp_path)
    assert "not supported yet" in said, said
    assert line.split()[0] in said


@pytest.mark.parametrize("line", ["Threads 5", "WorkerMinCount 5", "WorkerMaxCount 50"])
def test_what_has_no_effect_any_more_is_accepted_with_a_note(tmp_path, line):
    checked = process.check(f"{line}\n{GOOD}\n", tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert line.split()[0] in checked.stderr


def test_an_error_of_an_included_file_names_that_file(tmp_path):
    (tmp_path / "part.cfg").write_text("\nAlife 1\n")
    said = refused(f'Include "{tmp_path}/part.cfg"\n{GOOD}\n', tmp_path)
    assert "part.cfg:2" in said


def test_a_file_that_includes_itself_is_refused(tmp_path):
    said = refused(f'Include "{tmp_path}/pound.cfg"\n', tmp_path)
    assert "pound.cfg" in said


@pytest.mark.parametrize("garbage", ["\0\1\2\n", "\xff\xfe\n", '"' * 1000, "ListenHTTP\n" * 2000, "#" * 100_000])
def test_garbage_is_told_apart_without_a_crash(tmp_path, garbage):
    file = tmp_path / "pound.cfg"
    file.write_bytes(garbage.encode("latin-1"))
    checked = process.run("-c", "-f", file)
    assert checked.returncode == 1
    assert "panicked" not in checked.stderr
    assert len(checked.stderr) < 1_000_000


def test_includes_files_in_the_order_of_their_names(pound, backend, tmp_path):
    port = wait.free_port()
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in ("20-b", "10-a"):
        peer = backend(name=name)
        (parts / f"{name}.cfg").write_text(cfg.text(cfg.service(cfg.backend(peer))))
    text = cfg.text(cfg.listen(port), f'IncludeDir "{parts}"', 'Include "*.cfg"')
    assert pound(text, port).ask().text == "10-a"


def test_an_include_may_stand_inside_a_block(pound, backend, tmp_path):
    port = wait.free_port()
    (tmp_path / "backends.inc").write_text(cfg.text(cfg.backend(backend())))
    text = cfg.text(cfg.listen(port, cfg.service(f'Include "{tmp_path}/backends.inc"')))
    assert pound(text, port).ask().text == "backend"


def test_the_include_directory_may_come_from_the_command_line(pound, backend, tmp_path):
    port = wait.free_port()
    (tmp_path / "rest.cfg").write_text(cfg.text(cfg.listen(port, cfg.service(cfg.backend(backend())))))
    started = pound('Include "rest.cfg"\n', port, options=("-e", "-W", f"include-dir={tmp_path}"))
    assert started.ask().text == "backend"


def test_the_message_in_the_manual_is_what_is_printed(tmp_path):
    page = (Path(__file__).parents[2] / "docs/manual/configuration.md").read_text()
    shown = next(block for block in re.findall(r"^```text\n(.*?)^```$", page, re.M | re.S) if block.startswith("error: "))
    lines = ["ListenHTTP", "\tAddress 127.0.0.1", "\tPort 8080", "\tService", "\t\tBackend", "\t\t\tAdress 192.0.2.1", "\t\tEnd", "\tEnd", "End"]
    (tmp_path / "pound.cfg").write_text("\n".join(lines) + "\n")
    checked = process.run("-c", "-f", "pound.cfg", cwd=tmp_path)
    assert checked.returncode == 1
    # Other mistakes of this file may be printed too.
    assert shown.rpartition("\n\n1 error")[0] in checked.stderr
