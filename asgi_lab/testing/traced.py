"""What the fixture `asgi_trace` hands to a test: its apps traced, and what is wrong with them."""

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from asgi_lab.api import trace
from asgi_lab.diagnose import WARNING, Diagnosis
from asgi_lab.diagnose.formats import everything
from asgi_lab.events import Trace
from asgi_lab.files import snapshot
from asgi_lab.interface import interface_of
from asgi_lab.recorder import Recorder
from asgi_lab.standin import StandIn
from asgi_lab.text import trace_lines
from asgi_lab.watchdog import forget

LIMIT = 100_000
"""Events kept of one test; the oldest go first."""

LINES = 200
"""Lines of a trace that a report shows: of a longer one, its beginning and its end."""


RAISED = {"H15", "W10", "L6"}
"""Rules by which no exception leaves the app: test clients raise it, and the test has its say."""


class AsgiTrace:
    """The trace of one test: of all apps that its test clients call, in the order of time.

    Apps that it calls in other ways are traced if the test calls what `asgi_trace(app)` returns.
    """

    def __init__(self, allowed: Iterable[str] = (), strict: bool = False) -> None:
        self._recorder = Recorder(limit=LIMIT)
        self._tracers: WeakValueDictionary[int, Any] = WeakValueDictionary()
        """Of each app, as long as somebody calls it: no app lives longer than without us."""
        self._allowed = {*RAISED, *allowed}
        self._strict = strict
        self._told: set[tuple[str, str]] = set()
        self._read: tuple[int, Trace] | None = None
        """How much had been recorded when the trace was read last, and the trace."""

    def __call__(self, app: Any) -> Any:
        """Return `app` traced; the same for the same app. Raises `TypeError` if it is no app."""
        if isinstance(app, StandIn):
            return app
        tracer = self._tracers.get(id(app))
        if tracer is None:
            tracer = self._tracers[id(app)] = trace(app, recorder=self._recorder)
        return tracer

    def see(self, app: Any) -> Any:
        """Return `app` traced if it is one, and anything else as it is."""
        return self(app) if interface_of(app) is not None else app

    @property
    def trace(self) -> Trace:
        """What has been recorded so far."""
        total = self._recorder.total
        if self._read is None or self._read[0] != total:
            self._read = (total, snapshot(self._recorder))
        return self._read[1]

    def allow(self, *names: str) -> None:
        """Let these rules and diagnoses be: what the test is about, perhaps."""
        self._allowed.update(names)

    def wrong(self) -> Sequence[Diagnosis]:
        """Return what this test must not have, and what has not been returned before.

        That is each rule broken by an app or a middleware (by the client: a test may leave out
        what it does not need); and if it is strict, all else of which a diagnosis warns.
        """
        found = []
        for one in everything(self.trace):
            if key_of(one) not in self._told and self._counts(one):
                self._told.add(key_of(one))
                found.append(one)
        return found

    def _counts(self, one: Diagnosis) -> bool:
        if one.severity != WARNING or one.name in self._allowed or one.id in self._allowed:
            return False
        return self._strict or bool(one.rule)

    def report(self) -> str:
        """Return the trace as text, and what is wrong beside what the test has failed for."""
        lines = str(self).splitlines()
        if len(lines) > LINES:
            lines[LINES // 2 : -LINES // 2] = [f"⋮ {len(lines) - LINES:,} lines"]
        more = [
            one for one in self.trace.diagnose() if not one.rule and key_of(one) not in self._told
        ]
        return "\n".join([*lines, *(f"\n{one}" for one in more)])

    def __str__(self) -> str:
        shown = [event for event in self.trace.events if event.kind not in ("run", "ran")]
        return "\n".join(trace_lines(shown))

    def end(self) -> None:
        """Watch the event loops of the test no longer."""
        forget(self._recorder)


def key_of(one: Diagnosis) -> tuple[str, str]:
    """Return what is the same of a diagnosis when it is made again of a longer trace."""
    return one.name, one.at or one.request
