#!/usr/bin/env python3
"""Writes requests.jsonl and responses.jsonl: hostile and odd messages, each with the verdict that the RFCs want.

The cases are kept here in a form that people can read, and committed there in one that any program can: a JSON object a
line with `id`, `category`, `raw` (base64 of the bytes sent), `expect`, `why` with the section, and

requests   `expect` is `accept` or `reject`. `status` lists the statuses a refusal may have; `before` says how many
           requests of the same bytes are served first (0). Accepted: `n` requests reach the back-end (1), and of the last
           one `target`, `body` (base64), `has` (name, value) and `absent` (names) must hold. `incomplete`: the client
           then closes its half, and nothing may reach the back-end as a whole request.
answers    `expect` is `pass` (with `status`, `body`, `has`, `absent`), `502`, or `cut`: passed on in part (or a 502 instead), and visibly
           not whole. `method` is the request's (GET). `after` is what the back-end then does: `keep` or `close`.

Run it after a change; `test_corpus.py` fails when the files are old.
"""

import base64
import json
from pathlib import Path

HERE = Path(__file__).parent
H = "Host: t.example\r\n"
NEXT = "GET /next HTTP/1.1\r\n" + H + "\r\n"


def data(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def base(text):
    return base64.b64encode(data(text)).decode()


class Corpus:
    def __init__(self):
        self.cases = []
        self.category = ""

    def add(self, id, raw, expect, why, **more):
        assert all(case["id"] != id for case in self.cases), f"{id} twice"
        if "body" in more:
            more["body"] = base(more["body"])
        self.cases.append({"id": id, "category": self.category, "raw": base(raw), "expect": expect, "why": why, **more})

    def text(self):
        return "".join(json.dumps(case) + "\n" for case in self.cases)


# -- requests


def requests():
    corpus = Corpus()

    def refuse(id, raw, why, *status, **more):
        corpus.add(id, raw, "reject", why, status=list(status) or [400], **more)

    def accept(id, raw, why, **more):
        corpus.add(id, raw, "accept", why, **more)

    def get(fields="", target="/p", version="1.1", host=H, method="GET"):
        return f"{method} {target} HTTP/{version}\r\n{host}{fields}\r\n"

    def post(fields, body="", version="1.1"):
        return get(fields, "/p", version, method="POST") + body

    corpus.category = "plain"
    accept("get", get(), "RFC 9112 3", target="/p")
    accept("get-old", get(version="1.0"), "RFC 9112 2.3: HTTP/1.0 is still spoken")
    accept("head", get(method="HEAD"), "RFC 9110 9.3.2")
    accept("options", get(method="OPTIONS"), "RFC 9110 9.3.7")
    accept("options-asterisk", get(target="*", method="OPTIONS"), "RFC 9112 3.2.4", target="*")
    accept("two-pipelined", get() + NEXT, "RFC 9112 9.3.2", n=2, target="/next")
    accept("four-pipelined", get() * 3 + NEXT, "RFC 9112 9.3.2", n=4, target="/next")
    accept(
        "bodies-pipelined",
        post("Content-Length: 2\r\n", "ab") + post("Transfer-Encoding: chunked\r\n", "1\r\nc\r\n0\r\n\r\n") + NEXT,
        "RFC 9112 9.3.2: each ends where its framing says",
        n=3,
        target="/next",
    )
    accept("one-empty-line-first", "\r\n" + get(), "RFC 9112 2.2: at least one empty line SHOULD be ignored")
    accept(
        "delete-with-body",
        "DELETE /p HTTP/1.1\r\n" + H + "Content-Length: 1\r\n\r\nx",
        "RFC 9110 9.3.5: content has no defined meaning, but a length",
        body="x",
    )
    accept(
        "get-with-body",
        get("Content-Length: 5\r\n") + "hello",
        "RFC 9112 6.3: the framing is independent of the method",
        body="hello",
    )
    accept("close", get("Connection: close\r\n"), "RFC 9112 9.6", absent=["Keep-Alive"])

    corpus.category = "request line"
    for id, line in {
        "two-spaces": "GET  /p HTTP/1.1",
        "two-spaces-later": "GET /p  HTTP/1.1",
        "tab": "GET\t/p HTTP/1.1",
        "tab-later": "GET /p\tHTTP/1.1",
        "leading-space": " GET /p HTTP/1.1",
        "trailing-space": "GET /p HTTP/1.1 ",
        "trailing-tab": "GET /p HTTP/1.1\t",
        "four-words": "GET /p q HTTP/1.1",
        "vertical-tab": "GET\x0b/p HTTP/1.1",
        "form-feed": "GET /p\x0cHTTP/1.1",
        "no-target": "GET HTTP/1.1",
        "no-version": "GET /p",
        "method-only": "GET",
        "version-lower-case": "GET /p http/1.1",
        "version-mixed-case": "GET /p Http/1.1",
        "version-padded": "GET /p HTTP/01.1",
        "version-long": "GET /p HTTP/1.10",
        "version-one-digit": "GET /p HTTP/1",
        "version-comma": "GET /p HTTP/1,1",
        "version-space": "GET /p HTTP /1.1",
        "version-letters": "GET /p HTTP/1.x",
        "version-other-word": "GET /p HTTQ/1.1",
        "version-8-bit": "GET /p HTTP/1.\xb9",
        "method-8-bit": "G\xcbT /p HTTP/1.1",
        "method-colon": "GET: /p HTTP/1.1",
        "method-bracket": "G(T /p HTTP/1.1",
        "method-nul": "GE\0T /p HTTP/1.1",
        "method-quoted": '"GET" /p HTTP/1.1',
        "nul-after-version": "GET /p HTTP/1.1\0",
        "response-line": "HTTP/1.1 200 OK",
    }.items():
        refuse("line-" + id, f"{line}\r\n{H}\r\n", "RFC 9112 3: method SP request-target SP HTTP-version")
    refuse("line-empty-method", f" /p HTTP/1.1\r\n{H}\r\n", "RFC 9110 9.1: a method is a token")
    refuse("version-2-0", get(version="2.0"), "RFC 9110 15.6.6", 505, 400)
    refuse("version-1-2", get(version="1.2"), "RFC 9110 15.6.6; nobody has defined it", 505, 400)
    refuse("version-0-9", get(version="0.9"), "RFC 9110 15.6.6", 505, 400)
    refuse("version-9-9", get(version="9.9"), "RFC 9110 15.6.6", 505, 400)
    refuse(
        "h2-preface",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "RFC 9113 3.4: it is to make HTTP/1 servers fail",
        400,
        405,
        501,
        505,
    )
    refuse("method-long", get(method="M" * 100), "RFC 9112 3: longer than any implemented one", 400, 501)
    refuse("method-unknown", get(method="BREW"), "RFC 9110 9.1", 400, 405, 501)
    refuse("method-lower-case", get(method="get"), "RFC 9110 9.1: methods are case-sensitive", 400, 405, 501)
    refuse(
        "connect",
        f"CONNECT t.example:443 HTTP/1.1\r\nHost: t.example:443\r\n\r\n",
        "RFC 9110 9.3.6: a gateway opens no tunnels",
        400,
        405,
        501,
    )
    refuse("empty-lines-first", "\r\n\r\n" + get(), "RFC 9112 2.2: one; more is a probe")
    refuse("bare-lf-first", "\n" + get(), "RFC 9112 2.2")
    refuse("bare-cr-first", "\r" + get(), "RFC 9112 2.2")

    corpus.category = "target"
    for id, target in {
        "query-empty": "/p?",
        "parameters-empty": "/p?&&a=&=b&",
        "double-slash": "//p//q",
        "semicolon": "/p;v=1/q",
        "encoded-slash": "/a%2Fb",
        "encoded-lower": "/%e2%82%ac",
        "encoded-question": "/a%3Fb",
        "query-with-url": "/p?u=http://x/../y?z",
        "sub-delims": "/!$&'()*+,=:@",
        "tilde-dots": "/~a/...",
        "dot-names": "/.a/b./.well-known/x",
        "brackets": "/p?a[0]=1",
        "query-raw-braces": "/p?a={b}|c",
        "encoded-percent": "/%2500",
    }.items():
        accept("target-" + id, get(target=target), "RFC 3986 3: passed on byte for byte", target=target)
    for id, target in {
        "no-hex": "/%zz",
        "percent-percent": "/%%41",
        "percent-query-end": "/p?q=100%",
        "percent-words": "/50%-off/%u4e2d",
        "8-bit": "/\xe9?\xe9",
        "quote": '/a"b',
        "less": "/a<b",
        "backslash": "/a\\b",
        "braces": "/a{b}|^`",
    }.items():
        why = "URL standard: browsers and curl send it for a link, so it is passed on byte for byte"
        accept("target-" + id, get(target=target), why, target=target)
    why = "RFC 3986 5.2.4: a plain dot means nothing; it is gone before anything is matched"
    accept("target-dot", get(target="/a/./b"), why, target="/a/b")
    for id, target in {
        "fragment": "/p#f",
        "fragment-encoded-not": "/p?q#",
        "half-escape": "/%4",
        "percent-end": "/p%",
        "percent-ascii": "/%u0061",
        "percent-dots": "/%u002e%u002e/b",
        "encoded-nul": "/p%00",
        "nul-in-query": "/p?a=%00",
        "dot-dot": "/a/../b",
        "dot-and-dot-dot": "/./../b",
        "dot-dot-end": "/a/..",
        "encoded-dots": "/a/%2e%2E/b",
        "half-encoded-dots": "/a/.%2e/b",
        "dot-dot-parameter": "/a/..;x/b",
        "backslash-dots": "/a/..%5Cb",
        "encoded-slash-dots": "/a/..%2fb",
        "del": "/a\x7f",
        "control": "/a\x01",
        "no-slash": "p",
        "only-query": "?q",
        "asterisk": "*",
        "authority": "t.example:80",
        "no-scheme": "t.example:0x50",
        "javascript": "javascript:alert(1)",
        "ftp": "ftp://t.example/p",
        "userinfo": "http://u@t.example/p",
        "absolute-no-host": "http:///p",
        "absolute-bad-port": "http://t.example:99999/p",
        "absolute-other-host": "http://other.example/p",
        "absolute-one-slash": "http:/t.example/p",
    }.items():
        refuse(
            "target-" + id,
            get(target=target),
            "RFC 9112 3.2, RFC 3986 3 and 6.2.2: no form that GET has, or more than one reading",
        )
    accept(
        "absolute",
        get(target="http://t.example/p?q"),
        "RFC 9112 3.2.2: becomes origin-form",
        target="/p?q",
        has=[["Host", "t.example"]],
    )
    accept(
        "absolute-case", get(target="HTTP://T.Example/p"), "RFC 3986 6.2.2.1: scheme and host have no case", target="/p"
    )
    accept("absolute-port", get(target="http://t.example:80/p"), "RFC 9110 4.2.1: 80 is the port meant", target="/p")
    accept(
        "absolute-empty-path", get(target="http://t.example"), "RFC 9112 3.2.1: an empty path is sent as /", target="/"
    )
    accept("absolute-query-only", get(target="http://t.example?q"), "RFC 9112 3.2.1", target="/?q")
    refuse("absolute-https", get(target="https://t.example/p"), "RFC 9110 7.4: not over this connection", 400, 421)
    refuse("options-no-slash", get(target="p", method="OPTIONS"), "RFC 9112 3.2")
    refuse("target-huge", get(target="/" + "a" * 17_000), "RFC 9112 3: 414", 414, 400, 431)
    accept("target-8000", get(target="/" + "a" * 7900), "RFC 9112 3: 8000 octets RECOMMENDED", target="/" + "a" * 7900)

    corpus.category = "host"
    refuse("host-none", get(host=""), "RFC 9112 3.2")
    refuse("host-twice", get("Host: t.example\r\n"), "RFC 9112 3.2")
    refuse("host-twice-differs", get("Host: u.example\r\n"), "RFC 9112 3.2")
    refuse("host-twice-case", get("hOST: t.example\r\n"), "RFC 9112 3.2")
    refuse("host-twice-old", get("Host: t.example\r\n", version="1.0"), "RFC 9112 3.2: any request with more than one")
    accept("host-none-old", get(host="", version="1.0"), "RFC 9112 3.2: HTTP/1.0 has none")
    for id, value in {
        "empty": "",
        "list": "a, b",
        "space": "a b",
        "path": "a/b",
        "userinfo": "u@a",
        "query": "a?b",
        "fragment": "a#b",
        "port-letters": "a:b",
        "port-huge": "a:65536",
        "port-signed": "a:+80",
        "two-ports": "a:80:81",
        "empty-host": ":80",
        "backslash": "a\\b",
        "8-bit": "\xe9.example",
        "nul": "a\0b",
        "open-bracket": "[::1",
        "brackets-inside": "a[::1]",
        "ipv6-bad": "[::1::2]",
        "ipv6-zone": "[fe80::1%25eth0]",
        "ipv6-text": "[example]",
        "quote": 'a"b',
        "less": "a<b",
        "scheme": "http://a",
        "two-dots": "a..b",
        "escape-slash": "a%2fb",
        "long": "a" * 300,
    }.items():
        refuse("host-" + id, get(host=f"Host: {value}\r\n"), "RFC 9110 7.2, RFC 3986 3.2: uri-host [ : port ]")
    for id, value in {
        "port": "t.example:8080",
        "port-empty": "t.example:",
        "ipv6": "[::1]",
        "ipv6-port": "[2001:db8::1]:8080",
        "ipv4": "127.0.0.1",
        "upper": "T.EXAMPLE",
        "dot-end": "t.example.",
        "underscore": "a_b.example",
        "digits": "123",
    }.items():
        accept("host-" + id, get(host=f"Host: {value}\r\n"), "RFC 9110 7.2", has=[["Host", value]])

    corpus.category = "fields"
    for id, line in {
        "space-before-colon": "X-A : b",
        "tab-before-colon": "X-A\t: b",
        "no-colon": "X-A",
        "empty-name": ": b",
        "space-in-name": "X A: b",
        "8-bit-name": "X-\xe9: b",
        "nul-name": "X\0A: b",
        "bracket-name": "X(A): b",
        "slash-name": "X/A: b",
        "quote-name": '"X": b',
        "nul": "X-A: b\0c",
        "bell": "X-A: b\x07c",
        "escape": "X-A: \x1b[31m",
        "vertical-tab": "X-A: b\x0bc",
        "form-feed": "X-A: \x0cb",
        "del": "X-A: b\x7fc",
        "bare-cr": "X-A: b\rc",
        "bare-cr-first": "X-A:\rb",
        "cr-cr-lf": "X-A: b\r",
        "bare-lf": "X-A: b\nX-B: c",
        "bare-lf-first": "\nX-A: b",
        "fold": "X-A: b\r\n c",
        "fold-tab": "X-A: b\r\n\tc",
        "fold-empty": "X-A: b\r\n ",
        "unit-separator": "X-A: \x1fb",
        "only-colon": ":",
    }.items():
        refuse("field-" + id, get(line + "\r\n"), "RFC 9110 5.1 and 5.5, RFC 9112 2.2, 5.1 and 5.2")
    refuse("field-space-first", f"GET /p HTTP/1.1\r\n {H}\r\n", "RFC 9112 2.2: blank before the first field")
    refuse("field-many", get("X-A: b\r\n" * 2000), "RFC 6585 5", 431, 400)
    refuse("field-huge", get("X-A: " + "b" * 70_000 + "\r\n"), "RFC 6585 5", 431, 400)
    refuse(
        "lf-only",
        f"GET /p HTTP/1.1\nHost: t.example\n\n",
        "RFC 9112 2.2: a lone LF is a choice; ours is not to take it",
    )
    refuse("lf-at-end", f"GET /p HTTP/1.1\r\n{H}\n", "RFC 9112 2.2")
    refuse("cr-at-end", f"GET /p HTTP/1.1\r\n{H}\r\r\n", "RFC 9112 2.2")
    for id, line, name, value in (
        ("tab-after-colon", "X-A:\tb", "X-A", "b"),
        ("blanks-around", "X-A: \t b \t ", "X-A", "b"),
        ("empty", "X-A:", "X-A", ""),
        ("blank-only", "X-A:   ", "X-A", ""),
        ("8-bit", "X-A: \xe9\xff\x80", "X-A", "\xe9\xff\x80"),
        ("tchars", "!#$%&'*+-.^_`|~1a: b", "!#$%&'*+-.^_`|~1a", "b"),
        ("inner-tab", "X-A: b\tc", "X-A", "b\tc"),
        ("colons", "X-A: b:c: d", "X-A", "b:c: d"),
        ("quoted", 'X-A: "b\\"c, d"', "X-A", '"b\\"c, d"'),
    ):
        accept("field-" + id, get(line + "\r\n"), "RFC 9110 5.5, RFC 9112 5.1", has=[[name, value]])
    accept(
        "field-repeated",
        get("X-A: b\r\nX-A: c\r\n"),
        "RFC 9110 5.3: order and lines kept",
        has=[["X-A", "b"], ["X-A", "c"]],
    )

    corpus.category = "content-length"
    for id, value in {
        "plus": "+5",
        "minus": "-5",
        "hex": "0x5",
        "hex-bare": "a",
        "empty": "",
        "list": "5, 5",
        "list-differs": "5, 6",
        "comma-end": "5,",
        "comma-first": ",5",
        "space": "1 0",
        "tab": "1\t0",
        "point": "5.0",
        "exponent": "5e0",
        "underscore": "1_0",
        "arabic": "\xd9\xa5",
        "fullwidth": "\xef\xbc\x95",
        "semicolon": "5;a",
        "quoted": '"5"',
        "2-63": "9223372036854775808",
        "2-64": "18446744073709551616",
        "2-64-and-5": "18446744073709551621",
        "huge": "9" * 100,
        "nbsp": "\xa05",
        "letter-after": "5a",
        "negative-zero": "-0",
        "brackets": "(5)",
    }.items():
        refuse(
            "cl-" + id, post(f"Content-Length: {value}\r\n", "hello"), "RFC 9110 8.6, RFC 9112 6.3: 1*DIGIT", 400, 413
        )
    for id, fields in {
        "twice": "Content-Length: 5\r\nContent-Length: 5\r\n",
        "twice-differs": "Content-Length: 5\r\nContent-Length: 6\r\n",
        "twice-case": "Content-Length: 5\r\ncontent-length: 5\r\n",
        "twice-apart": "Content-Length: 5\r\nX-A: b\r\nContent-Length: 0\r\n",
        "three": "Content-Length: 5\r\n" * 3,
    }.items():
        refuse("cl-" + id, post(fields, "hello"), "RFC 9112 6.3: rule 5")
    refuse("cl-tab-vertical", post("Content-Length:\x0b5\r\n", "hello"), "RFC 9110 5.5")
    refuse("cl-folded", post("Content-Length:\r\n 5\r\n", "hello"), "RFC 9112 5.2")
    refuse("cl-space-colon", post("Content-Length : 5\r\n", "hello"), "RFC 9112 5.1")
    accept(
        "cl-zeros",
        post("Content-Length: 0005\r\n", "hello"),
        "RFC 9110 8.6: leading zeros are digits",
        body="hello",
        has=[["Content-Length", "5"]],
    )
    accept(
        "cl-blanks",
        post("Content-Length: \t5 \t\r\n", "hello"),
        "RFC 9112 5.1",
        body="hello",
        has=[["Content-Length", "5"]],
    )
    accept("cl-case", post("cOnTeNt-LeNgTh:5\r\n", "hello"), "RFC 9110 5.1", body="hello")
    accept("cl-zero", post("Content-Length: 0\r\n"), "RFC 9110 8.6", body="")
    accept("cl-then-next", post("Content-Length: 5\r\n", "hello") + NEXT, "RFC 9112 6.3", n=2, target="/next")
    accept(
        "cl-body-like-request",
        post(f"Content-Length: {len(NEXT)}\r\n", NEXT),
        "RFC 9112 6.3: a body is a body",
        n=1,
        body=NEXT,
    )
    accept("cl-none-post", post(""), "RFC 9112 6.3: rule 7, no body", body="")
    refuse(
        "cl-none-with-body",
        post("", "hello=world\r\n\r\n"),
        "RFC 9112 6.3: without a length what follows is the next request",
        before=1,
    )
    refuse(
        "cl-short-rest",
        post("Content-Length: 3\r\n", "hello\r\n\r\n"),
        "RFC 9112 6.3: the rest is no request",
        before=1,
    )

    corpus.category = "transfer-encoding"
    C = "5\r\nhello\r\n0\r\n\r\n"
    for id, value in {
        "empty": "",
        "gzip": "gzip",
        "identity": "identity",
        "gzip-chunked": "gzip, chunked",
        "chunked-gzip": "chunked, gzip",
        "chunked-identity": "chunked, identity",
        "chunked-chunked": "chunked, chunked",
        "comma-first": ", chunked",
        "comma-end": "chunked,",
        "quoted": '"chunked"',
        "parameter": "chunked;q=1",
        "prefix": "xchunked",
        "suffix": "chunkedx",
        "split": "chun ked",
        "8-bit": "chunked\xa0",
        "two-words": "chunked chunked",
        "semicolon": "chunked;",
        "brackets": "(chunked)",
        "kelvin": "chun\xe2\x84\xaaed",
        "cow": "cow",
        "trailers": "trailers, chunked",
    }.items():
        refuse(
            "te-" + id,
            post(f"Transfer-Encoding: {value}\r\n", C),
            "RFC 9112 6.1 and 7: chunked, once, last; nothing else is implemented",
            400,
            501,
        )
    for id, fields in {
        "twice": "Transfer-Encoding: chunked\r\n" * 2,
        "identity-line": "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "line-identity": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "and-cl": "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "cl-and": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "and-cl-zero": "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "and-cl-case": "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "cl-and-bad": "Content-Length: 5\r\nTransfer-Encoding: x\r\n",
        "cl-and-empty": "Content-Length: 5\r\nTransfer-Encoding:\r\n",
        "vertical-tab": "Transfer-Encoding:\x0bchunked\r\n",
        "space-colon": "Transfer-Encoding : chunked\r\n",
        "folded": "Transfer-Encoding:\r\n chunked\r\n",
        "folded-after": "Transfer-Encoding: chunked\r\n x\r\n",
        "nul": "Transfer-Encoding: chunked\0\r\n",
        "bare-lf": "X-A: b\nTransfer-Encoding: chunked\r\n",
        "bare-cr": "X-A: b\rTransfer-Encoding: chunked\r\n",
    }.items():
        refuse("te-" + id, post(fields, C), "RFC 9112 6.1, 6.3 and 5.1", 400, 501)
    refuse("te-old", post("Transfer-Encoding: chunked\r\n", C, version="1.0"), "RFC 9112 6.1: faulty in HTTP/1.0")
    refuse(
        "te-connection", post("Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n", C), "RFC 9110 7.6.1"
    )
    refuse("cl-connection", post("Content-Length: 5\r\nConnection: Content-Length\r\n", "hello"), "RFC 9110 7.6.1")
    accept(
        "te-case",
        post("transfer-encoding:\tCHUNKED \r\n", C),
        "RFC 9112 7: codings have no case",
        body="hello",
        has=[["Transfer-Encoding", "chunked"]],
    )
    accept(
        "te-underscore",
        post("Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", "hello"),
        "RFC 9110 5.1: another name; must not reach a server that folds it",
        body="hello",
        absent=["Transfer-Encoding", "Transfer_Encoding"],
    )

    corpus.category = "chunks"
    T = "Transfer-Encoding: chunked\r\n"
    for id, body in {
        "no-size": "\r\nhello\r\n0\r\n\r\n",
        "plus": "+5\r\nhello\r\n0\r\n\r\n",
        "minus": "-5\r\nhello\r\n0\r\n\r\n",
        "prefix": "0x5\r\nhello\r\n0\r\n\r\n",
        "space-first": " 5\r\nhello\r\n0\r\n\r\n",
        "space-after": "5 \r\nhello\r\n0\r\n\r\n",
        "tab-after": "5\t\r\nhello\r\n0\r\n\r\n",
        "letter": "5g\r\nhello\r\n0\r\n\r\n",
        "underscore": "0_5\r\nhello\r\n0\r\n\r\n",
        "17-digits": "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "overflow": "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "2-63": "8000000000000000\r\nhello\r\n0\r\n\r\n",
        "2-32-and-5": "100000005\r\n" + "x" * 5 + "\r0\r\n\r\n",
        "bare-lf": "5\nhello\n0\n\n",
        "bare-lf-size": "5\nhello\r\n0\r\n\r\n",
        "bare-lf-data": "5\r\nhello\n0\r\n\r\n",
        "bare-cr": "5\rhello\r\n0\r\n\r\n",
        "cr-cr-lf": "5\r\r\nhello\r\n0\r\n\r\n",
        "data-long": "5\r\nhelloX\r\n0\r\n\r\n",
        "data-no-end": "5\r\nhello0\r\n\r\n",
        "data-other-end": "5\r\nhelloXX0\r\n\r\n",
        "extension-lf": "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "extension-lf-hidden": "2;\nxx\r\n0\r\n\r\n",
        "extension-cr": "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "extension-nul": "5;a\0\r\nhello\r\n0\r\n\r\n",
        "extension-open-quote": '5;a="b\r\nhello\r\n0\r\n\r\n',
        "extension-no-name": "5;=b\r\nhello\r\n0\r\n\r\n",
        "comma": "5,\r\nhello\r\n0\r\n\r\n",
        "8-bit-digit": "\xb5\r\nhello\r\n0\r\n\r\n",
        "vertical-tab": "5\x0b\r\nhello\r\n0\r\n\r\n",
        "extension-huge": "5;" + "a" * 6000 + "\r\nhello\r\n0\r\n\r\n",
    }.items():
        if id == "2-32-and-5":
            corpus.add(
                "chunk-" + id,
                post(T, body),
                "reject",
                "RFC 9112 7.1: not cut to 32 bits; the body is never complete",
                status=[400, 408],
                incomplete=True,
            )
            continue
        refuse("chunk-" + id, post(T, body), "RFC 9112 7.1 and 7.1.1", 400, 413, 431)
    for id, body in {
        "one": C,
        "zeros": "0005\r\nhello\r\n000\r\n\r\n",
        "upper": "A\r\n0123456789\r\n0\r\n\r\n",
        "lower": "a\r\n0123456789\r\n0\r\n\r\n",
        "three": "2\r\nhe\r\n1\r\nl\r\n2\r\nlo\r\n0\r\n\r\n",
        "extension": "5;a=b\r\nhello\r\n0;c\r\n\r\n",
        "extension-blanks": "5 ; a = b\r\nhello\r\n0\r\n\r\n",
        "extension-quoted": '5;a="b;\\"c"\r\nhello\r\n0\r\n\r\n',
        "crlf-data": "2\r\n\r\n\r\n0\r\n\r\n",
        "empty": "0\r\n\r\n",
    }.items():
        whole = {"upper": "0123456789", "lower": "0123456789", "crlf-data": "\r\n", "empty": ""}.get(id, "hello")
        accept("chunk-ok-" + id, post(T, body) + NEXT, "RFC 9112 7.1", n=2, target="/next", first_body=base(whole))
    accept("trailer", post(T, "0\r\nX-Check: 1\r\n\r\n") + NEXT, "RFC 9112 7.1.2", n=2, target="/next")
    for id, line in {
        "no-colon": "X-A",
        "space-colon": "X-A : b",
        "empty-name": ": b",
        "fold": "X-A: b\r\n c",
        "nul": "X-A: b\0",
        "bare-lf": "X-A: b\nX-B: c",
        "bare-cr": "X-A: b\rc",
        "name": "X(A): b",
        "8-bit-name": "\xe9: b",
    }.items():
        refuse("trailer-" + id, post(T, f"1\r\nx\r\n0\r\n{line}\r\n\r\n"), "RFC 9112 7.1.2: field lines as in a head")
    refuse("trailer-lf-end", post(T, "0\r\n\n") + NEXT, "RFC 9112 7.1")
    refuse("trailer-huge", post(T, "0\r\n" + "X-A: b\r\n" * 1200 + "\r\n"), "RFC 6585 5", 431, 400)
    refuse("after-last-chunk", post(T, "0\r\n\r\nX\r\n\r\n"), "RFC 9112 7.1: what follows is no request", before=1)

    corpus.category = "trust"
    accept(
        "forwarded-for",
        get("X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\n"),
        "docs/why/forwarded-headers.md: nobody is trusted, so the list begins with the peer",
        absent=["X_Forwarded_For"],
        has=[["X-Forwarded-For", "127.0.0.1"]],
    )
    accept("forwarded", get("Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"), "RFC 7239 8.1", without="6.6.6.6")
    accept(
        "ssl-fields",
        get(
            "X-SSL-Subject: 6.6.6.6\r\nx-ssl-cipher: 6.6.6.6\r\nX_SSL_Verify_Result: 6.6.6.6\r\nFront-End-Https: 6.6.6.6\r\n"
        ),
        "what only the proxy may say about TLS",
        without="6.6.6.6",
    )
    accept(
        "hop-fields",
        get(
            "Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: trailers\r\nProxy-Authorization: x\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Stay: 1\r\n"
        ),
        "RFC 9110 7.6.1",
        absent=["Keep-Alive", "Proxy-Connection", "TE", "Proxy-Authorization", "X-Hop"],
        has=[["X-Stay", "1"]],
    )
    refuse(
        "connection-authorization",
        get("Connection: Authorization\r\nAuthorization: x\r\n"),
        "RFC 9110 7.6.1: meant for the final recipient",
    )
    accept(
        "upgrade-h2c",
        get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n"),
        "RFC 9113 3.1: h2c is obsolete",
        absent=["Upgrade", "HTTP2-Settings"],
    )
    for id, name in {
        "x-forwarded-proto": "X-Forwarded-Proto",
        "x-forwarded-host": "x-FORWARDED-host",
        "x-forwarded-anything": "X-Forwarded-Anything",
        "x-ssl": "X-SSL-Anything",
        "ssl-client": "SSL-Client-Verify",
        "x-client-cert": "X-Client-Cert-Serial",
        "true-client-ip": "True-Client-IP",
        "x-cluster-client-ip": "X-Cluster-Client-IP",
        "twin-all": "X_FORWARDED_PROTO",
        "twin-first": "X_Forwarded-Proto",
        "twin-last": "X-Forwarded_Proto",
        "twin-list": "X-Forwarded_For",
        "twin-ssl": "X-SSL_Subject",
        "twin-ssl-first": "X_SSL-Subject",
        "twin-ssl-client": "SSL_CLIENT_S_DN",
        "twin-real-ip": "X_Real_IP",
        "twin-front-end": "Front_End_Https",
        "twin-client-cert": "X_Client_Cert",
        "twin-true-client-ip": "True_Client-IP",
        "twin-content-length": "Content_Length",
        "twin-authorization": "Proxy_Authorization",
        "httpoxy": "Proxy",
    }.items():
        accept(
            "claim-" + id,
            get(f"{name}: 6.6.6.6\r\nX-Stay: 1\r\n"),
            "docs/why/forwarded-headers.md: nobody is trusted",
            without="6.6.6.6",
            has=[["X-Stay", "1"]],
        )
    accept(
        "claim-in-trailers",
        post(
            "Transfer-Encoding: chunked\r\n",
            "1\r\nx\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nX-SSL-Subject: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n\r\n",
        ),
        "RFC 9110 6.5.1: trailers may not decide who somebody is",
        body="x",
        without="6.6.6.6",
    )
    accept(
        "claims-replaced",
        get("X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n"),
        "docs/why/forwarded-headers.md: what we see stands there",
        has=[["X-Forwarded-Proto", "http"]],
        without="443",
    )

    corpus.category = "connection"
    accept(
        "connection-names-forwarded-for",
        get("Connection: close, X-Forwarded-For, X-Forwarded-Proto\r\n"),
        "RFC 9110 7.6.1: what is for the final recipient cannot be named away",
        has=[["X-Forwarded-For", "127.0.0.1"], ["X-Forwarded-Proto", "http"]],
    )
    accept("connection-names-host", get("Connection: Host\r\n"), "RFC 9110 7.6.1", has=[["Host", "t.example"]])
    refuse("connection-cookie", get("Connection: Cookie\r\nCookie: a=b\r\n"), "RFC 9110 7.6.1")
    refuse("connection-authorization-case", get("Connection: x, aUTHORIZATION\r\n"), "RFC 9110 7.6.1")
    accept(
        "connection-names-many",
        get("Connection: a, b ,\tc\r\nConnection: D\r\nA: 1\r\nb: 1\r\nC: 1\r\nd: 1\r\nE: 2\r\n"),
        "RFC 9110 7.6.1, 5.6.1: lists over several lines, in any case",
        absent=["A", "B", "C", "D", "Connection"],
        has=[["E", "2"]],
    )
    accept(
        "connection-names-trailer",
        post("Connection: X-End\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nX-End: 6.6.6.6\r\n\r\n"),
        "RFC 9110 7.6.1: trailers too",
        body="x",
        without="6.6.6.6",
    )
    accept("connection-empty", get("Connection: ,\r\n"), "RFC 9110 5.6.1", absent=["Connection"])
    accept("te-removed", get("TE: trailers, deflate;q=0.5\r\n"), "RFC 9110 10.1.4: for one hop", absent=["TE"])
    accept("upgrade-alone", get("Upgrade: websocket\r\n"), "RFC 9110 7.8: Connection must name it", absent=["Upgrade"])
    accept(
        "upgrade-old",
        get("Connection: upgrade\r\nUpgrade: websocket\r\n", version="1.0"),
        "RFC 9110 7.8: ignored in HTTP/1.0",
        absent=["Upgrade"],
    )
    accept(
        "upgrade-first-foreign",
        get("Connection: Upgrade\r\nUpgrade: h2c, TLS/1.2, HTTP/2.0, websocket\r\n"),
        "RFC 9110 7.8: the first that is no version of HTTP",
        has=[["Upgrade", "websocket"]],
        without="h2c",
    )
    accept(
        "upgrade-only-http",
        get("Connection: Upgrade\r\nUpgrade: HTTP/3.0, h2c, TLS/1.0\r\n"),
        "RFC 9113 3.1, RFC 2817: none of them is a protocol that may pass",
        absent=["Upgrade"],
    )
    refuse("connect-path", "CONNECT /p HTTP/1.1\r\n" + H + "\r\n", "RFC 9112 3.2.3", 400, 405, 501)
    refuse("connect-old", "CONNECT t.example:80 HTTP/1.0\r\n\r\n", "RFC 9110 9.3.6", 400, 405, 501)
    refuse(
        "connect-with-request",
        "CONNECT t.example:80 HTTP/1.1\r\nHost: t.example:80\r\n\r\n" + NEXT,
        "RFC 9110 9.3.6: what follows would be the tunnel's",
        400,
        405,
        501,
    )
    refuse("http-0-9", "GET /p\r\n", "RFC 9112 C.1: not spoken any more", incomplete=True)
    refuse("http-0-9-whole", "GET /p\r\n\r\n", "RFC 9112 C.1: not spoken any more")
    refuse("http-0-9-then-next", "GET /p\r\n" + NEXT, "RFC 9112 C.1: the next line is no field")

    corpus.category = "expect"
    accept(
        "expect-continue",
        post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
        "RFC 9110 10.1.1: a client need not wait",
        body="hello",
    )
    accept("expect-case", post("expect: 100-CONTINUE\r\nContent-Length: 5\r\n", "hello"), "RFC 9110 10.1.1", body="hello")
    for id, value in {
        "two-words": "y 100-continue",
        "prefix": "100-continue-please",
        "parameter": "100-continue;a=b",
        "quoted": '"100-continue"',
        "8-bit": "100-continue\xa0",
        "other-number": "101-continue",
    }.items():
        refuse(
            "expect-" + id,
            post(f"Expect: {value}\r\nContent-Length: 5\r\n", "hello"),
            "RFC 9110 10.1.1: who waits for what, two servers would say differently",
            417,
            400,
        )
    refuse("expect-folded", post("Expect:\r\n 100-continue\r\nContent-Length: 5\r\n", "hello"), "RFC 9112 5.2")
    refuse(
        "expect-hides-length",
        "POST /p HTTP/1.1\r\n" + H + "Expect: 100-continue\n Content-Length: 5\r\n\r\nhello",
        "RFC 9112 2.2: a bare LF is no line end",
    )
    corpus.category = "trust"
    refuse("expect-unknown", get("Expect: magic\r\n"), "RFC 9110 10.1.1", 417, 400)
    refuse(
        "expect-list", post("Expect: 100-continue, x\r\nContent-Length: 5\r\n", "hello"), "RFC 9110 10.1.1", 417, 400
    )
    refuse("trace-body", "TRACE /p HTTP/1.1\r\n" + H + "Content-Length: 1\r\n\r\nx", "RFC 9110 9.3.8", 400, 405, 501)

    corpus.category = "incomplete"
    for id, raw in {
        "line": "GET /p HT",
        "line-crlf": "GET /p HTTP/1.1\r\n",
        "field": f"GET /p HTTP/1.1\r\n{H}X-A",
        "no-empty-line": f"GET /p HTTP/1.1\r\n{H}",
        "length": post("Content-Length: 5\r\n", "hell"),
        "chunk-size": post(T, "5"),
        "chunk-data": post(T, "5\r\nhel"),
        "no-last-chunk": post(T, "5\r\nhello\r\n"),
        "half-last-chunk": post(T, "5\r\nhello\r\n0\r\n"),
        "trailer": post(T, "0\r\nX-A: b\r\n"),
    }.items():
        corpus.add(
            "cut-" + id,
            raw,
            "reject",
            "RFC 9112 8: an incomplete request is not a request",
            status=[400, 408],
            incomplete=True,
        )

    corpus.category = "smuggling"
    for id, raw in {
        "cl-te": post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"),
        "te-cl": post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "1\r\nx\r\n0\r\n\r\n"),
        "te-te": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n", "0\r\n\r\n"),
        "te-space": post("Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        "te-line-feed": post("X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        "host-in-line": f"GET http://other.example/p HTTP/1.1\r\n{H}\r\n",
        "zero-nine": "GET /p\r\n\r\n" + NEXT,
        "method-body": get("Content-Length: 5\r\nContent-Length: 0\r\n"),
        "nul-line": "GET /p HTTP/1.1\r\n" + H + "\0: x\r\n\r\n",
        "continued-host": f"GET /p HTTP/1.1\r\nX: y\r\n Host: other\r\n{H}\r\n",
    }.items():
        refuse("smuggle-" + id, raw + NEXT, "RFC 9112 11.2: refused, and no byte after it is read", 400, 501)
    return corpus


# -- answers


def answers():
    corpus = Corpus()

    def passes(id, raw, why, status=200, **more):
        corpus.add(id, raw, "pass", why, status=status, **more)

    def bad(id, raw, why, **more):
        corpus.add(id, raw, "502", why, **more)

    def cut(id, raw, why, **more):
        corpus.add(id, raw, "cut", why, after="close", **more)

    def ok(fields, body="", line="HTTP/1.1 200 OK"):
        return f"{line}\r\n{fields}\r\n{body}"

    L5 = "Content-Length: 5\r\n"
    T = "Transfer-Encoding: chunked\r\n"
    C = "5\r\nhello\r\n0\r\n\r\n"

    corpus.category = "plain"
    passes("length", ok(L5, "hello"), "RFC 9112 6.3", body="hello")
    passes("chunked", ok(T, C), "RFC 9112 7.1", body="hello")
    passes("until-close", ok("", "hello"), "RFC 9112 6.3: rule 8", body="hello", after="close")
    passes("empty", ok("Content-Length: 0\r\n"), "RFC 9112 6.3", body="")
    passes("old", ok(L5, "hello", "HTTP/1.0 200 OK"), "RFC 9112 2.3", body="hello", after="close")
    passes("no-reason", ok(L5, "hello", "HTTP/1.1 200 "), "RFC 9112 4: the reason may be empty", body="hello")
    passes(
        "no-reason-no-space",
        ok(L5, "hello", "HTTP/1.1 200"),
        "RFC 9112 4 wants the space; servers leave it out, and nothing can be misread",
        body="hello",
    )
    passes("reason-8-bit", ok(L5, "hello", "HTTP/1.1 200 \xe9"), "RFC 9112 4: obs-text", body="hello")
    passes("status-unknown", ok(L5, "hello", "HTTP/1.1 299 X"), "RFC 9110 15: unknown is x00", 299, body="hello")
    passes("status-599", ok(L5, "hello", "HTTP/1.1 599 X"), "RFC 9110 15", 599, body="hello")
    passes("chunked-extension", ok(T, '5;a="b"\r\nhello\r\n0;x\r\n\r\n'), "RFC 9112 7.1.1: dropped", body="hello")
    passes("chunked-trailer", ok(T, "5\r\nhello\r\n0\r\nX-Check: 1\r\n\r\n"), "RFC 9112 7.1.2", body="hello")
    passes("no-content", ok("", line="HTTP/1.1 204 No Content"), "RFC 9112 6.3: rule 1", 204, body="")
    passes(
        "not-modified-length",
        ok(L5, line="HTTP/1.1 304 Not Modified"),
        "RFC 9110 8.6: a length without a body",
        304,
        body="",
    )
    passes("head-length", ok(L5), "RFC 9112 6.3: rule 1", method="HEAD", body="")
    passes("head-chunked", ok(T), "RFC 9112 6.3: rule 1", method="HEAD", body="")
    passes("interim", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(L5, "hello"), "RFC 9110 15.2", body="hello")
    passes("interim-three", "HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + ok(L5, "hello"), "RFC 9110 15.2", body="hello")
    passes(
        "hop-fields",
        ok(
            L5 + "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-Stay: 1\r\n",
            "hello",
        ),
        "RFC 9110 7.6.1",
        body="hello",
        absent=["X-Hop", "Keep-Alive", "Proxy-Connection"],
        has=[["X-Stay", "1"]],
    )
    passes(
        "cookies",
        ok(L5 + "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n", "hello"),
        "RFC 9110 5.3: Set-Cookie is never joined",
        body="hello",
        has=[["Set-Cookie", "a=b"], ["Set-Cookie", "c=d"]],
    )
    passes(
        "8-bit-value", ok(L5 + "X-A: \xe9\xff\r\n", "hello"), "RFC 9110 5.5", body="hello", has=[["X-A", "\xe9\xff"]]
    )
    passes(
        "length-zeros",
        ok("Content-Length: 0005\r\n", "hello"),
        "RFC 9110 8.6",
        body="hello",
        has=[["Content-Length", "5"]],
    )

    corpus.category = "status line"
    for id, line in {
        "version-2": "HTTP/2.0 200 OK",
        "version-1-2": "HTTP/1.2 200 OK",
        "version-lower": "http/1.1 200 OK",
        "version-long": "HTTP/1.10 200 OK",
        "two-digits": "HTTP/1.1 20 OK",
        "four-digits": "HTTP/1.1 2000 OK",
        "signed": "HTTP/1.1 +20 OK",
        "letters": "HTTP/1.1 2xx OK",
        "status-099": "HTTP/1.1 099 X",
        "status-000": "HTTP/1.1 000 X",
        "two-spaces": "HTTP/1.1  200 OK",
        "tab": "HTTP/1.1\t200 OK",
        "leading-space": " HTTP/1.1 200 OK",
        "no-status": "HTTP/1.1",
        "other-protocol": "ICY 200 OK",
        "nul": "HTTP/1.1 200 O\0K",
        "bare-cr": "HTTP/1.1 200 O\rK",
        "control": "HTTP/1.1 200 \x1b[31m",
        "request": "GET / HTTP/1.1",
        "empty-line": "\r\nHTTP/1.1 200 OK",
    }.items():
        bad("line-" + id, ok(L5, "hello", line), "RFC 9112 4")
    bad("bare-lf", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "RFC 9112 2.2")
    bad("garbage", "\x16\x03\x01\x02\x00\r\n\r\n", "RFC 9112 4", after="close")
    bad("nothing", "", "RFC 9110 15.6.3", after="close")
    bad("half-head", "HTTP/1.1 200 OK\r\nContent-Le", "RFC 9112 8", after="close")
    bad("http-0-9", "<html>hello</html>", "RFC 9112 4", after="close")

    corpus.category = "fields"
    why = "RFC 9112 5.1: a proxy removes it from an answer"
    passes("field-space-colon", ok("X-A : b\r\n" + L5, "hello"), why, body="hello", has=[["X-A", "b"]])
    for id, line in {
        "length-space-colon": "Content-Length : 5",
        "no-colon": "X-A",
        "empty-name": ": b",
        "fold": "X-A: b\r\n c",
        "nul": "X-A: b\0c",
        "bare-cr": "X-A: b\rc",
        "bare-lf": "X-A: b\nX-B: c",
        "control": "X-A: \x01",
        "del": "X-A: \x7f",
        "8-bit-name": "X\xe9: b",
        "bracket-name": "X(A): b",
    }.items():
        bad("field-" + id, ok(line + "\r\n" + L5, "hello"), "RFC 9110 5.1 and 5.5, RFC 9112 5")
    bad("field-space-first", "HTTP/1.1 200 OK\r\n X: y\r\n" + L5 + "\r\nhello", "RFC 9112 2.2")
    bad("field-many", ok("X-A: b\r\n" * 2000 + L5, "hello"), "memory has a bound")
    bad("field-huge", ok("X-A: " + "b" * 70_000 + "\r\n" + L5, "hello"), "memory has a bound")

    corpus.category = "framing"
    for id, fields in {
        "cl-twice": L5 + L5,
        "cl-differs": L5 + "Content-Length: 6\r\n",
        "cl-list": "Content-Length: 5, 5\r\n",
        "cl-plus": "Content-Length: +5\r\n",
        "cl-minus": "Content-Length: -5\r\n",
        "cl-hex": "Content-Length: 0x5\r\n",
        "cl-empty": "Content-Length:\r\n",
        "cl-2-64-and-5": "Content-Length: 18446744073709551621\r\n",
        "cl-letters": "Content-Length: five\r\n",
        "te-cl": T + L5,
        "cl-te": L5 + T,
        "te-gzip": "Transfer-Encoding: gzip\r\n",
        "te-gzip-chunked": "Transfer-Encoding: gzip, chunked\r\n",
        "te-identity": "Transfer-Encoding: identity\r\n",
        "te-twice": T + T,
        "te-empty": "Transfer-Encoding:\r\n",
        "te-chunked-twice": "Transfer-Encoding: chunked, chunked\r\n",
        "te-parameter": "Transfer-Encoding: chunked;a=b\r\n",
    }.items():
        bad(id, ok(fields, C), "RFC 9112 6.1 and 6.3")
    bad("te-old", ok(T, C, "HTTP/1.0 200 OK"), "RFC 9112 6.1", after="close")
    bad(
        "cl-twice-no-content",
        ok(L5 + "Content-Length: 6\r\n", line="HTTP/1.1 204 No Content"),
        "RFC 9112 6.3: who lies where it does not matter lies",
    )

    corpus.category = "cut"
    cut("cut-length", ok("Content-Length: 50\r\n", "hello"), "RFC 9112 8")
    cut("cut-long-length", ok("Content-Length: 5000\r\n", 3000 * "x"), "RFC 9112 8")
    cut("cut-long-chunk", ok(T, "bb8\r\n" + 2000 * "x"), "RFC 9112 8")
    cut("cut-chunk", ok(T, "50\r\nhello"), "RFC 9112 8")
    cut("cut-no-last-chunk", ok(T, "5\r\nhello\r\n"), "RFC 9112 8")
    cut("cut-half-last-chunk", ok(T, "5\r\nhello\r\n0\r\n"), "RFC 9112 8")
    cut("cut-trailer", ok(T, "5\r\nhello\r\n0\r\nX-A: b\r\n"), "RFC 9112 8")
    for id, body in {
        "size": "5\r\nhello\r\nxyz\r\n",
        "sign": "5\r\nhello\r\n+5\r\nworld\r\n0\r\n\r\n",
        "prefix": "5\r\nhello\r\n0x5\r\nworld\r\n0\r\n\r\n",
        "overflow": "5\r\nhello\r\n10000000000000005\r\nworld\r\n0\r\n\r\n",
        "end": "5\r\nhelloXX0\r\n\r\n",
        "bare-lf": "5\r\nhello\n0\r\n\r\n",
        "lf-size": "5\r\nhello\r\n5\nworld\r\n0\r\n\r\n",
        "extension": "5\r\nhello\r\n5;a\nb\r\nworld\r\n0\r\n\r\n",
        "trailer": "5\r\nhello\r\n0\r\nX A\r\n\r\n",
        "trailer-fold": "5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n",
        "trailer-nul": "5\r\nhello\r\n0\r\nX: \0\r\n\r\n",
    }.items():
        cut("chunk-" + id, ok(T, body), "RFC 9112 7.1")

    corpus.category = "second answer"
    SECOND = ok("Content-Length: 8\r\n", "smuggled")
    passes(
        "two-answers",
        ok(L5, "hello") + SECOND,
        "RFC 9112 9.2: an answer that nobody asked for reaches nobody",
        body="hello",
    )
    passes("two-answers-chunked", ok(T, C) + SECOND, "RFC 9112 9.2", body="hello")
    passes("two-answers-204", ok("", line="HTTP/1.1 204 No Content") + SECOND, "RFC 9112 9.2", 204, body="")
    passes("two-answers-304", ok("", line="HTTP/1.1 304 Not Modified") + SECOND, "RFC 9112 9.2", 304, body="")
    passes("two-answers-head", ok("Content-Length: 8\r\n") + SECOND, "RFC 9112 9.2", method="HEAD", body="")
    passes("stray-bytes", ok(L5, "hello") + "stray", "RFC 9112 9.2", body="hello")
    passes("stray-line", ok(L5, "hello") + "\r\n", "RFC 9112 9.2", body="hello")
    passes(
        "body-for-204",
        ok(L5, "hello", "HTTP/1.1 204 No Content"),
        "RFC 9112 6.3: rule 1; these are stray bytes",
        204,
        body="",
    )
    passes("body-for-head", ok(L5, "hello"), "RFC 9112 6.3: rule 1", method="HEAD", body="")
    bad(
        "switch-unasked",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + SECOND,
        "RFC 9110 15.2.2: only after an Upgrade",
    )
    bad(
        "interim-flood",
        "HTTP/1.1 103 Early Hints\r\n\r\n" * 500 + ok(L5, "hello"),
        "RFC 9110 15.2: without end is no answer",
    )
    bad("interim-only", "HTTP/1.1 100 Continue\r\n\r\n", "RFC 9110 15.2", after="close")
    return corpus


FILES = {"requests.jsonl": requests, "responses.jsonl": answers}

if __name__ == "__main__":
    for name, make in FILES.items():
        corpus = make()
        (HERE / name).write_text(corpus.text())
        print(f"{name}: {len(corpus.cases)} cases")
