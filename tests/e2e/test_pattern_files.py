"""Patterns and addresses that stand in files of their own, fixed (`-file`) or followed (`-filewatch`)."""

import os

from peers import configuration as cfg
from peers import wait


def replace(path, text):
    """As editors and deployments do: the new file takes the name in one step."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


def guarded(pound, backend, *conditions):
    """A service with these conditions before one that answers 404."""
    port = wait.free_port()
    chosen = cfg.service(*conditions, cfg.backend(backend()))
    return pound(cfg.text(cfg.listen(port, chosen, cfg.service("Error 404"))), port)


def status_becomes(server, status, target="/"):
    wait.until(lambda: server.ask(target).status == status, server.output, within=5)


def test_any_line_of_a_pattern_file_may_match(pound, backend, tmp_path):
    paths = tmp_path / "paths"
    paths.write_text("# ours\n/one\n\n/two # with a reason\n")
    server = guarded(pound, backend, f'Path -beg -file "{paths}"')
    assert [server.ask(target).status for target in ("/one/x", "/two", "/three")] == [200, 200, 404]


def test_a_fixed_file_is_read_once(pound, backend, tmp_path):
    paths = tmp_path / "paths"
    paths.write_text("/one\n")
    watched = tmp_path / "watched"
    watched.write_text("/never\n")
    server = guarded(pound, backend, f'Path -exact -file "{paths}"', f'Not Path -filewatch "{watched}"')
    replace(paths, "/two\n")
    # Once the change of the watched file is seen, that of the other one would have been, too.
    replace(watched, "/one\n")
    status_becomes(server, 404, "/one")
    replace(watched, "/never\n")
    status_becomes(server, 200, "/one")
    assert server.ask("/two").status == 404


def test_a_watched_pattern_file_is_followed(pound, backend, tmp_path):
    paths = tmp_path / "paths"
    server = guarded(pound, backend, f'Path -filewatch "{paths}"')
    assert server.ask("/one").status == 404, "a file that is not there yet matches nothing"
    paths.write_text("^/one$\n")
    status_becomes(server, 200, "/one")
    replace(paths, "^/two$\n")
    status_becomes(server, 200, "/two")
    assert server.ask("/one").status == 404
    replace(paths, "^/(broken\n")
    server.wait_for_log(f"{paths}:1:")
    assert server.ask("/two").status == 200, "what cannot be read changes nothing"
    paths.unlink()
    status_becomes(server, 404, "/two")
    server.wait_for_log("content cleared")


def test_a_watched_acl_is_followed(pound, backend, tmp_path):
    office = tmp_path / "office"
    office.write_text("192.0.2.0/24\n")
    server = guarded(pound, backend, f'ACL -filewatch "{office}"')
    assert server.ask().status == 404
    replace(office, "192.0.2.0/24\n127.0.0.0/8 # us\n")
    status_becomes(server, 200)


def test_a_fixed_file_that_is_not_there_is_an_error_of_the_configuration(tmp_path):
    from peers import pound

    text = cfg.text(cfg.listen(8080, cfg.service('Path -file "no-such-file"', "Success")))
    checked = pound.check(text, tmp_path)
    assert checked.returncode == 1
    assert "no-such-file" in checked.stdout + checked.stderr


def test_captures_are_found_by_their_tag(pound, backend):
    origin = backend()
    port = wait.free_port()
    service = cfg.service(
        'Host -re -tag site "^([a-z]+)\\\\."',
        'Path -tag item "^/item/([0-9]+)"',
        'SetPath "/$1(site)/$1(item)"',
        'SetHeader "X-Both: $1 $1(1)"',
        cfg.backend(origin),
    )
    server = pound(cfg.text(cfg.listen(port, service)), port)
    assert server.ask("/item/17", host="shop.example.org").status == 200
    assert origin.last.target == "/shop/17"
    assert origin.last.fields.one("X-Both") == "17 shop"
