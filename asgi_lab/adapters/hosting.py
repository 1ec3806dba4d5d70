"""What the processes of a server share with the command, and with one another."""

import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

VARIABLE = "ASGI_LAB_HOSTED"
"""The environment variable by which the command tells a server process what to host."""


def unwind_on_sigterm() -> None:
    """Let SIGTERM unwind the stack, so that what was recorded last is still sent.

    Unless the server has a handler of its own, now or later. Hypercorn's workers have none.
    """
    with suppress(ValueError):  # not in the main thread, where alone handlers are set
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _exit)


def _exit(*_: Any) -> NoReturn:
    sys.exit(0)
