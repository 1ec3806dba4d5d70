"""A counter for each call."""

import asyncio
import inspect


def limited(limit):
    async def call(function, *args):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        async with asyncio.Semaphore(limit):
            return await asyncio.to_thread(function, *args)

    return call
