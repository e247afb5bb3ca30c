"""SSLEngine: private keys in a token. SoftHSM holds them, in pound's process or, by p11-kit, in one of its own."""

import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait
from peers.backend import answer
from peers.tls import TlsBackend, TlsClient, context, curl, openssl, signature
from peers.token import PIN, Token, TokenServer

# As in crates/engine/src/limits.rs: helpers, and handshakes in the queue before them.
HELPERS, QUEUE = 8, 64

# As in crates/pound/src/failure.rs: the exit status after which nobody should start pound again by himself.
NOT_AGAIN = 77

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def token(tmp_path):
    return Token(tmp_path / "token")


@pytest.fixture
def server(token):
    server = TokenServer(token)
    yield server
    server.thaw()
    server.kill()


@pytest.fixture(params=["in pound", "in another process"])
def any_token(request):
    return request.getfixturevalue("token" if request.param == "in pound" else "server")


@pytest.fixture
def guarded(authority, token, tmp_path):
    """A certificate whose private key is in the token: `guarded("ec")`; its file, as `issue` of `Authority`."""
    made = []

    def make(kind, *names, **more):
        made.append(None)
        file = tmp_path / f"certificates/{len(made)}.pem"
        authority.issue(*(names or ("localhost", "127.0.0.1")), kind=kind, key_apart=True, file=file)
        make.keys[file] = token.take(file, **more)
        assert not file.with_suffix(".key").exists() and b"PRIVATE" not in file.read_bytes()
        return file

    make.keys = {}
    return make


@pytest.fixture
def start(tls_proxy, backend):
    """A running pound that shows these certificates, with their keys in that token."""

    def start(where, *files, origin=None, top=(), **more):
        pound = tls_proxy(origin or backend(), top=[where.directive(), *top], certificates=files, env=where.env, **more)
        # Its port is bound before it asks the token for its keys; it serves after.
        wait.until(lambda: _greets(pound.port), lambda: f"no handshake succeeds:\n{pound.output()}")
        return pound

    return start


def _greets(port):
    """Whether a handshake comes to an end."""
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            context().wrap_socket(plain, server_hostname="localhost").close()
        return True
    except ssl.SSLError as error:
        # It serves, and wants to see a certificate.
        return "certificate required" in str(error).lower()
    except OSError:
        return False


def alert(port):
    """How a handshake is refused."""
    with pytest.raises((ssl.SSLError, ConnectionError)) as refused:
        TlsClient(port).close()
    return str(refused.value)


# -- signatures


def test_curl_verifies_a_page_whose_key_is_in_a_token(start, any_token, guarded, backend, authority):
    pound = start(any_token, guarded("rsa:2048"), guarded("ec"), origin=backend(answer("hello")))
    for version in ("1.2", "1.3"):
        assert curl(pound.port, authority, version) == "hello"


SIGNATURES = [
    ("ecdsa_secp256r1_sha256", "ECDSA", "SHA256"),
    ("rsa_pss_rsae_sha256", "RSA-PSS", "SHA256"),
    ("rsa_pss_rsae_sha384", "RSA-PSS", "SHA384"),
    ("rsa_pss_rsae_sha512", "RSA-PSS", "SHA512"),
]
# TLS 1.3 does not know these (RFC 8446 section 4.2.3).
OLD_SIGNATURES = [
    ("RSA+SHA256", "RSA", "SHA256"),
    ("RSA+SHA384", "RSA", "SHA384"),
    ("RSA+SHA512", "RSA", "SHA512"),
]


def test_every_kind_of_signature_verifies(start, any_token, guarded, authority, tmp_path):
    pound = start(any_token, guarded("rsa:2048"), guarded("ec"))
    for options, signatures in [(["-tls1_3"], SIGNATURES), (["-tls1_2"], SIGNATURES + OLD_SIGNATURES)]:
        for wanted, kind, digest in signatures:
            printed = openssl(
                *("s_client", "-connect", f"127.0.0.1:{pound.port}", "-servername", "localhost"),
                *("-CAfile", authority.certificate, "-verify_return_error", "-sigalgs", wanted, *options),
                cwd=tmp_path,
            )
            assert signature(printed) == (kind, digest) and "Verification: OK" in printed, (wanted, printed)


