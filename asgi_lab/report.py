"""A trace as one JSON document: for scripts, and for `--format json`."""

from dataclasses import fields, is_dataclass
from typing import Any

from asgi_lab.connection import Connection
from asgi_lab.events import Event, Trace
from asgi_lab.measures import Measures
from asgi_lab.waiting import blocked


def report(trace: Trace) -> dict[str, Any]:
    """Return header, summary, connections and events of a trace as JSON holds them.

    Times are nanoseconds since the trace began, durations nanoseconds, sizes bytes.
    """
    measures = Measures(keep=None)
    measures.feed(trace.events)
    return {
        "header": dict(trace.header),
        "dropped": trace.dropped,
        "summary": _summary(measures),
        "connections": [_connection(c, measures) for c in measures.connections],
        "events": [_event(event) for event in trace.events],
    }


def _event(event: Event) -> dict[str, Any]:
    return {**event._asdict(), "data": dict(event.data)}


def _connection(c: Connection, m: Measures) -> dict[str, Any]:
    return {
        "conn": c.conn,
        "pid": c.pid,
        "type": c.type,
        "method": c.method,
        "path": c.path,
        "status": c.status,
        "started": c.started,
        "first_byte": c.first_byte,
        "ended": c.ended,
        "total": c.total,
        "outcome": c.outcome or "open",
        "error": c.error,
        "at": c.at,
        "bytes_in": c.bytes_in,
        "bytes_out": c.bytes_out,
        "blocked": blocked(m, c, m.last),
        "spent": {str(what): ns for what, ns in c.spent.items()},
    }


def _summary(m: Measures) -> dict[str, Any]:
    quantiles = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        "events": m.events,
        "requests": m.requests,
        "types": dict(m.types),
        "statuses": dict(m.statuses),
        "outcomes": dict(m.outcomes),
        "most_in_flight": m.most_in_flight,
        "bytes_in": m.bytes_in,
        "bytes_out": m.bytes_out,
        "latency": {name: m.latency.quantile(q) for name, q in quantiles.items()},
        "loop": {
            "held": m.loops.held,
            "utilisation": m.utilisation,
            "longest": _plain(m.loops.longest),
        },
        "threads": _plain(m.threads),
        "wire": _plain(m.wire),
        "lifespan": _plain(m.lifespan),
        "errors": [_plain(failure) for failure in m.failures.values()],
    }


def _plain(value: Any) -> Any:
    """Return a record of numbers and texts as a dict."""
    if is_dataclass(value):
        names = [field.name for field in fields(value) if not field.name.startswith("_")]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return value
