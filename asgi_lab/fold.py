"""What a trace as text says on one line: what ended at once, and what layers passed on unchanged.

A message goes through every layer, and most layers only hand it on: of ten layers, ten lines
would say the same.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from asgi_lab.events import Data, Event
from asgi_lab.recorder import BEGINS

QUICK = 50_000
"""Nanoseconds within which an end is folded into the line of its begin."""

FOLDS = frozenset({"receive", "send", "run", "submit"})
"""Kinds whose end may be folded; calls and tasks keep theirs, because much happens between."""

PASSED = frozenset({"receive", "received", "send", "sent", "return", "raise", "cancel"})
"""Kinds that several layers may have one after the other."""


class Fold:
    """Events told on one line: from `first` to `last`, which may be the same at another layer.

    `end` is the end of the first, if all of them ended at once.
    """

    __slots__ = ("end", "first", "last")

    def __init__(self, first: Event, end: Event | None = None) -> None:
        self.first = self.last = first
        self.end = end

    def takes(self, event: Event, end: Event | None) -> bool:
        """Return whether this is the same again, at the next layer; if so, it is the last now."""
        first, last = self.first, self.last
        if event.kind not in PASSED or event.kind != last.kind or event.conn != last.conn:
            return False
        step = event.layer - last.layer
        onwards = abs(step) == 1 and (last is first or (last.layer - first.layer) * step > 0)
        if not onwards or event.t - last.t >= QUICK:
            return False
        if _told(event) != _told(last) or _told(end) != _told(self.end):
            return False
        self.last = event
        return True


def folded(events: Sequence[Event]) -> Iterator[Fold]:
    """Yield what is to be told on each line, in order."""
    ends, told = _quick_ends(events)
    fold: Fold | None = None
    for index, event in enumerate(events):
        if index in told:
            continue
        end = ends.get(index)
        if fold is not None and fold.takes(event, end):
            continue
        if fold is not None:
            yield fold
        fold = Fold(event, end)
    if fold is not None:
        yield fold


def _told(event: Event | None) -> Data | None:
    """Return what a line tells of an event, without the time that it took."""
    return event and {key: value for key, value in event.data.items() if key != "took"}


Span = tuple[int, int, str, int, int]
"""Of a begin: its connection, layer, kind, task and time in nanoseconds of the trace."""


def _quick_ends(events: Iterable[Event]) -> tuple[dict[int, Event], set[int]]:
    """Return the ends to fold, by the places of their begins, and their own places.

    Of several that began at the same moment, as happens in virtual time, the first ends first.
    """
    ends: dict[int, Event] = {}
    folded = set()
    begun: dict[Span, deque[int]] = {}
    for index, event in enumerate(events):
        kind = BEGINS.get(event.kind)
        if event.kind in FOLDS:
            span = (event.conn, event.layer, event.kind, event.task, event.t)
            begun.setdefault(span, deque()).append(index)
        if kind not in FOLDS or took(event) < 0:
            continue
        begins = begun.get((event.conn, event.layer, kind, event.task, event.t - took(event)))
        if not begins:
            continue
        begin = begins.popleft()
        if "error" not in event.data and took(event) < QUICK:
            ends[begin] = event
            folded.add(index)
    return ends, folded


def took(event: Event) -> int:
    """Return how long what ends here took, in nanoseconds; -1 if nothing ends or nobody knows."""
    value = event.data.get("took")
    return value if isinstance(value, int) else -1
