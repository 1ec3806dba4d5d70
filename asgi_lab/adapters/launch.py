"""The server process: `python -P -m asgi_lab.adapters.launch MODULE [ARGUMENT ...]`.

Runs a server's own command line, with two additions. It ends when the command that started it is
gone (its standard input is a pipe from there), so that a killed command leaves no server behind;
an app that reads its input finds none. And SIGTERM unwinds the stack.
"""

import os
import runpy
import signal
import sys
import threading
import time

from asgi_lab.adapters.hosting import unwind_on_sigterm

GRACE = 5.0
"""Seconds to end by itself, once the command is gone."""


def main() -> None:
    """Run the server named by the arguments as `python -m` would."""
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    unwind_on_sigterm()
    threading.Thread(target=_end_with_command, args=(_take_input(),), daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _take_input() -> int:
    """Take the pipe from the command; leave an empty input in its place."""
    pipe = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return pipe


def _end_with_command(pipe: int) -> None:
    while os.read(pipe, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
