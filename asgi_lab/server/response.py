"""A response, whichever HTTP carries it: what an app may say, and what it has promised (RFC 9110).

Laws:
1. What may not be said raises `InvalidMessage`, and leaves all as it was.
2. A Content-Length is kept, to the byte (section 8.6).
3. Where there can be no body, none is sent, whatever the app sends (section 6.4.1).
"""

from typing import Any

from asgi_lab.server.failures import InvalidMessage
from asgi_lab.server.request import LENGTH, NAME, VALUE, Headers
from asgi_lab.types import Message


class Response:
    """One response, from its head to its end, to a request with this method."""

    def __init__(self, method: bytes) -> None:
        self.bodiless = False
        """Whether no body is sent: the status has none, or a HEAD was asked for."""
        self.length: int | None = None
        """Bytes that the body has: 0 for a status that has none, None if nobody knows yet."""
        self._method = method
        self._left = 0  # of that length

    def fields(
        self, status: int, headers: Any, defaults: Headers, ignored: frozenset[bytes]
    ) -> Headers:
        """Begin; return the fields to send, without the ignored ones. Raises `InvalidMessage`.

        `defaults` count where the app gives no such header.
        """
        if type(status) is bool or not isinstance(status, int) or not 200 <= status <= 999:
            raise InvalidMessage(f"expected a final status, 200 to 999, got {status!r}")
        fields, length = [], None
        for name, value in checked_headers(headers, defaults):
            if name == b"content-length":
                if not LENGTH.fullmatch(value) or length not in (None, value):
                    raise InvalidMessage(f"expected one Content-Length, got {length!r}, {value!r}")
                said, length = length is not None, value
                if said or status == 204:  # no need to say it again, or at all
                    continue
            if name not in ignored:
                fields.append((name, value))
        without = status in (204, 304)
        self.bodiless = without or self._method == b"HEAD"
        self.length = 0 if without else None if length is None else int(length)
        self._left = self.length or 0
        return fields

    def body(self, data: bytes, more: bool = False) -> bytes:
        """Return what of the next part is sent. Raises `InvalidMessage`."""
        if self.length is not None:
            left = self._left - len(data)
            if left < 0:
                raise InvalidMessage(f"the body is {-left} bytes longer than Content-Length says")
            if left and not more and not self.bodiless:
                raise InvalidMessage(f"the body is {left} bytes shorter than Content-Length says")
            self._left = left
        return b"" if self.bodiless else data


def head_of(message: Message) -> tuple[Any, Any]:
    """Return the status and the headers that an app begins with. Raises `InvalidMessage`."""
    if "status" not in message:
        raise InvalidMessage(f"expected a status in {message.get('type')}")
    return message["status"], message.get("headers") or ()


def checked_headers(headers: Any, defaults: Headers | None = None) -> Headers:
    """Return headers as they go on the wire, and the defaults that are not among them.

    Raises `InvalidMessage` for what is no header.
    """
    checked = []
    try:
        for name, value in headers:
            field = name.lower(), value.strip(b" \t")
            if not NAME.fullmatch(field[0]) or not VALUE.fullmatch(field[1]):
                break
            checked.append(field)
        else:
            names = {name for name, _ in checked}
            return [*checked, *(field for field in defaults or () if field[0] not in names)]
    except (AttributeError, TypeError, ValueError):
        raise InvalidMessage(f"expected headers as pairs of bytes, got {headers!r}") from None
    raise InvalidMessage(f"expected a header, got {name!r}: {value!r}")


def checked_body(message: Message) -> bytes:
    """Return the body of a message. Raises `InvalidMessage`."""
    body = message.get("body", b"")
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidMessage(f"expected a body of bytes, got {type(body).__name__}")
    return bytes(body)


def refusal(reason: str) -> tuple[Headers, bytes]:
    """Return headers and body of an answer of a few words."""
    text = reason.encode("utf-8", "replace") + b"\n"
    length = str(len(text)).encode()
    return [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length)], text
