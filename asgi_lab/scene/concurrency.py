"""Concurrency: how much was in flight, and how much of it ran, over time. A lane a curve."""

from collections.abc import Sequence

from asgi_lab.concurrency import Bin
from asgi_lab.concurrency import concurrency as measured
from asgi_lab.connection import HOLD, THREAD
from asgi_lab.events import Trace
from asgi_lab.measures import Measures
from asgi_lab.message import number
from asgi_lab.plain import count, duration, size
from asgi_lab.scene import roles
from asgi_lab.scene.model import Area, Axis, Lane, Scene
from asgi_lab.scene.timeline import axis_of

BINS = 240

Curve = tuple[str, str, str, list[float], float]
"""A name, a unit, a role, a value a bin, and what fills the lane."""


def concurrency(trace: Trace, bins: int = BINS) -> Scene:
    """Lay out the curves of a trace, in so many bins: those that are nowhere above nothing."""
    measures = Measures(keep=None)
    measures.feed(trace.events)
    every = [c for c in measures.connections if c.type != "lifespan"]
    if not every:
        return Scene("concurrency", "no requests yet", "No requests yet.", Axis(0, 1))
    axis = axis_of(every, measures.last)
    begin, end = round(axis.begin), round(axis.end)
    found = measured(every, bins, begin, end)
    wsgi = all(c.type == "wsgi" for c in every)
    curves = [*_running(found, measures, wsgi), *_wire(trace, bins, begin, end)]
    edges = (*(b.begin for b in found), end)
    most = measures.most_in_flight
    title = f"{count(len(every), 'request')}, at most {most} at once, in {duration(axis.span)}"
    return Scene(
        "concurrency",
        title,
        alt_of(title, measures, wsgi),
        axis,
        tuple(Lane(name, unit) for name, unit, *_ in curves),
        areas=tuple(
            Area(lane, edges, tuple(values), role, top, unit)
            for lane, (_, unit, role, values, top) in enumerate(curves)
        ),
        held="thread" if wsgi else "loop",
    )


def _running(found: Sequence[Bin], measures: Measures, wsgi: bool) -> list[Curve]:
    flying = [float(b.most) for b in found]
    curves: list[Curve] = [("in flight", "most at once", roles.IN_FLIGHT, flying, max(flying))]
    holding = [b.holding for b in found]
    if any(holding) and wsgi:
        name, unit = "running in the app", "on average"
        curves.append((name, unit, HOLD, holding, max(holding)))
    elif any(holding):
        loops = max(len(measures.pids), 1)
        percent = [min(value / loops * 100, 100.0) for value in holding]
        curves.append(("event loop held", "% of the time", HOLD, percent, 100.0))
    threads = [b.threads for b in found]
    if any(threads):
        curves.append(("in worker threads", "on average", THREAD, threads, max(threads)))
    return curves


def _wire(trace: Trace, bins: int, begin: int, end: int) -> list[Curve]:
    """Return how many bytes passed in each bin, both ways, if a server told of its wire."""
    curves: list[Curve] = []
    width = max((end - begin) / bins, 1.0)
    for what, role in (("bytes in", roles.WIRE_IN), ("bytes out", roles.WIRE_OUT)):
        values = [0.0] * bins
        for event in trace.events:
            if event.kind == "wire" and event.data.get("what") == what:
                index = min(max(int((event.t - begin) / width), 0), bins - 1)
                values[index] += number(event.data.get("size"))
        if any(values):
            curves.append((f"{what} on the wire", "B", role, values, max(values)))
    return curves


def alt_of(title: str, measures: Measures, wsgi: bool) -> str:
    """Return the picture in words."""
    words = f"Concurrency: {title}."
    hold = measures.loops.longest
    if not wsgi and hold.took:
        share = f"{100 * measures.utilisation:.0f} % of the time"
        longest = f"at most {duration(hold.took)} at a stretch"
        words += f" The event loop was held {share}, {longest}."
    if measures.threads.calls:
        words += f" At most {measures.threads.most_busy} worker threads were busy at once."
    wire = measures.wire
    if wire.bytes_in or wire.bytes_out:
        words += f" On the wire {size(wire.bytes_in)} came in, {size(wire.bytes_out)} went out."
    return words
