"""`pound -c` and the files of TLS: what is broken, what is not here, what runs out."""

import os
import pwd
import re
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers.tls import Authority


def check(home, *lines, each=None):
    """What `pound -c` prints of a listener with these lines, or a back-end with those of `each`, and its exit status."""
    if each is not None:
        text = cfg.text(cfg.listen(8080, cfg.service(cfg.backend(9, "HTTPS", *each))))
    else:
        text = cfg.text(cfg.listen_tls(8443, *lines, cfg.service("Success")))
    checked = process.check(text, home)
    return checked.returncode, checked.stderr


def test_good_files_are_not_spoken_of(tmp_path, authority):
    lines = [f'Cert "{authority.issue("a.test", days=90)}"', "ClientCert 2", f'VerifyList "{authority.certificate}"']
    assert check(tmp_path, *lines) == (0, "")
    assert check(tmp_path, each=[f'CAlist "{authority.certificate}"']) == (0, "")


def test_a_certificate_that_is_broken_is_an_error_with_its_place(tmp_path, authority):
    good = authority.issue("a.test", file=tmp_path / "good.pem", days=90)
    bad = tmp_path / "bad.pem"
    bad.write_text("nonsense")
    status, told = check(tmp_path, f'Cert "{bad}"', f'Cert "{good}"')
    assert status == 1
    assert f"error: {tmp_path}/pound.cfg:4: Cert {bad}: there is no certificate in it" in told
    assert "good.pem" not in told


def test_all_that_is_broken_is_told_in_one_run(tmp_path, authority):
    folder = tmp_path / "certs"
    for name in ("a", "b"):
        pair = authority.issue("a.test", file=folder / f"{name}.pem", key_apart=True)
        authority.issue("x.test", file=folder / "x.pem", key_apart=True)
        (folder / "x.key").rename(pair.with_suffix(".key"))
        (folder / "x.pem").unlink()
    lists = tmp_path / "lists.pem"
    lists.write_text("nonsense")
    ours = f'VerifyList "{authority.certificate}"'
    status, told = check(tmp_path, f'Cert "{folder}"', "ClientCert 2", ours, f'CRLlist "{lists}"')
    assert status == 1
    for name in ("a", "b"):
        assert f"{folder}/{name}.pem: its private key does not belong to its first certificate" in told
    assert f"CRLlist {lists}: there is no list of revoked certificates in it" in told


def test_files_that_are_not_here_are_warned_of(tmp_path, authority):
    here = authority.issue("a.test", days=90)
    status, told = check(tmp_path, 'Cert "/nowhere/a.pem"', 'Cert "/nowhere/certs/*.pem"')
    assert status == 0
    assert "warning: " in told and "Cert /nowhere/a.pem: it cannot be read: " in told
    assert "/nowhere/certs" in told
    assert "error" not in told.replace("(os error 2)", "")
    status, told = check(tmp_path, each=["Verify no", 'Cert "/nowhere/a.pem"'])
    assert (status, "warning: " in told, "Cert /nowhere/a.pem" in told) == (0, True, True)
    status, told = check(tmp_path, f'Cert "{here}"', "ClientCert 2", 'VerifyList "/nowhere/ca.pem"')
    assert (status, "VerifyList /nowhere/ca.pem" in told) == (0, True)
    status, told = check(tmp_path, each=['CAlist "/nowhere/ca.pem"'])
    assert (status, "CAlist /nowhere/ca.pem" in told) == (0, True)


def test_what_runs_out_is_warned_of(tmp_path, authority):
    files = {days: authority.issue(f"{days}.test", days=days) for days in (-1, 6, 40)}
    status, told = check(tmp_path, *[f'Cert "{file}"' for file in files.values()])
    assert status == 0
    assert f"Cert: certificate {files[-1]} has run out (-1.test); renew it" in told
    assert re.search(rf"certificate {re.escape(str(files[6]))} runs out in [56] days \(6.test\)", told)
    assert "40.test" not in told
    file = authority.issue(subject="/CN=x", usage="clientAuth", days=-1)
    status, told = check(tmp_path, each=["Verify no", f'Cert "{file}"'])
    assert (status, f"certificate for back-ends {file} has run out" in told) == (0, True)


