"""`asgi-lab lab`: the course, copied to where the learner is, and opened in JupyterLab."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from asgi_lab.commands.output import fail
from asgi_lab.lesson.copying import Copied, copy_course
from asgi_lab.lesson.course import CourseError, find_course
from asgi_lab.plain import count

USUAL = "asgi-lab-course"
"""The folder that is made where no other is named."""


def run_lab(
    dir: str | None,
    copy_only: bool,
    no_browser: bool,
    solutions: bool,
    jupyter_args: Sequence[str],
) -> int:
    """Copy the course if it is not there, and open it; return the exit code."""
    if dir is not None and dir.startswith("-"):  # what follows `--` is JupyterLab's
        jupyter_args, dir = [dir, *jupyter_args], None
    target = Path(USUAL)
    try:
        target = chosen(dir)
        for line in told(copy_course(target, solutions), target):
            print(line)
    except CourseError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"cannot copy the course to {error.filename or target}: {error.strerror}")
    if copy_only:
        return 0
    if importlib.util.find_spec("jupyterlab") is None:
        return fail("JupyterLab is not installed: pip install 'asgi-lab[course]'")
    return open_lab(target, no_browser, jupyter_args)


def chosen(dir: str | None) -> Path:
    """Return the folder that is meant: the one named, the course we are in, or a new one here."""
    if dir is not None:
        return Path(dir)
    with suppress(CourseError):
        return find_course(Path.cwd())
    return Path(USUAL)


def told(copied: Copied, target: Path) -> list[str]:
    """Return what is said of a copy; nothing if nothing had to be done."""
    lines = []
    if copied.new:
        lines.append(f"{count(len(copied.new), 'file')} of the course copied to {target}")
    if copied.renewed:
        lines.append(f"{count(len(copied.renewed), 'file')} renewed: you had not changed them")
    if copied.left:
        lines.append("left as you have changed them, though there are newer ones:")
        lines += [f"  {name}" for name in copied.left]
        lines.append("To have a newer one, move yours away, and call this again.")
    return lines


def open_lab(course: Path, no_browser: bool, more: Sequence[str]) -> int:
    """Open the first chapter in JupyterLab, until it is closed; return its exit code."""
    chapters = sorted((course / "notebooks").glob("[0-9]*.ipynb"))
    if not chapters:
        return fail(f"there are no notebooks in {course / 'notebooks'}")
    first = chapters[0].relative_to(course).as_posix()
    command = [
        *(sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={course.resolve()}"),
        *(f"--LabApp.default_url=/lab/tree/{first}", *(["--no-browser"] * no_browser), *more),
    ]
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(command[0], command)  # so that signals are JupyterLab's
    return subprocess.call(command)
