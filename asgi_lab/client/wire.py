"""The header fields with which every client here asks, whichever door it goes through."""

from asgi_lab.client.request import Request

HTTP = ((b"accept", b"*/*"), (b"connection", b"keep-alive"), (b"user-agent", b"asgi-lab"))
WEBSOCKET = ((b"user-agent", b"asgi-lab"),)

Fields = list[tuple[bytes, bytes]]


def http_fields(request: Request, host: str) -> Fields:
    """Return all fields of an HTTP request: host, defaults, the request's own, and framing."""
    fields = _with_defaults(request, HTTP, host)
    body = request.body
    if any(name in (b"content-length", b"transfer-encoding") for name, _ in fields):
        return fields
    if not isinstance(body, bytes):
        fields.append((b"transfer-encoding", b"chunked"))
    elif body or request.method in ("POST", "PUT", "PATCH"):
        fields.append((b"content-length", b"%d" % len(body)))
    return fields


def websocket_fields(request: Request, host: str) -> tuple[str, list[str], Fields]:
    """Return the host, the subprotocols offered, and the other fields of a handshake."""
    fields = _with_defaults(request, WEBSOCKET, host)
    offered = [value for name, value in fields if name == b"sec-websocket-protocol"]
    subprotocols = [word.strip() for value in offered for word in value.decode().split(",")]
    others = [field for field in fields[1:] if field[0] != b"sec-websocket-protocol"]
    return fields[0][1].decode(), subprotocols, others


def _with_defaults(
    request: Request, defaults: tuple[tuple[bytes, bytes], ...], host: str
) -> Fields:
    """Return the host, the defaults that the request does not name, and what it names."""
    if not request.headers:
        return [(b"host", host.encode()), *defaults]
    own = [(name.lower().encode(), value.encode()) for name, value in request.headers]
    names = {name for name, _ in own}
    hosts = [value for name, value in own if name == b"host"] or [host.encode()]
    return [
        (b"host", hosts[0]),
        *(field for field in defaults if field[0] not in names),
        *(field for field in own if field[0] != b"host"),
    ]
