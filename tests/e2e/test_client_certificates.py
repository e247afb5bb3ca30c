"""Certificates of clients: who may come in, and what back-ends are told of them."""

import re
import ssl

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer
from peers.pound import check
from peers.tls import Authority, context, openssl

ENDS = (ssl.SSLError, ConnectionError, EOFError)
FIELDS = ["Subject", "Issuer", "notBefore", "notAfter", "serial", "certificate"]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Who signs certificates of clients."""
    return Authority(tmp_path_factory.mktemp("people"), "People")


@pytest.fixture(scope="module")
def ann(people):
    return people.issue(subject="/C=DE/O=Example, Ltd/CN=Ann", usage="clientAuth")


@pytest.fixture
def guarded(tls_proxy, backend, people):
    """A listener with these lines, and the back-end behind it."""

    def start(*lines, **more):
        lines = [line.replace("$CA", str(people.certificate)) for line in lines]
        server = backend()
        return tls_proxy(server, listener=lines, **more), server

    return start


def comes_in(tls_client, pound, certificate, version=None):
    """Whether a client with this certificate gets an answer. In TLS 1.3 it hears of a refusal only when it reads."""
    try:
        client = tls_client(pound, wanted=context(version=version, certificate=certificate))
        return client.ask().status == 200
    except ENDS:
        return False


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize(
    ("level", "none", "good", "strange"),
    [(0, True, True, True), (1, True, True, False), (2, False, True, False), (3, True, True, True)],
)
def test_who_comes_in(guarded, tls_client, ann, authority, version, level, none, good, strange):
    pound, _ = guarded(f"ClientCert {level}", 'VerifyList "$CA"')
    stranger = authority.issue(subject="/CN=Stranger", usage="clientAuth")
    assert comes_in(tls_client, pound, None, version) == none
    assert comes_in(tls_client, pound, ann, version) == good
    assert comes_in(tls_client, pound, stranger, version) == strange


def test_certificates_that_ran_out_or_are_for_servers_do_not_count(guarded, tls_client, people):
    pound, _ = guarded("ClientCert 2", 'VerifyList "$CA"')
    assert not comes_in(tls_client, pound, people.issue(subject="/CN=Old", usage="clientAuth", days=-1))
    assert not comes_in(tls_client, pound, people.issue(subject="/CN=Server", usage="serverAuth"))
    pound.wait_for_log("no TLS with 127.0.0.1: its certificate has run out")


def test_an_authoritys_own_certificate_counts_if_the_list_holds_that_very_one(tls_proxy, backend, tls_client, tmp_path):
    """What `openssl req -x509` makes when nothing is said about its purpose is an authority's (CA:TRUE)."""

    def make(name):
        file, key, both = (tmp_path / f"{name}.{end}" for end in ("crt", "key", "pem"))
        made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}")
        openssl(*made, "-keyout", key, "-out", file, cwd=tmp_path, within=60)
        both.write_bytes(file.read_bytes() + key.read_bytes())
        return file, both

    (listed, known), (_, stranger) = make("known"), make("stranger")
    pound = tls_proxy(backend(), listener=["ClientCert 2", f'VerifyList "{listed}"'])
    assert comes_in(tls_client, pound, known)
    assert not comes_in(tls_client, pound, stranger)
    pound.wait_for_log("its certificate is an authority's own (CA:TRUE); make it with")


def test_caList_alone_is_also_whom_we_believe(guarded, tls_client, ann):
    pound, _ = guarded("ClientCert 2", 'CAlist "$CA"')
    assert comes_in(tls_client, pound, ann)
    assert not comes_in(tls_client, pound, None)


def test_revoked_certificates_do_not_count(guarded, tls_client, people, tmp_path):
    good = people.issue(subject="/CN=Good", usage="clientAuth")
    bad = people.issue(subject="/CN=Bad", usage="clientAuth")
    people.revoke(bad)
    pound, _ = guarded("ClientCert 2", 'VerifyList "$CA"', f'CRLlist "{people.revoked(tmp_path)}"')
    assert comes_in(tls_client, pound, good)
    assert not comes_in(tls_client, pound, bad)
    pound.wait_for_log("its certificate is revoked (CRLlist)")


