"""Where the course is, and what belongs together in it.

One slug joins a chapter's notebook, its exercises, its solutions and its checks; the numbers are in
the names of files alone:

    notebooks/05_scope_receive_send.ipynb
    exercises/05_scope_receive_send/1_echo.py        the learner's file
    solutions/05_scope_receive_send/1_echo.py
    asgi_lab/lesson/checks/scope_receive_send.py     the checks of both

"05.1" is the first exercise of chapter 05, "05" all of them.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from asgi_lab.lesson.exercise import Exercise

VARIABLE = "ASGI_LAB_COURSE"
FOLDERS = ("exercises", "notebooks")
BUNDLED = Path(__file__).parent.parent / "course"
"""Where an installed package has its copy of the course."""


class CourseError(Exception):
    """There is no course here, or no such exercise in it. The message says what there is."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """An exercise with its number, and the learner's file."""

    id: str
    exercise: Exercise
    file: Path


def find_course(start: Path | None = None) -> Path:
    """Return the folder of the course: `start` (or the current one) or one above it.

    Raises `CourseError` if there is none.
    """
    named = os.environ.get(VARIABLE)
    if named and start is None:
        return Path(named)
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if all((folder / name).is_dir() for name in FOLDERS):
            return folder
    raise CourseError(
        f"no course in {here}: expected the folders {' and '.join(FOLDERS)}. "
        "`asgi-lab lab` copies the course to where you are"
    )


def exercises_of(course: Path, folder: str = "exercises") -> Iterator[Numbered]:
    """Yield the exercises of a course in order. Raises `CourseError` for a file without checks."""
    for chapter in sorted((course / folder).iterdir()):
        number, _, slug = chapter.name.partition("_")
        if not chapter.is_dir() or not number.isdigit():
            continue
        known = {exercise.name: exercise for exercise in checks_of(slug)}
        for file in sorted(chapter.glob("[0-9]*_*.py")):
            position, _, name = file.stem.partition("_")
            if name not in known:
                raise CourseError(f"{file} is no exercise: {slug} has {', '.join(known) or 'none'}")
            yield Numbered(f"{number}.{position}", known[name], file)


def checks_of(chapter: str) -> tuple[Exercise, ...]:
    """Return the exercises of a chapter, by its slug; none if it has none."""
    try:
        module = import_module(f"asgi_lab.lesson.checks.{chapter}")
    except ModuleNotFoundError as error:
        if error.name != f"asgi_lab.lesson.checks.{chapter}":
            raise
        return ()
    return tuple(module.EXERCISES)


def choose(course: Path, wanted: str, folder: str = "exercises") -> list[Numbered]:
    """Return the exercises that are meant: "05.1", "05", a name such as "echo", or a file.

    Raises `CourseError` if there is none such.
    """
    every = list(exercises_of(course, folder))
    key = wanted.strip()
    if match := re.fullmatch(r"(\d+)(?:\.(\d+))?", key):
        chapter, position = match[1].zfill(2), match[2]
        found = [each for each in every if each.id.partition(".")[0] == chapter]
        found = [each for each in found if position in (None, each.id.partition(".")[2])]
    else:
        names = (key, Path(key).stem.lstrip("0123456789").lstrip("_"))
        found = [each for each in every if each.exercise.name in names or each.exercise.slug == key]
    if not found:
        known = ", ".join(each.id for each in every) or "none"
        raise CourseError(f"no exercise {wanted!r} in {course / folder}: there are {known}")
    return found
