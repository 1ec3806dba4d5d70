"""Places in a queue: who has taken one puts it back."""

import asyncio
import inspect


def limited(limit):
    places = asyncio.Queue()
    for number in range(limit):
        places.put_nowait(number)

    async def call(function, *args):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        place = await places.get()
        try:
            return await asyncio.to_thread(function, *args)
        finally:
            places.put_nowait(place)

    return call
