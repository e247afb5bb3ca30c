"""What files of certificates look like: the PEM of other programs, directories with foreign files, certbot's layout."""

import ssl
import subprocess

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait
from peers.tls import TlsClient, context


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def started(tmp_path, *lines):
    """The status of a start that is refused, and what it says."""
    text = cfg.text(cfg.listen_tls(wait.free_port(), *lines, cfg.service("Success")))
    done = process.run("-e", "-f", process.write(text, tmp_path), cwd=tmp_path)
    return done.returncode, done.stderr


def checked(tmp_path, *lines):
    text = cfg.text(cfg.listen_tls(wait.free_port(), *lines, cfg.service("Success")))
    done = process.check(text, tmp_path)
    return done.returncode, done.stdout + done.stderr


def shows(pound, authority, name):
    """Whether it shows a certificate for this name, verified."""
    wanted = context(authority)
    try:
        with TlsClient(pound.port, name, wanted) as client:
            return name in client.shown()
    except ssl.SSLCertVerificationError:
        return False


# -- PEM


def parts(file):
    """The certificate and the key of a file."""
    certificate, begin, key = file.read_text().partition("-----BEGIN PRIV")
    return certificate, begin + key


def trusted(certificate, home):
    (home / "plain.crt").write_text(certificate)
    openssl("x509", "-in", home / "plain.crt", "-trustout", "-addtrust", "serverAuth", "-out", home / "trusted.crt")
    return (home / "trusted.crt").read_text()


def sec1(key, home):
    (home / "plain.key").write_text(key)
    openssl("ec", "-in", home / "plain.key", "-param_out", "-out", home / "parameters.pem")
    openssl("ec", "-in", home / "plain.key", "-out", home / "sec1.key")
    return (home / "parameters.pem").read_text() + (home / "sec1.key").read_text()


FORMS = {
    "key first": lambda c, k, _: k + c,
    "byte-order mark": lambda c, k, _: "\ufeff" + c + k,
    "CR LF": lambda c, k, _: (c + k).replace("\n", "\r\n"),
    "blanks": lambda c, k, _: (c + k).replace("\n", " \t\n"),
    "indented": lambda c, k, _: "".join(f"    {line}\n" for line in (c + k).splitlines()),
    "no line end between": lambda c, k, _: c.rstrip("\n") + k,
    "text around": lambda c, k, _: f"Bag Attributes\n    friendlyName: x\nsubject=CN = localhost\n{c}text\n{k}the end",
    "X509 CERTIFICATE": lambda c, k, _: c.replace(" CERTIFICATE", " X509 CERTIFICATE") + k,
    "TRUSTED CERTIFICATE": lambda c, k, home: trusted(c, home) + k,
    "EC PARAMETERS": lambda c, k, home: c + sec1(k, home),
    "DH PARAMETERS": lambda c, k, _: c + "-----BEGIN DH PARAMETERS-----\nMAYCAQ0CAQI=\n-----END DH PARAMETERS-----\n" + k,
}


@pytest.mark.parametrize("form", FORMS)
def test_pem_as_other_programs_write_it_is_read(tls_proxy, backend, authority, tmp_path, form):
    file = authority.issue("localhost", file=tmp_path / "site.pem")
    file.write_text(FORMS[form](*parts(file), tmp_path))
    assert shows(tls_proxy(backend(), certificates=[file]), authority, "localhost")


def encrypted_pkcs8(key, _):
    return openssl("pkcs8", "-topk8", "-in", key, "-passout", "pass:word").decode()


def encrypted_pkcs1(key, _):
    return openssl("rsa", "-in", key, "-traditional", "-aes128", "-passout", "pass:word").decode()


