"""Ends when nobody is ready, and forgets the timers."""

import heapq
import time
from collections import deque
from itertools import count


def run(*tasks):
    ready = deque(tasks)
    timers = []
    numbers = count()
    while ready:
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
