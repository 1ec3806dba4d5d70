"""A ladder: columns for who takes part, an arrow for each message, time flowing down."""

from itertools import pairwise
from typing import NamedTuple

from asgi_lab.scene.model import Arrow, Tick
from asgi_lab.scene.roles import MARK, RAISE
from asgi_lab.view.figure.legend import apart, dash_of, legend
from asgi_lab.view.figure.legend import arrow as arrow_sample
from asgi_lab.view.figure.page import Page

STEP = 2.3
"""The height of a step, in em."""


def paint(page: Page) -> None:
    """Paint a sequence."""
    scene, em = page.scene, page.em
    page.title()
    left = page.margin + page.widest(tick.label for tick in scene.axis.ticks)
    heads = _heads(page, left + 1.2 * em)
    columns = [head.x for head in heads]
    top = page.y
    rungs = _rungs(page, top + 2.2 * em)
    bottom = max(rungs.values(), default=top) + 1.2 * em
    for head in heads:
        page.strokes(head.x, head.bottom, head.x, bottom, page.grid, 0.14 * em, z=0.6)
    _times(page, left, scene.axis.ticks, rungs)
    for arrow in scene.arrows:
        _arrow(page, arrow, columns, rungs[round(arrow.at)])
    _notes(page, columns, rungs)
    page.y = bottom
    legend(page, apart(scene.roles), arrow_sample)


class Head(NamedTuple):
    """The name of a column: its middle, and where it ends."""

    x: float
    bottom: float


def _heads(page: Page, left: float) -> list[Head]:
    """Write who takes part; of names that would touch, one is higher than the other."""
    em, lanes = page.em, page.scene.lanes
    words = [page.fit(lane.label, 18 * em, bold=True) for lane in lanes]
    wide = [page.measure(word, bold=True) + 1.4 * em for word in words]
    first, last = left + wide[0] / 2, page.width - page.margin - wide[-1] / 2
    step = (last - first) / max(len(lanes) - 1, 1)
    columns = [first + step * index for index in range(len(lanes))]
    ends: list[float] = []  # of each tier, the lowest first
    tiers = []
    for x, room in zip(columns, wide, strict=True):
        fitting = (tier for tier, end in enumerate(ends) if end < x - room / 2)
        tier = next(fitting, len(ends))
        ends[tier : tier + 1] = [x + room / 2 + 0.5 * em]
        tiers.append(tier)
    page.y += 2.4 * em * len(ends)
    heads = []
    for x, room, word, tier in zip(columns, wide, words, tiers, strict=True):
        y = page.y - 2.4 * em * tier
        page.box(x - room / 2, y - 2.0 * em, x + room / 2, y, page.paper, page.quiet,
                 line=0.1 * em, round=0.4 * em, z=3)  # fmt: skip
        page.text(x, y - 1.0 * em, word, bold=True, align="center")
        heads.append(Head(x, y))
    return heads


def _rungs(page: Page, top: float) -> dict[int, float]:
    """Return the height of each step; a silence before it takes room of its own."""
    scene = page.scene
    steps = [round(arrow.at) for arrow in scene.arrows]
    steps += [round(note.at) for note in scene.notes if note.lane >= 0]
    steps += [round(tick.at) for tick in scene.axis.ticks]
    silences = {note.at for note in scene.notes if note.lane < 0}
    y, rungs = top, {}
    for step in range(max(steps, default=-1) + 1):
        y += 1.9 * page.em if step - 0.5 in silences else 0
        rungs[step] = y
        y += STEP * page.em
    return rungs


def _times(page: Page, right: float, ticks: tuple[Tick, ...], rungs: dict[int, float]) -> None:
    """Write when each step was, where that differs from the step before."""
    for before, tick in pairwise([Tick(-1, ""), *ticks]):
        if tick.label != before.label:
            page.text(right, rungs[round(tick.at)], tick.label, page.quiet, align="right")


def _arrow(page: Page, arrow: Arrow, columns: list[float], y: float) -> None:
    """Draw an arrow, its words above it."""
    em = page.em
    source, target = columns[arrow.source], columns[arrow.target]
    way = 0.2 * em if target > source else -0.2 * em
    source, target = source + way, target - way
    page.arrow(source, y, target, y, page.colour(arrow.role), dash=dash_of(arrow.role))
    if not arrow.label:
        return
    left, right = min(source, target), max(source, target)
    failed = arrow.role == RAISE
    words, wide = arrow.label, page.measure(arrow.label, 0.95, failed)
    if wide > right - left - 1.2 * em:  # it may go on to the edge of the page: nobody else is there
        words = page.fit(words, page.width - page.margin - left - 0.6 * em, 0.95, failed)
        page.text(left + 0.6 * em, y - 0.8 * em, words, _words_of(page, arrow.role), size=0.95,
                  bold=failed, halo=True)  # fmt: skip
    else:
        page.text((left + right) / 2, y - 0.8 * em, words, _words_of(page, arrow.role), size=0.95,
                  bold=failed, align="center")  # fmt: skip


def _words_of(page: Page, role: str) -> str:
    return page.colour(role) if role == RAISE else page.ink


def _notes(page: Page, columns: list[float], rungs: dict[int, float]) -> None:
    """Write silences between the steps, and words beside a column."""
    em = page.em
    for note in page.scene.notes:
        if note.lane < 0:
            y = rungs[round(note.at + 0.5)] - 2.4 * em
            x = (columns[0] + columns[-1]) / 2
            page.text(x, y, note.text, page.quiet, align="center", halo=True, bold=True)
            continue
        step = round(note.at)
        y, x = rungs[step] + (note.at - step) * STEP * em, columns[note.lane]
        bold = note.role == MARK
        room = page.width - page.margin - x - em
        left = page.measure(note.text, 0.95, bold) > room and x > page.width / 2
        words = page.fit(note.text, x - page.margin - em if left else room, 0.95, bold)
        page.text(x + (-0.7 if left else 0.7) * em, y, words, size=0.95, bold=bold, halo=True,
                  align="right" if left else "left")  # fmt: skip
        if not bold:
            page.box(x - 0.25 * em, y - 0.25 * em, x + 0.25 * em, y + 0.25 * em, page.quiet, z=3)
