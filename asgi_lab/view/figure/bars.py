"""Bars and marks: each role in its shape, many thousands of one role as one path."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from asgi_lab.scene.model import FULL, Items
from asgi_lab.scene.roles import CODES, ROLES
from asgi_lab.view.figure.page import Floats, Page
from asgi_lab.view.theme import STYLES

BARS = frozenset({"solid", "hatched", "outlined", "thin", "dashed", "half", "low", "dotted"})
MARKS = {
    "bar": "|",
    "right": ">",
    "left": "<",
    "square": "s",
    "cross": "x",
    "diamond": "d",
    "star": "*",
    "tick": "|",
    "triangle": "^",
    "circle": "o",
}
"""The shapes of marks, as matplotlib calls them."""

LETTERS = {"triangle": "!", "circle": "i"}
"""What stands in the marks of what is wrong."""

ALONE = 3.0
"""Pixels around a bar too short to be seen, in which there is no other: then it is widened."""

SEEN = 1.5
"""To so many pixels."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one role in px: where each begins and ends, its lane's middle, how full it is."""

    begin: Floats
    end: Floats
    middle: Floats
    share: Floats

    def __len__(self) -> int:
        return len(self.begin)


def one(begin: float, end: float, middle: float, share: float = 1.0) -> Bars:
    """Return one bar."""
    return Bars(*(np.array([value]) for value in (begin, end, middle, share)))


def columns_of(items: Items) -> dict[str, Any]:
    """Return the columns of a scene's items as arrays, nothing copied."""
    kinds = {"d": np.float64, "i": np.int32, "B": np.uint8}
    names = ("begin", "end", "lane", "label", "event", "fold", "role", "share")
    return {
        name: np.frombuffer(column, kinds[column.typecode])
        for name, column in zip(names, items.columns, strict=True)
    }


def by_role(items: Items, x: Callable[[Any], Any], middles: Floats) -> Iterator[tuple[str, Bars]]:
    """Yield the bars of each role, those to be painted over others last."""
    columns = columns_of(items)
    for role in reversed(ROLES):
        if STYLES[role].shape not in BARS:
            continue
        chosen = np.flatnonzero(columns["role"] == CODES[role])
        if len(chosen):
            lane, begin = columns["lane"][chosen], columns["begin"][chosen]
            chosen = chosen[np.lexsort((begin, lane))]
            lane, begin, end = (columns[name][chosen] for name in ("lane", "begin", "end"))
            share = columns["share"][chosen] / FULL
            yield role, _joined(x(begin), x(end), lane, middles, share)


def _joined(begin: Floats, end: Floats, lane: Any, middles: Floats, share: Floats) -> Bars:
    """Return bars in order; those that touch as one, and those alone wide enough to be seen."""
    apart = np.ones(len(begin), bool)
    same = (lane[1:] == lane[:-1]) & (share[1:] == share[:-1])
    apart[1:] = ~(same & (begin[1:] - end[:-1] < 0.02))
    first = np.flatnonzero(apart)
    last = np.append(first[1:], len(begin)) - 1
    begin, end, lane, share = begin[first], end[last], lane[first], share[first]
    room = np.full(len(begin), np.inf)
    room[:-1] = np.where(lane[1:] == lane[:-1], begin[1:] - end[:-1], np.inf)
    end = np.where((end - begin < SEEN) & (room > ALONE), begin + SEEN, end)
    return Bars(begin, end, middles[lane], share)


Look = Literal["shaped", "dense", "plain"]
"""Bars in their shapes; as high as they are full; or, where no shape would be seen, in tints."""

TINTS = {
    "solid": 1.0, "half": 0.9, "dashed": 0.6, "low": 0.5, "outlined": 0.5, "hatched": 0.35,
    "thin": 0.4, "dotted": 0.2,
}  # fmt: skip


def paint(page: Page, role: str, bars: Bars, pitch: float, look: Look = "shaped") -> None:
    """Paint bars of one role in lanes `pitch` px apart."""
    style = STYLES[role]
    colour = page.colour(role)
    if look == "plain":
        top, bottom = bars.middle - 0.4 * pitch, bars.middle + 0.4 * pitch
        face = page.tint(colour, TINTS[style.shape])
        page.boxes(bars.begin, top, bars.end, bottom, face, z=2 + TINTS[style.shape] / 2)
        return
    if look == "dense":
        top, bottom = bars.middle + pitch * (0.46 - 0.92 * bars.share), bars.middle + pitch * 0.46
        _filled(page, style.shape, colour, bars, top, bottom)
        return
    half = style.height * pitch / 2
    top, bottom = crisp(bars.middle - half, 2 * half)
    if style.shape in ("half", "low"):  # they stand on the floor of the lane
        bottom = np.round(bars.middle + 0.4 * pitch)
        top = bottom - max(round((0.42 if style.shape == "half" else 0.16) * pitch), 1)
    if style.shape == "dashed":
        dash = (0, (0.35 * page.em / max(2 * half, 1), 0.22 * page.em / max(2 * half, 1)))
        page.strokes(
            bars.begin, bars.middle, bars.end, bars.middle, colour, 2 * half, dash=dash, z=2.2
        )
    elif style.shape == "dotted":
        _dots(page, bars, colour, pitch)
    elif style.shape == "thin":
        half = max(half, 0.07 * page.em)
        top, bottom = crisp(bars.middle - half, 2 * half)
        page.boxes(bars.begin, top, bars.end, bottom, colour, z=2.1)
    else:
        _filled(page, style.shape, colour, bars, top, bottom)