@pytest.mark.parametrize("curve", ["P-384", "P-521"])
def test_other_curves_sign(start, token, guarded, tls_client, authority, curve):
    pound = start(token, guarded(f"ec:{curve}"))
    assert tls_client(pound, wanted=context(authority)).ask().status == 200


def test_a_private_key_is_found_whose_public_half_is_not_in_the_token(start, token, guarded, authority, tls_client):
    files = [guarded("ec", f"{name}.test", public=False) for name in "abc"]
    pound = start(token, *files)
    for name in "cab":
        assert tls_client(pound, f"{name}.test", wanted=context(authority)).shown() == [f"{name}.test"]


def test_certificates_with_keys_in_files_and_in_the_token_live_together(start, token, guarded, authority, tls_client):
    pound = start(token, guarded("ec", "token.test"), authority.issue("file.test"))
    for name in ("token.test", "file.test"):
        client = tls_client(pound, name, wanted=context(authority))
        assert client.shown() == [name] and client.ask(host=name).status == 200


def test_a_client_that_has_to_greet_twice_gets_its_signature(start, server, guarded, tmp_path, authority):
    # P-521 is what it sends a share for, and nothing that we take.
    pound = start(server, guarded("ec"))
    printed = openssl(
        *("s_client", "-connect", f"127.0.0.1:{pound.port}", "-tls1_3", "-groups", "P-521:X25519", "-msg"),
        *("-CAfile", authority.certificate, "-verify_return_error"),
        cwd=tmp_path,
    )
    assert printed.count(", ClientHello") == 2 and "Verification: OK" in printed


class ByHand:
    """A client that sends its messages when it is told to."""

    def __init__(self, port, authority, version, name="localhost"):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(authority, version).wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.sock = socket.create_connection(("127.0.0.1", port), 10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self):
        self.sock.sendall(self.outgoing.read())

    def hear(self):
        piece = self.sock.recv(65536)
        assert piece, "the connection has ended"
        self.incoming.write(piece)

    def flight(self):
        """Up to where the client has sent all but what it says last, and that is ready to be sent."""
        while True:
            try:
                self.tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                before = self.outgoing.read()
                if before and not before.startswith(b"\x16\x03\x01"):
                    # TLS 1.2: its last words, which the server answers.
                    self.outgoing.write(before)
                    return
                # The greeting, or nothing yet.
                self.sock.sendall(before)
                self.hear()

    def shake(self):
        while True:
            try:
                return self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.send()
                self.hear()

    def answer(self):
        got = b""
        while b"\r\n\r\n" not in got:
            try:
                got += self.tls.read(65536)
            except ssl.SSLWantReadError:
                self.hear()
        return got


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("size", [0, 48 * 1024], ids=["no body", "48 KiB"])
def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    start, token, guarded, authority, backend, version, size
):
    origin = backend(answer("seen"))
    pound = start(token, guarded("ec"), origin=origin)
    body = os.urandom(size)
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
    with ByHand(pound.port, authority, version) as client:
        client.shake()
        # With TLS 1.3 this goes in one piece with the client's Finished.
        client.tls.write(head.encode() + body)
        client.send()
        assert client.answer().startswith(b"HTTP/1.1 200")
    assert origin.last.body == body


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_who_has_a_signature_does_not_wait_for_the_token(start, server, guarded, authority, version):
    pound = start(server, guarded("ec"), guarded("rsa:2048", "rsa.test"))
    with ByHand(pound.port, authority, version) as client:
        client.flight()
        server.freeze()
        # All helpers wait, and others wait for them.
        begun = _begin(pound.port, HELPERS + QUEUE + 10)
        wait.until(lambda: len(pound.clients()) == HELPERS + QUEUE + 11, "the handshakes have not begun")
        client.shake()
        client.tls.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        client.send()
        assert client.answer().startswith(b"HTTP/1.1 200")
        assert not any(one.done() for one in begun)
    server.thaw()
    assert all(one.result(20) for one in begun)


