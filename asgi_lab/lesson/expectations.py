"""Expectations of a trace that read like English, and say what they found instead.

    expect(trace).sends("http.response.start", status=200).once()
    expect(trace).sends("http.response.start").before("http.response.body")
    expect(trace).receives("http.disconnect").then_no("http.response.body")
    expect(trace).holds_the_loop(at_most=0.1)

They look at what passed between server and app (layer 0). Each raises `Failed`, or returns itself.
`advice` is said with the failure: what a learner who did this has probably thought.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from asgi_lab.connection import HOLD
from asgi_lab.events import Event, Trace
from asgi_lab.lesson.failed import Failed
from asgi_lab.measures import Measures
from asgi_lab.plain import count, duration

Test = Callable[[Event], bool]

VERBS = {"send": "is sent", "received": "is received", "return": "happens", "raise": "happens"}


def expect(trace: Trace, path: str | None = None) -> "Expectation":
    """Return what can be expected of a trace; with `path`, of the requests for it alone."""
    return Expectation(trace, path)


def times(number: int) -> str:
    """Return how often, in words: `never`, `once`, `3 times`."""
    return {0: "never", 1: "once", 2: "twice"}.get(number) or f"{number:,} times"


class Expectation:
    """What can be expected of a whole trace."""

    def __init__(self, trace: Trace, path: str | None = None) -> None:
        self.trace = trace
        scopes = [e for e in trace if e.kind == "scope" and not e.layer]
        wanted = {
            e.conn for e in scopes
            if (e.type != "lifespan" if path is None else e.data.get("path") == path)
        }  # fmt: skip
        if path is None and not wanted:
            wanted = {e.conn for e in scopes}
        self.events = [e for e in trace if not e.layer and e.conn in wanted]

    def sends(self, type: str, **facts: Any) -> "Selection":
        """Return the messages of this type that the app sends, with these facts in them."""
        return Selection(self, "send", type, facts)

    def receives(self, type: str, **facts: Any) -> "Selection":
        """Return the messages of this type that the app receives."""
        return Selection(self, "received", type, facts)

    def returns(self) -> "Selection":
        """Return the ends of the app's calls."""
        return Selection(self, "return", "", {})

    def raises_nothing(self, advice: str = "") -> Self:
        """Expect that no exception leaves the app."""
        for event in self.events:
            if event.kind == "raise":
                told = " ".join(str(event.data.get(key) or "") for key in ("error", "message"))
                at = f", at {event.data['at']}" if event.data.get("at") else ""
                self.fail("no exception leaves the app", f"{told.strip()}{at}", event, advice)
        return self

    def answers(
        self, status: int = 200, body: bytes | None = None, which: int = 0, advice: str = ""
    ) -> Self:
        """Expect that a client got this answer: the first, or number `which` from 0."""
        result = self.trace.results[which]
        wanted = f"{result.request} is answered with {status}"
        if result.error or result.status is None:
            self.fail(wanted, f"there is no answer: {result.error or 'nothing came'}", None, advice)
        if result.status != status:
            self.fail(wanted, f"the answer is {result.status}", None, advice)
        if body is not None and result.body != body:
            wanted = f"the body of the answer is {body!r}"
            self.fail(wanted, f"it is {result.body!r}", self._last("send"), advice)
        return self

    def takes(self, seconds: float, advice: str = "") -> Self:
        """Expect that all is done after so many seconds, to the microsecond."""
        if abs(self.trace.seconds - seconds) > 1e-6:
            took, wanted = (duration(each * 1e9) for each in (self.trace.seconds, seconds))
            self.fail(f"all is done after {wanted}", f"it took {took}", None, advice)
        return self

    def overlaps(self, at_most: int | None = None, exactly: int | None = None) -> Self:
        """Expect so many requests in flight at once."""
        most = self.measures.most_in_flight
        if exactly is not None and most != exactly:
            shown = f"{count(most, 'request')} at most"
            self.fail(f"{count(exactly, 'request')} in flight at once", shown)
        if at_most is not None and most > at_most:
            shown = f"{most} are"
            self.fail(f"at most {count(at_most, 'request')} in flight at once", shown)
        return self

    def holds_the_loop(self, at_most: float, advice: str = "") -> Self:
        """Expect that nothing holds the event loop for longer than so many seconds at a stretch."""
        limit = round(at_most * 1e9)
        for c in self.measures.connections:
            for begin, end, what in c.phases_until(self.measures.last):
                if what == HOLD and end - begin > limit:
                    event = self._at(c.conn, "ran", end)
                    shown = f"{c.route or c.type} (#{c.conn}) held it for {duration(end - begin)}"
                    expected = f"nothing holds the event loop for more than {duration(limit)}"
                    self.fail(expected, shown, event, advice)
        return self

    @property
    def measures(self) -> Measures:
        """What the trace amounts to."""
        measures = Measures(keep=None)
        measures.feed(self.trace.events)
        return measures

    def fail(self, expected: str, shown: str, event: Event | None = None, advice: str = "") -> None:
        """Raise `Failed` about this trace."""
        raise Failed(expected, shown, event=event, trace=self.trace, advice=advice)

    def _at(self, conn: int, kind: str, t: int) -> Event | None:
        found = (e for e in self.trace if e.conn == conn and e.kind == kind and e.t >= t)
        return next(found, None)

    def _last(self, kind: str) -> Event | None:
        return next((e for e in reversed(self.events) if e.kind == kind), None)


