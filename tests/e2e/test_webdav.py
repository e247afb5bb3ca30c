"""WebDAV through Pound: where a Destination leads, by a name, behind TLS and behind a mapped port."""

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer


def dav(pound, client, nginx, host, scheme="http"):
    """Puts a file, copies and moves it; gives the statuses."""
    name = f"f{pound.port}"
    statuses = [client.ask(f"/dav/{name}", "PUT", host=host, body=b"text").status]
    for method, target, place in (("COPY", name, f"{name}.copy"), ("MOVE", f"{name}.copy", f"{name}.moved")):
        fields = f"Destination: {scheme}://{host}/dav/{place}\r\n"
        statuses.append(client.ask(f"/dav/{target}", method, fields=fields, host=host).status)
    return statuses, (nginx.www / "dav" / f"{name}.moved").exists()


@pytest.mark.parametrize("host", ["dav.example", "dav.example:8443", "localhost"])
def test_nginx_copies_and_moves_by_whatever_name_it_is_asked(proxy, nginx, client, host):
    pound = proxy(nginx, listener=["xHTTP 2", "RewriteDestination 1"])
    assert dav(pound, client(pound), nginx, host) == ([201, 204, 204], True)


def test_nginx_without_tls_copies_and_moves_for_clients_with(tls_proxy, nginx, tls_client):
    pound = tls_proxy(nginx, listener=["xHTTP 2", "RewriteDestination 1", "CheckHost no"])
    assert dav(pound, tls_client(pound), nginx, f"localhost:{pound.port}", "https") == ([201, 204, 204], True)


def test_nginx_copies_where_a_rule_gives_it_another_host(proxy, nginx, client):
    pound = proxy(nginx, listener=["xHTTP 2"], service=["RewriteDestination 1", 'SetHeader "Host: inner.example"'])
    assert dav(pound, client(pound), nginx, "outer.example") == ([201, 204, 204], True)


def test_the_log_says_what_a_back_end_that_refuses_a_destination_may_need(tls_proxy, nginx, tls_client):
    pound = tls_proxy(nginx, listener=["xHTTP 2", "CheckHost no"])
    statuses, moved = dav(pound, tls_client(pound), nginx, f"localhost:{pound.port}", "https")
    assert statuses[1] == 400 and not moved
    pound.wait_for_log("RewriteDestination yes turns it")


def wsgidav_session(client, wsgidav, host, scheme, name):
    """Puts, locks, copies and moves with the lock's token, by URLs as a client knows them."""
    url = f"{scheme}://{host}/{name}"
    assert client.ask(f"/{name}", "PUT", host=host, body=b"text").status == 201
    lock = (
        b'<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>'
        b"<locktype><write/></locktype></lockinfo>"
    )
    locked = client.ask(f"/{name}", "LOCK", fields="Content-Type: application/xml\r\nDepth: 0\r\n", host=host, body=lock)
    assert locked.status == 200
    token = locked.fields.one("Lock-Token")
    copied = client.ask(f"/{name}", "COPY", fields=f"Destination: {url}.copy\r\n", host=host)
    # Without its token nobody may write to what is locked, and the tag says which resource the token is for.
    refused = client.ask(f"/{name}.copy", "MOVE", fields=f"Destination: {url}\r\nOverwrite: T\r\n", host=host)
    fields = f"Destination: {url}\r\nOverwrite: T\r\nIf: <{url}> ({token})\r\n"
    moved = client.ask(f"/{name}.copy", "MOVE", fields=fields, host=host)
    return [copied.status, refused.status, moved.status], (wsgidav.files / f"{name}.copy").exists()


DONE = ([201, 423, 204], False)


@pytest.mark.parametrize("host", ["dav.example", "dav.example:8443"])
def test_wsgidav_locks_copies_and_moves_by_whatever_name_it_is_asked(proxy, wsgidav, client, host):
    pound = proxy(wsgidav, listener=["xHTTP 2", "RewriteDestination 1"])
    assert wsgidav_session(client(pound), wsgidav, host, "http", f"plain{pound.port}") == DONE


