"""What a trace amounts to: connections, their phases, and totals, folded from events as they come.

    measures = Measures()
    measures.feed(events)      # again and again; or once, for a finished trace

The live view, the summary and the views of a file all read this one fold. Its memory is bounded:
the last `keep` finished connections, at most `MAX_PHASES` phases each, histograms for the rest.
All times are nanoseconds; unless said otherwise, of the trace (as `Event.t`).
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from asgi_lab.events import Data, Event

HOLD = "hold"
"""A task of the connection runs: it holds the event loop (WSGI: its thread)."""
SENDING = "sending"
"""The app waits in `send`: backpressure."""
CLIENT = "client"
"""The app waits in `receive`, for the client."""
THREAD = "thread"
"""A worker thread works for it."""
QUEUED = "queued"
"""A call of its waits for a worker thread."""
AWAIT = "await"
"""The app awaits anything else."""
APP = "app"
"""In the app, and nobody knows at what: the trace has no run slices."""

PHASES = (HOLD, SENDING, CLIENT, THREAD, QUEUED, AWAIT, APP)
"""Every phase, in order of precedence: of several at once, the first is the connection's."""

MAX_PHASES = 500
MAX_ROUTES = 200
MAX_ERRORS = 100
MAX_SECONDS = 120
SECOND = 1_000_000_000

Phase = tuple[int, int, str]
"""`(begin, end, what)`: times in nanoseconds of the trace, `what` one of `PHASES`."""

MOVES = {
    "run": (HOLD, 1),
    "ran": (HOLD, -1),
    "send": (SENDING, 1),
    "sent": (SENDING, -1),
    "receive": (CLIENT, 1),
    "received": (CLIENT, -1),
    "submit": (QUEUED, 1),
    "work": (QUEUED, -1),
    "worked": (THREAD, -1),
}
"""How a kind of event changes what a connection is at. `work` also begins a `THREAD`."""

STARTS = ("http.response.start", "wsgi.start_response", "websocket.http.response.start")
"""Messages that carry a status."""


def number(value: object) -> int:
    """Return a count or duration of untrusted data as a number; 0 if it is none."""
    return value if type(value) is int else 0


def payload_size(data: Data) -> int:
    """Return how many bytes (characters, of a WebSocket text) a message carries."""
    length = data.get("length")
    if type(length) is int:
        return length
    body = data.get("body") or data.get("bytes") or data.get("text")
    if type(body) is not str:
        return 0
    return len(body) if body.isascii() else len(body.encode("utf-8", "surrogatepass" if
        any("\ud800" <= c < "\udc80" for c in body) else "surrogateescape"))  # fmt: skip


