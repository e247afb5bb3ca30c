"""The Python packages of the tests: they install on the oldest Python that `cargo xtask test` takes."""

import re
from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]


def test_every_pinned_package_takes_the_oldest_python():
    """One that wants 3.11.5 cannot be installed on Debian 12, which has 3.11.2."""
    source = (ROOT / "xtask/src/provision.rs").read_text()
    oldest = "{}.{}.0".format(*re.search(r"OLDEST_PYTHON: \(u8, u8\) = \((\d+), (\d+)\)", source).groups())
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "tests/requirements.txt").read_text().splitlines()}
    wanted = {
        f"{found.name} {found.version}": found.metadata["Requires-Python"]
        for found in distributions()
        if found.name.lower() in pinned and found.metadata["Requires-Python"]
    }
    assert len(wanted) > 20
    assert {name: python for name, python in wanted.items() if oldest not in SpecifierSet(python)} == {}
