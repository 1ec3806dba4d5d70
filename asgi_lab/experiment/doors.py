"""Which door leads to an app: in memory, to a server in a thread, or to one in a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgi_lab.clock import Virtual
from asgi_lab.clock.actor import this_actor
from asgi_lab.clock.recording import recorder_here
from asgi_lab.experiment.in_memory import asgi_in_memory, wsgi_in_memory
from asgi_lab.experiment.in_thread import in_a_thread
from asgi_lab.experiment.setup import Done, Setup


@asynccontextmanager
async def open_door(setup: Setup, done: Done) -> AsyncIterator[Any]:
    """Serve the traced app in the world that this runs in, and give the door to it."""
    in_process = setup.server != "memory" and setup.target is not None
    if in_process and not isinstance(setup.clock, Virtual):
        from asgi_lab.experiment.in_process import in_a_process  # much that a browser lacks

        opened = in_a_process(setup, done)
    else:
        done.recorder = recorder_here(setup.max_events, setup.redact, done.stop)
        in_memory = wsgi_in_memory if setup.interface == "wsgi" else asgi_in_memory
        serve = in_memory if setup.server == "memory" else in_a_thread
        opened = serve(setup, setup.traced(done.recorder))
    try:
        async with opened as door:
            yield door
    finally:
        done.exact = is_exact()


def is_exact() -> bool:
    """Whether time is exact in the world that this runs in."""
    actor = this_actor()
    return actor is not None and actor.world.exact
