"""The timeline: a row a request, all on one axis of time."""

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from asgi_lab.measures import Connection, Measures
from asgi_lab.text import count
from asgi_lab.view.bars import axis, legend
from asgi_lab.view.rows import QUIET, layout, path

MOST = 200
"""Rows shown of a trace; of more, the last."""


def timeline(measures: Measures, width: int) -> Group:
    """Draw the requests of a finished trace."""
    every = [c for c in measures.connections if c.type != "lifespan"] or measures.connections
    shown = every[-MOST:]
    lines = table(shown, measures.last, width)
    if len(every) > MOST:
        lines.append(Text(f"… and {count(len(every) - MOST, 'request')} before these", QUIET))
    return Group(*lines)


def held(shown: Sequence[Connection]) -> str:
    """Return what these hold while they run: the event loop, or each its thread."""
    return "thread" if all(c.type == "wsgi" for c in shown) else "loop"


def table(shown: Sequence[Connection], last: int, width: int) -> list[Text]:
    """Return the lines of these requests; `last` is when the trace ends."""
    if not shown:
        return [Text("no requests yet")]
    begin = min(c.started for c in shown)
    end = max(max(c.until(last) for c in shown), begin + 1)
    plan = layout(width, max(len(path(c)) for c in shown))
    used = {what for c in shown for _, _, what in c.phases_until(last)}
    return [
        plan.header(axis(end - begin, plan.bar)),
        *(plan.row(c, begin, end, last) for c in shown),
        Text(),
        legend(used, held(shown)),
    ]
