"""The head of an HTTP answer: what h11 would let through, and how it would frame the body."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import h11

from asgi_lab.client.request import Headers

Fields = tuple[tuple[bytes, bytes], ...]


class Head(NamedTuple):
    """What the client is told, how many bytes of body must follow (None: any), and if it closes."""

    headers: Headers
    length: int | None
    closes: bool


def answer_head(method: str, asked_to_close: bool, status: Any, headers: Iterable[Any]) -> Head:
    """Return the head of an answer as it would be on the wire.

    Raises h11.LocalProtocolError for what cannot be on the wire, and TypeError or ValueError for
    what is not even a status and pairs of bytes.
    """
    fields = tuple((name, value) for name, value in headers)
    try:
        return _head(method, asked_to_close, status, fields)
    except TypeError:  # not hashable, so not remembered; or wrong, and then again
        return _head.__wrapped__(method, asked_to_close, status, fields)


@lru_cache(1024, typed=True)
def _head(method: str, asked_to_close: bool, status: Any, fields: Fields) -> Head:
    # Most answers of an app have one of a few heads, and checking one takes as long as all the rest
    # of an exchange.
    trimmed = [(n, v.strip(b" \t") if isinstance(v, bytes) else v) for n, v in fields]
    checked = h11.Response(status_code=status, headers=trimmed).headers
    found = [(bytes(name), bytes(value)) for name, value in checked]
    names = {name for name, _ in found}
    empty = status in (204, 304)
    length = 0 if empty or method == "HEAD" else None
    if b"transfer-encoding" in names or (not empty and b"content-length" not in names):
        # The body's length is not known: RFC 9112, section 6.1. An answer to HEAD says the same.
        found = [f for f in found if f[0] not in (b"content-length", b"transfer-encoding")]
        found.append((b"transfer-encoding", b"chunked"))
    elif length is None:
        length = next(int(value) for name, value in found if name == b"content-length")
    if asked_to_close:
        found = [f for f in found if f[0] != b"connection"] + [(b"connection", b"close")]
    closes = any(name == b"connection" and b"close" in value.lower() for name, value in found)
    return Head(
        tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in found),
        length,
        closes,
    )
