"""Nothing between the moment and the task."""

import heapq
import time
from collections import deque


def run(*tasks):
    ready = deque(tasks)
    timers = []
    while ready or timers:
        if not ready:
            time.sleep(max(timers[0][0] - time.monotonic(), 0))
        while timers and timers[0][0] <= time.monotonic():
            ready.append(heapq.heappop(timers)[1])
        task = ready.popleft()
        try:
            wish = task.send(None)
        except StopIteration:
            continue
        if wish is None:
            ready.append(task)
        else:
            heapq.heappush(timers, (time.monotonic() + wish, task))
