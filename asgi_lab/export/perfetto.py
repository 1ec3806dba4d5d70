"""A trace for the Perfetto UI (https://ui.perfetto.dev), as Chrome's trace-event JSON.

    write_perfetto(trace, "trace.perfetto.json.gz")

A process is a process. In it are: the event loop, with every slice in which it was held, and by
whom; each worker thread; a track for each request, with its phases and its messages; one for its
layers; one for each TCP connection, of a server that tells of its wire; and counters. Arrows go
from the slice that handed a call over to the worker thread and back, and from `send` to the bytes.

The format is Google's document "Trace Event Format". What its readers cannot stand is left out:
control characters, and escapes for half a character.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from asgi_lab import __version__
from asgi_lab.connection import Connection
from asgi_lab.events import Event, Trace
from asgi_lab.export import write_text
from asgi_lab.export.running import running
from asgi_lab.export.tracks import Entry, Tracks, closed, instant, opened
from asgi_lab.loop import Busy
from asgi_lab.measures import Measures
from asgi_lab.message import number
from asgi_lab.plain import clean
from asgi_lab.scene import facts
from asgi_lab.scene.axis import step_of
from asgi_lab.scene.marks import FEW, Mark, marks_of, runs, total
from asgi_lab.scene.phases import NOBODY, holds_of, joined
from asgi_lab.scene.roles import PAUSE, WIRE_IN, WIRE_OUT, meaning
from asgi_lab.text import line, on_the_wire

WINDOWS = 400
"""Into how many stretches, about, the counter of the loop divides the trace."""

ENDS = ("return", "raise", "cancel")

Flow = tuple[int, bool, bool]
"""An arrow's number, whether it comes in here, and whether it goes on from here."""


def write_perfetto(trace: Trace, path: str | Path) -> None:
    """Write a trace for the Perfetto UI; compressed, if the name ends in `.gz`.

    Raises `OSError` if the file cannot be written.
    """
    write_text(document(trace), path)


def document(trace: Trace) -> str:
    """Return the file: an object of trace events, an event a line."""
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries(trace))
    known = {key: trace.header.get(key) for key in ("server", "started", "clock")}
    about = {
        "asgi-lab": __version__,
        **{key: clean(value) for key, value in known.items() if value is not None},
    }
    return (
        f'{{"displayTimeUnit":"ns","otherData":{json.dumps(about, ensure_ascii=False)},'
        f'"traceEvents":[\n{lines}\n]}}\n'
    )


def entries(trace: Trace) -> list[Entry]:
    """Return the trace events: first the names of processes and tracks, then all by time."""
    measures = Measures(keep=None)
    measures.feed(trace.events)
    tracks = Tracks(trace.header, measures)
    found = [
        *running(trace.events, tracks, measures.last),
        *requests(trace, tracks, measures),
        *layers(trace.events, tracks, measures.last),
        *wires(trace.events, tracks),
        *in_flight(measures, tracks),
        *loop_held(measures, tracks),
    ]
    found.sort(key=lambda entry: float(entry["ts"]))  # stable: of equal times, as they came
    return [*tracks.names(), *found]


def requests(trace: Trace, tracks: Tracks, measures: Measures) -> Iterator[Entry]:
    """Yield the track of each connection: itself, its phases within, its messages as instants."""
    holds = holds_of(measures)
    marks = marks_of(trace.events)
    told = {event.seq: event for event in trace.events}
    flows = flows_to_wire(trace.events)
    for c in measures.connections:
        until = c.until(measures.last)
        where = {"cat": "request", "pid": tracks.pid(c.conn), "id": f"0x{c.conn:x}"}
        name = f"#{c.conn} {facts.name(c)}"
        own = holds.get(c.pid, NOBODY) if c.type != "wsgi" else NOBODY
        held = "thread" if c.type == "wsgi" else "loop"
        # At one moment: what ends, what begins, what happens; a request begins first, ends last.
        points: list[tuple[int, int, Entry]] = [
            (c.started, 0, opened(c.started, name, where, about(c))),
            (until, 4, closed(until, name, where)),
        ]
        for begin, end, what in joined(own.cut(c.phases_until(measures.last))):
            if begin < end:
                phase = meaning(what, held)
                points.append((begin, 2, opened(begin, phase, where)))
                points.append((end, 1, closed(end, phase, where)))
        own_marks = [m for m in marks.get(c.conn, ()) if m.role not in (WIRE_IN, WIRE_OUT, PAUSE)]
        points += [(mark.t, 3, happened(mark, told, flows, where)) for mark in folded(own_marks)]
        points.sort(key=lambda point: point[:2])
        yield from (entry for _, _, entry in points)


def about(c: Connection) -> dict[str, Any]:
    """Return what is known of a connection as a whole."""
    known = {
        "connection": c.conn,
        "status": c.status,
        "close code": c.code,
        "outcome": c.outcome or "in flight",
        "error": clean(c.error),
        "at": clean(c.at),
        "bytes in": c.bytes_in,
        "bytes out": c.bytes_out,
        "ms to first byte": None if c.first_byte is None else (c.first_byte - c.started) / 1e6,
    }
    return {key: value for key, value in known.items() if value not in (None, "")}


