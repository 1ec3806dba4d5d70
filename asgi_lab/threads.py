"""Work in worker threads: when it was handed over, how long it queued, how long it took.

Two pools serve nearly all Python web apps: anyio's (sync `def` endpoints in Starlette and FastAPI,
static files) and `concurrent.futures.ThreadPoolExecutor` (`asyncio.to_thread`, `run_in_executor`,
asgiref's `sync_to_async` in Django). Both are followed at the one method that takes the work. Calls
that belong to no traced connection pass through untouched.
"""

import functools
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgi_lab.running import Place, current
from asgi_lab.source import plain_name

MARK = "follows_connections"


class Work:
    """One call on its way through a pool: submitted, begun, finished."""

    __slots__ = ("_append", "_began", "_call", "_door", "_now", "_submitted", "_task", "_thread")

    def __init__(
        self, call: Callable[..., Any], args: tuple[Any, ...], place: Place, pool: str
    ) -> None:
        recorder, self._door, self._task = place
        assert recorder is not None
        self._call: Callable[..., Any] | None = call
        self._append, self._now, self._thread = recorder.append, recorder.clock, recorder.thread
        self._began = 0
        self._submitted = self._now()
        pairs = (("call", call_name(call, *args)), ("pool", pool))
        self._append((self._submitted, "submit", self._door, self._task, pairs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work. Runs in the worker thread."""
        call, self._call = self._call, None  # the future may be kept for long, the call may not
        assert call is not None
        self._began = self._now()
        thread = self._thread()
        self._append((self._began, "work", self._door, self._task, self._submitted, thread))
        outcome = "returned"
        try:
            return call(*args, **kwargs)
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self._append((self._now(), "worked", self._door, self._task, self._began, outcome))

    def given_up(self) -> None:
        """Note that the work was refused, or cancelled while it still queued."""
        if not self._began:
            self._began = self._now()
            self._append((self._began, "work", self._door, self._task, self._submitted, 0))
            self._append((self._began, "worked", self._door, self._task, self._began, "cancelled"))


CARRIERS: dict[str, int | str] = {
    "Context.run": 0,
    "SyncToAsync.thread_handler": -1,  # asgiref
    "DatabaseSyncToAsync.thread_handler": -1,  # Channels
    "_next": 0,  # Starlette
    "_run_sync_endpoint": "function",  # FastAPI
}
"""Functions that call one of their arguments, and which."""


def call_name(call: Any, *args: Any) -> str:
    """Return the name of the user's function, under partials, contexts and what frameworks add."""
    named: dict[str, Any] = {}
    while True:
        name = str(getattr(call, "__qualname__", type(call).__qualname__))
        at = CARRIERS.get(name)
        if isinstance(call, functools.partial):
            call, args, named = call.func, (*call.args, *args), call.keywords
        elif isinstance(at, int) and args:
            call, args = args[at], args[1:] if at == 0 else ()
        elif isinstance(at, str) and at in named:
            call, args, named = named[at], (), {}
        else:
            return plain_name(name)


def follow_threads() -> bool:
    """Follow both pools in this process, once. Return whether anyio's is among them."""
    if not hasattr(ThreadPoolExecutor.submit, MARK):
        ThreadPoolExecutor.submit = followed_submit(ThreadPoolExecutor.submit)  # type: ignore[method-assign]
    if "anyio" not in sys.modules:
        return False
    try:
        from anyio._backends._asyncio import AsyncIOBackend

        run_sync = AsyncIOBackend.__dict__["run_sync_in_worker_thread"].__func__
    except (ImportError, KeyError, AttributeError):
        return True  # another anyio than those we know: it works on, its threads are not followed
    if not hasattr(run_sync, MARK):
        AsyncIOBackend.run_sync_in_worker_thread = classmethod(followed_run_sync(run_sync))  # type: ignore
    return True


def followed_submit(submit: Callable[..., Any]) -> Callable[..., Any]:
    """Return `ThreadPoolExecutor.submit`, following calls made for a connection."""

    @functools.wraps(submit)
    def followed(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        place = current.get()
        if place[0] is None:
            return submit(self, fn, *args, **kwargs)
        work = Work(fn, args, place, "executor")
        try:
            future = submit(self, work, *args, **kwargs)
        except BaseException:
            work.given_up()  # the pool is closed
            raise
        future.add_done_callback(lambda ended: work.given_up() if ended.cancelled() else None)
        return future

    setattr(followed, MARK, True)
    return followed


def followed_run_sync(run_sync: Callable[..., Any]) -> Callable[..., Any]:
    """Return anyio's `run_sync_in_worker_thread`, following calls made for a connection."""

    @functools.wraps(run_sync)
    async def followed(cls: Any, func: Any, args: Any, *rest: Any, **kwargs: Any) -> Any:
        place = current.get()
        if place[0] is None:
            return await run_sync(cls, func, args, *rest, **kwargs)
        own = kwargs.get("limiter") is not None or len(rest) > 1
        work = Work(func, args, place, "limiter" if own else "anyio")
        try:
            return await run_sync(cls, work, args, *rest, **kwargs)
        except BaseException:
            work.given_up()
            raise

    setattr(followed, MARK, True)
    return followed
