r"""HTTP/1.1, bytes in and events out: no socket, no loop, no clock (RFC 9112).

    http = Http11()
    http.receive(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")      # [Request(...), EndOfBody()]
    http.start(http.response(200, [(b"content-length", b"2")])) + http.body(b"hi") + http.end()
    http.next_request()                                     # the same connection, once more

h11 knows the grammar and which message may follow which. This module adds what a server owes beside
it: limits, and refusing whatever two programs could read differently, because that is how one
request is smuggled inside another (RFC 9112, section 11.2).

Laws:
1. The same bytes give the same events however they are cut, but for where a body is cut.
2. One request at a time: what has come behind it waits, unread, for `next_request`.
3. After `Refused` nothing is read any more.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

import h11

Headers = list[tuple[bytes, bytes]]

REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP/(\d)\.\d\r\n")
BLANK_LINE = re.compile(rb"\n\r?\n")
HOST = re.compile(rb"([\w.!$&'()*+,;=~%-]*|\[[0-9A-Fa-f:.]+\])(:\d*)?", re.ASCII)
"""RFC 3986, section 3.2.2; an empty one is allowed: RFC 9112, section 3.2."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request's first line and headers; names are lowercase."""

    method: bytes
    target: bytes
    headers: Headers
    http_version: bytes

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header whose value is a list, lowercase, in order."""
        lines = b",".join(value for key, value in self.headers if key == name)
        return [word for part in lines.split(b",") if (word := part.strip(b" \t").lower())]

    @property
    def upgrades(self) -> bool:
        """Whether it asks for a WebSocket: RFC 6455, section 4.1."""
        asked = b"websocket" in self.values(b"upgrade") and b"upgrade" in self.values(b"connection")
        return asked and self.method == b"GET"


@dataclass(frozen=True, slots=True)
class Body:
    """The next bytes of the request's body, without their chunks' frames."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EndOfBody:
    """The request is complete."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The client sent what must not be served: answer with this status, and close."""

    status: int
    reason: str


Event = Request | Body | EndOfBody | Refused


class InvalidResponse(ValueError):
    """The app's response cannot be said in HTTP; the message is for its author."""


class _Refusal(Exception):
    def __init__(self, status: int, reason: str) -> None:
        self.event = Refused(status, reason)