def folded(marks: Iterable[Mark]) -> Iterator[Mark]:
    """Yield marks; of many messages in one moment (in virtual time) one that says how many."""
    for run in runs(list(marks), 0):
        if len(run) > FEW:
            yield run[0]._replace(name=total(run), size=0, event=-1)
        else:
            yield from run


def happened(
    mark: Mark, told: dict[int, Event], flows: dict[int, Flow], where: dict[str, Any]
) -> Entry:
    """Return a message as an instant, with the arrow that begins or ends at it."""
    event = told.get(mark.event)
    args = {"event": mark.event, "told": line(event)} if event else {}
    return instant(mark.t, clean(mark.label), where, args, flows.get(mark.event))


def flows_to_wire(events: Iterable[Event]) -> dict[int, Flow]:
    """Return the arrows from sends to bytes on the wire, by the number of the event.

    Several messages may go out in one piece: the arrow goes through them all.
    """
    flows: dict[int, Flow] = {}
    waiting: dict[int, list[int]] = {}
    for event in events:
        if event.kind == "send" and not event.layer:
            waiting.setdefault(event.conn, []).append(event.seq)
        elif event.kind == "wire" and event.data.get("what") == "bytes out":
            sends = waiting.pop(event.conn, [])
            for place, seq in enumerate([*sends, event.seq] if sends else []):
                flows[seq] = (event.seq + 1, place > 0, place < len(sends))
    return flows


def layers(events: Iterable[Event], tracks: Tracks, last: int) -> Iterator[Entry]:
    """Yield a track for the layers of each connection, one within the other."""
    open_: dict[int, list[tuple[int, str]]] = {}

    def where(conn: int) -> dict[str, Any]:
        return {"cat": "layer", "pid": tracks.pid(conn), "id": f"0x{conn:x}"}

    def close(conn: int, layer: int, t: int) -> Iterator[Entry]:
        stack = open_.get(conn, [])
        if any(number == layer for number, _ in stack):
            done = False
            while not done:
                number, name = stack.pop()
                done = number == layer
                yield closed(t, name, where(conn))
        if len(stack) == 1:
            yield closed(t, stack.pop()[1], where(conn))

    for event in events:
        if not event.layer:
            continue
        if event.kind == "scope":
            stack = open_.setdefault(event.conn, [])
            whole = [] if stack else [(0, f"#{event.conn} layers")]
            name = clean(event.data.get("layer") or f"layer {event.layer}")
            for layer, title in [*whole, (event.layer, name)]:
                stack.append((layer, title))
                yield opened(event.t, title, where(event.conn))
        elif event.kind in ENDS:
            yield from close(event.conn, event.layer, event.t)
    for conn, stack in open_.items():
        while stack:
            yield closed(last, stack.pop()[1], where(conn))


def wires(events: Iterable[Event], tracks: Tracks) -> Iterator[Entry]:
    """Yield a track for each TCP connection: the bytes, what they mean, pauses."""
    events = list(events)
    flows = flows_to_wire(events)
    lines: dict[tuple[int, int], list[Event]] = {}
    for event in events:
        if event.kind == "wire":
            key = (tracks.pid(event.conn), number(event.data.get("tcp")))
            lines.setdefault(key, []).append(event)
    for (pid, tcp), told in lines.items():
        where = {"cat": "wire", "pid": pid, "id": f"{pid}/{tcp}"}
        name = f"tcp {tcp}"
        yield opened(told[0].t, name, where)
        for event in told:
            args = {"event": event.seq, "connection": event.conn}
            yield instant(event.t, on_the_wire(event), where, args, flows.get(event.seq))
        yield closed(told[-1].t, name, where)


def in_flight(measures: Measures, tracks: Tracks) -> Iterator[Entry]:
    """Yield the counter of requests in flight, for each process."""
    steps: dict[int, dict[int, int]] = {}
    for c in measures.connections:
        if c.type != "lifespan":
            own = steps.setdefault(tracks.pid(c.conn), {})
            own[c.started] = own.get(c.started, 0) + 1
            if c.ended is not None:
                own[c.ended] = own.get(c.ended, 0) - 1
    for pid, own in steps.items():
        count = 0
        for t in sorted(own):
            count += own[t]
            yield counter(t, "in flight", pid, {"requests": count})


def loop_held(measures: Measures, tracks: Tracks) -> Iterator[Entry]:
    """Yield the counter of the event loop: which share of the time it is held, in percent."""
    window = step_of(max(measures.span, 1), WINDOWS)
    for number_, busy in measures.loops.busy.items():
        yield from _held(busy, tracks.known(number_), window, measures)


def _held(busy: Busy, pid: int, window: int, measures: Measures) -> Iterator[Entry]:
    before: float | None = None
    for t in range(measures.first or 0, measures.last, window):
        share = round(100 * busy.between(t, t + window) / window, 1)
        if share != before:
            yield counter(t, "loop held", pid, {"percent": share})
        before = share
    yield counter(measures.last, "loop held", pid, {"percent": 0})


def counter(t: int, name: str, pid: int, values: dict[str, float]) -> Entry:
    """Return one value of a counter's track."""
    return {"ph": "C", "name": name, "pid": pid, "tid": pid, "ts": t / 1000, "args": values}
