"""A world in which time is a number.

The laws:

1. Time is an integer of nanoseconds. It moves only when nobody can run: then it jumps to the next
   timer.
2. One *actor* (a thread of this world) runs at a time: the one that holds the baton. It passes the
   baton on when it waits.
3. Whoever is ready runs in the order of becoming ready; equal timers fire in the order of setting.

So a run depends on nothing outside: not on the machine, its load, or Python's hash seed.

The thread that calls `run` is the first actor. A world starts no thread of its own; those that the
app starts become actors (see `threads`).
"""

import heapq
import random
import sys
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from asgi_lab.clock import genuine as real
from asgi_lab.clock.actor import (
    DONE,
    HELD,
    PARKED,
    READY,
    RUNNING,
    Actor,
    Process,
    set_actor,
    this_actor,
)
from asgi_lab.clock.errors import Deadlock, Horizon, Stall, Stopped, VirtualTimeError

T = TypeVar("T")

NS = 1_000_000_000
"""Nanoseconds in a second."""

EPOCH = 1_735_689_600 * NS
"""When every run begins, by the wall clock: 2025-01-01, midnight UTC."""

SEED = 1
"""Where the chance of every run begins: it is the same in each."""

QUANTUM = 5_000_000
"""Nanoseconds that a thread computes before it offers the interpreter to another: CPython's."""

SPINS = 1000
"""Turns of an event loop in which no time passes, after which it is taken to poll."""

LOOKS = 1_000_000
"""Looks at a clock, with no turn for others, after which something is taken to wait for it."""

PATIENCE = 2.0
"""Real seconds that the other threads have to unwind when a run ends."""


def ns(seconds: float) -> int:
    """Return seconds as nanoseconds, rounded to the nearest."""
    return round(seconds * NS)


