"""Patterns and addresses that stand in files of their own, fixed (`-file`) or followed (`-filewatch`)."""

import os

import pytest

from peers import configuration as cfg
from peers import pound as process
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
    wait.until(lambda: server.ask(target).status == status, server.output, within=20)


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
    paths.write_text("# nothing yet\n")
    server = guarded(pound, backend, f'Path -filewatch "{paths}"')
    assert server.ask("/one").status == 404, "a list of comments matches nothing"
    paths.write_text("^/one$\n")
    status_becomes(server, 200, "/one")
    replace(paths, "^/two$\n")
    status_becomes(server, 200, "/two")
    assert server.ask("/one").status == 404
    replace(paths, "^/(broken\n")
    server.wait_for_log(f"{paths}:1:")
    assert server.ask("/two").status == 200, "what cannot be read changes nothing"
    replace(paths, "# nothing any more\n")
    status_becomes(server, 404, "/two")


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


# What is denied stays denied, however the list was saved and whatever becomes of it.

DENIED = "evil.example"
AS_SAVED = {
    "with a byte order mark": b"\xef\xbb\xbfevil.example\nother.example\n",
    "with the line ends of Windows": b"other.example\r\nevil.example\r\n",
    "with a mark and those line ends": b"\xef\xbb\xbfevil.example\r\nother.example",
    "without a last line end": b"other.example\nevil.example",
    "with a comment in another encoding": b"# l\xe4stig\nevil.example\n",
    "converted twice": b"other.example\r\r\nevil.example\r\r\n",
}
UNUSABLE = {
    "U+00A0 no-break space": "evil.example\u00a0\n".encode(),
    "U+200B zero width space": "\u200bevil.example\n".encode(),
    "U+FEFF byte order mark": "other.example\n\ufeffevil.example\n".encode(),
    "U+201C left double quotation mark": "\u201cevil.example\u201d\n".encode(),
    "without quotes": b'"evil.example"\n',
    "U+000D carriage return": b"# denied\revil.example\r",
    "U+0000 NUL": b"evil.example\0\n",
    "UTF-16": "evil.example\n".encode("utf-16"),
    "not UTF-8": b"evil.example\nl\xe4stig.example\n",
    "has no scheme": b"http://evil.example/\n",
    "* is no wildcard": b"*.evil.example\n",
    "holds nothing": b"",
}


def denying(file, option, port):
    denied = cfg.service(f'Host {option} "{file}"', "Error 403")
    return cfg.text(cfg.listen(port, denied, cfg.service("Success")))


@pytest.mark.parametrize("option", ["-file", "-filewatch"])
@pytest.mark.parametrize("how", AS_SAVED)
def test_what_is_denied_is_denied_however_the_list_was_saved(pound, tmp_path, how, option):
    file = tmp_path / "denied"
    file.write_bytes(AS_SAVED[how])
    port = wait.free_port()
    server = pound(denying(file, option, port), port)
    assert server.ask(host=DENIED).status == 403
    assert server.ask(host="good.example").status == 200


@pytest.mark.parametrize("option", ["-file", "-filewatch"])
@pytest.mark.parametrize("said", UNUSABLE)
def test_a_list_that_cannot_be_read_refuses_the_start_and_says_why(tmp_path, said, option):
    file = tmp_path / "denied"
    file.write_bytes(UNUSABLE[said])
    checked = process.check(denying(file, option, 8080), tmp_path)
    assert checked.returncode == 1, checked.stderr
    assert said in checked.stderr


@pytest.mark.parametrize("kind", ["Host -filewatch", "Path -beg -filewatch", "Header -filewatch", "ACL -filewatch"])
@pytest.mark.parametrize("what", ["missing", "directory", "pipe"])
def test_a_list_that_is_no_file_refuses_the_start(tmp_path, kind, what):
    file = tmp_path / "list"
    if what == "directory":
        file.mkdir()
    elif what == "pipe":
        os.mkfifo(file)
    text = cfg.text(cfg.listen(8080, cfg.service(f'{kind} "{file}"', "Error 403"), cfg.service("Success")))
    checked = process.check(text, tmp_path)
    assert checked.returncode == 1
    assert str(file) in checked.stderr


