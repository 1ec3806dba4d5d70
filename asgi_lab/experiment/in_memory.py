"""Doors straight into an app, in this process, without a wire."""

import asyncio
import queue
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from asgi_lab.clock.threads import start_aside
from asgi_lab.experiment.setup import Setup
from asgi_lab.memory import serve
from asgi_lab.memory.wsgi import WSGIDoor
from asgi_lab.wsgi_server import sync, threaded


@asynccontextmanager
async def asgi_in_memory(setup: Setup, app: Any) -> AsyncIterator[Any]:
    """Call an ASGI app as Uvicorn would, in this event loop."""
    if setup.threads is not None:
        size_pools(setup.threads)
    async with serve(app, grace=None) as door:
        yield door


def size_pools(threads: int) -> None:
    """Give asyncio's and anyio's pools so many threads, in this event loop."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
    if "anyio" in sys.modules:
        from anyio.to_thread import current_default_thread_limiter

        current_default_thread_limiter().total_tokens = threads


@asynccontextmanager
async def wsgi_in_memory(setup: Setup, app: Any) -> AsyncIterator[Any]:
    """Call a WSGI app from workers: processes (in real time, threads) of so many threads each."""
    workers, threads = setup.workers, setup.threads or 1
    waiting: queue.Queue[Any] = queue.Queue()

    def work() -> None:
        while True:
            try:
                if threads == 1:
                    return sync.serve(waiting.get, app)
                return threaded.serve(waiting.get, app, threads)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the next worker takes its place
                print(f"asgi-lab: a worker has ended: {error!r}", file=sys.stderr)

    settings = {"wsgi.multithread": threads > 1, "wsgi.multiprocess": workers > 1}
    started = [start_aside(work, f"worker-{n}", workers > 1) for n in range(1, workers + 1)]
    try:
        yield WSGIDoor(waiting.put, settings=settings)
    finally:
        for _ in range(workers * threads):
            waiting.put(None)
        for worker in started:
            worker.join()
