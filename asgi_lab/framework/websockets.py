"""A WebSocket conversation: connect, accept or refuse, messages both ways, close.

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket:          # until the client closes
            await socket.send(message)

    connecting ──accept──► open ──close, or the client leaves──► closed
        └──────close: refused──────────────────────────────────────┘

Receiving after the client has gone raises `WebSocketDisconnect`; if nobody catches it, that is how
the handler ends. `groups` sends one message to many.
"""

import json
from typing import Any

from asgi_lab.framework.exceptions import WebSocketDisconnect
from asgi_lab.framework.headers import GivenHeaders, as_headers
from asgi_lab.framework.requests import HTTPConnection
from asgi_lab.types import Message, Receive, Scope, Send

WRONG_KIND = 1003  # text where bytes were expected, or the other way (RFC 6455, section 7.4.1)
WRONG_DATA = 1007  # not what its kind says: here, not JSON


class WebSocket(HTTPConnection):
    """One conversation. It is `connecting`, then `open` or `closed`."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope)
        self._receive = receive
        self._send = send
        self._connected = False
        self.stage = "connecting"
        self.subprotocol: str | None = None

    @property
    def subprotocols(self) -> list[str]:
        """What the client offers to speak."""
        return list(self.scope.get("subprotocols", []))

    async def accept(self, subprotocol: str | None = None, headers: GivenHeaders = ()) -> None:
        """Complete the handshake (www: "Accept").

        Raises ValueError for a subprotocol that was not offered, RuntimeError if it is too late.
        """
        self._expect("connecting", "accept")
        if subprotocol is not None and subprotocol not in self.subprotocols:
            raise ValueError(f"the client offers {self.subprotocols}, not {subprotocol!r}")
        await self._connect()
        self.stage, self.subprotocol = "open", subprotocol
        accept: Message = {"type": "websocket.accept", "headers": as_headers(headers).raw}
        await self._send({**accept, "subprotocol": subprotocol})

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; before `accept`, refuse, with 403. Nothing happens if it is closed already."""
        if self.stage == "closed":
            return
        if self.stage == "connecting":
            await self._connect()
        self.stage = "closed"
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def receive(self) -> str | bytes:
        """Return the next message. Raises WebSocketDisconnect when there will be none."""
        self._expect("open", "receive")
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._gone(message)
        # One of the two is there; servers may give the other as None (www: "Receive").
        text = message.get("text")
        return text if text is not None else bytes(message["bytes"])

    async def receive_text(self) -> str:
        """Return the next message; one that is not text closes the socket with 1003."""
        message = await self.receive()
        if isinstance(message, str):
            return message
        raise await self._fail(WRONG_KIND, "expected text")

    async def receive_bytes(self) -> bytes:
        """Return the next message; one that is not binary closes the socket with 1003."""
        message = await self.receive()
        if isinstance(message, bytes):
            return message
        raise await self._fail(WRONG_KIND, "expected bytes")

    async def receive_json(self) -> Any:
        """Return what the next message says; one that is not JSON closes the socket with 1007."""
        message = await self.receive()
        try:
            return json.loads(message)
        except ValueError:
            raise await self._fail(WRONG_DATA, "expected JSON") from None

    async def send(self, message: str | bytes) -> None:
        """Send text or bytes. It waits while the client is slow (www: "Send").

        Raises WebSocketDisconnect if the client has gone, where the server can tell.
        """
        self._expect("open", "send")
        if not isinstance(message, str | bytes):
            raise TypeError(
                f"a message is text or bytes, got {message!r:.80}: send_json sends more"
            )
        kind = "text" if isinstance(message, str) else "bytes"
        try:
            await self._send({"type": "websocket.send", kind: message})
        except OSError:
            self.stage = "closed"
            raise WebSocketDisconnect(1006) from None

    async def send_json(self, message: Any) -> None:
        """Send as JSON, in text."""
        await self.send(json.dumps(message, ensure_ascii=False, separators=(",", ":")))

    def __aiter__(self) -> "WebSocket":
        """Iterate over the messages, until the client closes."""
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except WebSocketDisconnect:
            raise StopAsyncIteration from None

    async def _connect(self) -> None:
        if not self._connected:  # the answer comes after the question (www: "Connect")
            self._connected = True
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._gone(message)

    def _gone(self, message: Message) -> None:
        self.stage = "closed"
        raise WebSocketDisconnect(message.get("code", 1005), message.get("reason") or "")

    async def _fail(self, code: int, reason: str) -> WebSocketDisconnect:
        await self.close(code, reason)
        return WebSocketDisconnect(code, reason)

    def _expect(self, state: str, what: str) -> None:
        if self.stage == state:
            return
        if self.stage == "closed":
            raise WebSocketDisconnect(1006)
        hint = "accept it first" if self.stage == "connecting" else "it is accepted already"
        raise RuntimeError(f"cannot {what}: the WebSocket is {self.stage}; {hint}")
