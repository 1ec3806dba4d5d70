"""`ASGI_LAB_TRACE=1`: read when Python starts (`asgi_lab_trace.pth`, beside the package).

Nothing happens until a server is imported, and then only where it keeps the app. Whatever goes
wrong is told, and the server runs as if nobody had asked.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import Any

from asgi_lab.attach.places import changes
from asgi_lab.imported import WhenImported

VARIABLE = "ASGI_LAB_TRACE"


def start() -> None:
    """Trace whatever app a server loads in this process."""
    WhenImported(changes(see)).start()
    end_on_sigterm()


def see(app: Any) -> Any:
    """Return an app traced, and say so; anything else, and what is traced already, as it is."""
    try:
        from asgi_lab.api import trace
        from asgi_lab.interface import interface_of
        from asgi_lab.standin import StandIn

        if isinstance(app, StandIn) or interface_of(app) is None:
            return app
        from asgi_lab.attach.telling import Telling

        traced = trace(app)
        traced.ticker.follow(Telling(traced.recorder))
        return traced
    except Exception as error:
        print(f"asgi-lab: {VARIABLE} has no effect: {error}", file=sys.stderr)
        return app


def end_on_sigterm() -> None:
    """Let a process that SIGTERM would kill say its last before. It is killed all the same.

    A server's own handler comes in the place of this one, now or later; Uvicorn gives it back and
    raises the signal again, once it has shut down.
    """
    with suppress(ValueError):  # not in the main thread, where alone handlers are set
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _end)


def _end(number: int, _: Any) -> None:
    if ticker := sys.modules.get("asgi_lab.ticker"):
        ticker.stop_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


start()
