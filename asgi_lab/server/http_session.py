"""HTTP/1.1 on one connection: requests one after another, each handed to the app.

A session joins what is pure (`http11`: bytes and events) with what waits (`Exchange`: the app, and
the connection's flow and timers). It decides how long to wait for what, and what becomes of the
connection: kept for the next request, closed, or handed over to a WebSocket.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from asgi_lab.server.exchange import Exchange
from asgi_lab.server.http11 import Http11
from asgi_lab.server.request import Body, EndOfBody, Event, Refused, Request
from asgi_lab.server.response import head_of
from asgi_lab.server.scope import http_scope
from asgi_lab.server.websocket import check_handshake
from asgi_lab.server.websocket_session import WebSocketSession
from asgi_lab.types import Message

if TYPE_CHECKING:
    from asgi_lab.server.connection import Connection

logger = logging.getLogger("asgi_lab.server")


class HttpSession:
    """What a connection speaks until something else is agreed on."""

    def __init__(self, connection: "Connection") -> None:
        limits = connection.config.limits
        self.http = Http11(limits.head, limits.body)
        self.exchange: Exchange | None = None
        self._connection = connection
        self._limits = limits
        self._ending = False
        self._patience = limits.body_seconds
        connection.timer.start("a request", limits.head_seconds)

    # What the connection tells.

    def data(self, data: bytes) -> None:
        """Take bytes from the client."""
        was_idle = self.http.idle
        self._take(self.http.receive(data))
        in_head = was_idle and not self.http.idle and self.exchange is None
        if in_head and self._connection.session is self:
            self._connection.timer.start("a request", self._limits.head_seconds)

    def eof(self) -> None:
        """Note that the client sends no more. It may still read: finish the answer to it."""
        if self.exchange is None:
            self._connection.close()
        else:
            self._ending = True
            self.exchange.disconnect()

    def closed(self) -> None:
        """Note that the connection is gone."""
        if self.exchange is not None:
            self.exchange.lose()
            self.exchange = None

    def expired(self, what: str) -> None:
        """Answer 408, or close: patience has run out."""
        if self.exchange is None and self.http.idle:
            self._connection.close()
        elif self.http.can_respond:
            self._refuse(Refused(408, f"waited too long for {what}"))
        else:
            self._connection.abort()

    def shutdown(self) -> None:
        """Finish what is going on, and begin nothing: the server wants to end."""
        self._ending = True
        if self.exchange is None:
            self._connection.close()

    # What comes from the client.

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self._connection.tell("event", event)
            match event:
                case Request():
                    self._begin(event)
                case Body(data=data):
                    self._body(data)
                case EndOfBody():
                    self._end_of_body()
                case Refused():
                    self._refuse(event)
            if self._connection.session is not self:
                return  # what follows is not HTTP, or not heard
        self._count()

    def _begin(self, request: Request) -> None:
        connection = self._connection
        if request.upgrades:
            self._upgrade(request)
            return
        connection.timer.stop()
        scope = http_scope(request, connection.config.root_path, **connection.facts(request))
        self._patience = self._limits.body_seconds
        self.exchange = Exchange(self, scope)
        connection.call(self.exchange.run, str(self.exchange))

    def _upgrade(self, request: Request) -> None:
        """Hand the connection over to a WebSocket, if the handshake is right."""
        wrong = check_handshake(request)
        if wrong is None:
            self._connection.session = WebSocketSession(self._connection, self.http, request)
        else:
            self._refuse(*wrong)

    def _body(self, data: bytes) -> None:
        if self.exchange is None:
            return  # it comes too late: the answer has been given
        self.exchange.body(data)
        timer = self._connection.timer
        self._patience = self._limits.patience(self._patience, len(data), timer.elapsed)
        timer.stop()

    def _end_of_body(self) -> None:
        self._connection.timer.stop()
        if self.exchange is not None:
            self.exchange.end_of_body()
        else:
            self._next_request()

    def _refuse(self, refused: Refused, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Answer a client that broke the rules, and hear no more of it."""
        logger.info("refused with %d: %s", refused.status, refused.reason)
        if self.exchange is not None:
            self.exchange.lose()
            self.exchange = None
        self._end(refused.status, refused.reason, headers)

    def _end(self, status: int, reason: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Give a last answer and close; or break off the one that has begun."""
        if self.http.can_respond:
            more = [*headers, *self._connection.config.default_headers()]
            self.write(self.http.refuse(status, reason, more))
        elif not self.http.framed:
            self._connection.abort()  # a clean end would make it look complete
        self._connection.linger()

    def _count(self) -> None:
        waiting = len(self.exchange.waiting) if self.exchange is not None else 0
        pipelined = self.http.unread if self.http.request_complete else 0
        self._connection.inflow.holds(pipelined + waiting)

    def _next_request(self) -> None:
        self._take(self.http.next_request())
        if self.exchange is None and self._connection.session is self:
            first = self.http.idle
            what = "the next request" if first else "a request"
            seconds = self._limits.idle_seconds if first else self._limits.head_seconds
            self._connection.timer.start(what, seconds)

    # What the exchange asks for.

    @property
    def writable(self) -> Callable[[], Awaitable[None]]:
        """Wait until the client has taken enough of what was sent."""
        return self._connection.outflow.ready

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._connection.write(data)

    def body_wanted(self) -> None:
        """Ask for more of the body, and have patience for so long."""
        if self.http.request_complete:
            return
        if self.http.awaits_continue:
            self.write(self.http.continue_())
        if not self._connection.timer.running:
            self._connection.timer.start("the body", self._patience)

    def body_taken(self) -> None:
        """Note that the app has taken what there was of the body."""
        self._count()

    def start(self, message: Message) -> None:
        """Begin the response. Raises `InvalidMessage`."""
        # A body that is still held back may come or not: nothing can be read behind it.
        close = self._ending or self.http.awaits_continue
        self.http.start(*head_of(message), self._connection.config.default_headers(), close)

    def response_complete(self) -> None:
        """Go on to the next request, or close."""
        self.exchange = None
        timer = self._connection.timer
        timer.stop()
        if self._ending or not self.http.keeps_alive:
            self._connection.linger()
        elif self.http.request_complete:
            self._next_request()
        else:
            self._count()
            timer.start("the rest of the body", self._limits.linger_seconds)

    def app_failed(self, exchange: Exchange) -> None:
        """Say that the app has left its request unanswered, or break off what was begun."""
        if self.exchange is not exchange:
            return
        self.exchange = None
        exchange.lose()
        self._connection.timer.stop()
        self._end(500, "Internal Server Error")
