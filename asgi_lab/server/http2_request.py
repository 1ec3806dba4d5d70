"""A request of HTTP/2: from a header block to what HTTP/1 says too (RFC 9113, section 8).

The first line of HTTP/1 has become four fields whose names begin with a colon:

    :method GET   :scheme https   :authority example.org   :path /a?b

HTTP/1 knows requests by where their bytes are; HTTP/2 does not need to. But its requests are often
handed on to programs that speak HTTP/1, and what is no field there must be none here: such a
request is malformed, and its stream ends with PROTOCOL_ERROR (section 8.1.1).
"""

import re
from dataclasses import dataclass

from asgi_lab.server.http2_frames import Frame
from asgi_lab.server.request import LENGTH, NAME, VALUE, Headers, Request

METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
PATH = re.compile(rb"(?:/[\x21-\x7e]*|\*)")
OF_CONNECTION = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)
"""Fields of HTTP/1 that are about its connection: not in HTTP/2 (section 8.2.2)."""

PSEUDO = {b":method", b":scheme", b":authority", b":path"}


class Malformed(Exception):
    """A stream error: what the client sent is no request, and its stream ends."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a header block says. The scheme is what the connection has, whatever the client says."""

    request: Request
    length: int | None
    """Bytes that Content-Length promises."""


def read_head(fields: Headers) -> Head:
    """Return the head of a request. Raises `Malformed`."""
    pseudo, headers = _split(fields)
    for name, value in headers:
        _check_field(name, value)
    method = pseudo.get(b":method", b"")
    if not METHOD.fullmatch(method):
        raise Malformed(f"no method: {method[:80]!r}")
    host = _host(pseudo.get(b":authority"), headers)
    others = _join_cookies([field for field in headers if field[0] != b"host"])
    request = Request(method, _target(method, pseudo, host), [*host, *others], b"2")
    return Head(request, _length(headers))


def check_trailers(fields: Headers) -> None:
    """Look at trailers, which ASGI has no message for. Raises `Malformed`."""
    for name, value in fields:
        _check_field(name, value)


def _split(fields: Headers) -> tuple[dict[bytes, bytes], Headers]:
    """Part the pseudo-fields from the others, before which they stand: section 8.3."""
    pseudo: dict[bytes, bytes] = {}
    count = 0
    for name, value in fields:
        if not name.startswith(b":"):
            break
        if name in pseudo or name not in PSEUDO:
            raise Malformed(f"{name[:80]!r} is repeated or unknown")
        if not VALUE.fullmatch(value):
            raise Malformed(f"{name[:80]!r} is {value[:80]!r}")
        pseudo[name] = value
        count += 1
    return pseudo, fields[count:]


def _check_field(name: bytes, value: bytes) -> None:
    """Raise for what may be no field: sections 8.2.1 and 8.2.2."""
    if not NAME.fullmatch(name):
        raise Malformed(f"no name of a header: {name[:80]!r}")
    if not VALUE.fullmatch(value):
        raise Malformed(f"no value of a header: {value[:80]!r}")
    if name in OF_CONNECTION or (name == b"te" and value.lower() != b"trailers"):
        raise Malformed(f"{name!r} belongs to connections of HTTP/1")


def _target(method: bytes, pseudo: dict[bytes, bytes], host: Headers) -> bytes:
    """Return the target as HTTP/1 would say it: section 8.3.1."""
    scheme, path = pseudo.get(b":scheme"), pseudo.get(b":path")
    if method == b"CONNECT":
        if scheme is not None or path is not None or b":authority" not in pseudo:
            raise Malformed("CONNECT has an authority, and no scheme and path")
        return host[0][1]
    if not scheme or path is None:
        raise Malformed("a request has a scheme and a path")
    if not PATH.fullmatch(path):
        raise Malformed(f"no path: {path[:80]!r}")
    return path


def _host(authority: bytes | None, headers: Headers) -> Headers:
    """Return the one Host header, which is the authority (ASGI "HTTP", headers)."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (authority is not None and hosts and hosts[0] != authority):
        raise Malformed("more than one host")
    if authority is None and not hosts:
        raise Malformed("no host")
    return [(b"host", authority if authority is not None else hosts[0])]


def _join_cookies(headers: Headers) -> Headers:
    """Join cookies, which are cut so that they compress better: section 8.2.3."""
    cookies = [value for name, value in headers if name == b"cookie"]
    if len(cookies) < 2:
        return headers
    others = [field for field in headers if field[0] != b"cookie"]
    return [*others, (b"cookie", b"; ".join(cookies))]


def _length(headers: Headers) -> int | None:
    """Return the one Content-Length: RFC 9110, section 8.6."""
    lengths = {value for name, value in headers if name == b"content-length"}
    if not lengths:
        return None
    if len(lengths) > 1 or not all(LENGTH.fullmatch(value) for value in lengths):
        raise Malformed(f"no length: {sorted(lengths)!r}")
    return int(lengths.pop())


@dataclass(slots=True)
class Incoming:
    """What is known of a request whose stream goes on."""

    method: bytes
    promised: int | None  # bytes of body, by its Content-Length
    size: int = 0  # bytes that have come
    held: int = 0  # of which so many wait for the app
    whole: bool = False

    def fits(self, frame: Frame) -> bool:
        """Return whether a DATA frame keeps the promise: RFC 9113, section 8.1.1."""
        if self.promised is None or self.whole:
            return True
        size = self.size + len(frame.data)
        return size == self.promised if frame.ends else size <= self.promised