def test_what_a_token_does_not_do_is_offered_to_nobody(start, token, guarded, authority, tls_client, tmp_path):
    file = guarded("rsa:2048")
    token.permit(file, "CKM_RSA_PKCS_PSS")
    pound = start(token, file)
    for _ in range(3):
        printed = openssl(
            *("s_client", "-connect", f"127.0.0.1:{pound.port}", "-servername", "localhost"),
            *("-tls1_2", "-sigalgs", "RSA+SHA256"),
            cwd=tmp_path,
        )
        assert "handshake failure" in printed.lower().replace("_", " ")
        # Nobody else pays for that.
        for version in VERSIONS:
            assert tls_client(pound, wanted=context(authority, version)).ask().status == 200
    assert "SSLEngine" not in pound.output()


def test_a_token_without_pss_serves_those_who_do_without(start, token, guarded, authority, tls_client):
    file = guarded("rsa:2048")
    token.permit(file, "CKM_RSA_PKCS")
    pound = start(token, file)
    client = tls_client(pound, wanted=context(authority))
    assert client.ask().status == 200 and client.sock.version() == "TLSv1.2"
    pound.wait_for_log("signs by PKCS #1 v1.5 (CKM_RSA_PKCS) and not by PSS, so TLS 1.3 is not spoken with it")


def test_a_token_that_does_nothing_says_which_mechanism(token, guarded, tmp_path):
    file = guarded("ec")
    token.permit(file, "CKM_SHA256")
    said = _refused(tmp_path, token.directive(), file, env=token.env)
    assert "a signature by the token with CKM_ECDSA fails with CKR_MECHANISM_INVALID" in said, said


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_clients_show_certificates_and_sessions_go_on(start, token, guarded, authority, tls_client, version):
    pound = start(token, guarded("ec"), listener=["ClientCert 2 1", f'VerifyList "{authority.certificate}"'])
    own = authority.issue("ann", usage="clientAuth")
    wanted = context(authority, version, certificate=own)
    first = tls_client(pound, wanted=wanted)
    assert first.ask().status == 200
    again = tls_client(pound, wanted=wanted, session=first.sock.session)
    assert again.ask().status == 200 and again.sock.session_reused


def test_what_is_shown_to_a_back_end_may_have_its_key_in_the_token(proxy, token, authority, guarded, tmp_path):
    file = tmp_path / "client.pem"
    authority.issue("pound", usage="clientAuth", key_apart=True, file=file)
    token.take(file)
    origin = TlsBackend(authority.issue("127.0.0.1"), answer("for pound"), believes=authority)
    try:
        lines = ["HTTPS", f'CAlist "{authority.certificate}"', f'Cert "{file}"']
        pound = proxy(origin, top=[token.directive()], each=lines, env=token.env)
        assert pound.ask().text == "for pound"
    finally:
        origin.stop()


# -- where the key is


def test_the_private_key_is_not_in_the_process(start, server, guarded, tls_client, authority):
    files = [guarded("ec"), guarded("rsa:2048")]
    pound = start(server, *files)
    assert tls_client(pound, wanted=context(authority)).ask().status == 200
    secrets = [_secret(guarded.keys[file], authority.home) for file in files]
    memory = list(_memory(pound.pid))
    assert len(memory) > 10
    # That it could be found is shown by something that is there.
    assert any(b"p11-kit-client.so" in piece for piece in memory)
    for secret in secrets:
        # Big numbers in memory stand in either order.
        assert not any(part in piece for part in (secret, secret[::-1]) for piece in memory)


def _secret(pem, home):
    """Some bytes that only the private key has: the number of ECDSA, or a prime of RSA."""
    text = openssl("pkey", "-in", "/dev/stdin", "-text", "-noout", cwd=home, data=pem)
    digits = re.search(r"(?:priv|prime1):\s*((?:[0-9a-f:]|\s)+)", text)[1]
    return bytes.fromhex(re.sub(r"[\s:]", "", digits))[4:28]


