"""The columns at the left of lanes: numbers, names, facts; as many as there is room for."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from asgi_lab.scene.model import Lane
from asgi_lab.scene.roles import RAISE
from asgi_lab.view.figure.frame import Frame
from asgi_lab.view.figure.page import Floats, Page

FACTS = {False: ("status", "total"), True: ("total",)}
"""Which facts are told at the left; of all, and where there is less room."""

LABEL = 17
"""The width of a lane's name, at most, in em."""


class Names:
    """The columns at the left: number, name, and facts of each lane. `right` is where they end."""

    def __init__(self, page: Page) -> None:
        scene, em = page.scene, page.em
        self.page = page
        self.columns: list[tuple[int, float]] = []
        self.left = page.margin + (em if scene.groups else 0)
        if "#" in scene.columns:
            self.left = self._column(scene.columns.index("#"), self.left) + 0.8 * em
        times = f" ×{len(scene.lanes)}" if scene.groups else ""
        wide = page.widest(lane.label + times for lane in scene.lanes)
        self.room = min(wide, LABEL * em)
        self.right = self.left + self.room
        for fact in FACTS[page.size.brief]:
            if fact in scene.columns:
                self.right = self._column(scene.columns.index(fact), self.right + 1.2 * em)
        self.right += (3.2 if scene.groups else 1.4) * em

    def _column(self, index: int, x: float) -> float:
        scene = self.page.scene
        texts = [lane.facts[index] for lane in scene.lanes if len(lane.facts) > index]
        right = x + self.page.widest([scene.columns[index], *texts])
        self.columns.append((index, right))
        return right

    def write(self, frame: Frame) -> None:
        """Write them: of lanes closer than letters are high, some; those that failed first."""
        page, lanes = self.page, self.page.scene.lanes
        if page.scene.groups and not self.columns:
            self._runs(frame)
            return
        for index, right in self.columns:
            head = page.scene.columns[index]
            page.text(right, frame.top - 1.2 * page.em, head, page.quiet, size=0.85, align="right")
        crowded = frame.pitch < 1.1 * page.em
        for lane in apart(lanes, frame.middles, (3.5 if crowded else 1.1) * page.em):
            y = float(frame.middles[lane])
            self._name(lanes[lane], y)
            for index, right in self.columns:
                if len(lanes[lane].facts) > index:
                    colour = page.colour(RAISE) if lanes[lane].role == RAISE else page.quiet
                    page.text(right, y, lanes[lane].facts[index], colour, align="right")

    def _name(self, lane: Lane, y: float, many: int = 1) -> None:
        page = self.page
        failed = lane.role == RAISE
        times = "" if many == 1 else " each" if "×" in lane.label else f" ×{many}"
        label = page.fit(lane.label, self.room - page.measure(times), bold=failed)
        page.text(self.left, y, label + times, page.colour(RAISE) if failed else "", bold=failed)

    def _runs(self, frame: Frame) -> None:
        """Write names that follow one another once, with their number, beside a bracket."""
        page, lanes = self.page, self.page.scene.lanes
        for group in page.scene.groups:
            some = list(range(group.first, group.last + 1))
            free = -np.inf
            for _, run in groupby(some, key=lambda i: (lanes[i].label, lanes[i].role)):
                same = list(run)
                top, bottom = frame.rows(same[0], same[-1])
                y = (top + bottom) / 2
                if y - free < 1.3 * page.em:
                    continue
                free = y
                self._name(lanes[same[0]], y, len(same))
                if len(same) > 1:
                    x = frame.left - 0.7 * page.em
                    gap = 0.2 * frame.pitch
                    page.strokes(x, top + gap, x, bottom - gap, page.quiet, 0.1 * page.em)


def apart(lanes: Sequence[Lane], middles: Floats, least: float) -> list[int]:
    """Return the lanes whose names have room; those that failed come first."""
    taken: dict[int, float] = {}
    chosen = []
    for lane in sorted(range(len(lanes)), key=lambda i: lanes[i].role != RAISE):
        y = float(middles[lane])
        slot = int(y // least)
        if all(abs(taken.get(near, -1e9) - y) >= least for near in (slot - 1, slot, slot + 1)):
            taken[slot] = y
            chosen.append(lane)
    return sorted(chosen)
