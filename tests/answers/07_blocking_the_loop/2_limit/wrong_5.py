"""A lock of threading, waited for in the loop."""

import asyncio
import inspect
import threading


def limited(limit):
    free = threading.Semaphore(limit)

    async def call(function, *args):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        with free:
            return await asyncio.to_thread(function, *args)

    return call
