"""What diagnoses look at: a trace, sorted by connection and layer, once for all of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import merge
from typing import Any

from asgi_lab.events import Data, Event, Trace
from asgi_lab.garbage import uncollected
from asgi_lab.loop import Busy, Hold
from asgi_lab.measures import Measures
from asgi_lab.message import number, payload_size
from asgi_lab.plain import clean, count
from asgi_lab.waiting import during, just_after

MILLISECOND = 1_000_000
SECOND = 1_000_000_000

ENDS = ("return", "raise", "cancel")
STOP = "the server was asked to stop"
"""The label of a mark of `asgi-lab trace` (`asgi_lab.adapters.session`)."""

BODIES = ("http.response.body", "http.response.pathsend", "http.response.zerocopysend")


@dataclass(slots=True)
class Call:
    """One connection: its events, and what of them is asked for again and again."""

    conn: int
    scope: Event
    kinds: dict[str, list[Event]]
    """Its events by kind, in order."""
    names: dict[int, str] = field(default_factory=dict)
    """The layers by number. The outermost has none: only inner layers are called by name."""
    end: Event | None = None
    """How the call of layer 0 ended; None while it is open."""

    def settle(self) -> None:
        """Take note of the layers' names and of the end, once all events are there."""
        for event in self.kinds["scope"]:
            if event.layer:
                name = clean(event.data.get("layer") or "")
                self.names.setdefault(event.layer, name.rpartition(".")[2])
        self.end = next((e for e in self.at(0, *ENDS)), None)

    @property
    def deepest(self) -> int:
        """The innermost layer that was called."""
        return max(event.layer for event in self.kinds["scope"])

    @property
    def type(self) -> str:
        """http, websocket, lifespan or wsgi."""
        return self.scope.type

    @property
    def pid(self) -> int:
        """The process that served it; 0 if the trace is of one."""
        return number(self.scope.data.get("pid"))

    @property
    def request(self) -> str:
        """The request, as a log would have it: `GET /slow`, `WS /chat`, `lifespan`."""
        data = self.scope.data
        verb = data.get("method") or ("WS" if self.type == "websocket" else self.type)
        return clean(f"{verb} {data.get('path') or ''}".rstrip())

    @property
    def label(self) -> str:
        """The request with the number of its connection: `GET /slow (#3)`."""
        return f"{self.request} (#{self.conn})"

    def at(self, layer: int, *kinds: str) -> Iterator[Event]:
        """Return the events of one layer and these kinds, in order."""
        if len(kinds) == 1:
            return iter([e for e in self.kinds.get(kinds[0], ()) if e[3] == layer])
        return (e for e in self.at_any(*kinds) if e.layer == layer)

    def at_any(self, *kinds: str) -> Iterator[Event]:
        """Yield the events of all layers of these kinds."""
        found = [self.kinds[kind] for kind in kinds if kind in self.kinds]
        return iter(found[0]) if len(found) == 1 else merge(*found, key=lambda e: e.seq)

    def sends(self, layer: int = 0) -> Iterator[Event]:
        """Yield what was sent through a layer's door."""
        return self.at(layer, "send")

    def bodies(self, layer: int = 0) -> Iterator[Event]:
        """Yield the parts of an HTTP response's body."""
        return (e for e in self.sends(layer) if e.type in BODIES)

    def heard(self, kind: str, layer: int = 0) -> Event | None:
        """Return the first message of a type that came in at a layer's door."""
        return next((e for e in self.at(layer, "received") if e.type == kind), None)

    def sent(self, kind: str, layer: int = 0) -> Event | None:
        """Return the first message of a type that was sent through a layer's door."""
        return next((e for e in self.sends(layer) if e.type == kind), None)

    @property
    def status(self) -> int | None:
        """The HTTP status that was answered."""
        start = self.sent("http.response.start")
        return number(start.data.get("status")) if start else None

    @property
    def finished(self) -> Event | None:
        """The `send` of the last part of an HTTP response, once it has been sent."""
        return next((e for e in self.bodies() if not e.data.get("more_body")), None)

    @property
    def left(self) -> Event | None:
        """The message that told the app that its client has left, before all was answered."""
        gone = self.heard("http.disconnect")
        if gone is None or (self.finished is not None and self.finished.t < gone.t):
            return None
        return gone

    def until(self, last: int) -> int:
        """Return when it ended, or `last` while it is open."""
        return self.end.t if self.end is not None else last

    def name(self, layer: int) -> str:
        """Return what a reader would call the app that was called as this layer."""
        if layer:
            return self.names.get(layer) or f"layer {layer}"
        return "your outermost middleware" if self.deepest else "your app"


