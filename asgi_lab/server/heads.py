"""The head of a response, from what the app says of it (ASGI "Response Start")."""

from typing import Any

from asgi_lab.server.failures import InvalidMessage
from asgi_lab.server.http11 import Http11
from asgi_lab.server.request import Headers
from asgi_lab.types import Message


def start_response(http: Http11, message: Message, defaults: Headers, close: bool) -> None:
    """Begin a response; `defaults` count where the app gives no such header.

    Raises `InvalidMessage`.
    """
    if "status" not in message:
        raise InvalidMessage(f"expected a status in {message.get('type')}")
    headers = with_defaults(checked_headers(message), defaults)
    if close:
        headers.append((b"connection", b"close"))
    http.start(message["status"], headers)


def with_defaults(headers: Headers, defaults: Headers) -> Headers:
    """Add the default headers that are not there."""
    names = {name.lower() for name, _ in headers}
    return headers + [pair for pair in defaults if pair[0] not in names]


def checked_headers(message: Message) -> Headers:
    """Return the headers of a message as pairs of bytes. Raises `InvalidMessage`."""
    headers: Any = message.get("headers") or ()
    try:
        pairs = [(name, value) for name, value in headers]
    except (TypeError, ValueError):
        raise InvalidMessage(f"expected headers as pairs of bytes, got {headers!r}") from None
    for name, value in pairs:
        if not (isinstance(name, bytes) and isinstance(value, bytes)):
            raise InvalidMessage(f"expected a header of bytes, got {name!r}: {value!r}")
    return pairs


def checked_body(message: Message) -> bytes:
    """Return the body of a message. Raises `InvalidMessage`."""
    body = message.get("body", b"")
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidMessage(f"expected a body of bytes, got {type(body).__name__}")
    return bytes(body)
