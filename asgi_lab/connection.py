"""One connection: one call of the app with a scope, and what it was at from its scope to its end.

At any moment it is in one *phase*: it holds the loop, or waits for something. Its events say when
each thing begins and ends; of several at once, the first of `PHASES` is its phase.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

HOLD = "hold"
"""A task of the connection runs: it holds the event loop (WSGI: its thread)."""
BLOCKED = "blocked"
"""It awaits, and another connection holds the loop: ready or not, it cannot run."""
SENDING = "sending"
"""The app waits in `send`: backpressure."""
CLIENT = "client"
"""The app waits in `receive`, for the client."""
THREAD = "thread"
"""A worker thread works for it."""
QUEUED = "queued"
"""A call of its waits for a worker thread."""
AWAIT = "await"
"""The app awaits anything else."""
APP = "app"
"""In the app, and nobody knows at what: the trace has no run slices."""

PHASES = (HOLD, BLOCKED, SENDING, CLIENT, THREAD, QUEUED, AWAIT, APP)
"""Every phase, in order of precedence: of several at once, the first is the connection's.

`BLOCKED` is none of a connection's own: it is what others' slices make of its `NEEDS_LOOP`.
"""

NEEDS_LOOP = frozenset({AWAIT, SENDING, CLIENT})
"""Phases that can only end once the loop is free (see `asgi_lab.loop`)."""

MAX_PHASES = 500

Phase = tuple[int, int, str]
"""`(begin, end, what)`: times in nanoseconds of the trace, `what` one of `PHASES`."""

MOVES = {
    "run": (HOLD, 1),
    "ran": (HOLD, -1),
    "send": (SENDING, 1),
    "sent": (SENDING, -1),
    "receive": (CLIENT, 1),
    "received": (CLIENT, -1),
    "submit": (QUEUED, 1),
    "work": (QUEUED, -1),
    "worked": (THREAD, -1),
}
"""How a kind of event changes what a connection is at. `work` also begins a `THREAD`."""


@dataclass(slots=True)
class Connection:
    """One call of the app with a scope. Times are nanoseconds of the trace."""

    conn: int
    started: int
    type: str = ""
    """http, websocket, lifespan, wsgi; empty if the trace does not have its scope."""
    method: str = ""
    path: str = ""
    """The path, with its query if there is one."""
    pid: int = 0
    status: int | None = None
    """The HTTP status; of a WebSocket 101 once accepted, 403 if closed before."""
    code: int | None = None
    """The code a WebSocket was closed with, by either side."""
    first_byte: int | None = None
    """When the first byte of a body (of a WebSocket: the accept) was handed to the server."""
    ended: int | None = None
    outcome: str = ""
    """returned, raised, cancelled; empty while in flight."""
    error: str = ""
    at: str = ""
    """Where in the user's code the error was raised: `file:line in function`."""
    bytes_in: int = 0
    bytes_out: int = 0
    messages_in: int = 0
    messages_out: int = 0
    spent: dict[str, int] = field(default_factory=dict)
    """Nanoseconds in each phase so far, exactly, however many phases were merged."""
    phases: list[Phase] = field(default_factory=list)
    _open: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PHASES, 0))
    _what: str = APP
    _idle: str = APP
    _since: int = 0
    _asked: bool = False
    """Whether the request has come, all of it."""
    _listens: bool = False
    """Whether it also answers already: `receive` then only listens for the client to leave."""

    @property
    def total(self) -> int | None:
        """Nanoseconds from its scope to its end; None while in flight."""
        return None if self.ended is None else self.ended - self.started

    @property
    def route(self) -> str:
        """The method and the path without its query."""
        return f"{self.method} {self.path.partition('?')[0]}".strip()

    @property
    def failed(self) -> bool:
        """Whether an exception left the app, or it answered with a 5xx."""
        return self.outcome == "raised" or (self.status or 0) >= 500

    @property
    def holds(self) -> bool:
        """Whether it holds the loop right now."""
        return self._open[HOLD] > 0 and self.ended is None

    @property
    def since(self) -> int:
        """When the phase began that it is in."""
        return self._since

    def until(self, now: int) -> int:
        """Return when it ended, or `now` while in flight."""
        return now if self.ended is None else self.ended

    def phases_until(self, now: int) -> list[Phase]:
        """Return the phases, the open one ended at `now`."""
        if self.ended is not None or now <= self._since:
            return self.phases
        return [*self.phases, (self._since, now, self._what)]

    def move(self, t: int, what: str, step: int) -> None:
        """Begin (`step` 1) or end (-1) one thing that it is at."""
        opened = self._open
        if what == CLIENT and step > 0 and self._listens:
            return
        opened[what] = count = opened[what] + step
        if count < 0:  # its begin is not in the trace
            opened[what] = 0
        if what == HOLD and self._idle == APP:
            self._idle = AWAIT
            if not self.phases:  # from the scope to the first slice, it is the tracer that runs
                self._what = HOLD
        now = (
            HOLD if opened[HOLD]
            else SENDING if opened[SENDING]
            else CLIENT if opened[CLIENT]
            else THREAD if opened[THREAD]
            else QUEUED if opened[QUEUED]
            else self._idle
        )  # fmt: skip
        if now != self._what:
            self.turn(t, now)

    def listen(self, t: int) -> None:
        """From now on `receive` waits for nothing that the app needs, once all has come."""
        if self._asked and self.status is not None and not self._listens:
            self._listens = True
            self._open[CLIENT] = 1
            self.move(t, CLIENT, -1)

    def resume(self, t: int) -> None:
        """Go on after a gap: what was under way before it may be over."""
        self._open = dict.fromkeys(PHASES, 0)
        self.turn(t, self._idle)

    def turn(self, t: int, what: str) -> None:
        """End the phase that it is in, and begin another."""
        since, phases, was = self._since, self.phases, self._what
        self._what = what
        if t <= since:
            return
        self._since = t
        self.spent[was] = self.spent.get(was, 0) + t - since
        if phases and phases[-1][2] == was and phases[-1][1] == since:
            phases[-1] = (phases[-1][0], t, was)
            return
        phases.append((since, t, was))
        if len(phases) > MAX_PHASES:
            self.phases = merged(phases)

    def end(self, t: int, outcome: str) -> None:
        """End it."""
        self.turn(t, self._what)
        if not self.phases:
            self.phases = [(self.started, self._since, self._what)]
        self.ended = t
        self.outcome = outcome


def merged(phases: Sequence[Phase]) -> list[Phase]:
    """Return half as many phases: of each two neighbours, the longer speaks for both."""
    pairs = zip(phases[::2], [*phases[1::2], phases[-1]], strict=False)
    return [(a[0], b[1], max(a, b, key=lambda p: p[1] - p[0])[2]) for a, b in pairs]
