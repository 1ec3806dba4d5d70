"""What is said when an app does wrong: to the app at once, or in the log, with the place."""

import os
import sysconfig
from traceback import FrameSummary, StackSummary, TracebackException

_OURS = os.path.dirname(__file__) + os.sep
_LIBRARIES = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


class InvalidMessage(ValueError):
    """The app sent what ASGI does not allow here; the message is for its author."""


def short_traceback(error: BaseException) -> str:
    """Return a traceback without the frames of this server and of libraries.

    If there are no others, the last one stays: that is where it happened.
    """
    whole = TracebackException.from_exception(error)
    _shorten(whole)
    return "".join(whole.format()).rstrip("\n")


def because_of(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Return whether an error is of this kind, or came of one that is."""
    while error is not None:
        inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        if isinstance(error, kind) or any(because_of(each, kind) for each in inner):
            return True
        error = error.__cause__ or error.__context__
    return False


def _shorten(part: TracebackException | None) -> None:
    if part is None:
        return
    part.stack = StackSummary.from_list([f for f in part.stack if _own(f)] or part.stack[-1:])
    _shorten(part.__cause__)
    _shorten(part.__context__)
    for inner in part.exceptions or ():
        _shorten(inner)


def _own(frame: FrameSummary) -> bool:
    return not frame.filename.startswith((_OURS, "<frozen ", *_LIBRARIES))
