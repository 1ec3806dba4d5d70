"""What has been said so far in one connection, for those who answer for an app that failed.

Which answer is left depends on that: before the start of a response, any; amid one, none. A
WebSocket can be refused before `accept`, and closed after it.
"""

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
        self._left = False
        self.started = False
        """A response has begun, or the WebSocket was accepted or refused."""
        self.closed = False
        """The client has left, or the WebSocket was closed."""

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        message = await self._receive()
        self._asked = True
        if message["type"].endswith(".disconnect"):
            self._left = self.closed = True
        return message

    async def send(self, message: Message) -> None:
        """ASGI's `send`. Raises ClientDisconnect if the client has left.

        That is known from `receive` (www: "Disconnect"), or from the server, which since spec 2.4
        raises OSError; others take what is sent, and throw it away.
        """
        if self._left:
            raise ClientDisconnect("the client has left")
        self.started = True
        kind = message["type"]
        self.closed = self.closed or (kind == "websocket.close" or kind.startswith(REFUSAL))
        try:
            await self._send(message)
        except OSError as error:
            self._left = self.closed = True
            raise ClientDisconnect(str(error)) from error

    async def answer(self, response: ASGIApp) -> None:
        """Send a response; on a WebSocket, refuse with it, or close."""
        if self.scope["type"] == "http":
            await response(self.scope, self.receive, self.send)
            return
        if not self._asked:  # an answer comes after the question (www: "Connect")
            await self.receive()
        if self.closed:
            return
        able = REFUSAL in (self.scope.get("extensions") or {})
        if able and not self.started:
            await response(self.scope, self.receive, self._refuse)
        else:
            await self.send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": ""})

    async def _refuse(self, message: Message) -> None:
        await self.send({**message, "type": f"websocket.{message['type']}"})
