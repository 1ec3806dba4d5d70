"""Who waits on what, since when, at which line: what is said when a world cannot go on."""

import asyncio
import sys
from types import FrameType
from typing import Any

from asgi_lab.clock.actor import Actor
from asgi_lab.clock.errors import Deadlock, VirtualTimeError
from asgi_lab.clock.locks import VirtualLock
from asgi_lab.clock.where import chain, frame_of, line_of, user_frame
from asgi_lab.clock.world import NS, World
from asgi_lab.source import is_library

MOST = 8
"""Waits that a message lists; of the others it says how many."""

CLIENT = "the client's next message"

WAITS = {
    "Queue.get": "an item that nobody puts into the queue",
    "Queue.put": "room in a queue that nobody empties",
    "Queue.join": "the items of a queue to be done",
    "Event.wait": "an event that nobody sets",
    "Condition.wait": "a condition that nobody notifies",
    "Condition.wait_for": "a condition that nobody notifies",
    "Barrier.wait": "a barrier that too few have reached",
    "Semaphore.acquire": "a semaphore that nobody releases",
    "Lock.acquire": "a lock that nobody releases",
    "Future.result": "the result of a future",
    "Thread.join": "a thread to end",
    "ThreadPoolExecutor.shutdown": "the threads of a pool to end",
    "_ContextManagerMixin.__aenter__": "a lock that nobody releases",
    "traced_door.<locals>.traced_receive": CLIENT,
    "TaskGroup.__aexit__": "the tasks of its group to end",
    "sleep": "a timer",
    "time.sleep": "a timer",
}
"""What a call of the standard library waits for, in plain words."""


def explain(world: World, kind: type[VirtualTimeError]) -> str:
    """Return the message of a `Deadlock` or `Horizon`."""
    now = f"{world.now / NS:g} s"
    if kind is Deadlock:
        head = f"at {now} of virtual time nothing can run any more: everyone waits, no timer is set"
        tail = "Somebody has to set, put, release or finish what these wait for."
    else:
        head = (
            f"virtual time passed {world.horizon / NS:g} s, and the run has not ended: "
            "something sets timers for ever"
        )
        tail = "If the run really is that long: virtual(horizon=seconds)."
    waits = sorted(
        [*task_waits(world), *thread_waits(world)], key=lambda wait: CLIENT in wait
    ) or task_waits(world, every=True)
    shown = [f"  - {wait}" for wait in waits[:MOST]]
    if kind is Deadlock and waits and all(CLIENT in wait for wait in waits):
        tail = "The client has sent all that it had: it waits for the app, and the app for it."
    if len(waits) > MOST:
        shown.append(f"  - and {len(waits) - MOST} more")
    return "\n".join([head, *shown, tail])


def thread_waits(world: World) -> list[str]:
    """Return what each waiting thread waits for; that of an event loop waits for its tasks."""
    frames = sys._current_frames()
    waits = []
    for actor in world.actors:
        if actor.loop is not None and actor.waits_on is actor.loop:
            continue
        innermost = frames.get(actor.ident)
        frame, called = user_frame(innermost)
        locked = isinstance(actor.waits_on, VirtualLock) and innermost is not None
        if frame is None and (not locked or idle(innermost)):
            continue
        what = waited_for(actor, called)
        waits.append(f"thread {actor.name} waits{since(actor.since)} for {what}{at(frame)}")
    return waits


def idle(frame: FrameType | None) -> bool:
    """Whether a thread is a worker of a pool that has nothing to do."""
    while frame is not None:
        if frame.f_code.co_name == "_worker" or "WorkerThread" in frame.f_code.co_qualname:
            return True
        frame = frame.f_back
    return False


def waited_for(actor: Actor, called: str) -> str:
    """Return what a thread waits for, in words."""
    waits_on = actor.waits_on
    if isinstance(waits_on, VirtualLock) and called in (
        "",
        "VirtualLock.acquire",
        "VirtualLock.__enter__",
    ):
        return f"a lock that {waits_on.holder or 'somebody'} took"
    if isinstance(waits_on, Actor):
        return f"thread {waits_on.name} to end"
    if isinstance(waits_on, str):
        return f"`{waits_on}`"
    return WAITS.get(called, f"`{called}`" if called else "a lock")


def task_waits(world: World, every: bool = False) -> list[str]:
    """Return what each task of the world's event loops waits for, if its code is the user's."""
    waits = []
    for actor in world.actors:
        if actor.loop is None:
            continue
        tasks = sorted(asyncio.all_tasks(actor.loop), key=hash)
        for task in tasks:
            if wait := task_wait(task, every):
                waits.append(wait)
    return list(dict.fromkeys(waits))


def task_wait(task: "asyncio.Task[Any]", every: bool) -> str:
    """Return what a task waits for; nothing if only library code waits, unless `every` counts."""
    user, called = None, ""
    for link in chain(task.get_coro()):
        frame = frame_of(link)
        if frame is None:
            continue
        if every or not is_library(frame.f_code.co_filename):
            user, called = frame, ""
        elif user is not None and not called:
            called = frame.f_code.co_qualname
    if user is None:
        return ""
    began = getattr(getattr(task, "_fut_waiter", None), "since", None)
    what = WAITS.get(called) or (f"`{called}`" if called else "a future that nobody completes")
    return f"task {task.get_name()!r} waits{since(began)} for {what}{at(user)}"


def since(t: int | None) -> str:
    """Return since when, in virtual seconds."""
    return "" if t is None else f" since {t / NS:g} s"


def at(frame: FrameType | None) -> str:
    """Return at which line."""
    if frame is None:
        return ""
    return f", at {line_of(frame)}"
