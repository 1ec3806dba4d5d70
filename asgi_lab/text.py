"""A trace as plain text, one line an event."""

from collections.abc import Callable, Iterator, Sequence

from asgi_lab.events import Data, Event
from asgi_lab.fold import Fold, folded, took
from asgi_lab.message import message, number, pair
from asgi_lab.plain import clean, duration, size


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

    Inner layers stand further right. The `compact` form has one line for what ended at once, and
    one for what passed through several layers unchanged; the other has a line for every event.
    """
    width = len(str(max((event.conn for event in events), default=0)))
    for fold in folded(events) if compact else map(Fold, events):
        first, last = fold.first, fold.last
        indent = "  " * min(first.layer, last.layer)
        passed = "" if last is first else f"  (layers {first.layer} → {last.layer})"
        told = line(last if first.kind in OUTERMOST else first, fold.end)
        yield f"{first.t / 1e6:>11,.3f} ms  #{first.conn:<{width}}  {indent}{told}{passed}"


OUTERMOST = ("return", "raise", "cancel")
"""Kinds of which, passed on through layers, the last says how long it took in all."""


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


def _block(event: Event, end: Event | None) -> str:
    call, at = (clean(event.data.get(key) or "?") for key in ("call", "at"))
    return f"█ {call}{_after(event, 'held the loop for')}, at {at}"


def _wire(event: Event, end: Event | None) -> str:
    return f"~ tcp {event.data.get('tcp')}: {on_the_wire(event)}"


def on_the_wire(event: Event) -> str:
    """Return what a `wire` event says: `78 B in: GET / HTTP/1.1`, `Request`, `pause writing`.

    In HTTP/2 it says of which stream: `stream 3: Request`.
    """
    stream = event.data.get("stream")
    return f"stream {number(stream)}: {_told(event.data)}" if stream else _told(event.data)


def _told(data: Data) -> str:
    what = clean(data.get("what") or "?")
    if "size" in data:
        first = clean(str(data.get("head") or "").partition("\n")[0])
        words = what.replace("bytes", size(number(data["size"])))
        return words + (f": {first}" if first else "")
    if what == "event":
        return clean(data.get("event") or "?")
    more = data.get("of") or data.get("error")
    return what + (f" ({clean(more)})" if more else "")


def _finding(event: Event, end: Event | None) -> str:
    data = event.data
    rule, what, by = (clean(data.get(key) or "?") for key in ("rule", "what", "side"))
    who = f" {clean(data['who'])}" if data.get("who") else ""
    at = f", at {clean(data['at'])}" if data.get("at") else ""
    times = f" ({number(data['count'])} times)" if "count" in data else ""
    return f"! {rule} broken by the {by}{who}: {what}{at}{times}"


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
    "block": _block,
    "task": _task,
    "done": _done,
    "submit": _submit,
    "work": lambda event, end: f"▄ worker thread begins{_after(event, '… queued')}",
    "worked": _worked,
    "wire": _wire,
    "close": lambda event, end: "· the server closed the response",
    "finding": _finding,
    "mark": lambda event, end: f"* {clean(event.data.get('label') or 'mark')}",
    "drop": lambda event, end: f"! events are missing here {pairs(event.data)}".rstrip(),
}
"""How each kind is written. The arrows: into the app, out of it."""
