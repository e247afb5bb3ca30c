"""Which back-end gets a request: shares, groups, the emergency."""

from collections import Counter

import pytest

from peers import configuration as cfg
from peers import wait


def shares(pound, client, count):
    """Who answered `count` requests on one connection."""
    connection = client(pound)
    return [connection.ask().text for _ in range(count)]


@pytest.fixture
def balanced(pound, backend):
    """pound in front of back-ends with the priorities given; their names are their priorities."""

    def start(*priorities, top=(), service=()):
        port = wait.free_port()
        peers = [backend(name=str(priority)) for priority in priorities]
        blocks = [cfg.backend(peer, f"Priority {peer.name}") for peer in peers]
        return pound(cfg.text(top, cfg.listen(port, cfg.service(service, blocks))), port)

    return start


def test_random_follows_the_priorities(balanced, client):
    count = Counter(shares(balanced(1, 3), client, 2000))
    # 500 expected; eight standard deviations (19.4 each) never happen by chance.
    assert abs(count["1"] - 500) < 155, count
    assert count["1"] + count["3"] == 2000


def test_round_robin_is_exact(balanced, client):
    answered = shares(balanced(5, 1, 2, top=["Balancer iwrr"]), client, 80)
    for start in range(0, 80, 8):
        assert Counter(answered[start : start + 8]) == {"5": 5, "1": 1, "2": 2}


def test_round_robin_of_equals_takes_turns(pound, backend, client):
    port = wait.free_port()
    blocks = [cfg.backend(backend(name=name)) for name in "abc"]
    started = pound(cfg.text(cfg.listen(port, cfg.service("Balancer iwrr", blocks))), port)
    answered = shares(started, client, 30)
    assert all(len(set(answered[start : start + 3])) == 3 for start in range(0, 30, 3)), answered


def test_a_disabled_backend_gets_nothing(pound, backend, client):
    port = wait.free_port()
    off, on = backend(name="off"), backend(name="on")
    text = cfg.text(cfg.listen(port, cfg.service(cfg.backend(off, "Disabled yes"), cfg.backend(on))))
    assert set(shares(pound(text, port), client, 50)) == {"on"}
    assert off.accepted == 0


def test_the_emergency_serves_only_when_nobody_else_can(pound, backend, client):
    port = wait.free_port()
    regular, spare = backend(name="regular"), backend(name="spare")
    text = cfg.text(
        "Alive 1", cfg.listen(port, cfg.service(cfg.backend(regular), cfg.emergency(spare)))
    )
    started = pound(text, port)
    assert set(shares(started, client, 20)) == {"regular"}
    assert spare.accepted == 0
    regular.stop()
    assert set(shares(started, client, 20)) == {"spare"}
    regular.start()
    wait.until(lambda: started.ask().text == "regular", "the regular back-end is not back")


def test_a_named_backend_serves_several_services(pound, backend, client):
    port = wait.free_port()
    origin = backend()
    text = cfg.text(
        cfg.block('Backend "shared"', "Address 127.0.0.1", f"Port {origin.port}"),
        cfg.listen(
            port,
            cfg.service('Path -beg "/a"', 'UseBackend "shared"'),
            cfg.service('UseBackend "shared"'),
        ),
    )
    connection = client(pound(text, port))
    assert [connection.ask(path).status for path in ("/a", "/b")] == [200, 200]
    assert origin.hits == 2


def test_nginx_and_gunicorn_share_the_work(proxy, nginx, gunicorn, client):
    pound = proxy(nginx, gunicorn, top=["Balancer iwrr"])
    answered = shares(pound, lambda p: _Whoami(client(p)), 10)
    assert Counter(text.split()[0] for text in answered) == {"nginx": 5, "gunicorn": 5}


class _Whoami:
    """Asks for the page by which either server tells its name."""

    def __init__(self, connection):
        self.connection = connection

    def ask(self):
        return self.connection.ask("/whoami")
