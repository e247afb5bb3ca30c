"""`pound -V`: what it says is built is there, and what it says is not is refused."""

import ssl

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait
from peers.tls import TlsClient, context


def listed():
    """What `-V` prints, by the name of the row."""
    printed = process.run("-V")
    assert printed.returncode == 0, printed.stderr
    rows = {}
    for line in printed.stdout.splitlines()[1:]:
        name, value = line[:23].strip(), line[23:].strip()
        if name:
            rows[name] = value
        else:
            last = next(reversed(rows))
            rows[last] += " " + value
    return rows


def words(row):
    return listed()[row].split(", ")


def test_every_version_of_http_that_is_listed_is_served_and_no_other(proxy, backend, client):
    pound = proxy(backend())
    built = [word.removeprefix("HTTP/") for word in words("protocols") if word.startswith("HTTP/")]
    served = []
    for version in ("0.9", "1.0", "1.1", "1.2", "2.0", "3.0"):
        connection = client(pound)
        connection.send_request(version=version)
        if connection.read_answer().status == 200:
            served.append(version)
    assert served == built


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python about the old versions
def test_every_version_of_tls_that_is_listed_is_spoken_and_no_other(tls_proxy, backend):
    pound = tls_proxy(backend())
    built = {word.removeprefix("TLS ") for word in words("protocols") if word.startswith("TLS ")}
    spoken = set()
    for name, version in {"1.0": "TLSv1", "1.1": "TLSv1_1", "1.2": "TLSv1_2", "1.3": "TLSv1_3"}.items():
        wanted = context()
        wanted.set_ciphers("ALL:@SECLEVEL=0")
        wanted.minimum_version = wanted.maximum_version = ssl.TLSVersion[version]
        try:
            TlsClient(pound.port, wanted=wanted).close()
            spoken.add(name)
        except (ssl.SSLError, ConnectionError):
            pass
    assert spoken == built


def test_every_balancer_that_is_listed_is_one(tmp_path):
    for name in words("balancers"):
        text = f"Service\n    Balancer {name}\n    Backend\n        Address 127.0.0.1\n        Port 1\n    End\nEnd\n"
        checked = process.check(cfg.text(cfg.listen(wait.free_port(), text)), tmp_path)
        assert checked.returncode == 0, checked.stderr


def test_directives_that_are_not_built_are_those_whose_help_says_so():
    pending = words("directives not yet")
    assert pending
    names = process.run("-h", "no-such-directive")
    known = (names.stdout + names.stderr).split()
    assert set(pending) <= set(known)
    for name in ["ListenHTTP", "ListenHTTPS", "Backend", "Session", "Include", *pending]:
        says = "Not supported yet." in process.run("-h", name).stdout
        assert says == (name in pending), name


@pytest.mark.parametrize("value", ["", "x"])
def test_switches_that_are_not_built_are_refused_by_name(value):
    for word in words("switches not yet"):
        switch = word.removeprefix("-W ") + (value if word.endswith("=") else "")
        refused = process.run("-c", "-W", switch)
        assert refused.returncode == 1 and f"{switch} is not supported yet" in refused.stderr, refused.stderr