def _filled(page: Page, shape: str, colour: str, bars: Bars, top: Floats, bottom: Floats) -> None:
    place = (bars.begin, top, bars.end, bottom)
    if shape in ("solid", "half", "low"):
        page.boxes(*place, colour, z=2.5)
    elif shape == "hatched":
        page.boxes(*place, page.tint(colour, 0.15), colour, hatch="////", line=0.08 * page.em)
    elif shape == "outlined":
        page.boxes(*place, page.paper, colour, line=0.14 * page.em)
    elif shape == "dashed":
        page.boxes(*place, page.tint(colour, 0.25), colour, hatch="||||", line=0)
    elif shape == "dotted":
        page.boxes(*place, page.tint(colour, 0.25), colour, hatch="..", line=0)
    else:
        page.boxes(*place, page.tint(colour, 0.4), z=2.1)


def crisp(top: Floats, high: float) -> tuple[Floats, Floats]:
    """Return top and bottom on whole pixels, so that equal bars look equal."""
    top = np.round(top)
    return top, top + max(round(high), 1)


def _dots(page: Page, bars: Bars, colour: str, pitch: float) -> None:
    top, bottom = crisp(bars.middle - 0.4 * pitch, 0.8 * pitch)
    page.boxes(bars.begin, top, bars.end, bottom, page.tint(colour, 0.2), z=2)
    width = min(0.28 * page.em, 0.5 * pitch)
    dash = (0, (0.01, 2.4))
    page.strokes(
        bars.begin + width, bars.middle, bars.end - width / 2, bars.middle, colour, width,
        dash=dash, cap="round", z=2.1,
    )  # fmt: skip


def marks(
    page: Page, items: Items, x: Callable[[Any], Any], middles: Floats, pitch: float
) -> set[str]:
    """Paint marks; where they would cover one another, what matters most. Return their roles."""
    columns = columns_of(items)
    shapes = np.array([STYLES[role].shape in MARKS for role in ROLES])
    chosen = np.flatnonzero(shapes[columns["role"]] & (columns["fold"] < 0))
    if not len(chosen):
        return set()
    rank = np.array([WORTH.get(role, 0) for role in ROLES])[columns["role"][chosen]]
    if pitch < page.em * 0.7:
        chosen, rank = chosen[rank >= LOUD], rank[rank >= LOUD]
    places = x(columns["begin"][chosen])
    lane = columns["lane"][chosen]
    size = min(0.62 * page.em, 0.8 * pitch)
    cell = np.floor(places / (1.3 * size)).astype(np.int64)
    order = np.lexsort((-rank, cell, lane))
    first = np.ones(len(order), bool)
    first[1:] = (lane[order][1:] != lane[order][:-1]) | (cell[order][1:] != cell[order][:-1])
    kept = order[first]
    codes = columns["role"][chosen]
    painted = {ROLES[code] for code in set(codes[kept].tolist())}
    for role in sorted(painted):
        some = kept[codes[kept] == CODES[role]]
        mark(page, role, places[some], middles[lane[some]], size)
    return painted


def mark(page: Page, role: str, x: Any, y: Any, size: float, z: float = 2.8) -> None:
    """Paint the mark of a role."""
    shape = STYLES[role].shape
    grown = {"star": 1.9, "diamond": 1.4, "cross": 1.2, "bar": 1.4, "triangle": 1.7, "circle": 1.5}
    page.marks(x, y, MARKS[shape], page.colour(role), size * grown.get(shape, 1.15), z)
    if letter := LETTERS.get(shape):
        low = 0.14 * size if shape == "triangle" else 0.0
        small = 1.05 * size / page.em
        page.text(x, y + low, letter, page.paper, size=small, bold=True, align="center")


WORTH = {
    "raise": 9, "finding": 9, "changed": 9, "only-a": 9, "only-b": 9, "cancel": 8, "mark": 7,
    "pause": 6, "out": 5, "in": 4, "return": 3, "call": 2, "wire-in": 1, "wire-out": 1,
}  # fmt: skip
"""Which of two marks at one place is painted."""

LOUD = 7
"""From which worth on a mark is painted in lanes too narrow for all."""
