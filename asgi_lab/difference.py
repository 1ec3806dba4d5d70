"""`diff(a, b)`: two traces side by side, request by request and event by event.

    print(diff(await run(app, get("/")), await run(fixed, get("/"))))

Of one app on two servers, or before and after a fix: what is the same, and what differs, in words.
Pure data; `asgi_lab.view.difference` draws it. Times are told where they matter: in virtual time
wherever they differ, else if they differ by much.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from asgi_lab.alignment import Row, Step, align, steps_of
from asgi_lab.changes import Change, bodies, changes_in, only, words_of
from asgi_lab.connection import Connection
from asgi_lab.events import Trace
from asgi_lab.plain import clean, count
from asgi_lab.scene import facts
from asgi_lab.scene.roles import CHANGED, ONLY_A, ONLY_B, SAME
from asgi_lab.timing import Side, side_of, times

NAMES = ("A", "B")


@dataclass(frozen=True, slots=True)
class Line:
    """One step of both: its role (same, changed, only-a, only-b), and what differs."""

    role: str
    a: Step | None
    b: Step | None
    changes: tuple[Change, ...] = ()

    @property
    def words(self) -> tuple[str, str]:
        """What happens in A, and in B; empty where nothing does."""
        return (words_of(self.a) if self.a else "", words_of(self.b) if self.b else "")


@dataclass(frozen=True, slots=True)
class Pair:
    """One request in both traces, or in one of them."""

    a: Connection | None
    b: Connection | None
    lines: tuple[Line, ...]
    changes: tuple[Change, ...]

    @property
    def label(self) -> str:
        """The method and the path."""
        connection = self.a or self.b
        return facts.name(connection) if connection else ""

    @property
    def lifespan(self) -> bool:
        """Whether it is the app's lifespan, and no request."""
        return "lifespan" in [c.type for c in (self.a, self.b) if c]

    @property
    def words(self) -> tuple[str, ...]:
        """What differs, the most important first."""
        return tuple(change.words for change in self.changes)


@dataclass(frozen=True, slots=True, repr=False)
class Difference:
    """What differs between two traces. `exact`: times are those of virtual time, on both sides."""

    names: tuple[str, str]
    a: Trace
    b: Trace
    pairs: tuple[Pair, ...]
    exact: bool = False

    @property
    def same(self) -> bool:
        """Whether nothing differs that is worth a word."""
        return not self.different

    @property
    def different(self) -> tuple[Pair, ...]:
        """The requests that differ."""
        return tuple(pair for pair in self.pairs if pair.changes)

    @property
    def groups(self) -> tuple[tuple[tuple[Pair, ...], tuple[str, ...]], ...]:
        """The requests that differ, together those with one label that differ in one way."""
        groups: dict[Any, list[Pair]] = defaultdict(list)
        for pair in self.different:
            groups[pair.label, pair.words].append(pair)
        return tuple((tuple(some), some[0].words) for some in groups.values())

    def of(self, conn: int) -> Pair:
        """Return the request that has this number in A, or else in B. Raises ValueError."""
        for side in ("a", "b"):
            for pair in self.pairs:
                connection = getattr(pair, side)
                if connection is not None and connection.conn == conn:
                    return pair
        raise ValueError(f"neither trace has a connection {conn}")

    def verdict(self) -> str:
        """Return what came out, in a sentence."""
        requests = [pair for pair in self.pairs if not pair.lifespan]
        total = count(len(requests), "request")
        if not self.pairs:
            return "Neither trace has a request."
        if self.same:
            what = "No difference" if self.exact else "No difference that matters"
            return f"{what}: {total}, {count(sum(len(p.lines) for p in self.pairs), 'event')} each."
        every = Counter(change for pair in self.different for change in set(pair.changes))
        first = min(every, key=lambda change: (change.rank, -every[change], change.words))
        having = [pair for pair in self.different if first in pair.changes]
        who = having[0].label if len(having) == 1 else f"{len(having)} of them"
        who = "" if first.about == "request" else f" ({who})"
        differing = sum(not pair.lifespan for pair in self.different)
        subject = f"{differing} of {total} differ{'s' if differing == 1 else ''}"
        if not differing:
            subject, who = "The lifespan differs", ""
        more = f"; and {count(len(every) - 1, 'difference')} more" if len(every) > 1 else ""
        return f"{subject}: {first.words}{who}{more}."

    def __str__(self) -> str:
        from asgi_lab.view.difference import as_text

        return as_text(self)

    __repr__ = __str__  # what a notebook shows


