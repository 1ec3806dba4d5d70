"""The life of an app, as a picture: its lifespan around its requests, and what goes on after them.

    lifetimes(trace)     a lane for the lifespan, for each request, for each task that outlives one

A request's bar changes its shape where its response is complete: what comes then, nobody waits for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from asgi_lab.connection import AWAIT, Connection, Phase
from asgi_lab.events import Event, Trace
from asgi_lab.lesson.lanes import picture_of
from asgi_lab.measures import Measures
from asgi_lab.plain import count
from asgi_lab.scene import facts
from asgi_lab.scene.axis import round_duration
from asgi_lab.scene.model import Axis, Items, Lane, Scene, Texts
from asgi_lab.scene.phases import joined
from asgi_lab.scene.roles import AFTER, LIFE, RAISE
from asgi_lab.view.display import Picture


@dataclass(frozen=True, slots=True)
class Life:
    """One lane: what was at what, from when to when (ns), and how it is told."""

    label: str
    phases: tuple[Phase, ...]
    words: str
    """What the alternative text says of it; may be empty."""
    ended: str = ""
    """How it ended, if that is not as it should: `cancelled`."""
    request: bool = False


def lifetimes(trace: Trace) -> Picture:
    """Return the picture."""
    return picture_of(lambda: scene_of(lives_of(trace)))


def lives_of(trace: Trace) -> list[Life]:
    """Return the lanes: lifespan, requests, and under each the tasks that outlive it."""
    measures = Measures(keep=None)
    measures.feed(trace.events)
    last = measures.last
    found = []
    for c in sorted(measures.connections, key=lambda c: (c.type != "lifespan", c.conn)):
        own = [e for e in trace if e.conn == c.conn and not e.layer]
        if c.type == "lifespan":
            found.append(lifespan_of(c, own, last))
            continue
        found.append(request_of(c, own, last))
        found += tasks_of(c, own, last)
    return found


def lifespan_of(c: Connection, own: list[Event], last: int) -> Life:
    """Return the lane of a lifespan: it starts up, is open, shuts down."""
    opened = moment(own, "send", "lifespan.startup.complete")
    closing = moment(own, "received", "lifespan.shutdown")
    end = c.until(last)
    if opened is None:
        failed = moment(own, "send", "lifespan.startup.failed") is not None
        words = "its startup fails" if failed else "the app has no lifespan"
        return Life("lifespan", ((c.started, end, AWAIT),), words, words if failed else "")
    until = end if closing is None else closing
    phases = (c.started, opened, AWAIT), (opened, until, LIFE), (until, end, AWAIT)
    words = f"the app is open from {told(opened)} to {told(until)}"
    return Life("lifespan", tuple(p for p in phases if p[1] > p[0]), words)


def request_of(c: Connection, own: list[Event], last: int) -> Life:
    """Return the lane of a request: to the end of its response, and after it."""
    ends = [e.t for e in own if e.type == "http.response.body" and e.kind == "send"
            and not e.data.get("more_body")]  # fmt: skip
    end = c.until(last)
    complete = min([end, *ends])
    phases = [(b, min(e, complete), what) for b, e, what in c.phases_until(last) if b <= complete]
    words = ""
    if end > complete:
        phases.append((complete, end, AFTER))
        words = f"{facts.name(c)} is answered at {told(complete)}, and goes on until {told(end)}"
    return Life(facts.name(c), tuple(joined(phases)), words,
                c.outcome * (c.outcome == "raised"), request=True)  # fmt: skip


def tasks_of(c: Connection, own: list[Event], last: int) -> Iterator[Life]:
    """Yield the lanes of the tasks that a request began, and that outlive it."""
    for born in (e for e in own if e.kind == "task"):
        done = next((e for e in own if e.kind == "done" and e.task == born.task), None)
        end = last if done is None else done.t
        outcome = "is never done" if done is None else str(done.data.get("outcome"))
        if end <= c.until(last):
            continue
        name = str(born.data.get("name") or born.data.get("type") or "a task").rpartition(".")[2]
        bad = outcome != "returned"
        words = f"the task {name} goes on until {told(end)}{f', and is {outcome}' * bad}"
        yield Life(name, ((born.t, end, AFTER),), words, outcome * bad)


def moment(own: list[Event], kind: str, type: str) -> int | None:
    """Return when the first such message passed."""
    return next((e.t for e in own if e.kind == kind and e.type == type), None)


def told(t: int) -> str:
    """Return a moment in words."""
    return round_duration(t)


def scene_of(lives: list[Life]) -> Scene:
    """Lay out a lane for each."""
    items, texts = Items(), Texts()
    for lane, life in enumerate(lives):
        for begin, end, what in life.phases:
            items.add(begin, end, lane, what, texts(life.ended) if what == AFTER else 0)
    span = max([1, *(p[1] for life in lives for p in life.phases)])
    after = sum(any(p[2] == AFTER for p in life.phases) for life in lives)
    title = f"{count(sum(life.request for life in lives), 'request')}: "
    title += (
        f"{count(after, 'thing')} after the response" if after else "nothing after the response"
    )
    alt = "; ".join([title, *(life.words for life in lives if life.words)]) + "."
    lanes = tuple(Lane(life.label, role=RAISE if life.ended else "") for life in lives)
    axis = Axis(0, span, label="time since the server called the app first")
    return Scene("lifetimes", title, alt, axis, lanes, items=items, texts=texts.all)
