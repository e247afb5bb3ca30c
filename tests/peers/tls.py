"""Certificates of the tests' own making, and clients that speak TLS: OpenSSL's, by its program and by Python's `ssl`."""

import re
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from .backend import Backend
from .http import TIMEOUT_SECONDS, Client, Wire


def openssl(*arguments, cwd, data=b"", within=TIMEOUT_SECONDS):
    """Runs `openssl` to its end; what it printed."""
    done = subprocess.run(
        ["openssl", *map(str, arguments)], cwd=cwd, input=data, capture_output=True, timeout=within
    )
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def signature(printed):
    """Kind and digest of the server's signature, of what `s_client` printed: OpenSSL 3.5 names both in the words of TLS."""
    kind = re.search(r"^Peer signature type: (\S+)", printed, re.M)[1].lower().replace("-", "_")
    digest = re.search(r"^Peer signing digest: (\S+)", printed, re.M)[1]
    kinds = {"ecdsa": "ECDSA", "rsa_pss": "RSA-PSS", "rsa": "RSA"}
    return next(name for start, name in kinds.items() if kind.startswith(start)), digest


def curl(port, authority, version):
    """What curl gets from `https://localhost:port/` over this version of TLS, having verified the certificate."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", authority.certificate]
        + [f"--tlsv{version}", "--tls-max", version, f"https://localhost:{port}/"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority:
    """Signs certificates. All files are in `home`."""

    def __init__(self, home, name="Test Authority"):
        self.home = home
        self.count = 0
        self.name = name
        home.mkdir(parents=True, exist_ok=True)
        self.certificate = home / "authority.crt"
        self.key = home / "authority.key"
        self._run(
            *("req", "-x509", "-nodes", "-days", "30", "-subj", f"/CN={name}", *_kind("ec")),
            *("-keyout", self.key, "-out", self.certificate),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def issue(
        self,
        *names,
        kind="ec",
        file=None,
        days=30,
        subject=None,
        key=None,
        key_apart=False,
        usage="serverAuth",
        chain=False,
        serial=None,
        more=(),
    ):
        """A PEM file with a certificate for `names` and its key, a new one of this `kind` unless `key` is a file with one.

        With `chain`, ours stands behind it. `more` are extensions as `openssl` has them in its files.
        """
        self.count += 1
        base = self.home / f"leaf{self.count}"
        request, leaf, extensions = (base.with_suffix(end) for end in (".csr", ".crt", ".ext"))
        subject = subject or f"/CN={names[0]}"
        if key:
            self._run("req", "-new", "-key", key, "-subj", subject, "-out", request)
        else:
            key = base.with_suffix(".tmp")
            self._run("req", "-new", "-nodes", "-subj", subject, *_kind(kind), "-keyout", key, "-out", request)
        lines = [f"extendedKeyUsage={usage}", "basicConstraints=critical,CA:false", *more]
        if names:
            lines.append("subjectAltName=" + ",".join(_alternative(name) for name in names))
        extensions.write_text("\n".join(lines) + "\n")
        self._run(
            *("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-out", leaf),
            *("-set_serial", serial or 1000 + self.count, "-days", max(days, 1), "-extfile", extensions),
        )
        if days <= 0:
            self._run_out(leaf, days)
        file = file or base.with_suffix(".pem")
        file.parent.mkdir(parents=True, exist_ok=True)
        shown = leaf.read_bytes() + (self.certificate.read_bytes() if chain else b"")
        if key_apart:
            file.write_bytes(shown)
            file.with_suffix(".key").write_bytes(key.read_bytes())
        else:
            file.write_bytes(shown + key.read_bytes())
            file.chmod(0o600)
        return file

    def _run_out(self, file, days):
        """Signs a certificate anew that ended so many days ago: newer versions of `openssl` make none that begins now."""
        made = x509.load_pem_x509_certificate(file.read_bytes())
        end = datetime.now(UTC) + timedelta(days=days)
        parts = (made.issuer, made.subject, made.public_key(), made.serial_number, end - timedelta(days=30), end)
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        signed = x509.CertificateBuilder(*parts, extensions=list(made.extensions)).sign(key, hashes.SHA256())
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def delegate(self, home, name):
        """Another authority, whose certificate is signed by this one."""
        other = Authority(home, name)
        request, extensions = home / "authority.csr", home / "authority.ext"
        self._run("req", "-new", "-key", other.key, "-subj", f"/CN={name}", "-out", request)
        extensions.write_text("basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n")
        self._run(
            *("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-out", other.certificate),
            *("-set_serial", 77, "-days", 30, "-extfile", extensions),
        )
        return other

    def revoke(self, file):
        """From now on the certificate in this file is in the list of `revoked`."""
        self._ca("-revoke", file)

    def revoked(self, home, days="30"):
        """A file with the list of revoked certificates; it holds for so many days."""
        end = time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + int(days) * 86400))
        list_ = home / "revoked.pem"
        self._ca("-gencrl", "-crl_lastupdate", "200101000000Z", "-crl_nextupdate", end, "-out", list_)
        return list_

    def staple(self, file, days):
        """Puts an OCSP answer beside the certificate in this file; one of 0 days has run out, and a bad signature."""
        index = self.home / "ocsp.txt"
        serial = openssl("x509", "-in", file, "-noout", "-serial", cwd=self.home).strip().partition("=")[2]
        index.write_text(f"V\t491231235959Z\t\t{serial}\tunknown\t/CN=x\n")
        answer = file.with_suffix(".ocsp.new")
        self._run(
            *("ocsp", "-index", index, "-rsigner", self.certificate, "-rkey", self.key, "-CA", self.certificate),
            *("-issuer", self.certificate, "-cert", file, "-respout", answer, "-ndays", days or 1),
        )
        der = answer.read_bytes()
        if not days:
            end = max(re.findall(rb"\x18\x0f(\d{14}Z)", der))
            answer.write_bytes(der.replace(end, b"20200101000000Z"))
        answer.rename(file.with_suffix(".ocsp"))

    def _ca(self, *arguments):
        settings, index = self.home / "ca.cnf", self.home / "index.txt"
        number = self.home / "crlnumber"
        index.touch()
        if not number.exists():
            number.write_text("01\n")
        settings.write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={index}\ndefault_md=sha256\n"
            f"crlnumber={number}\ncrl_extensions=extensions\n[extensions]\nauthorityKeyIdentifier=keyid\n"
        )
        self._run("ca", "-config", settings, "-cert", self.certificate, "-keyfile", self.key, *arguments)

    def _run(self, *arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], cwd=self.home, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


def _kind(kind):
    if kind.partition(":")[0] == "ec":
        return ("-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{kind.partition(':')[2] or 'P-256'}")
    return ("-newkey", kind)


def _alternative(name):
    return f"IP:{name}" if name.replace(".", "").isdigit() else f"DNS:{name}"


def context(authority=None, version=None, certificate=None):
    """What a client wants: verified against `authority` if there is one."""
    wanted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority:
        wanted.load_verify_locations(authority.certificate)
    else:
        wanted.check_hostname = False
        wanted.verify_mode = ssl.CERT_NONE
    if version:
        wanted.minimum_version = wanted.maximum_version = version
    if certificate:
        wanted.load_cert_chain(certificate)
    return wanted


class TlsClient(Client):
    """As `Client`, within TLS."""

    def __init__(self, port, name="localhost", wanted=None, session=None):
        plain = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            wrapped = (wanted or context()).wrap_socket(plain, server_hostname=name, session=session)
        except BaseException:
            plain.close()
            raise
        Wire.__init__(self, wrapped)

    def shown(self):
        """The subject's names of the certificate that the server has shown."""
        certificate = self.sock.getpeercert()
        return [value for _, value in certificate.get("subjectAltName", ())]


class TlsBackend(Backend):
    """A scripted back-end within TLS. It notes which names it was asked for and which sessions went on."""

    def __init__(self, certificate, *arguments, version=None, believes=None, **more):
        self.names = []
        self.resumed = []
        self.wanted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.wanted.load_cert_chain(certificate)
        self.wanted.sni_callback = lambda _, name, __: self.names.append(name)
        if version:
            self.wanted.minimum_version = self.wanted.maximum_version = version
        if believes:
            self.wanted.verify_mode = ssl.CERT_REQUIRED
            self.wanted.load_verify_locations(believes.certificate)
        super().__init__(*arguments, **more)

    def _connection(self, connection):
        try:
            connection.sock = self.wanted.wrap_socket(connection.sock, server_side=True)
        except OSError:
            connection.close()
            return
        self.resumed.append(connection.sock.session_reused)
        super()._connection(connection)
