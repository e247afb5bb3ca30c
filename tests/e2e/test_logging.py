"""Log lines: formats, syslog, and what happens when nobody takes them."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait
from peers.backend import answer
from peers.http import Client, ask

REGULAR = r'127\.0\.0\.1 GET /x\?y HTTP/1\.1 - HTTP/1\.1 200 OK'
COMBINED = r'127\.0\.0\.1 - - \[.+\] "GET /x\?y HTTP/1\.1" 200 4 "http://ref/" "Agent/1"'
TAIL = r' \(www\.example/shop -> 127\.0\.0\.1:\d+\) \d+\.\d{3} sec'

FORMATS = {
    1: REGULAR,
    2: REGULAR + TAIL,
    3: r"\S+:\d+ " + COMBINED,
    4: COMBINED,
    5: r"\S+:\d+ " + COMBINED + TAIL,
}


def visit(pound):
    fields = "Referer: http://ref/\r\nUser-Agent: Agent/1\r\n"
    assert pound.ask("/x?y", host="www.example", fields=fields).status == 200


def named_service(backend, *top):
    port = wait.free_port()
    service = cfg.service(cfg.backend(backend(answer("four"))), name="shop")
    return cfg.text(top, cfg.listen(port, service)), port


@pytest.mark.parametrize("level", FORMATS)
def test_format_of_level(pound, backend, level):
    started = pound(*named_service(backend, f"LogLevel {level}"))
    visit(started)
    line = started.wait_for_log("/x?y")
    assert re.search(FORMATS[level] + "$", line), line


@pytest.mark.parametrize("options, top, level", [(["-e"], [], 2), (["-F"], ["LogFacility -"], 1)], ids=["-e", "-F"])
def test_without_a_level_the_backend_and_the_time_are_for_those_who_watch(pound, backend, options, top, level):
    started = pound(*named_service(backend, 'PIDFile "-"', *top), options=options)
    visit(started)
    line = started.wait_for_log("/x?y")
    assert re.fullmatch(FORMATS[level], line), line


def test_level_0_logs_no_request(pound, backend):
    started = pound(*named_service(backend, "LogLevel 0"))
    visit(started)
    assert started.stop() == 0
    assert "/x?y" not in started.output()


def test_a_format_of_ones_own(pound, backend):
    text = 'LogFormat "mine" "%m|%U|%q|%s|%b|%{service}N|%{Referer}i|%p|%%|%h|%{us}T"'
    started = pound(*named_service(backend, text, 'LogLevel "mine"'))
    visit(started)
    line = started.wait_for_log("GET|")
    pattern = rf"GET\|/x\|\??y\|200\|4\|shop\|http://ref/\|{started.port}\|%\|127\.0\.0\.1\|\d+$"
    assert re.search(pattern, line), line


ABSENT = "%{Referer}i|%{Referer}I|%u|%q|%H"


def logged(pound, format, lines, ask):
    """The line in this format of one request to a service of these lines."""
    port = wait.free_port()
    service = cfg.service(lines, name="shop")
    quoted = format.replace("\\", "\\\\").replace('"', '\\"')
    started = pound(
        cfg.text(f'LogFormat "x" "<<{quoted}>>"', 'LogLevel "x"', cfg.listen(port, service)), port
    )
    ask(started)
    line = started.wait_for_log(">>")
    return line[line.index("<<") + 2 : line.index(">>")], started


def served(backend, *lines):
    return [*lines, cfg.backend(backend(answer("four")))]


def test_what_is_not_there_reads_as_in_c_pound(pound, backend):
    line, _ = logged(pound, ABSENT, served(backend), lambda pound: pound.ask())
    assert line == "|-|-||http"


def test_status_and_status_line(pound, backend):
    teapot = [cfg.backend(backend(b"HTTP/1.0 218 This is fine\r\nContent-Length: 0\r\n\r\n"))]
    for lines, expect in [
        (served(backend), "200|HTTP/1.1 200 OK"),
        (teapot, "218|HTTP/1.0 218 This is fine"),
        (['Redirect 301 "http://x.example"'], "301|HTTP/1.1 301 Moved Permanently"),
        (["Error 403"], "403|HTTP/1.1 403 Forbidden"),
        (["Success"], "200|HTTP/1.1 200 OK"),
        (['Path "^/none$"', "Success"], "503|HTTP/1.1 503 Service Unavailable"),
    ]:
        assert logged(pound, "%s|%>s", lines, lambda pound: pound.ask())[0] == expect


def test_fields_path_and_query_are_those_that_went_on(pound, backend):
    lines = served(backend, 'SetURL "/new?y"', 'SetHeader "X-A: ours"', 'SetHeader "X-B: added"')
    line, _ = logged(
        pound,
        "%U|%q|%{X-A}i|%{X-A}I|%{X-B}i|%r",
        lines,
        lambda pound: pound.ask("/old?x", fields="X-A: theirs\r\n"),
    )
    assert line == "/new|?y|ours|ours|added|GET /old?x HTTP/1.1"


def test_who_answered_and_where_that_stands(pound, backend, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<p>")
    for lines, expect in [
        (['Redirect "http://x.example/"'], "redirect:http://x.example"),
        (['Path "(.*)"', 'Redirect "http://x.example$1"'], "redirect:http://x.example$1"),
        (["Error 403"], "error:403"),
        ([f'Error 503 "{page}"'], "error:503:text"),
        ([f'SendFile "{tmp_path}"'], "file"),
        (["Success"], "success"),
    ]:
        format = "%{service}N %{listener}N|%{backend}N|%{listener}L|%{service}L|%{backend}L"
        line, started = logged(pound, format, lines, lambda pound: pound.ask())
        names, answerer, listener, service, target = line.split("|")
        assert (names, answerer) == ("shop -", expect)
        text = started.file.read_text().splitlines()
        row = next(number for number, line in enumerate(text, 1) if line == lines[-1])
        first = next(number for number, line in enumerate(text, 1) if line.startswith("Service"))
        assert target == f"{started.file}:{row}.1-{len(lines[-1])}"
        assert service == f"{started.file}:{first}.1-{len(text) - 1}.3"
        assert listener == f"{started.file}:3.1-{len(text)}.3"


def test_a_back_end_has_its_address_and_its_place(pound, backend):
    line, started = logged(pound, "%{backend}N|%{backend}L", served(backend), lambda pound: pound.ask())
    name, place = line.split("|")
    text = started.file.read_text().splitlines()
    first = text.index("Backend") + 1
    assert name == f"127.0.0.1:{text[first + 1].split()[1]}"
    assert place == f"{started.file}:{first}.1-{first + 3}.3"


@pytest.mark.parametrize(
    "lines", [["Success"], ['Redirect "http://x.example"'], ["Error 404"], ['Path "^/none$"', "Success"]]
)
def test_what_we_answer_ourselves_takes_time_too(pound, lines):
    line, _ = logged(pound, "%D|%{us}T|%{f}T|%T", lines, lambda pound: pound.ask())
    micros, again, seconds, whole = line.split("|")
    assert int(micros) > 0 and int(again) > 0
    assert re.fullmatch(r"\d+\.\d{3}", seconds) and int(whole) >= 0


JSON = (
    r'LogFormat "json" -json "{\"peer\":%h,\"line\":\"<%r>\",\"status\":%s,\"text\":\"%s\",\"bytes\":%b,\"agent\":%{User-Agent}i,'
    r'\"again\":\"%{User-Agent}i\",\"user\":%u,\"query\":%q,\"seconds\":%{f}T,\"micros\":%D,\"at\":%t,\"service\":%{service}N}"'
)

HOSTILE = [
    b"plain",
    b'quo"te \\ back\\"',
    b"tab\there",
    b"caf\xc3\xa9 \xf0\x9f\x98\x80 \xe2\x80\xa8",
    b"latin caf\xe9 \xff\xfe",
    b"\xc2\x9b31m c1",
    b"\xed\xa0\x80 surrogate, cut \xe2\x82",
    b"\\u0022,\\\"evil\\\":1",
]


def test_json_lines_are_json_whatever_clients_send(pound, backend):
    started = pound(*named_service(backend, JSON, 'LogLevel "json"'))
    for number, agent in enumerate(HOSTILE):
        with Client(started.port) as connection:
            connection.send(b"GET /%d?q HTTP/1.1\r\nHost: a\r\nUser-Agent: %s\r\n\r\n" % (number, agent))
            connection.read_answer()
    with Client(started.port) as connection:
        connection.send(b'GET /\x01"\\\xff HTTP/1.1\r\n\r\n')
        connection.read_answer()
    assert started.stop() == 0
    lines = [line for line in started.lines() if line.startswith("{")]
    assert all(" " <= letter <= "~" for line in lines for letter in line)
    served = {line["line"]: line for line in map(json.loads, lines)}
    assert len(served) == len(HOSTILE) + 1
    for number, agent in enumerate(HOSTILE):
        line = served[f"<GET /{number}?q HTTP/1.1>"]
        assert line["agent"] == line["again"] == agent.decode(errors="replace")
        assert (line["peer"], line["status"], line["text"], line["bytes"]) == ("127.0.0.1", 200, "200", 4)
        assert (line["user"], line["query"], line["service"]) == (None, "?q", "shop")
        assert line["seconds"] >= 0 and line["micros"] > 0
    (refused,) = [line for line in served.values() if line["status"] == 400]
    assert refused["agent"] is None and refused["service"] is None


@pytest.mark.parametrize(
    "format, told",
    [
        (r'-json "{\"a\":\"%h}"', "not JSON: expected a quote at the end of the text"),
        (r'-json "%a %r"', "not JSON: expected the end of the format"),
        (r'-json "{a:%h}"', "not JSON: expected a name in quotes"),
        (r'-jsn "%a"', "-jsn is not an option here"),
        ("-json", "needs a name and a format"),
    ],
)
def test_a_json_format_that_is_none_is_shown(tmp_path, format, told):
    checked = process.check(cfg.text(f'LogFormat "j" {format}', cfg.listen(8080, cfg.service("Success"))), tmp_path)
    assert checked.returncode == 1
    assert told in checked.stderr, checked.stderr


def test_every_request_has_one_line(pound, backend):
    started = pound(*named_service(backend, "LogLevel 1"))
    with Client(started.port) as connection:
        for number in range(500):
            connection.ask(f"/{number}")
        connection.send("nonsense\r\n\r\n")
        connection.read_answer()
    started.stop()
    for number in range(500):
        assert sum(f" /{number} " in line for line in started.lines()) == 1
    assert any("400" in line for line in started.lines())


def test_no_request_can_forge_a_line(pound, backend):
    started = pound(*named_service(backend, "LogLevel 4"))
    evil = 'a" 200 1 "x" "y\xff\\n\t'
    started.ask("/x", fields=f"User-Agent: {evil}\r\nReferer: \x1b[31m\r\n")
    started.ask("/x", fields=f"User-Agent: {evil}\r\n")
    started.stop()
    (line,) = [line for line in started.lines() if '"GET /x' in line and " 200 " in line]
    # Status 200 once, and no raw control byte, quote or 8-bit byte inside a quoted value.
    unescaped = re.sub(r'\\.', "", line)
    assert unescaped.count('"') == 6, line
    assert all(" " <= letter <= "~" for letter in line), line


GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "sent, code, quoted",
    [
        (GET + b"Host: b\r\n\r\n", "E-HOST-TWICE", '"Host: a, Host: b"'),
        (GET + b"Bad Name: x\r\n\r\n", "E-NAME", '"Bad Name: x"'),
        (GET + b"X : y\r\n\r\n", "E-SPACE-COLON", '"X : y"'),
        (GET + b"no colon here\r\n\r\n", "E-NO-COLON", '"no colon here"'),
        (GET + b"X: a\x1b[31m\"\r\n\r\n", "E-CTL", r'"X: a\x1b[31m\""'),
        (GET + b"X: a\nforged: line\r\n\r\n", "E-BARE-LF", r'"X: a\x0aforged: line"'),
        (GET + b"X: a\r\n folded\r\n\r\n", "E-FOLD", '" folded"'),
        (GET + b"X: \0\r\n\r\n", "E-NUL", r'"X: \x00"'),
        (GET + b"Cookie : secret=1\r\n\r\n", "E-SPACE-COLON", '"Cookie: ..."'),
        (GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "E-TE-CL", '"Transfer-Encoding: chunked, Content-Length: 5"'),
        (GET + b"Content-Length: +5\r\n\r\n", "E-CL", '"Content-Length: +5"'),
        (GET + b"Transfer-Encoding: xchunked\r\n\r\n", "E-TE-UNKNOWN", '"Transfer-Encoding: xchunked"'),
        (GET + b"Expect: \xff\r\n\r\n", "E-EXPECT", r'"Expect: \xff"'),
        (GET + b"X: " + b"y" * 20_000 + b"\r\n\r\n", "E-LINE-LONG", '"X: ' + "y" * 97 + '"'),
        (CHUNKED + b"5x\r\nhello\r\n0\r\n\r\n", "E-CHUNK-SIZE", r'"5x\x0d"'),
        (CHUNKED + b"5\r\nhello\r\nzz\r\n", "E-CHUNK-SIZE", r'"zz\x0d"'),
        (CHUNKED + b"5\r\nhello\r\n5;=\r\n", "E-CHUNK-EXT", r'"5;=\x0d"'),
        (CHUNKED + b"5\r\nhello\r\n0\r\nX y: z\r\n\r\n", "E-TRAILER", r'"X y: z\x0d"'),
        (CHUNKED + b"5\r\nhello\r\n0\r\nCookie : secret\r\n\r\n", "E-TRAILER", '"Cookie: ..."'),
        (CHUNKED + b"6\r\nsecretsecret\r\n0\r\n\r\n", "E-CHUNK-END", "is not followed by CRLF"),
    ],
)
def test_a_refusal_is_logged_with_the_field_to_blame(proxy, backend, sent, code, quoted):
    started = proxy(backend())
    with Client(started.port) as connection:
        connection.send(sent)
        assert connection.read_answer().status >= 400
    line = started.wait_for_log(f"[{code}]")
    assert quoted in line, line
    assert all(" " <= letter <= "~" for letter in line), line
    assert len(line) < 600
    assert "secret" not in line


def test_an_answer_that_is_refused_is_logged_with_the_field_to_blame(proxy, backend):
    for sent, code, quoted in (
        (b"HTTP/1.1 200 OK\r\nX y: \x80\r\n\r\n", "E-ANSWER", r'"X y: \x80"'),
        (b"HTTP/1.1 200 OK\r\nSet-Cookie id=7\r\n\r\n", "E-ANSWER", '"Set-Cookie: ..."'),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "E-ANSWER-FRAMING", '"Content-Length: 1, Content-Length: 2"'),
    ):
        started = proxy(backend(sent))
        assert started.ask().status == 502
        line = started.wait_for_log(f"[{code}]")
        assert quoted in line, line


def test_a_dead_backend_is_logged_with_what_happened(proxy, backend):
    origin = backend()
    started = proxy(origin)
    origin.stop()
    started.ask()
    line = started.wait_for_log(f":{origin.port}")
    assert "efused" in line or "dead" in line.lower(), line


def test_a_full_disk_fails_no_request(proxy, backend):
    with open("/dev/full", "wb") as full:
        started = proxy(backend(), top=["LogLevel 5"], stderr=full)
    with Client(started.port) as connection:
        for _ in range(2000):
            assert connection.ask().status == 200
    wait.until(started.is_idle, "it tries for ever to write")


def test_a_full_disk_is_told_of_and_not_once_a_request(pound, backend):
    port = wait.free_port()
    text = cfg.text("LogFacility -", cfg.listen(port, cfg.service(cfg.backend(backend()))))
    with open("/dev/full", "wb") as full:
        started = pound(text, port, options=("-F",), stdout=full)
    with Client(port) as connection:
        for _ in range(500):
            assert connection.ask().status == 200
    reason = "cannot write to standard output: No space left on device; "
    line = started.wait_for_log(reason)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d pound: warning: ", line), line
    started.stop()
    said = [line for line in started.lines() if reason in line]
    # One at once, one at the end; each ten seconds one more, should this machine be that slow.
    assert 1 <= len(said) <= 4, said
    assert said[-1].endswith("; 500 log lines were dropped so far"), said


def test_without_a_syslog_a_server_in_the_foreground_logs_to_standard_error(pound, backend, turn_at_dev_log):
    started = pound(*named_service(backend), options=("-F",))
    assert started.lines()[0].startswith("pound: warning: there is no /dev/log, so the log goes to standard error"), started.output()
    visit(started)
    started.wait_for_log("/x?y")
    with _dev_log() as syslog:
        # Nobody has to visit for that.
        started.wait_for_log("log lines go to syslog again", within=20)
        assert re.search(r"[1-9]\d* log lines went to standard error", _message(syslog, "standard error"))
        started.ask("/later")
        _message(syslog, "/later")
    assert "/later" not in started.output()
    os.unlink("/dev/log")
    # Syslog ends while we serve: nothing is lost then either.
    started.ask("/afterwards")
    started.wait_for_log("/afterwards")


def _start_daemon(home, text, **more):
    """Its supervisor's id, and what the command said."""
    pid_file = home / "pound.pid"
    run = process.run("-f", process.write(text, home), "-p", pid_file, **more)
    assert run.returncode == 0, run.stderr
    return int(wait.until(pid_file.read_text, "the pid file is empty")), run.stderr


