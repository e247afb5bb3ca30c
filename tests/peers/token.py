"""Tokens with private keys: SoftHSM 2, in the process that loads it or, by p11-kit, in one of its own."""

import os
import signal
import struct
import subprocess
from pathlib import Path

from . import wait
from .process import Process

PIN = "4711-secret"

# Of PKCS#11, and of SoftHSM's files.
MECHANISMS = {"CKM_RSA_PKCS": 1, "CKM_RSA_PKCS_PSS": 0xD, "CKM_ECDSA": 0x1041, "CKM_SHA256": 0x250}
CKA_ALLOWED_MECHANISMS = 0x40000600
SET_OF_MECHANISMS = 5


def _library(name):
    """A shared library that Debian puts somewhere below /usr/lib."""
    found = sorted(Path("/usr/lib").glob(f"**/{name}"))
    assert found, f"{name} is not installed"
    return found[0]


def softhsm():
    return _library("libsofthsm2.so")


def p11_kit_client():
    return _library("p11-kit-client.so")


class Token:
    """A token with its files in `home`. `module` is what pound loads."""

    def __init__(self, home, label="web keys"):
        self.home = home
        self.label = label
        self.module = softhsm()
        self.keys = 0
        self.objects = {}
        self.store = home / "tokens"
        self.store.mkdir(parents=True)
        self.settings = home / "softhsm2.conf"
        self.settings.write_text(f"directories.tokendir = {self.store}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = {"SOFTHSM2_CONF": str(self.settings)}
        self.pin_file = home / "pin"
        self.pin_file.write_text(PIN + "\n")
        self.pin_file.chmod(0o600)
        self._util("--init-token", "--free", "--label", label, "--so-pin", "so-secret", "--pin", PIN)

    def take(self, file, label=None, public=True):
        """Moves the private key that stands beside the certificate `file` into the token, from where it cannot be taken; it as PEM."""
        key = file.with_suffix(".key")
        self.keys += 1
        before = set(self.store.glob("**/*.object"))
        more = [] if public else ["--no-public-key"]
        self._util(
            *("--import", key, "--token", self.label, "--pin", PIN, *more),
            *("--label", label or f"key {self.keys}", "--id", f"{self.keys:02x}"),
        )
        self.objects[file] = set(self.store.glob("**/*.object")) - before
        pem = key.read_bytes()
        key.unlink()
        return pem

    def permit(self, file, *mechanisms):
        """The key of that certificate does these and no others from now on. Nobody may have the token open.

        CKA_ALLOWED_MECHANISMS cannot be changed by PKCS#11, so this writes into SoftHSM's file: there is an empty set.
        """
        empty = struct.pack(">QQQ", CKA_ALLOWED_MECHANISMS, SET_OF_MECHANISMS, 0)
        numbers = [MECHANISMS[name] for name in mechanisms]
        full = struct.pack(f">QQQ{len(numbers)}Q", CKA_ALLOWED_MECHANISMS, SET_OF_MECHANISMS, len(numbers), *numbers)
        for part in self.objects[file]:
            before = part.read_bytes()
            assert before.count(empty) == 1
            part.write_bytes(before.replace(empty, full))

    def lose(self, file):
        """Removes that key again. Nobody may have the token open."""
        assert self.objects[file]
        for part in self.objects.pop(file):
            part.unlink()

    def uri(self, path=None, **query):
        """As it stands behind SSLEngine."""
        query = {"module-path": self.module, "pin-source": self.pin_file, **query}
        path = f"token={self.label.replace(' ', '%20')}" if path is None else path
        return f"pkcs11:{path}?" + "&".join(f"{name}={value}" for name, value in query.items() if value)

    def directive(self, *arguments, **query):
        return f'SSLEngine "{self.uri(*arguments, **query)}"'

    def _util(self, *arguments):
        done = subprocess.run(
            ["softhsm2-util", *map(str, arguments)], env={**os.environ, **self.env}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


class TokenServer:
    """The same token behind a socket: keys and what is computed with them are in a process of their own."""

    def __init__(self, token):
        self.token = token
        self.home = token.home
        self.socket = self.home / "p11.socket"
        self.module = p11_kit_client()
        self.env = {"P11_KIT_SERVER_ADDRESS": f"unix:path={self.socket}"}
        self.process = None
        self.start()

    def start(self):
        self.process = Process(
            [
                *("p11-kit", "server", "--foreground", "--provider", self.token.module, "--name", self.socket),
                "pkcs11:",
            ],
            self.home / "p11-kit.log",
            env={**self.token.env, "XDG_RUNTIME_DIR": str(self.home)},
        ).ready(self.socket.exists)

    def uri(self, *arguments, **query):
        return self.token.uri(*arguments, **{"module-path": self.module, **query})

    def directive(self, *arguments, **query):
        return f'SSLEngine "{self.uri(*arguments, **query)}"'

    def freeze(self):
        """From now on it answers nothing."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.socket.unlink(missing_ok=True)
        wait.until(lambda: not self.socket.exists(), "the socket stays")
