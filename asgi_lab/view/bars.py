"""Bars of characters: which phase stands in which cell, and where an axis has its ticks.

Pure layout. Each phase has a shape of its own, so that nothing is told by colour alone, and all
glyphs are one cell wide and in every common font.
"""

from collections.abc import Iterable, Sequence

from rich.text import Text

from asgi_lab.measures import APP, AWAIT, CLIENT, HOLD, PHASES, QUEUED, SENDING, THREAD, Phase
from asgi_lab.text import duration

GLYPHS = {
    HOLD: ("█", "#e69f00", "holds loop"),
    AWAIT: ("─", "bright_black", "awaits"),
    CLIENT: ("░", "#999999", "awaits client"),
    SENDING: ("═", "#cc79a7", "awaits send"),
    THREAD: ("▄", "#56b4e9", "in thread"),
    QUEUED: ("▁", "#56b4e9", "queued"),
    APP: ("━", "#999999", "in the app"),
}
"""Of each phase: its glyph, its style (an orange, a blue, greys), and what the legend says."""

SHOWN = 100
"""A slice that holds the loop for one part in `SHOWN` of the axis is always shown (on bars of
less than 25 cells: one that fills a quarter of a cell, lest nothing else be seen)."""


def cells(phases: Sequence[Phase], begin: int, end: int, width: int) -> list[str]:
    """Return the phase of each of `width` cells from `begin` to `end`; "" where there is none.

    Of several phases in a cell, the first in precedence that covers half of what is covered
    stands for it; else the longest.
    """
    step = max((end - begin) / width, 1e-9)
    shares: list[dict[str, float]] = [{} for _ in range(width)]
    kept: dict[int, str] = {}
    for since, until, what in phases:
        low, high = max(since, begin), min(until, end)
        if high < low or until < begin or since > end:
            continue
        first = min(int((low - begin) / step), width - 1)
        best, covered = first, 0.0
        for index in range(first, min(int((high - begin) / step), width - 1) + 1):
            left = begin + index * step
            share = (min(high, left + step) - max(low, left)) / step
            shares[index][what] = shares[index].get(what, 0.0) + share
            if share > covered:
                best, covered = index, share
        if what == HOLD and (until - since) * min(SHOWN, 4 * width) >= end - begin:
            kept[best] = HOLD
    row = [kept.get(index) or _winner(share) for index, share in enumerate(shares)]
    if not any(row):  # too short for half a cell, and yet it happened
        touched = (index for index in range(width) if shares[index])
        index = max(touched, key=lambda index: sum(shares[index].values()), default=0)
        row[index] = max(shares[index], key=lambda what: shares[index][what], default="")
    return row


def _winner(share: dict[str, float]) -> str:
    covered = sum(share.values())
    if covered < 0.5:
        return ""
    for what in PHASES:
        if share.get(what, 0.0) * 2 >= covered:
            return what
    return max(share, key=lambda what: share[what])


def bar(phases: Sequence[Phase], begin: int, end: int, width: int) -> Text:
    """Return the phases painted on an axis of `width` cells."""
    text = Text(no_wrap=True)
    for what in cells(phases, begin, end, width):
        glyph, style, _ = GLYPHS[what] if what else (" ", "", "")
        text.append(glyph, style)
    return text


def legend(used: Iterable[str], held: str = "loop") -> Text:
    """Return one line that says what the shapes mean, for those that are used.

    `held` is what a running app holds: the event loop, or (WSGI) its thread.
    """
    text = Text()
    present = set(used)
    for what in (HOLD, AWAIT, CLIENT, SENDING, THREAD, QUEUED, APP):
        if what in present:
            glyph, style, meaning = GLYPHS[what]
            text.append("  " if text else "").append(glyph, style)
            text.append(f" {meaning.replace('loop', held)}")
    return text


def ticks(span: int, width: int) -> list[tuple[int, int]]:
    """Return `(cell, nanoseconds)` of the ticks of an axis: round steps, room for labels."""
    step = 1
    for step in (m * 10**e for e in range(20) for m in (1, 2, 5)):
        if step * width >= 9 * span:
            break
    return [(round(t * width / max(span, 1)), t) for t in range(0, span + 1, step)]


def axis(span: int, width: int) -> str:
    """Return the labelled ticks of an axis of `span` nanoseconds: `╷0      ╷100 ms`."""
    row = [" "] * width
    for cell, t in ticks(span, width):
        label = "╷" + (_round(t) if t else "0")
        if cell + len(label) <= width:
            row[cell : cell + len(label)] = label
    return "".join(row).rstrip()


def _round(t: int) -> str:
    """Return a round duration without the zeros that say nothing: `100 ms`, `1.5 s`."""
    digits, _, unit = duration(t).partition(" ")
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits} {unit}"
