"""A request, and which requests a server must not serve (RFC 9112, sections 2 to 7).

h11 knows the grammar. These are the rules beside it: what two programs in a row could understand
differently is refused, because that is how one request is smuggled inside another (section 11.2).
"""

import re
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]

NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
VALUE = re.compile(rb"([\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
LENGTH = re.compile(rb"[0-9]{1,20}")
"""A field's lowercase name, a value without the space around it, that of Content-Length: RFC 9110,
sections 5.1, 5.5 and 8.6."""

BLANK_LINE = re.compile(rb"\n\r?\n")
GOOD_LINES = re.compile(rb"(?:(?![ \t])[\t\x20-\x7e\x80-\xff]++\r\n)*+(?:\r\n)?+")
BAD_LINES = re.compile(rb"(?m)(?P<folded>^[ \t])|\r(?!\n)|(?<!\r)\n|[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
CODINGS = re.compile(rb"(?im)^transfer-encoding:(.*)")

REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP/(\d)\.\d\r\n")
HOST = re.compile(rb"([\w.!$&'()*+,;=~%-]+|\[[0-9A-Fa-f:.]+\])(:\d*)?", re.ASCII)
"""RFC 3986, section 3.2.2; not empty, for `http` needs a host, and none is configured that could
stand in for it: RFC 9110, section 4.2.1, and RFC 9112, section 3.3."""

ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(.*)")
"""A target with its own host, as a proxy is asked: RFC 9112, section 3.2.2."""


def values(headers: Headers, name: bytes) -> list[bytes]:
    """Return the values of a header whose value is a list, lowercase: RFC 9110, section 5.6.1."""
    lines = [value for key, value in headers if key == name]
    parts = b",".join(lines).split(b",") if lines else []
    return [word for part in parts if (word := part.strip(b" \t").lower())]


@dataclass(frozen=True, slots=True)
class Request:
    """A request's first line and headers; names are lowercase."""

    method: bytes
    target: bytes
    headers: Headers
    http_version: bytes

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header whose value is a list, lowercase, in order."""
        return values(self.headers, name)

    @property
    def upgrades(self) -> bool:
        """Whether it asks for a WebSocket: RFC 6455, section 4.1; RFC 9110, section 7.8."""
        asked = b"websocket" in self.values(b"upgrade") and b"upgrade" in self.values(b"connection")
        return asked and self.method == b"GET" and self.http_version >= b"1.1"


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


class Refusal(Exception):
    """Raised instead of serving a request; `event` says what to answer."""

    def __init__(self, status: int, reason: str) -> None:
        self.event = Refused(status, reason)


def check_request_line(unread: bytearray, limit: int) -> bool:
    """Raise if no request line of HTTP/1 begins here. Returns whether the whole line is there.

    Told at once, not at the end of the head: HTTP/0.9 has no blank line.
    """
    if unread[0] <= 0x20:
        raise Refusal(400, "no HTTP: a request begins with a letter")
    end = unread.find(b"\n", 0, limit) + 1
    match = REQUEST_LINE.fullmatch(unread, 0, end)
    if end and match is None:
        line = bytes(unread[: min(end, 80)])
        raise Refusal(400, f"expected a request line such as GET / HTTP/1.1, got {line!r}")
    if match and match[1] != b"1":
        raise Refusal(505, "HTTP/1.1 is spoken here")
    if not end and len(unread) > limit:
        # Without a space, so long a word need not be a method at all. (RFC 9112, section 3, would
        # rather see 501 for one; most proxies and servers answer 400, or close.)
        status = 414 if b" " in unread[:limit] else 400
        raise Refusal(status, f"the request line is longer than {limit} bytes")
    return end > 0


def check_head(head: bytes) -> None:
    """Raise for lines that a server must not read, before they are read."""
    check_lines(head)
    check_codings(head)


def check_lines(lines: bytes) -> None:
    """Raise if one is folded, does not end with CR LF, or has a control character.

    Spaces could replace a fold (RFC 9112, section 5.2), and in safe places a control character may
    stay (RFC 9110, section 5.5); but what the app makes of either, no server knows.
    """
    if GOOD_LINES.fullmatch(lines):
        return
    bad = BAD_LINES.search(lines)
    if bad and bad["folded"]:
        raise Refusal(400, "a header goes on in the next line")
    if bad:
        raise Refusal(400, f"{bad[0]!r} is no text, and lines end with CR LF")


def check_codings(head: bytes) -> None:
    """Raise if the body has another transfer coding than `chunked`, once.

    If `chunked` is not the last one nobody knows where the body ends: that is 400, and only an
    unknown coding under it is 501 (RFC 9112, sections 6.1 and 6.3).
    """
    lines = CODINGS.findall(head)
    if not lines:
        return
    codings = [coding.strip().lower() for coding in b",".join(lines).split(b",")]
    # An empty one means nothing (RFC 9110, section 5.6.1), but not everybody overlooks it.
    if codings[-1] != b"chunked" or codings.count(b"chunked") > 1 or b"" in codings:
        raise Refusal(400, f"expected Transfer-Encoding: chunked, got {b', '.join(codings)!r}")
    if len(codings) > 1:
        raise Refusal(501, "the only transfer coding known is chunked")


def check_request(request: Request, max_body: int | None) -> None:
    """Raise for a request that h11 takes, and a server that is not alone must not."""
    names = {name for name, _ in request.headers}
    if b"transfer-encoding" in names:
        if b"content-length" in names:  # RFC 9112, section 6.1
            raise Refusal(400, "Content-Length and Transfer-Encoding contradict each other")
        if request.http_version < b"1.1":
            raise Refusal(400, "HTTP/1.0 knows no Transfer-Encoding")
    for name, value in request.headers:
        if name == b"host" and not HOST.fullmatch(value):
            raise Refusal(400, f"the Host header is no host: {value[:80]!r}")
        if name == b"content-length" and max_body is not None and int(value) > max_body:
            raise Refusal(413, f"the body is longer than {max_body} bytes")
    if set(request.values(b"expect")) - {b"100-continue"}:
        raise Refusal(417, "the only expectation known is 100-continue")
    check_target(request)


def check_target(request: Request) -> None:
    """Raise if the target has none of the forms that suit the method: RFC 9112, section 3.2."""
    target = request.target
    if request.method == b"CONNECT":
        raise Refusal(501, "this is no proxy")
    if target.startswith(b"/") and b"#" not in target:
        return
    absolute = ABSOLUTE.fullmatch(target)
    right_host = absolute is not None and absolute[1] and HOST.fullmatch(absolute[1])
    asterisk = target == b"*" and request.method == b"OPTIONS"
    if not (right_host or asterisk) or b"#" in target:
        raise Refusal(400, f"the target is no path: {target[:80]!r}")


def take_all(unread: bytearray) -> bytes:
    """Cut off everything: what h11 may read of a body of known length."""
    piece = bytes(unread)
    unread.clear()
    return piece
