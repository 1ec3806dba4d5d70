"""A WebSocket on one connection: the handshake, then frames, then the farewell.

A session joins what is pure (`websocket`: bytes and events) with what waits (`Conversation`: the
app, and the connection's flow and timers). The handshake waits for the app's answer; pings, pongs
and fragments stay in here.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from asgi_lab.server.conversation import Conversation
from asgi_lab.server.http11 import Http11
from asgi_lab.server.request import Headers, Request
from asgi_lab.server.response import head_of
from asgi_lab.server.scope import websocket_scope
from asgi_lab.server.websocket import Broken, Closed, Event, Message, Ping, WebSocket, agree
from asgi_lab.types import Message as AsgiMessage

if TYPE_CHECKING:
    from asgi_lab.server.connection import Connection

logger = logging.getLogger("asgi_lab.server")

GOING_AWAY, ABNORMAL = 1001, 1006


class WebSocketSession:
    """What a connection speaks once a WebSocket has been asked for."""

    def __init__(self, connection: "Connection", http: Http11, request: Request) -> None:
        self._connection = connection
        self._limits = connection.config.limits
        self._http = http
        self._request = request
        self._early = b""  # came before the handshake was answered
        self._wire: WebSocket | None = None
        self._closing = False  # a close has been sent
        self._pinged = False
        self._owed: bytes | None = None  # the payload of a ping that is not answered yet
        facts = connection.facts(request)
        scope = websocket_scope(request, connection.config.root_path, **facts)
        self.conversation = Conversation(self, scope)
        connection.timer.stop()
        connection.call(self.conversation.run, str(self.conversation))

    # What the connection tells.

    def data(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._pinged = False  # whatever it says, it lives
        self._pay()
        if self._wire is None:
            self._early += data
        else:
            for event in self._wire.receive(data):
                self._connection.tell("event", event)
                self._take(event)
        self.taken()

    def eof(self) -> None:
        """End: a client that says no more cannot say that it closes."""
        self.conversation.end(ABNORMAL, "")
        self._connection.close()

    def closed(self) -> None:
        """Note that the connection is gone."""
        self.conversation.end(ABNORMAL, "")

    def expired(self, what: str) -> None:
        """Ping a silent client; give up one that is silent still."""
        if self._closing or self._wire is None:
            self._connection.abort()
        elif self._connection.inflow.paused or self._connection.outflow.paused:
            self._expect_life()  # a pong could not come through
        elif not self._pinged:
            self._pinged = True
            self._pay()
            self._connection.write(self._wire.ping())
            self._expect_life()
        else:
            self.conversation.end(ABNORMAL, "the client does not answer pings")
            self._connection.abort()

    def shutdown(self) -> None:
        """Send the client away: the server wants to end."""
        if self._wire is None and self._http.can_respond:
            self.refuse(503, "the server is ending")
            self.conversation.end(GOING_AWAY, "")
        elif self._wire is None:
            return  # the handshake is being denied
        elif not self._closing:
            self.close(GOING_AWAY, "the server is ending")
            self.conversation.end(GOING_AWAY, "the server is ending")

    # What comes from the client.

    def _take(self, event: Event) -> None:
        assert self._wire is not None
        match event:
            case Message(data=data) if not self._closing:
                self.conversation.message(data)
            case Ping(payload=payload) if not self._closing:
                self._owed = payload
                self._pay()
            case Closed(code=code, reason=reason):
                self.conversation.end(code, reason)
                if not self._closing:
                    self._connection.write(self._wire.close(code, reason))
                self._connection.close()
            case Broken(code=code, reason=reason):
                logger.info("%s: the client broke the protocol: %s", self.conversation, reason)
                self.conversation.end(code, reason)
                if not self._closing:
                    self._connection.write(self._wire.close(code, reason))
                self._connection.linger()

    def _pay(self) -> None:
        """Answer the last ping; while the client reads too slowly, later (RFC 6455, 5.5.3)."""
        late = self._closing or self._connection.outflow.paused
        if self._owed is not None and self._wire is not None and not late:
            self._connection.write(self._wire.pong(self._owed))
            self._owed = None

    # What the conversation asks for.

    @property
    def writable(self) -> Callable[[], Awaitable[None]]:
        """Wait until the client has taken enough of what was sent."""
        return self._connection.outflow.ready

    def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Answer the handshake: 101. Raises `InvalidMessage`."""
        agreed, deflate = agree(self._request, subprotocol)
        defaults = self._connection.config.default_headers()
        head, frames = self._http.switch(agreed + headers, defaults)
        self._connection.write(head)
        self.conversation.opened()
        self._wire = WebSocket(deflate, self._limits.message)
        self._expect_life()
        early, self._early = frames + self._early, b""
        if early:
            self.data(early)

    def refuse(self, status: int, reason: str) -> None:
        """Answer the handshake: no WebSocket."""
        defaults = self._connection.config.default_headers()
        self._connection.write(self._http.refuse(status, reason, defaults))
        self._connection.linger()

    def deny(self, message: AsgiMessage) -> None:
        """Begin a response that denies the handshake. Raises `InvalidMessage`."""
        defaults = self._connection.config.default_headers()
        self._http.start(*head_of(message), defaults, close=True)

    def deny_body(self, body: bytes, more: bool) -> None:
        """Send a part of it. Raises `InvalidMessage`."""
        self._connection.write(self._http.body(body, more))
        if not more:
            self._connection.linger()

    def message(self, data: str | bytes) -> None:
        """Send a message."""
        assert self._wire is not None
        self._pay()
        self._connection.write(self._wire.message(data))

    def close(self, code: int, reason: str) -> None:
        """Begin to close, and wait a while for the client to agree."""
        assert self._wire is not None
        self._closing = True
        self._connection.write(self._wire.close(code, reason))
        self._connection.timer.start("the answer to close", self._limits.close_seconds)

    def taken(self) -> None:
        """Count what waits for the app."""
        self._connection.inflow.holds(self.conversation.held + len(self._early))

    def app_failed(self, code: int) -> None:
        """End what the app has left: refuse, break off or close, with this code."""
        state = self.conversation.state
        self.conversation.end(code, "")
        if state == "connecting" or (state == "denying" and self._http.can_respond):
            self.refuse(500, "Internal Server Error")
        elif state == "denying":
            self._connection.close()
        elif state == "open":
            self.close(code, "")

    def _expect_life(self) -> None:
        self._connection.timer.start("a sign of life", self._limits.ping_seconds)
