"""Waiting for a condition instead of sleeping for luck, and ports nobody else takes."""

import os
import socket
import time

# Outgoing connections take their ports from 32768 upwards; the tests stay below, so that no
# connection of a neighbour can sit on a port between its choice here and its use.
FIRST_PORT = 20000
PORTS_PER_WORKER = 1500


def until(condition, what, within=10.0, every=0.01):
    """Returns the first true value of `condition()`; fails with `what` after `within` seconds."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"not within {within} s: {what() if callable(what) else what}")
        time.sleep(every)


def _ports():
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    first = FIRST_PORT + worker * PORTS_PER_WORKER
    # Start at a place of this process's own: two runs on one machine then rarely meet.
    offset = os.getpid() % PORTS_PER_WORKER
    while True:
        for step in range(PORTS_PER_WORKER):
            yield first + (offset + step) % PORTS_PER_WORKER


_next_port = _ports()


def free_port(host="127.0.0.1"):
    """A TCP port that nothing listens on, given out once to this test process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(PORTS_PER_WORKER):
        port = next(_next_port)
        # Without SO_REUSEADDR: a test may bind it so, and on a port that a neighbour has used a minute ago that fails.
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port is left in the range of this test process")


def bind_free_port(sock, host="127.0.0.1"):
    """Binds a socket that will listen to a free port. Connections that ended a moment ago may still be remembered there."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, free_port(host)))


def listens(port, host="127.0.0.1"):
    """Whether a TCP connection to `host:port` is accepted now."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
