"""`asgi-lab show`: a recorded trace, seen again."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from asgi_lab.events import Trace
from asgi_lab.files import TraceFileError, read_trace
from asgi_lab.report import report
from asgi_lab.view.terminal import render

PLAIN_WIDTH = 100
"""Columns where there is no terminal to ask."""

USAGE = 2


def run_show(
    files: Sequence[str], view: str | None, conn: int | None, expression: str | None, style: str
) -> int:
    """Print the views of a file; return the exit code."""
    try:
        trace = read_trace(*files)
    except OSError as error:
        return fail(f"cannot read {error.filename}: {error.strerror}")
    except TraceFileError as error:
        return fail(str(error))
    for name in trace.header.get("torn", []):
        warn(f"{name} ends in the middle of a line: its last event is missing")
    views = [view] if view else ["timeline", "summary"]
    return show_trace(make_console(), trace, views, conn, expression, style)


def show_trace(
    console: Console,
    trace: Trace,
    views: Sequence[str],
    conn: int | None = None,
    expression: str | None = None,
    style: str = "text",
) -> int:
    """Print views of a trace, or the whole of it as JSON; return the exit code."""
    try:
        chosen = trace.filter(expression) if expression else trace
        if style == "json":
            json.dump(report(chosen), sys.stdout)
            sys.stdout.write("\n")
            return 0
        for number, name in enumerate(views):
            if number:
                console.print()
            console.print(render(name, chosen, width=console.width, conn=conn))
    except ValueError as error:
        return fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader has seen enough: no complaint at exit either
        return 0
    return 0


def make_console(**options: Any) -> Console:
    """Return a console: as wide as the terminal, or `PLAIN_WIDTH` where output is piped."""
    console = Console(highlight=False, markup=False, emoji=False, **options)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PLAIN_WIDTH
    return console


def warn(message: str) -> None:
    """Say something on stderr."""
    print(f"asgi-lab: {message}", file=sys.stderr)


def fail(message: str) -> int:
    """Say what is wrong on stderr; return the exit code for usage errors."""
    warn(message)
    return USAGE
