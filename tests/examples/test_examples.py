"""Every file in `examples/` runs, and does what it is an example of.

`examples/<name>.cfg` is tested by `test_<name>` (dashes become underscores) here, or elsewhere if the
list below says so.
"""

import json
import re
import sys
from collections import Counter
from datetime import datetime

import pytest

from peers import example, wait
from peers import pound as process
from peers.backend import answer
from peers.tls import Authority, context

TESTED_ELSEWHERE = {"zope": "zope/test_cluster.py", "zope-https": "zope/test_cluster.py"}


def names():
    return sorted(file.stem for file in example.FOLDER.glob("*.cfg"))


@pytest.mark.parametrize("name", names())
def test_has_a_test(name):
    module = sys.modules[__name__]
    assert name in TESTED_ELSEWHERE or hasattr(module, f"test_{name.replace('-', '_')}"), (
        f"write test_{name.replace('-', '_')} for examples/{name}.cfg"
    )


@pytest.mark.parametrize("name", names())
def test_is_well_formed(name):
    """As it stands: users, addresses and all. Only the certificates that it names are not here."""
    checked = process.run("-c", "-f", example.FOLDER / f"{name}.cfg")
    assert checked.returncode == 0, checked.stderr
    told = [line for line in checked.stderr.splitlines() if "/etc/pound/" not in line or "(os error 2)" not in line]
    assert told == [], "an example must not even be warned about"


# Those that are about something else than an application.
OTHERS = {"minimal", "redirect", "limits", "logging", "logging-json"}


@pytest.mark.parametrize("file", [*sorted(example.FOLDER.glob("*.cfg")), example.FOLDER.parent / "packaging/pound.cfg"], ids=lambda file: file.stem)
def test_lets_an_application_have_its_methods(file):
    lines = [line.strip() for line in file.read_text().splitlines()]
    assert file.stem in OTHERS or "xHTTP 2" in lines


@pytest.mark.parametrize("name", names())
def test_redirects_to_a_port_that_listens(name):
    """Where a file has HTTPS itself, its redirects to its own host lead there."""
    text = (example.FOLDER / f"{name}.cfg").read_text()
    ports = set(re.findall(r"^ListenHTTPS\b.*?^\s+Port (\d+)", text, re.M | re.S))
    targets = re.findall(r'Redirect \d+ "https://[^/":]+?(?::(\d+))?(?:/.*|%\[url\])?"', text)
    assert not ports or {port or "443" for port in targets} <= ports


@pytest.fixture
def run(pound, backend):
    """Runs an example: `run(name, 8001, 8002)` gives it scripted back-ends on those ports of the example.

    `origins` of what is returned holds them by these ports; each answers with its port.
    """

    def start(name, *back_ports, front=(8080,), paths=None, reply=None):
        origins = {port: backend(reply and reply(port), name=str(port)) for port in back_ports}
        fronts = {port: wait.free_port() for port in front}
        here = {**{port: origin.port for port, origin in origins.items()}, **fronts}
        ports = {f"127.0.0.1:{old}": new for old, new in here.items()}
        started = pound(example.adapt(name, ports, paths), fronts[front[0]])
        started.origins, started.fronts = origins, fronts
        return started

    return start


def test_minimal(run):
    pound = run("minimal", 8001)
    assert pound.ask("/any?thing").text == "8001"
    assert pound.origins[8001].last.target == "/any?thing"


def test_balancing(run, client):
    pound = run("balancing", 8001, 8002, 8003)
    assert [pound.ask(method=method).status for method in ("OPTIONS", "PUT", "PATCH", "DELETE")] == [200] * 4
    connection = client(pound)
    answered = Counter(connection.ask().text for _ in range(40))
    assert answered == {"8001": 20, "8002": 10, "8003": 10}


def test_sessions(run):
    def reply(port):
        def answer_and_remember(request, _):
            fresh = request.target == "/shop" and not request.fields.has("Cookie")
            return answer(str(port), fields=f"Set-Cookie: SESSION={port}; path=/\r\n" if fresh else "")

        return answer_and_remember

    pound = run("sessions", 8001, 8002, reply=reply)
    for _ in range(10):
        home = pound.ask("/shop").text
        cookie = f"Cookie: SESSION={home}\r\n"
        assert {pound.ask("/shop/cart", fields=cookie).text for _ in range(10)} == {home}
    for sid in "abcd":
        assert len({pound.ask(f"/reports?sid={sid}").text for _ in range(10)}) == 1
    assert {pound.ask("/").text for _ in range(60)} == {"8001", "8002"}


def test_virtual_hosts(run):
    pound = run("virtual-hosts", 8001, 8002, 8003)
    assert pound.ask(host="SHOP.example.org").text == "8001"
    assert pound.ask(host="blog.example.org").text == "8002"
    assert pound.ask(host="ann.blog.example.org").text == "8002"
    assert pound.ask("/images/x.png", host="anything").text == "8003"
    assert pound.ask(host="blog.example.net").status == 404


