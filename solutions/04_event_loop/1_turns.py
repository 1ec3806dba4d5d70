"""04.1  Take turns: an event loop.

Write an event loop: `run(task, task, ...)` runs all tasks to their ends, and returns. A task is a
generator. `task.send(None)` lets it run on until its next `yield`, and returns what it yields;
when it comes to its end, that raises StopIteration. What it yields is a wish:

    None       another turn, please, when the others have had theirs
    a number   wake me in so many seconds

Who is ready takes turns, first come, first served. Whose time has come is ready, too. The loop may
sleep (`time.sleep`) only while nobody is ready.

Check yourself: asgi-lab check 04.1
"""

import heapq
import time
from collections import deque
from itertools import count


def run(*tasks):
    ready = deque(tasks)  # take from the left, append at the right
    timers = []  # a heap of (when, number, task): heapq.heappush, heapq.heappop
    numbers = count()  # next(numbers) is 0, 1, 2, ...: so that tasks are never compared
    # TODO: as long as somebody is ready or on a timer, wake whose time has come, and give a turn.
    # your code begins
    while ready or timers:
        if not ready:
            time.sleep(max(timers[0][0] - time.monotonic(), 0))
        while timers and timers[0][0] <= time.monotonic():
            ready.append(heapq.heappop(timers)[2])
        task = ready.popleft()
        try:
            wish = task.send(None)
        except StopIteration:
            continue
        if wish is None:
            ready.append(task)
        else:
            heapq.heappush(timers, (time.monotonic() + wish, next(numbers), task))
    # your code ends
