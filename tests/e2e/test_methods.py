"""Which methods pass, what is said of the others, and what an operator is told."""

import socket

import pytest

from peers import configuration as cfg
from peers import wait
from peers.pound import check

# Of the IANA registry and of Microsoft's and UPnP's families, by the least level of xHTTP.
LEVELS = {
    0: ["GET", "HEAD", "POST"],
    1: ["PUT", "PATCH", "DELETE", "QUERY"],
    2: ["OPTIONS", "PROPFIND", "MKCALENDAR", "ACL", "BIND", "REPORT", "VERSION-CONTROL", "LINK"],
    3: ["SUBSCRIBE", "M-SEARCH", "RPC_IN_DATA", "BMOVE"],
}


def status(client, pound, method):
    fields = "" if method in ("GET", "HEAD") else "Content-Length: 0\r\n"
    return client(pound).ask(method=method, fields=fields)


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_has_the_extension_methods_of_its_kind(proxy, backend, client, level):
    origin = backend()
    pound = proxy(origin, listener=[f"xHTTP {level}"])
    for needed, methods in LEVELS.items():
        for method in methods:
            expect = 200 if needed <= level else 405
            assert status(client, pound, method).status == expect, method


@pytest.mark.parametrize("method", ["PURGE", "BREW", "get", "FOO"])
def test_an_unknown_method_is_not_implemented_and_the_log_says_how_it_would_pass(proxy, backend, client, method):
    origin = backend()
    pound = proxy(origin, listener=["xHTTP 3"])
    connection = client(pound)
    assert connection.ask(method=method).status == 501
    assert connection.ask().status == 200
    assert [request.method for request in origin.requests] == ["GET"]
    pound.wait_for_log(f'[E-METHOD-UNKNOWN] 127.0.0.1: "{method} / HTTP/1.1": unknown method (Methods "{method}"')


def test_a_named_method_passes_and_nothing_else_does(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, listener=['Methods "PURGE" "BAN"', 'Methods "OPTIONS"'])
    for method in ("PURGE", "BAN", "OPTIONS", "GET"):
        assert status(client, pound, method).status == 200, method
        assert origin.last.method == method
    for method, expect in (("purge", 501), ("PURGEX", 501), ("REFRESH", 501), ("PUT", 405)):
        assert status(client, pound, method).status == expect, method
    allowed = status(client, pound, "DELETE").fields.tokens("Allow")
    assert set(allowed) == {"get", "post", "head", "purge", "ban", "options"}


def test_a_named_method_passes_over_tls(tls_proxy, backend, tls_client):
    pound = tls_proxy(backend(), listener=['Methods "PURGE"'])
    assert tls_client(pound).ask(method="PURGE").status == 200


def test_a_method_that_is_not_allowed_is_answered_by_what_is_and_the_log_names_the_level(proxy, backend, client):
    pound = proxy(backend())
    answered = client(pound).ask(method="OPTIONS")
    assert answered.status == 405
    assert set(answered.fields.tokens("Allow")) == {"get", "post", "head"}
    pound.wait_for_log("xHTTP 0, the default, does not allow OPTIONS; xHTTP 2 does")
    assert client(pound).ask("a:443", method="CONNECT", host="a:443").status == 405
    pound.wait_for_log("no level of xHTTP lets CONNECT pass")


def test_xhttp_4_of_pound_2_is_taken_for_3(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, listener=["xHTTP 4"])
    assert status(client, pound, "RPC_OUT_DATA").status == 200
    assert "xHTTP 4 was a level of Pound 2.x" in pound.output()


def test_a_check_says_what_becomes_of_connect(tmp_path):
    def said(*lines):
        text = cfg.text(cfg.listen(wait.free_port(), *lines, cfg.service("Success")))
        found = check(text, tmp_path)
        return found.returncode, found.stdout + found.stderr

    code, words = said("xHTTP 3")
    assert code == 0 and "CONNECT does not pass" in words
    code, words = said('Methods "CONNECT"')
    assert code != 0 and "CONNECT never passes" in words
    code, words = said('Methods "PUR GE"')
    assert code != 0 and "expected the name of a method" in words
    code, words = said('Methods "purge"')
    assert code == 0 and "clients mostly send PURGE" in words