def _stop_daemon(pid):
    os.kill(pid, signal.SIGTERM)
    wait.until(lambda: not os.path.exists(f"/proc/{pid}"), "it did not stop", within=20)


def test_a_daemon_without_a_syslog_says_what_is_lost_and_goes_on_when_there_is_one(backend, turn_at_dev_log, tmp_path):
    text, port = named_service(backend)
    pid, said = _start_daemon(tmp_path, text)
    try:
        assert "there is no /dev/log, so nothing will be logged" in said and 'LogFile "' in said, said
        for _ in range(10):
            assert ask(port, "/lost").status == 200
        with _dev_log() as syslog:
            try:
                line = _message(syslog, "log lines were dropped")
                assert int(re.search(r"(\d+) log lines were dropped", line)[1]) >= 10, line
                ask(port, "/found")
                _message(syslog, "/found")
            finally:
                os.unlink("/dev/log")
    finally:
        _stop_daemon(pid)


def test_a_daemon_without_a_syslog_logs_to_the_file_that_standard_error_is(backend, turn_at_dev_log, tmp_path):
    text, port = named_service(backend)
    errors = tmp_path / "errors"
    pid_file, file = tmp_path / "pound.pid", process.write(text, tmp_path)
    with open(errors, "wb") as stream:
        run = subprocess.run([process.binary(), "-f", file, "-p", pid_file], stdin=subprocess.DEVNULL, stderr=stream, timeout=30)
    assert run.returncode == 0, errors.read_text()
    try:
        assert ask(port, "/kept").status == 200
        wait.until(lambda: "/kept" in errors.read_text(), errors.read_text)
    finally:
        _stop_daemon(int(wait.until(pid_file.read_text, "the pid file is empty")))


