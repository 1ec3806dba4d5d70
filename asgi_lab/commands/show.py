"""`asgi-lab show`: a recorded trace, seen again."""

import json
from collections.abc import Sequence

from rich.console import Console

from asgi_lab.commands import exports
from asgi_lab.commands.diagnoses import print_diagnoses, strict_code
from asgi_lab.commands.output import fail, make_console, warn
from asgi_lab.diagnose.formats import FORMATS, as_json
from asgi_lab.events import Trace
from asgi_lab.files import TraceFileError, read_trace
from asgi_lab.report import report
from asgi_lab.view.terminal import render


def run_show(
    files: Sequence[str],
    view: str | None,
    conn: int | None,
    expression: str | None,
    style: str,
    strict: bool = False,
    **exported: str | None,
) -> int:
    """Print the views of a file, or write what is asked for instead; return the exit code."""
    given = {"view": view, "conn": conn, **exported}
    try:
        exports.check(given)
        trace = read_trace(*files)
    except ValueError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"cannot read {error.filename}: {error.strerror}")
    except TraceFileError as error:
        return fail(str(error))
    for name in trace.header.get("torn", []):
        warn(f"{name} ends in the middle of a line: its last event is missing")
    if any(exports.asked(given)):
        try:
            chosen = trace.filter(expression) if expression else trace
        except ValueError as error:
            return fail(str(error))
        return exports.write(chosen, given) or (strict_code(trace) if strict else 0)
    views = [view] if view else ["timeline", "summary"]
    code = show_trace(make_console()[0], trace, views, conn, expression, style)
    return code or (strict_code(trace) if strict else 0)


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
    except ValueError as error:
        return fail(str(error))
    only = None if expression is None else {event.conn for event in chosen.events}
    if style == "json":
        json.dump({**report(chosen), **as_json(trace, only)}, console.file)
        console.file.write("\n")
        console.file.flush()
        return 0
    if style in FORMATS:
        console.file.write(FORMATS[style](trace, only))
        console.file.flush()
        return 0
    code = 0
    for number, name in enumerate(views):
        if number:
            console.print()
        try:
            drawn = chosen if name == "events" else trace
            view = render(name, drawn, width=console.width, conn=conn, only=only)
            console.print(view, soft_wrap=True)
        except ValueError as error:
            code = fail(str(error))
            conn = None  # the views that follow are drawn all the same
    if "summary" in views:
        print_diagnoses(console, trace, only)
    return code