def _memory(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "rw" not in rights and ".so" not in line:
                continue
            start, end = (int(number, 16) for number in span.split("-"))
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except OSError:
                pass


def test_the_pin_is_shown_nowhere(start, token, guarded, tls_client):
    pound = start(token, guarded("ec"), options=("-ev",))
    tls_client(pound).ask()
    token.pin_file.unlink()
    file = process.write(f'SSLEngine "{token.uri(**{"pin-value": PIN, "pin-source": None})}"\nUnknown\n', token.home)
    printed = process.run("-c", "-v", "-f", file)
    assert "Unknown" in printed.stderr
    wrong = process.write(f'SSLEngine "{token.uri(**{"pin-value": PIN, "pin-source": None})}&x=y"\n', token.home)
    refused = process.run("-c", "-v", "-f", wrong)
    assert "pin-value=****" in refused.stderr
    for text in (pound.output(), printed.stdout, printed.stderr, refused.stdout, refused.stderr):
        assert PIN not in text
    with open(f"/proc/{pound.pid}/cmdline") as line:
        assert PIN not in line.read()


# -- a token that is slow, or away


def _begin(port, count):
    """Handshakes under way in threads; their results when asked."""
    pool = ThreadPoolExecutor(count)

    def one(_):
        try:
            TlsClient(port).close()
            return True
        except OSError:
            return False

    return [pool.submit(one, number) for number in range(count)]


def test_many_handshakes_at_once_all_get_their_turn(start, any_token, guarded):
    pound = start(any_token, guarded("rsa:2048"), guarded("ec"))
    begun = _begin(pound.port, 2 * (HELPERS + QUEUE))
    assert all(one.result(30) for one in begun)


def test_connections_that_are_there_go_on_while_the_token_takes_its_time(start, server, guarded, tls_client, authority):
    pound = start(server, guarded("ec"), top=["Workers 1"])
    client = tls_client(pound, wanted=context(authority))
    assert client.ask().status == 200
    server.freeze()
    begun = _begin(pound.port, 5)
    wait.until(lambda: len(pound.clients()) == 6, "no handshake has begun")
    for _ in range(20):
        assert client.ask().status == 200
    assert not any(one.done() for one in begun)
    server.thaw()
    assert all(one.result(10) for one in begun)
    assert client.ask().status == 200


def test_a_handshake_whose_signature_does_not_come_is_given_up(start, server, guarded, tls_client, authority):
    pound = start(server, guarded("ec"), listener=["Client 1"], top=["Workers 2"])
    threads = len(os.listdir(f"/proc/{pound.pid}/task"))
    server.freeze()
    # More than there are helpers and places in their queue.
    begun = _begin(pound.port, HELPERS + QUEUE + 30)
    assert not any(one.result(10) for one in begun)
    wait.until(lambda: not pound.clients(), "clients are held whose time is over")
    assert len(os.listdir(f"/proc/{pound.pid}/task")) == threads
    server.thaw()
    assert all(one.result(10) for one in _begin(pound.port, 2 * HELPERS))
    assert tls_client(pound, wanted=context(authority)).ask().status == 200
    assert "handshakes" not in pound.output(), "a token that is slow has not failed"


def test_it_stops_while_the_token_hangs(start, server, guarded):
    pound = start(server, guarded("ec"))
    server.freeze()
    begun = _begin(pound.port, 3)
    wait.until(lambda: len(pound.clients()) == 3, "no handshake has begun")
    pound.signal(signal.SIGQUIT)
    assert pound.exit_status(8) == 0
    assert not any(one.result(10) for one in begun)


def test_a_token_that_goes_away_is_told_of_once_and_is_opened_again(start, server, guarded, tls_client, authority):
    pound = start(server, guarded("ec"), guarded("rsa:2048"))
    client = tls_client(pound, wanted=context(authority))
    assert client.ask().status == 200
    server.kill()
    for _ in range(5):
        assert "internal error" in alert(pound.port).lower().replace("_", " ")
    told = pound.wait_for_log("handshakes with its keys fail, this is tried again with the next client")
    assert "CKR_" in told and 'token "web keys"' in told
    assert client.ask().status == 200, "connections that are there go on"
    server.start()

    def back():
        try:
            return tls_client(pound, wanted=context(authority)).ask().status == 200
        except OSError:
            return False

    wait.until(back, lambda: f"the token is not opened again:\n{pound.output()}")
    pound.wait_for_log('SSLEngine: the token "web keys"')
    told = [line for line in pound.lines() if "SSLEngine" in line]
    assert ["handshakes with its keys fail" in told[0], "is back" in told[1], len(told)] == [True, True, 2], told
    assert all(one.result(10) for one in _begin(pound.port, 3 * HELPERS))


def test_a_key_that_is_taken_away_is_told_of_and_other_keys_sign(start, server, token, guarded, tls_client, authority):
    lost = guarded("ec", "a.test")
    pound = start(server, lost, guarded("rsa:2048", "b.test"))
    assert tls_client(pound, "a.test", wanted=context(authority)).ask(host="a.test").status == 200
    server.kill()
    token.lose(lost)
    server.start()

    def signs(name):
        try:
            return tls_client(pound, name, wanted=context(authority)).ask(host=name).status == 200
        except OSError:
            return False

    wait.until(lambda: signs("b.test"), lambda: f"the other key does not sign:\n{pound.output()}")
    wait.until(lambda: not signs("a.test") and "handshakes that need it fail" in pound.output(), pound.output)
    assert "private key of ECDSA P-256" in pound.wait_for_log("handshakes that need it fail")
    assert signs("b.test")


# -- new certificates


def test_a_new_certificate_finds_its_key_in_the_token(start, any_token, token, guarded, authority, tls_client, tmp_path):
    file = guarded("ec")
    pound = start(any_token, file)
    new, lost = tmp_path / "new.pem", tmp_path / "lost.pem"
    authority.issue("renewed.test", key_apart=True, file=new)
    token.take(new)
    new.rename(file)
    pound.wait_for_log("is in use (renewed.test)")
    assert tls_client(pound, "renewed.test", wanted=context(authority)).shown() == ["renewed.test"]
    authority.issue("lost.test", key_apart=True, file=lost)
    kept = lost.with_suffix(".key").rename(tmp_path / "kept")
    lost.rename(file)
    told = pound.wait_for_log("the old one stays")
    assert "SSLEngine has none" in told and "private key of ECDSA P-256" in told
    assert tls_client(pound, "renewed.test", wanted=context(authority)).shown() == ["renewed.test"]
    # The key comes late: nobody has to touch the certificate again.
    kept.rename(lost.with_suffix(".key"))
    token.take(lost)
    pound.wait_for_log("is in use (lost.test)", within=15)
    assert tls_client(pound, "lost.test", wanted=context(authority)).shown() == ["lost.test"]
    assert pound.output().count("the old one stays") == 1


# -- what it says when it cannot start


def _refused(tmp_path, directive, *files, env=None, status=1):
    """What is printed at a start that fails, on one line."""
    port = wait.free_port()
    text = cfg.text([directive], cfg.listen_tls(port, [f'Cert "{file}"' for file in files], [], cfg.service("Success")))
    done = process.run("-e", "-f", process.write(text, tmp_path), env={**os.environ, **(env or {})})
    assert done.returncode == status and "pound.cfg:" in done.stderr, done.stderr
    assert PIN not in done.stderr
    return done.stderr


def test_a_key_that_is_not_there_is_named(token, guarded, authority, tmp_path):
    other = tmp_path / "other.pem"
    authority.issue("other.test", key_apart=True, file=other)
    other.with_suffix(".key").unlink()
    said = _refused(tmp_path, token.directive(), other, env=token.env)
    assert "Cert" in said and "other.pem: there is no private key in it, no file" in said
    assert 'in the token "web keys" of' in said and "private key of ECDSA P-256" in said and "none of this kind" in said
    guarded("ec")
    assert "the one of this kind signs for another certificate" in _refused(tmp_path, token.directive(), other, env=token.env)


def test_object_and_id_narrow_down_which_key_is_used(token, guarded, tmp_path, start, tls_client):
    file = guarded("ec", label="www")
    for path in ("object=shop", "id=%77", "object=www;id=%77"):
        assert "of the URI" in _refused(tmp_path, token.directive(path), file, env=token.env)
    token_by = type("By", (), {"directive": lambda _: token.directive("object=www;id=%01"), "env": token.env})()
    assert tls_client(start(token_by, file)).ask().status == 200


def test_a_wrong_pin_is_told_and_not_tried_twice(token, guarded, tmp_path):
    file = guarded("ec")
    token.pin_file.write_text("wrong-pin\n")
    said = _refused(tmp_path, token.directive(), file, env=token.env, status=NOT_AGAIN)
    assert "does not take the PIN (CKR_PIN_INCORRECT); correct pin-source or pin-value" in said
    assert "wrong-pin" not in said


def test_after_a_refused_pin_neither_supervisor_nor_systemd_starts_again(token, guarded, tmp_path):
    unit = (Path(__file__).parents[2] / "packaging/pound.service").read_text()
    assert f"\nRestartPreventExitStatus={NOT_AGAIN}\n" in unit
    port, pid_file, log = wait.free_port(), tmp_path / "pound.pid", tmp_path / "log"
    text = cfg.text(
        [token.directive(), 'LogFacility "-"'],
        cfg.listen_tls(port, [f'Cert "{guarded("ec")}"'], [], cfg.service("Success")),
    )
    file = process.write(text, tmp_path)

    def begin():
        with open(log, "ab") as out:
            command = [process.binary(), "-f", file, "-p", pid_file]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **token.env}, timeout=20
            )
        return done.returncode

    assert begin() == 0
    supervisor = int(pid_file.read_text())
    token.pin_file.write_text("wrong-pin\n")
    (worker,) = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    wait.until(lambda: not Path(f"/proc/{supervisor}").exists(), log.read_text, within=20)
    assert "the serving process is not started again" in log.read_text()
    assert log.read_text().count("CKR_PIN_INCORRECT") == 1, "each of these is a login"
    assert not wait.listens(port)
    # Whoever starts it is told the same.
    assert begin() == NOT_AGAIN
    assert log.read_text().count("CKR_PIN_INCORRECT") == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT], ids=lambda number: number.name)