class Selection:
    """Some events of a trace: those of one kind, with these facts. Expect something of them."""

    def __init__(self, whole: Expectation, kind: str, type_: str, facts: dict[str, Any]) -> None:
        self.whole = whole
        self.kind = kind
        self.type = type_
        self.facts = facts
        self.events = [e for e in whole.events if e.kind == kind and self._fits(e)]

    def __len__(self) -> int:
        return len(self.events)

    def once(self, advice: str = "") -> Self:
        """Expect exactly one."""
        return self.times(1, advice)

    def never(self, advice: str = "") -> Self:
        """Expect none."""
        return self.times(0, advice)

    def times(self, number: int, advice: str = "") -> Self:
        """Expect so many."""
        if len(self) != number:
            over = self.events[number] if len(self) > number else None
            self._fail(f"{self} {self.verb} {times(number)}", self._found(), over, advice)
        return self

    def at_least(self, number: int, advice: str = "") -> Self:
        """Expect so many, or more."""
        if len(self) < number:
            wanted = f"{self} {self.verb} {times(number)} or more"
            self._fail(wanted, self._found(), None, advice)
        return self

    def before(self, type: str, advice: str = "") -> Self:
        """Expect that the first of these comes before the first message of this type."""
        other = self._first_of(type)
        if other is not None and (not self.events or self.events[0].seq > other.seq):
            shown = f"{type} comes first, at {self._when(other)}"
            self._fail(f"{self} comes before {type}", shown, other, advice)
        return self

    def after(self, type: str, advice: str = "") -> Self:
        """Expect that the first message of this type comes before the first of these."""
        other = self._first_of(type)
        if self.events and (other is None or self.events[0].seq < other.seq):
            first = self.events[0]
            shown = f"{self} comes first, at {self._when(first)}"
            self._fail(f"{self} comes after {type}", shown, first, advice)
        return self

    def then_no(self, type: str, advice: str = "") -> Self:
        """Expect no message of this type after the first of these, on the same connection."""
        for first in self.events[:1]:
            for event in self.whole.events:
                if event.seq > first.seq and event.conn == first.conn and event.type == type:
                    expected = f"no {type} once {self} {self.verb}"
                    shown = f"there is one at {self._when(event)}"
                    self._fail(expected, shown, event, advice)
        return self

    def at(self, *seconds: float, advice: str = "") -> Self:
        """Expect these at so many seconds since the first call of the app, one each."""
        begin = min((e.t for e in self.whole.events if e.kind == "scope"), default=0)
        found = [round((e.t - begin) / 1e9, 6) for e in self.events]
        if found != [round(each, 6) for each in seconds]:
            wrong = [e for e, f, s in zip(self.events, found, seconds, strict=False) if f != s]
            wanted = ", ".join(duration(each * 1e9) for each in seconds)
            shown = ", ".join(duration(each * 1e9) for each in found) or "never"
            event = wrong[0] if wrong else None
            self._fail(f"{self} at {wanted}", f"it is at {shown}", event, advice)
        return self

    @property
    def verb(self) -> str:
        """What is said of them."""
        return VERBS[self.kind]

    def __str__(self) -> str:
        facts = "".join(f", {key}={value!r}" for key, value in self.facts.items())
        return f"{self.type or self.kind}{facts}"

    def _fits(self, event: Event) -> bool:
        if self.type and event.type != self.type:
            return False
        plain = {"more_body": False}
        return all(event.data.get(k, plain.get(k)) == v for k, v in self.facts.items())

    def _first_of(self, type_: str) -> Event | None:
        events: Iterable[Event] = self.whole.events
        return next((e for e in events if e.type == type_ and e.kind in ("send", "received")), None)

    def _found(self) -> str:
        if not self.events:
            others = self._others()
            return f"it {self.verb.replace('is ', 'is never ')}{others}"
        whens = [self._when(event) for event in self.events]
        told = ", ".join(whens[:4]) + (", …" if len(whens) > 4 else "")
        return f"it {self.verb} {times(len(self))}: at {told}"

    def _others(self) -> str:
        same = [e for e in self.whole.events if e.kind == self.kind and e.type == self.type]
        if same and self.facts:
            key = next(iter(self.facts))
            values = list(dict.fromkeys(repr(e.data.get(key)) for e in same))
            return f"; what is {self.verb.removeprefix('is ')} has {key}={', '.join(values)}"
        return ""

    def _when(self, event: Event) -> str:
        scopes: Sequence[Event] = [e for e in self.whole.events if e.kind == "scope"]
        begin = next((e.t for e in scopes if e.conn == event.conn), 0)
        return duration(event.t - begin)

    def _fail(self, expected: str, shown: str, event: Event | None, advice: str) -> None:
        self.whole.fail(expected, shown, event or self._last(), advice)

    def _last(self) -> Event | None:
        return self.whole.events[-1] if self.whole.events else None
