"""Small traces made by hand, beside those of `asgi_lab.view.sample`."""

from asgi_lab.events import Event, Trace
from asgi_lab.view.sample import MS, sample_trace


def blocked_trace() -> Trace:
    """Return the sample, in which the line that held the loop was seen: LOOP-BLOCKED."""
    seen = {"took": 300 * MS, "call": "time.sleep", "at": "shop.py:7 in blocks"}
    events: list[Event] = []
    for event in sample_trace():
        if (event.kind, event.conn) == ("ran", 2):
            events.append(Event(len(events), event.t, 2, 0, "block", event.task, seen))
        events.append(event._replace(seq=len(events)))
    return Trace(tuple(events))
