"""Expectations of a trace that read like English, and say what they found instead.

    expect(trace).sends("http.response.start", status=200).once()
    expect(trace).sends("http.response.start").before("http.response.body")
    expect(trace).receives("http.disconnect").then_no("http.response.body")
    expect(trace).keeps_the_rules().raises_nothing()
    expect(trace).holds_the_loop(at_most=0.1)

They look at what passed between server and app (layer 0). Each raises `Failed`, or returns itself.
`advice` is said with the failure: what a learner who did this has probably thought.
"""

from typing import Any, Self

from asgi_lab.connection import HOLD
from asgi_lab.events import Event, Trace
from asgi_lab.lesson.failed import Failed
from asgi_lab.lesson.selection import HELD, Selection
from asgi_lab.measures import Measures
from asgi_lab.plain import count, duration
from asgi_lab.spec.rules import NOTE, rules

RAISES = ("H15", "W10", "L6")
"""The rules about exceptions."""


def expect(trace: Trace, path: str | None = None, *, lifespan: bool = False) -> "Expectation":
    """Return what can be expected of a trace; with `path`, of the requests for it alone.

    With `lifespan`, of the app's lifespan, and of no request.
    """
    return Expectation(trace, path, lifespan=lifespan)


def raised(event: Event) -> str:
    """Return what was raised, and where: `KeyError: 'body', at 1_echo.py:15 in app`."""
    told = ": ".join(str(event.data[key]) for key in ("error", "message") if event.data.get(key))
    return f"{told}, at {event.data['at']}" if event.data.get("at") else told


class Expectation:
    """What can be expected of a whole trace."""

    def __init__(self, trace: Trace, path: str | None = None, *, lifespan: bool = False) -> None:
        self.trace = trace
        self.path = path
        scopes = [e for e in trace if e.kind == "scope" and not e.layer]
        wanted = {
            e.conn for e in scopes
            if ((e.type == "lifespan") is lifespan if path is None else e.data.get("path") == path)
        }  # fmt: skip
        if path is None and not wanted and not lifespan:
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
                self.fail("no exception leaves the app", raised(event), event, advice)
        return self

    def keeps_the_rules(self, advice: str = "") -> Self:
        """Expect that the app breaks no rule of ASGI; its remedy is the advice, unless given.

        What it raises is another matter: `raises_nothing`.
        """
        for event in self.events:
            rule = rules().get(str(event.data.get("rule"))) if event.kind == "finding" else None
            if rule and rule.breaker == "app" and rule.weight != NOTE and rule.id not in RAISES:
                at = f", at {event.data['at']}" if event.data.get("at") else ""
                expected = f"{rule.sentence.rstrip('.')} (rule {rule.id})"
                self.fail(expected, f"{event.data['what']}{at}", event, advice or rule.remedy)
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
            why = next((e for e in self.events if e.kind == "raise"), None)
            shown = f"the answer is {result.status}"
            shown += f", for the app raised {raised(why)}" if why and result.status == 500 else ""
            self.fail(wanted, shown, why, advice)
        if body is not None and result.body != body:
            wanted = f"the body of the answer is {body!r}"
            self.fail(wanted, f"it is {result.body!r}", self._last("send"), advice)
        return self

    def takes(self, seconds: float, advice: str = "") -> Self:
        """Expect that all is done after so many seconds.

        With a path, count from the first event of these requests to their last.
        """
        times = [event.t for event in self.events] or [0]
        took = self.trace.seconds if self.path is None else (max(times) - min(times)) / 1e9
        if abs(took - seconds) > 1e-6:
            what = f"{self.path} is" if self.path else "all is"
            expected = f"{what} done after {seconds:g} s"
            self.fail(expected, f"it took {took:.6g} s", self._end(), advice)
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
                    blocks = [
                        e for e in self.trace
                        if e.conn == c.conn and e.kind == "block" and begin < e.t <= end
                    ]  # fmt: skip
                    event = blocks[0] if blocks else self._at(c.conn, "ran", end)
                    shown = f"{c.route or c.type} (#{c.conn}) held it for {duration(end - begin)}"
                    if blocks:
                        where = (blocks[0].data.get(key) for key in ("call", "at"))
                        shown += ", by {} at {}".format(*where)
                    expected = f"nothing holds the event loop for more than {duration(limit)}"
                    self.fail(expected, shown, event, advice)
        return self

    @property
    def measures(self) -> Measures:
        """What the trace amounts to."""
        measures = Measures(keep=None)
        measures.feed(self.trace.events)
        return measures

    def __repr__(self) -> str:
        return HELD

    def fail(self, expected: str, shown: str, event: Event | None = None, advice: str = "") -> None:
        """Raise `Failed` about this trace."""
        raise Failed(expected, shown, event=event, trace=self.trace, advice=advice)

    def _end(self) -> Event | None:
        return self.events[-1] if self.events else None

    def _at(self, conn: int, kind: str, t: int) -> Event | None:
        found = (e for e in self.trace if e.conn == conn and e.kind == kind and e.t >= t)
        return next(found, None)

    def _last(self, kind: str) -> Event | None:
        return next((e for e in reversed(self.events) if e.kind == kind), None)
