"""What is wrong, on lanes of time: a sign and a name beside the moment at which it shows."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from asgi_lab.scene.model import Flag
from asgi_lab.view.figure import bars
from asgi_lab.view.figure.frame import Frame

SIZE = 0.85
"""The letters of a name, in em."""

HALF = 0.8
"""Half the height of a flag, in em."""

BELOW = 2.0
"""The height of the strip for what shows in no lane, in em."""


class Box(NamedTuple):
    """Where a flag is, in px; `named` if its name is in it."""

    left: float
    top: float
    right: float
    bottom: float
    named: bool


def paint(frame: Frame) -> None:
    """Paint the flags of a scene, the worst first; what has no room for its name is a sign."""
    page, em = frame.page, frame.page.em
    taken: list[Box] = []
    for flag in page.scene.flags:
        lane = flag.lane >= 0
        y = float(frame.middles[flag.lane]) if lane else frame.bottom - BELOW * em / 2
        free = (box for box in places(frame, flag, y) if not any(overlap(box, o) for o in taken))
        box = next(free, None)
        if box is None:
            continue
        taken.append(box)
        left, top, right, bottom, named = box
        if named:
            page.box(left, top, right, bottom, page.paper, page.colour(flag.role),
                     line=0.12 * em, round=0.3 * em, z=5)  # fmt: skip
            page.text(left + 1.6 * em, y, flag.label, size=SIZE, bold=True)
        bars.mark(page, flag.role, left + 0.85 * em, y, 0.72 * em, z=5.5)


def places(frame: Frame, flag: Flag, y: float) -> Iterator[Box]:
    """Yield where a flag may be, the best first: on a long bar, before it, after a short one."""
    page, em = frame.page, frame.page.em
    x = float(frame.x(flag.at))
    end, gap = max(end_of(frame, flag), x), 0.5 * em

    def box(left: float, wide: float, named: bool) -> Iterator[Box]:
        if left >= frame.left - em and left + wide <= page.width - 0.3 * em:
            yield Box(left, y - HALF * em, left + wide, y + HALF * em, named)

    if flag.label:
        wide = page.measure(flag.label, SIZE, bold=True) + 2.4 * em
        if end - x > wide + 2 * gap:
            yield from box(x + gap, wide, True)
        for left in (x - gap - wide, end + gap, x + gap):
            yield from box(left, wide, True)
    for left in (x - 1.7 * em, x):
        yield from box(left, 1.7 * em, False)


def end_of(frame: Frame, flag: Flag) -> float:
    """Return where the bar ends that is there at the moment of a flag, in px; else far left."""
    columns = bars.columns_of(frame.page.scene.items)
    begin, end, lane = (columns[name] for name in ("begin", "end", "lane"))
    there = (lane == flag.lane) & (begin <= flag.at) & (end > flag.at)
    return float(frame.x(np.max(end[there]))) if there.any() else -np.inf


def overlap(a: Box, b: Box) -> bool:
    """Return whether two have a place in common."""
    across = a.left < b.right and b.left < a.right
    return across and a.top < b.bottom and b.top < a.bottom
