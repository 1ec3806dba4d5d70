"""Concurrency in the terminal: columns of characters, a chart a curve."""

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from asgi_lab.events import Trace
from asgi_lab.plain import size
from asgi_lab.scene.concurrency import concurrency
from asgi_lab.view.bars import axis
from asgi_lab.view.theme import terminal_style

EIGHTHS = " ▁▂▃▄▅▆▇█"
MARGIN = 9
"""Cells left of the charts, for the labels of their axes."""


def concurrency_chart(trace: Trace, width: int) -> Group:
    """Draw what was in flight, what held the loop, what worked in threads, what was on the wire."""
    room = max(width - MARGIN, 10)
    scene = concurrency(trace, room)
    if not scene.areas:
        return Group(Text(scene.title))
    time = Text(" " * MARGIN + axis(round(scene.axis.span), room), "bold")
    lines: list[Text] = []
    for area in scene.areas:
        lane = scene.lanes[area.lane]
        top = size(area.top) if area.unit == "B" else ""
        title = f"{lane.label} ({'bytes' if area.unit == 'B' else area.unit})"
        lines += [
            *chart(title, area.values, terminal_style(area.role), area.top, top),
            time,
            Text(),
        ]
    return Group(*lines[:-1])


def chart(
    title: str, values: Sequence[float], style: str, top: float, label: str = "", rows: int = 5
) -> list[Text]:
    """Return a chart of columns in so many rows: a title, then the rows, labelled at the left.

    A value above nothing is never drawn as nothing.
    """
    label = label or (f"{top:.0f}" if top >= 1 else f"{top:.2f}")
    heights = [max(round(v / top * rows * 8), 1) if v > 0 else 0 for v in values]
    lines = [Text(title, "bold")]
    for row in reversed(range(rows)):
        mark = f"{label:>{MARGIN - 2}} ┤" if row == rows - 1 else " " * (MARGIN - 1) + "│"
        if row == 0:
            mark = f"{0:>{MARGIN - 2}} ┤"
        body = "".join(EIGHTHS[min(max(h - row * 8, 0), 8)] for h in heights)
        lines.append(Text(mark, no_wrap=True).append(body.rstrip(), style))
    return lines
