"""Who held the event loop, for how long, and what it cost the others.

While one connection holds its process's loop, no other can run, whether or not what it awaits has
come. `Busy` answers how much of any stretch of time that was, at any zoom, in `O(log n)`.
"""

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass

SECOND = 1_000_000_000
MAX_SECONDS = 120

GAP = 20_000
"""Nanoseconds between two slices in which the loop is not taken to have been free: it turned."""

MAX_STRETCHES = 20_000
"""Stretches kept of each process while live; the oldest are forgotten."""


class Busy:
    """The stretches of time in which one loop was held, joined where less than `GAP` apart."""

    __slots__ = ("before", "begins", "ends")

    def __init__(self) -> None:
        self.begins: list[int] = []
        self.ends: list[int] = []
        self.before: list[int] = []
        """Of each stretch: nanoseconds held before it began."""

    def add(self, began: int, ended: int) -> None:
        """Take a slice; slices come in the order in which they ended."""
        ends = self.ends
        if not ends:
            self.before.append(0)
        elif began - ends[-1] <= GAP:
            ends[-1] = max(ends[-1], ended)
            return
        else:
            self.before.append(self.before[-1] + ends[-1] - self.begins[-1])
        self.begins.append(began)
        ends.append(ended)

    def forget(self, keep: int) -> None:
        """Forget all but the last `keep` stretches, once there are twice as many."""
        if len(self.begins) > 2 * keep:
            del self.begins[:-keep], self.ends[:-keep], self.before[:-keep]

    def until(self, t: int) -> int:
        """Return for how many nanoseconds the loop was held before `t`, as far as is known."""
        index = bisect_right(self.begins, t) - 1
        if index < 0:
            return self.before[0] if self.before else 0
        return self.before[index] + min(t, self.ends[index]) - self.begins[index]

    def between(self, begin: int, end: int) -> int:
        """Return for how many nanoseconds from `begin` to `end` the loop was held."""
        return max(self.until(end) - self.until(begin), 0)


@dataclass(slots=True)
class Hold:
    """One slice in which a loop was held, in nanoseconds."""

    took: int = 0
    conn: int = 0
    began: int = 0
    route: str = ""
    pid: int = 0

    @property
    def ended(self) -> int:
        """When the loop was free again."""
        return self.began + self.took


class Loops:
    """All slices in which connections held their process's loop. `keep_all`: forget none."""

    def __init__(self, keep_all: bool = False) -> None:
        self.held = 0
        """Nanoseconds held, in all."""
        self.held_in: OrderedDict[int, int] = OrderedDict()
        """And in each of the last seconds of the trace."""
        self.longest = Hold()
        self.busy: dict[int, Busy] = {}
        """By process."""
        self._keep_all = keep_all

    def ran(self, conn: int, route: str, pid: int, t: int, took: int) -> None:
        """Take a slice of so many nanoseconds that ended at `t`."""
        self.held += took
        began = t - took
        busy = self.busy.get(pid)
        if busy is None:
            busy = self.busy[pid] = Busy()
        busy.add(began, t)
        if not self._keep_all:
            busy.forget(MAX_STRETCHES)
        if took > self.longest.took:
            self.longest = Hold(took, conn, began, route, pid)
        self._spread(max(began, t - MAX_SECONDS * SECOND), t)

    def share(self, now: int, seconds: int = 3) -> float:
        """Return the share of the last full seconds before `now` in which the loops were held."""
        last = now // SECOND
        known = [self.held_in.get(second, 0) for second in range(max(last - seconds, 0), last)]
        return sum(known) / max(len(known) * SECOND * len(self.busy), 1)

    def _spread(self, began: int, t: int) -> None:
        """Share a slice out to the seconds in which it was."""
        second = t // SECOND
        while (second_began := second * SECOND) > began:
            tally(self.held_in, second, t - second_began)
            t, second = second_began, second - 1
        tally(self.held_in, second, t - began)


def tally(seconds: OrderedDict[int, int], second: int, amount: int) -> None:
    """Add to the count of a second; only the last `MAX_SECONDS` are kept."""
    if second in seconds:
        seconds[second] += amount
        return
    seconds[second] = amount
    if len(seconds) > MAX_SECONDS:
        del seconds[min(seconds)]