class Http11:
    """A server's side of one connection: requests come out, responses go in.

    `max_head` limits request line and headers together, `max_body` each request's body, in bytes.
    """

    def __init__(self, max_head: int = 65_536, max_body: int | None = None) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._unread = bytearray()
        self._read_next = self._read_head
        self._begin()

    def _begin(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, self._max_head)
        self._read_next = self._read_head
        self._searched = 0  # bytes of a head known to hold no blank line
        self._received = 0  # bytes of body
        self._left: int | None = None  # bytes that our Content-Length still promises
        self._method = b""
        self._bodiless = False
        self._framed = True

    # What the client sends.

    def receive(self, data: bytes) -> list[Event]:
        """Take the next bytes; return what they complete."""
        self._unread += data
        events: list[Event] = []
        try:
            self._read_next(events)
        except _Refusal as refusal:
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
        self._h11.receive_data(head)
        parsed = self._h11.next_event()
        assert isinstance(parsed, h11.Request)
        request = Request(parsed.method, parsed.target, list(parsed.headers), parsed.http_version)
        self._method = request.method
        check_request(request, self._max_body)
        events.append(request)
        self._read_next = self._read_body
        self._read_body(events)

    def _take_head(self) -> bytes | None:
        """Cut the head off what is unread. Leading empty lines are skipped: RFC 9112, 2.2."""
        unread, limit = self._unread, self._max_head
        while unread.startswith(b"\r\n"):
            del unread[:2]
        if not unread or unread == b"\r":
            return None
        if unread[0] <= 0x20:
            raise _Refusal(400, "no HTTP: a request begins with a letter")
        line = unread.find(b"\n", 0, limit) + 1
        if line:
            check_request_line(bytes(unread[:line]))
        elif len(unread) > limit:
            raise _Refusal(414, f"the request line is longer than {limit} bytes")
        blank = BLANK_LINE.search(unread, self._searched, limit) if line else None
        if blank is None:
            if len(unread) > limit:
                raise _Refusal(431, f"the headers are longer than {limit} bytes")
            self._searched = max(0, len(unread) - 2)
            return None
        head = bytes(unread[: blank.end()])
        del unread[: blank.end()]
        if head.count(b"\n") != head.count(b"\r\n"):
            raise _Refusal(400, "a line ends with LF alone")
        return head

    def _read_body(self, events: list[Event]) -> None:
        # Without a body h11 knows the end at once, and nothing that follows is handed to it.
        while (event := self._h11.next_event()) is not h11.NEED_DATA or self._unread:
            if event is h11.NEED_DATA:
                self._h11.receive_data(bytes(self._unread))
                self._unread.clear()
            elif isinstance(event, h11.Data):
                self._received += len(event.data)
                if self._max_body is not None and self._received > self._max_body:
                    raise _Refusal(413, f"the body is longer than {self._max_body} bytes")
                events.append(Body(bytes(event.data)))
            else:
                self._unread = bytearray(self._h11.trailing_data[0]) + self._unread
                self._read_next = self._read_nothing
                events.append(EndOfBody())
                return

    def _read_nothing(self, events: list[Event]) -> None: ...

    # What the server sends.

    def response(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> h11.Response:
        """Check a response's head. Raises `InvalidResponse`."""
        if type(status) is bool or not isinstance(status, int) or not 200 <= status <= 999:
            raise InvalidResponse(f"expected a final status, 200 to 999, got {status!r}")
        kept = [(name, value) for name, value in headers if name.lower() != b"transfer-encoding"]
        if status == 204:
            kept = [(name, value) for name, value in kept if name.lower() != b"content-length"]
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        try:
            return h11.Response(status_code=status, headers=kept, reason=phrase)
        except h11.LocalProtocolError as error:
            raise InvalidResponse(str(error)) from None

    def start(self, response: h11.Response) -> bytes:
        """Return the head of a response; without a Content-Length the body is chunked."""
        bodiless = response.status_code in (204, 304)
        self._bodiless = bodiless or self._method == b"HEAD"
        lengths = [int(value) for name, value in response.headers if name == b"content-length"]
        self._left = 0 if bodiless else lengths[0] if lengths else None
        self._framed = self._left is not None or self._h11.their_http_version == b"1.1"
        return self._h11.send(response)

    def body(self, data: bytes) -> bytes:
        """Frame the next bytes of the body. Raises `InvalidResponse` beyond Content-Length."""
        if self._left is not None:
            if len(data) > self._left:
                over = len(data) - self._left
                raise InvalidResponse(f"the body is {over} bytes longer than Content-Length says")
            self._left -= len(data)
        return b"" if self._bodiless or not data else self._h11.send(h11.Data(data=data))

    def end(self) -> bytes:
        """Frame the end of the body. Raises `InvalidResponse` if Content-Length promised more."""
        if self._left and not self._bodiless:
            raise InvalidResponse(f"the body is {self._left} bytes shorter than Content-Length")
        return self._h11.send(h11.EndOfMessage())

    def continue_(self) -> bytes:
        """Ask for a body that is held back: `100 Continue`."""
        return self._h11.send(h11.InformationalResponse(status_code=100, headers=[]))

    def switch(self, headers: Headers) -> tuple[bytes, bytes]:
        """Leave HTTP: return `101 Switching Protocols`, and the bytes that are not HTTP."""
        phrase = HTTPStatus.SWITCHING_PROTOCOLS.phrase
        switching = h11.InformationalResponse(status_code=101, headers=headers, reason=phrase)
        return self._h11.send(switching), bytes(self._unread)

    def refuse(self, status: int, reason: str, headers: Headers) -> bytes:
        """Return a whole response of a few words, the last one on this connection."""
        text = reason.encode("utf-8", "replace") + b"\n"
        length = str(len(text)).encode()
        more = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length)]
        head = self.response(status, [*more, (b"connection", b"close"), *headers])
        return self.start(head) + self.body(text) + self.end()

    @property
    def can_respond(self) -> bool:
        """Whether no response has begun."""
        return self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may carry another request, once this one has come."""
        return self._h11.our_state is h11.DONE

    @property
    def framed(self) -> bool:
        """Whether the client can tell an unfinished response from a complete one."""
        return self._framed


def check_request_line(line: bytes) -> None:
    """Raise if this is no request line of HTTP/1. Told at once: HTTP/0.9 has no blank line."""
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _Refusal(400, f"expected a request line such as GET / HTTP/1.1, got {line[:80]!r}")
    if match[1] != b"1":
        raise _Refusal(505, "HTTP/1.1 is spoken here")


def check_request(request: Request, max_body: int | None) -> None:
    """Raise for a request that h11 takes, and a server that is not alone must not."""
    names = {name for name, _ in request.headers}
    if b"transfer-encoding" in names:
        if b"content-length" in names:  # RFC 9112, section 6.1
            raise _Refusal(400, "Content-Length and Transfer-Encoding contradict each other")
        if request.http_version < b"1.1":
            raise _Refusal(400, "HTTP/1.0 knows no Transfer-Encoding")
    for name, value in request.headers:
        if name == b"host" and not HOST.fullmatch(value):
            raise _Refusal(400, f"the Host header is no host: {value[:80]!r}")
        if name == b"content-length" and max_body is not None and int(value) > max_body:
            raise _Refusal(413, f"the body is longer than {max_body} bytes")
    if set(request.values(b"expect")) - {b"100-continue"}:
        raise _Refusal(417, "the only expectation known is 100-continue")
    check_target(request)


def check_target(request: Request) -> None:
    """Raise if the target has none of the forms that suit the method: RFC 9112, section 3.2."""
    target = request.target
    if request.method == b"CONNECT":
        raise _Refusal(501, "this is no proxy")
    absolute = target.lower().startswith((b"http://", b"https://"))
    asterisk = target == b"*" and request.method == b"OPTIONS"
    if not (target.startswith(b"/") or absolute or asterisk) or b"#" in target:
        raise _Refusal(400, f"the target is no path: {target[:80]!r}")
