"""References in redirects, rewrites and conditions: what they become, and what happens where they name nothing."""

import http.client

import pytest

from peers import configuration as cfg
from peers.pound import check


def location(pound, target="/", host="a.example"):
    connection = http.client.HTTPConnection("127.0.0.1", pound.port, timeout=20)
    try:
        connection.request("GET", target, headers={"Host": host})
        answered = connection.getresponse()
        answered.read()
        return answered.status, answered.getheader("Location")
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host, whole",
    [
        ("a.example", "https://a.example/x?y"),
        ("a.example:8443", "https://a.example:8443/x?y"),
        ("[::1]:81", "https://[::1]:81/x?y"),
        ("[::1]", "https://[::1]/x?y"),
    ],
)
def test_the_port_brings_its_colon(serving, host, whole):
    pound = serving('Redirect "https://%[host]%[port]%[url]"')
    assert location(pound, "/x?y", host) == (302, whole)


# The lines of a service, the target, and what the log must say.
NOTHING = {
    "no_match_at_all": (['Redirect "http://$1/"'], "/", "$1 refers to a match, and no pattern has matched"),
    "more_groups_than_the_pattern_has": (
        ['Path "^/(a)"', 'Redirect "http://x.example/$3"'],
        "/a",
        "$3 refers to group 3, and the pattern that matched has 1",
    ),
    "the_match_before_the_first": (
        ['Path "^/(a)"', 'Redirect "http://x.example/%1$1"'],
        "/a",
        "$1(1) refers to the match 1 before the latest",
    ),
    "a_tag_that_did_not_match": (
        ['Path "^/(a)"', 'Redirect "http://x.example/$1(host)"'],
        "/a",
        "$1(host) refers to the pattern tagged host",
    ),
    "in_a_rewrite": (['SetPath "/echo$0"', "Success"], "/", "$0 refers to a match"),
    "in_a_field": (['SetHeader "X-A: $1"', "Success"], "/", "$1 refers to a match"),
    "in_a_query": (['SetQueryParam "a" "$1"', "Success"], "/", "$1 refers to a match"),
    "in_a_condition": (['StringMatch "$1" "x"', "Success"], "/", "$1 refers to a match"),
    "in_an_answer": (["Rewrite response", 'SetHeader "X-A: $1"', "End", "Success"], "/", "$1 refers to a match"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_a_reference_to_nothing_is_500_and_named_in_the_log(serving, case):
    lines, target, told = NOTHING[case]
    pound = serving(*lines)
    answered = pound.ask(target)
    assert answered.status == 500
    assert not answered.fields.has("Location")
    line = pound.wait_for_log("[E-EVALUATION]")
    assert told in line, line
    wrong = next(line for line in lines if "$" in line)
    number = pound.file.read_text().splitlines().index(wrong) + 1
    assert f"pound.cfg:{number}: {wrong.split()[0]} " in line, line


def test_parentheses_that_took_no_part_are_empty(serving):
    pound = serving('Path "^/(a)?(b)?$"', 'Redirect "http://x.example/[$1][$2]"')
    assert location(pound, "/b") == (302, "http://x.example/[][b]")


def test_two_colons_before_a_port_are_warned_of(tmp_path):
    service = cfg.service('Redirect "https://%[host]:%[port]%[url]"')
    checked = check(cfg.text(cfg.listen(8080, service)), tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "two colons before the port" in checked.stderr


@pytest.mark.parametrize(
    "lines, told",
    [
        (['Redirect "http://x.example?q=1"'], "are put behind this URL"),
        (['Redirect "http://x.example/a b"'], "cannot stand in a URL"),
        (['SetPath "/a b"', "Success"], "cannot stand in a URL"),
        (["TrustedIP", "127.0.0.1", "End", 'SetHeader "X-A: %[remoteip 0]"', "Success"], "this is the address of the peer"),
        (['Redirect "http://$1/"'], "$1 refers to a match, and there is no pattern before it"),
        (['Path "^/(a)"', 'SetPath "/$3"', "Success"], "$3 refers to group 3, and the patterns before it have 1 at most"),
        (['Path -tag x "^/(a)"', 'SetPath "/$1(y)"', "Success"], "a pattern with -tag y, and there is none"),
        (["Rewrite response", 'SetHeader "X-A: $1"', "End", "Success"], "refers to a match"),
        (['Path "^/(a)"', 'SetPath "/$1(x)$0"', 'Not Host -re -tag x "(b)"', "Success"], None),
        (['Redirect "http://x.example/?q=1"'], None),
        (['Redirect "http://x.example?back="'], None),
        (['SetHeader "X-A: %[remoteip 0]"', "Success"], None),
        (['SetQueryParam "a" "b c"', "Success"], None),
    ],
)
def test_what_c_pound_reads_otherwise_is_warned_of(tmp_path, lines, told):
    checked = check(cfg.text(cfg.listen(8080, cfg.service(lines))), tmp_path)
    assert checked.returncode == 0, checked.stderr
    if told:
        assert told in checked.stderr
    else:
        assert "warning" not in checked.stderr


def test_the_peer_and_the_forwarded_address(proxy, backend):
    origin = backend()
    pound = proxy(
        origin,
        listener=[cfg.block("TrustedIP", "127.0.0.0/8")],
        service=['SetHeader "X-Both: %[remoteip 0] %[remoteip 1]"'],
    )
    pound.ask(fields="X-Forwarded-For: 192.0.2.9\r\n")
    assert origin.last.fields.one("X-Both") == "127.0.0.1 192.0.2.9"