def test_a_list_that_ran_out_lets_nobody_in(guarded, tls_client, people, ann, tmp_path):
    pound, _ = guarded("ClientCert 2", 'VerifyList "$CA"', f'CRLlist "{people.revoked(tmp_path, "-1")}"')
    assert not comes_in(tls_client, pound, ann)
    pound.wait_for_log("the list in CRLlist has run out")


@pytest.mark.parametrize(("depth", "direct", "below"), [(0, True, False), (1, True, True)])
def test_a_chain_that_is_too_long_does_not_count(guarded, tls_client, people, ann, tmp_path, depth, direct, below):
    middle = people.delegate(tmp_path / "middle", "Middle")
    bob = middle.issue(subject="/CN=Bob", usage="clientAuth", chain=True)
    pound, _ = guarded(f"ClientCert 2 {depth}", 'VerifyList "$CA"')
    assert comes_in(tls_client, pound, ann) == direct
    assert comes_in(tls_client, pound, bob) == below


def test_a_resumed_session_is_still_whose_it_was(guarded, tls_client, ann):
    pound, server = guarded("ClientCert 2", 'VerifyList "$CA"')
    for version in VERSIONS:
        wanted = context(version=version, certificate=ann)
        first = tls_client(pound, wanted=wanted)
        first.ask()
        again = tls_client(pound, wanted=wanted, session=first.sock.session)
        again.ask()
        assert again.sock.session_reused
        subjects = [request.fields.one("X-SSL-Subject") for request in server.requests[-2:]]
        assert subjects == ["C = DE, O = Example\\, Ltd, CN = Ann"] * 2


# -- what back-ends are told


def test_the_back_end_is_told_whose_request_it_is(guarded, tls_client, people, ann):
    pound, server = guarded("ClientCert 1", 'VerifyList "$CA"')
    wanted = context(certificate=ann)
    tls_client(pound, wanted=wanted).ask()
    fields = server.requests[0].fields
    assert fields.one("X-SSL-Subject") == "C = DE, O = Example\\, Ltd, CN = Ann"
    assert fields.one("X-SSL-Issuer") == "CN = People"
    assert re.fullmatch(r"[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d 20\d\d GMT", fields.one("X-SSL-notBefore"))
    assert re.fullmatch(r"[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d 20\d\d GMT", fields.one("X-SSL-notAfter"))
    assert fields.one("X-SSL-serial").isdigit()
    sent = fields.one("X-SSL-certificate")
    text = ann.read_text()
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    assert sent == text[text.index(begin) : text.index(end) + len(end)].replace("\n", "")


def test_the_cipher_is_told_as_openssl_describes_it(guarded, tls_client):
    pound, server = guarded()
    tls_client(pound, wanted=context(version=VERSIONS[1])).ask()
    tls_client(pound, wanted=context(version=VERSIONS[0])).ask()
    told = [request.fields.one("X-SSL-cipher") for request in server.requests]
    assert told == [
        "TLSv1.3/TLS_AES_128_GCM_SHA256 TLSv1.3 Kx=any Au=any Enc=AESGCM(128) Mac=AEAD",
        "TLSv1.2/ECDHE-ECDSA-AES128-GCM-SHA256 TLSv1.2 Kx=ECDH Au=ECDSA Enc=AESGCM(128) Mac=AEAD",
    ]
    assert not any(request.fields.has(f"X-SSL-{name}") for request in server.requests for name in FIELDS)


def test_what_a_client_claims_of_itself_is_taken_out(guarded, tls_client):
    pound, server = guarded("ClientCert 1", 'VerifyList "$CA"')
    claims = [*(f"X-SSL-{name}: me" for name in [*FIELDS, "cipher", "other"]), "x_ssl_subject: me", "X-Ssl-SUBJECT: me"]
    tls_client(pound).ask(fields="".join(f"{claim}\r\n" for claim in claims))
    fields = server.requests[0].fields
    assert not [value for _, value in fields if value == "me"]
    assert len(fields.all("X-SSL-cipher")) == 1


def test_header_option_no_ssl(guarded, tls_client, ann):
    pound, server = guarded("ClientCert 1", 'VerifyList "$CA"', "HeaderOption no-ssl")
    tls_client(pound, wanted=context(certificate=ann)).ask(fields="X-SSL-Subject: me\r\n")
    fields = server.requests[0].fields
    assert not [name for name, _ in fields if name.lower().startswith("x-ssl")]
    assert fields.one("X-Forwarded-Proto") == "https"