@pytest.mark.parametrize("options", [["-F"], []], ids=["foreground", "supervised"])
def test_it_can_be_stopped_while_the_token_does_not_answer(server, guarded, tmp_path, number, options):
    pid_file = tmp_path / "pound.pid"
    port = wait.free_port()
    text = cfg.text(
        [server.directive(), 'LogFacility "-"'],
        cfg.listen_tls(port, [f'Cert "{guarded("ec")}"'], [], cfg.service("Success")),
    )
    server.freeze()
    with open(tmp_path / "log", "wb") as log:
        starting = subprocess.Popen(
            [process.binary(), "-f", process.write(text, tmp_path), "-p", pid_file, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **server.env},
        )
    try:
        wait.until(lambda: pid_file.exists() and pid_file.read_text().strip(), "it has not begun")
        main = int(pid_file.read_text())
        wait.until(lambda: _waits_for_token(main), "it does not wait for the token")
        os.kill(main, number)
        assert starting.wait(8) == (0 if options else 1)
        wait.until(lambda: not Path(f"/proc/{main}").exists(), "it goes on")
    finally:
        starting.kill()
        starting.wait()


def _waits_for_token(main):
    """Whether this process, or its child, opens the token."""
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    threads = [task for pid in (main, *children) for task in Path(f"/proc/{pid}/task").iterdir()]
    return any((task / "comm").read_text().strip() == "unlock" for task in threads)


