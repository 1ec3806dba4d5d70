"""Looks at the timers only when nobody is ready."""

import heapq
import time
from collections import deque
from itertools import count


def run(*tasks):
    ready = deque(tasks)
    timers = []
    numbers = count()
    while ready or timers:
        while ready:
            task = ready.popleft()
            try:
                wish = task.send(None)
            except StopIteration:
                continue
            if wish is None:
                ready.append(task)
            else:
                heapq.heappush(timers, (time.monotonic() + wish, next(numbers), task))
        if timers:
            when, _, task = heapq.heappop(timers)
            time.sleep(max(when - time.monotonic(), 0))
            ready.append(task)
