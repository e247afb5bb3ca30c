"""Fixtures of all end-to-end tests.

They are torn down from the outside in: first the clients go, then the back-ends, then pound is looked
at (no panic, no leaked descriptor, exit status 0 after TERM). Each factory takes what it makes away.
"""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import Backend
from peers.http import Client
from peers.pound import Pound
from peers.servers import Gunicorn, Nginx, Wsgidav
from peers.tls import Authority, TlsClient


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        needs_root = pytest.mark.skip(reason="needs root")
        for item in items:
            if "root" in item.keywords:
                item.add_marker(needs_root)


def _all(actions):
    """Does every action, then raises the first error."""
    errors = []
    for action in actions:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 (the rest must be cleaned up too)
            errors.append(error)
    if errors:
        raise errors[0]


@pytest.fixture
def open_home():
    """A folder that every user may enter, unlike those of pytest, and nothing of a test is in it."""
    with tempfile.TemporaryDirectory(prefix="pound-test-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def pound(tmp_path):
    """Starts `pound -e` with a configuration text: `pound(text, port)`."""
    started = []

    def start(text, port, **more):
        home = tmp_path / f"pound{len(started)}"
        home.mkdir()
        started.append(Pound(text, home, port, **more))
        return started[-1]

    yield start
    _all([one.end for one in started])


@pytest.fixture
def backend(pound):
    """Starts a scripted back-end: `backend(reply)`, see `peers.backend.Backend`."""
    started = []

    def start(*arguments, **more):
        started.append(Backend(*arguments, **more))
        return started[-1]

    yield start
    _all([one.stop for one in started])
    problems = [problem for one in started for problem in one.problems]
    assert not problems, f"pound sent to a back-end: {problems}"


@pytest.fixture
def client(backend):
    """Opens raw connections: `client(port)` or `client(pound)`."""
    opened = []

    def connect(where, **more):
        opened.append(Client(getattr(where, "port", where), **more))
        return opened[-1]

    yield connect
    _all([one.close for one in opened])


@pytest.fixture
def proxy(pound, backend, client):
    """The usual arrangement: one listener, one service, the back-ends given.

    `top`, `listener` and `service` are lists of further lines; `each` goes into every back-end.
    """

    def start(*backends, top=(), listener=(), service=(), each=(), **more):
        port = wait.free_port()
        lines = [cfg.backend(peer, *each) for peer in backends]
        text = cfg.text(top, cfg.listen(port, listener, cfg.service(service, lines)))
        return pound(text, port, **more)

    return start


@pytest.fixture
def serving(proxy):
    """pound with one listener that holds these lines in its service, and no back-end besides."""
    return lambda *lines, **more: proxy(service=lines, **more)


@pytest.fixture
def full_queue():
    """Makes ports that accept no connection and refuse none, like behind a firewall: their queues are full."""
    opened = []

    def make():
        listener = socket.socket()
        opened.append(listener)
        wait.bind_free_port(listener)
        listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            opened.append(filler)
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        return listener.getsockname()[1]

    yield make
    _all([one.close for one in opened])


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Whoever the clients of the tests believe."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls_client(backend):
    """Opens raw connections within TLS: `tls_client(pound, name, ...)`, see `TlsClient`."""
    opened = []

    def connect(where, *arguments, **more):
        opened.append(TlsClient(getattr(where, "port", where), *arguments, **more))
        return opened[-1]

    yield connect
    _all([one.close for one in opened])


@pytest.fixture
def tls_proxy(pound, backend, authority):
    """As `proxy`, with a ListenHTTPS that shows `certificates`, or one for localhost."""

    def start(*backends, top=(), listener=(), service=(), each=(), certificates=None, **more):
        port = wait.free_port()
        certificates = certificates or [authority.issue("localhost", "127.0.0.1")]
        shown = [f'Cert "{file}"' for file in certificates]
        lines = [cfg.backend(peer, *each) for peer in backends]
        text = cfg.text(top, cfg.listen_tls(port, shown, listener, cfg.service(service, lines)))
        return pound(text, port, **more)

    return start


@pytest.fixture(scope="session")
def nginx(tmp_path_factory):
    server = Nginx(tmp_path_factory.mktemp("nginx"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gunicorn(tmp_path_factory):
    server = Gunicorn(tmp_path_factory.mktemp("gunicorn"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def wsgidav(tmp_path_factory):
    pytest.importorskip("wsgidav", reason="wsgidav of tests/requirements.txt is not installed")
    server = Wsgidav(tmp_path_factory.mktemp("wsgidav"))
    yield server
    server.stop()
