"""Conditions choose the service; rewriting changes what it gets."""

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer


@pytest.fixture
def choose(pound, backend, client):
    """pound with a service for `conditions` and one for all the rest; asks, and says who answered."""

    def start(*conditions, top=(), before=()):
        port = wait.free_port()
        text = cfg.text(
            top,
            cfg.listen(
                port,
                "xHTTP 1",
                before,
                cfg.service(conditions, cfg.backend(backend(name="chosen"))),
                cfg.service(cfg.backend(backend(name="rest"))),
            ),
        )
        connection = client(pound(text, port))
        return lambda *what, **more: connection.ask(*what, **more).text == "chosen"

    return start


CONDITIONS = {
    "url": ('URL "^/a/[0-9]+[?]x="', dict(target="/a/12?x=1"), dict(target="/a/b?x=1")),
    "path": ('Path "^/docs(/|$)"', dict(target="/docs/x?y"), dict(target="/x?/docs/")),
    "path_beginning": ('Path -beg "/docs/"', dict(target="/docs/x"), dict(target="/a/docs/")),
    "path_end": ('Path -end ".png"', dict(target="/x.png?y"), dict(target="/x.png/y")),
    "path_containing": ('Path -contain "adm"', dict(target="/x/admin"), dict(target="/x")),
    "path_exact": ('Path -exact "/x"', dict(target="/x?y"), dict(target="/x/")),
    "path_decoded": ('Path -decode -exact "/a b"', dict(target="/a%20b"), dict(target="/a+b")),
    "path_case_blind": ('Path -icase -beg "/docs"', dict(target="/DOCS"), dict(target="/x")),
    "path_case_sensitive_by_default": ('Path "^/docs"', dict(target="/docs"), dict(target="/DOCS")),
    "pcre": (r'Path -pcre "^/(?!private)\\w+"', dict(target="/public"), dict(target="/private")),
    "query": ('Query "b=2"', dict(target="/?a=1&b=2"), dict(target="/b=2")),
    "query_parameter": ('QueryParam "b" "^2$"', dict(target="/?a=1&b=2"), dict(target="/?b=23")),
    "header_line": ('Header "^X-Kind: *big"', dict(fields="x-kind: Big\r\n"), dict(fields="X-Kind: small\r\n")),
    "header_value": ('Header "X-Kind" "^big$"', dict(fields="X-KIND: big\r\n"), dict(fields="X-Kind: bigger\r\n")),
    "header_second_of_its_name": (
        'Header "X-Kind" "^big$"',
        dict(fields="X-Kind: small\r\nX-Kind: big\r\n"),
        dict(fields="X-Kind: small\r\n"),
    ),
    "host": ('Host "www.example.com"', dict(host="WWW.Example.com"), dict(host="xwww.example.com")),
    "host_whatever_the_port": ('Host "www.example.com"', dict(host="www.example.com:8080"), dict(host="example.com:8080")),
    "host_with_a_port": ('Host "www.example.com:81"', dict(host="www.example.com:81"), dict(host="www.example.com:82")),
    "host_pattern": ('Host -re "[.]example[.]com$"', dict(host="a.example.com"), dict(host="example.org")),
    "method": ('Method "PUT"', dict(method="PUT", body=b"x"), dict(method="POST", body=b"x")),
    "string": ('StringMatch "%[host]%[path]" -exact "a/b"', dict(host="a", target="/b"), dict(host="b", target="/b")),
    "not": ('Not Path -beg "/a"', dict(target="/b"), dict(target="/a")),
    "acl_of_the_client": ('ACL "local"', dict(), None),
    "acl_of_others": ('Not ACL "far"', dict(), None),
}

ACLS = [cfg.block('ACL "local"', '"127.0.0.0/8"'), cfg.block('ACL "far"', '"192.0.2.0/24"', '"2001:db8::/32"')]


# Of few services each is looked at, of many only those that the index yields.
MANY = [
    cfg.service(condition.format(n), "Error 404")
    for condition in (
        'Host "h{}.other.test"',
        'Path -beg "/other{}/"',
        'Path "^/other/{}/[a-z]+$"',
        'Header "Host:.*www{}.other.test"',
    )
    for n in range(10)
]


@pytest.mark.parametrize("before", [pytest.param((), id="few"), pytest.param(MANY, id="many")])
@pytest.mark.parametrize("case", CONDITIONS)
def test_condition(choose, case, before):
    condition, matching, other = CONDITIONS[case]
    chosen = choose(condition, top=ACLS, before=before)
    assert chosen(**matching)
    if other is not None:
        assert not chosen(**other)


def test_several_conditions_must_all_hold(choose):
    chosen = choose('Path -beg "/a"', 'Host "x"')
    assert chosen("/a", host="x")
    assert not chosen("/a", host="y")
    assert not chosen("/b", host="x")


