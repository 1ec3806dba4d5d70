"""A comparison in the terminal: both workloads on one axis, and what came out."""

from collections.abc import Sequence
from itertools import groupby

from rich.cells import set_cell_size
from rich.console import Group
from rich.text import Text

from asgi_lab.connection import Phase
from asgi_lab.plain import shorten
from asgi_lab.scene.comparison import Compared, comparison
from asgi_lab.scene.model import Group as Side
from asgi_lab.scene.model import Lane, Scene
from asgi_lab.scene.roles import RAISE
from asgi_lab.view.bars import axis, bar, cells, legend
from asgi_lab.view.plaintext import plaintext
from asgi_lab.view.rows import ERROR, QUIET

ROWS = 24
"""Rows for one side; of more, some are left out between the first and the last."""

LABEL = 24
"""Cells for the name of a request, at most."""

Row = tuple[Lane, tuple[str, ...]]
"""A request, and the phase of each cell."""


def comparison_view(compared: Compared, width: int) -> Group:
    """Draw both sides, one above the other, on the same axis of time."""
    scene = comparison(compared)
    if not scene.lanes:
        return Group(Text("no requests"))
    label = min(max(len(lane.label) for lane in scene.lanes) + 7, LABEL + 7)
    room = max(width - label - 2, 10)
    drawn = _drawn(scene, room)
    lines = []
    for side in scene.groups:
        lines += [_heading(side), *_rows(drawn[side.first : side.last + 1], label), Text()]
    span = round(scene.axis.span)
    lines.append(Text(" " * (label + 2) + axis(span, room), "bold", no_wrap=True))
    used = {what for _, row in drawn for what in row}
    lines += [Text(), Text(scene.title, "bold"), *legend(used, width, scene.held)]
    return Group(*lines)


def _drawn(scene: Scene, room: int) -> list[Row]:
    phases: list[list[Phase]] = [[] for _ in scene.lanes]
    for item in scene.items:
        phases[item.lane].append((round(item.begin), round(item.end), item.role))
    begin, end = round(scene.axis.begin), round(scene.axis.end)
    return [
        (lane, tuple(cells(own, begin, end, room)))
        for lane, own in zip(scene.lanes, phases, strict=True)
    ]


def _heading(side: Side) -> Text:
    """Return who it is, who serves it, and how long it took."""
    served_by, _, took = side.detail.partition(" · ")
    text = Text(side.label, "bold").append(f"   {served_by}", QUIET)
    return text.append(f"   {took}", "bold")


def _rows(drawn: Sequence[Row], label: int) -> list[Text]:
    """Return a row a request; those that look alike share one, with their number."""
    folded = [
        (next(same), 1 + len(list(same)))
        for _, same in groupby(drawn, key=lambda row: (row[0].label, row[0].role, row[1]))
    ]
    if len(folded) <= ROWS:
        return [_paint(*each, label) for each in folded]
    head = ROWS // 2
    middle = sum(count for _, count in folded[head : head - ROWS])
    return [
        *(_paint(*each, label) for each in folded[:head]),
        Text(f"  … {middle} more", QUIET),
        *(_paint(*each, label) for each in folded[head - ROWS :]),
    ]


def _paint(row: Row, count: int, label: int) -> Text:
    """Return a row, painted."""
    lane, phases = row
    times = f" ×{count}" if count > 1 else ""
    title = shorten(lane.label, label - len(times), "middle") + times
    style = ERROR if lane.role == RAISE else ""
    text = Text("  " + set_cell_size(title, label - 2), style, no_wrap=True)
    text.append("  ")
    text.append_text(bar(phases))
    text.rstrip()
    return text


def as_text(compared: Compared, width: int = 80) -> str:
    """Return the picture as plain text."""
    return plaintext(comparison_view(compared, width), width)
