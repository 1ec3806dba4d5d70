"""A learner's own copy of the course: made where they are, and never written over.

What was copied is noted beside it. So a later version of the package renews what nobody has
touched, and leaves alone, and names, what has become the learner's own.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asgi_lab.lesson.course import BUNDLED, FOLDERS, CourseError

NOTE = ".asgi-lab-course.json"
"""{"notebooks/00_start_here.ipynb": the SHA-256 of what was copied}"""

HIDDEN = ("__pycache__", ".ipynb_checkpoints")


@dataclass(slots=True)
class Copied:
    """What became of each file, by its path within the course."""

    new: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Changed by the learner, and since then by us: theirs is kept."""


def original() -> Path:
    """Return where the course comes from: the installed package, or the checkout that it lies in.

    Raises `CourseError` if there is none.
    """
    for place in (BUNDLED, BUNDLED.parent.parent):
        if all((place / name).is_dir() for name in FOLDERS):
            return place
    raise CourseError("this installation of asgi-lab has no course in it")


def files(course: Path, solutions: bool = False) -> Iterator[Path]:
    """Yield the files that a learner gets: no sources of notebooks, and solutions if asked for."""
    for name in (*FOLDERS, *(["solutions"] if solutions else [])):
        for file in sorted((course / name).rglob("*")):
            source = file.suffix == ".py" and file.with_suffix(".ipynb").exists()
            if file.is_file() and not source and not {*file.parts} & {*HIDDEN}:
                yield file


def copy_course(target: Path, solutions: bool = False) -> Copied:
    """Copy what is missing, renew what is untouched; raises `CourseError`, `OSError`."""
    source = original()
    copied = Copied()
    if source.resolve() == target.resolve():
        return copied
    note = target / NOTE
    known = _noted(note)
    before = dict(known)
    for file in files(source, solutions):
        name = file.relative_to(source).as_posix()
        ours, theirs = file.read_bytes(), target / name
        if not theirs.exists():
            copied.new.append(name)
        elif theirs.read_bytes() == ours:
            known[name] = digest(ours)
            continue
        elif digest(theirs.read_bytes()) == known.get(name):
            copied.renewed.append(name)
        else:
            if known.get(name) != digest(ours):
                copied.left.append(name)
            continue
        theirs.parent.mkdir(parents=True, exist_ok=True)
        theirs.write_bytes(ours)
        known[name] = digest(ours)
    if known != before:
        note.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return copied


def digest(data: bytes) -> str:
    """Return what a file is known by."""
    return hashlib.sha256(data).hexdigest()


def _noted(note: Path) -> dict[str, str]:
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {**known} if isinstance(known, dict) else {}
