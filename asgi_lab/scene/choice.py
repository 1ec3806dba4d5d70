"""Which connection to draw, where a picture shows one."""

from asgi_lab.connection import Connection
from asgi_lab.events import Trace
from asgi_lab.measures import Measures
from asgi_lab.scene.facts import name


def choose(measures: Measures) -> tuple[Connection | None, str]:
    """Return the connection most worth a look, and why: the last that failed, or the slowest."""
    every = [c for c in measures.connections if c.type != "lifespan"] or measures.connections
    failed = [c for c in every if c.failed]
    if failed:
        return failed[-1], "the last that failed"
    if len(every) == 1:
        return every[0], "the only one"
    slowest = max(every, key=lambda c: c.total or measures.last - c.started, default=None)
    return slowest, "the slowest"


def one(trace: Trace, conn: int | None) -> tuple[Connection, Trace] | None:
    """Return a connection (`choose` does, if no number is given) and its events; None of none.

    Raises `ValueError` if there is no such connection.
    """
    measures = Measures(keep=None)
    measures.feed(trace.events)
    if conn is None:
        chosen, _ = choose(measures)
    else:
        check(measures, conn)
        chosen = next(c for c in measures.connections if c.conn == conn)
    if chosen is None:
        return None
    return chosen, trace.of(event for event in trace.events if event.conn == chosen.conn)


def check(measures: Measures, conn: int) -> None:
    """Raise `ValueError` if there is no such connection; say which there are."""
    if not any(c.conn == conn for c in measures.connections):
        numbers = [str(c.conn) for c in measures.connections]
        known = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
        raise ValueError(f"no connection {conn} in this trace: expected one of {known}")


def titled(c: Connection) -> str:
    """Return what a picture of one connection is called: `#7  GET /slow`."""
    return f"#{c.conn}  {name(c)}".rstrip()