def test_failover(run):
    page = example.FOLDER / "pages/sorry.html"
    pound = run("failover", 8001, 8002, 8003, paths={"pages/sorry.html": page})
    one, two, spare = pound.origins.values()
    assert {pound.ask().text for _ in range(60)} == {"8001", "8002"}
    one.stop()
    assert {pound.ask().text for _ in range(20)} == {"8002"}
    two.stop()
    assert {pound.ask().text for _ in range(5)} == {"8003"}
    spare.stop()
    answered = pound.ask()
    assert (answered.status, answered.body) == (503, page.read_bytes())
    one.start()
    wait.until(lambda: pound.ask().text == "8001", "the server is not back within Alive", within=7)


def test_redirect(run):
    pound = run("redirect")
    for host, target, status, location in [
        ("example.org", "/a?b=c", 301, "http://www.example.org/a?b=c"),
        ("x.example", "/articles/12", 301, "http://www.example.org/archive/12.html"),
        ("x.example", "/order", 307, "https://shop.example.org/order"),
        ("x.example", "/articles/x?y", 308, "https://x.example/articles/x?y"),
    ]:
        answered = pound.ask(target, host=host)
        assert (answered.status, answered.fields.one("Location")) == (status, location)


def test_logging_json(run):
    pound = run("logging-json", 8001)
    pound.ask("/a?b=c", host="www.example:8080", fields="User-Agent: say \"hi\"\t\xe9\r\n")
    line = pound.wait_for_log('"path":"/a"')
    logged = json.loads(line)
    assert datetime.fromisoformat(logged.pop("time"))
    assert logged.pop("seconds") >= 0
    assert logged == {
        "client": "127.0.0.1",
        "host": "www.example",
        "method": "GET",
        "path": "/a",
        "query": "?b=c",
        "status": 200,
        "bytes": 4,
        "service": "pages",
        "backend": f"127.0.0.1:{pound.origins[8001].port}",
        "user": None,
        "referer": None,
        "agent": 'say "hi"\t\ufffd',
    }


def test_https(run, tls_client, authority):
    changes = {
        f"/etc/pound/certs/{name}.example.org.pem": authority.issue(f"{name}.example.org")
        for name in ("www", "shop")
    }
    pound = run("https", 8001, 8002, front=(8080, 8443), paths=changes)
    moved = pound.ask("/a?b", host="www.example.org")
    assert (moved.status, moved.fields.one("Location")) == (308, "https://www.example.org:8443/a?b")
    for name, text in [("www", "8001"), ("shop", "8002")]:
        client = tls_client(pound.fronts[8443], f"{name}.example.org", wanted=context(authority))
        answered = client.ask(host=f"{name}.example.org")
        assert answered.text == text
        assert answered.fields.has("Strict-Transport-Security") == (name == "www")


def test_client_certificates(run, tls_client, authority, tmp_path):
    people = Authority(tmp_path / "people", "People")
    ann = people.issue(subject="/CN=Ann", usage="clientAuth")
    changes = {
        "/etc/pound/certs/www.example.org.pem": authority.issue("www.example.org"),
        "/etc/pound/people-ca.pem": people.certificate,
        "/etc/pound/people-revoked.pem": people.revoked(tmp_path),
    }
    pound = run("client-certificates", 8001, front=(8443,), paths=changes)
    client = tls_client(pound, "www.example.org", wanted=context(authority, certificate=ann))
    assert client.ask(host="www.example.org").status == 200
    assert pound.origins[8001].requests[0].fields.one("X-SSL-Subject") == "CN = Ann"
    with pytest.raises((OSError, EOFError)):
        tls_client(pound, "www.example.org", wanted=context(authority)).ask()


def test_client_certificates_by_service(run, tls_client, authority, tmp_path):
    staff, partners = Authority(tmp_path / "staff", "Staff"), Authority(tmp_path / "partners", "Partners")
    both = tmp_path / "both.pem"
    both.write_text(staff.certificate.read_text() + partners.certificate.read_text())
    changes = {
        "/etc/pound/certs/www.example.org.pem": authority.issue("www.example.org"),
        "/etc/pound/staff-and-partners-ca.pem": both,
    }
    pound = run("client-certificates-by-service", 8001, 8002, 8003, front=(8443,), paths=changes)

    def statuses(certificate):
        client = tls_client(pound, "www.example.org", wanted=context(authority, certificate=certificate))
        asked = [client.ask(target, host="www.example.org", fields="X-User: x\r\n") for target in ("/admin/", "/partners/", "/")]
        return [one.status for one in asked]

    assert statuses(None) == [403, 403, 200]
    assert statuses(partners.issue(subject="/CN=Bob", usage="clientAuth")) == [403, 200, 200]
    assert statuses(staff.issue(subject="/CN=Ann", usage="clientAuth")) == [200, 200, 200]
    admin, _, site = pound.origins.values()
    assert [request.fields.one("X-User") for request in admin.requests] == ["CN = Ann"]
    assert not any(request.fields.has("X-User") for request in site.requests)


