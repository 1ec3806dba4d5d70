"""Exercises in a notebook: `check("05.1", app)`, in the cell below the learner's own."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from asgi_lab.lesson.checking import Outcome, check_answer
from asgi_lab.lesson.course import Numbered, choose, find_course
from asgi_lab.lesson.progress import Progress

if TYPE_CHECKING:
    from asgi_lab.lesson.shown import Shown


def check(id: str, *given: Any, **named: Any) -> "Shown":
    """Check an answer that was written in a notebook: `check("05.1", app)`.

    What the exercise asks for is given in order, or by name. Raises `CourseError` if there is no
    such exercise, TypeError if something is missing or too much.
    """
    from asgi_lab.lesson.shown import Shown
    from asgi_lab.view.display import STATIC

    numbered = _find(id)
    exercise = numbered.exercise
    if len(given) > len(exercise.needs):
        raise TypeError(f"check({id!r}, ...) takes {', '.join(exercise.needs)}")
    answer = {**dict(zip(exercise.needs, given, strict=False)), **named}
    missing = [name for name in exercise.needs if name not in answer]
    if missing:
        wanted = ", ".join(exercise.needs)
        raise TypeError(f"check({id!r}, {wanted}) is what it takes; missing: {', '.join(missing)}")
    outcome = at_once(lambda: check_answer(exercise, answer))
    if STATIC not in os.environ:
        with contextlib.suppress(OSError):  # a read-only copy keeps no progress
            Progress(find_course()).note(numbered.id, outcome.ok)
    return Shown(outcome, f"{numbered.id}  {exercise.title}")


def hint(id: str, number: int = 1) -> str:
    """Return a hint: 1, 2, 3 say more and more."""
    hints = _find(id).exercise.hints
    if not hints:
        return "there is no hint for this one"
    number = min(max(number, 1), len(hints))
    return f"hint {number} of {len(hints)}: {hints[number - 1]}"


def _find(id: str) -> Numbered:
    found = choose(find_course(), id)
    if len(found) != 1:
        raise ValueError(f"{id!r} are {len(found)} exercises: {', '.join(e.id for e in found)}")
    return found[0]


def at_once(make: Callable[[], Coroutine[Any, Any, Outcome]]) -> Outcome:
    """Run a coroutine to its end here and now, whether or not a loop is running in this thread.

    In virtual time nothing is waited for: it runs through in one go.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    coroutine = make()
    try:
        coroutine.send(None)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    coroutine.close()
    raise RuntimeError("this check runs on real servers: asgi-lab check runs it, in a terminal")
