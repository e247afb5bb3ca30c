"""Every file in `examples/` runs, and does what it is an example of.

`examples/<name>.cfg` is tested by `test_<name>` (dashes become underscores) here, or elsewhere if the
list below says so.
"""

import sys

import pytest

from peers import example
from peers import pound as process

TESTED_ELSEWHERE = {"zope": "zope/test_cluster.py"}


def names():
    return sorted(file.stem for file in example.FOLDER.glob("*.cfg"))


@pytest.mark.parametrize("name", names())
def test_has_a_test(name):
    module = sys.modules[__name__]
    assert name in TESTED_ELSEWHERE or hasattr(module, f"test_{name.replace('-', '_')}"), (
        f"write test_{name.replace('-', '_')} for examples/{name}.cfg"
    )


@pytest.mark.parametrize("name", names())
def test_is_well_formed(name):
    """As it stands: users, addresses and all."""
    checked = process.run("-c", "-f", example.FOLDER / f"{name}.cfg")
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr == "", "an example must not even be warned about"
