"""Who raises keeps the place."""

import asyncio
import inspect


def limited(limit):
    free = asyncio.Semaphore(limit)

    async def call(function, *args):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        await free.acquire()
        result = await asyncio.to_thread(function, *args)
        free.release()
        return result

    return call
