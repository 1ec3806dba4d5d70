"""A response of HTTP/2: what an app may say, and what of it goes to the client (RFC 9113, 8.3.2).

There is no chunked coding: a body ends where its stream does. So a body of unknown length is as
good as any other, and there is nothing to close afterwards.
"""

import re
from collections.abc import Iterable

from asgi_lab.server.failures import InvalidMessage
from asgi_lab.server.http2_request import LENGTH, NAME, OF_CONNECTION, VALUE
from asgi_lab.server.request import Headers

TRIMMED = re.compile(rb"^[ \t]+|[ \t]+$")


class Response:
    """One response, from its head to its end. Knows the lengths; the stream sends the bytes."""

    def __init__(self, method: bytes) -> None:
        self.head: Headers | None = None
        """What is still to be sent before the body."""
        self.bodiless = False
        self._method = method
        self._left: int | None = None  # bytes that our Content-Length still promises

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin; what HTTP/1 says of its connection is left out. Raises `InvalidMessage`."""
        if type(status) is bool or not isinstance(status, int) or not 200 <= status <= 999:
            raise InvalidMessage(f"expected a final status, 200 to 999, got {status!r}")
        without = status in (204, 304)
        ignored = OF_CONNECTION | ({b"content-length"} if status == 204 else set())
        fields = [_field(name, value) for name, value in headers]
        fields = [field for field in fields if field[0] not in ignored]
        lengths = {value for name, value in fields if name == b"content-length"}
        if len(lengths) > 1 or not all(LENGTH.fullmatch(value) for value in lengths):
            raise InvalidMessage(f"expected one Content-Length, got {sorted(lengths)!r}")
        self._left = 0 if without else int(lengths.pop()) if lengths else None
        self.bodiless = without or self._method == b"HEAD"
        self.head = [(b":status", str(status).encode()), *fields]

    def body(self, data: bytes, more: bool = False) -> bytes:
        """Return what of the next part is sent. Raises `InvalidMessage` before it changes."""
        if self._left is not None:
            left = self._left - len(data)
            if left < 0:
                raise InvalidMessage(f"the body is {-left} bytes longer than Content-Length says")
            if left and not more and not self.bodiless:
                raise InvalidMessage(f"the body is {left} bytes shorter than Content-Length says")
            self._left = left
        return b"" if self.bodiless else data


def _field(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return a header as HTTP/2 says it: names are lowercase (section 8.2)."""
    name, value = name.lower(), TRIMMED.sub(b"", value)
    if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
        raise InvalidMessage(f"expected a header, got {name!r}: {value!r}")
    return name, value


def refusal(status: int, reason: str, headers: Headers) -> tuple[Headers, bytes]:
    """Return the head and the body of a response of a few words."""
    text = reason.encode("utf-8", "replace") + b"\n"
    length = str(len(text)).encode()
    own = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length)]
    return [(b":status", str(status).encode()), *own, *headers], text
