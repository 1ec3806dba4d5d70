"""Turning what a client wrote into what a handler asked for: text and JSON into Python's types.

One function, `convert(value, wanted)`, which either returns the value or raises `Mismatch`, saying
what was expected, what came, and where in it: so a 422 tells its reader what to write instead.
"""

import dataclasses
import types
import uuid
from collections.abc import Callable
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
    """Return the value as the type that is wanted. Raises Mismatch."""
    if wanted is Any or wanted is object:
        return value
    origin, args = get_origin(wanted), get_args(wanted)
    if origin is Union or origin is types.UnionType:
        return convert_union(value, args)
    if origin is Literal:
        return one_of(value, {str(each): each for each in args})
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return one_of(value, {str(each.value): each for each in wanted})
    if (origin or wanted) is list:
        return convert_list(value, args[0] if args else Any)
    if (origin or wanted) is dict:
        return convert_dict(value, args[1] if args else Any)
    if dataclasses.is_dataclass(wanted):
        return convert_dataclass(value, wanted)
    return convert_plain(value, wanted)


def convert_plain(value: Any, wanted: Any) -> Any:
    """Text, numbers, truth, and what is written as text."""
    if wanted is bool:
        return value if isinstance(value, bool) else one_of(value, TRUTH, "true or false")
    if wanted is str or wanted is type(None):
        if isinstance(value, wanted):
            return value
        raise Mismatch("text" if wanted is str else "nothing", value)
    if wanted not in FROM_TEXT:
        raise TypeError(f"{wanted} is none of the types that can be converted to")
    if type(value) is wanted or (wanted is float and type(value) is int):
        return wanted(value) if wanted is float else value
    expected, parse = FROM_TEXT[wanted]
    if not isinstance(value, str):
        raise Mismatch(expected, value)
    try:
        return parse(value)
    except ValueError:
        raise Mismatch(expected, value) from None


def convert_union(value: Any, options: tuple[Any, ...]) -> Any:
    """Return the value as the first of the options that it can be."""
    expected = []
    for option in sorted(options, key=lambda each: each is not type(None)):
        try:
            return convert(value, option)
        except Mismatch as mismatch:
            expected.append(mismatch.expected)
            last = mismatch
    if len(options) == 2 and type(None) in options:
        raise last
    raise Mismatch(" or ".join(expected), value)


def convert_list(value: Any, item: Any) -> list[Any]:
    """Each item as the type that is wanted."""
    if not isinstance(value, list):
        raise Mismatch("a list", value)
    return [within(str(index), each, item) for index, each in enumerate(value)]


def convert_dict(value: Any, item: Any) -> dict[str, Any]:
    """Each value as the type that is wanted."""
    if not isinstance(value, dict):
        raise Mismatch("an object", value)
    return {key: within(key, each, item) for key, each in value.items()}


def convert_dataclass(value: Any, wanted: Any) -> Any:
    """Each field as its type; names that the class does not know are left out."""
    if isinstance(value, wanted):
        return value
    if not isinstance(value, dict):
        raise Mismatch("an object", value)
    hints, found = get_type_hints(wanted), {}
    for field in dataclasses.fields(wanted):
        if field.name in value:
            found[field.name] = within(field.name, value[field.name], hints[field.name])
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise Mismatch("a value", None, field.name)
    return wanted(**found)


def within(name: str, value: Any, wanted: Any) -> Any:
    """Convert a part, and tell the way to it if it is wrong."""
    try:
        return convert(value, wanted)
    except Mismatch as mismatch:
        place = f"{name}.{mismatch.place}" if mismatch.place else name
        raise Mismatch(mismatch.expected, mismatch.got, place) from None


def one_of(value: Any, options: dict[str, Any], expected: str = "") -> Any:
    """Return the option that the value names."""
    found = options.get(str(value).lower() if options is TRUTH else str(value))
    if found is None:
        raise Mismatch(expected or " or ".join(options), value)
    return found
