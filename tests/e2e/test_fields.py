"""Field lines: what pound adds, what it removes, what it leaves alone."""

import pytest

from peers import configuration as cfg
from peers.backend import answer


def test_tells_the_backend_who_asked_and_where(proxy, backend, client):
    origin = backend()
    pound = proxy(origin)
    client(pound).ask(host="www.example.com:8080")
    fields = origin.last.fields
    assert fields.one("X-Forwarded-For") == "127.0.0.1"
    assert fields.one("X-Forwarded-Proto") == "http"
    assert fields.one("X-Forwarded-Port") == str(pound.port)
    assert fields.one("Host") == "www.example.com:8080"


def test_header_option_turns_the_forwarded_fields_off(proxy, backend, client):
    origin = backend()
    client(proxy(origin, top=["HeaderOption no-forwarded"])).ask()
    assert [name for name, _ in origin.last.fields if name.lower().startswith("x-forwarded")] == []


def test_forged_forwarded_fields_are_not_believed(proxy, backend, client):
    origin = backend()
    forged = "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\nX-SSL-Subject: CN=root\r\n"
    client(proxy(origin)).ask(fields=forged)
    assert origin.last.fields.one("X-Forwarded-Proto") == "http"
    assert origin.last.fields.all("X-Forwarded-Port") != ["1"]
    assert not origin.last.fields.has("X-SSL-Subject")


def test_removes_fields_that_are_for_one_hop_only(proxy, backend, client):
    origin = backend(
        answer("x", fields="Connection: X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 1\r\n")
    )
    fields = (
        "Connection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\n"
        "TE: trailers, gzip\r\nX-Kept: 2\r\n"
    )
    answered = client(proxy(origin)).ask(fields=fields)
    for name in ("X-Named", "Keep-Alive", "Proxy-Connection"):
        assert not origin.last.fields.has(name), name
    assert origin.last.fields.one("X-Kept") == "2"
    assert "gzip" not in (origin.last.fields.get("TE") or "")
    assert not answered.fields.has("X-Secret")
    assert not answered.fields.has("Keep-Alive")
    assert answered.fields.one("X-Kept") == "1"


@pytest.mark.parametrize("named", ["Host", "Content-Length", "X-Forwarded-For", "Cookie"])
def test_a_client_cannot_remove_fields_by_naming_them(proxy, backend, client, named):
    origin = backend()
    pound = proxy(origin)
    answered = client(pound).ask(
        method="POST", body=b"abc", fields=f"Connection: {named}\r\nCookie: a=b\r\n"
    )
    if answered.status == 200:
        assert origin.last.body == b"abc"
        assert origin.last.fields.has("Host")
        assert origin.last.fields.one("X-Forwarded-For") == "127.0.0.1"
    else:
        assert answered.status == 400


def test_order_case_and_repetition_survive(proxy, backend, client):
    sent = [("x-B", "1"), ("X-a", "2"), ("Set-Cookie", "a=1"), ("SET-COOKIE", "b=2"), ("X-b", "3")]
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent)
    origin = backend(answer("x", fields=lines))
    answered = client(proxy(origin)).ask(fields=lines)
    names = {name.lower() for name, _ in sent}
    assert [field for field in answered.fields if field[0].lower() in names] == sent
    assert [field for field in origin.last.fields if field[0].lower() in names] == sent


def test_sets_and_deletes_fields_of_requests(proxy, backend, client):
    origin = backend()
    pound = proxy(
        origin,
        service=['SetHeader "X-Site: %[host]"', 'SetHeader "X-Old: new"', 'DeleteHeader "X-Gone"'],
    )
    client(pound).ask(fields="X-Old: old\r\nX-Gone: 1\r\nX-Stays: 1\r\n", host="shop.example")
    fields = origin.last.fields
    assert fields.one("X-Site") == "shop.example"
    assert fields.all("X-Old") == ["new"]
    assert not fields.has("X-Gone")
    assert fields.has("X-Stays")


def test_sets_and_deletes_fields_of_answers(proxy, backend, client):
    origin = backend(answer("x", fields="Server: secret/1.0\r\n"))
    rewrite = cfg.block("Rewrite response", 'SetHeader "X-Proxy: pound"', 'DeleteHeader "Server"')
    answered = client(proxy(origin, service=[rewrite])).ask()
    assert answered.fields.one("X-Proxy") == "pound"
    assert not answered.fields.has("Server")


def test_location_is_rewritten_to_what_the_client_can_reach(proxy, backend, client):
    origin = backend(lambda request, _: answer("", "302 Found", f"Location: http://127.0.0.1:{origin.port}/next\r\n"))
    pound = proxy(origin)
    answered = client(pound).ask(host=f"127.0.0.1:{pound.port}")
    assert answered.fields.one("Location") == f"http://127.0.0.1:{pound.port}/next"


def test_location_is_left_alone_when_told_so(proxy, backend, client):
    origin = backend(lambda request, _: answer("", "302 Found", f"Location: http://127.0.0.1:{origin.port}/next\r\n"))
    pound = proxy(origin, listener=["RewriteLocation 0"])
    answered = client(pound).ask()
    assert answered.fields.one("Location") == f"http://127.0.0.1:{origin.port}/next"


def test_a_location_elsewhere_is_left_alone(proxy, backend, client):
    origin = backend(answer("", "302 Found", "Location: https://other.example/x\r\n"))
    assert client(proxy(origin)).ask().fields.one("Location") == "https://other.example/x"


def test_destination_is_rewritten_for_the_backend(proxy, backend, client):
    origin = backend()
    pound = proxy(origin, listener=["xHTTP 2", "RewriteDestination 1"])
    fields = f"Destination: http://127.0.0.1:{pound.port}/to\r\n"
    client(pound).ask("/from", method="COPY", fields=fields, host=f"127.0.0.1:{pound.port}")
    assert origin.last.fields.one("Destination") == f"http://127.0.0.1:{pound.port}/to"
