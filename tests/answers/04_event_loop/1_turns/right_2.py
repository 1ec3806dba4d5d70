"""In rounds: all who are ready have a turn, then the timers are looked at."""

import heapq
import time
from itertools import count


def run(*tasks):
    numbers = count()
    timers = [(time.monotonic(), next(numbers), task) for task in tasks]
    while timers:
        when, _, task = heapq.heappop(timers)
        pause = when - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        for wish in task:
            due = time.monotonic() + (wish or 0)
            heapq.heappush(timers, (due, next(numbers), task))
            break
