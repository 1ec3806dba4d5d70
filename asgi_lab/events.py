"""A trace is data: events in order, immutable, that filter, print and serialise themselves.

An event's `data` holds only what JSON holds, so an event in memory and the same event read from a
file are equal. Bytes are text there (UTF-8; other bytes as lone surrogates, so nothing is lost).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from asgi_lab.atoms import REQUEST, SETTING, Atom, Facts
from asgi_lab.garbage import uncollected
from asgi_lab.recorder import TIMED, Record

if TYPE_CHECKING:
    from asgi_lab.diagnose import Diagnoses
    from asgi_lab.view.display import Picture

Data = Mapping[str, Any]


class Event(NamedTuple):
    """One fact.

    `t` is in nanoseconds since the trace began. `conn` numbers the connection (one call of the app
    with a scope), `layer` the boundary (0: between server and app; 1, 2, ...: each middleware
    inwards), `task` the asyncio task (0: unknown). Kinds: `asgi_lab.recorder.KINDS`.
    """

    seq: int
    t: int
    conn: int
    layer: int
    kind: str
    task: int
    data: Data

    @property
    def type(self) -> str:
        """The message's type, the scope's type, or an empty string."""
        return str(self.data.get("type") or "")

    @property
    def took(self) -> int | None:
        """For an event that ends something: nanoseconds since it began."""
        return self.data.get("took")

    @property
    def began(self) -> int | None:
        """For an event that ends something: when that began, in nanoseconds of the trace."""
        took = self.took
        return None if took is None else self.t - took


@dataclass(frozen=True, slots=True)
class Trace(Sequence[Event]):
    """Events in the order in which they happened, with what is known about the recording.

    `header` holds versions, limits and the wall-clock anchor (see `asgi_lab.files`). `dropped`
    counts the events that were forgotten for want of room.
    """

    events: tuple[Event, ...] = ()
    header: Data = field(default_factory=lambda: MappingProxyType({}))
    dropped: int = 0
    results: tuple[Any, ...] = ()
    """What became of each request that was sent, in the order written (`asgi_lab.client.Result`):
    of a run; nobody knows it of an app that others ask."""

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> "Trace": ...
    def __getitem__(self, index: int | slice) -> "Event | Trace":
        if isinstance(index, slice):
            return self.of(self.events[index])
        return self.events[index]

    def of(self, events: Iterable[Event]) -> "Trace":
        """Return a trace of other events with the same header."""
        return replace(self, events=tuple(events))

    @property
    def seconds(self) -> float:
        """How long it took: of a run, until the last client had its answer; else until the end."""
        known = self.header.get("seconds")
        if known is not None:
            return float(known)
        return (self.events[-1].t if self.events else 0) / 1e9

    @property
    def exact(self) -> bool:
        """Whether times are those of virtual time, the same in each run to the nanosecond."""
        return bool(self.header.get("exact"))

    @property
    def digest(self) -> str:
        """A fingerprint of all events: equal for equal traces, on any machine."""
        from asgi_lab.files import encode_event

        lines = "".join(map(encode_event, self.events))
        return hashlib.sha256(lines.encode()).hexdigest()[:16]

    def filter(self, expression: str) -> "Trace":
        """Return the events that match, e.g. `"path=/slow kind=send"` (see `asgi_lab.filters`).

        Raises `ValueError` if the expression cannot be read.
        """
        from asgi_lab.filters import compile_filter

        known = {key: value for key, value in self.header.items() if key != "cost"}  # of them all
        chosen = compile_filter(expression).select(self.events)
        return replace(self, events=tuple(chosen), header=MappingProxyType(known))

    def diagnose(self) -> "Diagnoses":
        """Return what is wrong, where and what to do: each thing once, the worst first.

        See `asgi_lab.diagnose`, and `asgi-lab explain`.
        """
        from asgi_lab.diagnose import diagnose

        return diagnose(self)

    def timeline(self) -> "Picture":
        """Return a lane a request, on one axis of time. It is what a notebook shows of a trace."""
        return self._picture("timeline")

    def sequence(self, conn: int | None = None) -> "Picture":
        """Return the messages of one connection, between client, server and app.

        Without a number, of the last that failed, else of the slowest. Raises `ValueError` if
        there is no such connection.
        """
        return self._picture("sequence", conn)

    def layers(self, conn: int | None = None) -> "Picture":
        """Return what passed each middleware of one connection. See `sequence`."""
        return self._picture("layers", conn)

    def states(self, conn: int | None = None) -> "Picture":
        """Return the path of one connection through the states of its protocol. See `sequence`."""
        return self._picture("states", conn)

    def concurrency(self) -> "Picture":
        """Return how much was under way at once, over time."""
        return self._picture("concurrency")

    def summary(self) -> "Picture":
        """Return what it all amounts to, in words."""
        return self._picture("summary")

    def _picture(self, name: str, conn: int | None = None) -> "Picture":
        from asgi_lab.view.display import of_trace

        return of_trace(self, name, conn)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.timeline()._repr_mimebundle_(include, exclude)

    def __str__(self) -> str:
        from asgi_lab.text import trace_lines

        return "\n".join(trace_lines(self))

    def __repr__(self) -> str:
        connections = len({event.conn for event in self.events if event.conn})
        took = f", {self.seconds:g} s" if self.results else ""
        return f"<Trace: {len(self)} events of {connections} connections{took}>"


def decode(record: Record, seq: int, origin: int) -> Event:
    """Return the event that a record stands for; `origin` is the recorder's clock at zero."""
    t, kind, door, task = record[:4]
    data = data_of(kind, t, record[4:])
    return _new(Event, (seq, t - origin, door >> 8, door & 255, kind, task, data))


