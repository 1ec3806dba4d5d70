"""Places in source code, told so that a person finds them and each machine tells them the same."""

import os
import re
import sysconfig
from types import FrameType

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


def place(frame: FrameType, line: int) -> str:
    """Return `shop/views.py:12 in cart`; of code in a notebook, `cell:12 in cart`.

    The file is named as it is imported: where a project lies on a disk does not matter.
    """
    code, inside = frame.f_code, frame
    while inside.f_code.co_name in COMPREHENSIONS and inside.f_back is not None:
        inside = inside.f_back  # from Python 3.12 on they are no functions of their own
    folder, name = os.path.split(code.co_filename)
    module = str(frame.f_globals.get("__name__") or "__main__")
    if _CELL.search(folder or name):
        name = "cell"
    elif module != "__main__":
        package = module.split(".") if name == "__init__.py" else module.split(".")[:-1]
        name = "/".join([*package, name])
    return f"{name}:{line} in {inside.f_code.co_name}"
