"""Threads that an app starts inside a world become its actors."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from asgi_lab.clock import genuine as real
from asgi_lab.clock.actor import DONE, Actor, Process, set_actor, this_actor
from asgi_lab.clock.errors import Stopped
from asgi_lab.clock.world import ns

_COUNTER = re.compile(r"^(Thread|ThreadPoolExecutor|Timer)-\d+")
"""Names that Python numbers for the whole process: in a world they count from 1."""


def start(thread: threading.Thread, process: Process | None = None) -> None:
    """`Thread.start`. The thread begins when the baton first comes to it."""
    parent = this_actor()
    if parent is None:
        real.start(thread)
        return
    world = parent.world
    actor = world.adopt(thread.name, process)
    actor.name = _COUNTER.sub(rf"\1-{actor.number}", thread.name)
    run = thread.run
    thread.run = lambda: world.act(actor, run)  # type: ignore[method-assign]
    set_actor(None)  # the thread is started for real: Python's own hand-shake uses real locks
    try:
        any_thread: Any = thread
        any_thread._started = threading.Event()
        any_thread._daemonic = True  # what cannot be ended must not keep the interpreter alive
        real.start(thread)
    except BaseException:
        world.actors.pop(actor, None)
        raise
    finally:
        set_actor(parent)
    thread.asgi_lab_actor = actor  # type: ignore[attr-defined]
    world.started.append(thread)
    world.admit(actor)


def start_aside(
    function: Callable[[], object], name: str, interpreter: bool = False
) -> threading.Thread:
    """Start a thread; in a virtual world perhaps with an interpreter of its own.

    Such a thread stands for another process: it computes while others do.
    """

    def quietly() -> None:
        with suppress(Stopped):
            function()

    thread = threading.Thread(target=quietly, name=name, daemon=True)
    actor = this_actor()
    start(thread, actor.world.new_process() if actor is not None and interpreter else None)
    return thread


def join(thread: threading.Thread, timeout: float | None = None) -> None:
    """`Thread.join`, in virtual time."""
    actor, target = this_actor(), _actor_of(thread)
    if actor is None or target is None:
        real.join(thread, timeout)
        return
    world = actor.world
    if target.state != DONE:
        began = world.now
        target.joiners.append(actor)
        ended = world.park(None if timeout is None else began + ns(max(timeout, 0)), target)
        world.blocked("Thread.join", began)
        if not ended:
            return
    real.join(thread)


def is_alive(thread: threading.Thread) -> bool:
    """`Thread.is_alive`."""
    target = _actor_of(thread)
    if target is None or this_actor() is None:
        return real.is_alive(thread)
    return target.state != DONE


def pool_here(pool: ThreadPoolExecutor) -> ThreadPoolExecutor:
    """Return the pool, or if it was made outside, its stand-in of the same size in this world."""
    actor = this_actor()
    if actor is None or getattr(pool, "asgi_lab_world", None) is actor.world:
        return pool
    pools = actor.world.pools
    if id(pool) not in pools:
        pools[id(pool)] = (pool, ThreadPoolExecutor(pool._max_workers, "pool"))
    stand_in: ThreadPoolExecutor = pools[id(pool)][1]
    return stand_in


def own_pool(init: Callable[..., None]) -> Callable[..., None]:
    """Return `ThreadPoolExecutor.__init__`, noting in which world the pool was made."""

    def __init__(pool: Any, *args: Any, **kwargs: Any) -> None:
        init(pool, *args, **kwargs)
        actor = this_actor()
        if actor is not None:
            pool.asgi_lab_world = actor.world

    return __init__


def _actor_of(thread: threading.Thread) -> Actor | None:
    return getattr(thread, "asgi_lab_actor", None)
