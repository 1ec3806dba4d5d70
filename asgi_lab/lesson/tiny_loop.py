"""An event loop to be read: a queue of tasks that are ready, a heap of timers, one turn at a time.

    async def query():
        await sleep(1)
        return "rows"

    run(query(), query())        # ["rows", "rows"], after one second

Its laws, which are asyncio's too:

- A task runs until it waits. Meanwhile nobody else does.
- Who is ready takes turns, first come, first served.
- The loop sleeps only when nobody is ready, and only until the first timer.

asyncio has one thing more: where this loop sleeps, it lets the system wake it for sockets, too.
"""

import time
from collections import deque
from collections.abc import Coroutine, Generator
from heapq import heappop, heappush
from itertools import count
from typing import Any

Task = Coroutine[Any, Any, Any] | Generator[Any, None, Any]


class Loop:
    """Gives turns to tasks until all are done. `results` are what they returned."""

    def __init__(self, *tasks: Task) -> None:
        self.ready = deque(tasks)
        self.timers: list[tuple[float, int, Task]] = []
        """When, a number (so that tasks are never compared), and the task."""
        self.numbers = count()
        self.results: dict[Task, Any] = {}

    def run(self) -> None:
        """Give turns until nobody is ready, and no timer is set."""
        while self.ready or self.timers:
            self.wake()
            if self.ready:
                self.turn(self.ready.popleft())

    def wake(self) -> None:
        """Make ready whose time has come; if nobody is ready, sleep until then."""
        if not self.ready:
            time.sleep(max(self.timers[0][0] - time.monotonic(), 0))
        while self.timers and self.timers[0][0] <= time.monotonic():
            self.ready.append(heappop(self.timers)[2])

    def turn(self, task: Task) -> None:
        """Let a task run until it waits: None is for another turn, a number for so many seconds."""
        try:
            wish = task.send(None)
        except StopIteration as end:
            self.results[task] = end.value
            return
        if wish is None:
            self.ready.append(task)
        else:
            heappush(self.timers, (time.monotonic() + wish, next(self.numbers), task))


class Wait:
    """What a coroutine awaits: it hands a wish down to the loop."""

    def __init__(self, wish: float | None) -> None:
        self.wish = wish

    def __await__(self) -> Generator[float | None, None, None]:
        yield self.wish


def sleep(seconds: float) -> Wait:
    """Return what to await for so many seconds. Others have their turns meanwhile."""
    return Wait(seconds)


def run(*tasks: Task) -> list[Any]:
    """Run tasks to their ends, all on one loop; return what they returned, in order."""
    loop = Loop(*tasks)
    loop.run()
    return [loop.results[task] for task in tasks]