@pytest.mark.parametrize("coding", ["foo", "gzip", "xchunked", "gzip, chunked", "identity", "foo;a=b, chunked"])
def test_an_unknown_transfer_coding_is_not_implemented_and_closes(proxy, backend, client, coding):
    origin = backend()
    connection = client(proxy(origin))
    connection.send(f"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\nGET /next HTTP/1.1\r\n\r\n")
    assert connection.read_answer().status == 501
    assert connection.at_end()
    assert origin.hits == 0


@pytest.mark.parametrize("coding", ["chunked, gzip", "chunked, chunked", "chunked, identity", "chunked;a=b", '"chunked"', ""])
def test_chunked_in_a_wrong_place_is_malformed(proxy, backend, client, coding):
    connection = client(proxy(backend()))
    connection.send(f"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n")
    assert connection.read_answer().status == 400
    assert connection.at_end()


@pytest.mark.parametrize("local", ["127.0.0.1", "::1"])
def test_a_request_without_a_host_is_for_the_address_it_came_to(pound, backend, client, local):
    origin = backend()
    port = wait.free_port()
    text = cfg.text(cfg.listen(port, cfg.service(cfg.backend(origin)), address=local))
    running = pound(text, port, wait_until_ready=local != "::1")
    if local == "::1":
        wait.until(lambda: can_connect(local, port), "listening on ::1")
    assert client(running, host=local).ask(version="1.0", host=None).status == 200
    shown = f"[{local}]" if ":" in local else local
    assert origin.last.fields.all("Host") == [f"{shown}:{port}"]


def can_connect(host, port):
    try:
        socket.create_connection((host, port), 5).close()
        return True
    except OSError:
        return False


def test_a_host_that_a_rule_removes_is_the_back_ends(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, service=['DeleteHeader "Host:.*"'])
    assert client(pound).ask().status == 200
    assert origin.last.fields.all("Host") == [f"127.0.0.1:{origin.port}"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_empty_host_is_refused(proxy, backend, client, version):
    origin = backend()
    connection = client(proxy(origin))
    connection.send(f"GET / HTTP/{version}\r\nHost:\r\n\r\n")
    assert connection.read_answer().status == 400
    assert origin.hits == 0


def test_a_head_that_does_not_come_whole_over_tls_has_a_line_with_a_code(tls_proxy, backend, tls_client):
    pound = tls_proxy(backend(), listener=["Client 1"])
    late = tls_client(pound)
    late.send("GET /late HTTP/1.1\r\nHost: localhost\r\n")
    assert late.read_answer().status == 408
    pound.wait_for_log('[E-CLIENT-TIMEOUT] 127.0.0.1: "GET /late HTTP/1.1"')


def test_a_head_that_does_not_come_whole_has_a_line_with_a_code(proxy, backend, client):
    pound = proxy(backend(), listener=["Client 1"])
    late = client(pound)
    late.send("GET /late HTTP/1.1\r\nHost: a\r\n")
    assert late.read_answer().status == 408
    pound.wait_for_log('[E-CLIENT-TIMEOUT] 127.0.0.1: "GET /late HTTP/1.1"')
    gone = client(pound)
    gone.send("GET /gone HTTP/1.1\r\nHost: a\r\n")
    gone.finish_sending()
    pound.wait_for_log('[E-CLIENT-CLOSED] 127.0.0.1: "GET /gone HTTP/1.1"')
    long = client(pound)
    long.send("GET /long HTTP/1.1\r\nHost: a\r\nX: " + "y" * 70_000 + "\r\n\r\n")
    assert long.read_answer().status == 431
    pound.wait_for_log('[E-LINE-LONG] 127.0.0.1: "GET /long HTTP/1.1"')
    # A connection that says nothing at all is no news.
    quiet = client(pound)
    assert quiet.at_end()
    assert sum("[E-CLIENT" in line for line in pound.lines()) == 2
