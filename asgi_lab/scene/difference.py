"""Two traces, request by request on one axis: each from its own beginning, A above B.

What both say is a tick on the lane; what differs, or what only one says, has a mark of its own.
"""

from asgi_lab.connection import Connection
from asgi_lab.difference import Difference, Pair
from asgi_lab.plain import clean, count
from asgi_lab.scene import facts
from asgi_lab.scene.model import Axis, Group, Items, Lane, Scene, Texts
from asgi_lab.scene.phases import NOBODY, joined
from asgi_lab.scene.roles import RAISE, SAME
from asgi_lab.timing import side_of

COLUMNS = ("#", "status", "first", "total")
"""What `Lane.facts` are."""

MOST = 12
"""Requests shown at most."""

SAID = ("scope", "received", "send", "return", "raise", "cancel")
"""Kinds of events that have a tick, though both have them."""

WORDS = 4
"""Differences told beside a request; of more, their number."""


def difference(diff: Difference, *, conn: int | None = None) -> Scene:
    """Lay out a difference: the requests that differ, or, if none does, the first of them.

    `conn` chooses one, by its number in A or else in B; raises ValueError if there is none.
    """
    chosen = (diff.of(conn),) if conn is not None else (diff.different or diff.pairs)[:MOST]
    sides = [side_of(trace) for trace in (diff.a, diff.b)]
    items, texts = Items(), Texts()
    lanes: list[Lane] = []
    groups: list[Group] = []
    longest = 1
    for pair in chosen:
        first = len(lanes)
        for index, (c, side) in enumerate(zip((pair.a, pair.b), sides, strict=True)):
            if c is None:
                continue
            longest = max(longest, c.until(side.last) - c.started)
            holds = NOBODY if c.type == "wsgi" else side.holds.get(c.pid, NOBODY)
            for begin, end, what in joined(holds.cut(c.phases_until(side.last))):
                items.add(begin - c.started, end - c.started, len(lanes), what)
            _add_marks(items, texts, len(lanes), pair, index)
            lanes.append(_lane(diff.names[index], c, side.last))
        groups.append(Group(pair.label, _told(pair), first, len(lanes) - 1))
    left_out = len(diff.different) - len(chosen) if conn is None else 0
    return Scene(
        "difference",
        diff.verdict(),
        _alt(diff, left_out),
        Axis(0, longest, label="time since each request began"),
        tuple(lanes),
        columns=COLUMNS,
        groups=tuple(groups),
        items=items,
        texts=texts.all,
    )


def _lane(name: str, c: Connection, now: int) -> Lane:
    told = (str(c.conn), facts.status(c), facts.first(c), facts.total(c, now))
    return Lane(clean(name), c.error, told, RAISE if c.failed else "", c.conn)


def _add_marks(items: Items, texts: Texts, lane: int, pair: Pair, index: int) -> None:
    for line in pair.lines:
        step = (line.a, line.b)[index]
        if step is None or (
            line.role == SAME and (step.event.kind not in SAID or step.event.layer)
        ):
            continue
        words = line.words[index]
        if line.changes:
            words += f"  ({'; '.join(change.words for change in line.changes)})"
        items.add(step.after, step.after, lane, line.role, texts(words), step.event.seq)


def _told(pair: Pair) -> str:
    words = list(pair.words)
    more = [f"{len(words) - WORDS} more"] if len(words) > WORDS else []
    return "; ".join([*words[:WORDS], *more]) or "no difference"


def _alt(diff: Difference, left_out: int) -> str:
    sentences = [f"{clean(diff.names[0])} and {clean(diff.names[1])}: {diff.verdict()}"]
    for pairs, words in diff.groups[:MOST]:
        times = f" (×{len(pairs)})" if len(pairs) > 1 else ""
        sentences.append(f"{pairs[0].label}{times}: {'; '.join(words)}.")
    if left_out > 0:
        sentences.append(f"{count(left_out, 'request')} more differ.")
    return " ".join(sentences)
