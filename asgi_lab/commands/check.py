"""`asgi-lab check`: exercises, checked from the trace."""

import asyncio
import sys
import time
from pathlib import Path

from rich.console import Console

from asgi_lab.commands.output import fail, make_console, warn
from asgi_lab.lesson.answers import AnswerError, load_answer
from asgi_lab.lesson.checking import check_answer
from asgi_lab.lesson.course import CourseError, Numbered, choose, exercises_of, find_course
from asgi_lab.lesson.progress import Progress
from asgi_lab.lesson.shown import GOOD, outcome_view

LOOKS = 0.3
"""Seconds between two looks at whether a file was saved."""


def run_check(
    wanted: str | None, watch: bool, hint: int | None, everything: bool, listed: bool, dir: str
) -> int:
    """Check what is wanted: by default the next exercise; return the exit code."""
    try:
        course = find_course(Path(dir) if dir else None)
        every = list(exercises_of(course))
        if not every:
            raise CourseError(f"there are no exercises in {course}")
        progress = Progress(course)
        if listed:
            return show_list(every, progress)
        chosen = every if everything else _chosen(course, wanted, every, progress)
    except CourseError as error:
        return fail(str(error))
    if not chosen:
        print("All exercises are passed. `asgi-lab check --all` checks them again.")
        return 0
    if hint is not None:
        return show_hint(chosen[0], hint)
    if watch:
        return watch_files(chosen, progress, every)
    return check_all(chosen, progress, every)


def _chosen(
    course: Path, wanted: str | None, every: list[Numbered], progress: Progress
) -> list[Numbered]:
    if wanted:
        return choose(course, wanted)
    following = progress.next_of([each.id for each in every])
    return [each for each in every if each.id == following]


def check_all(chosen: list[Numbered], progress: Progress, every: list[Numbered]) -> int:
    """Check these, until one fails; say what comes next; return the exit code."""
    console, _ = make_console()
    for each in chosen:
        if not check_one(console, each, progress):
            return 1
    following = progress.next_of([each.id for each in every])
    if following is None:
        console.print("\nThat was the last one: all exercises are passed.")
    else:
        file = next(each.file for each in every if each.id == following)
        console.print(f"\nnext: {following}, in {shown(file)}")
    return 0


def check_one(console: Console, each: Numbered, progress: Progress) -> bool:
    """Check one file and show what came of it; return whether it passed."""
    title = f"{each.id}  {each.exercise.title}"
    try:
        answer = load_answer(each.file)
    except AnswerError as error:
        console.print(f"{title}\n  {error}")
        return False
    outcome = asyncio.run(check_answer(each.exercise, answer))
    console.print(outcome_view(outcome, title, console.width))
    try:
        progress.note(each.id, outcome.ok)
    except OSError as error:
        warn(f"cannot keep your progress in {error.filename}: {error.strerror}")
    if not outcome.ok and each.exercise.hints:
        console.print(f"\nstuck? asgi-lab check {each.id} --hint 1   the file: {shown(each.file)}")
    return outcome.ok


def show_hint(each: Numbered, number: int) -> int:
    """Print a hint; return the exit code."""
    hints = each.exercise.hints
    if not 1 <= number <= len(hints):
        return fail(f"{each.id} has hints 1 to {len(hints)}, got {number}")
    print(f"{each.id}  {each.exercise.title}\nhint {number} of {len(hints)}: {hints[number - 1]}")
    return 0


def show_list(every: list[Numbered], progress: Progress) -> int:
    """Print all exercises, and which are passed."""
    for each in every:
        sign = GOOD if progress.passed(each.id) else " "
        print(f"{sign} {each.id}  {each.exercise.title}")
    done = sum(progress.passed(each.id) for each in every)
    print(f"\n{done} of {len(every)} passed")
    return 0


def watch_files(chosen: list[Numbered], progress: Progress, every: list[Numbered]) -> int:
    """Check again as often as a file is saved, until Ctrl-C; go on to the next when it passes."""
    console, _ = make_console()
    seen: dict[Path, float] = {}
    todo = list(chosen)
    try:
        while todo:
            each = todo[0]
            saved = each.file.stat().st_mtime if each.file.exists() else 0.0
            if seen.get(each.file) != saved:
                seen[each.file] = saved
                if sys.stdout.isatty():
                    console.clear()
                if check_one(console, each, progress):
                    todo = todo[1:] or _following(every, progress)
                    continue
                console.print(f"\nwatching {shown(each.file)}: save it, or Ctrl-C to end")
            time.sleep(LOOKS)
    except KeyboardInterrupt:
        return 0
    console.print("\nall of them are passed")
    return 0


def _following(every: list[Numbered], progress: Progress) -> list[Numbered]:
    following = progress.next_of([each.id for each in every])
    return [each for each in every if each.id == following]


def shown(file: Path) -> str:
    """Return a path as short as it can be told from here."""
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)