def test_wsgidav_without_tls_locks_copies_and_moves_for_clients_with(tls_proxy, wsgidav, tls_client):
    pound = tls_proxy(wsgidav, listener=["xHTTP 2", "RewriteDestination 1"])
    host = f"localhost:{pound.port}"
    assert wsgidav_session(tls_client(pound), wsgidav, host, "https", f"tls{pound.port}") == DONE


def destination(pound, client, origin, given, host, fields=""):
    assert client(pound).ask("/a", "COPY", fields=f"Destination: {given}\r\n{fields}", host=host).status == 200
    return origin.last.fields.one("Destination")


def test_a_destination_elsewhere_stays(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, listener=["xHTTP 2", "RewriteDestination 1"])
    for given in ("http://other.example/b", "http://a.example:81/b", "/b", "ftp://a.example/b"):
        assert destination(pound, client, origin, given, "a.example") == given
    assert destination(pound, client, origin, "https://a.example/b", "a.example") == "http://a.example/b"


def test_what_a_rule_makes_of_a_destination_stays(proxy, backend, client):
    origin = backend()
    rule = 'SetHeader "Destination: http://rule.example/%[path]"'
    pound = proxy(origin, listener=["xHTTP 2", "RewriteDestination 1"], service=[rule])
    assert destination(pound, client, origin, "http://a.example/b", "a.example") == "http://rule.example//a"


def test_a_service_decides_for_itself(pound, backend, client):
    origin = backend()
    port = wait.free_port()
    on = cfg.service('Host "on.example"', "RewriteDestination 1", cfg.backend(origin))
    off = cfg.service(cfg.backend(origin))
    running = pound(cfg.text(cfg.listen(port, "xHTTP 2", on, off)), port)
    assert destination(running, client, origin, "https://on.example/b", "on.example") == "http://on.example/b"
    assert destination(running, client, origin, "https://off.example/b", "off.example") == "https://off.example/b"


def test_the_urls_of_an_if_field_are_turned_and_its_tokens_and_referer_are_not(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, listener=["xHTTP 2", "RewriteDestination 1"])
    given = "<https://a.example/x> (<https://a.example/token> [\"e\"]) <http://b.example/> (<urn:uuid:1>)"
    fields = f"If: {given}\r\nReferer: https://a.example/page\r\n"
    destination(pound, client, origin, "https://a.example/b", "a.example", fields)
    assert origin.last.fields.one("If") == given.replace("<https://a.example/x>", "<http://a.example/x>")
    assert origin.last.fields.one("Referer") == "https://a.example/page"


@pytest.mark.parametrize(
    "host, location, expect",
    [
        ("a.example", "http://a.example:8080/x", "http://a.example/x"),
        ("a.example:8443", "http://a.example/x", "http://a.example:8443/x"),
        ("a.example", "http://127.0.0.1:1/x", "http://a.example/x"),
        # Turned back to http it would lead in a circle.
        ("a.example", "https://a.example/x", "https://a.example/x"),
        ("a.example", "http://b.example/x", "http://b.example/x"),
    ],
)
def test_a_location_on_the_listeners_host_is_turned_whatever_its_port(proxy, backend, client, host, location, expect):
    origin = backend(answer("", "302 Found", f"Location: {location}\r\nContent-Location: {location}\r\n"))
    answered = client(proxy(origin)).ask(host=host)
    assert answered.fields.one("Location") == answered.fields.one("Content-Location") == expect


def test_a_service_may_leave_locations_alone(proxy, backend, client):
    origin = backend(answer("", "302 Found", "Location: http://a.example:8080/x\r\n"))
    pound = proxy(origin, service=["RewriteLocation 0"])
    assert client(pound).ask(host="a.example").fields.one("Location") == "http://a.example:8080/x"
