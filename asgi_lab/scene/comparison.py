"""The same workload twice, on one axis of time: a lane a request, waiting in line included."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from asgi_lab.connection import AWAIT, BLOCKED, HOLD, Connection, Phase
from asgi_lab.events import Trace
from asgi_lab.measures import Measures
from asgi_lab.plain import clean, count, duration
from asgi_lab.scene.axis import round_duration
from asgi_lab.scene.density import add_density
from asgi_lab.scene.model import Axis, Group, Items, Lane, Note, Scene
from asgi_lab.scene.phases import NOBODY, holds_of, joined
from asgi_lab.scene.roles import LINE, RAISE


class Side(Protocol):
    """One of the two: its name, what serves it, and what happened."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def served_by(self) -> str:
        """What serves it, in words: `4 workers`."""

    @property
    def trace(self) -> Trace:
        """What happened, with what became of each request."""


class Compared(Protocol):
    """Two sides, and what came out."""

    @property
    def a(self) -> Side:
        """The first."""

    @property
    def b(self) -> Side:
        """The second."""

    def verdict(self) -> str:
        """Return what came out, in a sentence."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request on the axis of the run, in ns: when it was due, its end, what it was at."""

    label: str
    due: int
    end: int
    phases: tuple[Phase, ...]
    failed: bool = False
    conn: int = 0


def requests_of(trace: Trace) -> list[Request]:
    """Return each request of a run on the run's axis, waiting in line included.

    A result and a connection belong together if both are the n-th to end of their method and path.
    """
    measures = Measures(keep=None)
    measures.feed(trace.events)
    holds = holds_of(measures)
    last = measures.last
    begun = int(trace.header.get("clients_at", 0))
    called: dict[tuple[str, str], list[Connection]] = defaultdict(list)
    for connection in sorted(measures.connections, key=lambda c: c.until(last)):
        if connection.type != "lifespan":
            method = "WS" if connection.type == "websocket" else connection.method
            called[method, connection.path].append(connection)
    found = []
    for result in sorted(trace.results, key=lambda result: result.ended):
        request = result.request
        due = begun + round(result.started * 1e9)
        end = begun + round(result.ended * 1e9)
        same = called[request.method, request.path]
        phases: tuple[Phase, ...] = ((due, end, LINE),)
        conn = 0
        if same:
            connection = same.pop(0)
            conn = connection.conn
            own = holds.get(connection.pid, NOBODY) if connection.type != "wsgi" else NOBODY
            waits = ((due, connection.started, LINE),) if connection.started > due else ()
            phases = (*waits, *joined(own.cut(connection.phases_until(last))))
            end = max(end, connection.until(last))
        failed = bool(result.error) or (result.status or 0) >= 500
        found.append(Request(clean(str(request)), due, end, phases, failed, conn))
    return sorted(found, key=lambda each: (each.due, each.end, each.label))


def comparison(compared: Compared, *, rows: int | None = None) -> Scene:
    """Lay out both sides, one above the other, on one axis from the first request to the last end.

    Of more than `rows` requests a side, each lane speaks for several.
    """
    sides = [(side, requests_of(side.trace)) for side in (compared.a, compared.b)]
    spans = [max(r.end for r in some) - _start(some) for _, some in sides if some]
    items = Items()
    lanes: list[Lane] = []
    groups: list[Group] = []
    notes: list[Note] = []
    axis = Axis(0, max([*spans, 1]), label="time")
    for side, some in sides:
        first = len(lanes)
        lanes += _lanes(some, items, first, axis.span, rows)
        took = round_duration(max(r.end for r in some) - _start(some)) if some else "nothing"
        detail = f"{side.served_by} · {took}"
        groups.append(Group(side.name, detail, first, max(len(lanes) - 1, first)))
        if some and len(lanes) - first == len(some):
            notes += _notes(some, first, WORKERS if _is_wsgi(side.trace) else LOOP)
    title = compared.verdict()
    return Scene(
        "comparison",
        title,
        alt_of(title, groups, sides),
        axis,
        tuple(lanes),
        groups=tuple(groups),
        items=items,
        notes=tuple(notes),
        held="loop or thread",
    )


def _start(some: Sequence[Request]) -> int:
    return min(request.due for request in some)


def _lanes(
    some: Sequence[Request], items: Items, first: int, span: float, rows: int | None
) -> list[Lane]:
    """Return a lane a request, or a lane for several, and append their bars."""
    if not some:
        return []
    begin = _start(some)
    shifted = [
        [(since - begin, until - begin, what) for since, until, what in request.phases]
        for request in some
    ]
    if rows is not None and len(some) > rows:
        each = -(-len(some) // rows)
        lanes: list[Lane] = []
        for start in range(0, len(some), each):
            part = some[start : start + each]
            add_density(items, first + len(lanes), shifted[start : start + each], 0, span)
            failed = RAISE if any(request.failed for request in part) else ""
            lanes.append(Lane(f"{part[0].label} ×{len(part)}", "", (), failed))
        return lanes
    for lane, phases in enumerate(shifted, first):
        for since, until, what in phases:
            items.add(since, until, lane, what)
    return [Lane(r.label, "", (), RAISE if r.failed else "", r.conn) for r in some]


WORKERS = {LINE: "waits in line: all workers are busy"}
LOOP = {
    LINE: "waits in line: another request holds the event loop",
    BLOCKED: "cannot run: another request holds the event loop",
}
"""What is said in the picture of the longest wait of a side, by what serves it."""


def _is_wsgi(trace: Trace) -> bool:
    return any(event.type == "wsgi" for event in trace if event.kind == "scope")


def _notes(some: Sequence[Request], first: int, words_of: Mapping[str, str]) -> list[Note]:
    """Return what to say in the picture: who waits, and why; or that nobody does."""
    begin = _start(some)
    for role, words in words_of.items():
        waits = [
            (until - since, lane, since - begin)
            for lane, request in enumerate(some, first)
            for since, until, what in request.phases
            if what == role
        ]
        took, lane, at = max(waits, default=(0, 0, 0))
        if took * 4 >= max(request.end for request in some) - begin:
            return [Note(at + took / 2, lane, words, role)]
    awaiting = sum(any(what == AWAIT for *_, what in r.phases) for r in some)
    holding = sum(
        until - since for r in some for since, until, what in r.phases if what in (HOLD, BLOCKED)
    )
    if awaiting == len(some) > 1 and not holding:
        middle = (some[0].end - begin) / 2
        return [
            Note(middle, first, f"all {len(some)} at the same time: nobody waits in line", AWAIT)
        ]
    return []


def alt_of(
    verdict: str, groups: Sequence[Group], sides: Sequence[tuple[Side, Sequence[Request]]]
) -> str:
    """Return the picture in words."""
    words = [verdict]
    for group, (_, some) in zip(groups, sides, strict=True):
        line = [until - since for r in some for since, until, what in r.phases if what == LINE]
        waited = sum(took > 0 for took in line)
        text = f"{group.label} ({group.detail}): {count(len(some), 'request')}"
        if waited:
            text += f", {waited} wait in line, at most {duration(max(line))}"
        words.append(text + ".")
    return " ".join(words)