class World:
    """Virtual time, and the baton. `horizon` and `stall_after` are in (virtual, real) seconds."""

    def __init__(
        self,
        *,
        horizon: float = 86_400.0,
        stall_after: float = 5.0,
        threads: int = 8,
        latency: float = 0.0,
        event_cost: float = 0.0,
    ) -> None:
        self.now = 0
        self.horizon = ns(horizon)
        self.stall_after = stall_after
        self.pool_size = threads
        self.latency = ns(latency)
        self.event_cost = ns(event_cost)
        self.exact = True
        self.random = random.Random(SEED)
        self.stopping = False
        self.failure: BaseException | None = None
        self.actors: dict[Actor, None] = {}
        self.running: Actor | None = None
        self.main: Actor | None = None
        self.tasks = count(1)
        self.futures = count(1)
        self.network: dict[tuple[str, int], Any] = {}
        self.ports = count(49_152)
        self.on_block: Callable[[Actor, str, int], None] | None = None
        """Told that the thread of an event loop waited elsewhere: what it did, and since when."""
        self.explain: Callable[[World, type[VirtualTimeError]], str] = lambda world, kind: ""
        """Says why it cannot go on: who waits on what."""
        self.on_stop: Callable[[], object] = int
        """Called when the world ends, before anything is undone. It must not wait."""
        self.pools: dict[int, Any] = {}
        self.started: list[Any] = []
        """Threads that were started in this world."""
        self.printed: list[tuple[Any, str]] = []
        self.mutex = real.allocate_lock()
        self._ready: deque[Actor] = deque()
        self._timers: list[tuple[int, int, Actor, int]] = []
        self._order = count()
        self._numbers = count()
        self._processes = count()
        self._process = Process(next(self._processes))
        self._spins = self._looks = 0
        self._empty = real.allocate_lock()

    # What the actors call.

    def clock(self) -> int:
        """Return the virtual time in ns; a look at it may cost some (`event_cost`)."""
        now = self.now
        self.now += self.event_cost
        return now

    def look(self) -> int:
        """Return the time (ns), to code that looks at a clock; often in vain: it waits for it."""
        self._looks += 1
        if self._looks > LOOKS:
            from asgi_lab.clock.where import line_of, user_frame

            frame, _ = user_frame(sys._getframe(1))
            line = line_of(frame) if frame is not None else "a library's code"
            self.fail(
                Stall(
                    f"{line}\nlooked at the clock {LOOKS:,} times, and no time passed: it waits "
                    "for time to pass by computing, which takes none here. Say cpu(seconds) "
                    "instead (from asgi_lab import cpu), or use the real clock: clock=real()"
                )
            )
        return self.now

    def park(self, until: int | None, waits_on: object) -> bool:
        """Wait until a time (ns), or until woken for this reason. Return whether woken.

        Raises `Stopped` in a world that ends.
        """
        actor = this_actor()
        assert actor is not None
        with self.mutex:
            if self.stopping:
                raise Stopped
            self._spins = self._looks = 0
            if actor.early and actor.waits_on is waits_on:
                actor.early, actor.waits_on = False, None
                return True
            actor.turn += 1
            actor.state, actor.waits_on, actor.woken = PARKED, waits_on, False
            actor.since = self.now
            if until is not None:
                entry = (max(until, self.now), next(self._order), actor, actor.turn)
                heapq.heappush(self._timers, entry)
            if actor is self.running or self.running is None:
                self._pass_on()
        actor.gate.acquire()
        actor.waits_on = None
        if self.stopping:
            raise Stopped
        return actor.woken

    def wake(self, actor: Actor, waits_on: object) -> None:
        """Make an actor ready that waits for this. From any thread."""
        with self.mutex:
            if actor.waits_on is not waits_on:
                return
            if actor.state == PARKED:
                actor.turn += 1
                actor.state, actor.woken = READY, True
                self._ready.append(actor)
                if self.running is None:
                    self._pass_on()
            else:
                actor.early = True  # it is about to park

    def sleep(self, seconds: float) -> None:
        """`time.sleep`: the thread waits, and whatever runs only in it waits too."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        began = self.now
        some = (
            1 if seconds > 0 else 0
        )  # who sleeps until a float's moment would else never get there
        self.park(began + max(ns(seconds), some), "time.sleep")
        self.blocked("time.sleep", began)

    def cpu(self, seconds: float) -> None:
        """Compute for so long, holding the interpreter; after each quantum others have a turn."""
        actor = this_actor()
        assert actor is not None
        left, began, process = ns(seconds), self.now, actor.process
        while left > 0:
            step = min(left, QUANTUM)
            process.holder, process.until = actor, self.now + step
            self.park(process.until, "cpu")
            process.holder = None
            left -= step
            if left:
                self.park(self.now, "cpu")
        self.blocked("cpu", began)

    def turn(self, deadline: int | None) -> None:
        """Let others have a turn. `deadline` (ns) is the next timer of the caller's event loop.

        A loop that only polls (`while not done: await asyncio.sleep(0)`) would stop time: after
        many turns without any passing it is taken to wait.
        """
        timers, self._looks = self._timers, 0
        if self._ready or (timers and timers[0][0] <= self.now):
            self.park(self.now, "turn")
            return
        self._spins += 1
        if self._spins > SPINS:
            due = [t for t, _, actor, turn in timers if actor.turn == turn]
            if deadline is not None:
                due.append(deadline)
            if not due:
                self.fail(
                    Stall(
                        f"the event loop turned {SPINS} times, no time passed and no timer is set: "
                        "something polls with `await asyncio.sleep(0)` for what never happens"
                    )
                )
            self.park(min(due), "turn")

    def blocked(self, what: str, began: int) -> None:
        """Note that a wait has ended; if the thread has a running event loop, it was held."""
        actor = this_actor()
        held = actor is not None and actor.loop is not None and actor.loop.is_running()
        if actor is not None and held and self.on_block is not None and self.now > began:
            self.on_block(actor, what, began)

    # Who runs next.

    def _pass_on(self) -> None:
        """Give the baton to whoever is next. The mutex is held."""
        while not self.stopping:
            self._wake_due()
            while self._ready:
                actor = self._ready.popleft()
                process = actor.process
                if process.holder not in (None, actor) and process.until > self.now:
                    actor.state = HELD  # another thread of its interpreter computes
                    entry = (process.until, next(self._order), actor, actor.turn)
                    heapq.heappush(self._timers, entry)
                    continue
                self._give(actor)
                return
            self.running = None
            timers = self._timers
            while timers and timers[0][2].turn != timers[0][3]:
                heapq.heappop(timers)
            if timers:
                self.now = max(self.now, timers[0][0])
                if self.now > self.horizon:
                    self._fail(Horizon)
            elif any(actor.state == PARKED for actor in self.actors):
                self._fail(Deadlock)
            else:
                return
        self.running = None
        self._unwind_next()

    def _give(self, actor: Actor) -> None:
        actor.state = RUNNING
        self.running = actor
        actor.gate.release()

    def _wake_due(self) -> None:
        timers, now = self._timers, self.now
        while timers and timers[0][0] <= now:
            _, _, actor, turn = heapq.heappop(timers)
            if actor.turn == turn and actor.state in (PARKED, HELD):
                if actor.state == PARKED:
                    actor.woken = False
                actor.turn += 1
                actor.state = READY
                self._ready.append(actor)

    # How it ends.

    def _fail(self, kind: type[VirtualTimeError]) -> None:
        """Stop because of what everybody waits for. The mutex is held."""
        self.stop(kind(self.explain(self, kind)))

    def stop(self, failure: BaseException | None) -> None:
        """Let every wait end by `Stopped`, main's first. The mutex is held."""
        if not self.stopping:
            self.stopping, self.failure = True, failure
            self.on_stop()
        self._ready.clear()
        self._timers.clear()
        if self.main is not None and self.main.state in (PARKED, HELD):
            self.main.state = READY

    def fail(self, failure: BaseException) -> None:
        """Stop the world from an actor of it, for this reason. Raises `Stopped`."""
        with self.mutex:
            self.stop(failure)
        raise Stopped

    def adopt(self, name: str, process: Process | None = None) -> Actor:
        """Make an actor of a thread, in the order of calls. It begins parked."""
        parent = this_actor()
        if process is None:
            process = parent.process if parent is not None else self._process
        actor = Actor(next(self._numbers), name, self, process)
        self.actors[actor] = None
        return actor

    def new_process(self) -> Process:
        """Return an interpreter beside this one, whose threads compute at the same time."""
        return Process(next(self._processes))

    def admit(self, actor: Actor) -> None:
        """Let an adopted actor run when its turn comes."""
        with self.mutex:
            actor.state = READY
            self._ready.append(actor)

    def act(self, actor: Actor, function: Callable[[], object]) -> None:
        """Be this actor in the calling thread, until the function ends."""
        actor.ident = real.get_ident()
        set_actor(actor)
        actor.gate.acquire()
        try:
            if not self.stopping:
                function()
        except Stopped:
            pass
        finally:
            set_actor(None)
            self._leave(actor)

    def _leave(self, actor: Actor) -> None:
        with self.mutex:
            actor.state = DONE
            self.actors.pop(actor, None)
            for joiner in actor.joiners:
                if joiner.state == PARKED and joiner.waits_on is actor:
                    joiner.turn += 1
                    joiner.state, joiner.woken = READY, True
                    self._ready.append(joiner)
            if self.running is actor:
                self.running = None
                self._pass_on()
            elif self.stopping and self.running is None:
                self._unwind_next()

    def _unwind_next(self) -> None:
        """In a world that ends: let main end itself, then the others. The mutex is held."""
        assert self.main is not None
        if self.main.state == READY:
            self._give(self.main)
        elif self.main.state == DONE:
            for actor in self.actors:
                if actor is not self.main and actor.state in (PARKED, READY, HELD):
                    self._give(actor)
                    return
            if len(self.actors) == 1 and self._empty.locked():
                self._empty.release()

    def begin(self) -> None:
        """Make the calling thread the first actor."""
        actor = self.main = self.adopt("main")
        actor.ident, actor.state = real.get_ident(), RUNNING
        self.running = actor
        set_actor(actor)

    def end(self) -> list[str]:
        """End every thread of this world; return the names of those that could not be ended."""
        assert self.main is not None
        with self.mutex:
            self.stop(None)
            self.main.state = DONE
            self.running = None
            if len(self.actors) > 1:
                self._empty.acquire()
                self._unwind_next()
        set_actor(None)
        if len(self.actors) > 1:
            self._empty.acquire(True, PATIENCE)
        self.actors.pop(self.main, None)
        for thread in self.started:
            real.join(thread, 0.0 if self.actors else 1.0)
        return [actor.name for actor in self.actors]
