"""What cannot be simulated is refused, with a message, instead of giving a wrong picture."""

import asyncio
import functools
import multiprocessing.process
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any

from asgi_lab.clock.actor import this_actor
from asgi_lab.clock.errors import Refused
from asgi_lab.clock.loop import VirtualLoop
from asgi_lab.clock.where import line_of, user_frame

Replace = Callable[[Any, str, Any], None]


def apply(replace: Replace) -> None:
    """Refuse in the threads of a world; `replace(owner, name, value)` sets an attribute."""
    _refuse(replace, subprocess.Popen, "__init__", "a subprocess")
    _refuse(replace, multiprocessing.process.BaseProcess, "start", "another process")
    _refuse(replace, ProcessPoolExecutor, "__init__", "a pool of processes")
    _refuse(replace, ProcessPoolExecutor, "submit", "a pool of processes")
    if hasattr(os, "fork"):
        _refuse(replace, os, "fork", "another process (os.fork)")
    _only_virtual_loops(replace, asyncio.BaseEventLoop)
    with suppress(ImportError):  # imported here, because during the run it would be too late
        import uvloop

        _only_virtual_loops(replace, uvloop.Loop)
        _only_virtual_loops(replace, uvloop.Loop, "run_until_complete")
    trio = sys.modules.get("trio")
    if trio is not None:
        _refuse(replace, trio, "run", "trio's event loop")
    _note_connections(replace)


def refuse(what: str) -> None:
    """Stop the world of the calling thread, saying what was refused, and where."""
    actor = this_actor()
    if actor is None:
        return
    frame, _ = user_frame(sys._getframe(1))
    where = f" ({line_of(frame)})" if frame is not None else ""
    actor.world.fail(
        Refused(
            f"{what} cannot be simulated in virtual time{where}: "
            "no virtual time passes there; use the real clock: clock=real()"
        )
    )


def _refuse(replace: Replace, owner: Any, name: str, what: str) -> None:
    ours = getattr(owner, name)

    @functools.wraps(ours)
    def refused(*args: Any, **kwargs: Any) -> Any:
        refuse(what)
        return ours(*args, **kwargs)

    replace(owner, name, refused)


def _only_virtual_loops(replace: Replace, owner: Any, name: str = "run_forever") -> None:
    ours = getattr(owner, name)

    @functools.wraps(ours)
    def run(loop: Any, *args: Any) -> Any:
        if not isinstance(loop, VirtualLoop):
            refuse(f"{type(loop).__module__}.{type(loop).__qualname__}, a real event loop,")
        return ours(loop, *args)

    replace(owner, name, run)


def _note_connections(replace: Replace) -> None:
    """Let real connections be; but no virtual time passes meanwhile: the run is not exact."""
    ours = socket.socket.connect

    @functools.wraps(ours)
    def connect(self: Any, *args: Any) -> Any:
        actor = this_actor()
        if actor is not None:
            actor.world.exact = False
        return ours(self, *args)

    replace(socket.socket, "connect", connect)
