"""A request as ASGI says it: the scope (ASGI "HTTP" and "WebSocket", Connection Scope)."""

from typing import Any
from urllib.parse import unquote

from asgi_lab.server.request import ABSOLUTE, Request
from asgi_lab.types import Scope

ASGI = {"version": "3.0", "spec_version": "2.5"}
Address = tuple[str, int | None]


def http_scope(request: Request, root_path: str = "", **connection: Any) -> Scope:
    """Return the scope of an HTTP request; `connection` is what the socket knows."""
    return {
        "type": "http",
        "asgi": dict(ASGI),
        "http_version": "1.0" if request.http_version < b"1.1" else "1.1",
        "method": request.method.decode("ascii").upper(),
        "scheme": "http",
        **place(request, root_path),
        **connection,
        "extensions": {},
    }


def websocket_scope(request: Request, root_path: str = "", **connection: Any) -> Scope:
    """Return the scope of a WebSocket that is asked for; `connection` is what the socket knows."""
    scope = http_scope(request, root_path, **connection)
    del scope["method"]
    secure = scope["scheme"] == "https"
    values = [value for name, value in request.headers if name == b"sec-websocket-protocol"]
    offered = b",".join(values).decode("latin-1").split(",")
    return {
        **scope,
        "type": "websocket",
        "scheme": "wss" if secure else "ws",
        "subprotocols": [name for part in offered if (name := part.strip())],
        "extensions": {"websocket.http.response": {}},
    }


def place(request: Request, root_path: str) -> dict[str, Any]:
    """Return path, query and headers.

    A target may have its own host, which counts instead of the header's (RFC 9112, section 3.2.2).
    A `root_path` is what a proxy has cut off, and `path` has it again.
    """
    target, headers = request.target, list(request.headers)
    if not target.startswith(b"/") and (absolute := ABSOLUTE.fullmatch(target)):
        headers = [(b"host", absolute[1]), *(pair for pair in headers if pair[0] != b"host")]
        target = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
    raw_path, _, query = target.partition(b"?")
    return {
        "path": root_path + unquote(raw_path.decode("ascii")),
        "raw_path": root_path.encode() + raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": headers,
    }