def test_any_condition_of_an_or_group_is_enough(choose):
    chosen = choose(cfg.block("Match or", 'Path -beg "/a"', cfg.block("Match and", 'Host "x"', 'Path -beg "/b"')))
    assert chosen("/a", host="y")
    assert chosen("/b", host="x")
    assert not chosen("/b", host="y")


def test_the_first_matching_service_serves(pound, backend, client):
    port = wait.free_port()
    names = ["first", "second", "global"]
    first, second, everywhere = [cfg.backend(backend(name=name)) for name in names]
    text = cfg.text(
        cfg.listen(port, cfg.service('Path -beg "/a"', first), cfg.service('Path -beg "/a/b"', second)),
        cfg.service(everywhere),
    )
    connection = client(pound(text, port))
    assert [connection.ask(path).text for path in ("/a", "/a/b", "/c")] == ["first", "first", "global"]


def test_of_many_services_the_first_that_matches_serves(choose):
    chosen = choose('Path -beg "/a"', before=[*MANY, cfg.service('Path -beg "/a/b"', 'Not Host "x"', "Error 404")])
    assert chosen("/a/c", host="y")
    assert chosen("/a/b", host="x")
    assert not chosen("/a/b", host="y")
    assert not chosen("/a", host="h7.other.test")
    assert not chosen("/b", host="x")


def test_503_when_no_service_matches(proxy, backend):
    assert proxy(backend(), service=['Path -beg "/only"']).ask("/other").status == 503


def test_a_disabled_service_is_passed_over(pound, backend, client):
    port = wait.free_port()
    off, on = backend(name="off"), backend(name="on")
    text = cfg.text(cfg.listen(port, cfg.service("Disabled yes", cfg.backend(off)), cfg.service(cfg.backend(on))))
    assert pound(text, port).ask().text == "on"


# -- rewriting


REWRITES = {
    "path": (['SetPath "/site%[path]"'], "/a?b=c", "/site/a?b=c"),
    "path_with_a_capture": (['Path "^/old/(.*)"', 'SetPath "/new/$1"'], "/old/x/y?z", "/new/x/y?z"),
    "url": (['URL "^/([a-z]+)/([0-9]+)"', 'SetURL "/$1?id=$2"'], "/item/42", "/item?id=42"),
    "query": (['SetQuery "fixed=1"'], "/a?b=c", "/a?fixed=1"),
    "query_removed": (["DeleteQuery"], "/a?b=c", "/a"),
    "parameter": (['SetQueryParam "b" "2"'], "/a?b=1&c=3", "/a?b=2&c=3"),
    "parameter_added": (['SetQueryParam "n" "new"'], "/a", "/a?n=new"),
    "parameter_removed": (['SetQueryParam "b"'], "/a?b=1&c=3", "/a?c=3"),
    "virtual_host": (
        ['SetPath "/VirtualHostBase/http/%[host]:80/VirtualHostRoot%[path]"'],
        "/a/b?c",
        "/VirtualHostBase/http/www.example.com:80/VirtualHostRoot/a/b?c",
    ),
    "first_true_branch": (
        [
            cfg.block(
                "Rewrite request",
                'Path -beg "/a"',
                'SetPath "/branch-a"',
                "Else",
                'Path -beg "/b"',
                'SetPath "/branch-b"',
                "Else",
                'SetPath "/branch-else"',
            )
        ],
        "/b/x",
        "/branch-b",
    ),
}


@pytest.mark.parametrize("case", REWRITES)
def test_rewrites_the_target(proxy, backend, case):
    lines, asked, expected = REWRITES[case]
    origin = backend()
    assert proxy(origin, service=lines).ask(asked, host="www.example.com").status == 200
    assert origin.last.target == expected


def test_a_field_may_hold_what_a_condition_captured(proxy, backend):
    origin = backend()
    lines = ['Host -re "^([a-z]+)[.]example"', 'Path "^/([^/]+)"', 'SetHeader "X-Found: $1 of $1(1), $$5 from %[remoteip 0]"']
    proxy(origin, service=lines).ask("/page/1", host="shop.example")
    assert origin.last.fields.one("X-Found") == "page of shop, $5 from 127.0.0.1"


def test_services_choose_by_what_was_asked_and_rewrite_after_their_listener(pound, backend):
    port = wait.free_port()
    chosen = backend(name="chosen")
    text = cfg.text(
        cfg.listen(
            port,
            cfg.block("Rewrite request", 'Path "^/x(.*)"', 'SetPath "/y$1"'),
            cfg.service('Path -beg "/y"', "Error 404"),
            cfg.service('Path -beg "/x"', 'SetPath "/service%[path]"', cfg.backend(chosen)),
        )
    )
    assert pound(text, port).ask("/x/1").text == "chosen"
    assert chosen.last.target == "/service/y/1"


