"""What RFC 9112 forbids is refused, nothing of it reaches a back-end, and the connection closes."""

import pytest

from peers import wait

G = "GET / HTTP/1.1\r\nHost: a\r\n"
P = "POST / HTTP/1.1\r\nHost: a\r\n"

REFUSED = {
    "two_lengths": (P + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", {400}),
    "length_and_chunked": (P + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "a_signed_length": (P + "Content-Length: +1\r\n\r\nx", {400}),
    "a_length_in_hex": (P + "Content-Length: 0x1\r\n\r\nx", {400}),
    "a_length_beyond_64_bits": (P + "Content-Length: 99999999999999999999\r\n\r\n", {400, 413}),
    "an_unknown_coding": (P + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "chunked_twice": (P + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "chunked_in_http_1_0": ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "no_host": ("GET / HTTP/1.1\r\n\r\n", {400}),
    "two_hosts": (G + "Host: b\r\n\r\n", {400}),
    "a_host_with_a_path": ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", {400}),
    "a_space_before_the_colon": (G + "X-A : b\r\n\r\n", {400}),
    "an_empty_name": (G + ": b\r\n\r\n", {400}),
    "a_name_that_is_no_token": (G + "X(A): b\r\n\r\n", {400}),
    "a_folded_line": (G + "X-A: b\r\n c\r\n\r\n", {400}),
    "a_bare_line_feed": ("GET / HTTP/1.1\nHost: a\n\n", {400}),
    "a_bare_carriage_return": (G + "X-A: b\rc\r\n\r\n", {400}),
    "a_null_in_a_value": (G + "X-A: b\0c\r\n\r\n", {400}),
    "a_control_byte_in_the_target": ("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "two_spaces_in_the_request_line": ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "a_target_without_a_slash": ("GET index HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "an_escape_cut_short": ("GET /a% HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "an_escaped_null": ("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "http_2_0": ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", {505, 400}),
    "http_0_9": ("GET /\r\n\r\n", {400}),
    "the_http2_preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505, 400}),
    "tls_on_a_plain_port": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "A" * 50 + "\r\n\r\n", {400}),
    "connect": ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", {400, 405, 501}),
    "two_names_that_disagree": ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case, proxy, backend, client):
    request, statuses = REFUSED[case]
    origin = backend()
    connection = client(proxy(origin, listener=["xHTTP 3"]))
    connection.send(request)
    assert connection.read_answer().status in statuses
    assert connection.at_end()
    assert origin.hits == 0


def test_reads_no_byte_after_a_refused_request(proxy, backend, client):
    origin = backend()
    connection = client(proxy(origin))
    connection.send(P + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.read_answer().status == 400
    assert connection.at_end()
    assert origin.hits == 0


def test_refuses_a_method_that_the_listener_does_not_allow(proxy, backend, client):
    origin = backend()
    pound = proxy(origin)
    assert client(pound).ask(method="DELETE").status == 405
    assert client(pound).ask(method="BREW").status in (400, 405, 501)
    assert origin.hits == 0


@pytest.mark.parametrize("level, allowed, refused", [(0, "POST", "PUT"), (1, "PUT", "MKCOL"), (2, "MKCOL", "SUBSCRIBE")])
def test_each_level_of_xhttp_allows_its_methods(proxy, backend, client, level, allowed, refused):
    pound = proxy(backend(), listener=[f"xHTTP {level}"])
    assert client(pound).ask(method=allowed, fields="Content-Length: 0\r\n").status == 200
    assert client(pound).ask(method=refused, fields="Content-Length: 0\r\n").status == 405


def test_refuses_a_target_longer_than_max_uri(proxy, backend, client):
    pound = proxy(backend(), listener=["MaxURI 100"])
    assert client(pound).ask("/" + "a" * 99).status == 200
    assert client(pound).ask("/" + "a" * 100).status == 414


def test_refuses_a_target_that_fails_check_url(proxy, backend, client):
    pound = proxy(backend(), listener=['CheckURL "^/[a-z/]*$"'])
    assert client(pound).ask("/good/one").status == 200
    assert client(pound).ask("/Bad").status in (400, 501)


def test_refuses_characters_that_a_part_of_a_target_may_not_have(proxy, backend, client):
    """CheckURL of Pound 1.x: each part of the URL has its own set; empty parts are allowed."""
    lines = ["CheckURL 1", 'CSsegment "a-z."', 'CSparameter "0-9"', 'CSqid "a-z"', 'CSqval "A-Z%0-9"']
    origin = backend()
    pound = proxy(origin, top=lines)
    good = ["/", "/index.html", "//a//", "/a;1;2/b;", "/?", "/?a", "/?a=", "/?=B&", "/a?b=C&d=%20"]
    for target in good:
        assert client(pound).ask(target).status == 200, target
    for target in ["/A", "/a;b", "/a%20", "/?A", "/?a=b", "/?a=B&c=d", "/?a=B=C"]:
        refused = client(pound).ask(target)
        assert (refused.status, "E-CHECKURL-CHAR" in refused.text) == (501, True), target
    assert origin.hits == len(good)
    line = pound.wait_for_log('CSsegment: "A"')
    assert "[E-CHECKURL-CHAR]" in line, line


def test_a_listener_may_leave_the_characters_alone_or_add_a_pattern(proxy, backend, client):
    pound = proxy(backend(), top=["CheckURL 1"], listener=["CheckURL 0"])
    assert client(pound).ask("/a[b]").status == 200
    pound = proxy(backend(), top=["CheckURL 1"], listener=['CheckURL "^/a"'])
    for target, status in (("/a", 200), ("/b", 501), ("/a[", 501)):
        assert client(pound).ask(target).status == status


def test_refuses_a_head_that_is_too_large(proxy, backend, client):
    origin = backend()
    connection = client(proxy(origin))
    try:
        connection.send(G, *(f"X-{number}: {'v' * 1000}\r\n" for number in range(2000)), "\r\n")
    except ConnectionError:
        pass  # refused before all of it was taken
    try:
        assert connection.read_answer().status == 431
    except ConnectionError:
        pass
    assert origin.hits == 0


def test_refuses_a_line_that_is_too_long(proxy, backend, client):
    connection = client(proxy(backend(), listener=["LineBufferSize 4096"]))
    connection.send(G, f"X-Long: {'v' * 6000}\r\n\r\n")
    assert connection.read_answer().status == 431


def test_passes_odd_but_valid_requests_unchanged(proxy, backend, client):
    origin = backend()
    pound = proxy(origin)
    for target in ("/?", "/?&&a=&=b", "/%2F%2e%2Ex", "/a;p=1//b/...", "/~!$&'()*+,=:@", "/?q=http://x/../?y"):
        assert client(pound).ask(target).status == 200
        assert origin.last.target == target
    connection = client(pound)
    assert connection.ask(fields="X-Empty:\r\nX-Obs: \xe9\xff\r\n", host="[::1]:8080").status == 200
    assert origin.last.fields.one("X-Obs") == "\xe9\xff"
    assert origin.last.fields.one("X-Empty") == ""
    assert origin.last.fields.one("Host") == "[::1]:8080"


def test_an_absolute_target_becomes_a_path(proxy, backend, client):
    origin = backend()
    assert client(proxy(origin)).ask("http://www.example.com/a?b", host="www.example.com").status == 200
    assert origin.last.target == "/a?b"
    assert origin.last.fields.one("Host") == "www.example.com"


@pytest.mark.parametrize(
    "bad",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\0\1\2\3\r\n\r\n",
    ],
)
def test_a_malformed_answer_becomes_502(proxy, backend, client, bad):
    origin = backend(bad)
    connection = client(proxy(origin))
    assert connection.ask().status == 502


def test_a_backend_that_answers_without_end_does_not_fill_memory(proxy, backend, client):
    def serve(origin):
        origin.read_request()
        origin.send("HTTP/1.1 200 OK\r\n")
        while True:
            origin.send("X-More: and more\r\n" * 1000)

    pound = proxy(backend(serve=serve))
    before = pound.memory()
    assert client(pound).ask().status == 502
    wait.until(pound.is_idle, "pound is busy after the answer")
    assert pound.memory() - before < 8 << 20
