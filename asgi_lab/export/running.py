"""Who ran when, for Perfetto: the event loop's slices, those of threads, and the arrows between."""

from collections.abc import Iterable

from asgi_lab.events import Event
from asgi_lab.export.exchanges import began
from asgi_lab.export.tracks import Entry, Tracks, arrow, lasting
from asgi_lab.message import number
from asgi_lab.plain import clean
from asgi_lab.text import called

CallKey = tuple[int, int, int]
"""A call handed to a thread: its connection, its task, and when it was handed over or begun."""


class Work:
    """A slice of a worker thread, which ends when the thread begins another, at the `latest`."""

    __slots__ = ("entry", "latest")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.latest: int | None = None


class Calls:
    """Calls of one task that began in the same moment, and when they ended.

    In virtual time there may be several, and nobody says which of them ended when: so the thread
    that was wanted first is the one that was free first.
    """

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.flows: list[int] = []
        self.ends: list[int] = []

    def close(self, since: int, last: int) -> None:
        """Give each slice its length."""
        ends = [*self.ends, *(last for _ in self.works[len(self.ends) :])]
        wanted = sorted(self.works, key=lambda work: last if work.latest is None else work.latest)
        for work, end in zip(wanted, sorted(ends), strict=True):
            work.entry["dur"] = max(end - since, 0) / 1000


def running(events: Iterable[Event], tracks: Tracks, last: int) -> list[Entry]:
    """Return the slices of loops and threads, in the order in which they began, with arrows."""
    drawing = Drawing(tracks)
    for event in events:
        draw = getattr(drawing, f"on_{event.kind}", None)
        if draw is not None and not event.layer:
            draw(event)
    return drawing.finish(last)


class Drawing:
    """The slices so far. What is open gets its length when it ends."""

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks
        self._entries: list[Entry] = []
        self._names: dict[int, str] = {}
        self._wsgi: dict[int, Entry] = {}
        """Where the connections of a WSGI server run: a thread of its own, each."""
        self._holding: dict[int, Entry] = {}
        """By connection, the slice in which it runs at the moment."""
        self._submitted: dict[CallKey, list[tuple[str, int]]] = {}
        """What was handed over: its name, and the number of its arrow (0: none)."""
        self._working: dict[CallKey, Calls] = {}
        self._latest: dict[int, Work] = {}
        """By thread, its latest."""
        self._coming_back: dict[int, list[int]] = {}
        """By connection, the arrows of calls that are done, until it runs again."""
        self._flows: dict[int, list[Entry]] = {}

    def on_scope(self, event: Event) -> None:
        """Remember who it is, and where it runs."""
        self._names[event.conn] = f"#{event.conn} {called(event).removeprefix('app ')}"
        if event.type == "wsgi":
            pid = self._tracks.pid(event.conn)
            thread = number(event.data.get("thread"))
            self._wsgi[event.conn] = self._tracks.thread(pid, "server thread", thread)

    def on_run(self, event: Event) -> None:
        """Begin a slice; the calls that it waited for have led here."""
        where = self._wsgi.get(event.conn) or self._tracks.loop(self._tracks.pid(event.conn))
        name = self._names.get(event.conn, f"#{event.conn}")
        self._holding[event.conn] = self._add(lasting(event.t, 0, name, "loop", where))
        for flow in self._coming_back.pop(event.conn, ()):
            self._point("f", event.t, flow, where)

    def on_ran(self, event: Event) -> None:
        """End it."""
        entry = self._holding.pop(event.conn, None)
        if entry is not None:
            entry["dur"] = number(event.data.get("took")) / 1000

    def on_block(self, event: Event) -> None:
        """Draw what held the loop within a slice."""
        holding = self._holding.get(event.conn)
        if holding is not None:
            where = {key: holding[key] for key in ("pid", "tid")}
            name = f"{clean(event.data.get('call') or 'a call')} at {clean(event.data.get('at'))}"
            took = number(event.data.get("took"))
            self._add(lasting(began(event), took, name, "block", where))

    def on_submit(self, event: Event) -> None:
        """Begin an arrow, from the slice in which a call is handed over."""
        flow, holding = 0, self._holding.get(event.conn)
        if holding is not None:
            flow = event.seq + 1
            self._point("s", event.t, flow, {key: holding[key] for key in ("pid", "tid")})
        name = clean(event.data.get("call") or "a call")
        key = (event.conn, event.task, event.t)
        self._submitted.setdefault(key, []).append((name, flow))

    def on_work(self, event: Event) -> None:
        """Begin a slice of a worker thread, where the arrow passes."""
        handed = self._submitted.get((event.conn, event.task, began(event)))
        name, flow = handed.pop(0) if handed else ("a call", 0)
        thread = number(event.data.get("thread"))
        if not thread:  # cancelled in the queue
            return
        where = self._tracks.thread(self._tracks.pid(event.conn), "worker thread", thread)
        title = f"{name} for {self._names.get(event.conn, f'#{event.conn}')}"
        work = Work(self._add(lasting(event.t, 0, title, "thread", where)))
        before = self._latest.get(where["tid"])
        if before is not None:
            before.latest = event.t
        self._latest[where["tid"]] = work
        if flow:
            self._point("t", event.t, flow, where)
        calls = self._working.setdefault((event.conn, event.task, event.t), Calls())
        calls.works.append(work)
        calls.flows.append(flow)

    def on_worked(self, event: Event) -> None:
        """End it; the arrow goes on to where the connection runs again."""
        calls = self._working.get((event.conn, event.task, began(event)))
        if calls is None or len(calls.ends) == len(calls.works):
            return
        flow = calls.flows[len(calls.ends)]
        calls.ends.append(event.t)
        if flow:
            self._coming_back.setdefault(event.conn, []).append(flow)

    def finish(self, last: int) -> list[Entry]:
        """Return all; what is open ends now, and no arrow leads nowhere."""
        for entry in self._holding.values():
            entry["dur"] = max(last / 1000 - entry["ts"], 0)
        for (_, _, since), calls in self._working.items():
            calls.close(since, last)
        nowhere = {id(points[0]) for points in self._flows.values() if len(points) == 1}
        for points in self._flows.values():
            if points[-1]["ph"] == "t":  # it never ran again
                points[-1].update({"ph": "f", "bp": "e"})
        return [entry for entry in self._entries if id(entry) not in nowhere]

    def _add(self, entry: Entry) -> Entry:
        self._entries.append(entry)
        return entry

    def _point(self, ph: str, t: int, flow: int, where: Entry) -> None:
        self._flows.setdefault(flow, []).append(self._add(arrow(ph, t, flow, where)))