def test_a_reader_that_stopped_reading_stalls_no_request(proxy, backend):
    reading, writing = os.pipe()
    try:
        started = proxy(backend(), top=["LogLevel 5"], stderr=writing)
        os.close(writing)
        before = started.memory()
        with Client(started.port) as connection:
            # 30 MB of lines: more than anybody should keep for a reader that does not read.
            for _ in range(20_000):
                assert connection.ask("/" + "long" * 350).status == 200
        assert started.memory() - before < 20 << 20
        os.set_blocking(reading, False)
        tail = b""

        def told_of_losses():
            nonlocal tail
            try:
                tail = tail[-100:] + os.read(reading, 1 << 20)
            except BlockingIOError:
                pass
            return re.search(rb"\b[1-9]\d* log lines were dropped\n", tail)

        wait.until(told_of_losses, "nothing says how many lines were dropped", every=0)
        os.set_blocking(reading, True)
    finally:
        os.close(reading)


def test_a_reader_that_has_gone_stops_nothing(proxy, backend):
    reading, writing = os.pipe()
    started = proxy(backend(), top=["LogLevel 5"], stderr=writing)
    os.close(writing)
    os.close(reading)
    for _ in range(50):
        assert started.ask().status == 200


@pytest.fixture
def turn_at_dev_log():
    """There is nothing at /dev/log but what this test puts there."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with open(Path(tempfile.gettempdir()) / "pound-test-dev-log.lock", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if os.path.lexists("/dev/log"):
            pytest.skip("this machine has a syslog of its own")
        yield


def _dev_log():
    """A socket at /dev/log."""
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    log.settimeout(20)
    return log


@pytest.fixture
def syslog(turn_at_dev_log):
    """A socket at /dev/log."""
    with _dev_log() as log:
        try:
            yield log
        finally:
            os.unlink("/dev/log")


def _message(log, part):
    while True:
        message = log.recv(65536).decode(errors="replace")
        if part in message:
            return message


def test_logs_to_syslog_in_the_foreground_without_e(pound, backend, syslog):
    text, port = named_service(backend, "LogFacility local3", 'LogTag "front"', "LogLevel 1")
    started = pound(text, port, options=("-F",))
    visit(started)
    message = _message(syslog, "/x?y")
    # Facility local3 is 19, severity info is 6: 19 * 8 + 6.
    assert re.match(rf"<158>.*front\[{started.pid}\]: " + REGULAR, message), message
    assert "/x?y" not in started.output()


def test_a_syslog_that_dies_and_comes_back_stalls_nothing(pound, backend, syslog):
    text, port = named_service(backend, "LogLevel 1")
    started = pound(text, port, options=("-F",))
    visit(started)
    _message(syslog, "/x?y")
    # Nobody reads any more: the socket's queue fills.
    with Client(started.port) as connection:
        for _ in range(2000):
            assert connection.ask().status == 200
    os.unlink("/dev/log")
    syslog.close()
    assert started.ask().status == 200
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
        again.bind("/dev/log")
        again.setblocking(False)

        def heard():
            started.ask("/again")
            try:
                return again.recv(65536)
            except BlockingIOError:
                return None

        wait.until(heard, "it does not find the new syslog", within=15, every=0.05)