class Histogram:
    """Durations in buckets 1 % wide (`bits=7`; each bit less doubles that): quantiles, bounded."""

    __slots__ = ("bits", "count", "counts", "longest")

    def __init__(self, bits: int = 7) -> None:
        self.bits = bits
        self.counts: dict[int, int] = {}
        self.count = 0
        self.longest = 0
        """The longest duration, exactly, in nanoseconds."""

    def add(self, duration: int) -> None:
        """Count a duration, in nanoseconds."""
        duration = max(duration, 0)
        shift = max(duration.bit_length() - self.bits, 0)
        bucket = (duration >> shift) << shift
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.count += 1
        if duration > self.longest:
            self.longest = duration

    def quantile(self, q: float) -> int:
        """Return the duration in nanoseconds that a share `q` of all do not exceed; 0 of none."""
        rank = q * self.count
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                if self.counts[bucket] == 1 and bucket == max(self.counts):
                    break  # the longest itself, and that is known exactly
                width = 1 << max(bucket.bit_length() - self.bits, 0)
                return min(bucket + width // 2, self.longest)
        return self.longest


@dataclass(slots=True)
class Connection:
    """One call of the app with a scope. Times are nanoseconds of the trace."""

    conn: int
    started: int
    type: str = ""
    """http, websocket, lifespan, wsgi; empty if the trace does not have its scope."""
    method: str = ""
    path: str = ""
    """The path, with its query if there is one."""
    pid: int = 0
    status: int | None = None
    """The HTTP status; of a WebSocket 101 once accepted, 403 if closed before."""
    code: int | None = None
    """The code a WebSocket was closed with, by either side."""
    first_byte: int | None = None
    """When the first byte of a body (of a WebSocket: the accept) was handed to the server."""
    ended: int | None = None
    outcome: str = ""
    """returned, raised, cancelled; empty while in flight."""
    error: str = ""
    at: str = ""
    """Where in the user's code the error was raised: `file:line in function`."""
    bytes_in: int = 0
    bytes_out: int = 0
    messages_in: int = 0
    messages_out: int = 0
    spent: dict[str, int] = field(default_factory=dict)
    """Nanoseconds in each phase so far, exactly, however many phases were merged."""
    phases: list[Phase] = field(default_factory=list)
    _open: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PHASES, 0))
    _what: str = APP
    _idle: str = APP
    _since: int = 0
    _asked: bool = False
    """Whether the request has come, all of it."""
    _listens: bool = False
    """Whether it also answers already: `receive` then only listens for the client to leave."""

    @property
    def total(self) -> int | None:
        """Nanoseconds from its scope to its end; None while in flight."""
        return None if self.ended is None else self.ended - self.started

    @property
    def route(self) -> str:
        """The method and the path without its query."""
        return f"{self.method} {self.path.partition('?')[0]}".strip()

    @property
    def failed(self) -> bool:
        """Whether an exception left the app, or it answered with a 5xx."""
        return self.outcome == "raised" or (self.status or 0) >= 500

    def until(self, now: int) -> int:
        """Return when it ended, or `now` while in flight."""
        return now if self.ended is None else self.ended

    def phases_until(self, now: int) -> list[Phase]:
        """Return the phases, the open one ended at `now`."""
        if self.ended is not None or now <= self._since:
            return self.phases
        return [*self.phases, (self._since, now, self._what)]

    def move(self, t: int, what: str, step: int) -> None:
        """Begin (`step` 1) or end (-1) one thing that it is at."""
        opened = self._open
        if what == CLIENT and step > 0 and self._listens:
            return
        opened[what] = count = opened[what] + step
        if count < 0:  # its begin is not in the trace
            opened[what] = 0
        if what == HOLD and self._idle == APP:
            self._idle = AWAIT
            if not self.phases:  # from the scope to the first slice, it is the tracer that runs
                self._what = HOLD
        now = (
            HOLD if opened[HOLD]
            else SENDING if opened[SENDING]
            else CLIENT if opened[CLIENT]
            else THREAD if opened[THREAD]
            else QUEUED if opened[QUEUED]
            else self._idle
        )  # fmt: skip
        if now != self._what:
            self.turn(t, now)

    def listen(self, t: int) -> None:
        """From now on `receive` waits for nothing that the app needs, once all has come."""
        if self._asked and self.status is not None and not self._listens:
            self._listens = True
            self._open[CLIENT] = 1
            self.move(t, CLIENT, -1)

    def turn(self, t: int, what: str) -> None:
        """End the phase that it is in, and begin another."""
        since, phases, was = self._since, self.phases, self._what
        self._what = what
        if t <= since:
            return
        self._since = t
        self.spent[was] = self.spent.get(was, 0) + t - since
        if phases and phases[-1][2] == was and phases[-1][1] == since:
            phases[-1] = (phases[-1][0], t, was)
            return
        phases.append((since, t, was))
        if len(phases) > MAX_PHASES:
            self.phases = merged(phases)

    def end(self, t: int, outcome: str) -> None:
        """End it."""
        self.turn(t, self._what)
        if not self.phases:
            self.phases = [(self.started, self._since, self._what)]
        self.ended = t
        self.outcome = outcome


