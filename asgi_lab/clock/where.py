"""Where in the user's code something waits: the line a person has to look at."""

import linecache
from collections.abc import Iterator
from types import FrameType
from typing import Any

from asgi_lab.running import slices
from asgi_lab.source import is_library, place

_STEPPED = slices.__code__
"""Of the tracer, which steps coroutines: it stands between who awaits and what is awaited."""


def line_of(frame: FrameType) -> str:
    """Return `app.py:12 in handler: what the line says`, as far as it is to be had."""
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return place(frame, frame.f_lineno) + (f": {text}" if text else "")


def user_frame(frame: FrameType | None) -> tuple[FrameType | None, str]:
    """Return the innermost frame of user code, and the name of what it called in a library."""
    called = ""
    while frame is not None:
        if not is_library(frame.f_code.co_filename):
            return frame, called
        called = frame.f_code.co_qualname
        frame = frame.f_back
    return None, called


def chain(awaited: Any) -> Iterator[Any]:
    """Yield a coroutine or generator, what it awaits, what that awaits, and so on."""
    while awaited is not None:
        yield awaited
        if getattr(awaited, "gi_code", None) is _STEPPED:
            awaited = awaited.gi_frame and awaited.gi_frame.f_locals["inner"]
        else:
            awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


def frame_of(awaited: Any) -> FrameType | None:
    """Return the frame of a coroutine or generator, if it is one."""
    return getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
