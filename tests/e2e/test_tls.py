"""ListenHTTPS: handshakes, certificates by name, bytes within TLS, and what is refused."""

import resource
import select
import socket
import ssl
import subprocess
import threading
import time

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer
from peers.http import ask
from peers.pound import check
from peers.tls import TlsClient, context, curl, openssl, signature

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


# -- a request and its answer


def test_curl_gets_a_page_whose_certificate_it_verifies(tls_proxy, backend, authority):
    pound = tls_proxy(backend(answer("hello")))
    for version in ("1.2", "1.3"):
        assert curl(pound.port, authority, version) == "hello"


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_requests_follow_each_other_on_one_connection(tls_proxy, backend, tls_client, authority, version):
    server = backend(lambda request, _: answer(request.target))
    client = tls_client(tls_proxy(server), wanted=context(authority, version))
    assert [client.ask(f"/{number}").text for number in range(20)] == [f"/{number}" for number in range(20)]
    assert client.sock.version() == ("TLSv1.2" if version == VERSIONS[0] else "TLSv1.3")


def test_the_back_end_is_told_that_the_client_came_over_tls(tls_proxy, backend, tls_client):
    server = backend()
    pound = tls_proxy(server)
    tls_client(pound).ask(fields="X-Forwarded-Proto: http\r\n")
    fields = server.requests[0].fields
    assert fields.one("X-Forwarded-Proto") == "https"
    assert fields.one("X-Forwarded-Port") == str(pound.port)


def test_a_location_that_names_the_back_end_is_turned_to_https(tls_proxy, backend, tls_client):
    server = backend(lambda *_: answer(status="302 Found", fields=f"Location: http://127.0.0.1:{server.port}/x\r\n"))
    pound = tls_proxy(server)
    moved = tls_client(pound).ask(host=f"localhost:{pound.port}")
    assert moved.fields.one("Location") == f"https://localhost:{pound.port}/x"


def test_a_target_in_absolute_form_names_https(tls_proxy, backend, tls_client):
    client = tls_client(tls_proxy(backend()))
    assert client.ask("https://localhost/").status == 200
    assert client.ask("http://localhost/").status == 421


def test_alpn_agrees_on_http_1_1(tls_proxy, backend, tls_client):
    wanted = context()
    wanted.set_alpn_protocols(["h2", "http/1.1"])
    client = tls_client(tls_proxy(backend()), wanted=wanted)
    assert client.sock.selected_alpn_protocol() == "http/1.1"


def test_tickets_go_with_the_first_answer(tls_proxy, backend, authority):
    """Not before it, in a packet of their own: they are of no use to a client that has a connection."""
    came, go = threading.Event(), threading.Event()

    def reply(*_):
        came.set()
        assert go.wait(10)
        return answer("hello")

    pound = tls_proxy(backend(reply))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(authority, ssl.TLSVersion.TLSv1_3).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", pound.port), timeout=10) as sock:

        def step(do):
            while True:
                try:
                    return do()
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(65536))

        step(tls.do_handshake)
        tls.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        # The end of the handshake and the request, in one piece.
        sock.sendall(outgoing.read())
        assert came.wait(10)
        assert select.select([sock], [], [], 0)[0] == []
        go.set()
        assert step(lambda: tls.read(65536)).startswith(b"HTTP/1.1 200 ")
        assert tls.session.has_ticket