def test_a_value_of_a_request_cannot_make_a_second_field(proxy, backend):
    origin = backend()
    lines = ['QueryParam "v" -decode "(.*)"', 'SetHeader "X-Value: %[param v]"']
    answered = proxy(origin, service=lines).ask("/?v=a%0d%0aX-Evil:%201")
    if answered.status == 200:
        assert not origin.last.fields.has("X-Evil")
    else:
        assert answered.status in (400, 500)


def test_an_answer_rewrite_looks_at_the_answer(proxy, backend):
    origin = backend(lambda request, _: answer("x", fields=f"X-Kind: {request.target[1:]}\r\n"))
    rewrite = cfg.block("Rewrite response", 'Header "X-Kind: *big"', 'SetHeader "X-Seen: big"')
    pound = proxy(origin, service=[rewrite])
    assert pound.ask("/big").fields.one("X-Seen") == "big"
    assert not pound.ask("/small").fields.has("X-Seen")


@pytest.mark.parametrize(
    "lines, target, sent",
    [
        (['SetQueryParam "d"'], "/x?b&d&d=4", "/x?b"),
        (['SetQueryParam "d"'], "/x?d=1&%64=2", "/x"),
        (['SetQueryParam "d" "1"'], "/x?b&d&d=4", "/x?b&d=1"),
        (['SetQueryParam "greeting" "hello world"'], "/x", "/x?greeting=hello%20world"),
        (['SetQueryParam "greeting" "50% \u00e9#<>"'], "/x?a", "/x?a&greeting=50%25%20%C3%A9%23%3C%3E"),
        (['SetQueryParam "u" -encode "a b&c=d+e"'], "/x", "/x?u=a%20b%26c%3Dd%2Be"),
        (['QueryParam "q" "(.*)"', 'SetQueryParam "q" "$1"'], "/x?q=a%20b%0d%0a", "/x?q=a%20b%0D%0A"),
        (['SetPath "/a b"'], "/x?q", "/a%20b?q"),
        (['SetURL "/a b?c d"'], "/x?q", "/a%20b?c%20d"),
        (['SetQuery "c d"'], "/x?q", "/x?c%20d"),
    ],
)
def test_whatever_is_set_the_request_line_is_valid(proxy, backend, lines, target, sent):
    origin = backend()
    assert proxy(origin, service=[line.replace("50% ", "50$% ") for line in lines]).ask(target).status == 200
    assert origin.last.target == sent


# The lines of a service, and targets or hosts that it is for and not for.
MATCHES = {
    "any_of_several_parameters": ('QueryParam "a" -exact "1"', ["/?a=1", "/?a=2&a=1"], ["/?a=2", "/?b=1"]),
    "a_parameter_is_decoded": ('QueryParam "a" -exact "1"', ["/?a=%31", "/?%61=%31"], ["/?a=%2531"]),
    "and_decoded_once": ('QueryParam "a" -decode -exact "1"', ["/?a=%31"], ["/?a=%2531"]),
    "a_query_that_is_not_there": ('Query ".*"', ["/?a"], ["/", "/?"]),
}


@pytest.mark.parametrize("case", MATCHES)
def test_a_parameter_or_query_matches(pound, case):
    condition, yes, no = MATCHES[case]
    port = wait.free_port()
    started = pound(cfg.text(cfg.listen(port, cfg.service(condition, "Success"), cfg.service("Error 404"))), port)
    assert {target: started.ask(target).status for target in yes} == dict.fromkeys(yes, 200)
    assert {target: started.ask(target).status for target in no} == dict.fromkeys(no, 404)


@pytest.mark.parametrize("host", ["a.example", "A.Example", "a.example:8080", "a.example.", "a.example.:8080"])
def test_a_port_or_a_dot_is_no_way_past_a_host(pound, host):
    port = wait.free_port()
    forbidden = cfg.service('Host "a.example"', "Error 403")
    started = pound(cfg.text(cfg.listen(port, forbidden, cfg.service("Success"))), port)
    assert started.ask(host=host).status == 403
    assert started.ask(host="b" + host).status == 200


def test_groups_of_a_host_are_those_of_the_whole(pound):
    port = wait.free_port()
    service = cfg.service('Host -re "^www[.](.+)"', 'Redirect "http://$1%[path]"')
    started = pound(cfg.text(cfg.listen(port, service)), port)
    assert started.ask("/x", host="www.a.example:8080").fields.one("Location") == "http://a.example:8080/x"
    assert started.ask("/x", host="www.a.example").fields.one("Location") == "http://a.example/x"


def test_one_field_is_left_of_several(proxy, backend):
    origin = backend()
    proxy(origin, service=['SetHeader "X-User: nobody"']).ask(fields="X-User: root\r\nX-A: 1\r\nx-user: admin\r\n")
    assert origin.last.fields.all("X-User") == ["nobody"]
