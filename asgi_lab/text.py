"""A trace as plain text, one line an event."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from asgi_lab.events import Data, Event
from asgi_lab.message import message, pair
from asgi_lab.plain import clean, duration
from asgi_lab.recorder import BEGINS

QUICK = 50_000
"""Nanoseconds within which an end is folded into the line of its begin."""

FOLDS = frozenset({"receive", "send", "run", "submit"})
"""Kinds whose end may be folded; calls and tasks keep theirs, because much happens between."""


def called(event: Event) -> str:
    """Return who is called with what, for a `scope` event: `app GET /slow?x=1`."""
    data = event.data
    if event.layer:
        return clean(data.get("layer") or f"layer {event.layer}")
    query = data.get("query_string")
    path = f"{data.get('path') or ''}{'?' if query else ''}{query or ''}"
    verb = data.get("method") or data.get("type") or "(no type)"
    return clean(f"app {verb} {path}".rstrip())


def ended(event: Event) -> str:
    """Return how a call ended: `returned after 12 ms`, `raised ValueError: no (app.py:7 in f)`."""
    data = event.data
    after = _after(event)
    if event.kind == "raise":
        name = clean(data.get("error") or "an error")
        text = f": {clean(data['message'])}" if data.get("message") else ""
        at = f" at {clean(data['at'])}" if data.get("at") else ""
        return f"raised {name}{text}{at}{after}"
    return f"{'returned' if event.kind == 'return' else 'was cancelled'}{after}"


def trace_lines(events: Sequence[Event], *, compact: bool = True) -> Iterator[str]:
    """Yield a trace as text: milliseconds since it began, connection, arrow and what passed.

    Inner layers stand further right. The `compact` form says what ended within `QUICK` on the
    line of its begin; the other has every event on a line of its own.
    """
    ends, folded = quick_ends(events) if compact else ({}, set())
    width = len(str(max((event.conn for event in events), default=0)))
    for index, event in enumerate(events):
        if index in folded:
            continue
        end = ends.get((event.conn, event.layer, event.kind, event.task, event.t))
        offset = f"{event.t / 1e6:>11,.3f} ms"
        yield f"{offset}  #{event.conn:<{width}}  {'  ' * event.layer}{line(event, end)}"


Span = tuple[int, int, str, int, int]
"""Of a begin: its connection, layer, kind, task and time in nanoseconds of the trace."""


def quick_ends(events: Iterable[Event]) -> tuple[dict[Span, Event], set[int]]:
    """Return the ends to fold, by their begins, and their places among the events."""
    ends: dict[Span, Event] = {}
    folded = set()
    begun: set[Span] = set()
    for index, event in enumerate(events):
        kind = BEGINS.get(event.kind)
        if event.kind in FOLDS:
            begun.add((event.conn, event.layer, event.kind, event.task, event.t))
        if kind not in FOLDS or "error" in event.data or not 0 <= took(event) < QUICK:
            continue
        span = (event.conn, event.layer, kind, event.task, event.t - took(event))
        if span in begun:
            ends[span] = event
            folded.add(index)
    return ends, folded


def took(event: Event) -> int:
    """Return how long what ends here took, in nanoseconds; -1 if nothing ends or nobody knows."""
    value = event.data.get("took")
    return value if isinstance(value, int) else -1


def line(event: Event, end: Event | None = None) -> str:
    """Return one event in words; `end` is what is to be told with it."""
    writer = LINES.get(event.kind)
    return writer(event, end) if writer else f"? {pairs(event.data) or clean(event.kind)}"


def pairs(data: Data) -> str:
    """Return all of an event's data as `key=value`."""
    return " ".join(pair(key, value) for key, value in data.items())


def _after(event: Event | None, word: str = "after") -> str:
    return "" if event is None or took(event) < 0 else f" {word} {duration(took(event))}"


def _scope(event: Event, end: Event | None) -> str:
    return f"→ {called(event)}"


def _receive(event: Event, end: Event | None) -> str:
    return f"→ receive {message(end.data)}" if end else "→ receive …"


def _received(event: Event, end: Event | None) -> str:
    if "error" in event.data and "type" not in event.data:
        return f"× receive ended by {clean(event.data['error'])}{_after(event)}"
    data = {key: value for key, value in event.data.items() if key != "took"}
    return f"→ received {message(data)}{_after(event, '… waited')}"


def _send(event: Event, end: Event | None) -> str:
    return f"← send {message(event.data)}"


def _sent(event: Event, end: Event | None) -> str:
    if "error" in event.data:
        return f"× send ended by {clean(event.data['error'])}{_after(event)}"
    return f"← sent{_after(event, '… waited')}"


def _ended(event: Event, end: Event | None) -> str:
    return f"{'←' if event.kind == 'return' else '×'} {ended(event)}"


def _run(event: Event, end: Event | None) -> str:
    return f"█ ran{_after(end, 'for')}" if end else "█ run …"


def _task(event: Event, end: Event | None) -> str:
    return f"+ task {event.task} born: {clean(event.data.get('name') or '?')}"


def _done(event: Event, end: Event | None) -> str:
    return f"+ task {event.task} {clean(event.data.get('outcome') or 'ended')}{_after(event)}"


def _submit(event: Event, end: Event | None) -> str:
    call = clean(event.data.get("call") or "a call")
    return f"▄ submit {call} to a worker thread{_after(end, '… queued')}"


def _worked(event: Event, end: Event | None) -> str:
    return f"▄ worker thread {clean(event.data.get('outcome') or 'ended')}{_after(event)}"


LINES: dict[str, Callable[[Event, Event | None], str]] = {
    "scope": _scope,
    "receive": _receive,
    "received": _received,
    "send": _send,
    "sent": _sent,
    "return": _ended,
    "raise": _ended,
    "cancel": _ended,
    "run": _run,
    "ran": lambda event, end: f"█ ran{_after(event, 'for')}",
    "task": _task,
    "done": _done,
    "submit": _submit,
    "work": lambda event, end: f"▄ worker thread begins{_after(event, '… queued')}",
    "worked": _worked,
    "close": lambda event, end: "· the server closed the response",
    "mark": lambda event, end: f"* {clean(event.data.get('label') or 'mark')}",
    "drop": lambda event, end: f"! events are missing here {pairs(event.data)}".rstrip(),
}
"""How each kind is written. The arrows: into the app, out of it."""