@pytest.mark.parametrize("apart", [False, True], ids=["one file", "two files"])
@pytest.mark.parametrize("form", [encrypted_pkcs8, encrypted_pkcs1])
def test_a_key_with_a_password_is_refused_with_what_to_do(authority, tmp_path, form, apart):
    file = authority.issue("localhost", kind="rsa:2048", file=tmp_path / "site.pem", key_apart=True)
    key = file.with_suffix(".key")
    secret = form(key, tmp_path)
    if apart:
        key.write_text(secret)
    else:
        key.unlink()
        file.write_text(file.read_text() + secret)
    for status, told in (started(tmp_path, f'Cert "{file}"'), checked(tmp_path, f'Cert "{file}"')):
        assert status == 1
        assert "its private key is encrypted" in told and "openssl pkey -in" in told


def test_a_certificate_of_version_1_is_shown_and_warned_of(tls_proxy, backend, tmp_path):
    key, file = tmp_path / "own.key", tmp_path / "own.pem"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", tmp_path / "own.csr")
    openssl("x509", "-req", "-in", tmp_path / "own.csr", "-signkey", key, "-days", "300", "-out", file)
    assert "Version: 1 " in openssl("x509", "-in", file, "-noout", "-text").decode()
    status, told = checked(tmp_path, f'Cert "{file}"')
    assert (status, "warning: " in told, "X.509 version 1" in told) == (0, True, True)
    pound = tls_proxy(backend(), certificates=[file])
    pound.wait_for_log("is of X.509 version 1")
    with TlsClient(pound.port) as client:
        assert client.ask().status == 200


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (("x509", "-outform", "DER"), "DER"),
        (("pkcs12", "-export", "-passout", "pass:", "-inkey", "site.pem"), "openssl pkcs12"),
    ],
    ids=["DER", "PKCS#12"],
)
def test_what_is_no_pem_is_named(authority, tmp_path, form, reason):
    file = authority.issue("localhost", file=tmp_path / "site.pem")
    other = tmp_path / "other.pem"
    form = [tmp_path / part if part == "site.pem" else part for part in form]
    openssl(*form, "-in", file, "-out", other)
    status, told = started(tmp_path, f'Cert "{other}"')
    assert status == 1 and reason in told, told


def test_a_key_of_a_later_certificate_says_which(authority, tmp_path):
    file = authority.issue("localhost", file=tmp_path / "site.pem")
    certificate, key = parts(file)
    file.write_text(authority.certificate.read_text() + certificate + key)
    status, told = started(tmp_path, f'Cert "{file}"')
    assert status == 1 and "but to number 2; put that first" in told


# -- directories

FOREIGN = {
    "README": "This directory holds certificates.\n",
    "a.pem": "",
    "broken.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n",
    "list.txt": "a.test\n",
}


@pytest.mark.parametrize("pattern", [False, True], ids=["directory", "pattern"])
def test_what_cannot_be_used_in_a_directory_leaves_the_rest(tls_proxy, backend, authority, tmp_path, pattern):
    folder = tmp_path / "certificates"
    for name in ("aa", "cc", "dd"):
        authority.issue(f"{name}.test", file=folder / f"{name}.pem")
    for name, text in FOREIGN.items():
        (folder / name).write_text(text)
    lonely = authority.issue("lonely.test", file=folder / "lonely.pem", key_apart=True)
    lonely.with_suffix(".key").unlink()
    named = folder / "*" if pattern else folder
    status, told = checked(tmp_path, f'Cert "{named}"')
    assert status == 0, told
    pound = tls_proxy(backend(), certificates=[named])
    for name in [*FOREIGN, "lonely.pem"]:
        assert f"Cert {folder / name}: " in told
        pound.wait_for_log(f"certificate {folder / name}: ")
    assert all(shows(pound, authority, f"{name}.test") for name in ("aa", "cc", "dd"))
    # One that is mended is taken up.
    authority.issue("broken.test", file=folder / "broken.pem")
    wait.until(lambda: shows(pound, authority, "broken.test"), "the mended one is not shown")


