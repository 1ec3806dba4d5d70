"""What a recorder needs of the world it records in: its clock, its threads, its blocked loops."""

import sys
import time
from collections.abc import Callable
from typing import Any

from asgi_lab.clock import genuine
from asgi_lab.clock.actor import this_actor
from asgi_lab.clock.where import user_frame
from asgi_lab.clock.world import World
from asgi_lab.recorder import LIMIT, Recorder
from asgi_lab.running import current
from asgi_lab.source import place


def recorder_here(
    max_events: int = LIMIT, redact: bool = True, on_stop: Callable[[Recorder], object] = repr
) -> Recorder:
    """Return a recorder that notes the time of the caller's world: virtual, or real.

    `on_stop` is told when a virtual world ends: what is recorded after that is its undoing.
    """
    actor = this_actor()
    if actor is None:
        return Recorder(max_events, redact=redact)
    world = actor.world
    recorder = Recorder(max_events, world.clock, redact, thread_number)
    recorder.started = time.time_ns()
    world.on_block = lambda actor, what, began: note_block(recorder, world, what, began)
    world.on_stop = lambda: on_stop(recorder)
    return recorder


def thread_number() -> int:
    """Return the number of the calling thread: in a virtual world they count from 0."""
    actor = this_actor()
    return genuine.get_ident() if actor is None else actor.number


def note_block(recorder: Recorder, world: World, what: str, began: int) -> None:
    """Note that the thread of an event loop waited elsewhere until now, for which request."""
    of, door, task = current.get()
    if of is not recorder:
        return
    frame, called = user_frame(sys._getframe(1))
    at = place(frame, frame.f_lineno) if frame is not None else "?"
    call = what if what in ("time.sleep", "cpu") else called or what
    call = call.replace("VirtualLock", "Lock")
    facts: Any = (("call", call), ("at", at))
    recorder.append((world.now, "block", door, task, began, facts))
