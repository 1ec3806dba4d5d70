"""Ending a block from outside, as `asyncio.timeout` ends one at its time.

    with Interruption() as interrupt:
        client_left.add_done_callback(interrupt)
        await something_long()
    # goes on here, in either case

What is cancelled is the task that runs the block, at the place where it waits: so what the block
has opened it closes in its own task and context. A generator that is advanced by a second task, the
usual other way, would find its timeouts, locks and context variables belonging to the first.
"""

import asyncio
from types import TracebackType


class Interruption:
    """A block of the current task that can be interrupted. `happened` tells whether it was."""

    def __init__(self) -> None:
        self.happened = False
        self._task: asyncio.Task[object] | None = None
        self._before = 0

    def __enter__(self) -> "Interruption":
        self._task = asyncio.current_task()
        assert self._task is not None
        self._before = self._task.cancelling()
        return self

    def __call__(self, *_: object) -> None:
        """Interrupt the block where it next waits; if it has ended by then, nothing happens."""
        asyncio.get_running_loop().call_soon(self._interrupt)

    def _interrupt(self) -> None:
        if self._task is not None and not self.happened:
            self.happened = True
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        if task is None or not self.happened:
            return False
        # If someone else has cancelled the task, too, that must go on.
        alone = task.uncancel() <= self._before
        return alone and kind is not None and issubclass(kind, asyncio.CancelledError)


async def stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel helpers, and wait until they have ended, however they do.

    Not `asyncio.gather`: whether it lets others run first differs between versions of Python.
    """
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # asyncio complains of those that nobody has looked at
