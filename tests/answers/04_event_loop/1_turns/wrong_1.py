"""Sleeps where a task wants to."""

import time
from collections import deque


def run(*tasks):
    ready = deque(tasks)
    while ready:
        task = ready.popleft()
        try:
            wish = task.send(None)
        except StopIteration:
            continue
        if wish is not None:
            time.sleep(wish)
        ready.append(task)
