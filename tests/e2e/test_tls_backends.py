"""HTTPS to back-ends: whom we believe, what we show, and what is told when it goes wrong."""

import ssl

import pytest

from peers import configuration as cfg
from peers.backend import answer
from peers.tls import Authority, TlsBackend, openssl


@pytest.fixture
def secure(backend):
    """Starts a back-end within TLS that shows this certificate."""
    started = []

    def start(certificate, *arguments, **more):
        started.append(TlsBackend(certificate, *arguments, **more))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def fingerprint(file):
    return openssl("x509", "-in", file, "-noout", "-fingerprint", "-sha256", cwd=file.parent).strip().partition("=")[2]


def test_a_back_end_is_verified_by_the_authority_and_its_address(proxy, secure, authority):
    server = secure(authority.issue("127.0.0.1"), answer("secret"))
    pound = proxy(server, each=["HTTPS", f'CAlist "{authority.certificate}"'])
    assert pound.ask().text == "secret"
    assert pound.ask(method="POST", body=b"x" * 300_000).text == "secret"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_large_bodies_pass_both_ways(proxy, secure, authority, version):
    server = secure(authority.issue("127.0.0.1"), lambda request, _: answer(request.body), version=version)
    pound = proxy(server, each=["HTTPS", "Verify no"])
    body = bytes(index * 7 % 251 for index in range(3_000_000))
    assert pound.ask(method="POST", body=body).body == body


def test_the_server_name_is_asked_for_and_is_the_host(proxy, secure, authority):
    server = secure(authority.issue("app.test"))
    pound = proxy(server, each=["HTTPS", 'ServerName "app.test"', f'CAlist "{authority.certificate}"'])
    assert pound.ask(host="www.example").status == 200
    assert server.requests[0].fields.one("Host") == "app.test"
    assert server.names == ["app.test"]


@pytest.mark.parametrize("name, host", [("app.test", "app.test"), (None, "www.example:8443")])
def test_a_destination_names_https_and_the_host_that_is_sent(proxy, secure, authority, name, host):
    server = secure(authority.issue("app.test", "127.0.0.1"))
    each = ["HTTPS", f'CAlist "{authority.certificate}"', f'ServerName "{name}"' if name else ""]
    pound = proxy(server, each=each, listener=["xHTTP 2", "RewriteDestination 1"])
    fields = "Destination: http://www.example:8443/b\r\nIf: <http://www.example:8443/b> (<urn:uuid:1>)\r\n"
    assert pound.ask("/a", "MOVE", fields=fields, host="www.example:8443").status == 200
    sent = server.requests[0].fields
    assert sent.one("Host") == host
    assert sent.one("Destination") == f"https://{host}/b"
    assert sent.one("If") == f"<https://{host}/b> (<urn:uuid:1>)"


@pytest.mark.parametrize(
    "word, head",
    [
        ("bare-lf", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        ("fold", b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok"),
    ],
)
def test_a_breach_of_http_within_tls_is_put_right_too(proxy, secure, authority, word, head):
    server = secure(authority.issue("127.0.0.1"), lambda *_: head)
    assert proxy(server, each=["HTTPS", "Verify no"]).ask().status == 502
    assert proxy(server, each=["HTTPS", "Verify no", f"Tolerant {word}"]).ask().text == "ok"


def test_only_the_back_end_that_wants_a_name_gets_it(proxy, secure, backend, authority, pound):
    # The first one breaks off, the second one has no name of its own.
    broken = secure(authority.issue("other.test"))
    plain = backend()
    from peers import wait

    port = wait.free_port()
    first = cfg.backend(broken, "HTTPS", 'ServerName "app.test"', f'CAlist "{authority.certificate}"')
    running = pound(cfg.text(cfg.listen(port, cfg.service(first, cfg.emergency(plain)))), port)
    for _ in range(3):
        running.ask(host="www.example")
    assert {request.fields.one("Host") for request in plain.requests} <= {"www.example"}


REFUSALS = {
    "unknown_authority": ("127.0.0.1", {}, "its certificate comes from an authority that CAlist does not hold; CAlist with its authority, or Verify"),
    "another_name": ("other.test", {"believed": True}, "is not for 127.0.0.1 but for other names: other.test; ServerName with a name of its own, or Verify"),
    "run_out": ("127.0.0.1", {"believed": True, "days": -1}, "its certificate has run out, or that of an authority above it; a new certificate on the back-end"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_back_end_that_cannot_be_verified_is_a_502_and_the_log_says_what_would_help(proxy, secure, authority, tmp_path, case):
    name, options, sentence = REFUSALS[case]
    believed = options.pop("believed", False)
    file = authority.issue(name, **options)
    options["believed"] = believed
    server = secure(file)
    ours = authority if believed else Authority(tmp_path / "other", "Other")
    pound = proxy(server, each=["HTTPS", f'CAlist "{ours.certificate}"'])
    assert pound.ask().status == 502
    line = pound.wait_for_log("E-BACKEND-TLS")
    assert f"no TLS with the back-end: {sentence}" in line or f"certificate {sentence}" in line
    assert "Refused" not in line and "Other" not in line.replace("Other Authority", "")
    assert fingerprint(file).replace(":", "").lower() in line
    assert not server.requests


def made_by_openssl(folder, name, *more):
    """What `openssl req -x509` makes when nothing is said about its purpose: CA:TRUE, signed by itself."""
    file, key = folder / f"{name}.crt", folder / f"{name}.key"
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=plain"),
        *("-keyout", key, "-out", file, *more),
        cwd=folder,
        within=60,
    )
    both = folder / f"{name}.pem"
    both.write_bytes(file.read_bytes() + key.read_bytes())
    return file, both


def test_an_authoritys_own_certificate_counts_if_the_list_holds_that_very_one(proxy, secure, tmp_path):
    name = ("-addext", "subjectAltName=IP:127.0.0.1")
    file, both = made_by_openssl(tmp_path, "one", *name)
    server = secure(both)
    assert proxy(server, each=["HTTPS", f'CAlist "{file}"']).ask().status == 200
    # Another one of the same name and make does not.
    other, _ = made_by_openssl(tmp_path, "two", *name)
    pound = proxy(server, each=["HTTPS", f'CAlist "{other}"'])
    assert pound.ask().status == 502
    line = pound.wait_for_log("E-BACKEND-TLS")
    assert "its certificate is an authority's own (CA:TRUE); make it with -addext basicConstraints=CA:FALSE" in line


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("-addext", "subjectAltName=DNS:other.test"), "is not for 127.0.0.1 but for other names: other.test"),
        ((), "is not for 127.0.0.1: it has no subjectAltName"),
    ],
)
def test_the_name_of_a_listed_certificate_counts_all_the_same(proxy, secure, tmp_path, more, says):
    file, both = made_by_openssl(tmp_path, "one", *more)
    pound = proxy(secure(both), each=["HTTPS", f'CAlist "{file}"'])
    assert pound.ask().status == 502
    assert says in pound.wait_for_log("E-BACKEND-TLS")


