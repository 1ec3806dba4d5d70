"""Who waits in line, and who serves: two pictures of a run on WSGI workers.

    in_line(trace)       a lane a request: it waits in line, then a worker has it: the staircase
    by_worker(trace)     a lane a worker: whom it serves, one after the other

A worker is a thread that calls the app, in whichever process.
"""

from dataclasses import dataclass

from asgi_lab.connection import HOLD
from asgi_lab.events import Trace
from asgi_lab.lesson.lanes import picture_of
from asgi_lab.measures import Measures
from asgi_lab.plain import count
from asgi_lab.scene.axis import round_duration
from asgi_lab.scene.comparison import Request, requests_of
from asgi_lab.scene.model import Axis, Items, Lane, Scene, Texts
from asgi_lab.scene.roles import LINE, RAISE
from asgi_lab.view.display import Picture


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: when it was due, when a worker took it, when it was done (ns); who had it.

    `number` counts requests in the order in which they were due, from 1; `worker` counts workers in
    the order in which they were first called, from 1. `taken` is None if nobody has served it.
    """

    number: int
    label: str
    due: int
    taken: int | None
    done: int
    worker: int
    failed: bool = False


def visits_of(trace: Trace) -> list[Visit]:
    """Return what became of each request, in the order in which they were due."""
    threads: dict[int, tuple[int, int]] = {}
    for event in trace:
        if event.kind == "scope" and event.type == "wsgi":
            threads[event.conn] = (int(event.data.get("pid") or 0), event.data["thread"])
    workers = {thread: n for n, thread in enumerate(dict.fromkeys(threads.values()), 1)}
    begun = {event.conn: event.t for event in trace if event.kind == "scope"}
    first: list[Request] = sorted(
        requests_of(trace), key=lambda r: (r.due, begun.get(r.conn, r.end), r.conn)
    )
    zero = first[0].due if first else 0
    return [
        Visit(
            number,
            request.label,
            request.due - zero,
            begun[request.conn] - zero if request.conn in begun else None,
            request.end - zero,
            workers.get(threads[request.conn], 0) if request.conn in threads else 0,
            request.failed,
        )
        for number, request in enumerate(first, 1)
    ]


def most_at_once(trace: Trace) -> int:
    """Return how many requests were in the app at once, at most."""
    measures = Measures(keep=None)
    measures.feed(trace.events)
    return measures.most_in_flight


def in_line(trace: Trace) -> Picture:
    """Return a lane a request: dotted while it waits in line, solid while a worker has it."""
    return picture_of(lambda: in_line_scene(visits_of(trace)))


def by_worker(trace: Trace) -> Picture:
    """Return a lane a worker: the requests that it serves, by their numbers."""
    return picture_of(lambda: by_worker_scene(visits_of(trace)))


def in_line_scene(visits: list[Visit]) -> Scene:
    """Lay out a lane a request."""
    items, texts, lanes = Items(), Texts(), []
    for lane, visit in enumerate(visits):
        taken = visit.done if visit.taken is None else visit.taken
        if taken > visit.due:
            items.add(visit.due, taken, lane, LINE)
        if visit.taken is not None:
            items.add(taken, visit.done, lane, HOLD, texts(f"worker {visit.worker}"))
        label = f"#{visit.number}  {visit.label}"
        lanes.append(Lane(label, role=RAISE if visit.failed else ""))
    waits = [(v.done if v.taken is None else v.taken) - v.due for v in visits]
    title = title_of(visits)
    waiting = sum(wait > 0 for wait in waits)
    alt = f"{title} None of them waits in line."
    if waiting:
        longest = round_duration(max(waits))
        alt = f"{title} {waiting} of them wait in line first, for up to {longest}."
    return scene_of("in line", title, alt, visits, lanes, items, texts)


def by_worker_scene(visits: list[Visit]) -> Scene:
    """Lay out a lane a worker."""
    items, texts = Items(), Texts()
    workers = sorted({visit.worker for visit in visits if visit.worker})
    lanes = [Lane(f"worker {worker}") for worker in workers]
    told = []
    for worker in workers:
        own = [visit for visit in visits if visit.worker == worker]
        for visit in sorted(own, key=lambda v: v.taken or 0):
            since = visit.due if visit.taken is None else visit.taken
            items.add(since, visit.done, worker - 1, HOLD, texts(f"#{visit.number}"))
        told.append(f"worker {worker}: " + ", ".join(f"#{v.number}" for v in own))
    title = title_of(visits)
    return scene_of("workers", title, f"{title} {'; '.join(told)}.", visits, lanes, items, texts)


def title_of(visits: list[Visit]) -> str:
    """Return what a run on workers came to."""
    if not visits:
        return "No requests."
    workers = len({visit.worker for visit in visits if visit.worker})
    last = round_duration(max(visit.done for visit in visits))
    return f"{count(len(visits), 'request')}, {count(workers, 'worker')}: all done after {last}."


def scene_of(
    name: str,
    title: str,
    alt: str,
    visits: list[Visit],
    lanes: list[Lane],
    items: Items,
    texts: Texts,
) -> Scene:
    """Return a scene on the axis of these visits."""
    axis = Axis(0, max([1, *(visit.done for visit in visits)]), label="time")
    return Scene(
        name, title, alt, axis, tuple(lanes), items=items, texts=texts.all, held="thread"
    )  # fmt: skip
