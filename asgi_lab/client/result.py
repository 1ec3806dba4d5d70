"""What became of a request, while it happens (`Progress`) and afterwards (`Result`, `Tally`)."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asgi_lab.client.request import Headers, Request

KEPT = 1 << 20  # bytes of body or WebSocket replies that one result keeps; the rest is only counted
_OVERHEAD = 64  # charged for each kept message, lest empty ones be free


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request. Nothing is raised for a failure: `error` says it in plain words.

    `status` is None when no answer began, and 101 for an accepted WebSocket; `started` is when the
    request was due, in seconds since the run began; `seconds` is the whole time from then, and
    `first_byte` the time until the answer's head had come (None: never came). `received` counts
    bytes of body, or of WebSocket payload; `body` and `messages` are the first mebibyte of it.
    `close_code` ended the WebSocket (RFC 6455, section 7.4; 1006: lost without a close frame).
    `hung_up`: the client vanished, as its request says.
    """

    request: Request
    status: int | None
    seconds: float
    first_byte: float | None
    received: int
    messages: tuple[str | bytes, ...] = ()
    close_code: int | None = None
    error: str = ""
    headers: Headers = ()
    body: bytes = b""
    started: float = 0.0
    hung_up: bool = False
    subprotocol: str | None = None

    @property
    def ended(self) -> float:
        """When it was over, in seconds since the run began."""
        return round(self.started + self.seconds, 9)

    @property
    def text(self) -> str:
        """The body as text, in the charset that its content-type names, or UTF-8."""
        kinds = [value for name, value in self.headers if name == "content-type"]
        _, _, charset = kinds[0].partition("charset=") if kinds else ("", "", "")
        try:
            return self.body.decode(charset.strip(' "') or "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return what the body says. Raises ValueError if it is not JSON."""
        return json.loads(self.body)


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


def now() -> float:
    """Return the clock of all results, in seconds. It is looked up at each call: it may change."""
    return time.perf_counter()


@dataclass(slots=True)
class Count:
    """A tally in the making."""

    started: float = field(default_factory=now)
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
            seconds=time.perf_counter() - self.started,
        )


class Progress:
    """One request under way; `result` freezes it, wherever it got to."""

    __slots__ = (
        "_body", "_messages", "_room", "close_code", "ended", "first_byte", "headers", "origin",
        "received", "request", "started", "status", "subprotocol",
    )  # fmt: skip

    def __init__(self, request: Request, origin: float, started: float) -> None:
        """Begin: the request was due at `started`, in a run that began at `origin` (of `now`)."""
        self.request = request
        self.origin = origin
        self.started = started
        self.status: int | None = None
        self.first_byte: float | None = None
        self.ended: float | None = None
        self.headers: Headers = ()
        self.received = 0
        self.subprotocol: str | None = None
        self.close_code: int | None = None
        self._room = KEPT
        self._body: list[bytes] = []
        self._messages: list[str | bytes] = []

    def head(self, status: int, headers: Headers = ()) -> None:
        """Note that the answer's head has come."""
        self.status = status
        self.headers = headers
        self.first_byte = round(time.perf_counter() - self.started, 9)

    def data(self, chunk: bytes) -> None:
        """Note a piece of the answer's body."""
        size = len(chunk)
        self.received += size
        if self._room > 0:
            self._body.append(chunk if size <= self._room else chunk[: self._room])
            self._room -= size

    def message(self, message: str | bytes) -> None:
        """Note a message of a WebSocket."""
        self.received += len(message.encode() if isinstance(message, str) else message)
        if self._room > 0:
            self._messages.append(message[: self._room])
            self._room -= len(message) + _OVERHEAD

    def end(self) -> None:
        """Note that the last of the answer has come, though its client may see it later."""
        self.ended = time.perf_counter()

    def result(self, error: str = "", hung_up: bool = False) -> Result:
        """Freeze what happened so far; the time ends now, unless it has ended."""
        ended = self.ended if self.ended is not None else time.perf_counter()
        return Result(
            self.request,
            self.status,
            round(ended - self.started, 9),
            self.first_byte,
            self.received,
            tuple(self._messages),
            self.close_code,
            error,
            self.headers,
            b"".join(self._body),
            round(self.started - self.origin, 9),
            hung_up,
            self.subprotocol,
        )
