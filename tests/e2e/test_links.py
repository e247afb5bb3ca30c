"""What browsers, curl and apt send for a link passes as they send it, and what hides something does not."""

import shutil
import subprocess

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer

# The URL standard has browsers escape neither a bare percent sign nor most punctuation; curl escapes nothing at all.
LINKS = [
    b"/?q=100%",
    b"/?q=%",
    b"/?100%&x=%2",
    b"/sale-50%-off/",
    b"/100%/x",
    b"/%zz",
    b"/%u4e2d%u6587",
    b"/?s=%u4e2d",
    b"/a|b[0]{1}^`'",
    b"/?a[]={\"k\":'v'}|^`\\",
    b"/caf\xc3\xa9?\xe4\xb8\xad=\xff",
    b"/a\\b",
    b"/a<b>\"c",
]

HIDING = [
    (b"/a%", 400),
    (b"/a%2", 400),
    (b"/%2?b=c", 400),
    (b"/%00", 400),
    (b"/?a=%00", 400),
    (b"/%u0000", 400),
    (b"/%u0061dmin", 400),
    (b"/%u002e%u002e/x", 400),
    (b"/%uff0e%uff0e/x", 400),
    (b"/%2e%2e/x", 400),
    (b"/./../x", 400),
    (b"/%2e/x", 400),
    (b"/.;/x", 400),
    (b"/a#b", 400),
    (b"/a b", 400),
    (b"/a\tb", 400),
    (b"/a\x7fb", 400),
    (b"/?\x01", 400),
]


def send(connection, target, method=b"GET"):
    connection.send(method + b" " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection.read_answer()


@pytest.mark.parametrize("target", LINKS, ids=lambda target: target.decode("latin-1"))
def test_what_clients_send_for_a_link_arrives_as_it_was_sent(proxy, backend, client, target):
    origin = backend()
    assert send(client(proxy(origin)), target).status == 200
    assert origin.last.target.encode("latin-1") == target


@pytest.mark.parametrize("target, status", HIDING, ids=lambda value: repr(value))
def test_what_hides_something_is_refused(proxy, backend, client, target, status):
    origin = backend()
    assert send(client(proxy(origin)), target).status == status
    assert origin.hits == 0


def test_curl_gets_a_link_as_it_is_typed(proxy, backend):
    origin = backend()
    pound = proxy(origin)
    link = "/sale-50%-off/%u4e2d|{x}^é?q=100%"
    command = [shutil.which("curl"), "-sS", "-g", "-o", "/dev/null", "-w", "%{http_code}", pound.url + link]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60).stdout == "200"
    assert origin.last.target.startswith("/sale-50%-off/%u4e2d")
    assert origin.last.target.endswith("?q=100%")


@pytest.mark.parametrize(
    "asked, forwarded",
    [
        ("/./Packages", "/Packages"),
        ("/debian/./Packages.gz?a=/./b", "/debian/Packages.gz?a=/./b"),
        ("/a/././b/.", "/a/b/"),
        ("/.", "/"),
        ("http://localhost/./x", "/x"),
    ],
)
def test_a_plain_dot_is_taken_out(proxy, backend, client, asked, forwarded):
    origin = backend()
    assert client(proxy(origin)).ask(asked).status == 200
    assert origin.last.target == forwarded


def test_no_dot_leads_around_a_rule(pound, backend, client):
    public = backend(answer("public"))
    port = wait.free_port()
    deny = cfg.service('Path -beg "/admin"', "Error 403")
    running = pound(cfg.text(cfg.listen(port, deny, cfg.service(cfg.backend(public)))), port)
    for target in ("/admin/x", "/./admin/x", "/././admin", "/./././admin/."):
        assert client(running).ask(target).status == 403, target
    for target in ("/a/../admin", "/%2e/admin", "/./%2e/admin"):
        assert client(running).ask(target).status == 400, target
    assert public.hits == 0


def test_a_redirect_of_such_a_link_is_a_url_still(proxy, backend, client):
    service = ['Redirect "https://new.example"']
    moved = send(client(proxy(service=service)), b"/50%-off/\"<\xc3\xa9>?q=100%")
    location = moved.fields.one("Location")
    assert location == "https://new.example/50%25-off/%22%3C%C3%A9%3E?q=100%25"
    assert location.isascii() and not set('"<> ') & set(location)


def test_the_log_says_which_byte_of_a_head_is_wrong_and_where(proxy, backend, client):
    pound = proxy(backend())
    assert send(client(pound), b"/ab\tc").status == 400
    pound.wait_for_log("U+0009 tab in line 1 of the head, at byte 8")
    connection = client(pound)
    connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x01c\r\n\r\n")
    assert connection.read_answer().status == 400
    pound.wait_for_log("U+0001 control character in line 3 of the head, at byte 7")


def test_the_log_names_the_bound_that_a_line_passes_and_its_value(proxy, backend, client):
    pound = proxy(backend(answer("x", fields="X-A: " + "a" * 9000 + "\r\n")), top=["LineBufferSize 8k"])
    connection = client(pound)
    connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"b" * 9000 + b"\r\n\r\n")
    assert connection.read_answer().status == 431
    pound.wait_for_log("[E-LINE-LONG]")
    pound.wait_for_log("(LineBufferSize is 8192)")
    assert client(pound).ask().status == 502
    pound.wait_for_log("[E-ANSWER]")
    answers = [line for line in pound.lines() if "[E-ANSWER]" in line]
    assert any("LineBufferSize is 8192" in line for line in answers), answers
