"""How a run in virtual time can fail. Each says what happened, where, and what to do."""

import ctypes
from typing import Any


class VirtualTimeError(RuntimeError):
    """A run in virtual time could not go on. `trace` holds what was recorded until then."""

    trace: Any = None


class Deadlock(VirtualTimeError):
    """Everybody waits for somebody else, and no timer is set: nothing can ever happen again."""


class Stall(VirtualTimeError):
    """Something waits for the world outside, where no virtual time passes."""


class Horizon(VirtualTimeError):
    """Virtual time passed its limit: something sets timers for ever."""


class Refused(VirtualTimeError):
    """Something that cannot be simulated: another process, another kind of event loop."""


class Stopped(KeyboardInterrupt):
    """Raised in every thread of a world that ends.

    An interrupt, so that nothing swallows it: asyncio lets interrupts through where it keeps other
    exceptions in a task.
    """


def stop_thread(ident: int) -> None:
    """Raise `Stopped` in a thread, as soon as it runs Python code."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Stopped))
