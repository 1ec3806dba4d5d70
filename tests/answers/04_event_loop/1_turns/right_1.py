"""A sorted list in place of a heap, and next() in place of send."""

import time


def run(*tasks):
    ready = list(tasks)
    timers = []
    while ready or timers:
        now = time.monotonic()
        due = [entry for entry in timers if entry[0] <= now]
        timers = [entry for entry in timers if entry[0] > now]
        ready += [task for _, task in sorted(due, key=lambda entry: entry[0])]
        if not ready:
            time.sleep(min(when for when, _ in timers) - now)
            continue
        task = ready.pop(0)
        try:
            wish = next(task)
        except StopIteration:
            continue
        if wish is None:
            ready.append(task)
        else:
            timers.append((time.monotonic() + wish, task))
