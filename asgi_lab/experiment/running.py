"""`run(app, *clients)`: an app, its clients and a world in, a trace out.

    trace = await run(app, get("/"), get("/slow"))                    # virtual time, in memory
    trace = await run(app, 50 * [get("/slow")], server="uvicorn")     # real time, real sockets

In virtual time, which is the default wherever it can be, the trace is the same on any machine and
each time, to the byte. The app is the same in both worlds.
"""

from typing import Any

from asgi_lab.client import perform
from asgi_lab.client.words import each
from asgi_lab.clock import Real, VirtualTimeError
from asgi_lab.events import Trace
from asgi_lab.experiment.checking import check, check_time, choose_clock, load
from asgi_lab.experiment.doors import open_door
from asgi_lab.experiment.setup import Done, Setup, World
from asgi_lab.memory import LifespanFailed
from asgi_lab.recorder import LIMIT
from asgi_lab.watchdog import forget

PATIENCE = 30.0
"""Seconds that a request may take in real time, unless told otherwise."""


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
    rules: bool = True,
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
    - `layers`, `rules`, `redact`, `max_events`: see `asgi_lab.trace`.

    Raises ValueError for what makes no sense, TypeError if `app` is no app, `LifespanFailed` if it
    does not start, and in virtual time `VirtualTimeError`; the `trace` of these two is what came
    before.
    """
    app, interface, target = load(app)
    clock = clock or choose_clock(server)
    setup = Setup(
        app, interface, target, server, clock, workers, threads, layers, rules, redact, max_events
    )
    check(setup)
    check_time(timeout)
    listed = list(each(clients))
    if not listed:
        raise ValueError('a run needs a client at least: run(app, get("/"))')
    if timeout is None and isinstance(clock, Real):
        timeout = PATIENCE
    done = Done()

    async def whole() -> None:
        async with open_door(setup, done) as door:
            done.begin()
            done.results = await perform(
                door, listed, concurrency=concurrency, timeout=timeout, on_result=done.note
            )

    try:
        await clock.wait(whole)
    except (VirtualTimeError, LifespanFailed) as error:
        error.trace = done.trace(setup)
        raise
    finally:
        if done.recorder is not None and isinstance(clock, Real):
            forget(done.recorder)
    return done.trace(setup)
