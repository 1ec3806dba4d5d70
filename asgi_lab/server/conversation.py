"""One WebSocket, as an app sees it: `receive` and `send` (ASGI "WebSocket").

connecting ── accept ──▶ open ── close, by either side ──▶ closed
    │
    ├── close ──▶ closed (the handshake is answered 403)
    └── http.response.start ──▶ denying ── last body ──▶ closed
"""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from asgi_lab.server.calling import call_app
from asgi_lab.server.failures import InvalidMessage
from asgi_lab.server.flow import ClientDisconnected
from asgi_lab.server.response import checked_body, checked_headers
from asgi_lab.types import ASGIApp, Message, Scope

if TYPE_CHECKING:
    from asgi_lab.server.websocket_session import WebSocketSession

logger = logging.getLogger("asgi_lab.server")

ACCEPT, SEND, CLOSE = "websocket.accept", "websocket.send", "websocket.close"
DENY, DENY_BODY = "websocket.http.response.start", "websocket.http.response.body"
EXPECTED = {"connecting": (ACCEPT, CLOSE, DENY), "denying": (DENY_BODY,), "open": (SEND, CLOSE)}
"""What an app may send, in each state but the last."""

NORMAL, INTERNAL_ERROR = 1000, 1011

COST = 256
"""Bytes that a waiting message takes beside its own: many tiny ones are much."""


class Conversation:
    """The app's side of a WebSocket. The session tells it what comes from the client."""

    def __init__(self, session: "WebSocketSession", scope: Scope) -> None:
        self.scope = scope
        self.state = "connecting"
        self.held = 0
        """Bytes in the messages that the app has not taken."""
        self._session = session
        self._messages: deque[Message] = deque([{"type": "websocket.connect"}])
        self._news = asyncio.Event()
        self._end: Message | None = None  # the disconnect: from then on, there is nothing else
        self._ended_by_app = False

    # What the session tells.

    def opened(self) -> None:
        """Note that the handshake has been answered."""
        self.state = "open"

    def message(self, data: str | bytes) -> None:
        """Take a message from the client."""
        key = "text" if isinstance(data, str) else "bytes"
        self._messages.append({"type": "websocket.receive", key: data})
        self.held += COST + len(data)
        self._news.set()

    def end(self, code: int, reason: str) -> None:
        """Note that it is over, and why. What came before is still delivered."""
        if self._end is None:
            self.state = "closed"
            self._end = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._news.set()

    # What the app does.

    async def receive(self) -> Message:
        """Return the next message; or, in the end, that it is over."""
        while not self._messages and self._end is None:
            self._news.clear()
            await self._news.wait()
        if not self._messages:
            assert self._end is not None
            return dict(self._end)
        message = self._messages.popleft()
        if message["type"] == "websocket.receive":
            self.held -= COST + len(message.get("text", message.get("bytes", b"")))
            self._session.taken()
        return message

    async def send(self, message: Message) -> None:
        """Answer the handshake, send a message or close, and wait while the client is slow.

        Raises `InvalidMessage` for what may not be sent now, `ClientDisconnected` for nobody to
        send it to.
        """
        if self._ended_by_app:
            raise InvalidMessage(f"nothing may follow the end, got {message.get('type')!r}")
        if self._end is not None:
            raise ClientDisconnected
        kind, expected = message.get("type"), EXPECTED[self.state]
        if kind not in expected:
            raise InvalidMessage(f"expected {' or '.join(expected)}, got {kind!r}")
        match kind:
            case "websocket.accept":
                self._accept(message)
            case "websocket.close" if self.state == "connecting":
                self._session.refuse(403, "Forbidden")
                self._end_by_app(1006)
            case "websocket.close":
                self._close(message)
            case "websocket.send":
                self._session.message(checked_data(message))
            case "websocket.http.response.start":
                self._session.deny(message)
                self.state = "denying"
            case "websocket.http.response.body":
                self._deny_body(message)
        if not self._ended_by_app:
            await self._session.writable()

    def _accept(self, message: Message) -> None:
        subprotocol, headers = (
            message.get("subprotocol"),
            checked_headers(message.get("headers") or ()),
        )
        if subprotocol is not None and subprotocol not in self.scope["subprotocols"]:
            offered = self.scope["subprotocols"]
            raise InvalidMessage(f"the client offers {offered}, and not {subprotocol!r}")
        if any(name.lower() == b"sec-websocket-protocol" for name, _ in headers):
            raise InvalidMessage(
                "expected `subprotocol` instead of a sec-websocket-protocol header"
            )
        self._session.accept(subprotocol, headers)

    def _close(self, message: Message) -> None:
        code, reason = checked_close(message)
        self._session.close(code, reason)
        self._end_by_app(code, reason)

    def _deny_body(self, message: Message) -> None:
        more = bool(message.get("more_body", False))
        self._session.deny_body(checked_body(message), more)
        if not more:
            self._end_by_app(1006)

    def _end_by_app(self, code: int, reason: str = "") -> None:
        self._ended_by_app = True
        self._messages.clear()
        self.held = 0
        self.end(code, reason)

    async def run(self, app: ASGIApp) -> None:
        """Call the app, and see to it that the WebSocket ends with it."""
        code = INTERNAL_ERROR
        try:
            if await call_app(app, self.scope, self.receive, self.send, str(self)):
                code = NORMAL
                if self.state in ("connecting", "denying"):
                    logger.error("%s returned without answering the handshake", self)
        finally:
            self._session.app_failed(code)

    def __str__(self) -> str:
        return f"WebSocket {self.scope['raw_path'].decode()}"  # as sent: one line


def checked_data(message: Message) -> str | bytes:
    """Return what to send, of which there is either text or bytes. Raises `InvalidMessage`."""
    text, data = message.get("text"), message.get("bytes")
    if isinstance(text, str) and data is None:
        return text
    if isinstance(data, bytes | bytearray | memoryview) and text is None:
        return bytes(data)
    raise InvalidMessage(f"expected either text or bytes in websocket.send, got {text!r}, {data!r}")


def checked_close(message: Message) -> tuple[int, str]:
    """Return code and reason of a close (RFC 6455, 5.5.1 and 7.4). Raises `InvalidMessage`."""
    code, reason = message.get("code", NORMAL), message.get("reason") or ""
    sendable = (*range(1000, 1004), *range(1007, 1015))
    if not isinstance(code, int) or not (code in sendable or 3000 <= code <= 4999):
        raise InvalidMessage(f"expected a close code such as 1000 or 3000 to 4999, got {code!r}")
    if not isinstance(reason, str) or len(reason.encode()) > 123:
        raise InvalidMessage(f"expected a reason of at most 123 bytes, got {reason!r}")
    return code, reason