def test_a_broken_first_certificate_of_a_directory_refuses_the_start(authority, tmp_path):
    """It was to be shown to those who ask for no name; they would get another."""
    folder = tmp_path / "certificates"
    authority.issue("b.test", file=folder / "b.pem")
    (folder / "a.pem").write_text(FOREIGN["broken.pem"])
    for status, told in (started(tmp_path, f'Cert "{folder}"'), checked(tmp_path, f'Cert "{folder}"')):
        assert status == 1 and f"Cert {folder}/a.pem: " in told


def test_a_directory_without_a_usable_certificate_refuses_the_start(authority, tmp_path):
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "README").write_text(FOREIGN["README"])
    other = authority.issue("other.test", days=90)
    for lines in ([f'Cert "{folder}"'], [f'Cert "{other}"', f'Cert "{folder}"']):
        for status, told in (started(tmp_path, *lines), checked(tmp_path, *lines)):
            assert status == 1 and f"Cert {folder}: there is no certificate with its key in it" in told


def test_a_broken_file_that_is_named_itself_refuses_the_start(authority, tmp_path):
    good, bad = authority.issue("a.test"), tmp_path / "bad.pem"
    bad.write_text(FOREIGN["README"])
    status, told = started(tmp_path, f'Cert "{good}"', f'Cert "{bad}"')
    assert status == 1 and f"Cert {bad}: there is no certificate in it" in told


# -- certbot


class Certbot:
    """A directory as certbot keeps it: files in `archive`, links in `live`."""

    def __init__(self, home, authority):
        self.home, self.authority = home, authority
        self.count = 0
        (home / "live").mkdir(parents=True)
        (home / "live/README").write_text("This directory contains your keys and certificates.\n")

    def renew(self, name, *names):
        self.count += 1
        archive, live = self.home / "archive" / name, self.home / "live" / name
        live.mkdir(exist_ok=True)
        pair = self.authority.issue(*names, file=archive / "new.pem", key_apart=True)
        chain = self.authority.certificate.read_text()
        contents = {
            "privkey": pair.with_suffix(".key").read_text(),
            "cert": pair.read_text(),
            "chain": chain,
            "fullchain": pair.read_text() + chain,
        }
        pair.unlink()
        pair.with_suffix(".key").unlink()
        for kind, text in contents.items():
            file, link = archive / f"{kind}{self.count}.pem", live / f"{kind}.pem"
            file.write_text(text)
            link.unlink(missing_ok=True)
            link.symlink_to(f"../../archive/{name}/{file.name}")


@pytest.fixture
def certbot(tmp_path, authority):
    return Certbot(tmp_path / "letsencrypt", authority)


@pytest.mark.parametrize("named", ["live", "live/one", "live/one/fullchain.pem", "live/one/cert.pem", "live/*"])
def test_certbots_files_are_found_and_followed(tls_proxy, backend, authority, certbot, named):
    certbot.renew("one", "one.test")
    pound = tls_proxy(backend(), certificates=[certbot.home / named])
    assert shows(pound, authority, "one.test")
    assert "README" not in pound.output() and "passed over" not in pound.output()
    certbot.renew("one", "one.test", "www.one.test")
    wait.until(lambda: shows(pound, authority, "www.one.test"), "the renewed one is not shown")
    if named in ("live", "live/*"):
        certbot.renew("two", "two.test")
        wait.until(lambda: shows(pound, authority, "two.test"), "a new one is not shown")
        assert shows(pound, authority, "one.test")


@pytest.mark.root
def test_certbots_files_are_followed_by_whoever_kept_the_right_to_read_them(tls_proxy, backend, authority, certbot):
    certbot.renew("one", "one.test")
    for folder in ("live", "archive"):
        (certbot.home / folder).chmod(0o700)
    top = ['User "nobody"', 'Group "nogroup"']
    pound = tls_proxy(backend(), top=top, certificates=[certbot.home / "live"])
    certbot.renew("one", "one.test", "www.one.test")
    wait.until(lambda: shows(pound, authority, "www.one.test"), "the renewed one is not shown")
    certbot.renew("two", "two.test")
    wait.until(lambda: shows(pound, authority, "two.test"), "a new one is not shown")
