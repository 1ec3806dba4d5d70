"""The sequence in the terminal: a ladder, time flowing down."""

from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from asgi_lab.events import Trace
from asgi_lab.plain import shorten
from asgi_lab.scene import roles
from asgi_lab.scene.model import Arrow, Note, Scene
from asgi_lab.scene.sequence import sequence
from asgi_lab.view.rows import ERROR, QUIET

HEAD = 12
"""Cells for the time of a step."""

LANE, WIDEST = 11, 18
LABELS = 30
"""Cells between two lanes, at least and at most, and of the labels right of them, at least."""

BAD = (roles.RAISE, roles.FINDING)


def ladder(trace: Trace, conn: int | None, width: int) -> Group:
    """Draw one connection as a ladder, with the layers if there is room for their lanes."""
    scene = sequence(trace, conn)
    if not scene.lanes:
        return Group(Text(scene.title))
    needed = HEAD + len(scene.lanes) * LANE + LABELS
    left_out = ""
    if needed > width and len(scene.lanes) > 3:
        whole, scene = scene, sequence(trace, conn, depth=0)
        layers = len(whole.lanes) - len(scene.lanes)
        left_out = f"{layers} layers fit from {needed - LANE} columns; see also --view layers"
    lines = paint(scene, width)
    if roles.UNSEEN in scene.roles:
        lines += [Text(), Text(f"┄ {roles.MEANINGS[roles.UNSEEN]}", QUIET)]
    if left_out:
        lines.append(Text(left_out, QUIET))
    return Group(*lines)


def paint(scene: Scene, width: int) -> list[Text]:
    """Return the lines of a scene that flows down."""
    room = (width - HEAD - LABELS - 10) // len(scene.lanes)
    lane = min(max(room, LANE), WIDEST)
    at = [HEAD + index * lane for index in range(len(scene.lanes))]
    heads = " " * HEAD
    for x, each in zip(at, scene.lanes, strict=True):
        heads = heads[:x].ljust(x) + shorten(each.label, lane - 1)
    return [Text(heads, "bold", no_wrap=True), *_rungs(scene, at, width)]


def _rungs(scene: Scene, at: list[int], width: int) -> Iterator[Text]:
    times = {tick.at: tick.label for tick in scene.axis.ticks}
    arrows: dict[float, list[Arrow]] = {}
    for arrow in scene.arrows:
        arrows.setdefault(arrow.at, []).append(arrow)
    notes: dict[float, list[Note]] = {}
    for note in scene.notes:
        notes.setdefault(note.at, []).append(note)
    for place in sorted({*arrows, *notes}):
        for note in notes.get(place, ()):
            style = ERROR if note.role in BAD else QUIET
            yield _rung(times.get(place, ""), at, [], note.text, width, style)
        if drawn := arrows.get(place):
            label, style = drawn[0].label, ERROR if drawn[0].role in BAD else ""
            yield _rung(times[place], at, drawn, label, width, style)


def _rung(
    time: str, at: list[int], arrows: list[Arrow], label: str, width: int, style: str
) -> Text:  # fmt: skip
    """Return one line: the time, the lanes, the arrows over them, and what passes."""
    row = [" "] * (at[-1] + 1)
    for x in at:
        row[x] = "│"
    for arrow in arrows:
        stroke = "┄" if arrow.role == roles.UNSEEN else "─"
        _draw(row, at[arrow.source], at[arrow.target], stroke)
    body = f"{time:>{at[0] - 2}}" + "".join(row)[at[0] - 2 :]
    line = Text(body, no_wrap=True)
    return line.append("  " + shorten(label, max(width - len(body) - 2, 8)), style)


def _draw(row: list[str], source: int, target: int, stroke: str) -> None:
    low, high = sorted((source, target))
    for x in range(low + 1, high):
        row[x] = "┼" if row[x] == "│" else stroke
    row[target - 1 if source < target else target + 1] = "►" if source < target else "◄"
