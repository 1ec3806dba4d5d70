"""What virtual time says, beside what the real clock says: `python -m proofs.truth [NAME ...]`.

The same app and clients, twice: in memory in virtual time; then on the real clock, on real sockets
where there is a server for it. Compared are the seconds until the last client has its answer, and
the order of events:

- of each connection: kinds and types of what passes between server and app, one after another;
- across connections: which started and ended before which. What virtual time puts at the very same
  moment has no order, and may come in any.

Exits with 1 if a scenario takes less than virtual time says, or much longer (see `bounds`).
"""

import asyncio
import logging
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from asgi_lab.clock import real
from asgi_lab.events import Trace
from tests.experiments import EXPERIMENTS

SERVERS = {
    "raw": "uvicorn",
    "raw, mixed": "uvicorn",
    "raw, four threads": "memory",
    "raw, chunks": "uvicorn",
    "raw, stream": "uvicorn",
    "raw, hang up": "uvicorn",
    "raw, hang up after bytes": "uvicorn",
    "raw, slow reader": "uvicorn",
    "raw, users": "lab",
    "raw, websocket": "lab",
    "raw, shared": "uvicorn",
    "starlette, each way": "uvicorn",
    "starlette, hang up": "uvicorn",
    "fastapi, hundred threads": "uvicorn",
    "fastapi, dependencies": "uvicorn",
    "fastapi, websocket": "uvicorn",
    "django": "uvicorn",
    "wsgi, four threads": "lab",
    "wsgi, computing threads": "memory",
}
"""What is run, and which server serves it for real."""

PASSING = ("receive", "received", "send", "sent")
ENDS = ("return", "raise", "cancel")

WHY = {
    "raw, slow reader": "the system's socket buffers take in the whole megabyte, so that the app "
    "is done at once; in memory 64 KiB are under way, and the app waits for its reader",
}
"""Where the order differs, and why."""

Moment = tuple[str, str, int]
"""`start` or `end` of the n-th request of a path: in the order of starting."""


@dataclass(frozen=True, slots=True)
class Both:
    """One experiment in both worlds."""

    name: str
    virtual: Trace
    real: Trace

    @property
    def late(self) -> float:
        """How many seconds longer it takes for real."""
        return self.real.seconds - self.virtual.seconds

    @property
    def holds(self) -> bool:
        """Whether the real one took as long as it should."""
        low, high = bounds(self.virtual.seconds)
        return low <= self.real.seconds <= high


def bounds(seconds: float) -> tuple[float, float]:
    """Return the least and the most seconds that it may take for real.

    Loose, since machines are busy: sleeps end a little late, never early (10 ms for clocks that
    tick so), and what a request costs to serve is not in virtual time at all.
    """
    return seconds - 0.01, 1.5 * seconds + 0.5


def main(wanted: list[str]) -> int:
    """Run both worlds, a line each, and return the exit code."""
    logging.disable()
    names = [name for name in SERVERS if not wanted or any(part in name for part in wanted)]
    width = max(map(len, names))
    print(f"{'':{width}}  {'for real on':11}  virtual s    real s  differ by  order of events")
    wrong = 0
    for name in names:
        print(f"{name:{width}}  {SERVERS[name]:11}  ", end="", flush=True)
        both = asyncio.run(play(name))
        wrong += not both.holds
        print(
            f"{both.virtual.seconds:9.3f} {both.real.seconds:9.3f} {1000 * both.late:7.0f} ms  "
            f"{'' if both.holds else 'NOT AS LONG AS IT SHOULD; '}{order(both)}"
        )
    print(f"\n{wrong} of {len(names)} are off" if wrong else f"\nall {len(names)} agree")
    return bool(wrong)


async def play(name: str) -> Both:
    """Run an experiment in both worlds."""
    experiment = EXPERIMENTS[name]
    virtual = await experiment.run()
    return Both(name, virtual, await experiment.run(clock=real(), server=SERVERS[name]))


def order(both: Both) -> str:
    """Say whether the order is equal, or where it differs first, and why."""
    difference = difference_within(both) or difference_across(both)
    if not difference:
        return "equal"
    return f"differs: {difference}\n    {WHY.get(both.name, 'nobody has looked into it yet')}"


def difference_within(both: Both) -> str:
    """Say where a connection's own events differ; an empty text if they do not."""
    virtual, actual = conversations(both.virtual), conversations(both.real)
    for path in virtual:
        missing = Counter(virtual[path]) - Counter(actual[path])
        extra = Counter(actual[path]) - Counter(virtual[path])
        for one, other in zip(missing, extra, strict=False):
            for step, (ours, theirs) in enumerate(
                zip((*one, "end"), (*other, "end"), strict=False)
            ):
                if ours != theirs:
                    return f"{path}, event {step + 1}: {ours}, really {theirs}"
        if missing or extra:
            return f"{path}: {len(virtual[path])} requests, really {len(actual[path])}"
    return ""


def conversations(trace: Trace) -> dict[str, list[tuple[str, ...]]]:
    """Return of each path what passed in each of its connections: kinds and types."""
    of: dict[int, list[str]] = defaultdict(list)
    paths: dict[int, str] = {}
    for event in trace:
        if event.layer == 0 and event.kind == "scope" and event.type != "lifespan":
            paths[event.conn] = str(event.data["path"])
        elif event.layer == 0 and event.kind in PASSING + ENDS:
            of[event.conn].append(f"{event.kind} {event.type}".strip())
    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for conn, path in paths.items():
        found[path].append(tuple(of[conn]))
    return found


def difference_across(both: Both) -> str:
    """Say which start or end comes too early or late among the others; else an empty text."""
    actual = [moment for _, moment in moments(both.real)]
    for _, group in groupby(moments(both.virtual), key=lambda timed: timed[0]):
        together = Counter(moment for _, moment in group)
        count = together.total()
        here, actual = Counter(actual[:count]), actual[count:]
        early, missing = here - together, together - here
        if early:
            return f"{words(next(iter(early)))} before {words(next(iter(missing)))}"
    return ""


def moments(trace: Trace) -> Iterator[tuple[int, Moment]]:
    """Yield the starts and ends of requests, with their times (ns)."""
    numbers: Counter[str] = Counter()
    known: dict[int, tuple[str, int]] = {}
    for event in trace:
        if event.layer != 0:
            continue
        if event.kind == "scope" and event.type != "lifespan":
            path = str(event.data["path"])
            numbers[path] += 1
            known[event.conn] = path, numbers[path]
            yield event.t, ("start", *known[event.conn])
        elif event.kind in ENDS and event.conn in known:
            yield event.t, ("end", *known[event.conn])


def words(moment: Moment) -> str:
    """Return a moment in words."""
    what, path, number = moment
    return f"the {what} of {path} no. {number}"


if __name__ == "__main__":
    began = time.monotonic()
    code = main(sys.argv[1:])
    print(f"in {time.monotonic() - began:.0f} s")
    sys.exit(code)
