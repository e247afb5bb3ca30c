"""`CheckHost`: which Host may come over a connection that began with some certificate."""

import pytest

from peers import configuration as cfg
from peers import wait
from peers.tls import context

# The name in TLS, the Host, and whether it passes with yes, name and no. There are certificates for a.test, *.b.test and
# 192.0.2.7; the first is shown where no name is asked for, or one of which there is none.
CASES = {
    "as_the_certificate": ("a.test", "a.test", (True, True, True)),
    "in_other_letters_with_a_dot_and_a_port": ("a.test", "A.Test.:8443", (True, True, True)),
    "covered_by_a_star": ("x.b.test", "x.b.test", (True, True, True)),
    "another_of_the_same_star": ("x.b.test", "y.b.test", (True, True, True)),
    "full_with_a_dot": ("x.b.test.", "x.b.test", (True, True, True)),
    "full_with_a_dot_in_both": ("x.b.test.", "x.b.test.", (True, True, True)),
    "full_with_a_dot_and_another_certificate": ("x.b.test.", "a.test", (False, False, True)),
    "full_with_a_dot_and_covered_by_none": ("c.test.", "c.test.", (False, True, True)),
    "below_the_star": ("x.b.test", "z.x.b.test", (False, False, True)),
    "of_another_certificate": ("a.test", "x.b.test", (False, False, True)),
    "of_no_certificate": ("a.test", "c.test", (False, False, True)),
    "asked_for_and_covered_by_none": ("c.test", "c.test", (False, True, True)),
    "asked_for_without_a_certificate_and_another": ("c.test", "d.test", (False, False, True)),
    "no_name_and_the_first_certificate": (None, "a.test", (True, True, True)),
    "no_name_and_another_certificate": (None, "x.b.test", (False, False, True)),
    "no_name_and_an_address_of_no_certificate": (None, "127.0.0.1", (False, True, True)),
    "no_name_and_the_address_of_another": (None, "192.0.2.7", (False, False, True)),
}


@pytest.fixture(scope="module")
def shown(authority, tmp_path_factory):
    home = tmp_path_factory.mktemp("shown")
    names = [["a.test"], ["*.b.test"], ["192.0.2.7"]]
    return [authority.issue(*name, file=home / f"{number}.pem") for number, name in enumerate(names)]


@pytest.fixture
def asked(pound, backend, tls_client, shown):
    """The status of a request to a listener with these lines."""

    def ask(lines, name, host):
        port = wait.free_port()
        certificates = [f'Cert "{file}"' for file in shown]
        running = pound(cfg.text(cfg.listen_tls(port, certificates, lines, cfg.service(cfg.backend(backend())))), port)
        wanted = context()
        return tls_client(running, name, wanted=wanted).ask(host=host).status

    return ask


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", ["yes", "name", "no"])
def test_a_host_passes_or_is_misdirected(asked, rule, case):
    name, host, passes = CASES[case]
    expected = 200 if passes[["yes", "name", "no"].index(rule)] else 421
    assert asked([f"CheckHost {rule}"], name, host) == expected


def test_the_milder_rule_holds_where_nothing_is_written(asked):
    """A file of an older Pound, whose certificate is for another name, goes on working."""
    assert asked([], "c.test", "c.test") == 200
    assert asked([], None, "127.0.0.1") == 200
    assert asked([], "a.test", "c.test") == 421
