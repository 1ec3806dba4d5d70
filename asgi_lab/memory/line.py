"""The client's end of a WebSocket without a wire, and what its handshake says."""

from typing import Any
from urllib.parse import unquote

from asgi_lab.client.door import UNCLOSED, Lost
from asgi_lab.client.result import Progress
from asgi_lab.client.wire import websocket_fields
from asgi_lab.memory.upload import Address
from asgi_lab.memory.websocket import CloseFrame, Data, WebSocket
from asgi_lab.types import Scope

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, section 1.3; any will do, the same is reproducible
HANDSHAKE = (
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-key", KEY),
    (b"sec-websocket-version", b"13"),
)


class MemoryLine:
    """See `Line`: the client's end of a `WebSocket`."""

    def __init__(self, server: WebSocket, progress: Progress) -> None:
        self._server = server
        self._progress = progress
        self._open = True
        self._closing = False

    def send(self, message: Data) -> None:
        """See `Line`."""
        if not self._closing:
            self._server.push(message)

    def close(self, code: int, reason: str) -> None:
        """See `Line`."""
        if not self._closing:
            self._closing = True
            self._server.push(CloseFrame(code, reason))

    async def next(self) -> Data | None:
        """See `Line`."""
        if not self._open:
            return None
        item = await self._server.channel.read()
        if item is None:
            self._progress.close_code = 1006
            raise Lost(UNCLOSED)
        if isinstance(item, CloseFrame):
            self._progress.close_code = item.code
            self._open = False
            if not self._closing:
                self._closing = True
                self._server.push(item)  # agree
            return None
        self._progress.message(item)
        return item


def websocket_scope(progress: Progress, client: Address, server: Address, state: Any) -> Scope:
    """Return the scope of a conversation, with all that Uvicorn tells of one."""
    request = progress.request
    path, _, query = request.path.partition("?")
    host, subprotocols, others = websocket_fields(request, f"{server[0]}:{server[1]}")
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "server": server,
        "client": client,
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", host.encode()), *HANDSHAKE, *others],
        "subprotocols": subprotocols,
        "state": state.copy(),
        "extensions": {"websocket.http.response": {}},
    }
