"""What is run, on what, and what it has come to."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

from asgi_lab.clock import Real, Virtual
from asgi_lab.events import Trace
from asgi_lab.files import snapshot
from asgi_lab.interface import Interface, single_callable
from asgi_lab.recorder import LIMIT, Recorder
from asgi_lab.tracer import Tracer
from asgi_lab.watchdog import LIMIT as LIMIT_HELD
from asgi_lab.wsgi import WSGITracer

World = Virtual | Real

FEW = 1000
"""Results kept of a run that fails."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is run, and on what."""

    app: Any
    interface: Interface
    target: str | None
    server: str
    clock: World
    workers: int = 1
    threads: int | None = None
    layers: bool = True
    rules: bool = True
    redact: bool = True
    max_events: int = LIMIT

    @property
    def served_by(self) -> str:
        """The server, with its version if it is not ours."""
        try:
            return f"{self.server} {version(self.server)}"
        except PackageNotFoundError:
            return self.server

    def traced(self, recorder: Recorder) -> Any:
        """Return the app, traced by hand: no thread drains the recorder."""
        tracer: Tracer | WSGITracer
        if self.interface == "wsgi":
            tracer = WSGITracer(self.app, recorder)
        else:
            app = single_callable(self.app) if self.interface == "asgi2" else self.app
            tracer = Tracer(
                app,
                recorder,
                run=True,
                layers=self.layers,
                rules=self.rules,
                watchdog=LIMIT_HELD if isinstance(self.clock, Real) else None,
            )
        tracer.ticker.by_hand = True
        return tracer


@dataclass(slots=True)
class Done:
    """What a run has come to so far; whole after its end."""

    recorder: Recorder | None = None
    until: int | None = None
    """Events that count; those after them come from the undoing of a world."""
    recorded: Trace | None = None
    """Of a server in another process."""
    results: Sequence[Any] = ()
    """All of them; of a run that fails, the first that there were."""
    exact: bool = False
    header: dict[str, Any] = field(default_factory=dict)
    _noted: list[Any] = field(default_factory=list)

    def begin(self) -> None:
        """Note when the clients begin, in ns of the trace: the app may have taken time to start."""
        if self.recorder is not None:
            self.header["clients_at"] = self.recorder.clock() - self.recorder.origin

    def note(self, result: Any) -> None:
        """Note a result, should the run fail."""
        if len(self._noted) < FEW:
            self._noted.append(result)

    def stop(self, recorder: Recorder) -> None:
        """Note that the world ends: what is recorded from now on is its undoing."""
        self.until = recorder.total

    def trace(self, setup: Setup) -> Trace:
        """Return the trace."""
        taken, results = self.recorded, tuple(self.results or self._noted)
        if taken is None:
            taken = snapshot(self.recorder) if self.recorder is not None else Trace()
            taken = taken.of(
                event for event in taken if self.until is None or event.seq < self.until
            )
        header = {
            **taken.header,
            "server": setup.served_by,
            "clock": "virtual" if isinstance(setup.clock, Virtual) else "real",
            "exact": self.exact,
            **self.header,
        }
        if results:
            header["seconds"] = round(max(result.ended for result in results), 9)
        return replace(taken, header=MappingProxyType(header), results=results)
