"""`run(app, *clients)`: an app, its clients and a world in, a trace out.

    trace = await run(app, get("/"), get("/slow"))                    # virtual time, in memory
    trace = await run(app, 50 * [get("/slow")], server="uvicorn")     # real time, real sockets

In virtual time, which is the default wherever it can be, the trace is the same on any machine and
each time, to the byte. The app is the same in both worlds.
"""

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from asgi_lab.clock import Real, Virtual, VirtualTimeError
from asgi_lab.events import Trace
from asgi_lab.files import snapshot
from asgi_lab.interface import Interface, single_callable
from asgi_lab.recorder import LIMIT, Recorder
from asgi_lab.tracer import Tracer
from asgi_lab.wsgi import WSGITracer

World = Virtual | Real
Performance = dict[str, Any]
"""The options of `asgi_lab.client.perform`."""


async def run(
    app: Any,
    *clients: Any,
    server: str = "memory",
    clock: World | None = None,
    concurrency: int | None = None,
    workers: int = 1,
    threads: int | None = None,
    timeout: float | None = None,
    layers: bool = True,
    redact: bool = True,
    max_events: int = LIMIT,
) -> Trace:
    """Run an app against clients, and return the trace, with `results`, `seconds` and `digest`.

    - `app`: an ASGI or WSGI app, or its name, such as `"main:app"`.
    - `clients`: `get(...)`, `ws(...)`, `user(...)` and lists of them (see `asgi_lab.client`).
    - `server`: `memory` (no server: the app is called as Uvicorn would call it, without a wire),
      `uvicorn`, `hypercorn`, `lab`; an app given by name can run on any that `asgi-lab trace`
      knows. A WSGI app in memory runs on `asgi_lab.wsgi_server`.
    - `clock`: `virtual()` or `real()`. By default virtual time in memory, real time on servers.
    - `concurrency`: how many clients are served at once; by default all, as they come.
    - `workers`, `threads`: of a WSGI app, how many processes, of how many threads each. Of an ASGI
      app, `threads` is the size of the pools for its synchronous work.
    - `timeout`: seconds for each request. By default none in virtual time, 30 in real time.
    - `layers`, `redact`, `max_events`: see `asgi_lab.trace`.

    Raises ValueError for what makes no sense, TypeError if `app` is no app, `LifespanFailed` if it
    does not start, and in virtual time `VirtualTimeError`, whose `trace` is what came before.
    """
    from asgi_lab.doors import choose_clock, load

    app, interface, target = load(app)
    clock = clock or choose_clock(server, interface)
    if timeout is None and isinstance(clock, Real):
        timeout = 30.0
    setup = Setup(
        app, interface, target, server, clock, workers, threads, layers, redact, max_events
    )
    setup.check()
    performance: Performance = {
        "clients": check_clients(clients),
        "concurrency": concurrency,
        "timeout": timeout,
    }
    done = Done()
    try:
        await clock.wait(lambda: perform_in(setup, performance, done))
    except VirtualTimeError as error:
        error.trace = done.trace(setup)
        raise
    return done.trace(setup)


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
    redact: bool = True
    max_events: int = LIMIT

    def check(self) -> None:
        """Raise ValueError for what makes no sense."""
        for name, value in (("workers", self.workers), ("threads", self.threads)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is at least 1, got {value}")
        from asgi_lab.doors import check

        check(self)

    @property
    def served_by(self) -> str:
        """The server, with its version if it is not ours."""
        from importlib.metadata import PackageNotFoundError, version

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
            tracer = Tracer(app, recorder, run=True, layers=self.layers)
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
    results: tuple[Any, ...] = ()
    exact: bool = False
    header: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Note when the clients begin, in ns of the trace: the app may have taken time to start."""
        if self.recorder is not None:
            self.header["clients_at"] = self.recorder.clock() - self.recorder.origin

    def stop(self, recorder: Recorder) -> None:
        """Note that the world ends: what is recorded from now on is its undoing."""
        self.until = recorder.total

    def trace(self, setup: Setup) -> Trace:
        """Return the trace."""
        taken = self.recorded
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
        if self.results:
            header["seconds"] = round(max(result.ended for result in self.results), 9)
        return replace(taken, header=MappingProxyType(header), results=self.results)


async def perform_in(setup: Setup, performance: Performance, done: Done) -> None:
    """Perform a workload in the world that this runs in."""
    from asgi_lab.client import perform
    from asgi_lab.doors import open_door

    async with open_door(setup, done) as door:
        done.begin()
        done.results = await perform(door, **performance)


def check_clients(clients: tuple[Any, ...]) -> list[Any]:
    """Return the clients. Raises ValueError if there is none, or something else among them."""
    from asgi_lab.client.words import each

    listed = list(each(clients))
    if not listed:
        raise ValueError('a run needs a client at least: run(app, get("/"))')
    return listed
