r"""HTTP/1.1, bytes in and events out: no socket, no loop, no clock (RFC 9112).

    http = Http11()
    http.receive(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")      # [Request(...), EndOfBody()]
    http.start(200, [(b"content-length", b"2")])
    http.body(b"hi")                                        # the whole response, as bytes
    http.next_request()                                     # the same connection, once more

h11 knows the grammar of a request. This module adds what a server owes beside it: limits, and the
rules of `request`, which refuse what could be understood in two ways. The grammar of a response is
so small that it stands here: `response` knows what may be said, and this is how.

Laws:
1. The same bytes give the same events however they are cut, but for where a body is cut.
2. One request at a time: what has come behind it waits, unread, for `next_request`.
3. After `Refused` nothing is read any more.
"""

from http import HTTPStatus
from typing import Any

import h11

from asgi_lab.server.chunks import Chunks
from asgi_lab.server.request import (
    BLANK_LINE,
    Body,
    EndOfBody,
    Event,
    Headers,
    Refusal,
    Refused,
    Request,
    check_head,
    check_request,
    check_request_line,
    take_all,
    values,
)
from asgi_lab.server.response import Response, checked_headers, refusal

PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}

IGNORED = frozenset((b"transfer-encoding",))
"""What an app may not say, because we do: ASGI "Response Start"."""


