"""What passed between a server and its client, request by request, from the outermost layer.

A request is known as well as its scope and messages say it: of bodies the previews, of times those
at which the app was called, was given a message, or gave one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from asgi_lab.connection import Connection
from asgi_lab.events import Data, Event, Trace
from asgi_lab.measures import STARTS, Measures
from asgi_lab.message import header, number, payload_size

BODIES = ("http.response.body", "websocket.http.response.body", "wsgi.chunk")


@dataclass(slots=True)
class Exchange:
    """One connection, its scope and its messages, in order."""

    connection: Connection
    scope: Data = field(default_factory=dict)
    received: list[Event] = field(default_factory=list)
    sent: list[Event] = field(default_factory=list)
    others: list[Event] = field(default_factory=list)
    """All its other events, inner layers' too."""

    @property
    def answered(self) -> Event | None:
        """The message that begins the response, or accepts the WebSocket."""
        begins = (*STARTS, "websocket.accept")
        return next((event for event in self.sent if event.type in begins), None)

    @property
    def body(self) -> list[Event]:
        """The messages that carry the response's body."""
        return [event for event in self.sent if event.type in BODIES]

    @property
    def host(self) -> tuple[str, int | None]:
        """The name and port that the client asked for; those of the server if it did not say."""
        name = header(self.scope.get("headers"), "host")
        if name:
            host, colon, port = name.rpartition(":")
            if colon and port.isdigit() and not host.endswith(":"):
                return host, int(port)
            return name, None
        return address(self.scope.get("server"))

    @property
    def version(self) -> str:
        """The version of HTTP: `1.1`."""
        return str(self.scope.get("http_version") or "").removeprefix("HTTP/")

    @property
    def messages(self) -> list[Event]:
        """What was received and sent, in order."""
        return sorted([*self.received, *self.sent], key=lambda event: event.seq)


def exchanges(trace: Trace) -> tuple[list[Exchange], Measures]:
    """Return all connections but lifespans, in order, and what they were measured with."""
    measures = Measures(keep=None)
    measures.feed(trace.events)
    found = {c.conn: Exchange(c) for c in measures.connections if c.type != "lifespan"}
    for event in trace.events:
        exchange = found.get(event.conn)
        if exchange is None:
            continue
        if event.layer == 0 and event.kind == "scope":
            exchange.scope = event.data
        elif event.layer == 0 and event.kind == "received" and event.type:
            exchange.received.append(event)
        elif event.layer == 0 and event.kind == "send":
            exchange.sent.append(event)
        else:
            exchange.others.append(event)
    return list(found.values()), measures


def address(value: object) -> tuple[str, int | None]:
    """Return host and port of a scope's `server` or `client`; empty if it has none."""
    if isinstance(value, (list, tuple)) and len(value) == 2 and value[0] is not None:
        port = value[1]
        known = int(port) if isinstance(port, str) and port.isdigit() else number(port)
        return str(value[0]), known or None
    return "", None


@dataclass(frozen=True, slots=True)
class Run:
    """Messages of one type, one after the other: told as one."""

    type: str
    first: Event
    last: Event
    count: int
    size: int


def folded(messages: Iterable[Event]) -> list[Run]:
    """Return messages, those of one type that follow one another as one."""
    found = []
    for type_, same in groupby(messages, key=lambda event: event.type):
        run = list(same)
        found.append(Run(type_, run[0], run[-1], len(run), sum(payload_size(e.data) for e in run)))
    return found


def began(event: Event) -> int:
    """Return when that began which ends here, in nanoseconds of the trace."""
    return event.t - number(event.data.get("took"))
