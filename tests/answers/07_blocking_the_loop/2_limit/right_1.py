"""A pool of so many threads."""

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor


def limited(limit):
    pool = ThreadPoolExecutor(limit)

    async def call(function, *args):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        return await asyncio.get_running_loop().run_in_executor(pool, function, *args)

    return call