def decode_all(
    records: Sequence[Record], first: int, origin: int, layers: bool = True
) -> list[Event]:
    """Return the events of records `first`, `first + 1`, ...; of inner layers only if so wanted.

    The garbage collector rests meanwhile: it would walk the growing list again and again, three
    times as long as it takes to make it, and there is nothing in it to collect.
    """
    with uncollected():
        return [
            decode(record, first + index, origin)
            for index, record in enumerate(records)
            if layers or not record[2] & 255 or record[1] == "finding"
        ]


_new: Callable[[type[Event], tuple[Any, ...]], Event] = tuple.__new__  # half of Event's own cost

EMPTY: Data = MappingProxyType({})


def data_of(kind: str, t: int, facts: Sequence[Any]) -> Data:
    """Return the data of an event from the facts of its record."""
    if kind in TIMED:
        data: dict[str, Any] = {"took": t - facts[0]}
        if len(facts) > 1:
            data.update(_rest(kind, facts[1:]))
        return MappingProxyType(data)
    return MappingProxyType(_rest(kind, facts)) if facts else EMPTY


def _rest(kind: str, facts: Sequence[Any]) -> dict[str, Any]:
    if len(facts) == 5:
        return _payload(*facts)
    if len(facts) == 3:
        kind, status, headers = facts
        return {"type": kind, "status": status, "headers": text(headers)}
    if len(facts) >= 8:
        return _scope(*facts)
    *plain, last = facts
    if isinstance(last, tuple):
        data = {"type": text(plain[0])} if plain else {}
        for key, value in last:
            data[key] = text(value)
        return data
    if kind == "work":
        return {"thread": last}
    return {{"sent": "error", "mark": "label"}.get(kind, "outcome"): last}


def _payload(kind: str, name: str, preview: Any, length: int, more: bool) -> dict[str, Any]:
    data = {"type": kind, name: text(preview)}
    if length != len(preview):
        data["length"] = length
    if more:
        data["more_body"] = True
    return data


def _scope(kind: Atom, setting: Facts, *request: Atom) -> dict[str, Any]:
    data = {"type": text(kind)}
    for names, values in ((SETTING, setting), (REQUEST, request)):
        for name, value in zip(names, values):  # noqa: B905 - the last ones may be missing
            if value is not None and value != ():
                data[name] = text(value)
    return data


def text(value: Atom) -> Any:
    """Return an atom as what JSON holds: bytes become text, tuples lists."""
    kind = type(value)
    if kind is bytes:
        return value.decode("utf-8", "surrogateescape")
    if kind is tuple:
        return _texts(value)
    if kind is dict:
        return {key: text(item) for key, item in value.items()}
    return value


def _texts(value: tuple[Atom, ...]) -> list[Any]:
    try:  # headers, mostly
        return [[name.decode(), item.decode()] for name, item in value]
    except (AttributeError, TypeError, ValueError):
        return [text(item) for item in value]
