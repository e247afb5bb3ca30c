"""Unix sockets, as listener and as back-end."""

import os
import tempfile
from pathlib import Path

import pytest

from peers import configuration as cfg
from peers import pound as process
from peers import wait


@pytest.fixture
def folder():
    """A short path: the kernel allows 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="pd-") as path:
        yield Path(path)


def test_serves_on_a_unix_socket(pound, backend, folder):
    path, origin = folder / "listen", backend()
    text = cfg.text(cfg.block("ListenHTTP", f'Address "{path}"', cfg.service(cfg.backend(origin))))
    started = pound(text, path)
    assert started.ask("/over/unix").text == "backend"
    assert origin.last.target == "/over/unix"
    assert started.stop() == 0


def test_replaces_a_socket_that_a_killed_process_left(pound, backend, folder):
    path = folder / "listen"
    text = cfg.text(cfg.block("ListenHTTP", f'Address "{path}"', cfg.service(cfg.backend(backend()))))
    pound(text, path).kill()
    assert path.exists()
    assert pound(text, path).ask().status == 200


def test_uses_a_backend_on_a_unix_socket(proxy, backend, folder):
    origin = backend(path=folder / "back", name="unix")
    pound = proxy(origin, top=["Alive 1"])
    assert {pound.ask().text for _ in range(5)} == {"unix"}
    origin.stop()
    assert pound.ask().status == 503
    origin.start()
    wait.until(lambda: pound.ask().status == 200, "the back-end is not back", within=4)


def test_leaves_a_file_that_is_no_socket_alone(folder, tmp_path):
    path = folder / "precious"
    path.write_text("data")
    text = cfg.text(cfg.block("ListenHTTP", f'Address "{path}"', cfg.service("Success")))
    refused = process.run("-e", "-f", process.write(text, tmp_path))
    assert refused.returncode == 1
    assert str(path) in refused.stderr
    assert (path.read_text(), os.path.isfile(path)) == ("data", True)
