"""The work that Pound was made for: a Zope cluster, sessions, a server that dies, virtual hosts.

Three real Zope instances on one ZEO storage, `examples/zope.cfg` or `zope-https.cfg` between them and real clients.
"""

import random
import re
import threading
import time

import pytest

from peers import configuration as cfg
from peers import example, wait
from peers.pound import Pound
from peers.tls import context
from peers.zope import ADMIN, Browser, Cluster

SITE = "www.example.com"
INSTANCES = 3
# What `Alive` says in the example.
ALIVE_SECONDS = 5
# A probe that has just gone out when the instance comes up, and the time of a request.
MARGIN_SECONDS = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("zope") / "cluster", INSTANCES)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def pound(cluster, tmp_path_factory):
    port = wait.free_port()
    ports = {f"192.0.2.1{n}:8080": zope.port for n, zope in enumerate(cluster.instances, 1)}
    text = example.adapt("zope", {"0.0.0.0:80": port, **ports})
    started = Pound(text, tmp_path_factory.mktemp("pound"), port)
    yield started
    started.end()


@pytest.fixture
def browser(pound):
    """Makes visitors of the site, each with cookies of his own."""
    return lambda user=None: Browser(pound.port, user, name=SITE)


@pytest.fixture
def admin(browser):
    """The administrator, with a session: what he has just made he finds again, since he stays with one
    instance. The others learn of it from ZEO a moment later."""
    visitor = browser(ADMIN)
    assert visitor.get("/log_in?name=admin").status == 200
    return visitor


@pytest.fixture(scope="module")
def secure(cluster, authority, tmp_path_factory):
    """The same cluster behind HTTPS: pound, and its two ports by those of the example."""
    fronts = {80: wait.free_port(), 443: wait.free_port()}
    ports = {f"0.0.0.0:{old}": new for old, new in fronts.items()}
    ports |= {f"192.0.2.1{n}:8080": zope.port for n, zope in enumerate(cluster.instances, 1)}
    certificate = {"/etc/pound/certs/www.example.com.pem": authority.issue(SITE)}
    text = example.adapt("zope-https", ports, certificate)
    started = Pound(text, tmp_path_factory.mktemp("secure"), fronts[443])
    yield started, fronts
    started.end()


@pytest.fixture
def secure_browser(secure, authority):
    """As `browser`, by HTTPS."""
    return lambda user=None: Browser(secure[0].port, user, name=SITE, tls=context(authority))


def everywhere(cluster, path, body):
    """Waits until every instance answers a request for `path` with `body`."""
    for zope in cluster.instances:
        wait.until(lambda zope=zope: zope.browser().get(path).body == body, f"{zope.name} lacks {path}")


def test_the_management_pages_ask_for_a_password(browser):
    assert browser().get("/manage_main").status == 401
    assert browser(ADMIN).get("/manage_main").status == 200
    assert browser((ADMIN[0], "wrong")).get("/manage_main").status == 401


def test_new_visitors_are_spread_over_all_instances(browser, cluster):
    seen = {browser().get("/visit").server for _ in range(60)}
    assert seen == {zope.name for zope in cluster.instances}


def test_a_visitor_stays_with_the_instance_of_his_session(browser):
    for name in ("ann", "bob", "eve", "kim"):
        visitor = browser()
        home = visitor.get(f"/log_in?name={name}").server
        assert "_ZopeId" in visitor.cookies
        for number in range(1, 11):
            answered = visitor.get("/visit")
            assert (answered.text, answered.server) == (f"{name} {number}", home)


def test_content_made_through_pound_is_read_back_from_every_instance(admin, browser, cluster):
    folder = admin.post("/manage_addProduct/OFSP/manage_addFolder", {"id": "news", "title": "News"})
    assert folder.status in (200, 302), folder.text
    text = f"<p>Made at {time.time()}</p>"
    made = admin.post("/news/manage_addProduct/OFSP/manage_addDTMLMethod", {"id": "item", "title": "An item"})
    assert made.status in (200, 302), made.text
    edited = admin.post("/news/item/manage_edit", {"data": text, "title": "An item"})
    assert edited.status in (200, 302), edited.text
    everywhere(cluster, "/news/item", text.encode())
    readers = [browser().get("/news/item") for _ in range(20)]
    assert {reader.text for reader in readers} == {text}