def test_clients_that_say_nothing_take_no_place_of_a_handshake(tls_proxy, backend, tls_client):
    """There are 4096 places, and when they are taken the oldest handshake ends; to be connected is not to have begun one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = float("inf") if hard == resource.RLIM_INFINITY else hard
    if allowed < 10_000:
        pytest.skip(f"5,000 connections need 10,000 descriptors, and {allowed} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(allowed, 20_000), hard))
    silent = []
    try:
        # Each worker has places of its own.
        pound = tls_proxy(backend(), top=["Workers 1"])
        first = socket.create_connection(("127.0.0.1", pound.port), timeout=10)
        silent.append(first)
        silent.extend(socket.create_connection(("127.0.0.1", pound.port)) for _ in range(4200))
        # They are all taken by now: connections are taken in the order in which they came.
        assert tls_client(pound).ask().status == 200
        with context().wrap_socket(first, server_hostname="localhost") as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert tls.recv(65536).startswith(b"HTTP/1.1 200 ")
    finally:
        for sock in silent:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- bytes


@pytest.mark.parametrize("size", [1, 16_000, 16_384, 16_385, 100_000, 5_000_000])
def test_bodies_of_any_size_pass_in_both_directions(tls_proxy, backend, tls_client, size):
    server = backend(lambda request, _: answer(request.body))
    client = tls_client(tls_proxy(server))
    body = bytes(index * 7 % 251 for index in range(size))
    assert client.ask(method="POST", body=body).body == body
    assert client.ask(method="POST", body=body[::-1]).body == body[::-1]


def test_a_body_that_drips_in_records_of_one_byte_arrives(tls_proxy, backend, tls_client):
    server = backend(lambda request, _: answer(request.body))
    client = tls_client(tls_proxy(server))
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300\r\n\r\n")
    for _ in range(300):
        client.send(b"x")
    assert client.read_answer().body == b"x" * 300


def test_a_client_that_does_not_read_holds_the_back_end_back(tls_proxy, backend, tls_client):
    size = 50_000_000
    server = backend(answer(b"x" * size))
    pound = tls_proxy(server)
    before = pound.memory()
    client = tls_client(pound)
    client.send_request()
    wait.until(lambda: server.requests, "no request came")
    client.read_answer_head()
    assert pound.memory() - before < 8_000_000
    left = size - len(client.buffer)
    while left:
        piece = client.sock.recv(65536)
        assert piece, f"{left} bytes are missing"
        left -= len(piece)


def test_websockets_pass(tls_proxy, backend, tls_client):
    def switch(request, connection):
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        while connection.fill():
            connection.send(connection.buffer)
            connection.buffer = b""

    client = tls_client(tls_proxy(backend(switch)))
    switched = client.ask(fields="Connection: Upgrade\r\nUpgrade: echo\r\n")
    assert switched.status == 101
    for size in (1, 70_000, 300_000):
        client.send(b"y" * size)
        assert client.read_exactly(size) == b"y" * size


# -- how connections end


def test_an_answer_that_ends_with_its_connection_ends_with_a_farewell(tls_proxy, backend, tls_client):
    server = backend(lambda *_: answer("all of it", length=False, fields="Connection: close\r\n"))
    client = tls_client(tls_proxy(server))
    # Python raises SSLEOFError at an end without close_notify, if asked for.
    client.sock.suppress_ragged_eofs = False
    client.send_request(version="1.0")
    assert client.read_answer().body == b"all of it"


def test_an_answer_that_was_cut_short_ends_without_one(tls_proxy, backend, tls_client):
    def cut(_, connection):
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        begun.wait(10)
        connection.reset()

    begun = threading.Event()
    client = tls_client(tls_proxy(backend(cut)))
    client.sock.suppress_ragged_eofs = False
    client.send_request(version="1.0")
    head = client.read_answer_head()
    begun.set()
    with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
        client.read_answer_body(head)


def test_an_idle_connection_ends_with_a_farewell(tls_proxy, backend, tls_client):
    client = tls_client(tls_proxy(backend(), listener=["Client 1"]))
    client.sock.suppress_ragged_eofs = False
    assert client.ask().status == 200
    assert client.at_end()


# -- which certificate


@pytest.fixture
def sites(tls_proxy, backend, authority):
    def start(*lines):
        names = (["a.test"], ["b.test", "*.b.test"], ["c.b.test"])
        files = [authority.issue(*site) for site in names]
        return tls_proxy(backend(), certificates=files, listener=lines)

    return start


CHOICES = {
    "a.test": ["a.test"],
    "A.Test": ["a.test"],
    "b.test": ["b.test", "*.b.test"],
    "x.b.test": ["b.test", "*.b.test"],
    "c.b.test": ["c.b.test"],
    "y.x.b.test": ["a.test"],
    "unknown.test": ["a.test"],
    None: ["a.test"],
}


def test_the_certificate_follows_the_name(sites, tls_client, authority):
    pound = sites()
    for name, expected in CHOICES.items():
        wanted = context(authority)
        wanted.check_hostname = False
        assert tls_client(pound, name, wanted=wanted).shown() == expected, name


def test_an_unknown_name_is_turned_away_by_strict_sni(sites, tls_client):
    pound = sites("StrictSNI yes")
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        tls_client(pound, "unknown.test")
    assert tls_client(pound, "x.b.test").ask(host="x.b.test").status == 200
    assert tls_client(pound, None).ask(host="a.test").status == 200
    pound.wait_for_log("no certificate is for unknown.test (StrictSNI)")


def test_a_host_of_another_certificate_is_misdirected(sites, tls_client):
    pound = sites()
    for name, host, status in [
        ("a.test", "a.test", 200),
        ("a.test", f"A.test.:{pound.port}", 200),
        ("a.test", "b.test", 421),
        ("a.test", "unknown.test", 421),
        ("a.test", "192.0.2.1", 421),
        ("b.test", "x.b.test", 200),
        ("b.test", "c.b.test", 200),
        ("unknown.test", "unknown.test", 200),
        ("unknown.test", "a.test", 200),
        ("unknown.test", "b.test", 421),
        (None, "127.0.0.1", 200),
        (None, "unknown.test", 200),
        (None, "b.test", 421),
    ]:
        assert tls_client(pound, name).ask(host=host).status == status, (name, host)


def test_misdirected_hosts_pass_where_they_are_not_checked(sites, tls_client):
    pound = sites("CheckHost no")
    assert tls_client(pound, "a.test").ask(host="b.test").status == 200


def test_ecdsa_or_rsa_by_what_the_client_can_do(tls_proxy, backend, authority, tmp_path):
    files = [authority.issue("localhost", kind=kind) for kind in ("rsa:2048", "ec")]
    pound = tls_proxy(backend(), certificates=files)

    def kind(*options):
        printed = openssl("s_client", "-connect", f"127.0.0.1:{pound.port}", "-servername", "localhost", *options, cwd=tmp_path)
        return signature(printed)[0]

    assert kind() == "ECDSA"
    assert kind("-tls1_2") == "ECDSA"
    assert kind("-sigalgs", "rsa_pss_rsae_sha256") == "RSA-PSS"
    assert kind("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256") == "RSA-PSS"


@pytest.mark.parametrize("named", ["", "*.pem"])
def test_certificates_of_a_directory_are_read_in_the_order_of_their_names(
    tls_proxy, backend, tls_client, authority, tmp_path, named
):
    folder = tmp_path / "certificates"
    authority.issue("second.test", file=folder / "2.pem")
    authority.issue("first.test", file=folder / "1.pem", key_apart=True)
    (folder / ".hidden").write_text("no certificate")
    pound = tls_proxy(backend(), certificates=[folder / named if named else folder])
    wanted = context(authority)
    wanted.check_hostname = False
    assert tls_client(pound, None, wanted=wanted).shown() == ["first.test"]
    assert tls_client(pound, "second.test", wanted=wanted).shown() == ["second.test"]


# -- sessions


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_session_is_resumed_by_any_worker(tls_proxy, backend, tls_client, version):
    pound = tls_proxy(backend(), top=["Workers 3"])
    wanted = context(version=version)
    first = tls_client(pound, wanted=wanted)
    first.ask()
    session = first.sock.session
    assert not first.sock.session_reused
    for _ in range(12):
        client = tls_client(pound, wanted=wanted, session=session)
        client.ask()
        assert client.sock.session_reused
        session = client.sock.session


def test_a_session_is_resumed_by_its_number_where_there_are_no_tickets(tls_proxy, backend, tls_client):
    pound = tls_proxy(backend(), top=["Workers 2"])
    wanted = context(version=ssl.TLSVersion.TLSv1_2)
    wanted.options |= ssl.OP_NO_TICKET
    first = tls_client(pound, wanted=wanted)
    assert first.ask().status == 200
    for _ in range(6):
        client = tls_client(pound, wanted=wanted, session=first.sock.session)
        assert client.sock.session_reused


def test_a_session_of_one_listener_is_none_of_another(pound, authority, tls_client):
    ports = [wait.free_port(), wait.free_port()]
    certificate = f'Cert "{authority.issue("localhost")}"'
    listeners = [cfg.listen_tls(port, certificate, cfg.service("Success")) for port in ports]
    pound(cfg.text(*listeners), ports[0])
    for version in VERSIONS:
        wanted = context(version=version)
        first = tls_client(ports[0], wanted=wanted)
        first.ask()
        other = tls_client(ports[1], wanted=wanted, session=first.sock.session)
        assert other.ask().status == 200
        assert not other.sock.session_reused


# -- what is no TLS


def test_http_on_the_port_of_https_gets_a_page_with_a_link(tls_proxy, backend):
    pound = tls_proxy(backend())
    refused = ask(pound.port, "/a?b=1&c=2", host=f"localhost:{pound.port}")
    assert refused.status == 400
    link = f"https://localhost:{pound.port}/a?b=1&amp;c=2"
    assert f'<a href="{link}">' in refused.text
    assert refused.fields.tokens("Connection") == ["close"]
    pound.wait_for_log("E-PLAIN-HTTP")


def test_the_link_repeats_no_raw_byte_of_the_request(tls_proxy, backend):
    pound = tls_proxy(backend())
    refused = ask(pound.port, "/'x'&lt", host="localhost")
    assert "'x'" not in refused.text
    assert "&#39;x&#39;&amp;lt" in refused.text


def test_what_is_neither_tls_nor_http_is_dropped(tls_proxy, backend, client):
    pound = tls_proxy(backend())
    for bytes_ in (b"\0" * 100, b"\x80\x2e\x01\0\x02", b"\x16\x03\x01\xff\xff" + b"\xff" * 20_000, b"\x16\x03\x01\0\x05hello"):
        broken = client(pound)
        broken.send(bytes_)
        broken.read_to_end()
    with_tls = subprocess.run(
        ["curl", "--silent", "--insecure", f"https://127.0.0.1:{pound.port}/"], capture_output=True
    )
    assert with_tls.returncode == 0


def test_old_protocols_are_refused(tls_proxy, backend, tmp_path):
    pound = tls_proxy(backend())
    for old in ("-tls1", "-tls1_1"):
        printed = openssl(
            *("s_client", "-connect", f"127.0.0.1:{pound.port}", old, "-cipher", "ALL:@SECLEVEL=0"), cwd=tmp_path
        )
        assert "Cipher is (NONE)" in printed


def test_a_client_that_falls_back_to_tls_1_2_is_not_refused_by_us(tls_proxy, backend, tmp_path):
    """docs/manual/tls.md: TLS_FALLBACK_SCSV is not looked at. Newer clients see by themselves that 1.3 was to be had."""
    pound = tls_proxy(backend())
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    options = ("-connect", f"127.0.0.1:{pound.port}", "-tls1_2", "-fallback_scsv", "-ign_eof", "-quiet")
    printed = openssl("s_client", *options, cwd=tmp_path, data=request)
    # RFC 7507 section 3: the alert inappropriate_fallback.
    assert "alert number 86" not in printed, printed
    assert "HTTP/1.1 200 " in printed or "inappropriate fallback" in printed.lower(), printed


# What old clients offer in TLS 1.2.
INTERNET_EXPLORER_11_ON_WINDOWS_7 = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:ECDHE-ECDSA-AES256-SHA:AES256-SHA256:AES128-SHA"
)
SAFARI_7 = (
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA384:"
    "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:AES256-SHA256:AES128-SHA"
)


@pytest.mark.parametrize(
    "ciphers, kinds, served",
    [
        (INTERNET_EXPLORER_11_ON_WINDOWS_7, ["rsa:2048"], False),
        (INTERNET_EXPLORER_11_ON_WINDOWS_7, ["rsa:2048", "ec"], True),
        (SAFARI_7, ["rsa:2048"], False),
        (SAFARI_7, ["rsa:2048", "ec"], False),
    ],
)
def test_old_clients_are_served_as_the_manual_says(tls_proxy, backend, tls_client, authority, ciphers, kinds, served):
    pound = tls_proxy(backend(), certificates=[authority.issue("localhost", kind=kind) for kind in kinds])
    wanted = context(authority, ssl.TLSVersion.TLSv1_2)
    wanted.set_ciphers(ciphers)
    if served:
        assert tls_client(pound, wanted=wanted).ask().status == 200
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            tls_client(pound, wanted=wanted)


# -- bounds


def test_a_handshake_that_does_not_end_is_cut_off(tls_proxy, backend, client):
    pound = tls_proxy(backend(), listener=["Client 1"])
    silent, half = client(pound), client(pound)
    half.send(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03")
    assert silent.has_ended_within(5)
    assert half.has_ended_within(5)


def test_half_handshakes_do_not_keep_others_out(tls_proxy, backend, tls_client):
    pound = tls_proxy(backend(), top=["Workers 1"], listener=["Client 60"])
    half = []
    for _ in range(4200):
        sock = socket.create_connection(("127.0.0.1", pound.port))
        sock.send(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03")
        half.append(sock)
    assert tls_client(pound).ask().status == 200
    for sock in half:
        sock.close()


# -- at the start


def refused(text, tmp_path):
    """The first line that a start with this configuration prints."""
    from peers.pound import run, write

    done = run("-e", "-f", write(text, tmp_path), cwd=tmp_path)
    assert done.returncode != 0
    return done.stderr


MISTAKES = {
    "missing": (lambda file: file.unlink(), "cannot be read"),
    "empty": (lambda file: file.write_text(""), "there is no certificate in it"),
    "no_key": (lambda file: file.write_text(file.read_text().partition("-----BEGIN PRIV")[0]), "there is no private key"),
    "broken": (lambda file: file.write_text(file.read_text().replace("MII", "!!!")), "it is no PEM"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_certificate_that_cannot_be_used_refuses_the_start(authority, tmp_path, mistake):
    spoil, reason = MISTAKES[mistake]
    file = authority.issue("localhost", file=tmp_path / "site.pem")
    spoil(file)
    text = cfg.text(cfg.listen_tls(wait.free_port(), f'Cert "{file}"', cfg.service("Success")))
    printed = refused(text, tmp_path)
    assert reason in printed
    assert "pound.cfg:4: Cert" in printed and str(file) in printed


def test_a_key_of_another_certificate_refuses_the_start(authority, tmp_path):
    one, other = (authority.issue("localhost").read_text().partition("-----BEGIN PRIV") for _ in range(2))
    file = tmp_path / "site.pem"
    file.write_text(one[0] + other[1] + other[2])
    text = cfg.text(cfg.listen_tls(wait.free_port(), f'Cert "{file}"', cfg.service("Success")))
    assert "private key does not belong" in refused(text, tmp_path)


def test_a_listener_needs_a_certificate(tmp_path):
    text = cfg.text(cfg.listen_tls(wait.free_port(), cfg.service("Success")))
    assert "this ListenHTTPS has no Cert" in check(text, tmp_path).stderr


# -- certificates that change


def shown_soon(tls_client, pound, name, authority, expected, within=3):
    wanted = context(authority)
    wanted.check_hostname = False

    def shown():
        with tls_client(pound, name, wanted=wanted) as client:
            return client.shown() == expected

    wait.until(shown, f"{expected} is not shown", within)


def test_a_certificate_follows_its_file(tls_proxy, backend, tls_client, authority, tmp_path):
    file = authority.issue("old.test", file=tmp_path / "site.pem")
    pound = tls_proxy(backend(), certificates=[file])
    before = tls_client(pound, "old.test")
    assert before.ask(host="old.test").status == 200
    began = time.monotonic()
    authority.issue("new.test", file=file)
    shown_soon(tls_client, pound, "new.test", authority, ["new.test"])
    # A second, and what a busy machine adds.
    assert time.monotonic() - began < 4
    pound.wait_for_log(f"certificate {file} is in use (new.test)")
    assert before.ask(host="old.test").status == 200


def test_a_broken_file_leaves_the_old_certificate(tls_proxy, backend, tls_client, authority, tmp_path):
    file = authority.issue("old.test", file=tmp_path / "site.pem")
    pound = tls_proxy(backend(), certificates=[file])
    good = file.read_text()
    file.write_text(good[: len(good) // 3])
    pound.wait_for_log("the old one stays")
    shown_soon(tls_client, pound, "old.test", authority, ["old.test"])
    file.unlink()
    pound.wait_for_log("the certificates that were there stay")
    shown_soon(tls_client, pound, "old.test", authority, ["old.test"])
    authority.issue("new.test", file=file)
    shown_soon(tls_client, pound, "new.test", authority, ["new.test"])
    assert len([line for line in pound.lines() if "the old one stays" in line]) == 1


def test_certificates_come_to_a_directory_and_go(tls_proxy, backend, tls_client, authority, tmp_path):
    folder = tmp_path / "certificates"
    authority.issue("a.test", file=folder / "a.pem")
    pound = tls_proxy(backend(), certificates=[folder], listener=["StrictSNI yes"])
    authority.issue("b.test", file=folder / "b.pem")
    shown_soon(tls_client, pound, "a.test", authority, ["a.test"])
    pound.wait_for_log("b.pem is in use (b.test)")
    shown_soon(tls_client, pound, "b.test", authority, ["b.test"])
    (folder / "b.pem").unlink()
    pound.wait_for_log("b.pem is no longer shown")
    with pytest.raises(ssl.SSLError):
        tls_client(pound, "b.test")


def test_certificates_change_under_load_without_a_failed_request(tls_proxy, backend, authority, tmp_path):
    kinds = [authority.issue("localhost", kind=kind).read_bytes() for kind in ("ec", "ec", "rsa:2048")]
    file = tmp_path / "site.pem"
    file.write_bytes(kinds[0])
    pound = tls_proxy(backend(), certificates=[file])
    stop, failed, passed = threading.Event(), [], [0]

    def load():
        while not stop.is_set():
            try:
                with TlsClient(pound.port, wanted=context(authority)) as client:
                    assert client.ask().status == 200
                    assert client.ask().status == 200
                passed[0] += 1
            except Exception as error:  # noqa: BLE001 (every failure counts)
                failed.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(200):
        # As renewals do it, and as editors do.
        if number % 2:
            fresh = tmp_path / "fresh"
            fresh.write_bytes(kinds[number % 3])
            fresh.rename(file)
        else:
            file.write_bytes(kinds[number % 3])
        stop.wait(0.02 if number % 20 else 0.7)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed, failed[:3]
    assert passed[0] > 100
    assert len([line for line in pound.lines() if "is in use" in line]) >= 5


def test_a_certificate_that_is_about_to_run_out_is_warned_of(tls_proxy, backend, authority):
    files = [authority.issue(f"{days}.test", days=days) for days in (1, 6, 29, 40)]
    pound = tls_proxy(backend(), certificates=files)
    pound.wait_for_log("(1.test); renew it")
    pound.wait_for_log("(6.test); renew it")
    line = pound.wait_for_log("(29.test); renew it")
    assert "runs out in 28 days" in line or "runs out in 29 days" in line
    assert "40.test" not in pound.output()


def test_a_key_that_everybody_can_read_is_warned_of(tls_proxy, backend, authority):
    file = authority.issue("localhost")
    file.chmod(0o644)
    tls_proxy(backend(), certificates=[file]).wait_for_log(f"everybody can read the private key in {file}")


def test_an_ocsp_answer_goes_with_its_certificate(tls_proxy, backend, authority, tmp_path):
    file = authority.issue("localhost", file=tmp_path / "site.pem")
    pound = tls_proxy(backend(), certificates=[file])

    def stapled():
        printed = openssl(
            *("s_client", "-connect", f"127.0.0.1:{pound.port}", "-servername", "localhost", "-status"), cwd=tmp_path
        )
        return "OCSP Response Status: successful" in printed

    assert not stapled()
    authority.staple(file, days=3)
    wait.until(stapled, "the OCSP answer is not sent")
    authority.staple(file, days=0)
    pound.wait_for_log("has run out and is not sent")
    assert not stapled()
    file.with_suffix(".ocsp").write_bytes(b"nonsense")
    pound.wait_for_log("there is no good OCSP answer")


# -- what is spoken


def test_protocols_and_ciphers_follow_the_file(tls_proxy, backend, tls_client):
    def spoken(*lines):
        pound = tls_proxy(backend(), listener=lines)
        found = []
        for version in VERSIONS:
            try:
                found.append(tls_client(pound, wanted=context(version=version)).sock.cipher()[0])
            except (ssl.SSLError, ConnectionError):
                found.append(None)
        return found

    assert spoken("Disable TLSv1_2") == [None, "TLS_AES_128_GCM_SHA256"]
    assert spoken('Ciphers "AES256" -ciphersuites "TLS_CHACHA20_POLY1305_SHA256"') == [
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    ]
    # OpenSSL's clients like AES with 256 bits best.
    assert spoken("SSLHonorCipherOrder no") == ["ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384"]
    assert spoken() == ["ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"]
