"""Those who need no thread wait for one, too."""

import asyncio
import inspect


def limited(limit):
    free = asyncio.Semaphore(limit)

    async def call(function, *args):
        async with free:
            if inspect.iscoroutinefunction(function):
                return await function(*args)
            return await asyncio.to_thread(function, *args)

    return call
