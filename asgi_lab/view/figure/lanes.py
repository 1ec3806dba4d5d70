"""Lanes of time: a row a request, or one for many, with what it was at, and facts at the left."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from asgi_lab.plain import duration
from asgi_lab.scene.axis import ticks
from asgi_lab.scene.model import FULL, Box, Lane, Note
from asgi_lab.scene.roles import CODES, MANY, RAISE, STALL
from asgi_lab.view import theme as look
from asgi_lab.view.figure import bars
from asgi_lab.view.figure.legend import bar_in, legend
from asgi_lab.view.figure.page import Floats, Page
from asgi_lab.view.theme import STYLES

FACTS = {False: ("status", "total"), True: ("total",)}
"""Which facts are told at the left; of all, and where there is less room."""

LABEL = 17
"""The width of a lane's name, at most, in em."""

FINE = 0.4
"""Lanes of less than so many em are too fine for shapes."""

HEADING = 3.0
"""The height of the heading of a group, in em."""


class Frame:
    """Where lanes are: `left` to `right`, `top` to `bottom`, in px; `middles` of the lanes."""

    def __init__(self, page: Page, left: float) -> None:
        scene = page.scene
        self.page = page
        self.left, self.right = left, page.width - page.margin - 1.5 * page.em
        self.top = page.y
        count = max(len(scene.lanes), 1)
        heading = HEADING * page.em
        room = page.size.height - page.y - heading * len(scene.groups) - 8 * page.em
        highest = 2.6 if count <= 12 else 1.35 if scene.groups and count > 24 else 2.0
        self.pitch = max(min(room / count, highest * page.em), 10 * page.em / count)
        self.look: bars.Look = "plain" if self.pitch < FINE * page.em else "shaped"
        if len(scene.items) and min(scene.items.share) < FULL:
            self.look = "dense"
        shift = np.zeros(count)
        for group in scene.groups:
            shift[group.first :] += heading
        self.middles: Floats = self.top + shift + self.pitch * (np.arange(count) + 0.5)
        self.bottom = float(self.middles[-1]) + self.pitch / 2

    def x(self, at: Any) -> Any:
        """Return where a place on the axis is."""
        axis = self.page.scene.axis
        return self.left + (at - axis.begin) * ((self.right - self.left) / axis.span)

    def rows(self, first: int, last: int) -> tuple[float, float]:
        """Return from where to where some lanes reach."""
        half = self.pitch / 2
        return float(self.middles[first]) - half, float(self.middles[last]) + half


def paint(page: Page) -> None:
    """Paint a timeline, a density, a comparison: whatever is made of lanes of time."""
    scene = page.scene
    page.title()
    stalls = [box for box in scene.boxes if box.role == STALL]
    page.y += 2.0 * page.em if stalls or scene.columns else 0
    names = Names(page)
    frame = Frame(page, names.right)
    bands(frame, stalls)
    since = "time since the first request" if scene.axis.label == "time" else scene.axis.label
    time_axis(frame, f"{since}; height: how many of a lane's" if frame.look == "dense" else since)
    names.write(frame)
    for role, some in bars.by_role(scene.items, frame.x, frame.middles):
        bars.paint(page, role, some, frame.pitch, frame.look)
    marked = bars.marks(page, scene.items, frame.x, frame.middles, frame.pitch)
    counts(frame)
    labels(frame)
    groups(frame)
    page.y = frame.bottom + 3.0 * page.em
    told = [r for r in scene.roles if r in marked or STYLES[r].shape not in bars.MARKS]
    legend(page, told, bar_in(frame.look))


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
        if page.scene.groups:
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


def bands(frame: Frame, stalls: Sequence[Box]) -> None:
    """Paint where the loop was held, over all lanes, and say so above, where there is room."""
    page, em = frame.page, frame.page.em
    free = 0.0
    for box in sorted(stalls, key=lambda box: box.begin):
        left, right = frame.x(box.begin), max(frame.x(box.end), frame.x(box.begin) + 2)
        top, bottom = frame.rows(box.lane, box.until)
        page.box(left, top - 0.4 * em, right, bottom, page.colour(STALL), page.paper, z=0.5)
        words = f"{page.scene.held} held {duration(box.end - box.begin)}"
        wide = page.measure(words, 0.95, bold=True)
        at = min(
            max((left + right) / 2, frame.left + wide / 2), page.width - page.margin - wide / 2
        )
        if at - wide / 2 > free:
            page.text(at, top - 1.2 * em, words, page.colour(RAISE), size=0.95, bold=True,
                      align="center")  # fmt: skip
            free = at + wide / 2 + em