def test_an_uploaded_file_comes_back_whole(admin, cluster):
    data = random.Random(1).randbytes(3_000_000)
    boundary = "----pound-test"
    parts = {"id": (None, b"photo"), "title": (None, b""), "file": ("photo.bin", data)}
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        + (f'; filename="{file}"\r\nContent-Type: application/octet-stream'.encode() if file else b"")
        + b"\r\n\r\n"
        + value
        + b"\r\n"
        for name, (file, value) in parts.items()
    )
    sent = admin.send_body(
        "/manage_addProduct/OFSP/manage_addFile",
        body + f"--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )
    assert sent.status in (200, 302), sent.text
    assert admin.get("/photo").body == data
    everywhere(cluster, "/photo", data)


LINKS = """<a id="page" tal:attributes="href template/absolute_url"></a>
<a id="root" tal:attributes="href python: here.absolute_url()"></a>
<a id="asked" tal:attributes="href request/URL"></a>
"""


def test_links_show_the_public_name(admin):
    made = admin.post("/manage_addProduct/PageTemplates/manage_addPageTemplate", {"id": "links", "text": "<p></p>"})
    assert made.status in (200, 302), made.text
    # Zope answers a form with a redirect: it must lead the browser back to where it is.
    assert (made.fields.get("Location") or f"http://{SITE}/").startswith(f"http://{SITE}/")
    edited = admin.post(
        "/links/pt_editAction", {"title": "", "content_type": "text/html", "text": LINKS}
    )
    assert edited.status in (200, 302), edited.text
    links = dict(re.findall(r'id="(\w+)" href="([^"]*)"', admin.get("/links").text))
    assert links == {
        "page": f"http://{SITE}/links",
        "root": f"http://{SITE}",
        "asked": f"http://{SITE}/links",
    }


def test_who_comes_without_tls_is_sent_to_the_same_page_with_it(secure):
    answered = Browser(secure[1][80], name=SITE).get("/links?a=b")
    assert (answered.status, answered.fields["Location"]) == (308, f"https://{SITE}/links?a=b")


def test_zope_knows_that_its_visitor_came_by_https(secure_browser, cluster):
    admin = secure_browser(ADMIN)
    assert admin.get("/log_in?name=admin").status == 200
    made = admin.post("/manage_addProduct/PageTemplates/manage_addPageTemplate", {"id": "secure_links", "text": "<p></p>"})
    assert made.status in (200, 302), made.text
    assert (made.fields.get("Location") or f"https://{SITE}/").startswith(f"https://{SITE}/")
    text = LINKS + '<a id="server" tal:attributes="href request/SERVER_URL"></a>\n'
    text += '<a id="visitor" tal:attributes="href request/REMOTE_ADDR"></a>\n'
    edited = admin.post("/secure_links/pt_editAction", {"title": "", "content_type": "text/html", "text": text})
    assert edited.status in (200, 302), edited.text
    answered = admin.get("/secure_links")
    assert dict(re.findall(r'id="(\w+)" href="([^"]*)"', answered.text)) == {
        "page": f"https://{SITE}/secure_links",
        "root": f"https://{SITE}",
        "asked": f"https://{SITE}/secure_links",
        "server": f"https://{SITE}",
        "visitor": "127.0.0.1",
    }
    assert "max-age" in answered.fields["Strict-Transport-Security"]


def test_without_a_virtual_host_zope_knows_it_by_the_field_that_pound_adds(cluster, authority, tmp_path):
    """What the announcement of Pound 1.6 had a patch of z2.py for: `trusted_proxy` in zope.ini does it today."""
    port, zope = wait.free_port(), cluster.instances[0]
    lines = [f'Cert "{authority.issue(SITE)}"', cfg.service(cfg.backend(zope))]
    started = Pound(cfg.text(cfg.listen_tls(port, *lines)), tmp_path, port)
    try:
        visitor = Browser(port, name=f"{SITE}:{port}", tls=context())
        visitor.fields |= {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
        assert visitor.get("/where").text == f"https://{SITE}:{port} 127.0.0.1"
    finally:
        started.end()


def test_a_cookie_for_https_alone_is_set_for_visitors_of_https(secure_browser, browser, cluster):
    admin = secure_browser(ADMIN)
    change = "/browser_id_manager/manage_changeBrowserIdManager"
    form = {"idname": "_ZopeId", "location:list": "cookies", "cookiepath": "/", "cookielifedays:int": "0"}
    assert admin.post(change, {**form, "cookiesecure:int": "1"}).status in (200, 302)
    try:
        for number in range(len(cluster.instances)):
            wait.until(lambda: secure_browser().get("/log_in?name=ann").fields.get("Set-Cookie", "").lower().count("secure"), "no secure cookie")
        assert "_ZopeId" not in browser().cookies
    finally:
        assert admin.post(change, {**form, "cookiesecure:int": "0"}).status in (200, 302)


def test_nobody_can_forge_a_virtual_host(browser):
    forged = browser().get("/VirtualHostBase/http/evil.example:80/VirtualHostRoot/links")
    assert forged.status == 404
    assert "evil" not in forged.text


def test_other_names_are_not_served(pound):
    assert Browser(pound.port, name="other.example").get("/").status == 503


class Load:
    """Visitors who read pages without a pause, each with a session cookie of his own."""

    def __init__(self, browser, visitors):
        self.failed, self.answered = [], []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.read, args=(browser(),)) for _ in range(visitors)]

    def read(self, visitor):
        number = 0
        while not self.stop.is_set():
            number += 1
            if number % 20 == 1:
                # Another visitor: his choice of an instance is free again.
                visitor.cookies = {"_ZopeId": f"{random.getrandbits(64)}"}
            try:
                answered = visitor.get("/read")
                problem = None if (answered.status, answered.text) == (200, "read me") else answered
            except Exception as error:  # noqa: BLE001 (whatever it was, a GET has failed)
                problem = error
            if problem:
                self.failed.append((time.monotonic(), problem))
            else:
                self.answered.append(answered.server)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def goes_on(self, requests=200):
        """Waits until so many more requests have been answered."""
        done = len(self.answered)
        wait.until(lambda: len(self.answered) >= done + requests, "the load stands still", within=60)