def test_a_watched_list_keeps_its_entries_through_every_bad_change(pound, tmp_path):
    file = tmp_path / "denied"
    file.write_text(f"{DENIED}\n")
    port = wait.free_port()
    server = pound(denying(file, "-filewatch", port), port)
    for said, content in UNUSABLE.items():
        new = tmp_path / "new"
        new.write_bytes(content)
        before = server.output().count("the old list goes on")
        os.replace(new, file)
        wait.until(lambda: server.output().count("the old list goes on") > before, server.output, within=20)
        assert said in server.output()
        assert server.ask(host=DENIED).status == 403, said
    file.unlink()
    server.wait_for_log("is gone")
    assert server.ask(host=DENIED).status == 403
    file.mkdir()
    server.wait_for_log("no regular file")
    assert server.ask(host=DENIED).status == 403
    file.rmdir()
    os.mkfifo(file)
    wait.until(lambda: server.output().count("no regular file") > 1, server.output, within=20)
    assert server.ask(host=DENIED).status == 403
    file.unlink()
    file.write_bytes(b"\xef\xbb\xbfother.example\r\n")
    wait.until(lambda: server.ask(host="other.example").status == 403, server.output, within=20)
    assert server.ask(host=DENIED).status == 200


def test_a_watched_acl_keeps_its_networks_through_every_bad_change(pound, tmp_path):
    file = tmp_path / "denied"
    file.write_bytes(b"\xef\xbb\xbf127.0.0.0/8\r\n::1")
    port = wait.free_port()
    denied = cfg.service(f'ACL -filewatch "{file}"', "Error 403")
    server = pound(cfg.text(cfg.listen(port, denied, cfg.service("Success"))), port)
    assert server.ask().status == 403
    for content in ["", "127.0.0.0/8\u00a0\n", "127.0.0.\n", "\u201c127.0.0.1\u201d\n", "# a\r127.0.0.1\r"]:
        before = server.output().count("the old list goes on")
        replace(file, content)
        wait.until(lambda: server.output().count("the old list goes on") > before, server.output, within=20)
        assert server.ask().status == 403, content
    replace(file, "# nobody\n")
    status_becomes(server, 200)


def test_the_configuration_and_what_it_includes_are_read_by_the_same_rules(tmp_path):
    part = tmp_path / "part.cfg"
    text = cfg.text(cfg.listen(8080, f'Include "{part}"'))
    good = cfg.service('Host "a.example"', "Success")
    for mark, end in [(b"", "\n"), (b"\xef\xbb\xbf", "\n"), (b"\xef\xbb\xbf", "\r\n"), (b"", "\r\r\n")]:
        part.write_bytes(mark + end.join(good.splitlines()).encode())
        main = tmp_path / "pound.cfg"
        main.write_bytes(mark + text.replace("\n", end).encode())
        checked = process.check(main, tmp_path)
        assert (checked.returncode, checked.stderr) == (0, ""), (mark, end)
    for said, content in {
        "UTF-16": good.encode("utf-16"),
        "U+000D carriage return": good.replace("\n", "\r").encode(),
        "U+00A0 no-break space": good.replace("    ", "\u00a0").replace(" ", "\u00a0").encode(),
        "U+201C left double quotation mark": good.replace('"', "\u201c").encode(),
        "U+200B zero width space": good.replace("a.example", "a.example\u200b").encode(),
        "not UTF-8": good.replace("a.example", "\xe4.example").encode("latin-1"),
        "not in single ones": good.replace('"', "'").encode(),
    }.items():
        part.write_bytes(content)
        checked = process.check(text, tmp_path)
        assert checked.returncode == 1, said
        assert said in checked.stderr
        assert "part.cfg" in checked.stderr
