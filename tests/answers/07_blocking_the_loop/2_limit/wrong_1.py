"""In threads, and as many as come."""

import asyncio
import inspect


def limited(limit):
    async def call(function, *args):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        return await asyncio.to_thread(function, *args)

    return call
