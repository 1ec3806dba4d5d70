"""The timeline: a lane a request, on one axis of time. The picture to look at first."""

from collections.abc import Container, Iterable, Mapping, Sequence

from asgi_lab.connection import Connection, Phase
from asgi_lab.diagnose import Diagnosis
from asgi_lab.events import Trace
from asgi_lab.measures import Measures
from asgi_lab.plain import count, duration
from asgi_lab.scene import facts
from asgi_lab.scene.density import add_density
from asgi_lab.scene.flags import alt_of_flags, flags_of, spots_of
from asgi_lab.scene.marks import Mark, add_marks, marks_of
from asgi_lab.scene.model import Axis, Box, Items, Lane, Scene, Texts
from asgi_lab.scene.phases import NOBODY, Holds, holds_of, joined
from asgi_lab.scene.roles import RAISE, STALL
from asgi_lab.scene.stalls import Stall, stalls_of

COLUMNS = ("#", "status", "first", "total", "in", "out")
"""What `Lane.facts` of a timeline are."""


def timeline(
    trace: Trace,
    *,
    only: Container[int] | None = None,
    rows: int | None = None,
    diagnoses: Sequence[Diagnosis] = (),
) -> Scene:
    """Lay out a trace: a lane a request, with its phases, its messages and the stalls.

    `only` chooses connections; who held their loop is measured on all. Of more than `rows`, each
    lane speaks for several. `diagnoses` (those of the trace) are marked where they show.
    """
    measures = Measures(keep=None)
    measures.feed(trace.events)
    every = [c for c in measures.connections if only is None or c.conn in only]
    shown = [c for c in every if c.type != "lifespan"] or every
    if not shown:
        return Scene("timeline", "no requests yet", "No requests yet.", Axis(0, 1))
    axis = axis_of(shown, measures.last)
    held = held_by(shown)
    items, texts = Items(), Texts()
    if rows is not None and len(shown) > rows:
        lanes = _dense(shown, measures, axis, items, rows)
    else:
        marks, now = marks_of(trace.events), measures.last
        lanes = add_lanes(items, texts, shown, holds_of(measures), marks, now, axis.span)
    each = -(-len(shown) // len(lanes))
    places = {c.conn: index // each for index, c in enumerate(shown)}
    flags = flags_of(spots_of(trace.events, diagnoses), places, axis)
    stalls = [stall for stall in stalls_of(measures) if only is None or stall.hold.conn in only]
    return Scene(
        "timeline",
        title_of(shown, axis, stalls),
        alt_of(shown, axis, stalls) + alt_of_flags(flags),
        axis,
        tuple(lanes),
        columns=COLUMNS if len(lanes) == len(shown) else (),
        items=items,
        texts=texts.all,
        boxes=tuple(box_of(stall, len(lanes)) for stall in stalls),
        flags=flags,
        held=held,
    )


def axis_of(shown: Sequence[Connection], last: int) -> Axis:
    """Return the axis from the first to begin to the last to end."""
    begin = min(c.started for c in shown)
    return Axis(begin, max(max(c.until(last) for c in shown), begin + 1), label="time")


def held_by(shown: Sequence[Connection]) -> str:
    """Return what a running app holds: the loop, or (where all is WSGI) its thread."""
    return "thread" if all(c.type == "wsgi" for c in shown) else "loop"


def lane_of(c: Connection, now: int) -> Lane:
    """Return the lane of a request: its name, and what a table says of it."""
    told = (str(c.conn), facts.status(c), facts.first(c), facts.total(c, now), facts.received(c),
            facts.sent(c))  # fmt: skip
    return Lane(facts.name(c), c.error, told, RAISE if c.failed else "", c.conn)


def add_lane(
    items: Items,
    texts: Texts,
    lane: int,
    c: Connection,
    holds: Holds,
    marks: Sequence[Mark],
    now: int,
    span: float,
) -> None:
    """Append all of one request's bars and marks."""
    add_bars(items, lane, joined(holds.cut(c.phases_until(now))))
    add_marks(items, texts, lane, marks, span)


def add_bars(items: Items, lane: int, phases: Iterable[Phase]) -> None:
    """Append phases, a bar each."""
    bars = list(phases)
    if bars:
        items.extend(lane, *zip(*bars, strict=True))


def add_lanes(
    items: Items,
    texts: Texts,
    shown: Sequence[Connection],
    holds: Mapping[int, Holds],
    marks: Mapping[int, Sequence[Mark]],
    now: int,
    span: float,
) -> list[Lane]:
    """Append the bars and marks of all requests; return their lanes."""
    for lane, c in enumerate(shown):
        add_lane(items, texts, lane, c, holds_on(c, holds), marks.get(c.conn, ()), now, span)
    return [lane_of(c, now) for c in shown]


def holds_on(c: Connection, holds: Mapping[int, Holds]) -> Holds:
    """Return when the loop of a connection was held; a WSGI app needs none."""
    return holds.get(c.pid, NOBODY) if c.type != "wsgi" else NOBODY


def _dense(
    shown: Sequence[Connection], measures: Measures, axis: Axis, items: Items, rows: int
) -> list[Lane]:
    holds = holds_of(measures)
    each = -(-len(shown) // rows)
    lanes = []
    for lane, start in enumerate(range(0, len(shown), each)):
        some = shown[start : start + each]
        phases = [list(holds.get(c.pid, NOBODY).cut(c.phases_until(measures.last))) for c in some]
        add_density(items, lane, phases, axis.begin, axis.span)
        failed = RAISE if any(c.failed for c in some) else ""
        lanes.append(Lane(f"#{some[0].conn} to #{some[-1].conn}", f"×{len(some)}", (), failed))
    return lanes


def box_of(stall: Stall, lanes: int) -> Box:
    """Return the band over all lanes in which the loop was held."""
    hold = stall.hold
    return Box(hold.began, hold.ended, 0, lanes - 1, STALL, str(stall))


def title_of(shown: Sequence[Connection], axis: Axis, stalls: Sequence[Stall]) -> str:
    """Return what the picture says: the worst stall, else how much there was, in what time."""
    if stalls:
        return str(stalls[0])
    return f"{count(len(shown), 'request')} in {duration(axis.span)}"


def alt_of(shown: Sequence[Connection], axis: Axis, stalls: Sequence[Stall]) -> str:
    """Return the picture in words."""
    sentences = [f"Timeline of {count(len(shown), 'request')} over {duration(axis.span)}."]
    sentences += [f"{stall}." for stall in stalls]
    failed = [c for c in shown if c.failed]
    if failed:
        first = facts.name(failed[0])
        sentences.append(f"{count(len(failed), 'request')} failed, first {first}.")
    longest = max(shown, key=lambda c: c.total or 0)
    if longest.total:
        sentences.append(f"The longest, {facts.name(longest)}, takes {duration(longest.total)}.")
    return " ".join(sentences)
