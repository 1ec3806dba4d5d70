"""Turning what a client wrote into what a handler asked for: text and JSON into Python's types.

One function, `convert(value, wanted)`, which either returns the value or raises `Mismatch`, saying
what was expected, what came, and where in it: so a 422 tells its reader what to write instead.

    convert("7", int)                        7
    convert(["7", "x"], list[int])           Mismatch: expected an integer, got 'x', at 1
    convert({"name": "pen"}, Item)           Item(name="pen")
"""

import types
import uuid
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

FROM_TEXT: dict[Any, tuple[str, Callable[[str], Any]]] = {
    int: ("an integer", int),
    float: ("a number", float),
    uuid.UUID: ("a UUID", uuid.UUID),
    datetime: ("a date and time such as 2024-05-01T12:00", datetime.fromisoformat),
    date: ("a date such as 2024-05-01", date.fromisoformat),
}
"""What is written as text, both in a URL and in JSON (but for numbers)."""

TRUTH = {"true": True, "1": True, "yes": True, "on": True,
         "false": False, "0": False, "no": False, "off": False}  # fmt: skip


class Mismatch(ValueError):
    """The value is not what was expected; `place` leads to it, as in `items.0.name`."""

    def __init__(self, expected: str, got: Any, place: str = "") -> None:
        self.expected = expected
        self.got = got
        self.place = place
        super().__init__(f"expected {expected}, got {got!r:.80}")


def convert(value: Any, wanted: Any) -> Any:
    """Return the value as the type that is wanted.

    Raises Mismatch; and TypeError for a type that nothing can be converted to.
    """
    kind, args = get_origin(wanted) or wanted, get_args(wanted)
    if kind in (Any, object):
        return value
    if kind in (Union, types.UnionType):
        return convert_union(value, args)
    if kind is Literal:
        return one_of({str(each): each for each in args}, value)
    if kind is list:
        items = enumerate(expect(list, "a list", value))
        return [within(str(index), each, args[0] if args else Any) for index, each in items]
    if kind is dict:
        pairs = expect(dict, "an object", value).items()
        return {key: within(key, each, args[1] if args else Any) for key, each in pairs}
    if is_dataclass(kind):
        return value if isinstance(value, wanted) else convert_dataclass(value, wanted)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return one_of({str(each.value): each for each in kind}, value)
    return convert_plain(value, wanted)


def check(wanted: Any) -> None:
    """Raise TypeError for a type that nothing can be converted to. Fields are not looked into."""
    if get_origin(wanted) is not Literal:
        for part in get_args(wanted):
            check(part)
    try:
        convert(None, wanted)
    except Mismatch:
        pass


def convert_plain(value: Any, wanted: Any) -> Any:
    """Text, numbers, truth, and what is written as text."""
    if wanted is str:
        return expect(str, "text", value)
    if wanted is type(None):
        return expect(wanted, "nothing", value)
    if wanted is bool:
        text = str(value).lower()
        return one_of(TRUTH, text if text in TRUTH else value, "true or false")
    if wanted not in FROM_TEXT:
        raise TypeError(f"text and JSON cannot be converted to {wanted}")
    if type(value) is wanted:
        return value
    if wanted is float and type(value) is int:
        return float(value)
    expected, parse = FROM_TEXT[wanted]
    try:
        return parse(expect(str, expected, value))
    except ValueError:
        raise Mismatch(expected, value) from None


def convert_union(value: Any, options: tuple[Any, ...]) -> Any:
    """Return the value as the first of the options that it can be."""
    mismatches = []
    for option in sorted(options, key=lambda each: each is not type(None)):
        try:
            return convert(value, option)
        except Mismatch as mismatch:
            mismatches.append(mismatch)
    if len(options) == 2 and type(None) in options:  # optional: what counts is the other one
        raise mismatches[-1]
    raise Mismatch(" or ".join(each.expected for each in mismatches), value)


def convert_dataclass(value: Any, wanted: Any) -> Any:
    """Each field as its type; names that the class does not know are left out."""
    written, hints, found = expect(dict, "an object", value), get_type_hints(wanted), {}
    for field in fields(wanted):
        if field.name in written:
            found[field.name] = within(field.name, written[field.name], hints[field.name])
        elif field.default is field.default_factory is MISSING:
            raise Mismatch("a value", None, field.name)
    return wanted(**found)


def within(name: str, value: Any, wanted: Any) -> Any:
    """Convert a part, and tell the way to it if it is wrong."""
    try:
        return convert(value, wanted)
    except Mismatch as mismatch:
        place = f"{name}.{mismatch.place}" if mismatch.place else name
        raise Mismatch(mismatch.expected, mismatch.got, place) from None


def expect(kind: type, expected: str, value: Any) -> Any:
    """Return the value if it is of that kind."""
    if isinstance(value, kind):
        return value
    raise Mismatch(expected, value)


def one_of(options: dict[str, Any], value: Any, expected: str = "") -> Any:
    """Return the option that the value names."""
    if str(value) in options:
        return options[str(value)]
    raise Mismatch(expected or " or ".join(options), value)
