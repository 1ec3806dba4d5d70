"""`virtual()` and `real()`: the two worlds, with the same two ways to run something in them."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from asgi_lab.clock.aside import Aside
from asgi_lab.clock.explain import explain
from asgi_lab.clock.simulation import simulate, simulate_async
from asgi_lab.clock.world import World

T = TypeVar("T")
Main = Callable[[], Coroutine[Any, Any, T]]

PERIOD = 0.1
"""Seconds between two looks whether a run was interrupted."""


@dataclass(frozen=True)
class Virtual:
    """Settings of virtual worlds; each run has a world of its own. See `virtual`."""

    horizon: float = 86_400.0
    stall_after: float = 5.0
    threads: int = 8
    latency: float = 0.0
    event_cost: float = 0.0
    exact = True

    def world(self) -> World:
        """Make a world."""
        world = World(
            horizon=self.horizon,
            stall_after=self.stall_after,
            threads=self.threads,
            latency=self.latency,
            event_cost=self.event_cost,
        )
        world.explain = explain
        return world

    def run(self, main: Main[T]) -> T:
        """Run a coroutine function, and return its result."""
        return simulate_async(self.world(), main)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function that may start threads or event loops, and return its result."""
        return simulate(self.world(), function)

    async def wait(self, main: Main[T]) -> T:
        """Do the same for `await`: the simulation runs at once, in this very thread."""
        return self.run(main)


@dataclass(frozen=True)
class Real:
    """The real clock."""

    exact = False

    def run(self, main: Main[T]) -> T:
        """Run a coroutine function on an event loop of its own, and return its result."""
        return asyncio.run(self.wait(main))

    def call(self, function: Callable[[], T]) -> T:
        """Call a function, and return its result."""
        return function()

    async def wait(self, main: Main[T]) -> T:
        """Run it in a thread of its own, beside the event loop that awaits.

        If that is interrupted or cancelled, so is this, within a second.
        """
        aside = Aside(main)
        ended: asyncio.Future[T] = asyncio.wrap_future(aside.future)
        try:
            while not ended.done():  # a kernel's interrupt is not seen by a loop that only waits
                await asyncio.wait([ended], timeout=PERIOD)
            return await ended
        finally:
            ended.cancel()
            await aside.end()


def virtual(
    *,
    horizon: float = 86_400.0,
    stall_after: float = 5.0,
    threads: int = 8,
    latency: float = 0.0,
    event_cost: float = 0.0,
) -> Virtual:
    """Return virtual worlds.

    - `horizon`: virtual seconds after which a run is taken to be endless.
    - `stall_after`: real seconds without a move after which it is taken to wait for the outside.
    - `threads`: size of asyncio's default pool (`asyncio.to_thread`); anyio's own is 40.
    - `latency`: virtual seconds that bytes travel on connections in memory, each way.
    - `event_cost`: virtual seconds that each recorded event takes, so that bars have a width.

    Raises ValueError for a number that makes no sense.
    """
    given = {"horizon": horizon, "stall_after": stall_after, "threads": threads}
    for name, value in given.items():
        if value <= 0:
            raise ValueError(f"{name} must be greater than 0, got {value}")
    for name, value in {"latency": latency, "event_cost": event_cost}.items():
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    return Virtual(horizon, stall_after, threads, latency, event_cost)


def real() -> Real:
    """Return the real clock: real threads, real sockets, and times that differ each run."""
    return Real()
