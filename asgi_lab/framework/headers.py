"""Names and values, several to a name: header fields, and the pairs of a query or a form.

ASGI gives headers as a list of pairs of bytes, names lowercased, in the order in which they came,
and expects the same (www: "HTTP Connection Scope", "Response Start"). Handlers would rather look
them up by name, as text. `Headers` is the one, looked at as the other:

    raw                                      headers["x-key"] == "1"
    [(b"x-key", b"1"), (b"x-key", b"2")]     headers.all("X-Key") == ["1", "2"]
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TypeVar

from asgi_lab.types import Message, Send

V = TypeVar("V")
GivenHeaders = Mapping[str, str] | Iterable[tuple[str, str]]

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
# Section 5.5: CR LF here would begin a field; and a field is bytes, so at most one a character.
UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")


class Pairs(Mapping[str, V]):
    """A read-only mapping that keeps every value of a name: `[name]` is the last, `all` has all."""

    def __init__(self, pairs: Iterable[tuple[str, V]] = ()) -> None:
        self.pairs = list(pairs)
        self._last = dict(self.pairs)

    def all(self, name: str) -> list[V]:
        """Return the values of a name, in order."""
        return [value for each, value in self.pairs if each == name]

    def __getitem__(self, name: str) -> V:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.pairs!r})"


class Headers(MutableMapping[str, str]):
    """Header fields by name, in any case: `[name]` is the first, `all` has all, `add` adds one.

    Setting a name replaces all its values. Raises ValueError for what cannot be sent: above all a
    value with a line break, with which a client could smuggle in fields of its own.
    """

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.raw = [(bytes(name).lower(), bytes(value)) for name, value in raw]

    def all(self, name: str) -> list[str]:
        """Return the values of a name, in order."""
        key = name.lower().encode("latin-1")
        return [value.decode("latin-1") for each, value in self.raw if each == key]

    def add(self, name: str, value: str) -> None:
        """Add a field, whatever there is of that name: `set-cookie` may come several times."""
        if not TOKEN.fullmatch(name):
            raise ValueError(f"a header's name is a token such as x-key, got {name!r}")
        if UNSENDABLE.search(value):
            raise ValueError(f"a header's value is a line in Latin-1, got {name}: {value!r}")
        self.raw.append((name.lower().encode("latin-1"), value.encode("latin-1")))

    def vary(self, name: str) -> None:
        """Say that the response depends on that request header (RFC 9110, section 12.5.5)."""
        named = ", ".join(self.all("vary"))
        if name.lower() not in (part.strip().lower() for part in named.split(",")):
            self["vary"] = f"{named}, {name}" if named else name

    def __getitem__(self, name: str) -> str:
        if values := self.all(name):
            return values[0]
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        others = [pair for pair in self.raw if pair[0] != name.lower().encode("latin-1")]
        self.add(name, value)
        self.raw[:] = [*others, self.raw[-1]]

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        key = name.lower().encode("latin-1")
        self.raw[:] = [pair for pair in self.raw if pair[0] != key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.decode("latin-1") for name, _ in self.raw))

    def __len__(self) -> int:
        return len({name for name, _ in self.raw})

    def __repr__(self) -> str:
        return f"Headers({self.raw!r})"


def as_headers(given: GivenHeaders) -> Headers:
    """Return new headers with what someone wrote down, as a mapping or as pairs."""
    if isinstance(given, Headers):
        return Headers(given.raw)
    found = Headers()
    for name, value in given.items() if isinstance(given, Mapping) else given:
        found.add(name, value)
    return found


def with_headers(send: Send, edit: Callable[[Headers], None]) -> Send:
    """Return a `send` that lets `edit` change the headers of the message that begins the answer.

    The message is copied: the app, or a layer between, may still hold the one that it sent.
    """

    async def edited_send(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            headers = Headers(message.get("headers", ()))
            edit(headers)
            message = {**message, "headers": headers.raw}
        await send(message)

    return edited_send
