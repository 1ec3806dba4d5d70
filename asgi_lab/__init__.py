"""asgi-lab: see and understand ASGI.

    from asgi_lab import trace

    app = trace(app)        # under any server; app.trace is what was recorded so far

Names are loaded when first used, so that importing this package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asgi_lab.api import trace as trace
    from asgi_lab.events import Event as Event
    from asgi_lab.events import Trace as Trace

__version__ = "0.1.0"
__all__ = ["Event", "Trace", "trace"]

_HOMES = {"Event": "asgi_lab.events", "Trace": "asgi_lab.events", "trace": "asgi_lab.api"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'asgi_lab' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
