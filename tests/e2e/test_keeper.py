"""The process that keeps the right to read certificates, where the serving one gives its rights up."""

import ctypes
import fcntl
import os
import shutil
import signal
import ssl
import subprocess
import termios
import time
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait
from peers.tls import Authority, TlsBackend, TlsClient, context

pytestmark = pytest.mark.root

# Python has no name for it; the number is the same on all processors.
PIDFD_GETFD = 438

NOBODY = ['User "nobody"', 'Group "nogroup"']


@pytest.fixture
def jailed(tls_proxy, backend, open_home):
    """As `tls_proxy`, as nobody and in a jail that no certificate is in."""

    def start(*certificates, top=NOBODY, **more):
        return tls_proxy(backend(), top=[f'RootJail "{open_home}"', *top], certificates=certificates, **more)

    return start


@pytest.fixture
def secret(authority, tmp_path):
    """A certificate whose file is root's alone, in a folder that is root's alone."""
    folder = tmp_path / "secret"
    folder.mkdir(mode=0o700)
    return authority.issue("old.test", file=folder / "site.pem")


def keepers(pid):
    """The children of a process that are keepers of certificates."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() == "pound-keys":
                    found.append(int(child))
    except (FileNotFoundError, ProcessLookupError):
        # It, or one of them, has just ended.
        return []
    return found


def the_keeper(pound):
    """The one keeper of a pound, once it is one: the port is bound before it is made, and it lets go of what it inherits.

    Whoever has seen an answer of the server knows that its keeper is ready.
    """
    (keeper,) = wait.until(lambda: keepers(pound.pid), "there is no keeper")
    wait.until(lambda: len(os.listdir(f"/proc/{keeper}/fd")) == 4, "it keeps descriptors")
    return keeper


def is_gone(pid):
    """Whether the process has ended; one that nobody has taken leave of has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _is_asked(pid):
    """Whether a question waits at the keeper."""
    folder = f"/proc/{pid}/fd"
    (number,) = (int(name) for name in os.listdir(folder) if os.readlink(f"{folder}/{name}").startswith("socket:"))
    process = os.pidfd_open(pid)
    line = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, number, 0)
    assert line >= 0, os.strerror(ctypes.get_errno())
    try:
        waiting = bytearray(4)
        fcntl.ioctl(line, termios.FIONREAD, waiting)
        return any(waiting)
    finally:
        os.close(line)
        os.close(process)


def shows(port, name, authority):
    try:
        with TlsClient(port, name, wanted=context(authority)) as client:
            return client.shown() == [name]
    except (OSError, ssl.SSLError):
        return False


def replace(authority, file, *names, **more):
    """As renewals do it: beside the old one, then in its place."""
    fresh = authority.issue(*names, file=file.with_suffix(".new"), **more)
    fresh.rename(file)


def test_a_key_of_root_alone_outside_of_the_jail_is_followed(jailed, authority, secret):
    pound = jailed(secret)
    assert shows(pound.port, "old.test", authority)
    replace(authority, secret, "new.test")
    assert secret.stat().st_mode & 0o777 == 0o600
    began = time.monotonic()
    wait.until(lambda: shows(pound.port, "new.test", authority), "the new one is not shown", every=0.02)
    assert time.monotonic() - began < 4
    pound.wait_for_log(f"certificate {secret} is in use (new.test)")
    assert "outside of RootJail" not in pound.output()


def test_a_key_of_root_alone_is_followed_for_a_user_without_a_jail(tls_proxy, backend, authority, secret):
    pound = tls_proxy(backend(), top=NOBODY, certificates=[secret])
    replace(authority, secret, "new.test")
    wait.until(lambda: shows(pound.port, "new.test", authority), "the new one is not shown")


