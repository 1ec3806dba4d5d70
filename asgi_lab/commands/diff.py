"""`asgi-lab diff`: two recorded traces, aligned, and what differs, in words."""

import json
from dataclasses import replace

from rich.console import Console

from asgi_lab.commands import exports
from asgi_lab.commands.output import USAGE, fail, make_console, say, warn
from asgi_lab.difference import Difference, as_json, diff
from asgi_lab.events import Trace
from asgi_lab.files import TraceFileError, read_trace
from asgi_lab.plain import clean, count

SAME, DIFFERENT = 0, 1
"""Exit codes, as those of diff(1); 2 is trouble."""


def run_diff(
    a: str, b: str, view: str, conn: int | None, style: str, **exported: str | None
) -> int:
    """Print what differs between two files; return the exit code."""
    try:
        exports.check(exported)
    except ValueError as error:
        return fail(str(error))
    traces = []
    for path in (a, b):
        try:
            traces.append(read_trace(path))
        except OSError as error:
            return fail(f"cannot read {error.filename}: {error.strerror}")
        except TraceFileError as error:
            return fail(str(error))
        for name in traces[-1].header.get("torn", []):
            warn(f"{name} ends in the middle of a line: its last event is missing")
    difference = diff(traces[0], traces[1])
    try:
        if conn is not None:
            difference = replace(difference, pairs=(difference.of(conn),))
    except ValueError as error:
        return fail(str(error))
    console, output = make_console()
    if style == "json":
        json.dump(as_json(difference), output)
        output.write("\n")
        output.flush()
    else:
        for letter, path, trace in zip("AB", (a, b), traces, strict=True):
            console.print(f"{letter}  {clean(path)}   {about(trace)}", soft_wrap=True)
        console.print()
        show(console, difference, view)
    if any(exports.asked(exported)):
        from asgi_lab.scene.difference import difference as scene

        if exports.write_scene(scene(difference), exported):
            return USAGE
    return SAME if difference.same else DIFFERENT


def about(trace: Trace) -> str:
    """Return who served a trace, and how many events it has."""
    server = clean(trace.header.get("server") or "an unknown server")
    return f"{server}, {count(len(trace), 'event')}"


def show(console: Console, difference: Difference, view: str) -> None:
    """Print the view: all that differs, or one conversation, the first that differs."""
    from asgi_lab.view.difference import alignment_view, difference_view

    pairs = difference.different or difference.pairs
    if view == "text" or not pairs:
        console.print(difference_view(difference, console.width))
        return
    console.print(alignment_view(difference, pairs[0], console.width))
    if len(pairs) > 1:
        say(f"(the first of {len(pairs)}; --conn N shows another)")
