"""Our own corpus of hostile messages (tests/corpus), judged on both sides of a running pound.

In front: the statuses, the bodies, and that a connection closes once framing is in doubt. Behind: the number of
requests, their canonical bytes, and that nothing of a refused one arrives. Afterwards, each time: a canary from somebody
else is answered with what was meant for it.
"""

import base64
import importlib.util
import json
import re
from pathlib import Path

import pytest

from peers import wait
from peers.backend import Backend, answer
from peers.http import Client

CORPUS = Path(__file__).parents[1] / "corpus"

LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e\x80-\xff]+ HTTP/1\.1\Z")
FIELD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:(?: [\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\Z")


def load(name):
    cases = [json.loads(line) for line in (CORPUS / name).read_text().splitlines()]
    groups = {}
    for case in cases:
        groups.setdefault(case["category"], []).append(case)
    return groups


REQUESTS = load("requests.jsonl")
RESPONSES = load("responses.jsonl")


def test_the_corpus_is_what_its_source_says():
    spec = importlib.util.spec_from_file_location("make_corpus", CORPUS / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    for name, cases in make.FILES.items():
        assert (CORPUS / name).read_text() == cases().text(), f"{name} is old: run tests/corpus/make.py"


def canonical(request):
    """What is wrong with the form of a request behind pound."""
    first, *fields = request.head[:-4].split(b"\r\n")
    if not LINE.match(first):
        return f"request line {first!r}"
    for field in fields:
        if not FIELD.match(field):
            return f"field line {field!r}"
    names = [field.split(b":")[0].lower() for field in fields]
    if names.count(b"host") != 1:
        return "not one Host"
    if names.count(b"content-length") + names.count(b"transfer-encoding") > 1:
        return "two framings"
    return "chunk extensions" if request.chunk_extensions else None


def echo(request, _):
    return answer(f"{request.method} {request.target}" if request.method != "HEAD" else "", length=True)


def refusal_closes(connection, status):
    """Everything but a refused method or policy leaves framing in doubt."""
    return connection.at_end() if status in (400, 431) else True


def judge_request(case, pound, origin):
    before = origin.hits
    raw = base64.b64decode(case["raw"])
    method = raw.lstrip(b"\r\n").split(b" ")[0].decode("latin-1")
    served = case.get("before", 0) if case["expect"] == "reject" else case.get("n", 1)
    with Client(pound.port) as connection:
        try:
            connection.send(raw)
            if case.get("incomplete"):
                connection.finish_sending()
        except ConnectionError:
            pass  # refused before all of it was taken
        for number in range(served):
            found = connection.read_answer(method if number == 0 else "GET")
            if found.status != 200:
                return f"answer {number + 1} is {found.status} [{found.text[:200]}]"
        if case["expect"] == "reject":
            try:
                found = connection.read_answer(method)
            except EOFError:
                if not case.get("incomplete"):
                    return "closed without an answer"
            except ConnectionError:
                pass  # it may refuse to read what it was sent, and say so by a reset
            else:
                if found.status not in case["status"]:
                    return f"refused with {found.status}"
                if not refusal_closes(connection, found.status):
                    return "the connection stays open"
    canary = f"/canary-{case['id']}"
    found = pound.ask(canary)
    if (found.status, found.text) != (200, f"GET {canary}"):
        return f"the canary got {found.status} {found.text!r}"
    seen = origin.requests[before:]
    if len(seen) != served + 1:
        return f"{len(seen) - 1} requests behind, {served} expected: {seen}"
    for request in seen:
        if canonical(request):
            return f"not canonical behind: {canonical(request)}"
    return judge_content(case, seen[:-1]) if case["expect"] == "accept" else None


def judge_content(case, seen):
    first, last = seen[0], seen[-1]
    if "target" in case and last.target != case["target"]:
        return f"target {last.target!r}"
    if "body" in case and last.body != base64.b64decode(case["body"]):
        return f"body {last.body!r}"
    if "first_body" in case and first.body != base64.b64decode(case["first_body"]):
        return f"body {first.body!r}"
    for name in {name for name, _ in case.get("has", [])}:
        wanted = [value for key, value in case["has"] if key == name]
        if last.fields.all(name) != wanted:
            return f"{name} is {last.fields.all(name)}"
    for name in case.get("absent", []):
        if last.fields.has(name):
            return f"{name} was passed on"
    if case.get("without") and any(case["without"] in value for _, value in last.fields):
        return f"{case['without']} was passed on in {last.fields}"
    return None


def report(wrong):
    assert not wrong, f"{len(wrong)} cases:\n" + "\n".join(wrong)


@pytest.mark.parametrize("category", REQUESTS)
def test_requests(category, proxy, backend):
    origin = backend(echo)
    pound = proxy(origin, listener=["xHTTP 3"])
    wrong = []
    for case in REQUESTS[category]:
        why = judge_request(case, pound, origin)
        if why or origin.problems:
            wrong.append(f"{case['id']} ({case['why']}): {why} {origin.problems}")
            origin.problems.clear()
    report(wrong)
    wait.until(pound.is_idle, "the corpus keeps it busy")


class Script(Backend):
    """Answers /case with the bytes of the case, everything else with an echo."""

    raw = b""
    after = "keep"

    def __init__(self):
        super().__init__(serve=self.script)

    def script(self, connection):
        while True:
            request = connection.read_request()
            if request is None:
                return
            self.requests.append(request)
            if request.target != "/case":
                connection.send(echo(request, connection))
                continue
            connection.send(self.raw)
            if self.after == "close":
                return


def judge_response(case, pound, origin):
    origin.raw, origin.after = base64.b64decode(case["raw"]), case.get("after", "keep")
    method = case.get("method", "GET")
    with Client(pound.port) as connection:
        try:
            connection.send_request("/case", method)
            found = connection.read_answer(method)
            outcome = {502: "502"}.get(found.status, "pass")
        except (EOFError, ConnectionError):
            found, outcome = None, "cut"
        # What is cut before anything of it was passed on can still be told in full.
        if outcome != case["expect"] and (outcome, case["expect"]) != ("502", "cut"):
            return f"{outcome} ({found})"
        if outcome == "pass":
            if found.status != case["status"] or ("body" in case and found.body != base64.b64decode(case["body"])):
                return f"{found.status} with {found.body!r}"
            why = judge_content({key: case[key] for key in ("has", "absent") if key in case}, [found])
            if why:
                return why
        if outcome != "cut":
            # The next request on the same connection, if it was kept: its answer is its own.
            try:
                second = connection.ask("/second")
                if (second.status, second.text) != (200, "GET /second"):
                    return f"the next request got {second.status} {second.text!r}"
            except (EOFError, ConnectionError):
                pass
    canary = f"/canary-{case['id']}"
    found = pound.ask(canary)
    if (found.status, found.text) != (200, f"GET {canary}"):
        return f"the canary got {found.status} {found.text!r}"
    return None


@pytest.mark.parametrize("category", RESPONSES)
def test_responses(category, proxy, backend):
    origin = Script()
    # A client that waits for what will never come would hold the test; the back-end's silence is bounded.
    pound = proxy(origin, listener=["xHTTP 3"], each=["TimeOut 2"])
    wrong = []
    try:
        for case in RESPONSES[category]:
            why = judge_response(case, pound, origin)
            if why or origin.problems:
                wrong.append(f"{case['id']} ({case['why']}): {why} {origin.problems}")
                origin.problems.clear()
        report(wrong)
        wait.until(pound.is_idle, "the corpus keeps it busy")
    finally:
        origin.stop()
