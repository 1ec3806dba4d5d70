"""What a connection was at, moment for moment; and where another held its loop meanwhile."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from asgi_lab.connection import BLOCKED, NEEDS_LOOP, Phase
from asgi_lab.loop import Busy
from asgi_lab.measures import Measures

PIECES = 50_000
"""Into how many pieces, about, all connections together may be cut by the holds of others."""

LEAST = 20


@dataclass(frozen=True, slots=True)
class Holds:
    """The stretches worth drawing in which one loop was held, in order, in ns of the trace."""

    begins: Sequence[int] = ()
    ends: Sequence[int] = ()

    def cut(self, phases: Sequence[Phase]) -> Iterator[Phase]:
        """Yield phases; what needs the loop while another holds it is `BLOCKED`."""
        begins, ends = self.begins, self.ends
        for begin, end, what in phases:
            if what not in NEEDS_LOOP or not begins:
                yield begin, end, what
                continue
            at = begin
            index = bisect_left(ends, begin + 1)  # the first that ends later
            while index < len(begins) and begins[index] < end:
                low, high = max(begins[index], begin), min(ends[index], end)
                if low > at:
                    yield at, low, what
                if high > low:
                    yield low, high, BLOCKED
                at = max(at, high)
                index += 1
            if end > at or begin == end:
                yield at, end, what


def joined(phases: Iterable[Phase]) -> Iterator[Phase]:
    """Yield phases; neighbours of one kind as one."""
    before: Phase | None = None
    for phase in phases:
        if before is not None and before[2] == phase[2] and before[1] == phase[0]:
            before = (before[0], phase[1], phase[2])
            continue
        if before is not None:
            yield before
        before = phase
    if before is not None:
        yield before


NOBODY = Holds()


def holds_of(measures: Measures) -> dict[int, Holds]:
    """Return who is held when, by process: of many stretches the longest.

    Only so many are worth cutting others' phases for; where thousands are in flight, a slice of
    microseconds is not to be seen.
    """
    most = max(PIECES // max(measures.most_in_flight, 1), LEAST)
    return {pid: _longest(busy, most) for pid, busy in measures.loops.busy.items()}


def _longest(busy: Busy, most: int) -> Holds:
    begins, ends = busy.begins, busy.ends
    chosen: Sequence[int] = range(len(begins))
    if len(begins) > most:
        by_length = sorted(chosen, key=lambda i: (begins[i] - ends[i], i))
        chosen = sorted(by_length[:most])
    return Holds([begins[i] for i in chosen], [ends[i] for i in chosen])
