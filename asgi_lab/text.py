"""A trace as plain text, one line an event; and how durations, sizes and messages are written.

Nothing that comes from a client or an app reaches a terminal raw: `clean` escapes what does not
print, and a body that is not text is named by its size.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from asgi_lab.events import Data, Event
from asgi_lab.recorder import BEGINS

QUICK = 50_000
"""Nanoseconds within which an end is folded into the line of its begin."""

PREVIEW = 40
"""Characters shown of a body, or of any one value."""

FOLDS = frozenset({"receive", "send", "run", "submit"})
"""Kinds whose end may be folded; calls and tasks keep theirs, because much happens between."""


def duration(ns: int | float) -> str:
    """Return nanoseconds in three digits and a unit: `812 µs`, `12.3 ms`, `1.02 s`, `3 min 5 s`."""
    if ns < 0:
        return "-" + duration(-ns)
    if ns < 1:
        return "0 µs"
    if ns >= 120e9:
        minutes, seconds = divmod(round(ns / 1e9), 60)
        return f"{minutes} min {seconds} s"
    if ns < 1000:
        return f"{ns:.0f} ns"
    for unit, size in (("µs", 1e3), ("ms", 1e6)):
        if float(digits := _three(ns / size)) < 1000:
            return f"{digits} {unit}"
    return f"{_three(ns / 1e9)} s"


def size(count: int | float) -> str:
    """Return a number of bytes in three digits and a decimal unit: `13 B`, `1.23 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{int(value)} B" if unit == "B" else f"{_three(value)} {unit}"
        value /= 1000
    return f"{_three(value)} TB"


def _three(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def count(number: int, noun: str) -> str:
    """Return a number with thousands separated and its noun: `1 request`, `1,234 requests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def clean(text: object) -> str:
    r"""Return a text in which all that does not print is escaped: `\x1b`, `\n`, `\u202e`."""
    text = text if isinstance(text, str) else str(text)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def shorten(text: str, width: int, where: str = "end") -> str:
    """Return `text` in at most `width` characters, an ellipsis at its `end` or `middle`."""
    if len(text) <= width:
        return text
    if where == "end" or width < 5:
        return text[: max(width - 1, 0)] + "…"
    tail = (width - 1) // 2
    return text[: width - 1 - tail] + "…" + text[len(text) - tail :]


def payload(data: Data) -> str | None:
    """Return what a message carries: its text in quotes, or `<31 bytes>`; None if nothing."""
    for name in ("text", "body", "bytes"):
        body = data.get(name)
        if not isinstance(body, str):
            continue
        raw = body.encode("utf-8", "surrogateescape" if _is_bytes(body) else "surrogatepass")
        length = data.get("length")
        total = length if isinstance(length, int) else len(raw)
        if not total:
            return "(empty)"
        if _is_binary(body):
            return f"<{count(total, 'byte')}>"
        cut = total > len(raw) or len(body) > PREVIEW
        quoted = f'"{clean(body[:PREVIEW])}{"…" if cut else ""}"'
        return f"{quoted} {size(total)}" if cut else quoted
    return None


def _is_bytes(text: str) -> bool:
    return not any("\ud800" <= char < "\udc80" or "\udcff" < char <= "\udfff" for char in text)


def _is_binary(text: str) -> bool:
    odd = sum(not (char.isprintable() or char in "\r\n\t") for char in text)
    return any("\udc80" <= char <= "\udcff" for char in text[:-3]) or odd > len(text) // 8


def message(data: Data) -> str:
    """Return one message in one line: `http.response.start 200 text/html`."""
    parts = [clean(data.get("type") or "(no type)")]
    for name in ("status", "code", "subprotocol", "reason", "message", "path"):
        if data.get(name) not in (None, ""):
            parts.append(shorten(clean(data[name]), PREVIEW))
    if content_type := header(data.get("headers"), "content-type"):
        parts.append(shorten(clean(content_type), PREVIEW))
    body = payload(data)
    if body is not None:
        parts.append(body)
    if data.get("more_body") is True:
        parts.append("more to come")
    known = {"type", "took", "status", "headers", "body", "bytes", "text", "length", "more_body"}
    known |= {"code", "subprotocol", "reason", "message", "path"}
    parts += [pair(key, value) for key, value in data.items() if key not in known][:4]
    return " ".join(parts)


def pair(key: str, value: Any) -> str:
    """Return `key=value`, cut and clean."""
    return f"{clean(key)}={shorten(clean(value), PREVIEW)}"


def header(headers: Any, name: str) -> str:
    """Return the value of a header, or an empty string; `headers` may be anything."""
    if not isinstance(headers, (list, tuple)):
        return ""
    for item in headers:
        if isinstance(item, (list, tuple)) and len(item) == 2 and str(item[0]).lower() == name:
            return str(item[1])
    return ""


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
