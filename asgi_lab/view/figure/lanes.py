"""Lanes of time: a row a request, or one for many, with what it was at, and facts at the left."""

from collections.abc import Sequence

from asgi_lab.plain import duration
from asgi_lab.scene.axis import ticks
from asgi_lab.scene.model import Box, Note
from asgi_lab.scene.roles import CODES, MANY, RAISE, STALL
from asgi_lab.view import theme as look
from asgi_lab.view.figure import bars, flags
from asgi_lab.view.figure.frame import Frame
from asgi_lab.view.figure.legend import bar_in, legend
from asgi_lab.view.figure.names import Names
from asgi_lab.view.figure.page import Page
from asgi_lab.view.theme import STYLES


def paint(page: Page) -> None:
    """Paint a timeline, a density, a comparison: whatever is made of lanes of time."""
    scene = page.scene
    page.title()
    stalls = [box for box in scene.boxes if box.role == STALL]
    page.y += 2.0 * page.em if stalls or scene.columns else 0
    names = Names(page)
    frame = Frame(page, names.right)
    if any(flag.lane < 0 for flag in scene.flags):
        frame.bottom += flags.BELOW * page.em
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
    for note in scene.notes if not scene.groups else ():
        y = float(frame.middles[note.lane]) + 0.9 * page.em
        page.text(frame.x(note.at), y, note.text, size=0.95, bold=True, align="center", halo=True)
    flags.paint(frame)
    page.y = frame.bottom + 3.0 * page.em
    marked |= {flag.role for flag in scene.flags}
    told = [r for r in scene.roles if r in marked or STYLES[r].shape not in bars.MARKS]
    legend(page, told, bar_in(frame.look))


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
        detail = page.fit(group.detail, page.width - page.margin - x, 1.05)
        page.text(x, y, detail, page.quiet, size=1.05)
        if page.scene.picture != "comparison":
            continue
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
