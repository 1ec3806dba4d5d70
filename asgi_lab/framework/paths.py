"""Paths with names in them: matched, converted, and written back.

    template = PathTemplate("/items/{id:int}")
    template.match("/items/7")       # {"id": 7}
    template.fill({"id": 7})         # "/items/7"

A converter says in one place what a parameter looks like, what it means, and how it is written.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote


class Converter(NamedTuple):
    """What a parameter looks like (a regular expression), and both ways of converting it."""

    looks: str
    parse: Callable[[str], Any] = str
    write: Callable[[Any], str] = str


def write_float(value: float) -> str:
    """Return a float without an exponent, as the converter reads it."""
    return f"{value:.20f}".rstrip("0").rstrip(".")


CONVERTERS: Mapping[str, Converter] = {
    "str": Converter("[^/]+"),
    "path": Converter(".*"),
    "int": Converter("[0-9]+", int),
    "float": Converter(r"[0-9]+(?:\.[0-9]+)?", float, write_float),
    "uuid": Converter("[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}", uuid.UUID),
}
PARAMETER = re.compile(r"{([A-Za-z_]\w*)(?::([A-Za-z_]\w*))?}")


class PathTemplate:
    """A path such as `/items/{id:int}`. Raises ValueError if it cannot be one."""

    def __init__(self, text: str, converters: Mapping[str, Converter] = CONVERTERS) -> None:
        self.text = text
        self.converters: dict[str, Converter] = {}
        self._literals = PARAMETER.split(text)[::3]  # [1::3] are the names, [2::3] the converters
        if "{" in "".join(self._literals):
            raise ValueError(f"{text!r}: a parameter is written {{name}} or {{name:converter}}")
        looks = re.escape(self._literals[0])
        for parameter, literal in zip(PARAMETER.finditer(text), self._literals[1:], strict=True):
            name, kind = parameter[1], parameter[2] or "str"
            if kind not in converters:
                raise ValueError(
                    f"{text!r}: unknown converter {kind}; have {', '.join(converters)}"
                )
            if name in self.converters:
                raise ValueError(f"{text!r} names {name} twice")
            self.converters[name] = converters[kind]
            looks += f"(?P<{name}>{converters[kind].looks}){re.escape(literal)}"
        self._whole = re.compile(looks, re.DOTALL)
        self._prefix = re.compile(looks + "(?=/|$)", re.DOTALL)

    def match(self, path: str) -> dict[str, Any] | None:
        """Return the parameters of a path, or None if it is another one."""
        found = self._whole.fullmatch(path)
        return self._convert(found) if found else None

    def match_prefix(self, path: str) -> tuple[str, dict[str, Any]] | None:
        """Return how the path begins, up to a slash or its end, and the parameters therein."""
        found = self._prefix.match(path)
        params = self._convert(found) if found else None
        return None if found is None or params is None else (found[0], params)

    def fill(self, params: Mapping[str, Any]) -> str:
        """Return the path with these parameters, encoded.

        Raises LookupError unless they are those that the path names, and ValueError for a value
        that would not be matched again.
        """
        if set(params) != set(self.converters):
            raise LookupError(f"{self.text} takes {sorted(self.converters)}, got {sorted(params)}")
        parts = [quote(self._literals[0])]
        for (name, converter), literal in zip(
            self.converters.items(), self._literals[1:], strict=True
        ):
            written = converter.write(params[name])
            if not re.fullmatch(converter.looks, written, re.DOTALL):
                raise ValueError(f"{self.text}: {name} cannot be {params[name]!r}")
            parts += [quote(written), quote(literal)]
        return "".join(parts)

    def _convert(self, found: re.Match[str]) -> dict[str, Any] | None:
        try:
            return {n: c.parse(found[n]) for n, c in self.converters.items()}
        except ValueError:  # int has a limit of digits, too
            return None
