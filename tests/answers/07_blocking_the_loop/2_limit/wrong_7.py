"""The function is called, and not returned."""

import asyncio
import inspect


def limited(limit):
    free = asyncio.Semaphore(limit)

    async def call(function, *args):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        async with free:
            return await asyncio.to_thread(function, *args)
