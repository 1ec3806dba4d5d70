"""What a script is made of besides requests: pauses, expectations, closing, hanging up."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

SENDABLE = (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000))
"""Close codes that may be sent in a frame (RFC 6455, section 7.4)."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The client does nothing for so many seconds: between two chunks, messages or requests."""

    seconds: float

    def __post_init__(self) -> None:
        check_seconds("a pause", self.seconds)

    def __str__(self) -> str:
        return f"pause {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Expect:
    """Wait for the next message of a WebSocket, and for this one if one is given."""

    message: str | bytes | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.message, str | bytes | None):
            raise ValueError(f"expect takes str or bytes, or nothing; got {self.message!r}")

    def __str__(self) -> str:
        return "expect a message" if self.message is None else f"expect {quoted(self.message)}"


@dataclass(frozen=True, slots=True)
class Close:
    """Close the WebSocket from the client's side (RFC 6455, section 7.4)."""

    code: int = 1000
    reason: str = ""

    def __post_init__(self) -> None:
        if self.code not in SENDABLE:
            raise ValueError(
                f"a client closes with 1000-1003, 1007-1014 or 3000-4999; got {self.code!r}"
            )
        if not isinstance(self.reason, str) or len(self.reason.encode()) > 123:
            raise ValueError(f"a reason is a text of at most 123 bytes; got {self.reason!r}")

    def __len__(self) -> int:
        return 2 + len(self.reason)

    def __str__(self) -> str:
        return f"close {self.code}" + (f" {quoted(self.reason)}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class After:
    """When a client hangs up: having read so many bytes of body, or so many seconds after asking.

    Given both, whichever comes first.
    """

    bytes: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.bytes is None and self.seconds is None:
            raise ValueError("after(...) takes bytes=100 or seconds=0.5")
        if self.bytes is not None and (not isinstance(self.bytes, int) or self.bytes < 1):
            raise ValueError(f"bytes is a whole number, 1 or more; got {self.bytes!r}")
        if self.seconds is not None:
            check_seconds("seconds", self.seconds)

    def __str__(self) -> str:
        limits = [] if self.bytes is None else [f"{self.bytes} bytes"]
        limits += [] if self.seconds is None else [f"{self.seconds:g} s"]
        return "after " + " or ".join(limits)


Step = str | bytes | Expect | Pause | Close
"""What a WebSocket script consists of: str and bytes are sent."""

Chunks = tuple[bytes | Pause, ...]
"""A body that is sent in chunks."""


def check_seconds(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a number of seconds, 0 or more."""
    if not isinstance(value, int | float) or not 0 <= value < inf:
        raise ValueError(f"{name} is a number of seconds, 0 or more; got {value!r}")


def quoted(message: str | bytes) -> str:
    """Return a message as an error shows it: quoted, and not too long.

    >>> print(quoted("hello"), quoted(b"x"))
    "hello" b'x'
    """
    shown = f'"{message}"' if isinstance(message, str) else repr(message)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def bursts(body: bytes | Chunks) -> Sequence[tuple[float, tuple[bytes, ...]]]:
    """Return what is sent without a pause in between, each with the seconds to wait before it.

    >>> bursts((b"a", b"b", Pause(0.5), b"c"))
    [(0.0, (b'a', b'b')), (0.5, (b'c',))]
    """
    if isinstance(body, bytes):
        return [(0.0, (body,))]
    found: list[tuple[float, tuple[bytes, ...]]] = [(0.0, ())]
    for part in body:
        before, parts = found[-1]
        if isinstance(part, bytes):
            found[-1] = (before, (*parts, part))
        elif parts or len(found) == 1:
            found.append((part.seconds, ()))
        else:
            found[-1] = (before + part.seconds, ())
    return found
