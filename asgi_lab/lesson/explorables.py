"""Ready-made pictures with sliders (see `asgi_lab.lesson.explorable`).

    explore_workers()       # a WSGI app on its workers, beside an ASGI app on one event loop
    explore_blocking()      # an app that blocks, or hands over to threads, beside one that awaits

The apps do nothing but compute for `cpu` seconds and wait for `sleep` seconds, a request.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from asgi_lab.client import every as spaced
from asgi_lab.client import get
from asgi_lab.clock import cpu as compute
from asgi_lab.experiment.comparison import Comparison, Promise, Side, compare
from asgi_lab.experiment.running import run
from asgi_lab.lesson.explorable import Explorable, Range, explore
from asgi_lab.types import ASGIApp, Receive, Scope, Send, WSGIApp

WORKERS = (1, 16)

LOAD: dict[str, Range] = {
    "requests": (1, 50),
    "every": (0.0, 0.5, 0.05),
    "sleep": (0.0, 2.0, 0.1),
    "cpu": (0.0, 0.2, 0.01),
}
"""How many requests, how many seconds apart; and what each of them does, in seconds."""

AWAITS = "await asyncio.sleep"


def explore_workers() -> Explorable:
    """Return the same requests on a WSGI app and on an ASGI app, side by side."""

    def experiment(
        workers: int = 4,
        requests: int = 12,
        every: float = 0.0,
        sleep: float = 1.0,
        cpu: float = 0.0,
    ) -> Promise[Comparison]:
        apps = waits_wsgi(sleep, cpu), awaits(sleep, cpu)
        return compare(*apps, arriving(requests, every), workers=workers, names=("WSGI", "ASGI"))

    return explore(experiment, workers=WORKERS, **LOAD)


def explore_blocking() -> Explorable:
    """Return the same requests on an app that waits in one of four ways, and on one that awaits.

    `workers` are those of a WSGI app, or the threads of the pool; what awaits or blocks needs none.
    """

    async def experiment(
        kind: str = "time.sleep in async def",
        workers: int = 4,
        requests: int = 12,
        every: float = 0.1,
        sleep: float = 0.3,
        cpu: float = 0.0,
    ) -> Comparison:
        sides = []
        for name, (make, pool, served_by) in ((kind, KINDS[kind]), (AWAITS, KINDS[AWAITS])):
            settings: dict[str, Any] = {pool: workers} if pool else {}
            trace = await run(make(sleep, cpu), arriving(requests, every), **settings)
            sides.append(Side(name, served_by.format(workers), trace))
        return Comparison(*sides)

    return explore(experiment, kind=list(KINDS), workers=WORKERS, **LOAD)


def arriving(requests: int, every: float) -> Any:
    """Return so many requests, so many seconds apart."""
    return spaced(every, requests * [get("/")])


def awaits(sleep: float, cpu: float) -> ASGIApp:
    """Return an ASGI app that awaits: the loop is free meanwhile."""

    async def wait() -> None:
        compute(cpu)
        await asyncio.sleep(sleep)

    return asgi(wait)


def blocks(sleep: float, cpu: float) -> ASGIApp:
    """Return an ASGI app that sleeps in the event loop: nobody else can run."""

    async def wait() -> None:
        compute(cpu)
        time.sleep(sleep)  # noqa: ASYNC251 - the mistake to look at

    return asgi(wait)


def hands_over(sleep: float, cpu: float) -> ASGIApp:
    """Return an ASGI app that sleeps in a worker thread, as frameworks run a plain `def`."""

    def work() -> None:
        compute(cpu)
        time.sleep(sleep)

    return asgi(lambda: asyncio.to_thread(work))


def waits_wsgi(sleep: float, cpu: float) -> WSGIApp:
    """Return a WSGI app: each request has a worker to itself, from its begin to its end."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        compute(cpu)
        time.sleep(sleep)
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"done"]

    return app


def asgi(wait: Callable[[], Any]) -> ASGIApp:
    """Return an ASGI app that waits, and answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        await wait()
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})

    return app


KINDS: dict[str, tuple[Callable[[float, float], Any], str, str]] = {
    AWAITS: (awaits, "", "1 event loop"),
    "time.sleep in async def": (blocks, "", "1 event loop"),
    "time.sleep in a thread": (hands_over, "threads", "1 event loop, {} threads"),
    "time.sleep in WSGI": (waits_wsgi, "workers", "{} workers"),
}
"""Ways to wait: the app, what of it there may be several of, and what serves it, in words."""
