"""The timeline of what still runs: fed with events as they come, it tells only what is new.

    live = LiveTimeline()
    live.feed(events)
    live.update()      # a Scene at first; then a Delta; None if nothing has changed

It has the same layout as `asgi_lab.scene.timeline`: whoever applies all deltas has that scene, but
for the order of its items. A whole `Scene` comes again where all has to be laid out anew: what is
near or far (`marks.close`) has doubled, or there are more requests than lanes, and the older half
of them is given up.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from asgi_lab.connection import Connection
from asgi_lab.events import Event
from asgi_lab.measures import Measures
from asgi_lab.scene.flags import Spot, alt_of_flags, flags_of
from asgi_lab.scene.marks import Mark, close, marks_of
from asgi_lab.scene.model import Axis, Box, Flag, Items, Lane, Scene, Texts
from asgi_lab.scene.phases import NOBODY, Holds, holds_of, joined
from asgi_lab.scene.stalls import stalls_of
from asgi_lab.scene.timeline import (
    COLUMNS,
    add_bars,
    add_lane,
    add_lanes,
    alt_of,
    axis_of,
    box_of,
    held_by,
    holds_on,
    lane_of,
    title_of,
)

MOST = 500
"""Lanes; of more requests, the older half is given up."""

LONG = 1_000
"""Marks from which on a lane is laid out anew only once it has a tenth more."""

MOST_TEXTS = 20_000


@dataclass(frozen=True, slots=True)
class Delta:
    """What is new in a scene since the last update.

    The items of the lanes in `replace` go, then `items` come; their `fold` counts from the first
    of these. `lanes` are new or changed, by index; `texts` follow those that are known. The rest is
    in place of what was.
    """

    axis: Axis
    lanes: tuple[tuple[int, Lane], ...]
    texts: tuple[str, ...]
    items: Items
    replace: tuple[int, ...]
    boxes: tuple[Box, ...]
    flags: tuple[Flag, ...] | None
    """None if they are as they were."""
    title: str
    alt: str


@dataclass(slots=True)
class Laid:
    """How far a lane has been laid out: so many marks, then so many singly; until when, in ns."""

    marks: int
    tail: int
    until: int


class LiveTimeline:
    """A timeline that grows. `most` bounds its lanes; memory is bounded by what they show."""

    def __init__(self, most: int = MOST) -> None:
        self.measures = Measures(keep=2 * most)
        self._most = most
        self._dropped = 0
        self._marks: dict[int, list[Mark]] = defaultdict(list)
        self._shown: list[Connection] = []
        self._index: dict[int, int] = {}
        """Of each connection shown: its lane."""
        self._laid: dict[int, Laid] = {}
        self._texts = Texts()
        self._told = 0
        self._fed: set[int] = set()
        self._holds: Mapping[int, Holds] = {}
        self._now = -1
        self._form: tuple[float, str] = (0, "")
        self._whole = True
        self._spots: Sequence[Spot] = ()
        self._marked = False
        self._flags: tuple[Flag, ...] = ()

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events, in order, and how many have been lost in all."""
        if dropped > self._dropped:
            self._dropped = dropped
            self.measures.gap()
        self.measures.feed(events)
        for conn, new in marks_of(events).items():
            marks = self._marks[conn]
            early = marks and marks[-1].t > new[0].t  # the wire is told of a little later
            marks += new
            if early:
                marks.sort(key=lambda mark: mark.t)
            self._fed.add(conn)
        self._fed.update(event.conn for event in events if not event.layer)

    def mark(self, spots: Sequence[Spot]) -> None:
        """Take what is wrong, and where it shows, in place of what was known of that."""
        self._spots, self._marked = spots, True

    def restart(self) -> None:
        """Let the next update be a whole scene: somebody has come who knows nothing."""
        self._whole = True

    def update(self, now: int | None = None, *, settle: bool = False) -> Scene | Delta | None:
        """Return what is new. `now`, in ns of the trace, is later than the last event if given.

        With `settle` long lanes are laid out in full, too: nothing more will come.
        """
        now = max(self.measures.last, now or 0)
        if settle:
            self._fed.update(conn for conn, laid in self._laid.items() if laid.tail)
            self._laid.clear()
        if not (self._whole or self._fed or self._marked) and (
            now == self._now or not self.measures.open
        ):
            return None
        sooner = self._choose()
        if not self._shown:
            self._whole = False
            return Scene("timeline", "no requests yet", "No requests yet.", Axis(0, 1))
        axis = axis_of(self._shown, now)
        form = (close(axis.span), held_by(self._shown))
        before, self._holds = self._holds, holds_of(self.measures)
        anew = self._whole or sooner or form != self._form or self._told > MOST_TEXTS
        self._form, self._whole, self._marked = form, False, False
        told = self._scene(axis, now) if anew else self._delta(axis, now, before)
        self._now = now
        self._fed.clear()
        self._told = len(self._texts)
        return told

    def _choose(self) -> bool:
        """Choose who is shown; return whether lanes have changed places."""
        known = self.measures
        fed = sorted(self._fed - self._index.keys())
        new = [c for conn in fed if (c := known.open.get(conn) or known.finished.get(conn))]
        every = [*self._shown, *new]  # a lifespan is shown until there are requests, as elsewhere
        every = [c for c in every if c.type != "lifespan"] or every
        places = [*self._index]
        self._shown = sorted(every, key=lambda c: c.conn)
        if len(every) > self._most:
            self._shown = self._shown[-(self._most // 2) :]
        self._index = {c.conn: lane for lane, c in enumerate(self._shown)}
        for conn in self._marks.keys() - self._index.keys() - known.open.keys():
            if conn < max(self._index, default=0):  # else its scope has yet to come
                del self._marks[conn]
        return [*self._index][: len(places)] != places

    def _scene(self, axis: Axis, now: int) -> Scene:
        """Lay out everything."""
        items, self._texts = Items(), Texts()
        lanes = add_lanes(
            items, self._texts, self._shown, self._holds, self._marks, now, axis.span
        )  # fmt: skip
        self._laid = {c.conn: Laid(len(self._marks.get(c.conn, ())), 0, now) for c in self._shown}
        title, alt, boxes, self._flags = self._said(axis)
        return Scene("timeline", title, alt, axis, tuple(lanes), columns=COLUMNS, items=items,
                     texts=self._texts.all, boxes=boxes, flags=self._flags,
                     held=self._form[1])  # fmt: skip

    def _delta(self, axis: Axis, now: int, before: Mapping[int, Holds]) -> Delta:
        """Lay out the lanes that have changed."""
        items, replace, lanes = Items(), [], []
        since = {pid: changed(before.get(pid, NOBODY), h) for pid, h in self._holds.items()}
        for lane, c in enumerate(self._shown):
            open_ = c.ended is None
            stale = c.conn in self._fed or (open_ and now != self._now)
            if not stale and c.until(now) <= since.get(c.pid, inf):
                continue
            lanes.append((lane, lane_of(c, now)))
            if open_ and self._add_tail(items, lane, c, now):
                continue
            marks = self._marks.get(c.conn, [])
            replace.append(lane)
            add_lane(
                items, self._texts, lane, c, holds_on(c, self._holds), marks, now, axis.span
            )  # fmt: skip
            self._laid[c.conn] = Laid(len(marks), 0, now)
        title, alt, boxes, flags = self._said(axis)
        texts = self._texts.all[self._told :]
        new = None if flags == self._flags else flags
        self._flags = flags
        return Delta(axis, tuple(lanes), texts, items, tuple(replace), boxes, new, title, alt)

    def _add_tail(self, items: Items, lane: int, c: Connection, now: int) -> bool:
        """Append what a long lane has more, one by one; return False if it is not long."""
        marks, laid = self._marks.get(c.conn, []), self._laid.get(c.conn)
        if laid is None or laid.marks < LONG or len(marks) > laid.marks + laid.marks // 10:
            return False
        since = laid.until
        new = [(max(a, since), b, what) for a, b, what in c.phases_until(now) if b > since]
        add_bars(items, lane, joined(holds_on(c, self._holds).cut(new)))
        for mark in marks[laid.marks + laid.tail :]:
            items.add(mark.t, mark.t, lane, mark.role, self._texts(mark.label), mark.event)
        laid.tail, laid.until = len(marks) - laid.marks, now
        return True

    def _said(self, axis: Axis) -> tuple[str, str, tuple[Box, ...], tuple[Flag, ...]]:
        """Return the title, the picture in words, the stalls and the flags."""
        stalls = [s for s in stalls_of(self.measures) if s.hold.conn in self._index]
        boxes = tuple(box_of(stall, len(self._shown)) for stall in stalls)
        flags = flags_of(self._spots, self._index, axis)
        alt = alt_of(self._shown, axis, stalls) + alt_of_flags(flags)
        return title_of(self._shown, axis, stalls), alt, boxes, flags


def changed(before: Holds, now: Holds) -> float:
    """Return from when on a loop was held otherwise than was known before; inf if not."""
    pairs = zip(before.begins, before.ends, now.begins, now.ends, strict=False)
    for begin, end, new_begin, new_end in pairs:
        if (begin, end) != (new_begin, new_end):
            return min(begin, new_begin)
    fewer, more = sorted((before.begins, now.begins), key=len)
    return more[len(fewer)] if len(more) > len(fewer) else inf
