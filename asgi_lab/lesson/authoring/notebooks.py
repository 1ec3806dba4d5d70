"""Notebooks from their sources: `python -m asgi_lab.lesson.authoring.notebooks [--check] [05 ...]`.

A chapter is written as Python in percent format (`notebooks/05_scope_receive_send.py`): it can be
read, linted and compared. From it the notebook is made, with stable cell ids, and run in a fresh
kernel, so that it holds what a reader without a kernel sees: texts and pictures. `--check` makes it
again and compares: sources and texts exactly. Pictures are asserted in the cells, by their scenes.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from asgi_lab.lesson.course import CourseError, find_course

KERNEL = {
    "kernelspec": {
        "name": "python3",
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
    },
    "language_info": {"name": "python"},
}
PATIENCE = 120
"""Seconds for one cell."""

WIDGET = "application/vnd.jupyter.widget-view+json"
MOVING = re.compile(r"0x[0-9a-f]{6,}|ipykernel_\d+/\d+\.py")
"""What differs from run to run, and must not stand in an output."""


def sources(course: Path, wanted: Iterable[str] = ()) -> list[Path]:
    """Return the sources of chapters in order, or those wanted. Raises `CourseError` of none."""
    folder = course / "notebooks"
    every = [*sorted(folder.glob("[0-9]*_*.py")), *folder.glob("glossary.py")]
    chosen = list(wanted)
    if not chosen:
        return every
    found = [p for p in every if any(p.stem == w or p.stem.startswith(f"{w}_") for w in chosen)]
    if not found:
        raise CourseError(
            f"no chapter {', '.join(chosen)}: there are {', '.join(p.stem for p in every)}"
        )
    return found


def made(source: Path) -> NotebookNode:
    """Return the notebook of a source, not yet run."""
    book: NotebookNode = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    book.metadata = nbformat.from_dict(KERNEL)
    book.nbformat, book.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    for cell in book.cells:  # an id of what is in it: a new cell leaves those of others alone
        seen[cell.source] += 1
        salted = f"{source.stem}/{seen[cell.source]}/{cell.source}"
        cell["id"] = hashlib.sha256(salted.encode()).hexdigest()[:8]
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k == "tags"})
    nbformat.validate(book)
    return book


def run(book: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook in a fresh kernel and keep of its outputs what lasts: texts and pictures.

    Raises `CellExecutionError`.
    """
    os.environ["ASGI_LAB_STATIC"] = "1"  # a widget of this kernel would be gone with it
    client = NotebookClient(
        book,
        timeout=PATIENCE,
        kernel_name="python3",
        coalesce_streams=True,  # how often a kernel flushes depends on how quick it is
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(stderr=subprocess.DEVNULL)  # it warns that it is not encrypted
    book.metadata = nbformat.from_dict(KERNEL)
    for cell in book.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k == "tags"})
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)
    return book


def texts(book: NotebookNode) -> Iterator[str]:
    """Yield what is compared, line by line: sources, and the texts of outputs."""
    for cell in book.cells:
        yield f"--- {cell['id']} {cell.cell_type}"
        yield from cell.source.splitlines()
        for output in cell.get("outputs", ()):
            yield f"--- output {output.output_type}"
            data = output.get("data", {})
            yield from str(output.get("text") or data.get("text/plain") or "").splitlines()
            yield from (f"    {kind}" for kind in sorted(data))


def check(source: Path, fresh: NotebookNode) -> list[str]:
    """Return what differs between a committed notebook and a fresh one, as a diff."""
    file = source.with_suffix(".ipynb")
    if not file.is_file():
        return [f"{file.name} is missing"]
    kept = nbformat.read(file, as_version=4)
    names = (f"{file.name}, committed", f"{file.name}, made again")
    return list(unified_diff([*texts(kept)], [*texts(fresh)], *names, lineterm="", n=2))


def moving(book: NotebookNode) -> list[str]:
    """Return the texts of outputs that will not be the same in the next run."""
    return [line for line in texts(book) if MOVING.search(line)]


def write(source: Path, book: NotebookNode) -> None:
    """Write a notebook beside its source."""
    text: Any = nbformat.writes(book)
    source.with_suffix(".ipynb").write_text(text + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make notebooks, or with --check say what differs; return the exit code."""
    parser = argparse.ArgumentParser(description="Make the notebooks from their sources.")
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs")
    parser.add_argument("chapters", nargs="*", help="numbers or names; by default all")
    given = parser.parse_args(arguments)
    wrong = 0
    try:
        for source in sources(find_course(), given.chapters):
            print(source.stem, flush=True)
            try:
                book = run(made(source), source.parent)
            except CellExecutionError as error:
                print(error, file=sys.stderr)
                wrong += 1
                continue
            found = [*check(source, book)] if given.check else []
            found += [f"differs from run to run: {line}" for line in moving(book)]
            print("\n".join(found), end="\n" if found else "")
            wrong += bool(found)
            if not given.check:
                write(source, book)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