def test_what_is_wrong_with_a_token_is_told_at_the_line_that_names_it(token, guarded, tmp_path):
    file = guarded("ec")
    no_pin = {"pin-source": None}
    for directive, expected in [
        (token.directive(**{"module-path": "/nowhere.so"}), "/nowhere.so cannot be loaded"),
        (token.directive(**{"module-path": file}), "cannot be loaded"),
        (token.directive(**{"module-path": _libm()}), "is no PKCS#11 module"),
        (token.directive("token=other"), 'there is no token "other" of'),
        (token.directive("token=other"), 'the module shows "web keys"'),
        (token.directive("slot-id=77"), "in slot 77"),
        (token.directive(**{"pin-source": tmp_path / "no-pin"}), "no-pin cannot be read: No such file"),
        (token.directive(**no_pin), "wants a PIN; add pin-source"),
    ]:
        said = _refused(tmp_path, directive, file, env=token.env)
        assert "pound.cfg:1: SSLEngine" in said and expected in said, said


def _libm():
    return next(Path("/lib").glob("*/libm.so.6"))


def test_a_server_that_is_not_there_is_told(server, guarded, tmp_path):
    file = guarded("ec")
    server.kill()
    said = _refused(tmp_path, server.directive(), file, env=server.env)
    assert "SSLEngine" in said and ("no token at all" in said or "CKR_" in said), said
    server.start()