def merged(phases: Sequence[Phase]) -> list[Phase]:
    """Return half as many phases: of each two neighbours, the longer speaks for both."""
    pairs = zip(phases[::2], [*phases[1::2], phases[-1]], strict=False)
    return [(a[0], b[1], max(a, b, key=lambda p: p[1] - p[0])[2]) for a, b in pairs]


@dataclass(slots=True)
class Route:
    """All finished requests to one method and path."""

    name: str
    latency: Histogram = field(default_factory=lambda: Histogram(bits=5))
    errors: int = 0

    @property
    def count(self) -> int:
        """Requests finished."""
        return self.latency.count


@dataclass(slots=True)
class Failure:
    """All exceptions of one type, raised at one line, that left the app."""

    error: str
    at: str
    message: str
    conn: int
    """The last connection it happened to."""
    count: int = 0


@dataclass(slots=True)
class Hold:
    """The longest slice in which the loop was held, in nanoseconds."""

    took: int = 0
    conn: int = 0
    began: int = 0
    route: str = ""


@dataclass(slots=True)
class Threads:
    """Calls handed to pools of worker threads; times in nanoseconds."""

    calls: int = 0
    queued: int = 0
    busy: int = 0
    most_busy: int = 0
    most_queued: int = 0
    longest_queue: int = 0
    longest_queue_conn: int = 0
    longest_work: int = 0


