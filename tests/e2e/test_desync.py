"""The desync hunter: pipelined requests with random bytes changed, through pound to a back-end that records.

However broken the bytes, three parties must tell the same story: the back-end (which requests came, complete and in
canonical form), pound's log (which it served) and the client (how many answers it got). A request that one of them knows
and another does not is how smuggling begins.

`DESYNC_SECONDS` says how long to hunt (`cargo xtask fuzz` sets it), `DESYNC_SEED` repeats a hunt.
"""

import base64
import collections
import json
import os
import random
import re
from pathlib import Path

from peers import configuration as cfg
from peers import wait
from peers.backend import answer
from peers.http import Client

SECONDS = float(os.environ.get("DESYNC_SECONDS", "8"))
SEED = int(os.environ.get("DESYNC_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)

# Inputs between two comparisons: few enough that the guilty one is found by looking at them.
BATCH = 25

PIECES = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"\x0b", b"\x85", b"\xa0", b"\xff", b"0", b"-", b"+", b",", b";", b'"', b"_",
    b"\r\n ", b"\r\n\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"chunked", b"identity, ", b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Host: b\r\n", b"Connection: close\r\n", b"Connection: Content-Length\r\n",
    b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"HTTP/1.0", b"%00", b"/../", b"#", b"http://t.example",
    b"GET /smuggled HTTP/1.1\r\nHost: t.example\r\n\r\n",
]


def seeds():
    """Every valid case of our corpus, and some of the others: what is refused at once teaches little."""
    cases = (Path(__file__).parents[1] / "corpus/requests.jsonl").read_text().splitlines()
    accepted, refused = [], []
    for case in map(json.loads, cases):
        raw = base64.b64decode(case["raw"])
        if len(raw) < 2000 and not case.get("incomplete"):
            (accepted if case["expect"] == "accept" else refused).append(raw)
    return accepted, refused


def mutated(dice, accepted, refused):
    raw = bytearray(b"".join(dice.choice(accepted) for _ in range(dice.randint(1, 3))))
    if dice.random() < 0.2:
        raw += dice.choice(refused)
    for _ in range(dice.choice((0, 1, 1, 1, 2, 4))):
        at = dice.randrange(len(raw) + 1)
        match dice.randrange(5):
            case 0:
                del raw[at : at + dice.randint(1, 3)]
            case 1:
                raw[at : at + 1] = bytes([dice.randrange(256)])
            case 2:
                raw[at:at] = dice.choice(PIECES)
            case 3:
                # A line end is where framing is decided.
                end = raw.find(b"\r\n", at)
                if end >= 0:
                    raw[end : end + 2] = dice.choice((b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\r\n\t", b""))
            case 4:
                lines = bytes(raw).split(b"\r\n")
                lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
                raw = bytearray(b"\r\n".join(lines))
    return bytes(raw)


def echo(request, _):
    return answer("" if request.method == "HEAD" else f"echo {request.method} {request.target}")


def answers(pound, raw, dice):
    """Sends the bytes, in one piece or two, ends our side, and counts the echoes that come back."""
    with Client(pound.port) as connection:
        try:
            cut = dice.randrange(len(raw) + 1) if dice.random() < 0.3 else 0
            connection.send(raw[:cut], raw[cut:])
            connection.finish_sending()
            stream = connection.read_to_end()
        except ConnectionError:
            # What it had to say may be lost to the reset; the log still tells.
            return None
    return stream.count(b"HTTP/1.1 200 OK\r\n")


def served(pound):
    """The requests in pound's log that were answered with 200, as `METHOD path`."""
    return count((method, unescaped(path)) for method, path in re.findall(r"^served (\S+) (\S+) 200$", pound.output(), re.M))


def unescaped(path):
    """A path as it came in: the log has quotes, backslashes and what is not ASCII escaped."""
    return re.sub(r'\\(?:x([0-9a-f]{2})|(["\\]))', lambda found: chr(int(found[1], 16)) if found[1] else found[2], path)


def behind(origin):
    return count((request.method, request.target.partition("?")[0]) for request in origin.requests)


def count(pairs):
    # The log has what came in, where an absolute-form may have no path; behind it is then `/`, or `*` for OPTIONS. Plain
    # dots have been taken out.
    def came(path):
        return "/" if path in "-*" else re.sub(r"/(\./)+", "/", re.sub(r"/\.$", "/", path))

    return collections.Counter(f"{method} {came(path)}" for method, path in pairs)


def test_random_bytes_never_desynchronise(pound, backend):
    print(f"DESYNC_SEED={SEED}")
    dice = random.Random(SEED)
    accepted, refused = seeds()
    origin = backend(echo)
    port = wait.free_port()
    top = ['LogFormat "hunt" "served %m %U %s"', 'LogLevel "hunt"']
    listener = cfg.listen(port, "xHTTP 3", "Client 5", cfg.service(cfg.backend(origin, "TimeOut 5")))
    started = pound(cfg.text(top, listener), port)
    end = wait.time.monotonic() + SECONDS
    hunted = 0
    while wait.time.monotonic() < end:
        batch = [mutated(dice, accepted, refused) for _ in range(BATCH)]
        for raw in batch:
            before = origin.hits
            count = answers(started, raw, dice)
            assert count is None or count <= origin.hits - before, f"more answers than requests: {raw!r}"
            canary = f"/canary/{hunted}"
            found = started.ask(canary)
            assert (found.status, found.text) == (200, f"echo GET {canary}"), f"the canary after {raw!r} got {found}"
            hunted += 1
        wait.until(
            lambda: served(started) == behind(origin),
            lambda: f"seed {SEED}: logged but not behind {served(started) - behind(origin)}, behind but not logged "
            f"{behind(origin) - served(started)}, among {batch!r}",
        )
        assert not origin.problems, f"seed {SEED}: {origin.problems} among {batch!r}"
    assert hunted > 0