class Evidence:
    """A trace, looked at from all sides that diagnoses need."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.calls: dict[int, Call] = {}
        self.loose: list[Event] = []
        """Events of no connection."""
        with uncollected():
            self._sort(trace.events)

    def _sort(self, events: Sequence[Event]) -> None:
        calls, sorts = self.calls, dict[int, dict[str, list[Event]]]()
        for event in events:
            kinds = sorts.get(event[2])
            if kinds is None:
                if event[4] != "scope" or event[3]:
                    self.loose.append(event)
                    continue
                kinds = sorts[event[2]] = {}
                calls[event[2]] = Call(event[2], event, kinds)
            kind = event[4]
            if kind in kinds:
                kinds[kind].append(event)
            else:
                kinds[kind] = [event]
        for call in calls.values():
            call.settle()

    def of(self, *types: str) -> list[Call]:
        """Return the calls of these types, in the order in which they began."""
        return [call for call in self.calls.values() if call.type in types]

    @property
    def last(self) -> int:
        """When the trace ends, in nanoseconds."""
        return self.trace.events[-1].t if self.trace.events else 0

    @cached_property
    def stop(self) -> Event | None:
        """The mark by which `asgi-lab trace` says that the server was asked to stop."""
        marks = (e for e in self.loose if e.kind == "mark")
        return next((e for e in marks if e.data.get("label") == STOP), None)

    @property
    def server(self) -> str:
        """The server's name: `uvicorn`; empty if nobody knows."""
        told = self.trace.header.get("server")
        return str(told).partition(" ")[0].lower() if told else ""

    @cached_property
    def measures(self) -> Measures:
        """What it all amounts to."""
        measures = Measures(keep=None)
        measures.feed(self.trace.events)
        return measures

    @cached_property
    def slices(self) -> list["Slice"]:
        """Every stretch in which a call held its loop, as long as `SHORTEST` or longer."""
        return [
            Slice(call, event)
            for call in self.calls.values()
            if call.type != "wsgi"
            for event in call.at(0, "ran")
            if (event.took or 0) >= SHORTEST
        ]

    def held(self, pid: int, begin: int, end: int) -> int:
        """Return for how many nanoseconds between two times anybody held the loop."""
        return (self.measures.loops.busy.get(pid) or Busy()).between(begin, end)

    def waiters(self, piece: "Slice") -> list[int]:
        """Return the connections that could not run, or not begin, while a loop was held."""
        event, call = piece.ran, piece.call
        hold = Hold(event.took or 0, call.conn, event.began or 0, call.request, call.pid)
        found = [*during(self.measures, hold), *just_after(self.measures, hold)]
        return [c.conn for c in found if c.conn != call.conn and c.type != "lifespan"]


SHORTEST = 100 * MILLISECOND
"""Nanoseconds from which on a loop has been held for long."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch in which one call held its loop."""

    call: Call
    ran: Event

    @property
    def began(self) -> int:
        """When it began."""
        return self.ran.began or 0

    @property
    def took(self) -> int:
        """Nanoseconds for which it held the loop."""
        return self.ran.took or 0

    @property
    def blocks(self) -> list[Event]:
        """What the watchdog, or virtual time, noted in it."""
        own = [e for e in self.call.at_any("block") if e.task == self.ran.task]
        return [e for e in own if self.began <= (e.began or 0) <= self.ran.t]

    @property
    def worst(self) -> Event | None:
        """The block that says best where the time went: of each place, the last told counts."""
        spent: dict[tuple[Any, int], Event] = {}
        for block in self.blocks:
            spent[block.data.get("at"), block.began or 0] = block
        total: dict[Any, int] = {}
        for (at, _), block in spent.items():
            total[at] = total.get(at, 0) + (block.took or 0)
        if not total:
            return None
        where = max(total, key=total.__getitem__)
        return max(
            (b for (at, _), b in spent.items() if at == where), key=lambda block: block.took or 0
        )

    def inside(self, events: Sequence[Event]) -> int:
        """Return how many of these events, in order, lie in it."""
        times = [event.t for event in events]
        return bisect_right(times, self.ran.t) - bisect_left(times, self.began)


def numbers(conns: Iterable[int], most: int = 5) -> str:
    """Return which connections: `#2, #4`; of many, the first and how many more."""
    known = list(dict.fromkeys(conns))
    told = ", ".join(f"#{conn}" for conn in known[:most])
    rest = len(known) - most
    return f"{told} and {rest:,} more" if rest > 0 else told


def times(number: int) -> str:
    """Return how often: `once`, `twice`, `5 times`."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def others(number: int, noun: str) -> str:
    """Return `1 request`, `3 requests`."""
    return count(number, noun)


def size_of(data: Data) -> int:
    """Return how many bytes a message carries."""
    return payload_size(data)
