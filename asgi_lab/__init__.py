"""asgi-lab: see and understand ASGI.

    from asgi_lab import get, run, trace

    app = trace(app)                      # under any server; app.trace is what was recorded so far
    t = await run(app, 20 * [get("/")])   # in memory, in virtual time: the same each time

Names are loaded when first used, so that importing this package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asgi_lab.api import trace as trace
    from asgi_lab.client import after as after
    from asgi_lab.client import close as close
    from asgi_lab.client import delete as delete
    from asgi_lab.client import every as every
    from asgi_lab.client import expect as expect
    from asgi_lab.client import get as get
    from asgi_lab.client import head as head
    from asgi_lab.client import options as options
    from asgi_lab.client import patch as patch
    from asgi_lab.client import pause as pause
    from asgi_lab.client import poisson as poisson
    from asgi_lab.client import post as post
    from asgi_lab.client import put as put
    from asgi_lab.client import request as request
    from asgi_lab.client import user as user
    from asgi_lab.client import ws as ws
    from asgi_lab.clock import Deadlock as Deadlock
    from asgi_lab.clock import Horizon as Horizon
    from asgi_lab.clock import Refused as Refused
    from asgi_lab.clock import Stall as Stall
    from asgi_lab.clock import cpu as cpu
    from asgi_lab.clock import real as real
    from asgi_lab.clock import virtual as virtual
    from asgi_lab.difference import diff as diff
    from asgi_lab.events import Event as Event
    from asgi_lab.events import Trace as Trace
    from asgi_lab.experiment import compare as compare
    from asgi_lab.experiment import run as run

__version__ = "0.1.0"

_HOMES = {
    "Event": "asgi_lab.events",
    "Trace": "asgi_lab.events",
    "trace": "asgi_lab.api",
    "run": "asgi_lab.experiment",
    "compare": "asgi_lab.experiment",
    "diff": "asgi_lab.difference",
    "cpu": "asgi_lab.clock",
    "real": "asgi_lab.clock",
    "virtual": "asgi_lab.clock",
    "Deadlock": "asgi_lab.clock",
    "Horizon": "asgi_lab.clock",
    "Refused": "asgi_lab.clock",
    "Stall": "asgi_lab.clock",
    "after": "asgi_lab.client",
    "close": "asgi_lab.client",
    "delete": "asgi_lab.client",
    "every": "asgi_lab.client",
    "expect": "asgi_lab.client",
    "get": "asgi_lab.client",
    "head": "asgi_lab.client",
    "options": "asgi_lab.client",
    "patch": "asgi_lab.client",
    "pause": "asgi_lab.client",
    "poisson": "asgi_lab.client",
    "post": "asgi_lab.client",
    "put": "asgi_lab.client",
    "request": "asgi_lab.client",
    "user": "asgi_lab.client",
    "ws": "asgi_lab.client",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'asgi_lab' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
