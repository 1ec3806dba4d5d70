"""What became of a request, while it happens (`Progress`) and afterwards (`Result`, `Tally`)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter

from asgi_lab.client.request import Request

KEPT = 1 << 20  # bytes of WebSocket replies that one result keeps; what is beyond is only counted
_OVERHEAD = 64  # charged for each kept message, lest empty ones be free


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request. Nothing is raised for a failure: `error` says it in plain words.

    `status` is None when no answer began, and 101 for an accepted WebSocket; `seconds` is the whole
    time from before connecting, `first_byte` the time until the answer's head had come (None: never
    came); `received` counts bytes of body, or of WebSocket payload; `messages` are the WebSocket
    replies, the first mebibyte of them; `close_code` ended the WebSocket (RFC 6455, section 7.4;
    1006: lost without a close frame).
    """

    request: Request
    status: int | None
    seconds: float
    first_byte: float | None
    received: int
    messages: tuple[str | bytes, ...] = ()
    close_code: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of many: a sum, small however many there were.

    `failed` counts results with an error; `statuses` counts each status (None: no answer);
    `received` is in bytes; `seconds` is the time from the first start to the last end.
    """

    done: int
    failed: int
    statuses: Mapping[int | None, int]
    received: int
    seconds: float


@dataclass(slots=True)
class Count:
    """A tally in the making."""

    started: float = field(default_factory=perf_counter)
    statuses: Counter[int | None] = field(default_factory=Counter)
    failed: int = 0
    received: int = 0

    def add(self, result: Result) -> None:
        """Count one more."""
        self.statuses[result.status] += 1
        self.failed += bool(result.error)
        self.received += result.received

    def tally(self) -> Tally:
        """Sum up; the time ends now."""
        return Tally(
            done=self.statuses.total(),
            failed=self.failed,
            statuses=dict(self.statuses),
            received=self.received,
            seconds=perf_counter() - self.started,
        )


@dataclass(slots=True)
class Progress:
    """One request under way; `result` freezes it, wherever it got to."""

    request: Request
    started: float = field(default_factory=perf_counter)
    status: int | None = None
    first_byte: float | None = None
    received: int = 0
    messages: list[str | bytes] = field(default_factory=list)
    close_code: int | None = None
    _room: int = KEPT
    _fragments: list[str | bytes] = field(default_factory=list)

    def head(self, status: int) -> None:
        """Note that the answer's head has come."""
        self.status = status
        self.first_byte = perf_counter() - self.started

    def fragment(self, data: str | bytes, *, last: bool) -> None:
        """Note a piece of a WebSocket message, and the message once it is whole."""
        size = len(data.encode()) if isinstance(data, str) else len(data)
        self.received += size
        if self._room > 0:
            self._room -= size
            self._fragments.append(data)
        if last and self._fragments:
            self._room -= _OVERHEAD
            self.messages.append(_join(self._fragments))
            self._fragments.clear()

    def result(self, error: str = "") -> Result:
        """Freeze what happened so far; the time ends now."""
        return Result(
            request=self.request,
            status=self.status,
            seconds=perf_counter() - self.started,
            first_byte=self.first_byte,
            received=self.received,
            messages=tuple(self.messages),
            close_code=self.close_code,
            error=error,
        )


def _join(fragments: list[str | bytes]) -> str | bytes:
    """All str or all bytes: RFC 6455 allows no message of both."""
    texts = [f for f in fragments if isinstance(f, str)]
    return "".join(texts) if texts else b"".join(f for f in fragments if isinstance(f, bytes))
