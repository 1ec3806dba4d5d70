"""What a server and its app print, made fit to be read beside a trace.

Tracebacks are cut to the user's own frames: those of installed packages, of Python and of the
tracer are counted instead of shown. Nothing else is ever held back: a frame is one only inside a
traceback, that is after its first line and before its exception.
"""

import os
import re
from collections.abc import Callable

from asgi_lab.source import is_library

BEGIN = re.compile(r"(?P<bar>\s*[|+] )?(\S.*)?\(most recent call last\):$")
"""The first line of a traceback; in an exception group, behind a bar."""

FRAME = re.compile(r'  File "(?P<file>[^"]+)", line \d+, in ')
PLACE = re.compile(r'  File "[^"]+", line \d+$')  # of a SyntaxError: no frame, but where it is
BELONGS = ("    ", "  [Previous line repeated ")
"""How lines begin that belong to the frame above them: source, carets, repetitions."""

LONGEST = 10
"""Lines of the longest frame: Python shortens a statement of many lines."""


class ShortTracebacks:
    """Passes lines on to `out`, without the frames of libraries.

    A traceback that has no other frames keeps its last, because that is where it happened.
    """

    def __init__(self, out: Callable[[str], None]) -> None:
        self._out = out
        self._bar: str | None = None
        """What each line of this traceback begins with; None outside of one."""
        self._hidden = 0
        self._frame: list[str] = []
        """The lines of the frame that is being hidden."""
        self._own = False

    def line(self, line: str) -> None:
        """Take the next line."""
        begin = BEGIN.match(line)
        if begin:
            self._show_hidden()
            self._bar, self._own = (begin["bar"] or "").replace("+", "|"), False
        elif self._bar is not None and not self._inside(line):
            return
        self._out(line)

    def end(self) -> None:
        """Nothing more will come."""
        self._show_hidden()

    def _inside(self, line: str) -> bool:
        """Take a line of a traceback; return whether to show it."""
        assert self._bar is not None
        body = line[len(self._bar) :] if line.startswith(self._bar) else ""
        if frame := FRAME.match(body):
            if is_hidden(frame["file"]):
                self._hidden += 1
                self._frame = [line]
                return False
        elif body.startswith(BELONGS) and len(self._frame) < LONGEST:
            if self._frame:
                self._frame.append(line)
            return not self._frame
        elif not PLACE.match(body):
            self._show_hidden(last=not self._own)
            self._bar = None
            return True
        self._show_hidden()
        self._own = True
        return True

    def _show_hidden(self, last: bool = False) -> None:
        """Say how many frames were hidden, but for the last if it is to be shown."""
        shown = self._frame if last else []
        count = self._hidden - bool(shown)
        if count:
            self._out(f"{self._bar or ''}  … {count} frame{'s' * (count > 1)} of libraries")
        for line in shown:
            self._out(line)
        self._hidden, self._frame = 0, []


def is_hidden(filename: str) -> bool:
    """Return whether frames of this source file are of no use to the user."""
    return is_library(filename) or os.path.dirname(filename) == os.path.dirname(__file__)