# -- conditions


def test_a_service_for_one_certificate(pound, backend, tls_client, authority, people, ann):
    bob = people.issue(subject="/CN=Bob", usage="clientAuth")
    for_ann, others = backend(answer("for ann")), backend(answer("others"))
    port = wait.free_port()
    services = [cfg.service(f'ClientCert "{ann}"', cfg.backend(for_ann)), cfg.service(cfg.backend(others))]
    running = pound(cfg.text(cfg.listen_tls(port, f'Cert "{authority.issue("localhost")}"', services)), port)
    for certificate, expected in [(ann, "for ann"), (bob, "others"), (None, "others")]:
        assert tls_client(running, wanted=context(certificate=certificate)).ask().text == expected


def test_a_certificate_revoked_while_we_run_ends_its_sessions_too(guarded, tls_client, people, tmp_path):
    bob = people.issue(subject="/CN=Bob", usage="clientAuth")
    pound, _ = guarded("ClientCert 2", 'VerifyList "$CA"', f'CRLlist "{people.revoked(tmp_path)}"')
    wanted = context(certificate=bob)
    first = tls_client(pound, wanted=wanted)
    assert first.ask().status == 200
    people.revoke(bob)
    people.revoked(tmp_path)
    pound.wait_for_log("are read again")
    assert not comes_in(tls_client, pound, bob)
    with pytest.raises(ENDS):
        tls_client(pound, wanted=wanted, session=first.sock.session).ask()


def test_a_folded_certificate_is_only_sent_on_request(guarded, tls_client, ann):
    """C Pound's form: a line of PEM on each, every one but the first behind a tab."""

    def told(*lines):
        pound, server = guarded("ClientCert 1", 'VerifyList "$CA"', *lines)
        # What is folded is no field to a server that keeps to RFC 9112, so the bytes are looked at.
        heads = []

        def serve(connection):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.sock.recv(65536)
            heads.append(head)
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        server.serve = serve
        tls_client(pound, wanted=context(certificate=ann)).ask(fields="X-SSL-certificate: mine\r\n")
        (head,) = heads
        return head[head.index(b"X-SSL-certificate: ") + 19 :]

    pem = ann.read_text()
    lines = pem[: pem.index("-----END CERTIFICATE-----") + 25].splitlines()
    folded = told("HeaderOption ssl-folded")
    assert folded.startswith("\r\n\t".join(lines).encode() + b"\r\n")
    assert told().startswith("".join(lines).encode() + b"\r\n")
    assert b"mine" not in folded


# -- what templates and conditions see

FACTS = ["subject", "issuer", "serial", "notBefore", "notAfter", "fingerprint", "verified", "protocol", "cipher", "sni", "alpn"]
TELL = [f'SetHeader "Is-{name}: %[ssl {name}]"' for name in FACTS]


def told(server):
    fields = server.last.fields
    return {name: fields.get(f"Is-{name}", "") for name in FACTS}


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_templates_tell_what_is_known_of_tls(guarded, tls_client, ann, tmp_path, version):
    pound, server = guarded("ClientCert 1", 'VerifyList "$CA"', service=TELL)
    wanted = context(version=version, certificate=ann)
    wanted.set_alpn_protocols(["http/1.1"])
    client = tls_client(pound, wanted=wanted)
    client.ask()
    facts = told(server)
    shown = server.last.fields
    for name in FACTS[:5]:
        assert facts[name] == shown.one(f"X-SSL-{name}") != ""
    digest = openssl("x509", "-in", ann, "-noout", "-fingerprint", "-sha256", cwd=tmp_path)
    assert facts["fingerprint"] == digest.strip().partition("=")[2].replace(":", "").lower()
    assert (facts["verified"], facts["sni"], facts["alpn"]) == ("yes", "localhost", "http/1.1")
    assert (facts["protocol"], facts["cipher"]) == (client.sock.version(), client.sock.cipher()[0])


def test_templates_tell_nothing_of_a_certificate_that_is_not_there(guarded, tls_client):
    pound, server = guarded("ClientCert 1", 'VerifyList "$CA"', service=TELL)
    tls_client(pound).ask()
    facts = told(server)
    assert all(facts[name] == "" for name in FACTS[:7])
    assert facts["protocol"].startswith("TLSv1.")


