"""Places in source code, told so that a person finds them and each machine tells them the same."""

import os
import re
import sysconfig
from types import FrameType
from typing import Any

_STDLIB = sysconfig.get_paths()["stdlib"]
_OURS = os.path.dirname(__file__) + os.sep
_SAMPLES = os.path.join(_OURS, "samples", "")
_CELL = re.compile(r"ipykernel_\d+|^<ipython")


COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>")
_COMPREHENSION = re.compile(r"\.<(list|set|dict)comp>")


def plain_name(qualname: str) -> str:
    """Return a qualified name as every version of Python tells it."""
    return _COMPREHENSION.sub("", qualname)


def is_library(filename: str) -> bool:
    """Return whether a source file is Python's, an installed package's or this one's."""
    return (
        "site-packages" in filename
        or filename.startswith((_STDLIB, "<frozen"))
        or (filename.startswith(_OURS) and not filename.startswith(_SAMPLES))
    )


def is_python(filename: str) -> bool:
    """Return whether a source file is one of Python's own modules."""
    return filename.startswith((_STDLIB, "<frozen")) and "site-packages" not in filename


def place(frame: FrameType, line: int) -> str:
    """Return `shop/views.py:12 in cart`; of code in a notebook, `cell:12 in cart`.

    The file is named as it is imported: where a project lies on a disk does not matter.
    """
    inside = frame
    while inside.f_code.co_name in COMPREHENSIONS and inside.f_back is not None:
        inside = inside.f_back  # from Python 3.12 on they are no functions of their own
    module = str(frame.f_globals.get("__name__") or "__main__")
    return f"{_file(frame.f_code.co_filename, module)}:{line} in {inside.f_code.co_name}"


def defined(function: Any) -> tuple[str, bool]:
    """Return where an app is defined, a function or its class's `__call__`; and if by the user."""
    if not hasattr(function, "__code__"):
        cls = function if isinstance(function, type) else type(function)
        function = vars(cls).get("__call__") or getattr(cls, "__call__", None)  # noqa: B004
    code = getattr(function, "__code__", None)
    if code is None:
        return "", False
    file = _file(code.co_filename, str(function.__module__))
    return f"{file}:{code.co_firstlineno} in {code.co_name}", not is_library(code.co_filename)


def caller(frame: FrameType | None) -> tuple[str, bool]:
    """Return the place that led to this frame, and whether it is in the user's code.

    If none is, that is the innermost one in a library.

    The search goes outwards, through the one layer of the app that is at work: it ends where the
    tracer called that layer, or where the event loop did. A task of nothing but a call of ours,
    as `wait_for` makes it, leads on to the place that made the task.
    """
    within = ""
    while frame is not None and frame.f_code.co_filename.startswith(_RECORDING):
        made_at: tuple[str, bool] | None = getattr(frame.f_locals.get("self"), "made_at", None)
        if made_at is not None and made_at[0]:
            return made_at
        frame = frame.f_back
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_BOUNDS):
            break
        if not is_library(name):
            return place(frame, frame.f_lineno), True
        if not within and not name.startswith((_STDLIB, "<frozen")):
            within = place(frame, frame.f_lineno)
        frame = frame.f_back
    return within, False


def maker(frame: FrameType | None) -> tuple[str, bool]:
    """Return the place that is making a task, as `caller` does."""
    while frame is not None and frame.f_code.co_filename.startswith(_BOUNDS):
        frame = frame.f_back
    return caller(frame)


_RECORDING = tuple(
    os.path.join(_OURS, name)
    for name in (
        "checked.py",
        "checked_door.py",
        "layers.py",
        "running.py",
        "source.py",
        "tracer.py",
        "verdicts.py",
    )
)
_LOOPS = tuple(
    os.path.join(_STDLIB, "asyncio", name) for name in ("events.py", "base_events.py", "runners.py")
)
_BOUNDS = (*_RECORDING, *_LOOPS)


def _file(path: str, module: str) -> str:
    folder, name = os.path.split(path)
    if _CELL.search(folder or name):
        return "cell"
    if module == "__main__":
        return name
    package = module.split(".") if name == "__init__.py" else module.split(".")[:-1]
    return "/".join([*package, name])
