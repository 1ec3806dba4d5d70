"""HTTP/2 on one connection: many requests at once, each handed to the app.

A session joins what is pure (`http2`: bytes and events) with what waits: a `Stream` for each
request, and the connection's flow and timers. There is no Upgrade from HTTP/1 (RFC 9113, section
3.1 has removed it): a client begins with HTTP/2, or agrees on it in TLS.
"""

import asyncio
import logging
from itertools import count
from typing import TYPE_CHECKING

from asgi_lab.server.http2 import Http2
from asgi_lab.server.http2_events import Broken, Event, GoAway, Reset, Window
from asgi_lab.server.http2_frames import Code
from asgi_lab.server.http2_stream import Stream
from asgi_lab.server.request import Body, EndOfBody, Headers, Refused, Request
from asgi_lab.server.scope import http_scope
from asgi_lab.types import Scope

if TYPE_CHECKING:
    from asgi_lab.server.connection import Connection

logger = logging.getLogger("asgi_lab.server")


class Http2Session:
    """What a connection speaks after the preface of HTTP/2."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self._limits = limits = connection.config.limits
        self.http = Http2(
            max_head=limits.head,
            max_body=limits.body,
            window=limits.unread,
            max_streams=limits.streams,
            allowance=limits.idle_frames,
            clock=asyncio.get_running_loop().time,
        )
        self.turn = asyncio.Lock()
        """Whoever sends a frame has it meanwhile; it goes round in the order of asking."""
        self.turns = count(1)
        self._streams: dict[int, Stream] = {}
        self._abandoned: set[Stream] = set()  # reset, and the app is still at it
        self._ending = False
        self._went_away = False  # said that there will be no more streams
        self._left = False  # said all
        connection.timer.start("a request", limits.head_seconds)
        self.flush()

    # What the connection tells.

    def data(self, data: bytes) -> None:
        """Take bytes from the client."""
        was_in_block = self.http.frames.in_block
        for number, event in self.http.receive(data):
            if self._left:
                return
            self.connection.tell("event", event, number)
            self._take(number, event)
        self.flush()
        if self._left:
            return
        if self.http.broken:
            self._leave(Code.NO_ERROR)
        elif self.http.frames.in_block and not was_in_block:
            self.connection.timer.start("a request", self._limits.head_seconds)
        elif was_in_block and not self.http.frames.in_block:
            if self._streams:
                self.connection.timer.stop()
            self._rest()

    def eof(self) -> None:
        """Note that the client sends no more. It may still read: finish the answers to it."""
        self._ending = True
        for stream in list(self._streams.values()):
            stream.exchange.disconnect()
        self._rest()

    def closed(self) -> None:
        """Note that the connection is gone."""
        for stream in list(self._streams.values()):
            self._lose(stream)

    def expired(self, what: str) -> None:
        """Close: patience has run out."""
        if self._streams:
            self._leave(Code.ENHANCE_YOUR_CALM, f"waited too long for {what}")
            self.closed()
        else:
            self._go_away(Code.NO_ERROR)
            self.connection.close()

    def shutdown(self) -> None:
        """Finish what is going on, and begin nothing: the server wants to end."""
        self._ending = True
        self._go_away(Code.NO_ERROR)
        if not self._streams:
            self.connection.close()

    # What comes from the client.

    def _take(self, number: int, event: Event) -> None:
        if isinstance(event, Request):
            self._begin(number, event)
            return
        stream = self._streams.get(number)
        match event:
            case Body(data=data) if stream is not None:
                stream.body(data)
            case EndOfBody() if stream is not None:
                stream.end_of_body()
            case Refused(status=status, reason=reason):
                self._refuse(number, stream, status, reason)
            case Reset() if stream is not None:
                self._lose(stream)
                self._rest()
            case Window() if stream is not None:
                stream.room()
            case Window() if number == 0:
                # Who has waited longest comes first, or else it could wait for ever.
                for each in sorted(self._streams.values(), key=lambda each: each.served):
                    each.room()
            case GoAway():
                self._ending = True
                self._rest()
            case Broken(reason=reason):
                logger.info("the client broke the protocol: %s", reason)
                self.closed()

    def _begin(self, number: int, request: Request) -> None:
        if self._ending or len(self._streams) + len(self._abandoned) >= self._limits.streams:
            # Nothing has been done about it, so the client may ask again: section 8.7.
            self.http.reset(number, Code.REFUSED_STREAM)
            return
        self.connection.timer.stop()
        stream = Stream(self, number, request.method, self._scope(request))
        self._streams[number] = stream
        self.connection.call(stream.run, str(stream.exchange), number)

    def _scope(self, request: Request) -> Scope:
        facts = self.connection.facts(request)
        scope = http_scope(request, self.connection.config.root_path, **facts)
        scope["http_version"] = "2"
        return scope

    def _refuse(self, number: int, stream: Stream | None, status: int, reason: str) -> None:
        """Answer a request that does not reach the app, or not as a whole."""
        logger.info("refused with %d: %s", status, reason)
        if stream is None:
            self.http.refuse(number, status, reason, self._default_headers())
        else:
            self.refuse(stream, status, reason)

    def _default_headers(self) -> Headers:
        return self.connection.config.default_headers()

    # What a stream asks for.

    def flush(self, stream: int = 0) -> None:
        """Send what there is, mostly of this stream."""
        if not self._left:
            self.connection.write(self.http.to_send(), stream)

    def refuse(self, stream: Stream, status: int, reason: str) -> None:
        """Answer instead of the app; or break off what it has begun."""
        if stream.can_respond:
            self.http.refuse(stream.number, status, reason, self._default_headers())
            self.flush(stream.number)
            self._lose(stream)
            self._rest()
        else:
            self.reset(stream, Code.INTERNAL_ERROR if status == 500 else Code.CANCEL)

    def reset(self, stream: Stream, code: Code) -> None:
        """End a stream before its time."""
        self.http.reset(stream.number, code)
        self.flush(stream.number)
        self._lose(stream)
        self._rest()

    def done(self, stream: Stream) -> None:
        """Note that a response is complete."""
        stream.timer.stop()
        self._streams.pop(stream.number, None)
        self.http.finish(stream.number)
        self.flush(stream.number)
        self._rest()

    def returned(self, stream: Stream) -> None:
        """Note that the app has returned."""
        self._abandoned.discard(stream)

    def _lose(self, stream: Stream) -> None:
        if self._streams.pop(stream.number, None) is not None and stream.running:
            self._abandoned.add(stream)
        stream.lose()

    def _rest(self) -> None:
        """Wait for the next request, or close, if nothing is going on."""
        if self._streams or self._left or self.http.frames.in_block:
            return
        if self._ending:
            self._leave(Code.NO_ERROR)
        elif not self.http.broken:
            self.connection.timer.start("the next request", self._limits.idle_seconds)

    def _leave(self, code: Code, reason: str = "") -> None:
        """Say the last word, and hear the client out."""
        self._go_away(code, reason)
        self._left = True
        self.connection.linger()

    def _go_away(self, code: Code, reason: str = "") -> None:
        if not self._went_away and not self.http.broken:
            self._went_away = True
            self.http.go_away(code, reason)
        self.flush()