def test_a_certificate_that_was_not_verified_is_told_apart(guarded, tls_client, authority):
    pound, server = guarded("ClientCert 3", service=TELL)
    stranger = authority.issue(subject="/CN=Stranger", usage="clientAuth")
    tls_client(pound, wanted=context(certificate=stranger)).ask()
    assert (told(server)["subject"], told(server)["verified"]) == ("CN = Stranger", "no")


def test_without_tls_templates_tell_nothing_of_it(proxy, backend):
    server = backend()
    proxy(server, service=TELL).ask()
    assert set(told(server).values()) == {""}


def test_a_service_may_be_for_those_whom_one_authority_has_signed(pound, backend, tls_client, authority, tmp_path):
    """The example of the manual, with its two authorities."""
    staff, partners = (Authority(tmp_path / name, name.title()) for name in ("staff", "partners"))
    both = tmp_path / "both.pem"
    both.write_text(staff.certificate.read_text() + partners.certificate.read_text())
    admin, site, port = backend(answer("admin")), backend(answer("site")), wait.free_port()
    mine = 'StringMatch "%[ssl issuer]" -exact "CN = Staff"'
    lines = [
        cfg.service('Path -beg "/admin"', "RequireClientCert yes", mine, cfg.backend(admin)),
        cfg.service('Path -beg "/admin"', "Error 403"),
        cfg.service(cfg.backend(site)),
    ]
    shown = [f'Cert "{authority.issue("localhost", "127.0.0.1")}"', "ClientCert 1", f'VerifyList "{both}"']
    server = pound(cfg.text(cfg.listen_tls(port, *shown, *lines)), port)

    def gets(certificate, target):
        wanted = context(certificate=certificate)
        got = tls_client(server, wanted=wanted).ask(target)
        return (got.status, got.text if got.status == 200 else "")

    people = {
        who: certificate and certificate.issue(subject=f"/CN={who}", usage="clientAuth")
        for who, certificate in (("nobody", None), ("ann", staff), ("bob", partners))
    }
    for who, certificate in people.items():
        assert gets(certificate, "/") == (200, "site")
        assert gets(certificate, "/admin/x") == ((200, "admin") if who == "ann" else (403, ""))


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_service_can_insist_where_the_listener_only_asks(pound, backend, tls_client, authority, people, ann, version):
    server, port = backend(), wait.free_port()
    lines = [cfg.service('Path -beg "/in"', "RequireClientCert yes", cfg.backend(server)), cfg.service(cfg.backend(server))]
    shown = [f'Cert "{authority.issue("localhost", "127.0.0.1")}"', "ClientCert 1", f'VerifyList "{people.certificate}"']
    started = pound(cfg.text(cfg.listen_tls(port, *shown, *lines)), port)
    certain = tls_client(started, wanted=context(version=version, certificate=ann))
    assert [certain.ask(target).status for target in ("/in", "/", "/in")] == [200, 200, 200]
    stranger = tls_client(started, wanted=context(version=version))
    refused = stranger.ask("/in")
    assert (refused.status, "E-CLIENT-CERT" in refused.text) == (403, True)
    # The connection goes on, and so does the session.
    assert stranger.ask("/").status == 200
    started.wait_for_log("E-CLIENT-CERT")
    # A resumed session still knows who has come.
    wanted = context(version=version, certificate=ann)
    first = tls_client(started, wanted=wanted)
    assert first.ask("/in").status == 200
    again = tls_client(started, wanted=wanted, session=first.sock.session)
    assert again.sock.session_reused and again.ask("/in").status == 200


@pytest.mark.parametrize("over_tls", [False, True])
def test_a_service_into_which_nobody_gets_is_warned_of(pound, backend, authority, tls_client, tmp_path, over_tls):
    port = wait.free_port()
    service = cfg.service("RequireClientCert yes", "Success")
    certificate = authority.issue("localhost", days=90)
    listener = cfg.listen_tls(port, f'Cert "{certificate}"', service) if over_tls else cfg.listen(port, service)
    checked = check(cfg.text(listener), tmp_path)
    assert checked.returncode == 0 and "nobody gets into this service" in checked.stderr
    started = pound(cfg.text(listener), port)
    assert (tls_client(started) if over_tls else started).ask().status == 403