def diff(a: Trace, b: Trace, names: tuple[str, str] = NAMES) -> Difference:
    """Compare two traces. `names` are what they are called.

    A request of one is compared with that of the other which is the n-th with its method, path and
    query; those left over with what is left over of their method and path.
    """
    one, two = side_of(a), side_of(b)
    exact = a.exact and b.exact
    pairs = tuple(
        compared(ours, theirs, one, two, names, exact)
        for ours, theirs in matched(one.connections, two.connections)
    )
    return Difference(names, a, b, pairs, exact)


Match = tuple[Connection | None, Connection | None]


def matched(a: Sequence[Connection], b: Sequence[Connection]) -> list[Match]:
    """Return the connections of both in pairs, in the order of A; what only B has, last."""
    partners: dict[int, Connection] = {}
    taken: set[int] = set()
    exactly: Callable[[Connection], Any] = facts.name
    for same in (exactly, lambda c: c.route or c.type):
        waiting: dict[Any, deque[Connection]] = defaultdict(deque)
        for c in b:
            if c.conn not in taken:
                waiting[same(c)].append(c)
        for c in a:
            if c.conn not in partners and waiting[same(c)]:
                partners[c.conn] = waiting[same(c)].popleft()
                taken.add(partners[c.conn].conn)
    pairs: list[Match] = [(c, partners.get(c.conn)) for c in a]
    return [*pairs, *((None, c) for c in b if c.conn not in taken)]


def compared(
    a: Connection | None,
    b: Connection | None,
    one: Side,
    two: Side,
    names: tuple[str, str],
    exact: bool,
) -> Pair:
    """Compare two connections, or say that one of them is missing."""
    steps = [
        steps_of(side.events[c.conn], c.started) if c else []
        for side, c in ((one, a), (two, b))
    ]  # fmt: skip
    rows = align(*steps)
    lines = tuple(line_of(row) for row in rows)
    if a is None or b is None:
        known = a or b
        assert known is not None
        name = names[0] if a else names[1]
        return Pair(a, b, lines, (Change("request", f"only {name} has {facts.name(known)}"),))
    found = [change for line in lines for change in line.changes]
    found += [*only(rows, names), *bodies(rows), *times(a, b, one, two, names, exact)]
    unique = dict.fromkeys(found)
    return Pair(a, b, lines, tuple(sorted(unique, key=lambda change: change.rank)))


def line_of(row: Row) -> Line:
    """Return a row with its role and its changes."""
    if row.a is None or row.b is None:
        return Line(ONLY_B if row.a is None else ONLY_A, row.a, row.b)
    changes = tuple(changes_in(row.a.event, row.b.event))
    return Line(CHANGED if changes else SAME, row.a, row.b, changes)


def as_json(difference: Difference) -> dict[str, Any]:
    """Return a difference as what JSON holds; times in nanoseconds since each request began."""

    def step(one: Step | None) -> dict[str, Any] | None:
        return one and {"t": one.after, "event": one.event.seq, "words": words_of(one)}

    return {
        "same": difference.same,
        "verdict": difference.verdict(),
        "exact": difference.exact,
        "names": [clean(name) for name in difference.names],
        "requests": [
            {
                "request": pair.label,
                "a": pair.a and pair.a.conn,
                "b": pair.b and pair.b.conn,
                "differences": [{"about": c.about, "words": c.words} for c in pair.changes],
                "events": [
                    {"role": line.role, "a": step(line.a), "b": step(line.b),
                     "differences": [change.words for change in line.changes]}
                    for line in pair.lines
                ],
            }
            for pair in difference.pairs
        ],
    }  # fmt: skip
