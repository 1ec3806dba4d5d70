"""What passed, as marks on the lanes of a timeline; and many of a kind as one bar with a count.

A stream of a hundred chunks is one fact, and a hundred marks in a finger's breadth are a smear. So
messages of a kind that follow one another closely are told by one item of the role `MANY`; they
stay in the scene, each with the number of that item, for who looks closer.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from asgi_lab.events import Event
from asgi_lab.message import number, payload_size
from asgi_lab.plain import size
from asgi_lab.scene.model import Items, Texts
from asgi_lab.scene.roles import (
    CALL,
    CANCEL,
    FINDING,
    IN,
    MANY,
    MARK,
    OUT,
    PAUSE,
    RAISE,
    RETURN,
    WIRE_IN,
    WIRE_OUT,
)

CLOSE = 1 / 60
"""The part of an axis that lies, at most, between two marks that may be told as one."""


def close(span: float) -> float:
    """Return how far apart, in ns, two marks are at most that may be told as one.

    It doubles from time to time as an axis grows, so that a live picture is not laid out anew each
    moment.
    """
    return (1 << (max(int(span), 1).bit_length() - 1)) * CLOSE


FEW = 8
"""So many are told one by one, however close."""

MARKED = {
    "scope": CALL,
    "received": IN,
    "send": OUT,
    "return": RETURN,
    "raise": RAISE,
    "cancel": CANCEL,
    "finding": FINDING,
    "mark": MARK,
}
"""Kinds of events that are marks, with their roles."""

ON_THE_WIRE = {
    "bytes in": WIRE_IN,
    "bytes out": WIRE_OUT,
    "pause writing": PAUSE,
    "pause reading": PAUSE,
}

REPEATED = frozenset({
    "http.request", "http.response.body", "websocket.receive", "websocket.send", "wsgi.chunk",
    "bytes in", "bytes out",
})  # fmt: skip
"""Messages of which there may be many in a row."""


class Mark(NamedTuple):
    """One: when, what it means, what it is called, how many bytes, and the event's number."""

    t: int
    role: str
    name: str
    size: int
    event: int

    @property
    def label(self) -> str:
        """What is said of it: `http.response.body 12 B`."""
        return label(self.name, self.size)


def label(name: str, count: int) -> str:
    """Return what is said of so many bytes of something."""
    return f"{name} {size(count)}" if count else name


def marks_of(events: Iterable[Event]) -> dict[int, list[Mark]]:
    """Return the marks of each connection, in order of time."""
    marks: dict[int, list[Mark]] = defaultdict(list)
    for seq, t, conn, layer, kind, _, data in events:
        role = MARKED.get(kind)
        if role is not None and (not layer or kind in ("finding", "mark")):
            if role in (IN, OUT):
                if "type" not in data:
                    continue
                name = str(data["type"])
                if "status" in data:
                    name = f"{name} {data['status']}"
                marks[conn].append(Mark(t, role, name, payload_size(data), seq))
            else:
                marks[conn].append(Mark(t, role, _called(kind, data), 0, seq))
        elif kind == "wire" and (role := ON_THE_WIRE.get(str(data.get("what")))):
            name = str(data["what"])
            marks[conn].append(Mark(t, role, name, number(data.get("size")), seq))
    return marks


def _called(kind: str, data: object) -> str:
    get = getattr(data, "get", lambda key: None)
    said = {"raise": get("error"), "finding": get("rule"), "mark": get("label")}.get(kind)
    return f"{kind} {said}" if said else kind


def add_marks(items: Items, texts: Texts, lane: int, marks: Sequence[Mark], span: float) -> None:
    """Append the marks of one lane, and the bars that speak for many."""
    wire = [mark for mark in marks if mark.role in (WIRE_IN, WIRE_OUT, PAUSE)]
    messages = [mark for mark in marks if mark.role not in (WIRE_IN, WIRE_OUT, PAUSE)]
    rows: list[tuple[int, int, str, int, int, int]] = []
    first, apart = len(items), close(span)
    for some in (messages, wire) if wire else (messages,):
        for run in runs(some, apart):
            fold = -1
            if len(run) > FEW:
                fold = first + len(rows)
                rows.append((run[0].t, run[-1].t, MANY, texts(total(run)), run[0].event, -1))
            rows += [
                (t, t, role, texts(label(name, count)), event, fold)
                for t, role, name, count, event in run
            ]
    if rows:
        items.extend(lane, *zip(*rows, strict=True))


def runs(marks: Sequence[Mark], apart: float) -> Iterable[list[Mark]]:
    """Yield marks in order; together those that may be told as one."""
    run: list[Mark] = []
    for mark in marks:
        together = (
            run
            and mark.name in REPEATED
            and run[-1].name in REPEATED
            and mark.t - run[-1].t <= apart
        )
        if run and not together:
            yield run
            run = []
        run.append(mark)
    if run:
        yield run


def total(run: Sequence[Mark]) -> str:
    """Return what many are in all: `100 × http.response.body, 1.2 kB`."""
    counts = Counter(mark.name for mark in run)
    told = ", ".join(f"{count:,} × {name}" for name, count in counts.items())
    volume = sum(mark.size for mark in run)
    return f"{told}, {size(volume)}" if volume else told
