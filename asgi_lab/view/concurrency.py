"""Concurrency: how much was in flight, and how much of it ran, over time."""

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from asgi_lab.concurrency import concurrency
from asgi_lab.connection import HOLD, THREAD
from asgi_lab.measures import Measures
from asgi_lab.view.bars import GLYPHS, axis

EIGHTHS = " ▁▂▃▄▅▆▇█"
MARGIN = 7
"""Cells left of the charts, for the labels of their axes."""


def concurrency_chart(measures: Measures, width: int) -> Group:
    """Draw what was in flight, what held the loop and what worked in threads."""
    every = [c for c in measures.connections if c.type != "lifespan"]
    if not every:
        return Group(Text("no requests yet"))
    begin = min(c.started for c in every)
    end = max(max(c.until(measures.last) for c in every), begin + 1)
    room = max(width - MARGIN, 10)
    bins = concurrency(every, room, begin, end)
    time = Text(" " * MARGIN + axis(end - begin, room), "bold")
    lines = [*chart("in flight (most at once)", [float(b.most) for b in bins], "#999999"), time]
    loops = max(len(measures.pids), 1)
    wsgi = all(c.type == "wsgi" for c in every)
    holding = [b.holding if wsgi else b.holding / loops * 100 for b in bins]
    if any(holding):
        title = "running in the app (on average)" if wsgi else "event loop held (% of the time)"
        top = None if wsgi else 100.0
        lines += [Text(), *chart(title, holding, GLYPHS[HOLD][1], top), time]
    threads = [b.threads for b in bins]
    if any(threads):
        lines += [
            Text(),
            *chart("in worker threads (on average)", threads, GLYPHS[THREAD][1]),
            time,
        ]
    return Group(*lines)


def chart(
    title: str, values: Sequence[float], style: str, top: float | None = None, rows: int = 5
) -> list[Text]:
    """Return a chart of columns in so many rows: a title, then the rows, labelled at the left.

    A value above nothing is never drawn as nothing.
    """
    most = top or max(*values, 1e-9)
    label = f"{most:.0f}" if most >= 1 else f"{most:.2f}"
    heights = [max(round(v / most * rows * 8), 1) if v > 0 else 0 for v in values]
    lines = [Text(title, "bold")]
    for row in reversed(range(rows)):
        mark = f"{label:>{MARGIN - 2}} ┤" if row == rows - 1 else " " * (MARGIN - 1) + "│"
        if row == 0:
            mark = f"{0:>{MARGIN - 2}} ┤"
        body = "".join(EIGHTHS[min(max(h - row * 8, 0), 8)] for h in heights)
        lines.append(Text(mark, no_wrap=True).append(body.rstrip(), style))
    return lines
