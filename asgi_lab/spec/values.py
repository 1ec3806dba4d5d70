"""What a value must be, whatever message it stands in. Each says what is wrong, or nothing.

Headers are looked at only where looking does no harm: an iterator is not consumed, and an object
of a class unknown here is not asked to iterate.
"""

import re
from collections import deque
from collections.abc import Iterable
from typing import Any

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name, and a method (RFC 9110 5.6.2)."""

FORBIDDEN = re.compile(rb"[\r\n\0]")
"""What a header's value must not hold (RFC 9110 5.5)."""

LISTS: tuple[type, ...] = (list, tuple, set, frozenset, deque, type({}.items()))
"""What headers are read from, because reading changes nothing."""

DEEP = 8
"""Levels of lists and dicts that are looked into."""


def kind(value: object) -> str:
    """Return what a value is, for a message: `None`, `a str`, `an int`."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def shown(value: bytes | str) -> str:
    """Return the name of a header as it is written, cut, and safe to print."""
    return repr(value[:40])


def pairs(headers: Any) -> list[tuple[bytes, bytes]]:
    """Return the pairs of bytes among headers; none of what cannot be read without harm."""
    if type(headers) not in LISTS:
        return []
    return [
        (item[0], item[1])
        for item in headers
        if type(item) in (list, tuple)
        and len(item) == 2
        and isinstance(item[0], bytes)
        and isinstance(item[1], bytes)
    ]


def not_pairs(headers: Any) -> str:
    """Say what is wrong with headers that are no iterable of pairs of bytes."""
    if isinstance(headers, (str, bytes, dict)) or not isinstance(headers, Iterable):
        return f"headers are {kind(headers)}"
    if type(headers) not in LISTS:
        return ""
    for item in headers:
        if isinstance(item, (str, bytes, dict)) or not isinstance(item, Iterable):
            return f"a header is {kind(item)}, not a pair"
        if not isinstance(item, (list, tuple)) or type(item) not in (list, tuple):
            continue  # a look would change it, or run code that is not ours
        if len(item) != 2:
            return f"a header has {len(item)} items"
        name, value = item
        if not isinstance(name, bytes):
            return f"a header's name is {kind(name)}{_which(name)}"
        if not isinstance(value, bytes):
            return f"the value of header {shown(name)} is {kind(value)}"
    return ""


def _which(name: object) -> str:
    return f": {shown(name)}" if isinstance(name, str) else ""


def capitals(headers: Any) -> str:
    """Say which header's name is not lowercase."""
    for name, _ in pairs(headers):
        if name != name.lower():
            return f"header {shown(name)} is not lowercase"
    return ""


def pseudo(headers: Any) -> str:
    """Say which header is a pseudo header."""
    for name, _ in pairs(headers):
        if name[:1] == b":":
            return f"{shown(name)} is a pseudo header"
    return ""


def malformed(headers: Any) -> str:
    """Say which header's name is no token, or which value holds what would end its line."""
    for name, value in pairs(headers):
        if name[:1] != b":" and not TOKEN.fullmatch(name):
            return f"{shown(name)} cannot be the name of a header"
        if FORBIDDEN.search(value):
            return f"the value of header {shown(name)} has a CR, LF or NUL"
    return ""


def readable(message: Any) -> bool:
    """Return whether a message could be looked at whole: an iterator's headers could not."""
    return not isinstance(message, dict) or type(message.get("headers", [])) in LISTS


def lengths(headers: Any) -> list[bytes]:
    """Return the values of all content-length headers."""
    return [value for name, value in pairs(headers) if name.lower() == b"content-length"]


def length(headers: Any) -> int | None:
    """Return the one content-length, or None if there is none, several, or no number."""
    found = lengths(headers)
    return int(found[0]) if len(found) == 1 and found[0].isdigit() else None


def foreign(value: Any, depth: int = 0) -> str:
    """Say what in a value could not be sent over a network ("Events")."""
    if value is None or isinstance(value, (bool, bytes, str)):
        return ""
    if isinstance(value, int):
        return "" if -(2**63) <= value < 2**63 else f"an int of {value.bit_length()} bits"
    if isinstance(value, float):
        return "" if value - value == 0 else f"the float {value}"
    if depth >= DEEP:
        return ""
    if type(value) in (list, tuple):
        return next((wrong for item in value if (wrong := foreign(item, depth + 1))), "")
    if type(value) is dict:
        for key, item in value.items():
            if not isinstance(key, str):
                return f"a dict with {kind(key)} as key"
            if wrong := foreign(item, depth + 1):
                return wrong
        return ""
    return "" if isinstance(value, (list, tuple, dict)) else kind(value)
