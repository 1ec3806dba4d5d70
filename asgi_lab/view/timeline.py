"""The timeline: a row a request, all on one axis of time."""

from collections.abc import Container

from rich.console import Group
from rich.text import Text

from asgi_lab.events import Trace
from asgi_lab.measures import Measures
from asgi_lab.plain import count
from asgi_lab.scene.marks import marks_of
from asgi_lab.view.rows import QUIET
from asgi_lab.view.table import one_axis, shared_axes, table

MOST = 200
"""Rows shown of a trace; of more, the last."""


APART = 20
"""How many times as long as its longest request a trace may be, to be drawn on one axis."""


def timeline(
    trace: Trace, measures: Measures, width: int, only: Container[int] | None = None
) -> Group:
    """Draw the requests of a finished trace; with `only`, of these connections alone.

    Where most of the time nothing happened, idle time is left out, as in the live view. What a
    server tells of its wire is marked on the bars.
    """
    every = [c for c in measures.connections if only is None or c.conn in only]
    every = [c for c in every if c.type != "lifespan"] or every
    shown = every[-MOST:]
    if not shown:
        return Group(Text("no requests yet" if only is None else "no request matches"))
    marks = marks_of(event for event in trace.events if event.kind == "wire")
    axes = one_axis(shown, measures.last)
    if axes.span > APART * max(c.until(measures.last) - c.started for c in shown):
        axes = shared_axes(shown, measures.last)
    lines = table(shown, axes, measures, measures.last, width, marks)
    if len(every) > MOST:
        lines.append(Text(f"… and {count(len(every) - MOST, 'request')} before these", QUIET))
    return Group(*lines)
