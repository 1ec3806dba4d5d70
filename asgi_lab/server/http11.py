r"""HTTP/1.1, bytes in and events out: no socket, no loop, no clock (RFC 9112).

    http = Http11()
    http.receive(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")      # [Request(...), EndOfBody()]
    http.start(200, [(b"content-length", b"2")])
    http.body(b"hi")                                        # the whole response, as bytes
    http.next_request()                                     # the same connection, once more

h11 knows the grammar, and which message may follow which. This module adds what a server owes
beside it: limits, and the rules of `request`, which refuse what could be understood in two ways.

Laws:
1. The same bytes give the same events however they are cut, but for where a body is cut.
2. One request at a time: what has come behind it waits, unread, for `next_request`.
3. After `Refused` nothing is read any more.
"""

from collections.abc import Iterable
from http import HTTPStatus

import h11

from asgi_lab.server.failures import InvalidMessage
from asgi_lab.server.request import (
    BLANK_LINE,
    Body,
    Chunks,
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
)


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
        self._left: int | None = None  # bytes that our Content-Length still promises
        self._method = b""
        self._head: h11.Response | None = None  # not sent yet
        self._bodiless = False
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
        return self.receive(b"")

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
        return self._h11.they_are_waiting_for_100_continue

    def _read_head(self, events: list[Event]) -> None:
        head = self._take_head()
        if head is None:
            return
        check_head(head)
        self._h11.receive_data(head)
        parsed = self._h11.next_event()
        assert isinstance(parsed, h11.Request)
        request = Request(parsed.method, parsed.target, list(parsed.headers), parsed.http_version)
        self._method = request.method
        check_request(request, self._max_body)
        events.append(request)
        if request.values(b"transfer-encoding"):
            self._cut = Chunks(self._max_head).take
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
                self._read_next = self._read_nothing
                events.append(EndOfBody())
                return

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        # Without a body h11 knows the end at once, and nothing that follows is handed to it.
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            if not (piece := self._cut(self._unread)):
                break
            self._h11.receive_data(piece)
        return event

    def _read_nothing(self, events: list[Event]) -> None: ...

    # What the server sends.

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin a response; its head goes out with the first part of its body.

        Without a Content-Length the body is chunked, and the app's Transfer-Encoding is ignored
        (ASGI "Response Start"). Raises `InvalidMessage`.
        """
        if type(status) is bool or not isinstance(status, int) or not 200 <= status <= 999:
            raise InvalidMessage(f"expected a final status, 200 to 999, got {status!r}")
        ignored = {b"transfer-encoding", b"content-length" if status == 204 else b""}
        kept = [(name, value) for name, value in headers if name.lower() not in ignored]
        try:
            head = h11.Response(status_code=status, headers=kept, reason=_phrase(status))
        except h11.LocalProtocolError as error:
            raise InvalidMessage(str(error)) from None
        without = status in (204, 304)
        lengths = [int(value) for name, value in head.headers if name == b"content-length"]
        self._left = 0 if without else lengths[0] if lengths else None
        self._bodiless = without or self._method == b"HEAD"
        self.framed = bool(lengths) or without or self._h11.their_http_version == b"1.1"
        self._head = head

    def body(self, data: bytes, more: bool = False) -> bytes:
        """Return the next bytes of the response. Raises `InvalidMessage` before it changes."""
        self._check_length(len(data), more)
        sent = []
        if self._head is not None:
            sent.append(self._h11.send(self._head))
            self._head = None
        if data and not self._bodiless:
            sent.append(self._h11.send(h11.Data(data=data)))
        if not more:
            sent.append(self._h11.send(h11.EndOfMessage()))
        return b"".join(sent)

    def _check_length(self, size: int, more: bool) -> None:
        if self._left is None:
            return
        left = self._left - size
        if left < 0:
            raise InvalidMessage(f"the body is {-left} bytes longer than Content-Length says")
        if left and not more and not self._bodiless:
            raise InvalidMessage(f"the body is {left} bytes shorter than Content-Length says")
        self._left = left

    def continue_(self) -> bytes:
        """Ask for a body that is held back: `100 Continue`."""
        response = h11.InformationalResponse(status_code=100, headers=[], reason=_phrase(100))
        return self._h11.send(response)

    def switch(self, headers: Headers) -> tuple[bytes, bytes]:
        """Leave HTTP: return `101 Switching Protocols`, and the bytes that are not HTTP.

        Raises `InvalidMessage`.
        """
        try:
            head = h11.InformationalResponse(status_code=101, headers=headers, reason=_phrase(101))
        except h11.LocalProtocolError as error:
            raise InvalidMessage(str(error)) from None
        return self._h11.send(head), bytes(self._unread)

    def refuse(self, status: int, reason: str, headers: Headers) -> bytes:
        """Return a whole response of a few words, the last one on this connection."""
        text = reason.encode("utf-8", "replace") + b"\n"
        length = str(len(text)).encode()
        more = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length)]
        self.start(status, [*more, (b"connection", b"close"), *headers])
        return self.body(text)

    @property
    def can_respond(self) -> bool:
        """Whether no part of a response has been sent."""
        return self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may carry another request, once this one has come."""
        return self._h11.our_state is h11.DONE


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""  # optional: RFC 9112, section 4
