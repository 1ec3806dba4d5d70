"""The timeline: a row a request, all on one axis of time."""

from rich.console import Group
from rich.text import Text

from asgi_lab.measures import Measures
from asgi_lab.plain import count
from asgi_lab.view.rows import QUIET
from asgi_lab.view.table import one_axis, table

MOST = 200
"""Rows shown of a trace; of more, the last."""


def timeline(measures: Measures, width: int) -> Group:
    """Draw the requests of a finished trace."""
    every = [c for c in measures.connections if c.type != "lifespan"] or measures.connections
    shown = every[-MOST:]
    if not shown:
        return Group(Text("no requests yet"))
    lines = table(shown, one_axis(shown, measures.last), measures, measures.last, width)
    if len(every) > MOST:
        lines.append(Text(f"… and {count(len(every) - MOST, 'request')} before these", QUIET))
    return Group(*lines)
