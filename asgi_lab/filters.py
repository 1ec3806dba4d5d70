"""The language of `--filter`: terms `key OP value`, separated by spaces, all of which must hold.

    path=/slow* kind=send          what /slow... sent
    status>=500                    everything of the requests that failed
    took>100ms layer=GZip*         whatever took long in one middleware

`=` and `!=` take globs with `*`; `~` means "contains"; `<` `<=` `>` `>=` compare numbers and
durations. `EVENT_KEYS` look at each event; `CONNECTION_KEYS` select all events of the connections
that match. Values with spaces are quoted.
"""

import difflib
import operator
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from asgi_lab.connection import Connection
from asgi_lab.events import Event
from asgi_lab.measures import Measures

Names = dict[tuple[int, int], str]
"""What the layers of each connection are called."""

Test = Callable[[Any], bool]
"""Says of a value whether a term holds."""

ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}

UNITS = {"ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "min": 60e9}

EVENT_KEYS: dict[str, tuple[str, Callable[[Event, Names], Any]]] = {
    "kind": ("text", lambda event, names: event.kind),
    "type": ("text", lambda event, names: event.type),
    "layer": ("number or text", lambda event, names: _layer(event, names)),
    "task": ("number", lambda event, names: event.task),
    "took": ("duration", lambda event, names: event.data.get("took")),
    "rule": ("text", lambda event, names: event.data.get("rule")),
    "side": ("text", lambda event, names: event.data.get("side")),
}
"""Keys about the event: what their values are, and how to get them."""

CONNECTION_KEYS: dict[str, tuple[str, Callable[[Connection], Any]]] = {
    "conn": ("number", lambda connection: connection.conn),
    "path": ("text", lambda connection: _path(connection)),
    "method": ("text", lambda connection: connection.method),
    "status": ("number or text", lambda connection: connection.status),
    "outcome": ("text", lambda connection: connection.outcome or "open"),
    "total": ("duration", lambda connection: connection.total),
    "scope": ("text", lambda connection: connection.type),
    "pid": ("number", lambda connection: connection.pid),
}
"""Keys about the connection: all its events are selected, or none."""

TERM = re.compile(r"(?P<key>[^!<>=~]*)(?P<op>!=|>=|<=|=|<|>|~)(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled expression."""

    expression: str
    of_event: tuple[tuple[Callable[[Event, Names], Any], Test], ...]
    of_connection: tuple[tuple[Callable[[Connection], Any], Test], ...]

    def select(self, events: Sequence[Event]) -> list[Event]:
        """Return the events for which all terms hold, in order."""
        if self.of_connection:
            measures = Measures(keep=None)
            measures.feed(events)
            wanted = {c.conn for c in measures.connections if self.matches(c)}
            events = [event for event in events if event.conn in wanted]
        if not self.of_event:
            return list(events)
        names: Names = {
            (event.conn, event.layer): str(event.data.get("layer", ""))
            for event in events
            if event.kind == "scope"
        }
        return [event for event in events if self.holds(event, names)]

    def holds(self, event: Event, names: Names) -> bool:
        """Return whether all terms about the event hold for this one."""
        return all(test(get(event, names)) for get, test in self.of_event)

    def matches(self, connection: Connection) -> bool:
        """Return whether all terms about the connection hold for this one."""
        return all(test(get(connection)) for get, test in self.of_connection)


class Stream:
    """A filter of events as they come. Of a connection, it knows what is known by then."""

    def __init__(self, chosen: Filter) -> None:
        self._filter = chosen
        self._measures = Measures()
        self._names: Names = {}

    def select(self, events: Sequence[Event]) -> list[Event]:
        """Return those of the next events for which all terms hold."""
        self._measures.feed(events)
        known, names = {**self._measures.finished, **self._measures.open}, self._names
        wanted = {conn for conn, c in known.items() if self._filter.matches(c)}
        for event in events:
            if event.kind == "scope":
                names[event.conn, event.layer] = str(event.data.get("layer", ""))
        if len(names) > MAX_NAMES:
            self._names = {key: name for key, name in names.items() if key[0] in known}
        return [e for e in events if e.conn in wanted and self._filter.holds(e, names)]


MAX_NAMES = 100_000


def compile_filter(expression: str) -> Filter:
    """Read an expression. Raises `ValueError` that says which term is bad, and why."""
    of_event, of_connection = [], []
    for term in _terms(expression):
        match = TERM.fullmatch(term)
        if match is None or not match["key"]:
            raise ValueError(
                f"filter: expected a term like path=/slow or took>100ms, got {term!r}; "
                f"keys: {', '.join([*EVENT_KEYS, *CONNECTION_KEYS])}"
            )
        key, op, value = match.group("key", "op", "value")
        if key in EVENT_KEYS:
            kind, get_event = EVENT_KEYS[key]
            of_event.append((get_event, _test(term, kind, op, value)))
        elif key in CONNECTION_KEYS:
            kind, get_connection = CONNECTION_KEYS[key]
            of_connection.append((get_connection, _test(term, kind, op, value)))
        else:
            raise ValueError(f"filter: unknown key {key!r} in {term!r}; {_nearest(key)}")
    return Filter(expression, tuple(of_event), tuple(of_connection))


def _terms(expression: str) -> list[str]:
    lexer = shlex.shlex(expression, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = lexer.escape = ""
    try:
        return [str(term) for term in lexer]
    except ValueError:
        raise ValueError(f"filter: a quote is opened and not closed in {expression!r}") from None


def _nearest(key: str) -> str:
    keys = [*EVENT_KEYS, *CONNECTION_KEYS]
    near = difflib.get_close_matches(key.lower(), keys, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(keys)}"


def _test(term: str, kind: str, op: str, value: str) -> Test:
    """Return what a term asks of a value."""
    if op == "~":
        if "text" not in kind:
            raise ValueError(f"filter: {term!r} asks whether a {kind} contains something; use =")
        return lambda actual: any(value in str(one) for one in _each(actual))
    if kind == "text" and op in ORDERS:
        raise ValueError(f"filter: expected = or != or ~ with a text, got {op!r} in {term!r}")
    if kind == "duration":
        return _compare(op, _duration(term, value))
    if kind == "number" or op in ORDERS:
        if not re.fullmatch(r"-?\d+", value):
            raise ValueError(f"filter: expected a whole number, got {value!r} in {term!r}")
        return _compare(op, int(value))
    return _like(op, value)


def _compare(op: str, wanted: int) -> Test:
    if op == "!=":
        return lambda actual: actual != wanted
    order: Callable[[Any, Any], bool] = ORDERS.get(op, operator.eq)

    def test(actual: Any) -> bool:
        return any(isinstance(one, int) and order(one, wanted) for one in _each(actual))

    return test


def _like(op: str, pattern: str) -> Test:
    globbed = ".*".join(map(re.escape, pattern.split("*")))
    if re.fullmatch(r"[1-5]xx", pattern):
        globbed = pattern[0] + r"\d\d"
    found = re.compile(globbed, re.DOTALL).fullmatch
    if op == "!=":
        return lambda actual: not any(found(str(one)) for one in _each(actual))
    return lambda actual: any(found(str(one)) for one in _each(actual) if one is not None)


def _each(actual: Any) -> tuple[Any, ...]:
    """Return the several names of one thing: a layer's number and name, a path's forms."""
    return actual if isinstance(actual, tuple) else (actual,)


def _layer(event: Event, names: Names) -> tuple[int, str]:
    return event.layer, names.get((event.conn, event.layer), "")


def _path(connection: Connection) -> tuple[str, ...]:
    return connection.path, connection.path.partition("?")[0]


def _duration(term: str, value: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-zµ]*)", value)
    if match is None or (match[2] or "ns") not in UNITS or (not match[2] and float(match[1])):
        raise ValueError(
            f"filter: expected a duration like 100ms, 1.5s or 20us, got {value!r} in {term!r}"
        )
    return round(float(match[1]) * UNITS[match[2] or "ns"])
