"""One request among many on a connection: a stream of HTTP/2, with its app.

To the `Exchange`, which calls the app, this is what a whole connection is in HTTP/1: it starts the
response, takes the body, and says when there is more. It sends a frame at a time, and only when

    the client has room for it      the windows of stream and connection (RFC 9113, section 5.2)
    the socket has room for it      the connection's `Outflow`
    it is its turn                  one frame each, so that a long answer delays no short one
"""

import asyncio
from typing import TYPE_CHECKING, Any

from asgi_lab.server.exchange import Exchange
from asgi_lab.server.flow import ClientDisconnected, Timer
from asgi_lab.server.http2_frames import Code
from asgi_lab.server.http2_response import StreamResponse
from asgi_lab.server.response import head_of
from asgi_lab.types import ASGIApp, Message, Scope

if TYPE_CHECKING:
    from asgi_lab.server.http2_session import Http2Session


class Stream:
    """A stream, from the request's head to the end of both sides."""

    def __init__(self, session: "Http2Session", number: int, method: bytes, scope: Scope) -> None:
        self.number = number
        self.http = StreamResponse(method)
        self.over = False
        """Whether nothing more is sent: all has been said, or the stream has been reset."""
        self.running = True
        """Whether the app has not returned."""
        self.served = 0
        """Which turn was its last: it may be long ago."""
        self._session = session
        self._limits = session.connection.config.limits
        self._unsent = bytearray()
        self._ended = False  # no more will be added to what is unsent
        self._room = asyncio.Event()
        self._patience = self._limits.body_seconds
        self.timer = Timer(asyncio.get_running_loop(), self._expired)
        session_for_exchange: Any = self  # it has all that an exchange asks of a session
        self.exchange = Exchange(session_for_exchange, scope)

    async def run(self, app: ASGIApp) -> None:
        """Call the app."""
        try:
            await self.exchange.run(app)
        finally:
            self.running = False
            self._session.returned(self)

    # What the session tells.

    def body(self, data: bytes) -> None:
        """Take a part of the request's body, and wait the longer for the next."""
        self._patience = self._limits.patience(self._patience, len(data), self.timer.elapsed)
        self.timer.stop()
        self.exchange.body(data)

    def end_of_body(self) -> None:
        """Take its end."""
        self.timer.stop()
        self.exchange.end_of_body()

    def room(self) -> None:
        """Look again whether the client has room."""
        self._room.set()

    def lose(self) -> None:
        """Note that the stream has been reset, or that the connection is gone."""
        self.over = True
        self.timer.stop()
        self._room.set()
        self.exchange.lose()

    def _expired(self, what: str) -> None:
        self._session.connection.tell("time out", what, self.number)
        self._session.refuse(self, 408, f"waited too long for {what}")

    # What the exchange asks for.

    def body_wanted(self) -> None:
        """Have patience for the next part of the body."""
        if not self._session.http.request_complete(self.number) and not self.timer.running:
            self.timer.start("the body", self._patience)

    def body_taken(self) -> None:
        """Let the client send more of the body."""
        self._session.http.taken(self.number)
        self._session.flush(self.number)

    def start(self, message: Message) -> None:
        """Begin the response. Raises `InvalidMessage`."""
        self.http.start(*head_of(message), self._session.connection.config.default_headers())

    def write(self, data: bytes) -> None:
        """Take a part of the response's body; `writable` sends it."""
        self._unsent += data

    def response_complete(self) -> None:
        """Note that this was all."""
        self._ended = True

    async def writable(self) -> None:
        """Send what there is, and wait while that is not possible. Raises `ClientDisconnected`."""
        head_waits = self.exchange.state == "started"  # for the first part of the body
        try:
            while not head_waits and self._owes:
                await self._wait_for_room()
                async with self._session.turn:
                    await self._session.connection.outflow.ready()
                    self._send_frame()
        except asyncio.CancelledError:
            if self._ended and not self.over:  # nobody will come back to send the rest
                self._session.reset(self, Code.INTERNAL_ERROR)
            raise
        if self.over and not self._ended:
            raise ClientDisconnected

    def app_failed(self, exchange: Exchange) -> None:
        """Say that the app has left its request unanswered, or break off what was begun."""
        if not self.over:
            self._session.refuse(self, 500, "Internal Server Error")

    @property
    def can_respond(self) -> bool:
        """Whether no part of a response has been sent."""
        return not self.over and (self.http.head is not None or self.exchange.state == "idle")

    @property
    def _owes(self) -> bool:
        return not self.over and bool(self._unsent or self._ended or self.http.head)

    async def _wait_for_room(self) -> None:
        """Wait for the client, but not for ever."""
        if self.http.head is not None or not self._unsent:
            return  # neither headers nor an end need room
        while not self.over and not self._session.http.room(self.number):
            self._room.clear()
            try:
                async with asyncio.timeout(self._limits.send_seconds):
                    await self._room.wait()
            except TimeoutError:
                self._session.connection.tell("time out", "the client to make room", self.number)
                self._session.reset(self, Code.CANCEL)

    def _send_frame(self) -> None:
        """Send the head with what fits into a frame; or a frame of the body; or the end."""
        if not self._owes:
            return  # it was reset, or sent by another task of the app
        http, head = self._session.http, self.http.head
        self.served = next(self._session.turns)
        if head is not None:
            self.http.head = None
            http.respond(self.number, head, end=self._ended and not self._unsent)
        data = bytes(self._unsent[: http.room(self.number)]) if self._unsent else b""
        del self._unsent[: len(data)]
        last = self._ended and not self._unsent
        if data or (last and head is None):
            http.send(self.number, data, end=last)
        self._session.flush(self.number)
        if last:
            self.over = True
            self._session.done(self)
