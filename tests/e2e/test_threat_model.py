"""docs/threat-model.md names the test of every property: each of them exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_threat_model_names_exists():
    rows = [line for line in (ROOT / "docs/threat-model.md").read_text().splitlines() if re.match(r"\| \d+ \|", line)]
    sources = [*ROOT.glob("crates/**/*.rs"), *ROOT.glob("tests/e2e/*.py")]
    known = set()
    for source in sources:
        known.update(re.findall(r"^\s*(?:async )?(?:fn|def) (\w+)\(", source.read_text(), re.M))
    named = {name for row in rows for name in re.findall(r"`([a-z_0-9]+_[a-z_0-9]+)`", row.rsplit("|", 2)[1])}
    named -= {"unsafe_code"}
    assert len(rows) > 60 and len(named) > 80
    assert not named - known, f"no such test: {sorted(named - known)}"


def test_every_property_has_a_test_or_is_open():
    for line in (ROOT / "docs/threat-model.md").read_text().splitlines():
        if re.match(r"\| \d+ \|", line):
            held = line.rsplit("|", 2)[1]
            assert "`" in held or "open" in held, line
