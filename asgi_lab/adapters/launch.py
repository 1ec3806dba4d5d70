"""The server process: `python -m asgi_lab.adapters.launch MODULE [ARGUMENT ...]`.

Runs a server's own command line, with two additions. It ends when the command that started it is
gone (its standard input is a pipe from there), so that a killed command leaves no server behind.
And SIGTERM unwinds the stack, unless the server has a handler of its own, so that what was
recorded last is still sent.
"""

import os
import runpy
import signal
import sys
import threading
import time
from typing import Any, NoReturn

GRACE = 5.0
"""Seconds to end by itself, once the command is gone."""


def main() -> None:
    """Run the server named by the arguments as `python -m` would."""
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    signal.signal(signal.SIGTERM, _exit)
    threading.Thread(target=_end_with_command, daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _exit(*_: Any) -> NoReturn:
    sys.exit(0)


def _end_with_command() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
