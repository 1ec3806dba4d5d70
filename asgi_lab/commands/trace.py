"""`asgi-lab trace`: serve a target, watch it live, and show what happened."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console

from asgi_lab.adapters.order import Order, SessionError
from asgi_lab.adapters.process import PortError
from asgi_lab.adapters.servers import Options
from asgi_lab.adapters.session import Session
from asgi_lab.client import Request, parse_header, parse_request
from asgi_lab.commands import exports
from asgi_lab.commands.diagnoses import print_diagnoses, strict_code
from asgi_lab.commands.interrupts import interrupt, interruptible
from asgi_lab.commands.output import USAGE, Output, fail, make_console, warn
from asgi_lab.commands.show import show_trace
from asgi_lab.commands.ui import WithPage
from asgi_lab.commands.watch import Silent, watcher_for
from asgi_lab.cost import event_cost
from asgi_lab.filters import compile_filter
from asgi_lab.view.summary import summary

Given = dict[str, Any]
"""The options of the command line, by name."""

DEFAULT_PORT = 8000


def run_trace(**given: Any) -> int:
    """Serve, watch, show; return the exit code."""
    try:
        requests = read_requests(given["requests"], given["headers"])
        if given["expression"]:
            compile_filter(given["expression"])
        exports.check(given)
        order = read_order(given, driven=bool(requests))
    except ValueError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"cannot write {error.filename}: {error.strerror}")
    console, output = make_console()
    watcher = watcher_for(console, given)
    if given["ui"]:
        watcher = WithPage(watcher, given["target"])
    try:
        session = Session(order, watcher)
    except PortError as error:
        return fail(str(error))
    if isinstance(watcher, WithPage):
        watcher.page.header = session.header
    code, trouble = _run(session, output, watcher, requests, given)
    if code != USAGE:
        code = _show(session, console, watcher, given) or code
        if session.recorder.total:
            code = exports.write(session.trace, given) or code
    for text, count in session.errors.most_common(5):
        warn(f"{count} × {text}")
    if trouble:
        warn(trouble)
    if isinstance(watcher, WithPage):
        watcher.stay() if requests and code != USAGE else watcher.close()
    return code


def read_requests(texts: Sequence[str], headers: Sequence[str]) -> list[Request]:
    """Return the requests of `-r` with the headers of `-H`. Raises `ValueError`."""
    pairs = [parse_header(header) for header in headers]
    return [parse_request(text, pairs) for text in texts]


def read_order(given: Given, driven: bool) -> Order:
    """Return what the options ask for. Raises `OSError` if the record cannot be written."""
    port = given["port"]
    if port is None:
        port = 0 if driven else DEFAULT_PORT
    record = Path(given["record"]) if given["record"] else None
    if record is not None:
        _check_writable(record)
    return Order(
        target=given["target"],
        app_dir=given["app_dir"],
        factory=given["factory"],
        server=given["server"],
        options=Options(
            host=given["host"],
            port=port,
            workers=given["workers"],
            reload_dir=given["app_dir"] if given["reload"] else None,
            loop=given["loop"],
            http=given["http"],
            extra=given["server_args"],
        ),
        layers=not given["no_layers"],
        rules=not given["no_rules"],
        watchdog=given["watchdog"] or None,
        redact=not given["no_redact"],
        max_events=given["max_events"],
        record=record,
    )


def _check_writable(file: Path) -> None:
    """Raise `OSError` if the file cannot be written. What it holds stays; a new one is not left."""
    new = not file.exists()
    file.open("ab").close()
    if new:
        file.unlink()


def _run(
    session: Session, output: Output, watcher: Silent, requests: Sequence[Request], given: Given
) -> tuple[int, str]:
    """Serve until the end; return the exit code, and what went wrong, if anything."""
    with interruptible() as interrupts:
        try:
            with session:
                output.on_closed = interrupt
                watcher.begin(_title(session, bool(requests)))
                if requests:
                    session.drive(requests, given["count"], given["concurrency"])
                else:
                    session.wait()
        except KeyboardInterrupt:
            fine = output.closed_early or not requests
            return 0 if fine else interrupts.code, ""
        except SessionError as error:
            return error.code, str(error)
        finally:
            output.on_closed = int
            watcher.end()
        return 0, ""


def _title(session: Session, driven: bool) -> str:
    what = f"asgi-lab traces {session.order.target} on {session.server_name} at {session.url}"
    return what if driven else f"{what}  (Ctrl-C ends)"


def _show(session: Session, console: Console, watcher: Silent, given: Given) -> int:
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
