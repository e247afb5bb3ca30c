"""Certificates that are replaced again and again, in every way that people do it, while clients are served."""

import itertools
import shutil
import ssl
import threading
import time

from peers import wait
from peers.backend import answer
from peers.tls import TlsClient, context

ROUNDS = 20
# The manual promises a second; the rest is for a machine whose two cores are busy with the load.
SEEN_WITHIN = 4.0


# -- the ways in which a certificate is replaced: `(where it is shown from, the new pair, number of the round)`


def renamed(shown, fresh, number):
    """One file, written beside the old one and renamed, as the manual wants it."""
    beside = shown.with_name(f".{shown.name}.new")
    beside.write_bytes(fresh.read_bytes() + fresh.with_suffix(".key").read_bytes())
    beside.rename(shown)


def copied_over(shown, fresh, number):
    """`cat site.crt site.key > site.pem`: the old file is cut and written again."""
    with open(shown, "wb") as file:
        for part in (fresh, fresh.with_suffix(".key")):
            with open(part, "rb") as source:
                shutil.copyfileobj(source, file, 100)
                file.flush()


def two_copied_over(shown, fresh, number):
    """`cp` of the certificate and then of the key: for a moment they do not belong together."""
    shutil.copyfile(fresh, shown)
    shutil.copyfile(fresh.with_suffix(".key"), shown.with_suffix(".key"))


def two_renamed(shown, fresh, number):
    """`mv` of the key and then of the certificate."""
    for end in (".key", ".pem"):
        beside = shown.with_name(f".{shown.stem}.new")
        shutil.copyfile(fresh.with_suffix(end), beside)
        beside.rename(shown.with_suffix(end))


def linked(shown, fresh, number):
    """Certbot's: the names stay, and are links to files with a number."""
    for end in (".pem", ".key"):
        kept = shown.parent / "archive" / f"{shown.stem}{number}{end}"
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(fresh.with_suffix(end), kept)
        beside = shown.with_name(f".{shown.stem}.link")
        beside.symlink_to(kept)
        beside.rename(shown.with_suffix(end))


WAYS = [renamed, copied_over, two_copied_over, two_renamed, linked]
# Each way twice; two of the sites have keys of RSA.
SITES = [(f"site{number}.test", way, "rsa:2048" if number >= 8 else "ec") for number, way in enumerate(WAYS * 2)]
REPLACEMENTS = ROUNDS * len(SITES)


class Load:
    """Clients that verify what they are shown; each failure is noted with what the client was about."""

    def __init__(self, port, authority):
        self.port = port
        self.authority = authority
        self.over = threading.Event()
        self.failures = []
        self.requests = self.connections = self.resumed = 0
        self.lock = threading.Lock()
        self.kept_through = []
        names = itertools.cycle(name for name, _, _ in SITES)
        clients = [self.new_connections] * 3 + [self.sessions] * 2 + [self.kept] * 4
        self.threads = [threading.Thread(target=self.run, args=(client, names)) for client in clients]

    def run(self, client, names):
        while not self.over.is_set():
            with self.lock:
                name = next(names)
            try:
                client(name)
            except Exception as error:  # noqa: BLE001 (every failure counts)
                self.failures.append(f"{client.__name__} {name}: {error!r}")

    def connect(self, name, wanted=None, session=None):
        client = TlsClient(self.port, name, wanted or context(self.authority), session)
        with self.lock:
            self.connections += 1
            self.resumed += client.sock.session_reused
        return client

    def ask(self, client, name, size):
        answered = client.ask(method="POST", body=name.encode() * size, host=name)
        assert (answered.status, answered.body) == (200, name.encode() * size)
        with self.lock:
            self.requests += 1

    def new_connections(self, name):
        with self.connect(name) as client:
            for size in (1, 2000):
                self.ask(client, name, size)

    def sessions(self, name):
        """The session goes on with whatever certificate is shown by then, in TLS 1.2 and 1.3."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            wanted, session = context(self.authority, version), None
            for _ in range(5):
                with self.connect(name, wanted, session) as client:
                    self.ask(client, name, 10)
                    session = client.sock.session

    def kept(self, name):
        """One connection for all the time."""
        with self.connect(name) as client:
            asked = 0
            while not self.over.wait(0.01):
                self.ask(client, name, 1 + asked % 50)
                asked += 1
        self.kept_through.append(asked)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def issue(authority, home, name, number, kind):
    """A certificate and, beside it, its key: a new one each time for ECDSA, the same for RSA, whose keys take long."""
    before = home / f"{name}.{number - 1}.key"
    key = before if kind != "ec" and number else None
    return authority.issue(name, kind=kind, key=key, file=home / f"{name}.{number}.pem", key_apart=True)


def shown_to(port, name, authority):
    """The certificate that a client gets, in DER."""
    with TlsClient(port, name, context(authority)) as client:
        return client.sock.getpeercert(binary_form=True)


def test_two_hundred_replacements_under_load_fail_no_request(tls_proxy, backend, authority, tmp_path):
    assert REPLACEMENTS == 200
    pairs = {
        (name, number): issue(authority, tmp_path / "fresh", name, number, kind)
        for name, _, kind in SITES
        for number in range(ROUNDS + 1)
    }
    shown = {name: tmp_path / "certs" / f"{name}.pem" for name, _, _ in SITES}
    (tmp_path / "certs").mkdir()
    for name, way, _ in SITES:
        way(shown[name], pairs[name, 0], 0)
    server = backend(lambda request, _: answer(request.body))
    pound = tls_proxy(server, certificates=shown.values(), top=["Workers 2"], listener=["Client 30"])

    def all_serve(number):
        for name, _, _ in SITES:
            expected = ssl.PEM_cert_to_DER_cert(pairs[name, number].read_text())
            wait.until(
                lambda: shown_to(pound.port, name, authority) == expected,  # noqa: B023 (waited for here)
                lambda: f"round {number}: the new certificate of {name} is not shown\n{pound.output()}",
                SEEN_WITHIN,
                every=0.05,
            )

    slowest = 0.0
    with Load(pound.port, authority) as load:
        all_serve(0)
        for number in range(1, ROUNDS + 1):
            began = time.monotonic()
            for name, way, _ in SITES:
                way(shown[name], pairs[name, number], number)
            all_serve(number)
            slowest = max(slowest, time.monotonic() - began)
        assert load.requests > 1000
    assert not load.failures, load.failures[:5]
    # The connections that are there outlive every replacement.
    assert len(load.kept_through) == 4 and min(load.kept_through) > ROUNDS
    assert load.resumed > 20
    taken_up = [line for line in pound.lines() if " is in use (" in line]
    assert len(taken_up) == REPLACEMENTS, pound.output()
    assert " stay" not in pound.output()
    # Shown by `pytest -s`.
    print(f"{load.requests} requests, {load.connections} connections, {load.resumed} resumed; slowest {slowest:.2f} s")
