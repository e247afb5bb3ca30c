"""What `openssl s_client` sees and what the log says of it: versions, sessions, and certificates of clients."""

import re
import subprocess

import pytest

from peers import wait
from peers.backend import answer
from peers.http import TIMEOUT_SECONDS
from peers.tls import Authority

VERSIONS = {"1.2": "-tls1_2", "1.3": "-tls1_3"}
# Alerts by their numbers (RFC 8446 section 6), as OpenSSL prints them.
UNSUPPORTED, REVOKED, EXPIRED, UNKNOWN, UNKNOWN_CA, DECRYPT_ERROR, CERTIFICATE_REQUIRED = 43, 44, 45, 46, 48, 51, 116


class Seen:
    """What one run of `s_client` printed."""

    def __init__(self, printed):
        # What it tells goes through a buffer and the answer does not, so that the one may stand within a word of the other.
        answered = re.search(r"HTTP/1\.1 (\d{3}) .*?Content-Length: (\d+)\r\n.*?\r\n\r\n", printed, re.S)
        self.status = self.body = None
        if answered:
            end = answered.end() + int(answered[2])
            self.status, self.body = int(answered[1]), printed[answered.end() : end]
            printed = printed[: answered.start()] + printed[end:]
        self.text = printed
        self.alert = next(map(int, re.findall(r"SSL alert number (\d+)", printed)), None)
        # `New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256`
        agreed = re.search(r"^(New|Reused), TLSv\S+, Cipher is ", printed, re.M)
        self.reused = bool(agreed) and agreed[1] == "Reused"
        self.version = next(iter(re.findall(r"^\s*Protocol *: TLSv(\S+)", printed, re.M)), None)
        self.was_asked = "Acceptable client certificate CA names" in printed

    def __repr__(self):
        return self.text


