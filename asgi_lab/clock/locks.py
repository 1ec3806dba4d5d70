"""A lock that waits in virtual time.

Ownership is handed to the next in line (no barging), so who gets it depends on order alone.
`threading`'s Condition, Event, Semaphore, Barrier, Queue and Future are made of locks: give them
this one, and they are virtual too.

It belongs to no world: in a thread of a world it waits in that world, in another it waits for
real. So one that outlives its world, in a module first imported during a run, still works.
"""

from collections import deque
from typing import Any

from asgi_lab.clock import genuine as real
from asgi_lab.clock.actor import Actor, this_actor
from asgi_lab.clock.world import ns

_mutex = real.allocate_lock()


class VirtualLock:
    """Behaves as `threading.Lock`; `holder` is the name of the thread that took it last."""

    __slots__ = ("__weakref__", "_held", "_waiters", "holder")

    def __init__(self) -> None:
        self._held = False
        self._waiters: deque[Any] = deque()
        self.holder = ""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, waiting for it if need be; `timeout` is in seconds (-1: for ever)."""
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout is not None and timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        actor = this_actor()
        with _mutex:
            if not self._held:
                self._held = True
                self.holder = actor.name if actor is not None else "another thread"
                return True
            if not blocking:
                return False
            waiter: Any = actor if actor is not None else real.allocate_lock()
            if actor is None:
                waiter.acquire()
            else:
                actor.waits_on, actor.early = self, False
            self._waiters.append(waiter)
        try:
            taken = self._wait(actor, waiter, None if timeout == -1 else timeout)
        except BaseException:
            self._give_up(waiter)
            raise
        return taken or not self._give_up(waiter)

    def release(self) -> None:
        """Hand the lock to the next in line. Raises RuntimeError if it is not locked."""
        with _mutex:
            if not self._held:
                raise RuntimeError("release unlocked lock")
            if not self._waiters:
                self._held = False
                return
            waiter = self._waiters.popleft()
            self.holder = waiter.name if isinstance(waiter, Actor) else "another thread"
        if isinstance(waiter, Actor):
            waiter.world.wake(waiter, self)
        else:
            waiter.release()

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{'locked' if self._held else 'unlocked'} virtual lock>"

    acquire_lock, release_lock, locked_lock = acquire, release, locked

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]

    def _wait(self, actor: Actor | None, waiter: Any, timeout: float | None) -> bool:
        if actor is None:
            return bool(waiter.acquire(True, -1 if timeout is None else timeout))
        world = actor.world
        began = world.now
        woken = world.park(None if timeout is None else began + ns(timeout), self)
        world.blocked("lock", began)
        return woken

    def _give_up(self, waiter: Any) -> bool:
        """Leave the line. Return False if the lock has been handed over meanwhile."""
        with _mutex:
            try:
                self._waiters.remove(waiter)
            except ValueError:
                return False
            return True
