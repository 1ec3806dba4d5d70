"""What a table says of a request: how it went, how long it took, what went in and out."""

from asgi_lab.connection import Connection
from asgi_lab.plain import clean, duration, size


def status(connection: Connection) -> str:
    """Return how it went, in at most seven characters: `200`, `500 !`, `raised`."""
    code = "" if connection.status is None else str(connection.status)
    if connection.type == "lifespan":
        ok = connection.outcome == "returned" and not connection.error
        return connection.outcome and ("ok" if ok else "failed")
    if connection.outcome == "raised":
        return f"{code} !" if code else "raised"
    if connection.outcome == "cancelled":
        return f"{code} cut" if code else "cut"
    if connection.code is not None and connection.type == "websocket":
        return f"{code if connection.status == 403 else connection.code}"
    return code if code or connection.ended is None else "none"


def total(connection: Connection, now: int) -> str:
    """Return how long it took, or how long it has been in flight: `12.3 ms…`."""
    if connection.total is not None:
        return duration(connection.total)
    minutes, min_, _ = duration(max(now - connection.started, 0)).partition(" min")
    return f"{minutes}{min_}…"


def first(connection: Connection) -> str:
    """Return how long it took until the first byte of a body."""
    at = connection.first_byte
    return "" if at is None else duration(at - connection.started)


def received(connection: Connection) -> str:
    """Return how many bytes the client sent."""
    return size(connection.bytes_in) if connection.bytes_in else ""


def sent(connection: Connection) -> str:
    """Return how many bytes the app sent."""
    return size(connection.bytes_out) if connection.bytes_out else ""


def method(connection: Connection) -> str:
    """Return the method, or the type of what has none."""
    if connection.type == "lifespan":
        return ""
    return clean(connection.method or connection.type or "?")


def path(connection: Connection) -> str:
    """Return the path with its query, clean."""
    return clean(connection.path) if connection.type != "lifespan" else "(lifespan)"


def name(connection: Connection) -> str:
    """Return method and path: `GET /slow?x=1`, `(lifespan)`."""
    return f"{method(connection)} {path(connection)}".strip()
