"""Rings: each layer a box around the next, an onion cut open, and what passes through."""

from collections.abc import Sequence

from asgi_lab.scene.model import Arrow
from asgi_lab.scene.roles import OWN, RAISE
from asgi_lab.view.figure.legend import apart, dash_of, legend
from asgi_lab.view.figure.legend import arrow as arrow_sample
from asgi_lab.view.figure.page import Page

RING = 3.0
"""The height of a ring, in em."""

WIDEST = 11.0
"""A step is at most so many em wide."""


class Rings:
    """Where the steps and the rings are, in px."""

    def __init__(self, page: Page) -> None:
        scene, em = page.scene, page.em
        self.page = page
        lanes = scene.lanes
        boxed = [box.lane for box in scene.boxes]
        names = [lane.label for index, lane in enumerate(lanes) if index not in boxed]
        inner = max((page.measure(lanes[lane].label, bold=True) for lane in boxed), default=0)
        outer = max((page.measure(name, bold=True) for name in names), default=0)
        self.inset = 0.7 * em
        self.names = page.margin
        self.left = page.margin + max(outer, min(inner, 20 * em)) + 2.4 * em
        self.left += self.inset * len(boxed)
        right = page.width - page.margin - self.inset * len(boxed) - 1.0 * em
        steps = scene.axis.span
        self.step = min((right - self.left) / (steps + 1), WIDEST * em)
        self.top = page.y
        self.high = RING * em

    def x(self, at: float) -> float:
        """Return where a step is."""
        return self.left + (at - self.page.scene.axis.begin + 0.5) * self.step

    def y(self, lane: float) -> float:
        """Return the middle of a lane."""
        return self.top + (lane + 0.5) * self.high


def paint(page: Page) -> None:
    """Paint the layers of one connection."""
    page.title()
    if any(note.lane < 0 for note in page.scene.notes):
        page.y += 1.6 * page.em
    rings = Rings(page)
    page.y = _boxes(rings)
    _silences(rings)
    _times(rings)
    said = {lane.label for lane in page.scene.lanes}
    for index, arrow in enumerate(page.scene.arrows):
        _arrow(rings, arrow)
        if arrow.label and arrow.label not in said:
            said.add(arrow.label)
            _words(rings, arrow, page.scene.arrows[index + 1 :])
    for note in page.scene.notes:
        if note.lane >= 0:
            page.marks(rings.x(note.at), rings.y(note.lane), "s", page.quiet, 0.5 * page.em)
            page.text(rings.x(note.at) + 0.6 * page.em, rings.y(note.lane), note.text, size=0.9,
                      halo=True)  # fmt: skip
    shown = [role for role in page.scene.roles if any(a.role == role for a in page.scene.arrows)]
    legend(page, apart(shown), arrow_sample)


def _boxes(rings: Rings) -> float:
    """Draw the rings, the outermost first, each with its name; return where they end."""
    page, em = rings.page, rings.page.em
    boxes = sorted(page.scene.boxes, key=lambda box: box.lane)
    depth = len(boxes)
    floor = rings.y(max(len(page.scene.lanes) - 1, 0)) + rings.high / 2
    for index, box in enumerate(boxes):
        out = rings.inset * (depth - index - 1)
        left = page.margin + rings.inset * index
        right = max(rings.x(box.end), rings.x(box.begin)) + 0.5 * rings.step + out
        face = page.tint(page.colour(OWN), 0.1 + 0.3 * (index + 1) / depth)
        page.box(left, rings.y(box.lane) - rings.high / 2, right, floor + out, face,
                 page.tint(page.ink, 0.6), line=0.1 * em, round=0.5 * em, z=0.5 + index / 100,
                 )  # fmt: skip
        words = page.fit(box.label, rings.x(box.begin) - left - 2.4 * em, bold=True)
        page.text(left + 0.7 * em, rings.y(box.lane), words, bold=True)
        if box.role == RAISE:
            x = left + 1.9 * em + page.measure(words, bold=True)
            page.marks(x, rings.y(box.lane), "x", page.colour(RAISE), 0.7 * em)
    inside = {box.lane for box in boxes}
    for index, lane in enumerate(page.scene.lanes):
        if index not in inside:
            page.text(page.margin, rings.y(index), lane.label, bold=True)
            x = rings.x(page.scene.axis.end) + 0.5 * rings.step
            page.strokes(rings.left, rings.y(index), x, rings.y(index), page.grid, 0.14 * em, z=0.4)
    return floor + rings.inset * max(depth - 1, 0)


def _silences(rings: Rings) -> None:
    """Show where time passed between two steps."""
    page, em = rings.page, rings.page.em
    free = 0.0
    for note in page.scene.notes:
        x, half = rings.x(note.at), page.measure(note.text, bold=True) / 2
        if note.lane < 0 and x - half > free:
            page.strokes(x, rings.top, x, page.y, page.quiet, 0.12 * em, dash=(0, (1, 2)), z=1.5)
            page.text(x, rings.top - 0.7 * em, note.text, page.quiet, bold=True, align="center")
            free = x + half + 0.6 * em


def _times(rings: Rings) -> None:
    """Write below when a step was, where that differs from the one before and there is room."""
    page, em = rings.page, rings.page.em
    free, before = 0.0, ""
    page.y += 1.0 * em
    for tick in page.scene.axis.ticks:
        half = page.measure(tick.label, 0.9) / 2
        x = rings.x(tick.at)
        if tick.label != before and x - half > free:
            page.text(x, page.y, tick.label, page.quiet, size=0.9, align="center")
            free, before = x + half + 0.6 * em, tick.label
    words = "time since the first step"
    middle = (rings.left + rings.x(page.scene.axis.end)) / 2
    page.text(middle, page.y + 1.3 * em, words, page.quiet, size=0.9, align="center")
    page.y += 2.0 * em


def _arrow(rings: Rings, arrow: Arrow) -> None:
    """Draw an arrow through the rings."""
    page, em = rings.page, rings.page.em
    x, way = rings.x(arrow.at), 0.3 * em if arrow.target > arrow.source else -0.3 * em
    page.arrow(x, rings.y(arrow.source) - way, x, rings.y(arrow.target) + way,
               page.colour(arrow.role), dash=dash_of(arrow.role))  # fmt: skip


def _words(rings: Rings, arrow: Arrow, later: Sequence[Arrow]) -> None:
    """Write what an arrow is at its right, up to the next in these rings; else along it."""
    page, em, size = rings.page, rings.page.em, 0.85
    x = rings.x(arrow.at) + 0.4 * em
    low, high = sorted((arrow.source, arrow.target))
    crossing = (a.at for a in later if min(a.source, a.target) <= low < max(a.source, a.target))
    room = min((rings.x(at) for at in crossing), default=page.width - page.margin) - x - 0.9 * em
    long = (high - low) * rings.high - 1.6 * em
    for words in (arrow.label, arrow.label.partition(":")[0], arrow.label.partition(" ")[0]):
        wide = page.measure(words, size)
        if wide <= room:
            page.tag(x, rings.y(low) + 0.78 * em, words, size=size)
            return
        if wide <= long and rings.step > 1.5 * em:
            page.tag(x - 0.1 * em, (rings.y(low) + rings.y(high)) / 2, words, size=size,
                     upright=True)  # fmt: skip
            return
