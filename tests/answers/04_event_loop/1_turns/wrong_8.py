"""Takes the timers in the order in which they were set."""

import time
from collections import deque


def run(*tasks):
    ready = deque(tasks)
    timers = deque()
    while ready or timers:
        if not ready:
            time.sleep(max(timers[0][0] - time.monotonic(), 0))
        while timers and timers[0][0] <= time.monotonic():
            ready.append(timers.popleft()[1])
        task = ready.popleft()
        try:
            wish = task.send(None)
        except StopIteration:
            continue
        if wish is None:
            ready.append(task)
        else:
            timers.append((time.monotonic() + wish, task))
