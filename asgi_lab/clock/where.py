"""Where in the user's code something waits: the line a person has to look at."""

import linecache
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from asgi_lab.running import slices

_STDLIB = sysconfig.get_paths()["stdlib"]
_PACKAGE = str(Path(__file__).parent.parent)
_STEPPED = slices.__code__
"""Of the tracer, which steps coroutines: it stands between who awaits and what is awaited."""
_CELL = re.compile(r"ipykernel_\d+")


def is_library(filename: str) -> bool:
    """Whether a file belongs to Python, an installed package, or this one."""
    return (
        filename.startswith((_STDLIB, _PACKAGE + "/", "<frozen"))
        and not filename.startswith(_PACKAGE + "/samples")
    ) or "site-packages" in filename


def place(code: CodeType, line: int) -> str:
    """Return `app.py:12 in handler`; a notebook's cell has no file: `cell:12 in handler`.

    Never the whole path: a trace is the same on each machine.
    """
    name = code.co_filename
    short = "cell" if _CELL.search(name) or name.startswith("<ipython") else Path(name).name
    return f"{short}:{line} in {code.co_name}"


def source(code: CodeType, line: int) -> str:
    """Return the source line, or nothing if it is not to be had."""
    return linecache.getline(code.co_filename, line).strip()


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
