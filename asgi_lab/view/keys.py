"""Keys typed while the live view runs: the arrows choose a request.

The terminal is put in *cbreak* mode (keys come at once and are not echoed; Ctrl-C still
interrupts) and put back however the view ends.
"""

import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any

NAMES = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"k": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"j": "down",
    b"\x1b": "latest",
    b"\x1b[F": "latest",
    b"\x1bOF": "latest",
}
"""What a terminal sends for the arrows (two dialects), Escape and End; `k` and `j` as in less."""


class Keys:
    """Calls `pressed("up" | "down" | "latest")` from a thread, from `start` to `stop`.

    Does nothing where standard input is no terminal.
    """

    def __init__(self, pressed: Callable[[str], None]) -> None:
        self._pressed = pressed
        self._before: list[Any] | None = None
        self._thread: threading.Thread | None = None
        self._wake: tuple[int, int] = (-1, -1)

    def start(self) -> None:
        """Begin to listen."""
        try:
            import termios
            import tty
        except ImportError:
            return  # not a Unix: nothing can be chosen
        try:
            self._before = termios.tcgetattr(sys.stdin.fileno())
            tty.setcbreak(sys.stdin.fileno(), termios.TCSADRAIN)
        except (OSError, ValueError, AttributeError, termios.error):
            return  # standard input is no terminal
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="asgi-lab keys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Put the terminal back as it was."""
        if self._thread is None or self._before is None:
            return
        import termios

        os.write(self._wake[1], b"x")
        self._thread.join(1.0)
        self._thread = None
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)
        for end in self._wake:
            os.close(end)

    def _listen(self) -> None:
        keyboard, wake = sys.stdin.fileno(), self._wake[0]
        while True:
            ready, _, _ = select.select([keyboard, wake], [], [])
            if wake in ready:
                return
            typed = os.read(keyboard, 32)
            if not typed:
                return
            if name := NAMES.get(typed):
                self._pressed(name)