def time_axis(frame: Frame, words: str) -> None:
    """Draw the axis of time below the lanes, with thin lines up through them."""
    page, em = frame.page, frame.page.em
    most = max(int((frame.right - frame.left) / (7.5 * em)), 2)
    spans = [frame.rows(g.first, g.last) for g in page.scene.groups] or [(frame.top, frame.bottom)]
    tops, bottoms = zip(*spans, strict=True)
    for tick in ticks(page.scene.axis, most):
        x = frame.x(tick.at)
        page.strokes(x, tops, x, bottoms, page.grid, max(0.07 * em, 1), z=0.6)
        page.text(x, frame.bottom + 0.9 * em, tick.label, size=0.95, align="center")
    page.strokes(frame.left, frame.bottom, frame.right, frame.bottom, page.quiet, 0.08 * em, z=0.7)
    page.text(
        (frame.left + frame.right) / 2, frame.bottom + 2.3 * em, words, page.quiet, size=0.9,
        align="center",
    )  # fmt: skip


def counts(frame: Frame) -> None:
    """Say of how many messages one bar speaks, where that does not cover others."""
    page, items = frame.page, frame.page.scene.items
    if frame.pitch < 1.5 * page.em or MANY not in page.scene.roles:
        return
    for item in (items[i] for i, role in enumerate(items.role) if role == CODES[MANY]):
        words = page.scene.text(item).partition(" ")[0] + " ×"
        room = frame.x(item.end) - frame.x(item.begin)
        if page.measure(words, 0.85) + page.em < room:
            y = float(frame.middles[item.lane])
            page.text((frame.x(item.begin) + frame.x(item.end)) / 2, y, words, size=0.85,
                      align="center", halo=True)  # fmt: skip


def labels(frame: Frame) -> None:
    """Write into bars what they are called, where there is room, and part them from one another."""
    page, scene = frame.page, frame.page.scene
    if len(scene.texts) == 1 or frame.pitch < 1.3 * page.em:
        return
    for item in scene.items:
        if not item.label or item.role == MANY or item.end <= item.begin:
            continue
        left, right = frame.x(item.begin), frame.x(item.end)
        top, bottom = frame.rows(item.lane, item.lane)
        if item.begin > scene.axis.begin:
            page.strokes(left, top, left, bottom, page.paper, 0.2 * page.em, z=3)
        words = scene.text(item)
        if page.measure(words) + page.em < right - left:
            y = float(frame.middles[item.lane])
            page.text(left + 0.5 * page.em, y, words, look.INK["light"])


def groups(frame: Frame) -> None:
    """Write the heading of each group, show where its last lane ends, and write its notes."""
    page, em = frame.page, frame.page.em
    columns = bars.columns_of(page.scene.items)
    for group in page.scene.groups:
        top, bottom = frame.rows(group.first, group.last)
        y = top - 1.1 * em
        label = page.fit(group.label, 22 * em, 1.15, bold=True)
        page.text(page.margin, y, label, size=1.15, bold=True)
        x = page.margin + page.measure(label, 1.15, bold=True) + 1.0 * em
        page.text(x, y, group.detail, page.quiet, size=1.05)
        own = (columns["lane"] >= group.first) & (columns["lane"] <= group.last)
        end = float(columns["end"][own].max()) if own.any() else page.scene.axis.begin
        _end(frame, end, top, bottom)
        for note in page.scene.notes:
            if group.first <= note.lane <= group.last:
                _note(frame, note, frame.x(end), top, bottom)


def _end(frame: Frame, end: float, top: float, bottom: float) -> None:
    """Draw where the last of a group was done; the words beside it, or above."""
    page, em, x = frame.page, frame.page.em, frame.x(end)
    words = f"all done after {duration(end - page.scene.axis.begin)}"
    page.strokes(x, top - 0.3 * em, x, bottom, page.ink, 0.16 * em, z=4)
    if x + page.measure(words, 1.15, bold=True) + 1.5 * em < page.width - page.margin:
        page.text(x + em, (top + bottom) / 2 - em, words, size=1.15, bold=True)
    else:
        page.text(x, top - 1.1 * em, words, size=1.15, bold=True, align="right")


def _note(frame: Frame, note: Note, end: float, top: float, bottom: float) -> None:
    """Write words where they belong, on paper of their own; or beside, if the place is narrow."""
    page, em = frame.page, frame.page.em
    words = page.fit(note.text, frame.right - frame.left - 2 * em, 1.15, bold=True)
    half = page.measure(words, 1.15, bold=True) / 2 + 0.8 * em
    at, room = frame.x(note.at), frame.right - end
    if at - half < frame.left and page.measure(words, 1.15) + 1.5 * em < room:
        page.text(end + em, (top + bottom) / 2 + em, words, size=1.15)
        return
    x = min(max(at, frame.left + half), frame.right - half)
    y = min(max(float(frame.middles[note.lane]), top + 1.5 * em), bottom - 1.5 * em)
    edge = page.colour(note.role) if note.role else page.quiet
    page.box(x - half, y - 1.1 * em, x + half, y + 1.1 * em, page.paper, edge,
             line=0.14 * em, round=0.6 * em, z=5)  # fmt: skip
    page.text(x, y, words, size=1.15, bold=True, align="center")