def test_a_kind_of_key_that_is_not_looked_for_is_told(token, authority, tmp_path):
    file = tmp_path / "ed.pem"
    authority.issue("ed.test", kind="ed25519", key_apart=True, file=file)
    file.with_suffix(".key").unlink()
    said = _refused(tmp_path, token.directive(), file, env=token.env)
    assert "use ECDSA (P-256, P-384, P-521) or RSA of 2048 to 8192 bits" in said


# -- the process


@pytest.mark.root
def test_a_worker_without_rights_in_a_jail_opens_the_token_before(start, server, guarded, tls_client, authority):
    with tempfile.TemporaryDirectory(prefix="pound-test-") as jail:
        os.chmod(jail, 0o755)
        pound = start(server, guarded("ec"), top=[f'RootJail "{jail}"', 'User "nobody"', 'Group "nogroup"'])
        client = tls_client(pound, wanted=context(authority))
        assert client.ask().status == 200
        assert os.readlink(f"/proc/{pound.pid}/root") == jail
        with open(f"/proc/{pound.pid}/status") as status:
            assert "Uid:\t0\t" not in status.read()


def test_every_worker_of_a_supervisor_opens_the_token(server, guarded, tmp_path, authority):
    port, pid_file = wait.free_port(), tmp_path / "pound.pid"
    text = cfg.text([server.directive()], cfg.listen_tls(port, [f'Cert "{guarded("ec")}"'], [], cfg.service("Success")))
    file = process.write(text, tmp_path)
    started = process.run("-f", file, "-p", pid_file, env={**os.environ, **server.env})
    assert started.returncode == 0, started.stderr
    supervisor = int(pid_file.read_text())

    def answers():
        try:
            client = TlsClient(port, wanted=context(authority))
        except OSError:
            return None
        try:
            return client.ask().status
        finally:
            client.close()

    try:
        assert answers() == 200
        (worker,) = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        assert _loads(worker) and not _loads(supervisor)
        os.kill(int(worker), signal.SIGKILL)
        wait.until(lambda: answers() == 200, "nobody serves any more")
    finally:
        os.kill(supervisor, signal.SIGTERM)
    wait.until(lambda: not wait.listens(port), "it did not stop")


def _loads(pid):
    """Whether a process has the module in it."""
    return "p11-kit-client.so" in Path(f"/proc/{pid}/maps").read_text()


def test_a_daemon_whose_token_is_not_there_says_so_to_whoever_starts_it(server, guarded, tmp_path):
    file = guarded("ec")
    text = cfg.text(
        [server.directive("token=other")], cfg.listen_tls(wait.free_port(), [f'Cert "{file}"'], [], cfg.service("Success"))
    )
    refused = process.run(
        "-f", process.write(text, tmp_path), "-p", tmp_path / "pid", env={**os.environ, **server.env}
    )
    assert refused.returncode == 1 and 'there is no token "other"' in refused.stderr
    assert not (tmp_path / "pid").exists()
