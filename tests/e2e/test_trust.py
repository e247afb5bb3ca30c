"""Whose word counts about who the client is: trusted proxies, everybody else, and look-alikes."""

import pytest

from peers import configuration as cfg
from peers import wait

US = cfg.block('ACL "us"', '"127.0.0.0/8"')
FAR = "203.0.113.9"


def forwarded(origin):
    """The addresses in X-Forwarded-For as the back-end got them."""
    return [part.strip() for part in origin.last.fields.one("X-Forwarded-For").split(",")]


LISTS = f"X-Forwarded-For: {FAR}\r\nX-FORWARDED-FOR: 192.0.2.1, 192.0.2.2\r\n"


def test_the_list_of_a_stranger_is_replaced_by_his_address(proxy, backend):
    origin = backend()
    proxy(origin).ask(fields=LISTS)
    assert forwarded(origin) == ["127.0.0.1"]


def test_the_list_of_a_stranger_goes_where_nothing_of_ours_is_added(proxy, backend):
    origin = backend()
    proxy(origin, top=["HeaderOption no-forwarded"]).ask(fields=LISTS)
    assert not origin.last.fields.has("X-Forwarded-For")


def test_no_condition_sees_the_list_of_a_stranger(proxy, backend):
    pound = proxy(backend(), service=['Header "X-Forwarded-For" -contain "203.0.113"'])
    assert pound.ask(fields=LISTS).status == 503


def test_the_address_of_a_trusted_proxy_comes_last_in_its_list(proxy, backend):
    origin = backend()
    proxy(origin, top=[US, 'TrustedIP "us"']).ask(fields=LISTS)
    assert forwarded(origin) == [FAR, "192.0.2.1", "192.0.2.2", "127.0.0.1"]


@pytest.mark.parametrize(
    "name",
    ["X-Real-IP", "X-Client-IP", "Forwarded", "X-SSL-Subject", "X-Forwarded-Host", "Front-End-Https", "X-Url-Scheme", "X-Forwarded-Ssl", "X-SSL-Request", "X_Forwarded_For", "x_ssl-cipher"],
)
def test_claims_of_strangers_are_removed(proxy, backend, name):
    origin = backend()
    proxy(origin).ask(fields=f"{name}: 203.0.113.9\r\nX-Harmless: 1\r\n")
    assert not origin.last.fields.has(name)
    assert origin.last.fields.has("X-Harmless")


def test_a_trusted_proxy_is_believed(proxy, backend):
    origin = backend()
    pound = proxy(origin, top=[US, 'TrustedIP "us"', "LogLevel 1"])
    pound.ask("/trusted", fields=f"X-Forwarded-For: {FAR}\r\nX-Forwarded-Proto: https\r\n")
    assert forwarded(origin) == [FAR, "127.0.0.1"]
    assert origin.last.fields.one("X-Forwarded-Proto") == "https"
    assert f"{FAR} GET /trusted" in pound.wait_for_log("/trusted")


def test_a_stranger_cannot_move_his_address_in_the_log(proxy, backend):
    pound = proxy(backend(), top=["LogLevel 1"])
    pound.ask("/stranger", fields=f"X-Forwarded-For: {FAR}\r\n")
    assert "127.0.0.1 GET /stranger" in pound.wait_for_log("/stranger")


@pytest.mark.parametrize("trusted, status", [(True, 403), (False, 200)])
def test_forwarded_addresses_are_matched_only_if_trusted(proxy, backend, pound, trusted, status):
    port = wait.free_port()
    text = cfg.text(
        [US, 'TrustedIP "us"'] if trusted else [],
        cfg.listen(
            port,
            cfg.service(cfg.block("ACL -forwarded", '"203.0.113.0/24"'), "Error 403"),
            cfg.service(cfg.backend(backend())),
        ),
    )
    assert pound(text, port).ask(fields=f"X-Forwarded-For: {FAR}\r\n").status == status


def test_the_list_of_a_trusted_proxy_is_read_from_the_right(proxy, backend):
    """The entry before the trusted ones is the client; what he wrote before it himself is not."""
    pound = proxy(backend(), top=[US, 'TrustedIP "us"', "LogLevel 1"])
    pound.ask("/chain", fields=f"X-Forwarded-For: 198.51.100.1, {FAR}, 127.0.0.2\r\n")
    assert f"{FAR} GET /chain" in pound.wait_for_log("/chain")


def test_another_field_may_carry_the_address(proxy, backend):
    pound = proxy(backend(), top=[US, 'TrustedIP "us"', 'ForwardedHeader "X-Client"', "LogLevel 1"])
    pound.ask("/other", fields=f"X-Client: {FAR}\r\n")
    assert f"{FAR} GET /other" in pound.wait_for_log("/other")
