"""`Tolerant`: answers of an old back-end are put right where its operator says so, and refused where not."""

import pytest

from peers import configuration as cfg
from peers import wait
from peers.pound import check

# The word, the answer, and what the client gets with it: body and fields that must be there.
BREACHES = {
    "bare-lf": (b"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 5\n\nhello", {"X-A": "b"}),
    "fold": (b"HTTP/1.1 200 OK\r\nX-A: b\r\n\tc\r\n d\r\nContent-Length: 5\r\n\r\nhello", {"X-A": "b c d"}),
    "colon-blank": (b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length : 5\r\n\r\nhello", {"X-A": "b"}),
    "chunk-blank": (
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n5  \r\nhello\r\n0 \r\n\r\n",
        {"X-A": "b"},
    ),
    "equal-length": (b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", {"X-A": "b"}),
    "equal-length list": (b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5, 5\r\n\r\nhello", {"X-A": "b"}),
    "identity": (
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
        {"X-A": "b"},
    ),
}


@pytest.mark.parametrize("case", BREACHES)
def test_a_breach_is_refused_and_the_log_names_the_word_that_accepts_it(proxy, backend, client, case):
    broken, _ = BREACHES[case]
    word = case.split()[0]
    pound = proxy(backend(lambda *_: broken))
    connection = client(pound)
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = connection.read_answer_head()
    # A chunk that is wrong may come after the head of the answer has gone.
    assert head.status == 502 or word == "chunk-blank" and head.status == 200
    pound.wait_for_log(f"(Tolerant {word} in this Backend would accept it)")


@pytest.mark.parametrize("case", BREACHES)
@pytest.mark.parametrize("place", ["backend", "service", "all"])
def test_a_tolerated_breach_is_put_right_and_both_connections_stay(proxy, backend, client, case, place):
    broken, fields = BREACHES[case]
    word = case.split()[0]
    origin = backend(lambda *_: broken)
    words = f"Tolerant {'all' if place == 'all' else word}"
    pound = proxy(origin, each=[words] if place != "service" else [], service=[words] if place == "service" else [])
    connection = client(pound)
    for number in range(3):
        connection.send(f"GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")
        # This reader is strict: it takes no line that RFC 9112 forbids.
        answered = connection.read_answer()
        assert (answered.status, answered.body) == (200, b"hello")
        assert all(answered.fields.all(name) == [value] for name, value in fields.items())
        assert len(answered.fields.all("Content-Length")) + len(answered.fields.all("Transfer-Encoding")) == 1
    assert origin.hits == 3 and origin.accepted == 1


@pytest.mark.parametrize("case", BREACHES)
def test_one_word_is_not_another(proxy, backend, client, case):
    broken, _ = BREACHES[case]
    others = {"bare-lf", "fold", "colon-blank", "equal-length", "identity"} - {case.split()[0]}
    if case == "chunk-blank":
        return
    pound = proxy(backend(lambda *_: broken), each=["Tolerant " + " ".join(sorted(others))])
    assert client(pound).ask().status == 502


def test_blanks_before_a_colon_are_removed_without_a_word(proxy, backend, client):
    origin = backend(lambda *_: b"HTTP/1.1 200 OK\r\nServer : old\r\nX-A\t: b\r\nContent-Length: 2\r\n\r\nok")
    answered = client(proxy(origin)).ask()
    assert (answered.status, answered.text) == (200, "ok")
    assert (answered.fields.one("Server"), answered.fields.one("X-A")) == ("old", "b")


def test_an_answer_that_comes_byte_by_byte_is_put_right_too(proxy, backend, client):
    def slowly(_, connection):
        for byte in b"HTTP/1.1 200 OK\nX-A : b\n c\nContent-Length : 5\n\nhello":
            connection.send(bytes([byte]))
        return b""

    pound = proxy(backend(slowly), each=["Tolerant all"])
    answered = client(pound).ask()
    assert (answered.text, answered.fields.one("X-A")) == ("hello", "b c")


def test_an_interim_answer_is_put_right_too(proxy, backend, client):
    text = b"HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok"
    answered = client(proxy(backend(lambda *_: text), each=["Tolerant bare-lf"])).ask()
    assert (answered.text, answered.interim[0].fields.one("Link")) == ("ok", "</a>")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6\n\nhello",
        b"HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked, identity, chunked\n\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\nx",
        b"HTTP/1.1 200 OK\n X-A: b\n\n",
        b"HTTP/1.1 200 OK\nX A: b\n\n",
        b"HTTP/1.1 200 OK\nX-A\n\n",
        b"HTTP/1.1 200 OK\nX-A: b\rc\n\n",
        b"HTTP/1.1 200 OK\nX-A: \0\n\n",
    ],
)
def test_what_has_no_one_meaning_is_refused_whatever_is_tolerated(proxy, backend, client, answer):
    pound = proxy(backend(lambda *_: answer), each=["Tolerant all"])
    assert client(pound).ask().status == 502


@pytest.mark.parametrize(
    "request_",
    [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx",
    ],
)
def test_nothing_of_it_is_for_requests(proxy, backend, client, request_):
    origin = backend()
    pound = proxy(origin, service=["Tolerant all"], each=["Tolerant all"])
    connection = client(pound)
    connection.send(request_)
    assert connection.read_answer().status in (400, 501)
    assert connection.at_end()


def test_a_back_end_has_the_last_word_and_a_named_one_its_own(pound, backend, client):
    broken = BREACHES["bare-lf"][0]
    origin = backend(lambda *_: broken)
    port = wait.free_port()
    named = cfg.block('Backend "old"', "Address 127.0.0.1", f"Port {origin.port}", "Tolerant bare-lf")
    services = [
        cfg.service('Path "/none"', cfg.backend(origin, "Tolerant none"), "Tolerant all"),
        cfg.service('Path "/named"', 'UseBackend "old"'),
        cfg.service(cfg.emergency(origin), "Tolerant bare-lf"),
    ]
    running = pound(cfg.text(named, cfg.listen(port, *services)), port)
    for target, status in (("/none", 502), ("/named", 200), ("/emergency", 200)):
        assert client(running).ask(target).status == status, target


def test_a_wrong_word_is_an_error_that_lists_the_right_ones(tmp_path):
    for words in ("bare-lv", "all fold", "none all"):
        text = cfg.text(cfg.listen(wait.free_port(), cfg.service(cfg.backend(1, f"Tolerant {words}"))))
        found = check(text, tmp_path)
        assert found.returncode != 0 and "bare-lf" in found.stdout + found.stderr, words
