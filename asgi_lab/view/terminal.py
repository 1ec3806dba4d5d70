"""The views of a trace, for a terminal.

console.print(render("timeline", trace, width=console.width))
"""

from collections.abc import Callable, Container

from rich.console import Console, Group, RenderableType
from rich.text import Text

from asgi_lab.connection import HOLD, THREAD
from asgi_lab.events import Trace
from asgi_lab.measures import Measures
from asgi_lab.scene.choice import check, choose, titled
from asgi_lab.text import trace_lines
from asgi_lab.view.bars import GLYPHS
from asgi_lab.view.concurrency import concurrency_chart
from asgi_lab.view.onion import onion
from asgi_lab.view.rows import ERROR, QUIET
from asgi_lab.view.sequence import ladder
from asgi_lab.view.states import states_view
from asgi_lab.view.summary import summary
from asgi_lab.view.timeline import timeline

View = Callable[[Trace, Measures, int, int | None], RenderableType]


def render(
    name: str,
    trace: Trace,
    *,
    width: int,
    conn: int | None = None,
    only: Container[int] | None = None,
) -> RenderableType:
    """Return one view of a finished trace, `width` cells wide.

    `conn` chooses the connection, for the views of one; without it, `choose` does. `only` says
    which connections are shown; who held their loop is measured on all. Raises `ValueError` if
    there is no such view or connection.
    """
    if name not in VIEWS:
        raise ValueError(f"unknown view {name!r}: expected one of {', '.join(VIEWS)}")
    measures = Measures(keep=None)
    measures.feed(trace.events)
    if only is not None:
        if name == "timeline":
            return timeline(trace, measures, width, only)
        trace = trace.of(event for event in trace.events if event.conn in only)
        measures = Measures(keep=None)
        measures.feed(trace.events)
    if conn is not None:
        check(measures, conn)
    return VIEWS[name](trace, measures, width, conn)


def _of_one(draw: Callable[[Trace, int | None, int], RenderableType]) -> View:
    """Return a view of one connection: which, and why that, and the drawing of it."""

    def view(trace: Trace, measures: Measures, width: int, conn: int | None) -> RenderableType:
        chosen, why = choose(measures)
        if conn is not None:
            chosen = next(c for c in measures.connections if c.conn == conn)
        if chosen is None:
            return Text("no requests yet")
        title = Text(titled(chosen), "bold")
        if conn is None:
            title.append(f"  ({why}; --conn N shows another)", QUIET)
        return Group(title, Text(), draw(trace, chosen.conn, width))

    return view


def _events(trace: Trace, measures: Measures, width: int, conn: int | None) -> RenderableType:
    if conn is not None:
        trace = trace.of(event for event in trace.events if event.conn == conn)
    if not trace.events:
        return Text("no events yet")
    text = Text(no_wrap=True, overflow="ignore")  # whole lines: the terminal folds them, grep not
    for line in trace_lines(trace):
        head, body = line[:PREFIX], line[PREFIX:]
        text.append(head, QUIET).append(body + "\n", MARKS.get(_mark(body), ""))
    text.rstrip()
    return text


def _summary(trace: Trace, measures: Measures, width: int) -> RenderableType:
    return summary(measures, width, trace.dropped, trace.header.get("cost"))


def _mark(body: str) -> str:
    return body.partition("  ")[2].lstrip()[:1]


PREFIX = 14
"""Cells of the offset at the beginning of a line of events."""

MARKS = {"×": ERROR, "█": GLYPHS[HOLD][1], "▄": GLYPHS[THREAD][1], "+": QUIET}
"""Styles of lines of events, by the sign of what they tell."""


VIEWS: dict[str, View] = {
    "timeline": lambda trace, measures, width, conn: timeline(trace, measures, width),
    "events": _events,
    "sequence": _of_one(ladder),
    "layers": _of_one(onion),
    "concurrency": lambda trace, measures, width, conn: concurrency_chart(trace, width),
    "states": _of_one(states_view),
    "summary": lambda trace, measures, width, conn: _summary(trace, measures, width),
}
"""Every view by name: a function of a trace, its measures, a width and a connection."""


def demo() -> None:
    """Draw every view of a small trace made by hand."""
    from asgi_lab.view.sample import sample_trace

    console = Console(highlight=False)
    for name in VIEWS:
        console.rule(name, align="left", style=QUIET)
        console.print(render(name, sample_trace(), width=console.width), soft_wrap=True)
        console.print()


if __name__ == "__main__":
    demo()
