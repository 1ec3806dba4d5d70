"""A WSGI server of the learner's own, run in virtual time like any other.

    def serve(accept, app):
        while (exchange := accept()) is not None:
            answer(app, exchange)

    trace = await run_on(serve, app, 4 * [get("/report")])

`accept` waits for the next request in line, and gives None when no more will come; `answer` is
`asgi_lab.wsgi_server.gateway.answer`: it calls the app, and sends what it answers.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from asgi_lab.client import perform
from asgi_lab.client.words import each
from asgi_lab.clock import Real, Virtual, VirtualTimeError, virtual
from asgi_lab.clock.recording import recorder_here
from asgi_lab.clock.threads import start_aside
from asgi_lab.events import Trace
from asgi_lab.experiment.checking import load
from asgi_lab.experiment.doors import is_exact
from asgi_lab.experiment.setup import Done, Setup
from asgi_lab.memory.wsgi import WSGIDoor
from asgi_lab.wsgi_server.exchange import Exchange

Serve = Callable[..., object]


async def run_on(
    serve: Serve, app: Any, *clients: Any, clock: Virtual | Real | None = None, **settings: Any
) -> Trace:
    """Run a WSGI app against clients on the server `serve(accept, app, **settings)`.

    Raises TypeError if `app` is no WSGI app, what `serve` or a thread of its raises, and
    `VirtualTimeError` if clients wait for ever: `serve` has returned too early, or answers nobody.
    """
    app, interface, target = load(app)
    if interface != "wsgi":
        raise TypeError(f"expected a WSGI app, got {app!r:.80}")
    clock = clock or virtual()
    setup = Setup(app, interface, target, "memory", clock)
    done = Done()
    failed: list[BaseException] = []

    async def whole() -> None:
        done.recorder = recorder_here(on_stop=done.stop)
        traced, line = setup.traced(done.recorder), Line()

        def work() -> None:
            try:
                serve(line.accept, traced, **settings)
            except Exception as error:
                failed.append(error)

        server = start_aside(work, "server")
        done.begin()
        try:
            door = WSGIDoor(line.put)
            waiting = list(each(clients))
            done.results = await perform(door, waiting, timeout=None, on_result=done.note)
        finally:
            line.close()
        server.join()
        done.exact = is_exact()

    try:
        with errors_of_threads(failed):
            await clock.wait(whole)
    except VirtualTimeError as error:
        if failed:
            raise failed[0] from None
        error.trace = done.trace(setup)
        raise
    if failed:
        raise failed[0]
    return done.trace(setup)


@contextmanager
def errors_of_threads(errors: list[BaseException]) -> Iterator[None]:
    """Keep what threads die of meanwhile, instead of printing it."""
    before = threading.excepthook

    def keep(died: threading.ExceptHookArgs) -> None:
        errors.append(died.exc_value or died.exc_type())

    threading.excepthook = keep
    try:
        yield
    finally:
        threading.excepthook = before


class Line:
    """Requests that wait to be accepted, first come, first served."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Exchange | None] = queue.Queue()

    def put(self, exchange: Exchange) -> None:
        """Stand in line."""
        self._waiting.put(exchange)

    def accept(self) -> Exchange | None:
        """Wait for the first in line; None when no more will come, now or when called again."""
        exchange = self._waiting.get()
        if exchange is None:
            self.close()
        return exchange

    def close(self) -> None:
        """Tell all who accept that no more will come."""
        self._waiting.put(None)
