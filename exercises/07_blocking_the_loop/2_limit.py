"""07.2  So many at a time: calls in threads.

A framework calls functions of both kinds. Write `limited(limit)`. It returns a coroutine function:

    call = limited(40)
    await call(function, argument)

- An `async def` function is awaited in the event loop. It needs no thread.
- A plain `def` runs in a thread (`asyncio.to_thread`), at most `limit` of them at the same time.
  The next one waits until a thread is free, without holding the loop.
- `call` returns what the function returns, and raises what it raises.

Check yourself: asgi-lab check 07.2
"""

import asyncio
import inspect


def limited(limit):
    # TODO: asyncio.Semaphore(limit) counts; inspect.iscoroutinefunction tells the kinds apart.
    raise NotImplementedError("your turn")
