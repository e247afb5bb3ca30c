"""Requests that come back: a back-end that is a listener of the same process, by itself or by way of others."""

import re
import tempfile
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait

# Times that a request may go to a listener of our own (engine/src/limits.rs), and once from the client.
ROUNDS = 8 + 1


@pytest.fixture
def folder():
    """A short path: the kernel allows 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="pd-") as path:
        yield Path(path)


def to(address, port=None, *lines):
    return cfg.service(cfg.block("Backend", f"Address {address}", f"Port {port}" if port else [], *lines))


def check_circle(started, answer):
    """The client has got its 508, and the log says once why and where, after a bounded number of rounds."""
    assert answer.status == 508
    line = started.wait_for_log("[E-LOOP]")
    assert "correct Address or Port of this Backend" in line
    # Each round has its line; they are written together, the client's own last.
    wait.until(lambda: len(rounds(started)) >= ROUNDS, started.output)
    assert len(rounds(started)) == ROUNDS
    assert len([line for line in started.lines() if "[E-LOOP]" in line]) == 1
    return line


def rounds(started):
    return [line for line in started.lines() if "GET /round" in line and "[E-LOOP]" not in line]


@pytest.mark.parametrize(
    "listens,goes",
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "127.1.2.3"),
        ("0.0.0.0", "0.0.0.0"),
        ("::", "127.0.0.1"),
        ("::", "::1"),
        ("localhost", "127.0.0.1"),
    ],
)
def test_a_back_end_that_is_the_listener_itself_ends_with_508(pound, listens, goes):
    port = wait.free_port()
    started = pound(cfg.text(cfg.listen(port, to(goes, port), address=listens)), port)
    line = check_circle(started, started.ask("/round"))
    assert re.search(rf"=> \[?{re.escape(goes)}\]?:{port}: ", line)
    # At the start, too.
    assert "this back-end is the listener that its requests come from" in started.output()


def test_a_unix_socket_that_is_the_listener_itself_ends_with_508(pound, folder):
    path = folder / "socket"
    text = cfg.text(cfg.block("ListenHTTP", f'Address "{path}"', to(f'"{path}"')))
    started = pound(text, path)
    check_circle(started, started.ask("/round"))


def test_a_circle_within_tls_ends_with_508(pound, authority, tls_client):
    port = wait.free_port()
    certificate = f'Cert "{authority.issue("localhost", "127.0.0.1", days=90)}"'
    text = cfg.text(cfg.listen_tls(port, certificate, to("127.0.0.1", port, "HTTPS", "Verify no")))
    started = pound(text, port)
    check_circle(started, tls_client(started).ask("/round"))


@pytest.mark.parametrize("count", [2, 3])
def test_a_circle_through_several_listeners_ends_with_508(pound, count):
    ports = [wait.free_port() for _ in range(count)]
    listeners = [cfg.listen(port, to("127.0.0.1", ports[(at + 1) % count])) for at, port in enumerate(ports)]
    started = pound(cfg.text(listeners), ports[0])
    check_circle(started, started.ask("/round"))
    assert started.output().count("this back-end is a listener from which requests come back here") == count


def test_bodies_and_kept_connections_come_out_of_a_circle_whole(pound, client):
    port = wait.free_port()
    started = pound(cfg.text(cfg.listen(port, to("127.0.0.1", port))), port)
    visitor = client(started)
    for _ in range(3):
        assert visitor.ask("/round", "POST", body=b"x" * 1000).status == 508
    wait.until(lambda: sum("[E-LOOP]" in line for line in started.lines()) == 3, started.output)


def test_listeners_in_a_row_pass_requests_to_the_server_behind_them(pound, backend, authority, tls_client, tmp_path):
    origin = backend()
    ports = [wait.free_port() for _ in range(8)]
    ends = ports[1:] + [origin.port]
    inner = [cfg.listen(port, to("127.0.0.1", end)) for port, end in zip(ports, ends)]
    outside = wait.free_port()
    certificate = f'Cert "{authority.issue("localhost", "127.0.0.1", days=90)}"'
    text = cfg.text(cfg.listen_tls(outside, certificate, to("127.0.0.1", ports[0])), inner)
    checked = process.check(text, tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    started = pound(text, outside)
    visitor = tls_client(started)
    for _ in range(3):
        assert visitor.ask("/far").status == 200
    assert not origin.last.fields.has("Pound-Hops")
    assert "[E-LOOP]" not in started.output()


def test_a_mark_reaches_no_server_and_means_nothing_from_a_client(pound, backend, client):
    origin = backend()
    port, inner = wait.free_port(), wait.free_port()
    text = cfg.text(
        cfg.listen(port, cfg.service('Path -beg "/direct"', cfg.backend(origin)), to("127.0.0.1", inner)),
        cfg.listen(inner, cfg.service(cfg.backend(origin))),
    )
    started = pound(text, port)
    for target in ("/direct", "/by/the/inner/one"):
        for mark in ("", "Pound-Hops: 8-0000000000000000\r\n", "pound-hops: 255\r\nPound_Hops: 9\r\nPound-Hops: 9\r\n"):
            assert client(started).ask(target, fields=mark).status == 200
            assert not [name for name, _ in origin.last.fields if "hops" in name.lower()]
    chunked = b"3\r\nabc\r\n0\r\nPound-Hops: 8\r\n\r\n"
    visitor = client(started)
    visitor.send(b"POST /direct HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)
    assert visitor.read_answer().status == 200
    assert not origin.last.trailers.has("Pound-Hops")


def test_minus_c_warns_of_a_circle_and_shows_both_places(tmp_path):
    text = cfg.text(cfg.listen(8080, to("localhost", 8080), address="0.0.0.0"))
    checked = process.check(text, tmp_path)
    assert checked.returncode == 0
    assert "warning: this back-end is the listener that its requests come from" in checked.stderr
    assert re.search(r"pound\.cfg:6:9\n.*1 \| ListenHTTP\n.*6 \| +Address localhost\n", checked.stderr, re.DOTALL)
    assert "508" in checked.stderr
