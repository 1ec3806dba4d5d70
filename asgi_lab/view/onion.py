"""The layers in the terminal: a row a layer, and what crossed its border, step by step."""

from rich.console import Group
from rich.text import Text

from asgi_lab.events import Trace
from asgi_lab.plain import shorten
from asgi_lab.scene import roles
from asgi_lab.scene.layers import layers
from asgi_lab.scene.model import Lane, Scene
from asgi_lab.view.rows import ERROR, QUIET
from asgi_lab.view.theme import STYLES, terminal_style

WIDE = 100
"""Cells from which on there is room for when a layer is entered and left."""

MOST = 4
"""Cells for a step, at most."""

TIMES = 20
"""Cells that those take."""

OWN, INNER = (STYLES[role].glyph for role in (roles.OWN, roles.INNER))
IN, OUT, PAUSE = "▼", "▲", "⋮"


def onion(trace: Trace, conn: int | None, width: int) -> Group:
    """Draw one connection's layers as nested bars, and what passed through them."""
    scene = layers(trace, conn)
    if not scene.lanes:
        return Group(Text(scene.title))
    steps = len(scene.axis.ticks)
    wide = width >= WIDE
    names = _names(scene.lanes, "  " if wide else " ")
    name_width = max(min(max(map(len, names)), width // 3), 6)
    passed = [lane.facts[2] if lane.facts else "" for lane in scene.lanes]
    fact_width = max(min(max(map(len, passed)), width // 4 + 2), len("passed"))
    room = max(width - name_width - fact_width - 4, 8)
    wide = wide and room - TIMES >= 2 * steps
    room -= TIMES * wide
    step = max(min(room // steps, MOST), 1)
    shown = min(room // step, steps)
    head = f"{'enters':>8}  {'leaves':>8}  " if wide else ""
    title = f"{'layer':<{name_width}}  {head}{'':<{shown * step}}  passed"
    lines = [Text(title, "bold", no_wrap=True)]
    for index, lane in enumerate(scene.lanes):
        line = Text(f"{shorten(names[index], name_width):<{name_width}}  ", no_wrap=True)
        if wide:
            enters, leaves = lane.facts[:2] if lane.facts else ("", " ")
            line.append(f"{enters:>8}  {leaves or '…':>8}  ")
        line.append(_row(scene, index, shown, step), terminal_style(roles.OWN))
        style = ERROR if lane.role == roles.RAISE else QUIET
        line.append(f"  {shorten(passed[index], fact_width)}", style)
        line.rstrip()
        lines.append(line)
    legend = f"{OWN} in this layer  {INNER} in one further inside  {IN} a message in  {OUT} out"
    lines += [Text(), Text(legend)]
    if shown < steps:
        lines.append(Text(f"… {steps - shown} more steps; see --view sequence", QUIET))
    return Group(*lines)


def _names(lanes: tuple[Lane, ...], indent: str) -> list[str]:
    """Return the names, each layer further to the right than the one around it."""
    first = next((index for index, lane in enumerate(lanes) if lane.facts), 0)
    return [f"{indent * max(index - first, 0)}{lane.label}" for index, lane in enumerate(lanes)]


def _row(scene: Scene, lane: int, steps: int, step: int) -> str:
    """Return the cells of a lane: its box, the box within it, and what crossed its border."""
    row = [" "] * (steps * step)
    for box in scene.boxes:
        begin, end = int(box.begin) * step, int(box.end) * step + 1
        if box.lane == lane:
            row[begin:end] = OWN * (min(end, len(row)) - begin)
        elif box.lane == lane + 1 and scene.lanes[lane].facts and begin < len(row):
            row[begin + 1 : end - 1] = INNER * (min(end - 1, len(row)) - begin - 1)
    for note in scene.notes:
        at = int((note.at + 0.5) * step) - 1
        if step > 1 and note.lane < 0 and 0 <= at < len(row):
            row[at] = PAUSE
    for arrow in scene.arrows:
        at = int(arrow.at) * step
        if at < len(row) and min(arrow.source, arrow.target) < lane <= max(
            arrow.source, arrow.target
        ):
            row[at] = _sign(arrow.role, inwards=arrow.target > arrow.source)
    return "".join(row)


def _sign(role: str, inwards: bool) -> str:
    if role in (roles.RAISE, roles.CANCEL):
        return STYLES[role].glyph
    if role == roles.RETURN:
        return OWN
    return IN if inwards else OUT