def test_rewriting(run):
    def reply(_):
        return answer("x", fields="Server: told/1\r\nX-Powered-By: it\r\n")

    pound = run("rewriting", 8001, 8002, reply=reply)
    app, api = pound.origins.values()
    answered = pound.ask("/app/page?x=1", fields="X-User: root\r\n")
    assert app.last.target == "/page?x=1"
    assert app.last.fields.one("X-Forwarded-Prefix") == "/app"
    assert not app.last.fields.has("X-User")
    assert not answered.fields.has("Server") and not answered.fields.has("X-Powered-By")
    assert answered.fields.one("X-Content-Type-Options") == "nosniff"
    pound.ask("/api/x", fields="Accept: application/vnd.example.v2+json\r\n")
    assert api.last.target == "/api/x?version=2"
    pound.ask("/api/x?version=9")
    assert api.last.target == "/api/x?version=1"


def test_static(run):
    folder = example.FOLDER / "htdocs"
    pound = run("static", 8001, paths={'SendFile "htdocs"': f'SendFile "{folder}"'})
    hello = pound.ask("/files/hello.txt")
    assert hello.body == (folder / "hello.txt").read_bytes()
    assert hello.fields.one("Content-Type") == "text/plain; charset=utf-8"
    index = pound.ask("/files/index.html")
    assert index.body == (folder / "index.html").read_bytes()
    assert index.fields.one("Content-Type") == "text/html; charset=utf-8"
    assert pound.ask("/files/none").status == 404
    assert pound.ask("/files/../static.cfg").status in (400, 403, 404)
    assert pound.ask("/health").status == 200
    assert pound.ask("/other").text == "8001"
    assert pound.stop() == 0
    assert "/other" in pound.output()
    assert "/health" not in pound.output()


def test_acl(run):
    pound = run("acl", 8001, 8002)
    assert pound.ask("/admin").text == "8001"
    assert pound.ask("/").text == "8002"
    # We are no trusted proxy, so nobody is banned by what we say about him.
    assert pound.ask("/", fields="X-Forwarded-For: 203.0.113.9\r\n").text == "8002"


def test_acl_keeps_others_out(pound, backend):
    """The same file with the network of the office taken away and ourselves as the trusted proxy."""
    port, origins = wait.free_port(), [backend(), backend(name="public")]
    ports = {"127.0.0.1:8080": port, "127.0.0.1:8001": origins[0].port, "127.0.0.1:8002": origins[1].port}
    changed = {"    127.0.0.0/8\n": "", "198.51.100.7": "127.0.0.1"}
    started = pound(example.adapt("acl", ports, changed), port)
    for spelling in ("/admin", "/admin/x", "/%61dmin", "//admin", "/Admin", "/admin%2Fx", "/admin;x", "/admin?x"):
        assert started.ask(spelling).status == 403, spelling
    assert started.ask("/administrators").text == "public"
    assert started.ask("/", fields="X-Forwarded-For: 203.0.113.9\r\n").status == 403
    assert started.ask("/", fields="X-Forwarded-For: 192.0.2.1\r\n").text == "public"


def test_limits(run, client):
    pound = run("limits", 8001)
    assert pound.ask("/fine-1_2.html?a=%20").status == 200
    assert pound.ask("/'").status == 501
    assert pound.ask("/" + "a" * 1024).status == 414
    assert pound.ask(method="PUT", body=b"x").status == 405
    assert pound.ask(method="POST", body=b"x" * 65536).status == 200
    assert pound.ask(method="POST", body=b"x" * 65537).status == 413
    silent = client(pound)
    assert silent.has_ended_within(10)


def test_logging(run):
    pound = run("logging", 8001, front=(8080, 8081))
    pound.ask("/images/a.png", host="www.example")
    pound.ask("/page", host="www.example")
    process.ask(pound.fronts[8081], "/machine", fields="User-Agent: robot\r\n")
    pound.wait_for_log("/machine")
    pound.wait_for_log("/page")
    assert pound.stop() == 0
    (page,) = [line for line in pound.lines() if "/page" in line]
    origin = f"127.0.0.1:{pound.origins[8001].port}"
    assert page.endswith(f" pages {origin}") and ' www.example "GET /page HTTP/1.1" 200 4 0.' in page, page
    (machine,) = [line for line in pound.lines() if "/machine" in line]
    assert machine.endswith('"GET /machine HTTP/1.1" 200 4 "" "robot"'), machine
    assert "/images/" not in pound.output()
