"""What a server and its app print, made fit to be read beside a trace.

Tracebacks are cut to the user's own frames: those of installed packages, of Python and of the
tracer are counted instead of shown.
"""

import re
from collections.abc import Callable

from asgi_lab.atoms import is_library

FRAME = re.compile(r'^(?P<bar>[\s|+-]*?)  File "(?P<file>[^"]+)", line \d+')


class ShortTracebacks:
    """Passes lines on to `out`, without the frames of libraries."""

    def __init__(self, out: Callable[[str], None]) -> None:
        self._out = out
        self._hiding = False
        self._hidden = 0

    def line(self, line: str) -> None:
        """Take the next line."""
        frame = FRAME.match(line)
        if frame:
            self._hiding = is_library(frame["file"])
        elif self._hiding and not line.strip(" |").startswith(("Traceback", "During", "The above")):
            self._hiding = line.lstrip(" |+-")[:1] != "" and _depth(line) >= 4
        if self._hiding:
            self._hidden += bool(frame)
            return
        if self._hidden:
            self._out(f"  … {self._hidden} frames of libraries")
            self._hidden = 0
        self._out(line)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" |"))