def test_an_instance_killed_under_load_costs_no_get_and_no_session(admin, browser, cluster):
    made = admin.post("/manage_addProduct/OFSP/manage_addDTMLMethod", {"id": "read"})
    assert made.status in (200, 302), made.text
    admin.post("/read/manage_edit", {"data": "read me", "title": ""})
    everywhere(cluster, "/read", b"read me")

    visitor = browser()
    home = cluster.named(visitor.get("/log_in?name=ann").server)
    visits = 0

    def visit():
        """Goes on in the session: same name, one visit more. A repeated GET may count twice."""
        nonlocal visits
        answered = visitor.get("/visit")
        assert answered.status == 200, answered.text
        name, count = answered.text.split()
        assert name == "ann"
        assert visits < int(count) <= visits + 2
        visits = int(count)
        return answered.server

    with Load(browser, visitors=6) as load:
        load.goes_on()
        assert {visit() for _ in range(5)} == {home.name}

        home.kill()
        moved = visit()
        assert moved != home.name
        assert {visit() for _ in range(20)} == {moved}
        load.goes_on()

        home.launch().ready()
        ready = time.monotonic()
        load.answered.clear()
        wait.until(lambda: home.name in load.answered, "the instance is not back", within=60)
        back = time.monotonic() - ready
        assert back <= ALIVE_SECONDS + MARGIN_SECONDS, f"back only after {back:.1f} s"
        # The session has a new home and stays there.
        assert {visit() for _ in range(5)} == {moved}
        load.goes_on()
    assert load.failed == [], f"{len(load.failed)} failed: {load.failed[:5]}"
