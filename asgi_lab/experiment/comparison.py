"""`compare(a, b, clients)`: the same workload on two apps or servers, on one axis of time.

    comparison = await compare(flask_app, fastapi_app, 20 * [get("/slow")], workers=4)
    print(comparison)

Pure data; `asgi_lab.scene.comparison` lays it out. The clients' side is told, too: who waits in
line for a worker is not yet in any app.
"""

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asgi_lab.events import Trace
from asgi_lab.experiment.checking import load
from asgi_lab.experiment.running import run

if TYPE_CHECKING:
    from asgi_lab.view.display import Bundle, Picture

T = TypeVar("T")
ABOUT = 1.05
"""How many times as long is about as long, in real time."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its name, what serves it, and what happened."""

    name: str
    served_by: str
    trace: Trace

    @property
    def seconds(self) -> float:
        """How long the workload took, from its first request to its last answer."""
        return self.trace.seconds

    def failures(self) -> str:
        """Return how many requests failed, and how the first did; empty if none."""
        results = self.trace.results
        bad = [result for result in results if result.error or (result.status or 500) >= 400]
        if not bad:
            return ""
        how = bad[0].error or f"status {bad[0].status}"
        return f"{len(bad)} of {len(results)} requests failed on {self.name} ({how})."

    def __str__(self) -> str:
        return f"{self.name} ({self.served_by})"


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """The same workload, twice."""

    a: Side
    b: Side

    @property
    def ratio(self) -> float:
        """How many times as long the slower one took as the faster one."""
        short, long = sorted((self.a.seconds, self.b.seconds))
        return long / short if short else float("inf") if long else 1.0

    @property
    def faster(self) -> Side | None:
        """The one that was done first; None if neither was."""
        if self.a.seconds == self.b.seconds:
            return None
        return min(self.a, self.b, key=lambda side: side.seconds)

    @property
    def seconds(self) -> tuple[float, float]:
        """How long each took."""
        return self.a.seconds, self.b.seconds

    def verdict(self) -> str:
        """Return what came out, in a sentence."""
        failed = [words for side in (self.a, self.b) if (words := side.failures())]
        if failed:
            return " ".join(failed)
        count = len(self.a.trace.results)
        requests = f"{count} request{'s' if count != 1 else ''}"
        faster = self.faster
        if faster is None:
            return f"Both take {self.a.seconds:.4g} s for {requests}."
        if self.ratio < ABOUT:
            return f"Both take about as long: {self.a.seconds:.4g} s and {self.b.seconds:.4g} s."
        slower = self.b if faster is self.a else self.a
        if not faster.seconds:
            return f"{faster.name} is done at once, against {slower.seconds:.4g} s for {requests}."
        return (
            f"{faster.name} is done {self.ratio:.3g} times as fast: {faster.seconds:.4g} s "
            f"against {slower.seconds:.4g} s for {requests}."
        )

    @property
    def picture(self) -> "Picture":
        """Both on one axis of time, to be shown, printed or saved."""
        from asgi_lab.view.display import of_comparison

        return of_comparison(self)

    def __str__(self) -> str:
        from asgi_lab.view.comparison import as_text

        return as_text(self)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> "Bundle":
        return self.picture._repr_mimebundle_(include, exclude)


class Promise(Coroutine[Any, Any, T], Generic[T]):
    """A coroutine that can be awaited, or simply used: then it runs at once, outside of any loop.

    What is read of it is its result's.
    """

    def __init__(self, start: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._start = start
        self._coroutine: Coroutine[Any, Any, T] | None = None
        self._result: list[T] = []

    def wait(self) -> T:
        """Run it now, if it has not been run, and return its result."""
        if not self._result:
            coroutine = self._begun()
            try:
                coroutine.send(None)
                coroutine.close()
                raise RuntimeError("this runs in real time: await it")
            except StopIteration as end:
                self._result.append(end.value)
        return self._result[0]

    def _begun(self) -> Coroutine[Any, Any, T]:
        if self._coroutine is None:
            self._coroutine = self._start()
        return self._coroutine

    def send(self, value: Any) -> Any:
        """Go on, as a coroutine."""
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error, as a coroutine."""
        return self._begun().throw(*error)

    def close(self) -> None:
        """Do not run it."""
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, T]:
        if self._result:
            return self._result[0]
        result = yield from self._begun().__await__()
        self._result.append(result)
        return result

    def __getattr__(self, name: str) -> Any:
        if name not in READ:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.wait(), name)

    def __str__(self) -> str:
        return str(self.wait())

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> "Bundle":
        shown: Any = self.wait()
        bundle: Bundle = shown._repr_mimebundle_(include, exclude)
        return bundle


READ = ("a", "b", "faster", "picture", "ratio", "seconds", "verdict")
"""What a promise of a comparison has of it."""


def compare(
    a: Any,
    b: Any,
    *clients: Any,
    names: tuple[str, str] | None = None,
    server: str | tuple[str, str] = "memory",
    workers: int = 1,
    threads: int | None = None,
    **settings: Any,
) -> Promise[Comparison]:
    """Run the same workload on two apps, or with two servers on one app.

    `names` are what they are called in the picture; `server` may be one for both, or a pair.
    `workers` and `threads` are those of WSGI apps: an ASGI app has one event loop. `settings`: see
    `asgi_lab.run`. Await it; in virtual time, it can also simply be used. Raises what `run` raises.
    """
    servers = (server, server) if isinstance(server, str) else server
    labels = names or (name_of(a, 1), name_of(b, 2))
    if labels[0] == labels[1]:
        labels = (f"{labels[0]} 1", f"{labels[1]} 2") if servers[0] == servers[1] else labels

    async def side(app: Any, name: str, on: str) -> Side:
        loaded, interface, _ = load(app)
        pool: dict[str, Any] = {}
        if interface == "wsgi":
            pool = {"workers": workers, "threads": threads}
        if on == "memory":
            app = loaded
        trace = await run(app, *clients, server=on, **pool, **settings)
        return Side(name, served_by(trace, on, workers, threads), trace)

    async def both() -> Comparison:
        return Comparison(
            await side(a, labels[0], servers[0]), await side(b, labels[1], servers[1])
        )

    return Promise(both)


def name_of(app: Any, number: int) -> str:
    """Return what to call an app: its name, or its framework's."""
    if isinstance(app, str):
        return app
    if hasattr(app, "__name__"):
        return str(app.__name__)
    package = type(app).__module__.partition(".")[0]
    return package if package != "builtins" else f"app {number}"


def served_by(trace: Trace, server: str, workers: int, threads: int | None) -> str:
    """Return in words who served: `4 workers`, `1 event loop`."""
    if not any(event.type == "wsgi" for event in trace if event.kind == "scope"):
        what = "1 event loop"
    elif workers == 1 and (threads or 1) == 1:
        what = "1 worker"
    elif (threads or 1) == 1:
        what = f"{workers} workers"
    else:
        what = f"{threads} threads" if workers == 1 else f"{workers} workers of {threads} threads"
    return what if server == "memory" else f"{trace.header.get('server', server)}, {what}"
