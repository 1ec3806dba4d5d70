"""`asgi-lab trace`: serve a target, watch it live, and show what happened."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from asgi_lab.adapters.process import PortError
from asgi_lab.adapters.servers import Options, ServerError
from asgi_lab.adapters.session import Order, Session, SessionError
from asgi_lab.client import Request, parse_header, parse_request
from asgi_lab.commands.show import USAGE, fail, make_console, show_trace, warn
from asgi_lab.commands.watch import Silent, watcher_for
from asgi_lab.cost import event_cost
from asgi_lab.filters import compile_filter

INTERRUPTED = 130
DEFAULT_PORT = 8000


def run_trace(**given: Any) -> int:
    """Serve, watch, show; return the exit code."""
    try:
        requests = read_requests(given["requests"], given["headers"])
        if given["expression"]:
            compile_filter(given["expression"])
        order = read_order(given, driven=bool(requests))
    except (ValueError, OSError) as error:
        return fail(str(error))
    console = make_console()
    watcher = watcher_for(console, given["view"], given["style"], given["quiet"])
    try:
        session = Session(order, watcher)
    except (PortError, ServerError) as error:
        return fail(str(error))
    return _run(session, console, watcher, requests, given)


def read_requests(texts: Sequence[str], headers: Sequence[str]) -> list[Request]:
    """Return the requests of `-r` with the headers of `-H`. Raises `ValueError` or `OSError`."""
    pairs = [parse_header(header) for header in headers]
    return [parse_request(text, pairs) for text in texts]


def read_order(given: dict[str, Any], driven: bool) -> Order:
    """Return what the options ask for. Raises `OSError` if the record cannot be written."""
    port = given["port"]
    if port is None:
        port = 0 if driven else DEFAULT_PORT
    record = Path(given["record"]) if given["record"] else None
    if record is not None:
        record.open("ab").close()
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
        redact=not given["no_redact"],
        max_events=given["max_events"],
        record=record,
    )


def _run(
    session: Session,
    console: Console,
    watcher: Silent,
    requests: Sequence[Request],
    given: dict[str, Any],
) -> int:
    code, trouble, errors = 0, "", Counter[str]()
    try:
        with session:
            watcher.begin(_title(session, bool(requests)))
            if requests:
                errors = session.drive(requests, given["count"], given["concurrency"])
            else:
                session.wait()
    except KeyboardInterrupt:
        code = INTERRUPTED if requests else 0
    except SessionError as error:
        code, trouble = error.code, str(error)
    finally:
        watcher.end()
    if code != USAGE:
        _show(session, console, watcher, given)
    for text, count in errors.most_common(5):
        warn(f"{count} × {text}")
    if trouble:
        warn(trouble)
    return code


def _title(session: Session, driven: bool) -> str:
    what = f"asgi-lab traces {session.order.target} on {session.server_name} at {session.url}"
    return what if driven else f"{what}  (Ctrl-C ends)"


def _show(session: Session, console: Console, watcher: Silent, given: dict[str, Any]) -> None:
    trace = session.trace
    if trace.events or given["style"] == "json":
        cost = session.collector.cost + round(session.recorder.total * event_cost())
        trace = replace(trace, header={**trace.header, "cost": cost})
        views = [
            v for v in dict.fromkeys((given["view"], "summary")) if v and v not in watcher.shown
        ]
        if given["style"] == "text" and not given["quiet"]:
            console.print()
        show_trace(console, trace, views, given["conn"], given["expression"], given["style"])
    if session.order.record is not None:
        file = session.order.record
        warn(f"the trace is in {file}; to see it again: asgi-lab show {file}")
