"""One request, as data: what is sent, when, and how its client behaves meanwhile."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import quote

from asgi_lab.client.steps import After, Chunks, Close, Expect, Pause, Step, check_seconds

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "WS")
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY"})
"""Methods that may be sent again (RFC 9110, section 9.2.2)."""

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # what no field value may hold: section 5.5
_TARGET = re.compile(r"/[!-\"$-~]*")
_AS_WRITTEN = "/?:@!$&'()*+,;=%[]"  # in a path or query; all else that is not a letter is %-encoded

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask of a server: an HTTP request or, with method `WS`, a WebSocket conversation.

    `path` is the path and query as they go on the wire. `body` is for HTTP, whole or in chunks with
    pauses; `messages` are the steps of a WebSocket: str is sent as text and bytes as binary.

    The client asks `at` seconds after the run began, reads `read_rate` bytes a second (None: as
    fast as it can), vanishes at `hang_up`, and thinks for `think` seconds after the answer before
    it does anything else.

    Raises ValueError for what cannot be sent.
    """

    method: str
    path: str
    headers: Headers = ()
    body: bytes | Chunks = b""
    messages: tuple[Step, ...] = ()
    at: float = 0.0
    think: float = 0.0
    hang_up: After | None = None
    read_rate: float | None = None

    def __post_init__(self) -> None:
        check_method(self.method)
        if not isinstance(self.path, str) or not _TARGET.fullmatch(self.path):
            raise ValueError(f'a path begins with "/" and is encoded; got {self.path!r}')
        for name, value in self.headers:
            check_header(name, value)
        if not isinstance(self.body, bytes):
            _check_steps("a body", self.body, (bytes, Pause))
        _check_steps("a WebSocket", self.messages, (str, bytes, Expect, Pause, Close))
        check_seconds("at", self.at)
        check_seconds("think", self.think)
        if self.hang_up is not None and not isinstance(self.hang_up, After):
            raise ValueError(f"hang_up is after(bytes=...) or after(seconds=...): {self.hang_up!r}")
        if self.read_rate is not None and not (
            isinstance(self.read_rate, int | float) and self.read_rate > 0
        ):
            raise ValueError(f"read_rate is in bytes a second, above 0; got {self.read_rate!r}")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def check_method(method: str) -> None:
    """Raise ValueError, with a guess at what was meant, unless the method is one of `METHODS`."""
    if method not in METHODS:
        near = get_close_matches(method.upper(), METHODS, n=1) if isinstance(method, str) else ()
        guess = f"did you mean {near[0]}?" if near else f"the methods are {', '.join(METHODS)}"
        raise ValueError(f"unknown method {method!r}: {guess}")


def check_header(name: str, value: str) -> None:
    """Raise ValueError unless this can be a field of a request (RFC 9110, section 5)."""
    if not isinstance(name, str) or not TOKEN.fullmatch(name):
        raise ValueError(f'expected the name of a header such as "x-key", got {name!r}')
    if not isinstance(value, str):
        raise ValueError(f"a header's value is a text, got {name}: {value!r}")
    if CONTROL.search(value):
        raise ValueError(f"a header's value is one line without control characters, got {value!r}")


def on_the_wire(path: str) -> str:
    """Encode what cannot be sent as it is. Raises ValueError for a fragment."""
    if "#" in path:
        raise ValueError(f'what follows "#" is never sent to a server: leave it out of {path!r}')
    return quote(path, safe=_AS_WRITTEN)


def _check_steps(whole: str, steps: object, kinds: tuple[type, ...]) -> None:
    if not isinstance(steps, tuple):
        raise ValueError(f"{whole} is a tuple of steps, got {steps!r}")
    for step in steps:
        if not isinstance(step, kinds):
            names = ", ".join(kind.__name__.lower() for kind in kinds)
            raise ValueError(f"{whole} is made of {names}; got {step!r}")
