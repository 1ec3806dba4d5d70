"""Requests as a person writes them: `GET /x`, `POST /items {"a": 1}`, `WS /chat hello`."""

import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from asgi_lab.client.request import METHODS, TOKEN, Request, check_header, on_the_wire

EXAMPLES = '"GET /items", "POST /items {"a": 1}" or "WS /chat hello"'
BETWEEN_MESSAGES = " | "

_FORM = re.compile(r"[^=&\s]+=[^=&\s]*(&[^=&\s]+=[^=&\s]*)*")


def parse_request(text: str, headers: Sequence[tuple[str, str]] = ()) -> Request:
    """Read `METHOD /path [rest]`; a path alone means GET; spaces around the whole do not count.

    For HTTP the rest is the body, or `@file` for the bytes of that file. Unless `headers` name a
    content-type, a body gets the one it looks like: JSON, a form (`a=b&c=d`), plain text or bytes.

    For `WS` the rest is one message; several are separated by ` | `: `WS /chat hello | bye`.

    Raises ValueError, saying what was expected, for anything else, or a file that cannot be read.
    """
    method, path, rest = _split(text)
    if method == "WS":
        messages = tuple(rest.split(BETWEEN_MESSAGES)) if rest else ()
        return Request(method, path, tuple(headers), messages=messages)
    body = _read(rest[1:]) if rest.startswith("@") else rest.encode()
    named = any(name.lower() == "content-type" for name, _ in headers)
    kind = () if named or not body else (("content-type", content_type(body)),)
    return Request(method, path, (*headers, *kind), body)


def parse_header(text: str) -> tuple[str, str]:
    """Read `name: value`; the value may be empty. Raises ValueError for anything else."""
    name, colon, value = text.partition(":")
    value = value.strip()
    if not colon or not TOKEN.fullmatch(name):
        raise ValueError(f'expected a header such as "x-key: 1", got {text!r}')
    check_header(name, value)
    return name, value


def content_type(body: bytes) -> str:
    """Guess the media type of a body from the look of it."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    try:
        json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError):
        form = _FORM.fullmatch(text)
        return "application/x-www-form-urlencoded" if form else "text/plain; charset=utf-8"
    return "application/json"


def _not_json(constant: str) -> NoReturn:
    """NaN and Infinity, which Python reads and RFC 8259 does not have."""
    raise ValueError(constant)


def _split(text: str) -> tuple[str, str, str]:
    """Split into method, path on the wire, and the rest."""
    first, *others = text.split(maxsplit=1) or [""]
    if first.startswith("/"):
        if others:
            raise ValueError(
                f'before a path and more there must be a method: "POST {text.strip()}"'
            )
        return "GET", on_the_wire(first), ""
    method = first.upper()
    if method not in METHODS:
        near = get_close_matches(method, METHODS, n=1)
        guess = f"did you mean {near[0]}?" if near else f"the methods are {', '.join(METHODS)}"
        raise ValueError(f"expected METHOD /path, such as {EXAMPLES}; got {text!r}: {guess}")
    path, *rest = others[0].split(maxsplit=1) if others else [""]
    if not path.startswith("/"):
        raise ValueError(
            f'after {method} expected a path beginning with "/", such as "{method} /items";'
            f" got {path!r}"
        )
    return method, on_the_wire(path), rest[0].rstrip() if rest else ""


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f'cannot read the body "@{name}": {reason}') from error
