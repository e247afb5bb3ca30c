"""Writes the small configurations that the tests run: nested lists of lines, no string surgery."""


def block(opening, *lines):
    """`opening`, the lines, `End`; a line may itself be a block or a list of lines."""
    return "\n".join([opening, *flat(lines), "End"])


def flat(lines):
    for line in lines:
        if isinstance(line, str):
            yield from (line.splitlines() or [""])
        else:
            yield from flat(line)


def backend(peer, *lines, word="Backend"):
    """A back-end block for a peer with a `port` or a unix `path`, or for a bare port."""
    path = getattr(peer, "path", None)
    if path:
        return block(word, f'Address "{path}"', *lines)
    return block(word, "Address 127.0.0.1", f"Port {getattr(peer, 'port', peer)}", *lines)


def emergency(peer, *lines):
    return backend(peer, *lines, word="Emergency")


def service(*lines, name=None):
    return block(f'Service "{name}"' if name else "Service", *lines)


def session(kind, ttl=60, id=None):
    return block("Session", f"Type {kind}", f"TTL {ttl}", f'ID "{id}"' if id else [])


def listen(port, *lines, address="127.0.0.1"):
    return block("ListenHTTP", f"Address {address}", f"Port {port}", *lines)


def listen_tls(port, *lines, address="127.0.0.1"):
    return block("ListenHTTPS", f"Address {address}", f"Port {port}", *lines)


def text(*lines):
    return "\n".join(flat(lines)) + "\n"
