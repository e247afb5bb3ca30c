"""A scripted back-end: it records every request byte and answers as the test says."""

import os
import socket
import threading

from . import wait
from .http import ServerSide


def answer(body=b"", status="200 OK", fields="", length=True):
    """An answer's bytes: `fields` are whole lines with their CR LF."""
    if isinstance(body, str):
        body = body.encode()
    if length:
        fields += f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode("latin-1") + body


class Backend:
    """Listens on a loopback port (or a unix path) and serves each connection in a thread.

    `reply` is bytes to send for every request, or a function (request, connection) that returns them
    or None if it has dealt with the connection itself (then the connection is closed unless it returns
    `KEEP`). `serve`, given instead, gets the bare connection.
    """

    KEEP = b""

    def __init__(self, reply=None, serve=None, path=None, port=None, name="backend"):
        self.name = name
        self.reply = answer(name) if reply is None else reply
        self.serve = serve
        self.requests = []
        self.problems = []
        self.connections = []
        self.accepted = 0
        self.path = str(path) if path else None
        self.port = port
        self.socket = None
        self.start()

    # -- life

    def start(self):
        if self.path:
            if os.path.exists(self.path):
                os.unlink(self.path)
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(self.path)
        else:
            self.port = self.port or wait.free_port()
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(("127.0.0.1", self.port))
        self.socket.listen(128)
        threading.Thread(target=self._accept, args=(self.socket,), daemon=True).start()
        return self

    def stop(self):
        """Stops listening and closes every connection: new ones are refused."""
        if self.socket:
            # `shutdown` wakes the thread in `accept`, which would keep the port open until then.
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.socket.close()
            self.socket = None
        self.drop_connections()

    def drop_connections(self):
        """Closes every connection, as a server does with idle ones."""
        connections, self.connections = self.connections, []
        for connection in connections:
            connection.close()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if listener is not self.socket:
                sock.close()
                return
            self.accepted += 1
            connection = ServerSide(sock)
            self.connections.append(connection)
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    # -- requests

    def _connection(self, connection):
        try:
            if self.serve:
                self.serve(connection)
            else:
                self._requests(connection)
        except (OSError, EOFError):
            # The other side went away, or the test closed the connection.
            pass
        except Exception as problem:  # noqa: BLE001 (a breach of HTTP: the test is told at its end)
            self.problems.append(repr(problem))
        finally:
            connection.close()

    def _requests(self, connection):
        while True:
            request = connection.read_request()
            if request is None:
                return
            self.requests.append(request)
            reply = self.reply
            if callable(reply):
                reply = reply(request, connection)
                if reply is None:
                    return
            connection.send(reply)
            if b"connection: close" in reply.lower():
                return

    # -- what it saw

    @property
    def last(self):
        return self.requests[-1]

    @property
    def hits(self):
        return len(self.requests)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
