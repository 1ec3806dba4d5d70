"""Calling functions of both colours: `async def` in the event loop, `def` in a worker thread.

A `def` may block: it reads files, waits for a database driver, sleeps. In the loop it would hold up
every connection; in a thread it holds up one thread. `asyncio.to_thread` takes the context
variables along, as they are now; what the thread sets in them stays there.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import asynccontextmanager, contextmanager
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


async def relay(items: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
    """Iterate, so that closing this closes the items, too, if they can be closed."""
    try:
        async for item in items:
            yield item
    finally:
        if hasattr(items, "aclose"):
            await items.aclose()


async def in_thread(items: Iterable[Any]) -> AsyncGenerator[Any, None]:
    """Iterate in a worker thread: each `next` may block."""
    iterator, end = iter(items), object()
    while (item := await asyncio.to_thread(next, iterator, end)) is not end:
        yield item


def opener(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return what makes an async context of a function that yields; None for one that does not."""
    if inspect.isasyncgenfunction(function):
        return asynccontextmanager(function)
    if not inspect.isgeneratorfunction(function):
        return None
    manager = contextmanager(function)

    @asynccontextmanager
    async def opened(**arguments: Any) -> Any:
        """Run both halves of a plain generator in worker threads: each may block."""
        context = manager(**arguments)
        value = await call(context.__enter__)
        try:
            yield value
        except Exception as error:
            if not await call(context.__exit__, type(error), error, error.__traceback__):
                raise
        except BaseException as error:  # cancelled: there is no time to wait for a thread
            context.__exit__(type(error), error, error.__traceback__)
            raise
        else:
            await call(context.__exit__, None, None, None)

    return opened