@dataclass(slots=True)
class Lifespan:
    """How the app's startup and shutdown went; each "" (not seen), ok, failed or unsupported."""

    startup: str = ""
    startup_took: int = 0
    shutdown: str = ""
    shutdown_took: int = 0
    message: str = ""
    _asked: int = 0


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
        self.failures: dict[tuple[str, str], Failure] = {}
        self.latency = Histogram()
        """Of HTTP and WSGI requests, from scope to end."""
        self.routes: dict[str, Route] = {}
        self.bytes_in = self.bytes_out = 0
        self.in_flight = self.most_in_flight = 0
        self.hold = Hold()
        self.held = 0
        """Nanoseconds in which the event loop was held by connections, in all."""
        self.held_in: OrderedDict[int, int] = OrderedDict()
        self.ended_in: OrderedDict[int, int] = OrderedDict()
        """Nanoseconds held, and requests ended, in each of the last seconds of the trace."""
        self.pids: set[int] = set()
        self.threads = Threads()
        self.lifespan = Lifespan()
        self._forgotten = 0
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
                continue
            connection = find(conn) or self._unknown(conn, kind, t, data)
            if connection is None:
                continue
            if kind in moves:
                connection.move(t, *moves[kind])
            handler = handlers[kind]
            if handler is not None:
                handler(connection, t, data)

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
        return self.held / self.span / max(len(self.pids), 1) if self.span else 0.0

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
        if late is not None or conn <= self._forgotten:
            return None
        connection = self.open[conn] = Connection(conn, t, _since=t)
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
        took = max(number(data.get("took")), 0)
        if c.type == "wsgi":
            return  # its thread was held, the loop was not
        self.held += took
        second, began = t // SECOND, t - took
        began = max(began, t - MAX_SECONDS * SECOND)
        while (second_began := second * SECOND) > began:
            self._tally(self.held_in, second, t - second_began)
            t, second = second_began, second - 1
        self._tally(self.held_in, second, t - began)
        if took > self.hold.took:
            self.hold = Hold(took, c.conn, began, c.route or c.type)

    def _tally(self, seconds: OrderedDict[int, int], second: int, amount: int) -> None:
        if second in seconds:
            seconds[second] += amount
            return
        seconds[second] = amount
        if len(seconds) > MAX_SECONDS:
            del seconds[min(seconds)]

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
            self._lifespan_sent(t, str(type_), data)

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
            self.lifespan._asked = t

    def _lifespan_sent(self, t: int, type_: str, data: Data) -> None:
        span = self.lifespan
        took = t - span._asked if span._asked else 0
        outcome = {"complete": "ok", "failed": "failed"}.get(type_.rpartition(".")[2], "")
        if outcome and type_.startswith("lifespan.startup."):
            span.startup, span.startup_took = outcome, took
        elif outcome and type_.startswith("lifespan.shutdown."):
            span.shutdown, span.shutdown_took = outcome, took
        span.message = str(data.get("message") or "") or span.message

    def _submit(self, c: Connection, t: int, data: Data) -> None:
        threads = self.threads
        threads.calls += 1
        threads.queued += 1
        threads.most_queued = max(threads.most_queued, threads.queued)

    def _work(self, c: Connection, t: int, data: Data) -> None:
        threads = self.threads
        c.move(t, THREAD, 1)
        threads.queued = max(threads.queued - 1, 0)
        threads.busy += 1
        threads.most_busy = max(threads.most_busy, threads.busy)
        took = number(data.get("took"))
        if took > threads.longest_queue:
            threads.longest_queue, threads.longest_queue_conn = took, c.conn

    def _worked(self, c: Connection, t: int, data: Data) -> None:
        threads = self.threads
        threads.busy = max(threads.busy - 1, 0)
        threads.longest_work = max(threads.longest_work, number(data.get("took")))

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
        if unsupported:
            return  # so an app says that it has no lifespan
        key = (name, c.at)
        if key not in self.failures and len(self.failures) >= MAX_ERRORS:
            key, message = ("other errors", ""), ""
        failure = self.failures.setdefault(key, Failure(*key, message, c.conn))
        failure.count += 1
        failure.conn, failure.message = c.conn, message

    def _end(self, c: Connection, t: int, outcome: str) -> None:
        c.end(t, outcome)
        del self.open[c.conn]
        self.finished[c.conn] = c
        if self.keep is not None and len(self.finished) > self.keep:
            conn, _ = self.finished.popitem(last=False)
            self._forgotten = max(self._forgotten, conn)
        if c.type == "lifespan":
            if not self.lifespan.startup:
                self.lifespan.startup, self.lifespan.message = "unsupported", c.error
            return
        self.in_flight = max(self.in_flight - 1, 0)
        self.outcomes[outcome] += 1
        self._tally(self.ended_in, t // SECOND, 1)
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


class Bin(NamedTuple):
    """One stretch of time. `begin` and `end` in nanoseconds of the trace; the rest are counts."""

    begin: int
    end: int
    in_flight: float
    """Connections in flight, on average."""
    most: int
    """And at most."""
    holding: float
    """Holding the loop, on average: of one loop, the share of the time in which it was held."""
    threads: float
    """At work in worker threads, on average."""


def concurrency(connections: Iterable[Connection], bins: int, begin: int, end: int) -> list[Bin]:
    """Return what was in flight and running from `begin` to `end`, in so many equal bins."""
    width = max((end - begin) / bins, 1.0)
    flying, holding, working = ([0.0] * bins for _ in range(3))
    most = [0] * bins
    edges: list[tuple[int, int]] = []

    def spread(into: list[float], since: int, until: int) -> None:
        low, high = max(since, begin), min(until, end)
        index = min(int((low - begin) / width), bins - 1) if high > low else bins
        while index < bins and (left := begin + index * width) < high:
            into[index] += (min(high, left + width) - max(low, left)) / width
            index += 1

    for c in connections:
        if c.type == "lifespan":
            continue
        ended = c.until(end)
        edges += [(c.started, 1), (ended, -1)]
        spread(flying, c.started, ended)
        for since, until, what in c.phases_until(end):
            if what in (HOLD, THREAD):
                spread(holding if what == HOLD else working, since, until)
    now = 0
    at = 0
    for t, step in sorted(edges):
        index = min(max(int((t - begin) / width), 0), bins - 1)
        for between in range(at, index + 1):  # what was in flight when each bin began
            most[between] = max(most[between], now)
        at = index
        now += step
        most[index] = max(most[index], now)
    return [
        Bin(round(begin + i * width), round(begin + (i + 1) * width), flying[i], most[i],
            holding[i], working[i])
        for i in range(bins)
    ]  # fmt: skip
