"""HTTP/1 as the tests see it: bytes on a socket, parsed strictly, kept raw as well.

These readers refuse what RFC 9112 forbids a sender, so that everything pound sends, to either side, is
judged by somebody who did not write it.
"""

import re
import socket

TIMEOUT_SECONDS = 20
MAX_HEAD = 256 * 1024

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([\x21-\x7e\x80-\xff]+) HTTP/(1\.[01])\Z")
_STATUS_LINE = re.compile(r"HTTP/(1\.[01]) ([1-9][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)\Z")
_FIELD = re.compile(rf"({_TOKEN}):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*\Z")
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)(;.*)?\Z")

BODILESS = {204, 304}


class Fields(list):
    """Field lines in their order, as (name, value) pairs."""

    def all(self, name):
        return [value for key, value in self if key.lower() == name.lower()]

    def one(self, name):
        values = self.all(name)
        assert len(values) == 1, f"{name} occurs {len(values)} times in {self}"
        return values[0]

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    def has(self, name):
        return bool(self.all(name))

    def tokens(self, name):
        return [word.strip().lower() for value in self.all(name) for word in value.split(",")]


class Message:
    """A request or an answer. `chunks` is None unless the body came chunked."""

    def __init__(self):
        self.head = b""
        self.version = ""
        self.fields = Fields()
        self.body = b""
        self.chunks = None
        self.chunk_extensions = False
        self.trailers = Fields()

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


class Request(Message):
    method = target = ""

    def __repr__(self):
        return f"<{self.method} {self.target} HTTP/{self.version} {self.fields}>"


class Answer(Message):
    status = 0
    reason = ""
    interim = ()
    """Answers 1xx that came before this one, oldest first."""

    def __repr__(self):
        return f"<{self.status} {self.reason} HTTP/{self.version} {self.fields} {self.body[:200]!r}>"


