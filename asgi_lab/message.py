"""What the data of an event says, in words and in numbers. None of it is trusted to be well formed.

A body that is not text is named by its size.
"""

from typing import Any

from asgi_lab.events import Data
from asgi_lab.plain import clean, count, shorten, size

PREVIEW = 40
"""Characters shown of a body, or of any one value."""


def number(value: object) -> int:
    """Return a count or duration of untrusted data as a number; 0 if it is none."""
    return value if type(value) is int else 0


def payload_size(data: Data) -> int:
    """Return how many bytes (characters, of a WebSocket text) a message carries."""
    length = data.get("length")
    if type(length) is int:
        return length
    body = data.get("body") or data.get("bytes") or data.get("text")
    if type(body) is not str:
        return 0
    return len(body) if body.isascii() else len(raw(body))


def raw(body: str) -> bytes:
    """Return the bytes that a body stands for (see `asgi_lab.events`), or a text's as UTF-8."""
    return body.encode("utf-8", "surrogateescape" if _is_bytes(body) else "surrogatepass")


def payload(data: Data) -> str | None:
    """Return what a message carries: its text in quotes, or `<31 bytes>`; None if nothing."""
    for name in ("text", "body", "bytes"):
        body = data.get(name)
        if not isinstance(body, str):
            continue
        length = data.get("length")
        known = len(raw(body))
        total = length if isinstance(length, int) else known
        if not total:
            return "(empty)"
        if _is_binary(body):
            return f"<{count(total, 'byte')}>"
        cut = total > known or len(body) > PREVIEW
        quoted = f'"{clean(body[:PREVIEW])}{"…" if cut else ""}"'
        return f"{quoted} {size(total)}" if cut else quoted
    return None


def _is_bytes(text: str) -> bool:
    return not any("\ud800" <= char < "\udc80" or "\udcff" < char <= "\udfff" for char in text)


def _is_binary(text: str) -> bool:
    odd = sum(not (char.isprintable() or char in "\r\n\t") for char in text)
    return any("\udc80" <= char <= "\udcff" for char in text[:-3]) or odd > len(text) // 8


def message(data: Data) -> str:
    """Return one message in one line: `http.response.start 200 text/html`."""
    parts = [clean(data.get("type") or "(no type)")]
    for name in ("status", "code", "subprotocol", "reason", "message", "path"):
        if data.get(name) not in (None, ""):
            parts.append(shorten(clean(data[name]), PREVIEW))
    if content_type := header(data.get("headers"), "content-type"):
        parts.append(shorten(clean(content_type), PREVIEW))
    body = payload(data)
    if body is not None:
        parts.append(body)
    if data.get("more_body") is True:
        parts.append("more to come")
    known = {"type", "took", "status", "headers", "body", "bytes", "text", "length", "more_body"}
    known |= {"code", "subprotocol", "reason", "message", "path"}
    parts += [pair(key, value) for key, value in data.items() if key not in known][:4]
    return " ".join(parts)


def pair(key: str, value: Any) -> str:
    """Return `key=value`, cut and clean."""
    return f"{clean(key)}={shorten(clean(value), PREVIEW)}"


def header(headers: Any, name: str) -> str:
    """Return the value of a header, or an empty string; `headers` may be anything."""
    if not isinstance(headers, (list, tuple)):
        return ""
    for item in headers:
        if isinstance(item, (list, tuple)) and len(item) == 2 and str(item[0]).lower() == name:
            return str(item[1])
    return ""
