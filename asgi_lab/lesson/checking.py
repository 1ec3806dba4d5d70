"""Checking an answer: each check in turn, until one fails. `asgi_lab.lesson.shown` shows it."""

import asyncio
import contextlib
import gc
import inspect
import io
import linecache
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

from asgi_lab.clock import VirtualTimeError
from asgi_lab.events import Event, Trace
from asgi_lab.lesson.exercise import Check, Exercise
from asgi_lab.lesson.failed import Failed, never
from asgi_lab.memory import LifespanFailed
from asgi_lab.source import is_library, place

OPEN = "your turn"
"""What the NotImplementedError of an exercise's stub says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an answer: which checks it passed, which it failed and how, and the rest."""

    exercise: Exercise
    passed: tuple[str, ...]
    failed: str = ""
    failure: Failed | None = None
    left: tuple[str, ...] = ()
    printed: str = ""
    """What the answer printed meanwhile."""

    @property
    def ok(self) -> bool:
        """Whether all checks passed."""
        return self.failure is None


async def check_answer(exercise: Exercise, answer: Mapping[str, Any]) -> Outcome:
    """Run the checks on what the learner's file defines, by name."""
    printed = io.StringIO()
    passed: list[str] = []
    for index, check in enumerate(exercise.checks):
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*was never awaited", RuntimeWarning)  # rule G5
            failure = await _run(check, answer)
            if failure is not None:
                gc.collect()  # else what was never awaited is told in the midst of something else
        if failure is not None:
            left = tuple(each.name for each in exercise.checks[index + 1 :])
            return Outcome(
                exercise, tuple(passed), check.name, failure, left, printed.getvalue()
            )  # fmt: skip
        passed.append(check.name)
    return Outcome(exercise, tuple(passed), printed=printed.getvalue())


async def _run(check: Check, answer: Mapping[str, Any]) -> Failed | None:
    for name in check.needs:
        if name not in answer:
            return never(f"your file defines {name}", f"there is no {name} in it")
    try:
        result = check.test(*(answer[name] for name in check.needs))
        if inspect.isawaitable(result):
            await result
    except Failed as failure:
        return _unfinished(failure) or failure
    except (VirtualTimeError, LifespanFailed) as error:
        trace = getattr(error, "trace", None)
        shown = f"{type(error).__name__}: {error}"
        return Failed("the app comes to an end", shown, event=last(trace), trace=trace)
    except NotImplementedError as error:
        if OPEN in str(error):
            return todo()
        return raised(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise
    except (Exception, SystemExit) as error:
        return raised(error)
    return None


def last(trace: Trace | None) -> Event | None:
    """Return the last message of a call that did not come to its end."""
    events = [event for event in trace or () if not event.layer]
    ended = {event.conn for event in events if event.kind in ("return", "raise")}
    return next((e for e in reversed(events) if e.type and e.conn not in ended), None)


def todo() -> Failed:
    """Return the failure of a stub."""
    return never("your code stands where the TODO is", "the TODO is still open: it is your turn")


def _unfinished(failure: Failed) -> Failed | None:
    """Return the failure of a stub, if that is what the trace shows."""
    for event in failure.trace or ():
        raised = event.kind == "raise" and event.data.get("error") == "NotImplementedError"
        if raised and OPEN in str(event.data.get("message")):
            return todo()
    return None


def raised(error: BaseException) -> Failed:
    """Return what was raised, and the last line of the learner's own on the way to it."""
    name = type(error).__name__
    told = [f"it raised {name}: {error}" if str(error) else f"it raised {name}"]
    own = [
        (frame, number)
        for frame, number in walk_tb(error.__traceback__)
        if not is_library(frame.f_code.co_filename)
    ]
    for frame, number in own[-1:]:
        source = linecache.getline(frame.f_code.co_filename, number).strip()
        told.append(f"at {place(frame, number)}: {source}")
    return never("your code raises nothing", "\n".join(told))
