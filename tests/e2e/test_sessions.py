"""Sessions: what makes two requests belong together, for how long, and what happens when a server dies."""

import base64
import time

import pytest

from peers import configuration as cfg
from peers import wait
from peers.backend import answer

NAMES = "abcdef"


def basic(user):
    return "Authorization: Basic " + base64.b64encode(f"{user}:x".encode()).decode() + "\r\n"


# For each type: its ID, and a request (target, fields) of the session with a given key.
KINDS = {
    "COOKIE": ("sid", lambda key: ("/", f"Cookie: other=1; sid={key}; more=2\r\n")),
    "HEADER": ("X-User", lambda key: ("/", f"x-user: {key}\r\n")),
    "URL": ("sid", lambda key: (f"/page?a=b&sid={key}", "")),
    "PARM": (None, lambda key: (f"/page;{key}", "")),
    "BASIC": (None, lambda key: ("/", basic(key))),
}


@pytest.fixture
def farm(pound, backend):
    """Six back-ends that name themselves, behind one service with a session."""

    def start(kind, id=None, ttl=60, top=(), reply=None):
        port = wait.free_port()
        peers = [backend(reply and reply(name), name=name) for name in NAMES]
        inside = [cfg.session(kind, ttl, id), [cfg.backend(peer) for peer in peers]]
        started = pound(cfg.text(top, cfg.listen(port, cfg.service(inside))), port)
        started.peers = dict(zip(NAMES, peers))
        return started

    return start


def answers(pound, target, fields, count=12):
    """Who answers `count` requests, each on a connection (and perhaps a worker) of its own."""
    return {pound.ask(target, fields=fields).text for _ in range(count)}


@pytest.mark.parametrize("kind", KINDS)
def test_requests_of_one_session_go_to_one_backend(farm, kind):
    id, request = KINDS[kind]
    pound = farm(kind, id)
    homes = {key: answers(pound, *request(key)) for key in ("ann", "bob", "eve", "dan", "kim", "lea")}
    assert all(len(home) == 1 for home in homes.values()), homes
    # Thirty more: that all of them have the same home by chance does not happen.
    others = [answers(pound, *request(f"user{n}"), count=1) for n in range(30)]
    assert len(set().union(*others)) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_requests_without_a_key_are_spread(farm, kind):
    id, _ = KINDS[kind]
    assert len(answers(farm(kind, id), "/", "", count=60)) > 1


def test_one_address_is_one_session(farm):
    assert len(answers(farm("IP"), "/", "", count=30)) == 1


def test_the_type_may_be_written_in_any_case(farm):
    assert len(answers(farm("cookie", "sid"), "/", "Cookie: sid=1\r\n")) == 1


def test_a_cookie_set_by_the_backend_opens_the_session(farm, client):
    """The back-end that sets the cookie is the one that knows the session, so it must keep it."""

    def reply(name):
        def answer_with_cookie(request, _):
            fresh = not request.fields.has("Cookie")
            return answer(name, fields=f"Set-Cookie: sid={name}1; path=/\r\n" if fresh else "")

        return answer_with_cookie

    pound = farm("COOKIE", "sid", reply=reply)
    for _ in range(12):
        home = pound.ask().text
        assert answers(pound, "/", f"Cookie: sid={home}1\r\n", count=6) == {home}


def test_a_header_set_by_the_backend_opens_the_session(farm):
    def reply(name):
        return answer(name, fields=f"X-Session: {name}1\r\n")

    pound = farm("HEADER", "X-Session", reply=reply)
    for _ in range(12):
        home = pound.ask().text
        assert answers(pound, "/", f"X-Session: {home}1\r\n", count=6) == {home}


def test_a_session_ends_after_its_time_without_requests(farm):
    pound = farm("COOKIE", "sid", ttl=1)
    fields = "Cookie: sid=1\r\n"
    seen = {pound.ask(fields=fields).text}

    def moved():
        # Asking more often than once in a second keeps a session alive, so ask less often.
        time.sleep(1.2)
        seen.add(pound.ask(fields=fields).text)
        return len(seen) > 1

    # Staying at one of six by chance ten times in a row: 6**-10.
    wait.until(moved, lambda: f"the session never ended: {seen}", within=15, every=0)


def test_a_session_lives_on_while_it_is_used(farm):
    pound = farm("COOKIE", "sid", ttl=1)
    seen = set()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        seen.add(pound.ask(fields="Cookie: sid=1\r\n").text)
    assert len(seen) == 1


@pytest.mark.parametrize("kind", [*KINDS, "IP"])
def test_a_session_moves_when_its_backend_dies_and_stays_moved(farm, kind):
    id, request = KINDS.get(kind, (None, lambda key: ("/", "")))
    pound = farm(kind, id, top=["Alive 1"])
    target, fields = request("ann")
    (home,) = answers(pound, target, fields)
    pound.peers[home].stop()
    moved = answers(pound, target, fields)
    assert len(moved) == 1 and moved != {home}
    pound.peers[home].start()
    if kind != "IP":
        wait.until(lambda: home in answers(pound, "/", "", count=30), "the back-end is not back")
    assert answers(pound, target, fields) == moved


def test_a_hostile_number_of_sessions_does_not_fill_memory(farm, client):
    pound = farm("COOKIE", "sid")
    connection = client(pound)
    before = pound.memory()
    for start in range(0, 20_000, 100):
        connection.send(
            *(
                f"GET / HTTP/1.1\r\nHost: a\r\nCookie: sid={start + n:08}{'x' * 1000}\r\n\r\n"
                for n in range(100)
            )
        )
        for _ in range(100):
            assert connection.read_answer().status == 200
    # 20 MB of keys were sent; a table that kept them whole would show it.
    assert pound.memory() - before < 16 << 20
