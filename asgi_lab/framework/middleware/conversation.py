"""What has been said so far in one connection, for those who answer for an app that failed.

Which answer is left depends on that:

    HTTP         nothing yet: any response        begun: none
    WebSocket    connecting: a refusal            accepted: close 1011        closed: none
"""

from asgi_lab.framework.exceptions import ClientDisconnect
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send

INTERNAL_ERROR = 1011  # RFC 6455, section 7.4.1
REFUSAL = "websocket.http.response"  # the extension with which a refusal has a body


class Conversation:
    """`receive` and `send` of a connection, and how far it has come."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._connected = scope["type"] == "http"  # a WebSocket asks with `websocket.connect`
        self._started = False  # a response has begun, or the WebSocket was accepted or refused
        self._closed = False  # the WebSocket is
        self._left = False  # the client has

    @property
    def answerable(self) -> bool:
        """Whether an answer is still possible."""
        return not (self._closed or self._left or (self._started and self.scope["type"] == "http"))

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        message = await self._receive()
        self._connected = True
        self._left = message["type"].endswith(".disconnect")
        return message

    async def send(self, message: Message) -> None:
        """ASGI's `send`. Raises ClientDisconnect if the client has left.

        That is known from `receive` (www: "Disconnect"), or from the server, which since spec 2.4
        raises OSError; others take what is sent, and throw it away.
        """
        if self._left:
            raise ClientDisconnect("the client has left")
        self._started = True
        self._closed = message["type"] == "websocket.close" or message["type"].startswith(REFUSAL)
        try:
            await self._send(message)
        except OSError as error:
            self._left = True
            raise ClientDisconnect(str(error)) from error

    async def answer(self, response: ASGIApp) -> None:
        """Send a response; on a WebSocket, refuse with it, or close."""
        if self.scope["type"] == "http":
            await response(self.scope, self.receive, self.send)
            return
        if not self._connected:  # an answer comes after the question (www: "Connect")
            await self.receive()
        if self._left:
            return
        if REFUSAL in (self.scope.get("extensions") or {}) and not self._started:
            await response(self.scope, self.receive, self._refuse)
        else:
            await self.send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": ""})

    async def _refuse(self, message: Message) -> None:
        await self.send({**message, "type": f"websocket.{message['type']}"})