def s_client(pound, version, *options, certificate=None, asks=True):
    """One connection to its end. Whoever is refused must not ask: in TLS 1.3 he hears of it only after his part of the
    handshake, and what he has sent by then would be in the way of the alert."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{pound.port}", "-servername", "localhost"]
    command += [VERSIONS[version], "-ign_eof", *map(str, options)]
    if certificate:
        command += ["-cert", str(certificate), "-key", str(certificate), "-cert_chain", str(certificate)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        if asks:
            request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            printed, _ = process.communicate(request, TIMEOUT_SECONDS)
        else:
            # Its standard input stays open, for it would end with it.
            printed = process.stdout.read()
            process.wait(TIMEOUT_SECONDS)
    finally:
        process.kill()
        process.communicate()
    return Seen(printed.decode("utf-8", "replace"))


@pytest.mark.parametrize("version", VERSIONS)
def test_it_verifies_the_site_and_gets_an_answer(tls_proxy, backend, authority, version):
    pound = tls_proxy(backend(answer("hello")))
    verify = ("-CAfile", authority.certificate, "-verify_return_error", "-verify_hostname", "localhost")
    seen = s_client(pound, version, *verify)
    assert (seen.status, seen.alert, seen.version) == (200, None, version), seen
    assert seen.body == "hello"
    assert "Verify return code: 0 (ok)" in seen.text
    assert not seen.was_asked
    # Secure renegotiation (RFC 5746) is spoken, and extended master secrets (RFC 7627) go with TLS 1.2.
    if version == "1.2":
        assert "Secure Renegotiation IS supported" in seen.text
        assert "Extended master secret: yes" in seen.text


# -- sessions


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_reused_by_whichever_worker_takes_it(tls_proxy, backend, tmp_path, version):
    pound = tls_proxy(backend(), top=["Workers 4"])
    session = tmp_path / "session"
    first = s_client(pound, version, "-sess_out", session)
    assert (first.status, first.reused) == (200, False), first
    # That one worker of four takes all of these happens once in 16 million runs.
    for _ in range(12):
        again = s_client(pound, version, "-sess_in", session, "-sess_out", session)
        assert (again.status, again.reused, again.version) == (200, True, version), again


def test_a_session_without_a_ticket_is_reused_too(tls_proxy, backend, tmp_path):
    pound = tls_proxy(backend(), top=["Workers 4"])
    session = tmp_path / "session"
    assert not s_client(pound, "1.2", "-no_ticket", "-sess_out", session).reused
    for _ in range(6):
        again = s_client(pound, "1.2", "-no_ticket", "-sess_in", session)
        assert (again.status, again.reused) == (200, True), again


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_from_before_a_restart_begins_anew(tls_proxy, backend, tmp_path, version):
    server = backend()
    session = tmp_path / "session"
    assert s_client(tls_proxy(server), version, "-sess_out", session).status == 200
    anew = s_client(tls_proxy(server), version, "-sess_in", session)
    assert (anew.status, anew.reused, anew.alert) == (200, False, None), anew


def test_no_request_is_taken_before_the_handshake_is_over(tls_proxy, backend, tmp_path):
    """Early data could be replayed by whoever stands between."""
    server = backend()
    pound = tls_proxy(server)
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(b"GET /early HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert s_client(pound, "1.3", "-sess_out", session).status == 200
    seen = s_client(pound, "1.3", "-sess_in", session, "-early_data", early)
    assert "Early data was accepted" not in seen.text
    assert (seen.status, seen.reused) == (200, True), seen
    assert [request.target for request in server.requests] == ["/", "/"]


def test_a_client_cannot_negotiate_again(tls_proxy, backend):
    """In TLS 1.2 a second handshake on one connection costs a server far more than whoever asks for it."""
    pound = tls_proxy(backend())
    # `R` at the start of a line asks for it, unless `-ign_eof` is given.
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{pound.port}", "-tls1_2"]
    done = subprocess.run(command, input=b"R\n", capture_output=True, timeout=TIMEOUT_SECONDS)
    printed = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert "RENEGOTIATING" in printed
    assert "no renegotiation" in printed, printed


# -- certificates of clients


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("people"), "People")


@pytest.fixture(scope="module")
def shown(people, tmp_path_factory):
    """What clients show, and the list of the revoked."""
    home = tmp_path_factory.mktemp("shown")
    below = people.delegate(home / "below", "Below")
    files = {
        "none": None,
        "good": people.issue(subject="/CN=Good", usage="clientAuth"),
        "expired": people.issue(subject="/CN=Expired", usage="clientAuth", days=-1),
        "revoked": people.issue(subject="/CN=Revoked", usage="clientAuth"),
        "strange": Authority(home / "other", "Other").issue(subject="/CN=Strange", usage="clientAuth"),
        # An authority of the same name, which has signed with another key.
        "forged": Authority(home / "forged", "People").issue(subject="/CN=Forged", usage="clientAuth"),
        "deep": below.issue(subject="/CN=Deep", usage="clientAuth", chain=True),
        "server": people.issue(subject="/CN=Server", usage="serverAuth"),
    }
    people.revoke(files["revoked"])
    # Each authority tells of what it has signed.
    lists = home / "lists.pem"
    lists.write_text(people.revoked(home).read_text() + below.revoked(home).read_text())
    return files, lists


# By what is shown: the alert that the client gets, and how the log goes on after `no TLS with 127.0.0.1: `.
REFUSALS = {
    "expired": (EXPIRED, "its certificate has run out"),
    "revoked": (REVOKED, "its certificate is revoked (CRLlist)"),
    "strange": (UNKNOWN_CA, "is not signed by an authority in VerifyList"),
    "forged": (DECRYPT_ERROR, "a signature of its certificate is wrong"),
    "deep": (UNKNOWN, "between its certificate and VerifyList than ClientCert allows (0)"),
    "server": (UNSUPPORTED, "its certificate is not for clients"),
}
# The alert is of TLS 1.3; rustls sends it in TLS 1.2 too, where RFC 5246 section 7.4.6 has handshake_failure.
NOTHING_SHOWN = (CERTIFICATE_REQUIRED, "it shows no certificate, and ClientCert 2 wants one")


def refusals(pound):
    return [line for line in pound.lines() if "no TLS with 127.0.0.1: " in line]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_whoever_shows_a_certificate_hears_what_the_log_says(tls_proxy, backend, authority, people, shown, level, version):
    files, lists = shown
    server = backend()
    lines = [f'VerifyList "{people.certificate}"', f'CRLlist "{lists}"'] if level else []
    pound = tls_proxy(server, listener=[f"ClientCert {level} 0", *lines])
    for kind, file in files.items():
        refusal = REFUSALS.get(kind) if level in (1, 2) else None
        if level == 2 and kind == "none":
            refusal = NOTHING_SHOWN
        requests, before = server.hits, len(refusals(pound))
        seen = s_client(pound, version, certificate=file, asks=not refusal)
        if refusal:
            alert, sentence = refusal
            assert (seen.alert, seen.status) == (alert, None), (kind, seen)
            told = wait.until(lambda: refusals(pound)[before:], lambda: f"no word of {kind}: {pound.output()}")  # noqa: B023
            assert len(told) == 1 and sentence in told[0], (kind, told)
            assert server.hits == requests
        else:
            assert (seen.status, seen.alert) == (200, None), (kind, seen)
            assert seen.was_asked == (level > 0)
            fields = server.last.fields
            expected = [f"CN = {kind.title()}"] if level and file else []
            assert fields.all("X-SSL-Subject") == expected
    assert bool(refusals(pound)) == (level in (1, 2))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_deep_chain_comes_in_where_it_may(tls_proxy, backend, people, shown, version):
    files, lists = shown
    pound = tls_proxy(
        backend(), listener=["ClientCert 2 1", f'VerifyList "{people.certificate}"', f'CRLlist "{lists}"']
    )
    assert s_client(pound, version, certificate=files["deep"]).status == 200


def test_an_authority_without_a_list_is_told_of(tls_proxy, backend, people, shown, tmp_path):
    files, _ = shown
    lines = ["ClientCert 2 1", f'VerifyList "{people.certificate}"', f'CRLlist "{people.revoked(tmp_path)}"']
    pound = tls_proxy(backend(), listener=lines)
    assert s_client(pound, "1.3", certificate=files["deep"], asks=False).alert
    pound.wait_for_log("no TLS with 127.0.0.1: CRLlist has no list of an authority above its certificate")
    assert s_client(pound, "1.3", certificate=files["good"]).status == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_a_reused_session_is_of_the_client_that_began_it(tls_proxy, backend, people, shown, tmp_path, version):
    """It shows no certificate again; the back-end is told of the first one, by whichever worker."""
    files, _ = shown
    server = backend()
    lines = ["ClientCert 2", f'VerifyList "{people.certificate}"']
    pound = tls_proxy(server, top=["Workers 3"], listener=lines)
    session = tmp_path / "session"
    assert s_client(pound, version, "-sess_out", session, certificate=files["good"]).status == 200
    for _ in range(6):
        again = s_client(pound, version, "-sess_in", session, "-sess_out", session)
        assert (again.status, again.reused) == (200, True), again
        assert server.last.fields.one("X-SSL-Subject") == "CN = Good"
