"""What differs between two conversations, in words: `status 200 → 500`, `header +vary`.

Each change has a rank: what matters more comes first.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from asgi_lab.alignment import ENDS, Row, Step
from asgi_lab.events import Data, Event
from asgi_lab.message import message, number, payload_size, raw
from asgi_lab.plain import clean, shorten, size
from asgi_lab.text import called, ended, line

RANKS = ("request", "status", "end", "finding", "message", "layer", "time", "header", "body",
         "thread", "scope", "other")  # fmt: skip

CHANGING = frozenset({
    "date", "host", "sec-websocket-key", "traceparent", "tracestate", "x-correlation-id",
    "x-request-id",
})  # fmt: skip
"""Headers whose values are different each time, and say nothing."""

SCOPE = ("type", "http_version", "scheme", "method", "root_path", "raw_path", "query_string",
         "spec_version", "extensions", "subprotocols")  # fmt: skip
"""What is compared of two scopes, beside the headers."""

CARRIED = ("body", "length", "more_body")
"""Of messages that carry a body: the body is compared as a whole."""

BODIES = ("http.request", "http.response.body")
VERBS = {"send": "sends", "received": "receives", "submit": "calls in a thread"}
MOST = 40
"""Characters of a value."""


class Change(NamedTuple):
    """One difference: what it is about (one of `RANKS`), and the words."""

    about: str
    words: str

    @property
    def rank(self) -> int:
        """How little it matters."""
        return RANKS.index(self.about)


def changes_in(a: Event, b: Event) -> list[Change]:
    """Return what differs between two events that stand side by side."""
    if a.kind in ENDS:
        before, after = _ended(a), _ended(b)
        return [] if before == after else [Change("end", f"{before} → {after}")]
    if a.kind == "scope":
        return [] if a.layer else _scopes(a.data, b.data)
    if a.kind not in ("send", "received") or a.data == b.data:
        return []
    found = _headers(a.data, b.data, "header")
    left_out = {"type", "took", "headers", *(CARRIED if _carries(a) else ())}
    for key in dict.fromkeys([*a.data, *b.data]):
        if key not in left_out and a.data.get(key) != b.data.get(key):
            about = "status" if key == "status" else "message"
            where = "" if key == "status" else f"{clean(a.type)} "
            words = f"{where}{clean(key)} {_value(a.data, key)} → {_value(b.data, key)}"
            found.append(Change(about, words))
    return found


def _scopes(a: Data, b: Data) -> list[Change]:
    found = _headers(a, b, "request header")
    for key in SCOPE:
        before, after = a.get(key) or "", b.get(key) or ""
        if key == "http_version":
            before, after = (str(one).removeprefix("HTTP/") for one in (before, after))
        if before != after:
            words = f"scope {key} {_value(a, key)} → {_value(b, key)}"
            found.append(Change("scope", words))
    return found


def _headers(a: Data, b: Data, what: str) -> list[Change]:
    old, new = _by_name(a.get("headers")), _by_name(b.get("headers"))
    found = [f"+{clean(name)}" for name in new if name not in old]
    found += [f"-{clean(name)}" for name in old if name not in new]
    for name in old:
        if name in new and old[name] != new[name] and name not in CHANGING:
            before, after = ", ".join(old[name]), ", ".join(new[name])
            found.append(f"{clean(name)}: {_short(before)} → {_short(after)}")
    return [Change("header", f"{what} {words}") for words in found]


def _by_name(headers: Any) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for item in headers if isinstance(headers, (list, tuple)) else ():
        if isinstance(item, (list, tuple)) and len(item) == 2:
            values.setdefault(str(item[0]).lower(), []).append(str(item[1]))
    return values


def only(rows: Iterable[Row], names: tuple[str, str]) -> list[Change]:
    """Return what only one has, told together where it follows one another."""
    found = []
    rows = list(rows)
    both = {row.a.key for row in rows if row.a is not None and row.b is not None}
    lonely = [row for row in rows if row.a is None or row.b is None]
    for (name, key), same in groupby(lonely, key=lambda row: _whose(row, names)):
        steps = [step for row in same if (step := row.a or row.b) is not None]
        found.append(_only(name, key, steps, more=key in both))
    return found


def _whose(row: Row, names: tuple[str, str]) -> tuple[str, tuple[str, ...]]:
    if row.a is not None:
        return names[0], row.a.key
    assert row.b is not None
    return names[1], row.b.key


def _only(name: str, key: tuple[str, ...], steps: Sequence[Step], more: bool) -> Change:
    what, first = key[0], steps[0].event
    if what == "layer":
        return Change("layer", f"layer {clean(key[1])} only in {name}")
    if what == "finding":
        who = clean(first.data.get("side") or "app")
        broken = f"{clean(key[1])}: {clean(first.data.get('what') or 'broken')}"
        return Change("finding", f"only in {name} the {who} breaks rule {broken}")
    if what == "mark":
        return Change("other", f"only {name}: mark {clean(key[1])}")
    if what in ("scope", "end"):
        return Change("end", f"only {name}: {words_of(steps[0])}")
    about = "thread" if what == "submit" else "message"
    volume = sum(payload_size(step.event.data) for step in steps)
    told = f" ({size(volume)})" if volume else ""
    if more or len(steps) > 1:
        times = f"{len(steps):,} more" if more else f"{len(steps):,} ×"
        return Change(about, f"{name} {VERBS[what]} {times} {clean(key[1])}{told}")
    said = clean(key[1]) if what == "submit" else message(_told(first))
    return Change(about, f"only {name} {VERBS[what]} {said}")


def bodies(rows: Sequence[Row]) -> list[Change]:
    """Return how the bodies differ that went in and out, whatever pieces they came in."""
    found = []
    for kind, what in (("received", "request body"), ("send", "body")):
        sides = [_pieces([row[side] for row in rows], kind) for side in (0, 1)]
        (a, a_total), (b, b_total) = (_whole(pieces) for pieces in sides)
        common = min(len(a), len(b))
        if a_total != b_total:
            found.append(Change("body", f"{what} {apart(size, a_total, b_total, 'B', ' → ')}"))
        elif a[:common] != b[:common]:
            before, after = (_short(one.decode("utf-8", "replace")) for one in (a, b))
            found.append(Change("body", f'{what} "{before}" → "{after}"'))
        elif len(sides[0]) == len(sides[1]) and _sizes(sides[0]) != _sizes(sides[1]):
            found.append(Change("body", f"{what} in pieces of other sizes"))
    return found


def _pieces(steps: Iterable[Step | None], kind: str) -> list[Event]:
    return [s.event for s in steps if s is not None and s.event.kind == kind and _carries(s.event)]


def _carries(event: Event) -> bool:
    return event.type in (*BODIES, "wsgi.chunk")


def _whole(pieces: Iterable[Event]) -> tuple[bytes, int]:
    """Return what is known of a body from its beginning on, and how long it is."""
    known: list[bytes] = []
    total, cut = 0, False
    for event in pieces:
        body = event.data.get("body")
        part = raw(body) if isinstance(body, str) else b""
        total += payload_size(event.data)
        if not cut:
            known.append(part)
        cut = cut or number(event.data.get("length")) > len(part)
    return b"".join(known), total


def _sizes(pieces: Iterable[Event]) -> list[int]:
    return [payload_size(event.data) for event in pieces]


def words_of(step: Step) -> str:
    """Return a step in words, without the time that it took."""
    event = step.event
    if event.kind == "scope":
        return f"→ {called(event)}"
    if event.kind == "received":
        return f"→ {message(_told(event))}"
    if event.kind == "send":
        return f"← {message(_told(event))}"
    if event.kind == "submit":
        return f"▄ calls {clean(step.key[1])} in a thread"
    if event.kind in ENDS:
        return f"{'←' if event.kind == 'return' else '×'} {_ended(event)}"
    return line(event)


def _ended(event: Event) -> str:
    return ended(event._replace(data=_told(event)))


def _told(event: Event) -> dict[str, Any]:
    return {key: value for key, value in event.data.items() if key != "took"}


def _value(data: Data, key: str) -> str:
    value = data.get(key)
    if value in (None, "", (), []):
        return "none"
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    return _short(str(value))


def apart(write: Callable[[int], str], x: int, y: int, unit: str, between: str) -> str:
    """Return two numbers in few digits; in all of them, if they would look alike."""
    before, after = write(x), write(y)
    if before == after:
        before, after = f"{x:,} {unit}", f"{y:,} {unit}"
    return f"{before}{between}{after}"


def _short(text: str) -> str:
    return shorten(clean(text), MOST)
