"""What all connections of a trace amount to, each total by itself. Times are nanoseconds."""

from dataclasses import dataclass, field

from asgi_lab.events import Data
from asgi_lab.histogram import Histogram

MAX_ERRORS = 100


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


class Failures(dict[tuple[str, str], Failure]):
    """Failures by type and line: the first `MAX_ERRORS` of them, and all others as one."""

    def add(self, name: str, at: str, message: str, conn: int) -> None:
        """Count an exception that left the app."""
        key = (name, at)
        if key not in self and len(self) >= MAX_ERRORS:
            key, message = ("other errors", ""), ""
        failure = self.setdefault(key, Failure(*key, message, conn))
        failure.count += 1
        failure.conn, failure.message = conn, message


@dataclass(slots=True)
class Threads:
    """Calls handed to pools of worker threads."""

    calls: int = 0
    queued: int = 0
    busy: int = 0
    most_busy: int = 0
    most_queued: int = 0
    longest_queue: int = 0
    longest_queue_conn: int = 0
    longest_work: int = 0

    def submitted(self) -> None:
        """Count a call handed to a pool."""
        self.calls += 1
        self.queued += 1
        self.most_queued = max(self.most_queued, self.queued)

    def began(self, conn: int, waited: int) -> None:
        """Note that a thread began a call, which had waited so long."""
        self.queued = max(self.queued - 1, 0)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        if waited > self.longest_queue:
            self.longest_queue, self.longest_queue_conn = waited, conn

    def ended(self, took: int) -> None:
        """Note that a thread ended a call."""
        self.busy = max(self.busy - 1, 0)
        self.longest_work = max(self.longest_work, took)


@dataclass(slots=True)
class Lifespan:
    """How the app's startup and shutdown went; each "" (not seen), ok, failed or unsupported."""

    startup: str = ""
    startup_took: int = 0
    shutdown: str = ""
    shutdown_took: int = 0
    message: str = ""
    _asked: int = 0

    def received(self, t: int) -> None:
        """Note when the app was asked to start up or to shut down."""
        self._asked = t

    def sent(self, t: int, type_: str, data: Data) -> None:
        """Note how the app says that it went."""
        took = t - self._asked if self._asked else 0
        outcome = {"complete": "ok", "failed": "failed"}.get(type_.rpartition(".")[2], "")
        if outcome and type_.startswith("lifespan.startup."):
            self.startup, self.startup_took = outcome, took
        elif outcome and type_.startswith("lifespan.shutdown."):
            self.shutdown, self.shutdown_took = outcome, took
        self.message = str(data.get("message") or "") or self.message

    def ended(self, error: str) -> None:
        """Note that the call for it is over: if it has not started, the app has none."""
        if not self.startup:
            self.startup, self.message = "unsupported", error


@dataclass(slots=True)
class Wire:
    """What a server told of its wire: the clients' connections, their bytes and their pauses."""

    connections: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    pauses: int = 0
    """How often writing or reading had to wait for the other side."""

    def note(self, data: Data) -> None:
        """Take the data of a `wire` event."""
        what, size = data.get("what"), data.get("size")
        self.connections += what == "open"
        self.pauses += what in ("pause writing", "pause reading")
        if isinstance(size, int) and what == "bytes in":
            self.bytes_in += size
        elif isinstance(size, int) and what == "bytes out":
            self.bytes_out += size