def test_the_system_says_whom_to_believe(proxy, secure, authority):
    server = secure(authority.issue("127.0.0.1"))
    pound = proxy(server, each=["HTTPS"])
    assert pound.ask().status == 502
    trusting = proxy(server, each=["HTTPS"], env={"SSL_CERT_FILE": str(authority.certificate)})
    assert trusting.ask().status == 200


def test_verify_no_and_a_pinned_certificate(proxy, secure, authority):
    file = authority.issue("whatever.test")
    server = secure(file)
    assert proxy(server, each=["HTTPS", "Verify no"]).ask().status == 200
    assert proxy(server, each=["HTTPS", f'Verify "sha256:{fingerprint(file)}"']).ask().status == 200
    other = fingerprint(authority.issue("other.test"))
    pound = proxy(server, each=["HTTPS", f'Verify "sha256:{other}"'])
    assert pound.ask().status == 502
    pound.wait_for_log("it is another certificate than Verify names")


def test_we_show_a_certificate_to_a_back_end_that_asks(proxy, secure, authority):
    file = authority.issue(subject="/CN=pound", usage="clientAuth")
    server = secure(authority.issue("127.0.0.1"), believes=authority)
    assert proxy(server, each=["HTTPS", "Verify no", f'Cert "{file}"']).ask().status == 200
    assert proxy(server, each=[f'HTTPS "{file}"', "Verify no"]).ask().status == 200
    assert proxy(server, each=["HTTPS", "Verify no"]).ask().status == 502


def test_sessions_with_back_ends_are_resumed(proxy, secure, authority):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        server = secure(authority.issue("127.0.0.1"), answer(fields="Connection: close\r\n"), version=version)
        pound = proxy(server, top=["Workers 1"], each=["HTTPS", "Verify no"])
        assert [pound.ask().status for _ in range(4)] == [200] * 4
        assert server.resumed == [False, True, True, True]


def test_connections_to_back_ends_are_used_again(proxy, secure, authority, client):
    server = secure(authority.issue("127.0.0.1"))
    asking = client(proxy(server, top=["Workers 1"], each=["HTTPS", "Verify no"]))
    assert [asking.ask().status for _ in range(10)] == [200] * 10
    assert server.accepted == 1


def test_an_answer_that_was_cut_short_is_not_passed_on_as_whole(proxy, secure, authority):
    def cut(_, connection):
        connection.send("HTTP/1.0 200 OK\r\n\r\nhalf of i")
        # The socket alone: no farewell of TLS.
        connection.sock.shutdown(2)

    server = secure(authority.issue("127.0.0.1"), cut)
    pound = proxy(server, each=["HTTPS", "Verify no"])
    try:
        # Nothing of the answer had left when the end came; else the connection is cut.
        assert pound.ask().status == 502
    except (EOFError, ConnectionError):
        pass
    pound.wait_for_log("E-BACKEND-BROKEN")


def test_plain_http_where_tls_was_meant(proxy, backend):
    def refuse(connection):
        connection.fill()
        connection.send("HTTP/1.1 400 Bad Request\r\n\r\n")

    pound = proxy(backend(serve=refuse), each=["HTTPS", "Verify no"])
    assert pound.ask().status == 502
    pound.wait_for_log("E-BACKEND-TLS")


def test_a_location_with_https_is_turned(proxy, secure, authority):
    server = secure(
        authority.issue("127.0.0.1"),
        lambda *_: answer(status="302 Found", fields=f"Location: https://127.0.0.1:{server.port}/x\r\n"),
    )
    pound = proxy(server, each=["HTTPS", "Verify no"])
    assert pound.ask(host="www.example").fields.one("Location") == "http://www.example/x"