def test_a_list_that_ran_out_is_warned_of(tmp_path, authority):
    people = Authority(tmp_path / "people", "People")
    lines = [f'Cert "{authority.issue("a.test", days=90)}"', "ClientCert 2", f'VerifyList "{people.certificate}"']
    status, told = check(tmp_path, *lines, f'CRLlist "{people.revoked(tmp_path, "-1")}"')
    assert (status, "list of revoked certificates" in told, "has run out" in told) == (0, True, True)
    assert check(tmp_path, *lines, f'CRLlist "{people.revoked(tmp_path, "3")}"') == (0, "")


@pytest.mark.parametrize("whose", ["listener", "back-end"])
def test_a_certificate_whose_key_is_nowhere_is_an_error(tmp_path, authority, whose):
    """A start refuses it, on whichever machine: what is here is the certificate."""
    file = authority.issue("a.test", days=90, file=tmp_path / "site.pem", key_apart=True)
    file.with_suffix(".key").unlink()
    line = f'Cert "{file}"'
    status, told = check(tmp_path, line) if whose == "listener" else check(tmp_path, each=["Verify no", line])
    assert (status, "error: " in told) == (1, True)
    assert f"Cert {file}: there is no private key in it, and no file {file.with_suffix('.key')}" in told


def test_a_directory_in_which_nothing_is_found_is_an_error(tmp_path):
    (folder := tmp_path / "certs").mkdir()
    for name in (folder, folder / "*.pem"):
        status, told = check(tmp_path, f'Cert "{name}"')
        assert (status, f"Cert {name}: there is no file in it" in told) == (1, True), told


def test_a_certbot_folder_without_its_key_is_named(tmp_path, authority):
    (folder := tmp_path / "live" / "a").mkdir(parents=True)
    (folder / "fullchain.pem").write_bytes(authority.issue("a.test", days=90).read_bytes())
    status, told = check(tmp_path, f'Cert "{tmp_path / "live"}"')
    assert (status, f"{folder / 'fullchain.pem'} has no privkey.pem beside it" in told) == (1, True), told


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_is_an_error_and_not_waited_for(tmp_path, authority, kind):
    path = tmp_path / "site.pem"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(str(path))
        case "device":
            path = "/dev/null"
    wanted = "it is no regular file"
    here = f'Cert "{authority.issue("a.test", days=90)}"'
    for status, told in (
        check(tmp_path, f'Cert "{path}"'),
        check(tmp_path, here, "ClientCert 2", f'VerifyList "{path}"'),
        check(tmp_path, each=["Verify no", f'Cert "{path}"']),
        check(tmp_path, each=[f'CAlist "{path}"']),
    ):
        assert (status, wanted in told) == (1, True), told


@pytest.mark.root
@pytest.mark.parametrize("apart", [False, True], ids=["in_one_file", "key_apart"])
def test_a_key_that_only_another_user_may_read_is_warned_of(authority, apart):
    nobody = pwd.getpwnam("nobody")
    # Every user may enter it, unlike folders of pytest.
    with tempfile.TemporaryDirectory(prefix="pound-test-") as home:
        os.chmod(home, 0o755)
        # Where pound was built may be within the home of root, which nobody else may enter.
        program = shutil.copy(process.binary(), home)
        file = authority.issue("a.test", days=90, file=Path(home) / "site.pem", key_apart=apart)
        if apart:
            file.chmod(0o644)
            file.with_suffix(".key").chmod(0o600)
        shown, line = cfg.service("Success"), f'Cert "{file}"'
        for block in (
            cfg.listen_tls(8443, line, shown),
            cfg.listen(8080, cfg.service(cfg.backend(9, "HTTPS", "Verify no", line))),
        ):
            config = process.write(cfg.text(block), home)
            config.chmod(0o644)
            nobodys = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            checked = process.run("-c", "-f", config, program=program, **nobodys)
            assert (checked.returncode, "Permission denied" in checked.stderr) == (0, True), checked.stderr
