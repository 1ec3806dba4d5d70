"""A block of code, and helpers beside it: when a helper ends, so does the block.

    async with alongside(inbox.disconnected()):
        await something_long()          # interrupted when the client leaves
    # goes on here, in either case

`asyncio.timeout` ends a block at its time. A helper that ends sets that time to now: what is
cancelled is the task that runs the block, at the place where it waits. So what the block has opened
it closes in its own task and context. A generator that is advanced by a second task, the usual
other way, would find its timeouts, locks and context variables belonging to the first.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any


@asynccontextmanager
async def alongside(*helpers: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Run a block until its end, or until one of the helpers ends; then stop the helpers.

    Raises what the block raises, or else what a helper raised.
    """
    limit = asyncio.timeout(None)

    def interrupt(_: object) -> None:
        with suppress(RuntimeError):  # the block has ended, or is interrupted already
            limit.reschedule(0)  # seconds of the loop's clock: long ago

    tasks = [asyncio.ensure_future(helper) for helper in helpers]
    for task in tasks:
        task.add_done_callback(interrupt)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():  # it is one of the block's own
            raise
    finally:
        for task in tasks:
            task.cancel()
        # Not `gather`: whether it lets others run first differs between versions of Python.
        await asyncio.wait(tasks)
        errors = [task.exception() for task in tasks if not task.cancelled()]
    for error in errors:
        if error is not None:
            raise error
