"""Configuration files: includes, and what a tired operator reads after a mistake."""

import os
import re
import socket
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


@pytest.mark.parametrize("garbage", ["\0\1\2\n", "\xff\xfe\n", '"' * 1000, "ListenHTTP\n" * 2000, '"#' * 50_000])
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


# What C Pound takes, and what looks right and is not.


def accepted(text, tmp_path):
    """What `pound -c` warns of in a file that it accepts."""
    checked = process.check(text, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout == "", "scripts take any word for a complaint"
    return checked.stderr


def test_a_right_file_is_not_spoken_of(tmp_path):
    assert accepted(f"{GOOD}\n", tmp_path) == ""
    told = process.check(f"{GOOD}\n", tmp_path, "-v")
    assert (told.returncode, "127.0.0.1:8080" in told.stdout) == (0, True)


def test_of_a_directive_given_twice_the_last_one_counts(pound, backend, tmp_path):
    first, port = wait.free_port(), wait.free_port()
    service = cfg.service(cfg.block("Backend", "Address 192.0.2.1", "Address 127.0.0.1", "Port 1", f"Port {backend().port}"))
    listener = cfg.block(
        "ListenHTTP", "Address 127.0.0.1", f"Port {first}", "MaxRequest 1", f"Port {port}", "MaxRequest 100", service
    )
    text = cfg.text("Alive 30", "Alive 1", listener)
    said = accepted(text, tmp_path)
    assert said.count("the last one counts") == 5, said
    for line in ("pound.cfg:2", "1 | Alive 30", "2 | Alive 1", f"5 |   Port {first}", f"7 |   Port {port}"):
        assert line.replace("|   ", "| ") in said.replace("|   ", "| "), said
    server = pound(text, port)
    assert server.ask(method="POST", body=b"x" * 50).status == 200
    assert not wait.listens(first)


def test_a_file_without_a_listener_is_accepted_and_serves_nothing(tmp_path):
    text = cfg.text("Daemon no", cfg.service("Success"))
    assert "nothing listens" in accepted(text, tmp_path)
    started = process.run("-f", tmp_path / "pound.cfg", "-e")
    assert started.returncode == 1
    assert "nothing to serve: there is no ListenHTTP" in started.stderr


def test_the_first_of_two_that_could_answer_does(pound, backend, tmp_path):
    port = wait.free_port()
    origin = backend()
    text = cfg.text(
        cfg.listen(
            port,
            cfg.service('Path -beg "/one"', 'Redirect "http://one.example/x"', 'Redirect "http://two.example/x"'),
            cfg.service('Path -beg "/two"', cfg.backend(origin), 'Redirect "http://two.example/x"'),
            cfg.service('Redirect "http://three.example/x"', cfg.backend(origin)),
        )
    )
    assert accepted(text, tmp_path).count("the first one counts") == 3
    server = pound(text, port)
    for _ in range(5):
        assert server.ask("/one").fields.one("Location") == "http://one.example/x"
        assert server.ask("/two").status == 200
        assert server.ask("/three").fields.one("Location") == "http://three.example/x"


def test_clients_are_not_asked_for_certificates_that_nobody_could_sign(tmp_path, authority):
    lines = [f'Cert "{authority.issue("a.test", days=90)}"', "ClientCert 1 1", cfg.service("Success")]
    assert "clients are not asked for certificates" in accepted(cfg.text(cfg.listen_tls(8443, *lines)), tmp_path)
    lines[1] = "ClientCert 2"
    assert "whose signature" in refused(cfg.text(cfg.listen_tls(8443, *lines)), tmp_path)


def test_a_pattern_of_include_passes_over_directories(tmp_path):
    (tmp_path / "conf.d" / "old.cfg").mkdir(parents=True)
    (tmp_path / "conf.d" / "site.cfg").write_text(GOOD)
    assert accepted(f'Include "{tmp_path}/conf.d/*"\n', tmp_path) == ""
    said = refused(f'Include "{tmp_path}/conf.d"\n', tmp_path)
    assert f'Include "{tmp_path}/conf.d/*.cfg"' in said


@pytest.mark.parametrize(
    "condition, instead",
    [
        ('Host "*.example.org"', 'Host -end ".example.org"'),
        ('Host "https://www.example.org/app"', 'Host "www.example.org"'),
        ('Host "www.example.org/"', 'Host "www.example.org"'),
        ('Host "a.example b.example"', "Match or"),
        ('Host "www.example.org:80"', 'Host "www.example.org"'),
        ('Path -beg "app/"', '-beg "/app/"'),
        ('Path -exact "app"', '-exact "/app"'),
        ('Path "^app/"', '"^/app/"'),
        ('URL "^http://a.example/"', "Host looks at the host"),
        ('Query -beg "?a=1"', '"a=1"'),
        ('Method "get"', 'Method "GET"'),
    ],
)
def test_a_pattern_that_nothing_matches_is_warned_of(tmp_path, condition, instead):
    said = accepted(cfg.text(cfg.listen(8080, cfg.service(condition, "Success"))), tmp_path)
    assert instead in said, said


@pytest.mark.parametrize(
    "line, instead",
    [
        ("Client 30 seconds", "write Client 30s"),
        ("TimeOut 5 min", "write TimeOut 5m"),
        ("TimeOut 5min", "write TimeOut 5m"),
        ("Alive = 30", "Alive 30"),
        ("Daemon disabled", "write Daemon no"),
        ("ListenHTTP\nAddress 127.0.0.1:8080\nEnd", "Address 127.0.0.1\n"),
        ("ListenHTTP\nAddress [::1]:8080\nEnd", "Address ::1\n"),
        ("ListenHTTP\nPort 8080/tcp\nEnd", "write Port 8080"),
        ("ListenHTTP\nPort 80,443\nEnd", "for each"),
        ("ListenHTTP {\n}\n", "no braces"),
        ("Service\nBackend\nAddress http://app:8080/\nEnd\nEnd", "Port 8080"),
        ("Service\nBackend\nAddress unix:/run/app.sock\nEnd\nEnd", "write Address /run/app.sock"),
        ("ListenHTTP\nMaxRequest 10 MB\nEnd", "write MaxRequest 10m"),
    ],
)
def test_a_value_as_others_write_it_is_helped(tmp_path, line, instead):
    assert instead in refused(f"{line}\n{GOOD}\n", tmp_path)


@pytest.mark.parametrize(
    "what, text",
    [
        ("nginx", "server {\n    listen 80;\n    location / {\n        proxy_pass http://127.0.0.1:8080;\n    }\n}\n"),
        ("Apache", "<VirtualHost *:80>\n    ProxyPass / http://127.0.0.1:8080/\n</VirtualHost>\n"),
        ("HAProxy", "defaults\n    mode http\nfrontend web\n    bind *:80\n"),
        ("Caddyfile", "example.org {\n    reverse_proxy localhost:8080\n}\n"),
        ("YAML", "http:\n  routers:\n    web:\n      rule: Host\n"),
        ("TOML", "[entryPoints.web]\naddress = \":80\"\n"),
        ("JSON", '{\n  "listen": 80\n}\n'),
    ],
)
def test_a_file_of_another_program_is_called_what_it_is(tmp_path, what, text):
    said = refused(text, tmp_path)
    assert "looks like" in said and what in said, said
    assert "1 error" in said and "ListenHTTP" in said, "one sentence, and what a file for Pound looks like"


@pytest.mark.parametrize(
    "word, instead",
    [("reload", "systemctl restart pound"), ("stop", "TERM"), ("status", "systemctl status"), ("test", "pound -c"), ("start", "-f"), ("pound.cfg", "-f pound.cfg")],
)
def test_commands_of_other_servers_say_what_to_do_instead(word, instead):
    done = process.run(word)
    assert done.returncode != 0
    assert instead in done.stderr, done.stderr


def test_an_address_in_use_is_named_with_its_line_and_its_holder(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        file = process.write(cfg.text("# ours", cfg.listen(port, cfg.service("Success"))), tmp_path)
        done = process.run("-e", "-f", file)
    assert done.returncode == 1
    assert f"{file}:2: listener 1 cannot listen on 127.0.0.1:{port}" in done.stderr, done.stderr
    assert f"(pid {os.getpid()})" in done.stderr, done.stderr
