"""Running something in a virtual world, from the first patch to the last thread's end."""

import asyncio
import contextvars
import logging
import sys
from asyncio import events
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from asgi_lab.clock.actor import set_actor, this_actor
from asgi_lab.clock.errors import Stopped, VirtualTimeError
from asgi_lab.clock.loop import VirtualLoop
from asgi_lab.clock.patches import patched
from asgi_lab.clock.watch import Watch
from asgi_lab.clock.world import World
from asgi_lab.garbage import uncollected

T = TypeVar("T")

UNWINDING = 50
"""Turns that the tasks of a loop have to end themselves in a world that failed."""


def simulate(world: World, function: Callable[[], T]) -> T:
    """Call a function in a virtual world, in this thread; return its result.

    Raises what the function raises, `VirtualTimeError` if the world cannot go on, and
    KeyboardInterrupt. However it ends: nothing stays patched, no thread of the world stays behind.
    """
    if this_actor() is not None:
        raise VirtualTimeError("a virtual world cannot run inside another: await it, or use real()")
    if world.main is not None:
        raise VirtualTimeError("a virtual world runs once: make another with virtual()")
    left: list[str] = []
    try:
        # It takes time, and would come at moments that differ: hence `uncollected`.
        with Watch(world) as watch, patched(), no_running_loop(), uncollected():
            world.begin()
            try:
                return contextvars.copy_context().run(function)
            finally:
                watch.finish()
                with silence():
                    left = world.end()
    except Stopped:
        pass
    finally:
        set_actor(None)  # whatever happened: this thread is in no world any more
        for write, text in world.printed:
            write(text)
        world.printed.clear()
        if left:
            names = ", ".join(left)
            print(f"asgi-lab: still in a real blocking call: {names}", file=sys.stderr)
        if world.failure is not None:
            raise world.failure from None
    raise AssertionError("a world stops for a reason")


def simulate_async(world: World, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Call and run a coroutine function on an event loop of a virtual world."""

    def function() -> T:
        loop = VirtualLoop(world)
        try:
            result: T = loop.run_until_complete(main())
            finish(loop)
            return result
        except BaseException:
            abandon(loop)
            raise
        finally:
            loop.close()

    return simulate(world, function)


def finish(loop: VirtualLoop) -> None:
    """End what is left on a loop, as `asyncio.run` does."""
    tasks = sorted(asyncio.all_tasks(loop), key=hash)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            what = {"message": "a task failed while the run ended", "task": task}
            loop.call_exception_handler({**what, "exception": task.exception()})
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())


def abandon(loop: VirtualLoop) -> None:
    """Let the tasks of a loop in a failed world run their `finally`, for some turns."""
    loop.set_exception_handler(lambda loop, context: None)
    with silence():
        unwind(loop)


def unwind(loop: VirtualLoop) -> None:
    """Cancel every task, and let it end itself."""
    for task in sorted(asyncio.all_tasks(loop), key=hash):
        task.cancel()
    for _ in range(UNWINDING):
        if not asyncio.all_tasks(loop):
            break
        with suppress(BaseException):
            loop.call_soon(loop.stop)
            loop.run_forever()
    left: set[Any] = set(asyncio.all_tasks(loop))
    for task in left:
        task._log_destroy_pending = False
    with suppress(BaseException):
        loop._ready.clear()


@contextmanager
def silence() -> Iterator[None]:
    """Log nothing meanwhile: that a world ends is no error of the servers and apps in it."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def no_running_loop() -> Iterator[None]:
    """Set aside the event loop that runs in this thread, as a notebook's does."""
    loop = events._get_running_loop()
    task = asyncio.current_task(loop) if loop is not None else None
    if loop is not None and task is not None:
        asyncio.tasks._leave_task(loop, task)
    events._set_running_loop(None)
    hooks = sys.get_asyncgen_hooks()
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*hooks)
        events._set_running_loop(loop)
        if loop is not None and task is not None:
            asyncio.tasks._enter_task(loop, task)