class Http11:
    """A server's side of one connection: requests come out, responses go in.

    `max_head` limits request line and headers together, `max_body` each request's body, in bytes.
    """

    def __init__(self, max_head: int = 65_536, max_body: int | None = None) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._unread = bytearray()
        self._begin()

    def _begin(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, self._max_head)
        self._read_next = self._read_head
        self._searched = 0  # bytes of a head known to hold no blank line
        self._cut = take_all
        self._received = 0  # bytes of body
        self._response = Response(b"")
        self._old = False  # HTTP/1.0
        self._client_closes = self._closes = True  # after this response, as far as we know
        self._continued = False
        self._head = b""  # not sent yet
        self._chunked = False
        self.keeps_alive = False
        """Whether the connection may carry another request, once this one has come."""
        self.can_respond = True
        """Whether no part of a response has been sent."""
        self.framed = True
        """Whether the client can tell an unfinished response from a complete one."""

    # What the client sends.

    def receive(self, data: bytes) -> list[Event]:
        """Take the next bytes; return what they complete."""
        self._unread += data
        events: list[Event] = []
        try:
            self._read_next(events)
        except Refusal as refusal:
            events.append(refusal.event)
        except h11.RemoteProtocolError as error:
            events.append(Refused(error.error_status_hint, str(error)))
        if events and isinstance(events[-1], Refused):
            self._read_next = self._read_nothing
        return events

    def next_request(self) -> list[Event]:
        """Go on to the next request, once both sides of this one are complete."""
        self._begin()
        return self.receive(b"") if self._unread else []

    @property
    def unread(self) -> int:
        """How many bytes wait to be read."""
        return len(self._unread)

    @property
    def idle(self) -> bool:
        """Whether no request has begun."""
        return self._read_next == self._read_head and not self._unread

    @property
    def request_complete(self) -> bool:
        """Whether the whole body has come."""
        return self._read_next == self._read_nothing

    @property
    def awaits_continue(self) -> bool:
        """Whether the client holds its body back until it is asked for (RFC 9110, 10.1.1)."""
        asked = self._h11.they_are_waiting_for_100_continue and not self.request_complete
        return asked and not self._continued and self.can_respond

    def _read_head(self, events: list[Event]) -> None:
        head = self._take_head()
        if head is None:
            return
        check_head(head)
        self._h11.receive_data(head)
        parsed = self._h11.next_event()
        assert isinstance(parsed, h11.Request)
        headers = [(name.lower(), value) for name, value in parsed.headers.raw_items()]
        request = Request(parsed.method, parsed.target, headers, parsed.http_version)
        self._old = request.http_version < b"1.1"
        # Section 9.3: HTTP/1.1 goes on unless somebody says otherwise; 1.0 ends.
        self._client_closes = self._old or b"close" in request.values(b"connection")
        self._response = Response(request.method)
        check_request(request, self._max_body)
        events.append(request)
        names = {name for name, _ in headers}
        if b"transfer-encoding" in names:
            self._cut = Chunks(self._max_head).take
        elif b"content-length" not in names:  # there is none: section 6.3
            self._end_body(events)
            return
        self._read_next = self._read_body
        self._read_body(events)

    def _take_head(self) -> bytes | None:
        """Cut the head off what is unread. Leading empty lines are skipped: RFC 9112, 2.2."""
        unread, limit = self._unread, self._max_head
        while unread.startswith(b"\r\n"):
            del unread[:2]
        if not unread or unread == b"\r":
            return None
        begun = check_request_line(unread, limit)
        blank = BLANK_LINE.search(unread, self._searched, limit) if begun else None
        if blank is None:
            if len(unread) > limit:
                raise Refusal(431, f"the headers are longer than {limit} bytes")
            self._searched = max(0, len(unread) - 2)
            return None
        head = bytes(unread[: blank.end()])
        del unread[: blank.end()]
        return head

    def _read_body(self, events: list[Event]) -> None:
        while (event := self._next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Data):
                self._received += len(event.data)
                if self._max_body is not None and self._received > self._max_body:
                    raise Refusal(413, f"the body is longer than {self._max_body} bytes")
                events.append(Body(bytes(event.data)))
            else:
                self._unread = bytearray(self._h11.trailing_data[0]) + self._unread
                self._end_body(events)
                return

    def _end_body(self, events: list[Event]) -> None:
        self._read_next = self._read_nothing
        events.append(EndOfBody())

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            if not (piece := self._cut(self._unread)):
                break
            self._h11.receive_data(piece)
        return event

    def _read_nothing(self, events: list[Event]) -> None: ...

    # What the server sends.

    def start(
        self, status: int, headers: Any, defaults: Headers | None = None, close: bool = False
    ) -> None:
        """Begin a response; its head goes out with the first part of its body.

        `defaults` count where there are no such headers; `close` says that it is the last one.
        Raises `InvalidMessage`.
        """
        fields = self._response.fields(status, headers, defaults or [], IGNORED)
        # RFC 9112, section 6: of known length, or chunked, or to the end of the connection, which
        # is all that HTTP/1.0 knows.
        chunked = self._response.length is None and not self._old
        self.framed = chunked or self._response.length is not None
        if chunked:
            fields.append((b"transfer-encoding", b"chunked"))
        self._chunked = chunked and not self._response.bodiless
        ends = close or self._client_closes or not self.framed
        self._closes = ends or b"close" in values(fields, b"connection")
        if self._closes:  # section 9.6
            fields = [field for field in fields if field[0] != b"connection"]
            fields.append((b"connection", b"close"))
        self._head = head(status, fields)

    def body(self, data: bytes, more: bool = False) -> bytes:
        """Return the next bytes of the response. Raises `InvalidMessage` before it changes."""
        data = self._response.body(data, more)
        if self._chunked:  # section 7.1
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            data = data if more else data + b"0\r\n\r\n"
        begun, self._head = self._head, b""
        self.can_respond = False
        self.keeps_alive = not more and not self._closes
        return begun + data if begun else data

    def continue_(self) -> bytes:
        """Ask for a body that is held back: `100 Continue`."""
        self._continued = True
        return head(100, [])

    def switch(self, headers: Headers, defaults: Headers | None = None) -> tuple[bytes, bytes]:
        """Leave HTTP: return `101 Switching Protocols`, and the bytes that are not HTTP.

        Raises `InvalidMessage`.
        """
        fields = checked_headers(headers, defaults or [])
        self.can_respond = False
        return head(101, fields), bytes(self._unread)

    def refuse(self, status: int, reason: str, headers: Headers) -> bytes:
        """Return a whole response of a few words, the last one on this connection."""
        own, text = refusal(reason)
        self.start(status, [*own, *headers], close=True)
        return self.body(text)


def head(status: int, fields: Headers) -> bytes:
    """Return a status line and fields: RFC 9112, sections 4 and 5. The phrase is optional."""
    lines = [b"HTTP/1.1 %d %b" % (status, PHRASES.get(status, b""))]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"
