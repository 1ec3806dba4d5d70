"""A request, and which requests a server must not serve (RFC 9112, sections 3 and 6).

h11 knows the grammar. These are the rules beside it: what two programs in a row could understand
differently is refused, because that is how one request is smuggled inside another (section 11.2).
"""

import re
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]

REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP/(\d)\.\d\r\n")
HOST = re.compile(rb"([\w.!$&'()*+,;=~%-]*|\[[0-9A-Fa-f:.]+\])(:\d*)?", re.ASCII)
"""RFC 3986, section 3.2.2; an empty one is allowed: RFC 9112, section 3.2."""

ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(.*)")
"""A target with its own host, as a proxy is asked: RFC 9112, section 3.2.2."""


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


class Refusal(Exception):
    """Raised instead of serving a request; `event` says what to answer."""

    def __init__(self, status: int, reason: str) -> None:
        self.event = Refused(status, reason)


def check_request_line(line: bytes) -> None:
    """Raise if this is no request line of HTTP/1. Told at once: HTTP/0.9 has no blank line."""
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Refusal(400, f"expected a request line such as GET / HTTP/1.1, got {line[:80]!r}")
    if match[1] != b"1":
        raise Refusal(505, "HTTP/1.1 is spoken here")


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
    absolute = ABSOLUTE.fullmatch(target)
    right_host = absolute is not None and absolute[1] and HOST.fullmatch(absolute[1])
    asterisk = target == b"*" and request.method == b"OPTIONS"
    if not (target.startswith(b"/") or right_host or asterisk) or b"#" in target:
        raise Refusal(400, f"the target is no path: {target[:80]!r}")