def test_a_broken_file_outside_of_the_jail_leaves_the_old_certificate(jailed, authority, secret):
    pound = jailed(secret)
    good = secret.read_text()
    secret.write_text(good[: len(good) // 3])
    pound.wait_for_log("the old one stays")
    assert shows(pound.port, "old.test", authority)
    secret.unlink()
    pound.wait_for_log("the certificates that were there stay")
    assert shows(pound.port, "old.test", authority)
    authority.issue("new.test", file=secret)
    wait.until(lambda: shows(pound.port, "new.test", authority), "it has given up")


def test_certificates_come_to_a_directory_outside_of_the_jail_and_go(jailed, authority, secret):
    pound = jailed(secret.parent, listener=["StrictSNI yes"])
    authority.issue("more.test", file=secret.with_name("more.pem"))
    wait.until(lambda: shows(pound.port, "more.test", authority), "it is not shown")
    secret.with_name("more.pem").unlink()
    pound.wait_for_log("more.pem is no longer shown")
    assert not shows(pound.port, "more.test", authority)
    assert shows(pound.port, "old.test", authority)


def test_a_link_to_what_is_no_certificate_leaves_the_old_one(jailed, authority, secret, tmp_path):
    pound = jailed(secret)
    (link := tmp_path / "link").symlink_to("/etc/shadow")
    link.rename(secret)
    # Where the kernel has Landlock, the keeper cannot even open it.
    told = pound.wait_for_log("the old one stays")
    assert "there is no certificate in it" in told or "Permission denied" in told
    assert shows(pound.port, "old.test", authority)


@pytest.mark.parametrize("keeps", ["inside of its last certificate", "inside of its last line", "its first line"])
def test_a_chain_that_is_cut_off_is_not_taken_for_a_shorter_one(jailed, authority, secret, keeps):
    """As a full disk leaves it: the certificate and its key are whole."""
    pound = jailed(secret)
    link = authority.certificate.read_text()
    cut = {"inside of its last certificate": len(link) // 2, "inside of its last line": -6, "its first line": 28}[keeps]
    fresh = authority.issue("new.test", file=secret.with_suffix(".new"))
    fresh.write_text(fresh.read_text() + link[:cut])
    fresh.rename(secret)
    assert "it is cut off" in pound.wait_for_log("the old one stays")
    assert shows(pound.port, "old.test", authority)
    replace(authority, secret, "new.test", chain=True)
    wait.until(lambda: shows(pound.port, "new.test", authority), "the whole one is not shown")


def test_a_list_of_authorities_that_is_cut_off_leaves_the_old_one(jailed, authority, secret, tmp_path):
    people, others = Authority(tmp_path / "people", "People"), Authority(tmp_path / "others", "Others")
    bob = people.issue(subject="/CN=Bob", usage="clientAuth")
    believed = tmp_path / "believed.pem"
    believed.write_text(others.certificate.read_text() + people.certificate.read_text())
    pound = jailed(secret, listener=["ClientCert 2", f'VerifyList "{believed}"'])
    believed.write_text(believed.read_text()[:-40])
    assert "it is cut off" in pound.wait_for_log("the old content stays")
    with TlsClient(pound.port, "old.test", wanted=context(authority, certificate=bob)) as client:
        assert client.ask(host="old.test").status == 200


def test_a_pipe_in_the_place_of_a_file_stops_nothing(jailed, authority, secret):
    pound = jailed(secret)
    secret.unlink()
    os.mkfifo(secret)
    assert "no regular file" in pound.wait_for_log("the old one stays")
    secret.unlink()
    authority.issue("new.test", file=secret)
    wait.until(lambda: shows(pound.port, "new.test", authority), "it hangs")


def test_lists_of_revoked_certificates_outside_of_the_jail_are_followed(jailed, authority, secret, tmp_path):
    people = Authority(tmp_path / "people", "People")
    bob = people.issue(subject="/CN=Bob", usage="clientAuth")
    lists = [f'VerifyList "{people.certificate}"', f'CRLlist "{people.revoked(tmp_path)}"']
    pound = jailed(secret, listener=["ClientCert 2", *lists])

    def comes_in():
        try:
            with TlsClient(pound.port, "old.test", wanted=context(authority, certificate=bob)) as client:
                return client.ask(host="old.test").status == 200
        except (OSError, EOFError):
            return False

    assert comes_in()
    people.revoke(bob)
    people.revoked(tmp_path)
    pound.wait_for_log("are read again")
    assert not comes_in()


def test_what_a_back_end_is_shown_outside_of_the_jail_is_followed(open_home, proxy, authority, tmp_path):
    ours = Authority(tmp_path / "ours", "Ours")
    file = Authority(tmp_path / "strange", "Strange").issue(subject="/CN=old", usage="clientAuth", file=tmp_path / "x.pem")
    server = TlsBackend(authority.issue("127.0.0.1"), believes=ours)
    try:
        pound = proxy(server, top=[f'RootJail "{open_home}"', *NOBODY], each=["HTTPS", "Verify no", f'Cert "{file}"'])
        assert pound.ask().status == 502
        replace(ours, file, subject="/CN=pound", usage="clientAuth")
        wait.until(lambda: pound.ask().status == 200, "the new one is not shown to the back-end")
    finally:
        server.stop()


def test_the_keeper_keeps_its_line_and_nothing_else(jailed, secret):
    pound = jailed(secret)
    keeper = the_keeper(pound)
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{keeper}/status").read_text().splitlines() if ":\t" in line)
    assert status["Threads"] == "1"
    assert status["NoNewPrivs"] == "1"
    assert os.readlink(f"/proc/{keeper}/root") == "/"
    opened = {os.readlink(f"/proc/{keeper}/fd/{number}") for number in os.listdir(f"/proc/{keeper}/fd")}
    assert {name for name in opened if not name.startswith("socket:")} == {"/dev/null"}
    (line,) = (name[8:-1] for name in opened if name.startswith("socket:"))
    for table in ("tcp", "tcp6", "udp", "udp6"):
        inodes = [row.split()[9] for row in Path(f"/proc/{keeper}/net/{table}").read_text().splitlines()[1:]]
        assert line not in inodes
    # Nobody but root may look into a process that cannot be dumped: its files in /proc are root's for that.
    assert os.stat(f"/proc/{keeper}/mem").st_uid == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGQUIT], ids=lambda number: number.name)
def test_the_keeper_ends_with_the_server(jailed, secret, number):
    pound = jailed(secret)
    keeper = the_keeper(pound)
    pound.signal(number)
    pound.exit_status()
    wait.until(lambda: is_gone(keeper), "the keeper stays", within=5)


def test_the_keeper_outlives_signals_to_the_group(jailed, authority, secret):
    """A service manager tells all processes to end; the server needs its keeper until it has."""
    pound = jailed(secret)
    keeper = the_keeper(pound)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(keeper, number)
    replace(authority, secret, "new.test")
    wait.until(lambda: shows(pound.port, "new.test", authority), "the keeper has ended")


def test_a_server_without_its_keeper_serves_and_says_so(jailed, authority, secret):
    pound = jailed(secret)
    assert shows(pound.port, "old.test", authority)
    keeper = the_keeper(pound)
    os.kill(keeper, signal.SIGKILL)
    pound.wait_for_log("changes of files are not seen any more, restart pound")
    replace(authority, secret, "new.test")
    assert shows(pound.port, "old.test", authority)
    wait.until(lambda: not Path(f"/proc/{keeper}").exists(), "nobody takes leave of the keeper")
    assert pound.is_idle()
    assert len([line for line in pound.lines() if "restart pound" in line]) == 1


def test_a_keeper_that_does_not_answer_does_not_hold_up_the_end(jailed, authority, secret):
    pound = jailed(secret)
    assert shows(pound.port, "old.test", authority)
    keeper = the_keeper(pound)
    os.kill(keeper, signal.SIGSTOP)
    try:
        # It has been asked, and the server waits.
        wait.until(lambda: _is_asked(keeper), "it is not asked", every=0.02)
        began = time.monotonic()
        pound.signal(signal.SIGTERM)
        assert pound.exit_status() == 0
        assert time.monotonic() - began < 5
    finally:
        os.kill(keeper, signal.SIGCONT)
    wait.until(lambda: is_gone(keeper), "the keeper stays", within=5)


def test_a_keeper_that_does_not_answer_is_done_without(jailed, authority, secret):
    pound = jailed(secret)
    assert shows(pound.port, "old.test", authority)
    keeper = the_keeper(pound)
    os.kill(keeper, signal.SIGSTOP)
    try:
        pound.wait_for_log("changes of files are not seen any more, restart pound", within=20)
    finally:
        os.kill(keeper, signal.SIGCONT)
    # What it says later is heard by nobody, and it ends.
    wait.until(lambda: is_gone(keeper), "the keeper stays", within=5)
    replace(authority, secret, "new.test")
    assert shows(pound.port, "old.test", authority)


def test_a_server_that_cannot_have_a_keeper_serves_and_says_so(open_home, backend, authority, secret, tmp_path):
    """Here because nobody can tell without /proc whether it has threads."""
    if subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/proc"], capture_output=True).returncode:
        pytest.skip("another view of the file system cannot be had here")
    port, log = wait.free_port(), tmp_path / "log"
    shown = cfg.listen_tls(port, f'Cert "{secret}"', cfg.service(cfg.backend(backend())))
    file = process.write(cfg.text(f'RootJail "{open_home}"', NOBODY, shown), tmp_path)
    command = 'mount -t tmpfs none /proc && exec "$0" -e -f "$1"'
    with open(log, "wb") as out:
        server = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", command, process.binary(), file], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        wait.until(lambda: shows(port, "old.test", authority), lambda: log.read_text())
        told = "cannot start the process that keeps the right to read certificates"
        assert told in log.read_text()
        replace(authority, secret, "new.test")
        assert shows(port, "old.test", authority)
        server.terminate()
        assert server.wait(15) == 0
        assert log.read_text().count("are not seen") == 1, log.read_text()
    finally:
        server.kill()
        server.wait()


def test_a_server_that_is_started_again_has_a_keeper_again(open_home, backend, authority, secret, tmp_path):
    port, pid_file = wait.free_port(), tmp_path / "pound.pid"
    shown = cfg.listen_tls(port, f'Cert "{secret}"', cfg.service(cfg.backend(backend())))
    file = process.write(cfg.text(f'RootJail "{open_home}"', NOBODY, shown), tmp_path)
    assert process.run("-f", file, "-p", pid_file).returncode == 0
    supervisor = int(pid_file.read_text())

    def pair():
        """The serving process and its keeper."""
        workers = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        return [(int(worker), keeper) for worker in workers for keeper in keepers(int(worker))]

    try:
        ((worker, keeper),) = wait.until(pair, "there is no keeper")
        replace(authority, secret, "new.test")
        wait.until(lambda: shows(port, "new.test", authority), "the new one is not shown")
        os.kill(worker, signal.SIGKILL)
        wait.until(lambda: is_gone(keeper), "the keeper stays", within=5)
        # What the supervisor read long ago is not shown again for long.
        wait.until(lambda: shows(port, "new.test", authority), "the new one is not shown again", within=15)
        ((worker, keeper),) = wait.until(pair, "there is no keeper again")
        os.kill(supervisor, signal.SIGKILL)
        wait.until(lambda: is_gone(worker) and is_gone(keeper), "they stay without a supervisor", within=15)
    finally:
        if not is_gone(supervisor):
            os.kill(supervisor, signal.SIGTERM)
            wait.until(lambda: is_gone(supervisor), "it did not stop")


def test_nobody_keeps_what_nobody_gives_up(pound, tls_proxy, backend):
    port, origin = wait.free_port(), backend()
    secure = tls_proxy(origin)
    # Whoever answers has made all the processes that there will be.
    with TlsClient(secure.port) as client:
        assert client.ask().status == 200
    assert keepers(secure.pid) == []
    plain = pound(cfg.text(NOBODY, cfg.listen(port, cfg.service(cfg.backend(origin)))), port)
    assert plain.ask().status == 200
    assert keepers(plain.pid) == []


def status_of(pid):
    """The lines of /proc/PID/status by their names."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


# capabilities(7): the number of CAP_DAC_READ_SEARCH.
READ_SEARCH = 1 << 2


def test_it_keeps_the_right_to_read_and_no_other(jailed, tls_client, authority, secret):
    """Started by root from a shell, with all rights that there are."""
    pound = jailed(secret)
    assert tls_client(pound, "old.test").ask(host="old.test").status == 200
    keeper = the_keeper(pound)
    # It is confined after it has let go of what it inherits, and a moment before it answers.
    status = wait.until(lambda: (one := status_of(keeper))["CapPrm"] != status_of(os.getpid())["CapPrm"] and one, "all rights")
    assert {name: int(status[name], 16) for name in ("CapEff", "CapPrm")} == {"CapEff": READ_SEARCH, "CapPrm": READ_SEARCH}
    assert {name: int(status[name], 16) for name in ("CapInh", "CapBnd", "CapAmb")} == {"CapInh": 0, "CapBnd": 0, "CapAmb": 0}
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"].split() == status["Gid"].split() == ["65534"] * 4
    assert status["Groups"] == ""
    limits = Path(f"/proc/{keeper}/limits").read_text()
    for limit in ("Max core file size", "Max processes", "Max file size"):
        (line,) = [line for line in limits.splitlines() if line.startswith(limit)]
        assert line.split(limit)[1].split()[:2] == ["0", "0"]
    # And that is enough.
    replace(authority, secret, "new.test")
    wait.until(lambda: shows(pound.port, "new.test", authority), "the new certificate is not shown")


def test_it_stays_root_without_rights_where_it_may_not_read_otherwise(backend, authority, secret, tmp_path):
    """As under our unit of systemd, which leaves it no right to read what is another's: the key is root's."""
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv(1)")
    port, log = wait.free_port(), tmp_path / "log"
    shown = cfg.listen_tls(port, f'Cert "{secret}"', cfg.service(cfg.backend(backend())))
    file = process.write(cfg.text(NOBODY, shown), tmp_path)
    rights = "--bounding-set=-all,+net_bind_service,+setuid,+setgid,+sys_chroot"
    with open(log, "wb") as out:
        command = ["setpriv", rights, process.binary(), "-e", "-f", file]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait.until(lambda: shows(port, "old.test", authority), lambda: log.read_text())
        (keeper,) = keepers(server.pid)
        status = status_of(keeper)
        assert status["Uid"].split() == ["0"] * 4
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
        replace(authority, secret, "new.test")
        wait.until(lambda: shows(port, "new.test", authority), lambda: log.read_text())
        server.terminate()
        assert server.wait(15) == 0
    finally:
        server.kill()
        server.wait()


def test_links_that_lead_elsewhere_are_followed(jailed, authority, tmp_path):
    """A renewal puts a new folder beside the old one and has the link lead there."""
    first, second = tmp_path / "certificates/2026-01/a.pem", tmp_path / "certificates/2026-02/a.pem"
    link = tmp_path / "etc/site.pem"
    link.parent.mkdir()
    authority.issue("old.test", file=first)
    link.symlink_to(first)
    pound = jailed(link)
    assert shows(pound.port, "old.test", authority)
    authority.issue("new.test", file=second)
    link.with_suffix(".tmp").symlink_to(second)
    link.with_suffix(".tmp").rename(link)
    wait.until(lambda: shows(pound.port, "new.test", authority), "the new certificate is not shown")


def test_the_serving_process_keeps_no_right_at_all(jailed, tls_client, secret):
    pound = jailed(secret)
    assert tls_client(pound, "old.test").ask(host="old.test").status == 200
    status = status_of(pound.pid)
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
