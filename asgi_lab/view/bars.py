"""Bars of characters: which phase stands in which cell, and where an axis has its ticks.

Pure layout. Each phase has a shape of its own, so that nothing is told by colour alone, and all
glyphs are one cell wide and in every common font.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from rich.text import Text

from asgi_lab.connection import (
    BLOCKED,
    HOLD,
    NEEDS_LOOP,
    PHASES,
    Phase,
)
from asgi_lab.scene.axis import round_duration, step_of
from asgi_lab.scene.roles import AFTER, LIFE, LINE, MEANINGS, PAUSE, WIRE_IN, WIRE_OUT
from asgi_lab.view.theme import STYLES, terminal_style

DRAWN = (*PHASES, LINE, LIFE, AFTER, WIRE_IN, WIRE_OUT, PAUSE)
"""What a bar can be made of, and be marked with."""

GLYPHS = {what: (STYLES[what].glyph, terminal_style(what), MEANINGS[what]) for what in DRAWN}
"""Of each: its glyph, its style, and what the legend says."""

SHOWN = 100
"""A slice that holds the loop for one part in `SHOWN` of the axis is always shown (on bars of
less than 25 cells: one that fills a quarter of a cell, lest nothing else be seen)."""

Busy = Callable[[int, int], int]
"""Says for how many nanoseconds between two times the loop was held."""


def cells(
    phases: Sequence[Phase], begin: int, end: int, width: int, busy: Busy | None = None
) -> list[str]:
    """Return the phase of each of `width` cells from `begin` to `end`; "" where there is none.

    Of several phases in a cell, the first in precedence that covers half of what is covered
    stands for it; else the longest. What `busy` says of a phase that needs the loop is `BLOCKED`.
    """
    step = max((end - begin) / width, 1e-9)
    shares: list[dict[str, float]] = [{} for _ in range(width)]
    kept: dict[int, str] = {}
    for since, until, what in phases:
        best, covered = 0, -1.0
        for index, low, high in _pieces(since, until, begin, end, width):
            share, parts = (high - low) / step, shares[index]
            if busy is not None and what in NEEDS_LOOP:
                taken = min(busy(round(low), round(high)) / step, share)
                if taken:
                    parts[BLOCKED] = parts.get(BLOCKED, 0.0) + taken
                    share -= taken
            parts[what] = parts.get(what, 0.0) + share
            if share > covered:
                best, covered = index, share
        if covered >= 0 and what == HOLD and (until - since) * min(SHOWN, 4 * width) >= end - begin:
            kept[best] = HOLD
    row = [kept.get(index) or _winner(share) for index, share in enumerate(shares)]
    if not any(row):  # too short for half a cell, and yet it happened
        touched = (index for index in range(width) if shares[index])
        index = max(touched, key=lambda index: sum(shares[index].values()), default=0)
        row[index] = max(shares[index], key=lambda what: shares[index][what], default="")
    return row


def _pieces(
    since: int, until: int, begin: int, end: int, width: int
) -> Iterator[tuple[int, float, float]]:
    """Yield the part of a stretch that is in each cell: the cell, its begin and its end."""
    low, high = max(since, begin), min(until, end)
    if high < low:
        return
    step = max((end - begin) / width, 1e-9)
    last = min(int((high - begin) / step), width - 1)
    for index in range(min(int((low - begin) / step), width - 1), last + 1):
        left = begin + index * step
        yield index, max(low, left), max(low, left, min(high, left + step))


def _winner(share: dict[str, float]) -> str:
    if not share:
        return ""
    covered = sum(share.values())
    if covered < 0.5:
        return ""
    if len(share) == 1:
        return next(iter(share))
    for what in PHASES:
        if share.get(what, 0.0) * 2 >= covered:
            return what
    return max(share, key=lambda what: share[what])


def bar(row: Sequence[str]) -> Text:
    """Return cells painted: phases by their glyphs, all else as it is."""
    text = Text(no_wrap=True)
    for what, same in groupby(row):
        glyph, style, _ = GLYPHS.get(what, (what or " ", "bold", ""))
        text.append(glyph * len(list(same)), style)
    return text


LEGEND = tuple(sorted(DRAWN, key=list(MEANINGS).index))


def legend(used: Iterable[str], width: int, held: str = "loop") -> list[Text]:
    """Return what the shapes mean, for those that are used, in lines of at most `width` cells.

    `held` is what a running app holds: the event loop, or (WSGI) its thread.
    """
    present = set(used)
    lines = [Text()]
    for what in LEGEND:
        if what in present:
            glyph, style, meaning = GLYPHS[what]
            entry = Text().append(glyph, style).append(f" {meaning.replace('loop', held)}")
            if lines[-1] and len(lines[-1]) + 2 + len(entry) > width:
                lines.append(Text())
            lines[-1].append("  " if lines[-1] else "").append_text(entry)
    return lines


TICK = 9
"""Cells for a tick and its label."""


def ticks(span: int, width: int) -> list[tuple[int, int]]:
    """Return `(cell, nanoseconds)` of the ticks of an axis: round steps, room for labels."""
    step = step_of(span, width / TICK)
    return [(round(t * width / max(span, 1)), t) for t in range(0, span + 1, step)]


def axis(span: int, width: int) -> str:
    """Return the labelled ticks of an axis of `span` nanoseconds: `╷0      ╷100 ms`."""
    row = [" "] * width
    for cell, t in ticks(span, width):
        label = "╷" + round_duration(t)
        if cell + len(label) <= width:
            row[cell : cell + len(label)] = label
    return "".join(row).rstrip()
