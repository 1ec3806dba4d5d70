"""A comparison in the terminal: both workloads on one axis, and what came out."""

from collections.abc import Sequence
from itertools import groupby

from rich.cells import set_cell_size
from rich.console import Console, Group
from rich.text import Text

from asgi_lab.experiment.comparison import LINE, Comparison, Lane, Side, lanes
from asgi_lab.plain import clean, shorten
from asgi_lab.view.bars import axis, bar, cells, legend
from asgi_lab.view.rows import ERROR, QUIET

ROWS = 24
"""Rows for one side; of more, some are left out between the first and the last."""

LABEL = 24
"""Cells for the name of a request, at most."""

IN_LINE = "·"

Row = tuple[str, bool, tuple[str, ...]]
"""A label, whether it failed, and the phase of each cell."""


def comparison_view(comparison: Comparison, width: int) -> Group:
    """Draw both sides, one above the other, on the same axis of time."""
    sides = [(side, lanes(side.trace)) for side in (comparison.a, comparison.b)]
    every = [lane for _, some in sides for lane in some]
    if not every:
        return Group(Text("no requests"))
    span = max(max(lane.end for lane in some) - start(some) for _, some in sides if some)
    label = min(max(len(lane.label) for lane in every) + 7, LABEL + 7)
    room = max(width - label - 2, 10)
    lines, used = [], set[str]()
    for side, some in sides:
        lines += [heading(side), *rows(some, span, room, label, used), Text()]
    lines.append(Text(" " * (label + 2) + axis(span, room), "bold", no_wrap=True))
    lines += [Text(), Text(comparison.verdict(), "bold"), key(used, width, sides)]
    return Group(*lines)


def key(used: set[str], width: int, sides: Sequence[tuple[Side, list[Lane]]]) -> Text:
    """Return the legend."""
    text = Text()
    if LINE in used:
        text.append(f"{IN_LINE} waits in line  ", QUIET)
    for line in legend(used, width, "loop or thread"):
        text.append_text(line)
    return text


def heading(side: Side) -> Text:
    """Return who it is, who serves it, and how long it took."""
    text = Text(side.name, "bold").append(f"   {side.served_by}", QUIET)
    return text.append(f"   {side.seconds:.4g} s", "bold")


def start(some: Sequence[Lane]) -> int:
    """Return when the first request was due, in ns."""
    return min(lane.due for lane in some)


def rows(some: Sequence[Lane], span: int, room: int, label: int, used: set[str]) -> list[Text]:
    """Return a row a request; those that look alike share one, with their number."""
    begin = start(some) if some else 0
    drawn = [
        (lane.label, lane.failed, tuple(cells(lane.phases, begin, begin + span, room)))
        for lane in some
    ]
    folded = [(row, len(list(same))) for row, same in groupby(drawn)]
    if len(folded) > ROWS:
        head = ROWS // 2
        middle = folded[head : -(ROWS - head)]
        between = sum(count for _, count in middle)
        above, below = folded[:head], folded[-(ROWS - head) :]
        gap = Text(f"  … {between} more", QUIET)
        return [
            *(paint(*f, label, used) for f in above),
            gap,
            *(paint(*f, label, used) for f in below),
        ]
    return [paint(row, count, label, used) for row, count in folded]


def paint(row: Row, count: int, label: int, used: set[str]) -> Text:
    """Return a row, painted."""
    name, failed, phases = row
    used.update(phases)
    times = f" ×{count}" if count > 1 else ""
    title = shorten(clean(name), label - len(times), "middle") + times
    text = Text("  " + set_cell_size(title, label - 2), ERROR if failed else "", no_wrap=True)
    text.append("  ")
    text.append_text(bar([IN_LINE if what == LINE else what for what in phases]))
    text.rstrip()
    return text


def as_text(comparison: Comparison, width: int = 80) -> str:
    """Return the picture as plain text."""
    console = Console(width=width, color_system=None, force_terminal=False, highlight=False)
    with console.capture() as capture:
        console.print(comparison_view(comparison, width))
    return capture.get().rstrip()
