"""Chromium before pound: a page with all that belongs to it, and what it refuses to show."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from peers import example, wait
from peers.backend import answer
from peers.browser import Browser, program
from peers.tls import Authority

pytestmark = pytest.mark.skipif(
    program() is None and "ID=debian" not in Path("/etc/os-release").read_text().splitlines(),
    reason="no Chromium is in PATH, and only Debian has a package of it",
)

SIZE = 3_000_000
# A picture of one pixel.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=")

PAGE = """\
<!DOCTYPE html>
<html><head><title>loading</title><link rel="stylesheet" href="/style.css"></head>
<body><img id="own" src="/pixel.gif"><img id="other" src="https://shop.example.org:8443/pixel.gif"><p id="seen"></p>
<script>
const seen = {};
async function find() {
    const url = new URL("/large", location.href);
    seen.down = (await (await fetch(url)).arrayBuffer()).byteLength;
    seen.up = await (await fetch("/count", {method: "POST", body: new Uint8Array(SIZE)})).text();
    seen.many = await Promise.all([...Array(20).keys()].map(n => fetch(`/n/${n}`).then(found => found.text())));
    seen.told = await (await fetch("/told")).json();
    seen.socket = await new Promise((done, failed) => {
        const socket = new WebSocket(`wss://${location.host}/socket`);
        socket.onmessage = message => done(message.data);
        socket.onerror = () => failed(new Error("WebSocket"));
    });
    const pictures = ["own", "other"].map(id => document.getElementById(id));
    await Promise.all(pictures.map(picture => picture.decode()));
    seen.pictures = pictures.map(picture => picture.naturalWidth);
    seen.color = getComputedStyle(document.body).color;
    seen.secure = isSecureContext;
    seen.location = location.href;
    seen.protocol = performance.getEntriesByType("navigation")[0].nextHopProtocol;
}
find().catch(error => { seen.error = String(error); }).then(() => {
    document.getElementById("seen").textContent = JSON.stringify(seen);
});
</script></body></html>
""".replace("SIZE", str(SIZE))


def page(request, connection):
    """The back-end: what it answers by the path."""
    path = request.target.partition("?")[0]
    if path == "/socket":
        key = request.fields.one("Sec-WebSocket-Key").encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key).digest()).decode()
        fields = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
        connection.send(f"HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n", b"\x81\x05hello")
        connection.fill()
        return None
    if path == "/told":
        names = ("X-Forwarded-Proto", "Cookie", "Host")
        told = {name: request.fields.one(name) if request.fields.has(name) else None for name in names}
        return answer(json.dumps(told), fields="Content-Type: application/json\r\n")
    if path == "/page":
        cookie = "Set-Cookie: kept=well; Secure; HttpOnly; SameSite=Strict; Path=/\r\n"
        return answer(PAGE, fields=f"Content-Type: text/html; charset=utf-8\r\n{cookie}")
    bodies = {
        "/style.css": ("body { color: rgb(1, 2, 3) }", "text/css"),
        "/pixel.gif": (PIXEL, "image/gif"),
        "/large": (b"x" * SIZE, "application/octet-stream"),
        "/count": (str(len(request.body)), "text/plain"),
    }
    body, kind = bodies.get(path, (path, "text/plain"))
    return answer(body, fields=f"Content-Type: {kind}\r\n")


@pytest.fixture
def sites(pound, backend):
    """`../examples/https.cfg` with these certificates, and where Chromium finds its two sites."""

    def start(www, shop):
        fronts = {port: wait.free_port() for port in (8080, 8443)}
        www_server, shop_server = backend(page), backend(page)
        ports = {f"127.0.0.1:{old}": new for old, new in fronts.items()}
        ports |= {"127.0.0.1:8001": www_server.port, "127.0.0.1:8002": shop_server.port}
        paths = {"/etc/pound/certs/www.example.org.pem": www, "/etc/pound/certs/shop.example.org.pem": shop}
        running = pound(example.adapt("https", ports, paths), fronts[8080])
        places = {}
        for host in ("www.example.org", "shop.example.org"):
            places |= {f"{host}:{port}": front for port, front in fronts.items()}
        return running, places, www_server, shop_server

    return start


def test_a_page_is_loaded_from_http_over_the_redirect_with_all_that_belongs_to_it(sites, authority, tmp_path):
    certificates = [authority.issue(f"{name}.example.org") for name in ("www", "shop")]
    pound, places, www, shop = sites(*certificates)
    loaded = Browser(tmp_path / "browser", authority).load("http://www.example.org:8080/page?a=b", places, until="seen")
    seen = json.loads(loaded.text("seen"))
    assert seen == {
        "location": "https://www.example.org:8443/page?a=b",
        "secure": True,
        "protocol": "http/1.1",
        "down": SIZE,
        "up": str(SIZE),
        "many": [f"/n/{number}" for number in range(20)],
        "told": {"X-Forwarded-Proto": "https", "Cookie": "kept=well", "Host": "www.example.org:8443"},
        "socket": "hello",
        "pictures": [1, 1],
        "color": "rgb(1, 2, 3)",
    }
    assert [request.target for request in www.requests].count("/page?a=b") == 1
    assert [request.target for request in shop.requests] == ["/pixel.gif"]
    pound.wait_for_log('GET /page?a=b HTTP/1.1')


REFUSALS = {
    "expired": ({"days": -1}, "www.example.org", "ERR_CERT_DATE_INVALID"),
    "another_name": ({}, "other.example.org", "ERR_CERT_COMMON_NAME_INVALID"),
    "unknown_authority": ({}, "www.example.org", "ERR_CERT_AUTHORITY_INVALID"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_certificate_is_named_and_nothing_is_requested(sites, authority, tmp_path, case):
    options, name, code = REFUSALS[case]
    believed = Authority(tmp_path / "other", "Other") if case == "unknown_authority" else authority
    file = authority.issue(name, **options)
    pound, places, www, _ = sites(file, authority.issue("shop.example.org"))
    loaded = Browser(tmp_path / "browser", believed).load("https://www.example.org:8443/page", places)
    assert loaded.error == f"net::{code}"
    assert not loaded.has_element("seen")
    assert not www.requests
