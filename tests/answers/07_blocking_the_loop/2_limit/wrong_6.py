"""The parentheses call it here."""

import asyncio
import inspect


def limited(limit):
    free = asyncio.Semaphore(limit)

    async def call(function, *args):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        async with free:
            return await asyncio.to_thread(lambda result: result, function(*args))

    return call
