"""A class with methods, and callbacks that stand in the line."""

import heapq
import time
from collections import deque
from itertools import count


class Loop:
    def __init__(self):
        self.calls, self.later, self.numbers = deque(), [], count()

    def call_soon(self, call, *args):
        self.calls.append((call, args))

    def call_later(self, seconds, call, *args):
        due = time.monotonic() + seconds
        heapq.heappush(self.later, (due, next(self.numbers), call, args))

    def step(self, task):
        wish = next(task, self)
        if wish is self:
            return
        if wish is None:
            self.call_soon(self.step, task)
        else:
            self.call_later(wish, self.step, task)

    def run_forever(self):
        while self.calls or self.later:
            if not self.calls:
                time.sleep(max(0.0, self.later[0][0] - time.monotonic()))
            while self.later and self.later[0][0] <= time.monotonic():
                _, _, call, args = heapq.heappop(self.later)
                self.calls.append((call, args))
            call, args = self.calls.popleft()
            call(*args)


def run(*tasks):
    loop = Loop()
    for task in tasks:
        loop.call_soon(loop.step, task)
    loop.run_forever()
