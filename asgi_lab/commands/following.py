"""What the commands have in common that trace live: follow it to its end, then show what it was."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console

from asgi_lab.adapters.order import SessionError
from asgi_lab.adapters.reception import Reception
from asgi_lab.commands import exports
from asgi_lab.commands.diagnoses import print_diagnoses, strict_code
from asgi_lab.commands.interrupts import interrupt, interruptible
from asgi_lab.commands.output import USAGE, Output, warn
from asgi_lab.commands.show import show_trace
from asgi_lab.commands.watch import Silent
from asgi_lab.cost import event_cost
from asgi_lab.view.summary import summary

Given = dict[str, Any]
"""The options of the command line, by name."""


def follow(
    session: AbstractContextManager[Any],
    output: Output,
    watcher: Silent,
    title: Callable[[], str],
    work: Callable[[], object],
    *,
    endless: bool,
) -> tuple[int, str]:
    """Work within a session; return the exit code, and what went wrong, if anything.

    What is `endless` is ended by Ctrl-C, and that is fine.
    """
    with interruptible() as interrupts:
        try:
            with session:
                output.on_closed = interrupt
                watcher.begin(title())
                work()
        except KeyboardInterrupt:
            fine = output.closed_early or endless
            return 0 if fine else interrupts.code, ""
        except SessionError as error:
            return error.code, str(error)
        finally:
            output.on_closed = int
            watcher.end()
        return 0, ""


def conclude(session: Reception, console: Console, watcher: Silent, given: Given, code: int) -> int:
    """Show and export what was recorded, unless there was none (`USAGE`); return the exit code."""
    if code != USAGE:
        code = show(session, console, watcher, given) or code
        if session.recorder.total:
            code = exports.write(session.trace, given) or code
    for text, count in session.errors.most_common(5):
        warn(f"{count} × {text}")
    return code


def show(session: Reception, console: Console, watcher: Silent, given: Given) -> int:
    """Show what was recorded, and say where it is kept; return the exit code."""
    code = 0
    if session.recorder.total or given["style"] != "text":
        cost = session.collector.cost + round(session.recorder.total * event_cost())
        views = dict.fromkeys(view for view in (given["view"], "summary") if view)
        unseen = [view for view in views if view not in watcher.shown]
        if given["style"] == "text" and not given["quiet"]:
            console.print()
        if unseen == ["summary"] and watcher.measures and not given["expression"]:
            # the same as below, without reading a million events again
            total = session.recorder.total
            console.print(summary(watcher.measures, console.width, session.lost, cost, total))
            print_diagnoses(console, session.trace)
        else:
            trace = session.trace
            trace = replace(trace, header={**trace.header, "cost": cost})
            code = show_trace(
                console, trace, unseen, given["conn"], given["expression"], given["style"]
            )
        if given["strict"]:
            code = code or strict_code(session.trace)
    if session.recorded:
        file = session.recorded
        warn(f"the trace is in {file}; to see it again: asgi-lab show {quote(str(file))}")
    return code


def read_wishes(given: Given) -> dict[str, Any]:
    """Return the fields of `Wishes`. Raises `OSError` if the record cannot be written."""
    record = Path(given["record"]) if given["record"] else None
    if record is not None:
        check_writable(record)
    return {
        "layers": not given["no_layers"],
        "rules": not given["no_rules"],
        "watchdog": given["watchdog"] or None,
        "redact": not given["no_redact"],
        "max_events": given["max_events"],
        "record": record,
    }


def check_writable(file: Path) -> None:
    """Raise `OSError` if the file cannot be written. What it holds stays; a new one is not left."""
    new = not file.exists()
    file.open("ab").close()
    if new:
        file.unlink()
