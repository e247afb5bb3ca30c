"""Runs a file of `examples/` as it stands, on the ports of a test.

An example names the addresses of an imagined site. To run it here, exactly this is changed, and
nothing else:

* every `Address` line with the `Port` line after it becomes 127.0.0.1 and a port of the test's choice
  (`ports`, from "address:port" as the example has it);
* lines `User`, `Group`, `RootJail`, `PIDFile` and `LogFacility` are made comments: they belong to the
  machine the example is for;
* texts in `changes` are replaced: files and folders that the example refers to by a name beside it, and what
  a test wants to see from another side.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples"

_ADDRESS = re.compile(r'^(?P<indent>\s*)Address\s+"?(?P<address>[^"\s#]+)"?.*$', re.I)
_PORT = re.compile(r"^\s*Port\s+(?P<port>\d+)", re.I)
_MACHINE = re.compile(r"^\s*(User|Group|RootJail|PIDFile|LogFacility)\b", re.I)


def adapt(name, ports, changes=None):
    """The text of `examples/<name>.cfg` for this machine; every port named must occur, and the other way round."""
    text = (FOLDER / f"{name}.cfg").read_text()
    for old, new in (changes or {}).items():
        assert old in text, f"{old} does not occur in the example"
        text = text.replace(old, str(new))
    lines, used, address = [], set(), None
    for line in text.splitlines():
        if found := _ADDRESS.match(line):
            address = found["address"]
            if not address.startswith("/"):
                line = f"{found['indent']}Address 127.0.0.1"
        elif found := _PORT.match(line):
            place = f"{address}:{found['port']}"
            assert place in ports, f"the test has no port for {place}"
            used.add(place)
            line = line[: found.start("port")] + str(ports[place]) + line[found.end("port") :]
        elif _MACHINE.match(line):
            line = f"#{line}"
        lines.append(line)
    assert used == set(ports), f"not in the example: {set(ports) - used}"
    return "\n".join(lines) + "\n"
