"""Bytes of HTTP as a person reads them: line by line, with a mark at the one to look at."""

from asgi_lab.plain import shorten

LINES, WIDTH = 12, 64
"""Of what was said or heard in one go, as it is shown."""


def told_bytes(who: str, data: bytes, mark: int | None = None) -> list[str]:
    """Return bytes line by line, as one reads HTTP, with a mark below the byte at `mark`."""
    lines: list[str] = []
    at = 0
    pieces = data.split(b"\n")
    for number, piece in enumerate(pieces):
        full = piece + (b"\n" if number < len(pieces) - 1 else b"")
        inside = mark is not None and at <= mark <= at + len(full)
        if full or (inside and not lines):
            lines.append(shorten(readable(full), WIDTH))
            if inside and mark is not None and (mark < at + len(full) or mark == len(data)):
                lines.append(" " * min(len(readable(full[: mark - at])), WIDTH) + "▲ here")
        at += len(full)
    if len(lines) > LINES:
        kept = LINES // 2
        lines = [*lines[:kept], "…", *lines[-kept:]]
    return [f"{who if not i else '':<10} {line}" for i, line in enumerate(lines)]


def readable(data: bytes) -> str:
    """Return bytes as one reads them: line ends as ⏎, what is no text as dots."""
    text = data.decode("latin-1").replace("\r\n", "⏎").replace("\r", "␍").replace("\n", "␊")
    return "".join(c if c.isprintable() else "·" for c in text)


def alike(a: bytes, b: bytes) -> int:
    """Return how many bytes are the same, from the begin."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))
