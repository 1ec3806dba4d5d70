"""`asgi-lab explain`: the diagnoses, listed, or one in full."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import indent, wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from asgi_lab.commands.output import fail, make_console
from asgi_lab.diagnose.catalogue import CATALOGUE, NEVER_SEEN, Explained, find

WIDTH = 88
"""Columns of prose, at most."""


def run_explain(name: str | None, style: str) -> int:
    """Print the diagnoses, or one; return the exit code."""
    try:
        chosen = [find(name)] if name else list(CATALOGUE.values())
    except KeyError as error:
        return fail(str(error.args[0]))
    console = make_console()[0]
    if style == "json":
        found = [asdict(one) for one in chosen]
        json.dump(found[0] if name else found, console.file, indent=2)
        console.file.write("\n")
        console.file.flush()
    elif name:
        for line in told(chosen[0], min(console.width, WIDTH)):
            console.print(line, soft_wrap=True)
    else:
        listed(console)
    return 0


def told(one: Explained, width: int) -> Iterator[Text]:
    """Yield a diagnosis in full: read, why, see, mend, unseen, sources."""
    yield Text(f"{one.id}: {one.title}", "bold")
    for heading, text in (
        ("What you read", one.reads),
        ("How it comes about", one.comes),
        ("How to see it", one.see),
    ):
        yield from _part(heading, text, width)
    yield Text("\nHow to mend it", "bold")
    yield Text("  before", "bright_black")
    yield Text(indent(one.before, "    "))
    yield Text("  after", "bright_black")
    yield Text(indent(one.after, "    "))
    if one.unseen:
        yield from _part("What cannot be seen from here", one.unseen, width)
    yield Text("\nRead on", "bold")
    yield Text(f"  the course, chapter {one.chapter}")
    for source in one.sources:
        yield Text(f"  {source}")


def _part(heading: str, text: str, width: int) -> Iterator[Text]:
    yield Text(f"\n{heading}", "bold")
    for paragraph in text.split("\n"):
        for line in wrap(paragraph, width - 2, break_on_hyphens=False):
            yield Text(f"  {line}")


def listed(console: Console) -> None:
    """Print all diagnoses, a line each, and what none of them sees."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for one in CATALOGUE.values():
        grid.add_row(Text(one.id, "bold"), Text(one.title))
    console.print(grid)
    console.print(Text("\nWhat no trace of ASGI shows, and where to look instead", "bold"))
    unseen = Table.grid(padding=(0, 2, 0, 2))
    unseen.add_column(overflow="fold", ratio=1)
    unseen.add_column(overflow="fold", ratio=1)
    for what, where in NEVER_SEEN:
        unseen.add_row(Text(what), Text(where))
    console.print(unseen)
    console.print(Text("\nOne in full: asgi-lab explain LOOP-BLOCKED"))
