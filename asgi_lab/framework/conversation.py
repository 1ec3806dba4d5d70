"""What has been said so far in one connection, for those who answer for an app that failed.

Which answer is left depends on that: before the start of a response, any; amid one, none. A
WebSocket can be refused before `accept`, and closed after it.
"""

from typing import NoReturn

from asgi_lab.framework.errors import ClientDisconnect
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send

INTERNAL_ERROR = 1011  # RFC 6455, section 7.4.1
REFUSAL = "websocket.http.response"  # the extension with which a refusal has a body


class Conversation:
    """`receive` and `send` of a connection, and how far it has come."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._asked = scope["type"] != "websocket"
        self.started = False
        """A response has begun, or the WebSocket was accepted or refused."""
        self.closed = False
        """The WebSocket is over."""

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        message = await self._receive()
        self._asked = True
        self.closed = self.closed or message["type"] == "websocket.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """ASGI's `send`. Raises ClientDisconnect where a server of spec 2.4 raises OSError."""
        self.started = True
        kind = message["type"]
        self.closed = self.closed or (kind == "websocket.close" or kind.startswith(REFUSAL))
        try:
            await self._send(message)
        except OSError as error:
            self._leave(error)

    async def answer(self, response: ASGIApp) -> None:
        """Send a response; on a WebSocket, refuse with it, or close."""
        if self.scope["type"] == "http":
            await response(self.scope, self.receive, self.send)
            return
        if not self._asked:  # an answer comes after the question (www: "Connect")
            await self.receive()
        if self.closed:
            return
        if self.started:
            await self.send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": ""})
        elif REFUSAL in (self.scope.get("extensions") or {}):
            await response(self.scope, self.receive, self._refuse)
        else:
            await self.send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": ""})

    async def _refuse(self, message: Message) -> None:
        await self.send({**message, "type": f"websocket.{message['type']}"})

    def _leave(self, error: OSError) -> NoReturn:
        raise ClientDisconnect(str(error)) from error
