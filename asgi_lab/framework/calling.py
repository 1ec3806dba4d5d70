"""Calling functions of both colours: `async def` in the event loop, `def` in a worker thread.

A `def` may block: it reads files, waits for a database driver, sleeps. In the loop it would hold up
every connection; in a thread it holds up one thread. `asyncio.to_thread` takes the context
variables along, as they are now; what the thread sets in them stays there.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager as AsyncContext
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Any


async def call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call a function, and return what it returns."""
    if is_async(function):
        return await function(*args, **named)
    return await asyncio.to_thread(function, *args, **named)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await: also an object whose call does."""
    while isinstance(function, partial):
        function = function.func
    return any(map(inspect.iscoroutinefunction, (function, type(function).__call__)))


async def in_thread(items: Iterable[Any]) -> AsyncGenerator[Any, None]:
    """Iterate in a worker thread: each `next` may block."""
    iterator, end = iter(items), object()
    while (item := await asyncio.to_thread(next, iterator, end)) is not end:
        yield item


@asynccontextmanager
async def entered_in_thread(context: AbstractContextManager[Any]) -> AsyncIterator[Any]:
    """Enter and leave a plain context in worker threads: each may block."""
    value = await asyncio.to_thread(context.__enter__)
    try:
        yield value
    except BaseException as error:
        leave = context.__exit__
        if not await asyncio.to_thread(leave, type(error), error, error.__traceback__):
            raise
    else:
        await asyncio.to_thread(context.__exit__, None, None, None)


def as_context(function: Callable[..., Any]) -> Callable[..., AsyncContext[Any]] | None:
    """Return what makes an async context of a function that yields; None for one that does not."""
    if inspect.isasyncgenfunction(function):
        return asynccontextmanager(function)
    if inspect.isgeneratorfunction(function):
        manager = contextmanager(function)
        return lambda **arguments: entered_in_thread(manager(**arguments))
    return None
