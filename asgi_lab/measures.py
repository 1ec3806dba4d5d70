"""What a trace amounts to: connections and totals, folded from events as they come.

    measures = Measures()
    measures.feed(events)      # again and again; or once, for a finished trace

The live view, the summary and the views of a file all read this one fold. Its memory is bounded:
the last `keep` finished connections, at most `MAX_PHASES` phases each, histograms for the rest.
All times are nanoseconds; unless said otherwise, of the trace (as `Event.t`).
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence

from asgi_lab.connection import MOVES, THREAD, Connection
from asgi_lab.events import Data, Event
from asgi_lab.histogram import Histogram
from asgi_lab.loop import SECOND, Loops, tally
from asgi_lab.message import number, payload_size
from asgi_lab.totals import Failures, Lifespan, Route, Threads, Wire

MAX_ROUTES = 200
MAX_ASIDE = 1000

STARTS = ("http.response.start", "wsgi.start_response", "websocket.http.response.start")
"""Messages that carry a status."""

Handler = Callable[[Connection, int, Data], None]


class Measures:
    """The fold. `keep` bounds the finished connections kept (None: all of them)."""

    def __init__(self, keep: int | None = 1000) -> None:
        self.keep = keep
        self.open: dict[int, Connection] = {}
        """In flight, by number."""
        self.finished: OrderedDict[int, Connection] = OrderedDict()
        """The last ones finished, in the order in which they ended, by number."""
        self.first: int | None = None
        self.last = 0
        """The times of the first and the last event."""
        self.events = 0
        self.types: Counter[str] = Counter()
        """Connections begun, by type."""
        self.statuses: Counter[str] = Counter()
        """Requests ended, by class of status: 2xx, ..., or "no status"."""
        self.outcomes: Counter[str] = Counter()
        self.codes: Counter[int] = Counter()
        """WebSockets ended, by close code (0: none seen)."""
        self.failures = Failures()
        self.latency = Histogram()
        """Of HTTP and WSGI requests, from scope to end."""
        self.routes: dict[str, Route] = {}
        self.bytes_in = self.bytes_out = 0
        self.in_flight = self.most_in_flight = 0
        self.ended_in: OrderedDict[int, int] = OrderedDict()
        """Requests ended in each of the last seconds of the trace."""
        self.pids: set[int] = set()
        self.loops = Loops(keep_all=keep is None)
        self.threads = Threads()
        self.lifespan = Lifespan()
        self.wire = Wire()
        self._forgotten = 0
        self._aside: dict[int, Connection] = {}
        self._handlers: dict[str, Handler | None] = {
            "run": None,
            "receive": None,
            "sent": None,
            "scope": self._scope,
            "ran": self._ran,
            "send": self._send,
            "received": self._received,
            "return": self._returned,
            "raise": self._raised,
            "cancel": self._cancelled,
            "submit": self._submit,
            "work": self._work,
            "worked": self._worked,
        }

    def feed(self, events: Sequence[Event]) -> None:
        """Take the next events, in order."""
        if not events:
            return
        if self.first is None:
            self.first = events[0].t
        self.events += len(events)
        self.last = max(self.last, events[-1].t)
        find, moves, handlers = self.open.get, MOVES, self._handlers
        for _, t, conn, layer, kind, _, data in events:
            if layer or kind not in handlers:
                if kind == "wire":
                    self.wire.note(data)
                continue
            connection = find(conn) or self._unknown(conn, kind, t, data)
            if connection is None:
                continue
            if kind in moves:
                connection.move(t, *moves[kind])
            handler = handlers[kind]
            if handler is not None:
                handler(connection, t, data)

    def gap(self) -> None:
        """Take note that events are missing here: nobody knows what is still in flight.

        What was, is put aside until an event shows that it still is.
        """
        self._aside.update(self.open)
        self.open.clear()
        self.in_flight = 0
        while len(self._aside) > MAX_ASIDE:
            del self._aside[next(iter(self._aside))]

    @property
    def connections(self) -> list[Connection]:
        """All that are kept, in the order in which they began."""
        return sorted([*self.finished.values(), *self.open.values()], key=lambda c: c.conn)

    @property
    def requests(self) -> int:
        """Connections begun, without lifespans."""
        return self.types.total() - self.types["lifespan"]

    @property
    def span(self) -> int:
        """Nanoseconds from the first event to the last."""
        return self.last - (self.first or 0)

    @property
    def utilisation(self) -> float:
        """The share of the whole time in which connections held the loop, 0 to 1."""
        return self.loops.held / self.span / max(len(self.pids), 1) if self.span else 0.0

    def rate(self, now: int, seconds: int = 5) -> float:
        """Return requests ended a second, over the last full `seconds` before `now`."""
        last = now // SECOND
        count = sum(self.ended_in.get(second, 0) for second in range(last - seconds, last))
        return count / max(1, min(seconds, last - (self.first or 0) // SECOND))

    def _unknown(self, conn: int, kind: str, t: int, data: Data) -> Connection | None:
        """Return a new connection, unless this is the afterlife of one that has ended."""
        late = self.finished.get(conn)
        if late is not None and kind == "ran":
            self._ran(late, t, data)  # a task that outlived it
        if late is not None:
            return None
        aside = self._aside.pop(conn, None)
        if aside is not None:
            aside.resume(t)
            self.in_flight += aside.type != "lifespan"
        elif conn <= self._forgotten:
            return None
        connection = self.open[conn] = aside or Connection(conn, t, _since=t)
        return connection

    def _scope(self, c: Connection, t: int, data: Data) -> None:
        c.type = type_ = str(data.get("type") or "")
        c.method = str(data.get("method") or ("WS" if type_ == "websocket" else ""))
        query = data.get("query_string")
        c.path = str(data.get("path") or "") + (f"?{query}" if query else "")
        c.pid = number(data.get("pid"))
        self.pids.add(c.pid)
        self.types[type_] += 1
        if type_ != "lifespan":
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def _ran(self, c: Connection, t: int, data: Data) -> None:
        if c.type != "wsgi":  # which holds its thread, and no loop
            took = max(number(data.get("took")), 0)
            self.loops.ran(c.conn, c.route or c.type, c.pid, t, took)

    def _send(self, c: Connection, t: int, data: Data) -> None:
        c.messages_out += 1
        type_ = data.get("type")
        size = payload_size(data)
        if size:
            c.bytes_out += size
            self.bytes_out += size
            if c.first_byte is None:
                c.first_byte = t
        elif type_ in STARTS:
            c.status = number(data.get("status")) or c.status
            c.listen(t)
        elif type_ == "websocket.accept":
            c.status, c.first_byte = 101, t
        elif type_ == "websocket.close":
            c.status = c.status or 403
            c.code = number(data.get("code", 1000)) or None
        elif c.type == "lifespan":
            self.lifespan.sent(t, str(type_), data)
            if str(type_).endswith(".failed"):
                c.error = f"{type_} {data.get('message') or ''}".strip()

    def _received(self, c: Connection, t: int, data: Data) -> None:
        if "error" in data and "type" not in data:
            return
        c.messages_in += 1
        type_ = data.get("type")
        size = payload_size(data)
        if size:
            c.bytes_in += size
            self.bytes_in += size
        if type_ == "http.request" and not data.get("more_body"):
            c._asked = True
            c.listen(t)
        elif type_ == "websocket.disconnect" and c.code is None:
            c.code = number(data.get("code", 1005)) or None
        elif c.type == "lifespan":
            self.lifespan.received(t)

    def _submit(self, c: Connection, t: int, data: Data) -> None:
        self.threads.submitted()

    def _work(self, c: Connection, t: int, data: Data) -> None:
        c.move(t, THREAD, 1)
        self.threads.began(c.conn, number(data.get("took")))

    def _worked(self, c: Connection, t: int, data: Data) -> None:
        self.threads.ended(number(data.get("took")))

    def _returned(self, c: Connection, t: int, data: Data) -> None:
        self._end(c, t, "returned")

    def _cancelled(self, c: Connection, t: int, data: Data) -> None:
        self._end(c, t, "cancelled")

    def _raised(self, c: Connection, t: int, data: Data) -> None:
        name, message = str(data.get("error") or "an error"), str(data.get("message") or "")
        c.error = f"{name}: {message}" if message else name
        c.at = str(data.get("at") or "")
        unsupported = c.type == "lifespan" and not self.lifespan.startup
        self._end(c, t, "raised")
        if not unsupported:  # for so an app says that it has no lifespan
            self.failures.add(name, c.at, message, c.conn)

    def _end(self, c: Connection, t: int, outcome: str) -> None:
        c.end(t, outcome)
        del self.open[c.conn]
        self.finished[c.conn] = c
        if self.keep is not None and len(self.finished) > self.keep:
            conn, _ = self.finished.popitem(last=False)
            self._forgotten = max(self._forgotten, conn)
        if c.type == "lifespan":
            self.lifespan.ended(c.error)
            return
        self.in_flight = max(self.in_flight - 1, 0)
        self.outcomes[outcome] += 1
        tally(self.ended_in, t // SECOND, 1)
        if c.type == "websocket":
            self.codes[c.code or 0] += 1
            return
        self.statuses[f"{c.status // 100}xx" if c.status else "no status"] += 1
        self.latency.add(t - c.started)
        name = c.route
        if name not in self.routes and len(self.routes) >= MAX_ROUTES:
            name = "other"
        route = self.routes.setdefault(name, Route(name))
        route.latency.add(t - c.started)
        route.errors += c.failed
