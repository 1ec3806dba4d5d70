"""Running something for real beside an event loop: in a thread with an event loop of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from asgi_lab.clock.errors import Stopped, stop_thread

PATIENCE = 0.4
"""Seconds that an interrupted run has to end by itself, and then again to end by force."""

WORKERS = ("asyncio_", "ThreadPoolExecutor-", "AnyIO worker", "worker-", "uvicorn", "lab", "server")
"""How the names of threads begin that a run starts: those of pools, and of servers."""


class Aside:
    """A coroutine function that runs in a thread of its own, until its `future` is done."""

    def __init__(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.future: Future[Any] = Future()
        self._main = main
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._before = set(threading.enumerate())
        self._thread = threading.Thread(target=self._run, name="asgi-lab run", daemon=True)
        self._thread.start()

    async def end(self) -> None:
        """Wait until the thread has ended; if its work is not done, cancel it, then use force.

        What is in a blocking call of the system cannot be ended: it is left, as a daemon.
        """
        cut = not self.future.done() or self.future.cancelled()
        if cut and self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(self._task.cancel)
        started = time.monotonic()
        forced = {self._thread}  # the last: it waits for the others, once they have ended
        while left := [thread for thread in self._own(cut) if thread.is_alive()]:
            waited = time.monotonic() - started
            if cut and waited > 2 * PATIENCE:
                return
            if cut and waited > 1.5 * PATIENCE:
                forced.discard(self._thread)
            for thread in left if cut and waited > PATIENCE else ():
                if thread not in forced:
                    forced.add(thread)
                    stop_thread(thread.ident or 0)
            await asyncio.sleep(0.01)

    def _own(self, workers: bool) -> list[threading.Thread]:
        """Return the run's thread, and those that were started since, if they count."""
        started = [thread for thread in threading.enumerate() if thread not in self._before]
        named = [thread for thread in started if thread.name.startswith(WORKERS)]
        return [self._thread, *(named if workers else ())]

    def _run(self) -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                value = runner.run(self._start())
        except BaseException as raised:
            error = raised
        if self.future.set_running_or_notify_cancel():
            if error is None:
                self.future.set_result(value)
            else:
                self.future.set_exception(error)

    async def _start(self) -> Any:
        self._task = asyncio.current_task()
        asyncio.get_running_loop().set_exception_handler(tell_unless_stopped)
        return await self._main()


def tell_unless_stopped(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handle what nobody has handled, as always; an end by force is no news."""
    if not isinstance(context.get("exception"), Stopped):
        loop.default_exception_handler(context)