class Wire:
    """One end of a connection with a read buffer."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.buffer = b""

    # -- bytes

    def send(self, *parts):
        for part in parts:
            self.sock.sendall(part.encode("latin-1") if isinstance(part, str) else part)
        return self

    def fill(self):
        """Reads once; False at the end of the stream."""
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def read_exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise EOFError(f"wanted {count} bytes, the stream ended after {self.buffer!r}")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_through(self, mark, at_most=MAX_HEAD):
        """Everything up to and with `mark`."""
        while mark not in self.buffer:
            assert len(self.buffer) <= at_most, f"no {mark!r} in {at_most} bytes"
            if not self.fill():
                raise EOFError(f"no {mark!r} before the end of {self.buffer!r}")
        end = self.buffer.index(mark) + len(mark)
        data, self.buffer = self.buffer[:end], self.buffer[end:]
        return data

    def read_to_end(self):
        while self.fill():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def at_end(self):
        """Whether the other side has closed (or reset) and nothing is left; waits for either."""
        if self.buffer:
            return False
        try:
            return not self.fill()
        except ConnectionError:
            return True

    def has_ended_within(self, seconds):
        """As `at_end`, but gives up waiting after `seconds`."""
        self.sock.settimeout(seconds)
        try:
            return self.at_end()
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(TIMEOUT_SECONDS)

    def finish_sending(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes so that the peer sees a reset, as from a machine that died and came back."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self):
        # `close` alone is not seen by the peer while another thread of the test waits in `recv`.
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- messages

    def read_head(self):
        """The lines of a head, without the empty one, and its bytes; None at a clean end."""
        if not self.buffer and not self.fill():
            return None, b""
        head = self.read_through(b"\r\n\r\n")
        lines = head[:-4].decode("latin-1").split("\r\n")
        assert not any("\n" in line or "\r" in line for line in lines), f"bare line end in {head!r}"
        return lines, head

    def read_chunked(self, message, between=None):
        message.chunks = []
        while True:
            line = self.read_through(b"\r\n")[:-2]
            match = _CHUNK.match(line)
            assert match, f"not a chunk size: {line!r}"
            message.chunk_extensions |= match.group(2) is not None
            size = int(match.group(1), 16)
            if size == 0:
                break
            message.chunks.append(self.read_exactly(size))
            assert self.read_exactly(2) == b"\r\n", "no line end after a chunk"
            if between:
                between(message)
        while True:
            line = self.read_through(b"\r\n")[:-2]
            if not line:
                break
            message.trailers.append(_field(line.decode("latin-1")))
        message.body = b"".join(message.chunks)


def _field(line):
    match = _FIELD.match(line)
    assert match, f"not a field line: {line!r}"
    return match.groups()


def _length(message):
    """The one Content-Length, or None."""
    values = message.fields.all("Content-Length")
    assert len(values) <= 1, f"several Content-Length: {values}"
    assert not (values and message.fields.has("Transfer-Encoding")), "both framings at once"
    return int(values[0]) if values else None


def _chunked(message):
    codings = message.fields.tokens("Transfer-Encoding")
    assert codings in ([], ["chunked"]), f"Transfer-Encoding: {codings}"
    assert not (codings and message.version == "1.0"), "chunked in HTTP/1.0"
    return bool(codings)


class ServerSide(Wire):
    """A connection as a back-end sees it."""

    def read_request_head(self):
        lines, raw = self.read_head()
        if lines is None:
            return None
        request = Request()
        match = _REQUEST_LINE.match(lines[0])
        assert match, f"not a request line: {lines[0]!r}"
        request.head = raw
        request.method, request.target, request.version = match.groups()
        request.fields = Fields(_field(line) for line in lines[1:])
        if request.version == "1.1":
            request.fields.one("Host")
        return request

    def read_request_body(self, request):
        length = _length(request)
        if _chunked(request):
            self.read_chunked(request)
        elif length:
            request.body = self.read_exactly(length)
        return request

    def read_request(self):
        request = self.read_request_head()
        return request and self.read_request_body(request)


class Client(Wire):
    """A raw client: what is sent is exactly what the test says."""

    def __init__(self, port, host="127.0.0.1"):
        if isinstance(port, int):
            sock = socket.create_connection((host, port), timeout=TIMEOUT_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(str(port))
        super().__init__(sock)

    def read_answer_head(self):
        """The next answer's head, an interim one included."""
        lines, raw = self.read_head()
        if lines is None:
            raise EOFError("the connection was closed without an answer")
        answer = Answer()
        match = _STATUS_LINE.match(lines[0])
        assert match, f"not a status line: {lines[0]!r}"
        answer.head = raw
        answer.version, status, answer.reason = match.groups()
        answer.status = int(status)
        answer.fields = Fields(_field(line) for line in lines[1:])
        return answer

    def read_answer_body(self, answer, method="GET"):
        length = _length(answer)
        chunked = _chunked(answer)
        if method == "HEAD" or answer.status in BODILESS or answer.status < 200:
            return answer
        if chunked:
            self.read_chunked(answer)
        elif length is not None:
            answer.body = self.read_exactly(length)
        else:
            answer.body = self.read_to_end()
        return answer

    def read_answer(self, method="GET"):
        """The next final answer with its body; the interim ones before it are in `interim`."""
        interim = []
        while True:
            answer = self.read_answer_head()
            if answer.status >= 200 or answer.status == 101:
                break
            interim.append(answer)
        answer.interim = interim
        return self.read_answer_body(answer, method)

    def ask(self, target="/", method="GET", fields="", body=b"", version="1.1", host="localhost"):
        """Sends one request with the field lines given (each ending in CR LF) and reads the answer."""
        self.send_request(target, method, fields, body, version, host)
        return self.read_answer(method)

    def send_request(
        self, target="/", method="GET", fields="", body=b"", version="1.1", host="localhost"
    ):
        if body and "transfer-encoding" not in fields.lower():
            fields += f"Content-Length: {len(body)}\r\n"
        head = f"{method} {target} HTTP/{version}\r\n"
        if host is not None:
            head += f"Host: {host}\r\n"
        return self.send(head + fields + "\r\n", body)


def ask(port, target="/", method="GET", **more):
    """One request on a connection of its own."""
    with Client(port) as client:
        return client.ask(target, method, **more)
