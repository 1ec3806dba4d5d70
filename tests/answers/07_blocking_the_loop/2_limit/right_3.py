"""anyio's own limiter."""

import inspect

from anyio import CapacityLimiter, to_thread


def limited(limit):
    limiter = CapacityLimiter(limit)

    async def call(function, *args):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        return await to_thread.run_sync(function, *args, limiter=limiter)

    return call
