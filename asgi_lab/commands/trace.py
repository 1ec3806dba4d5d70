"""`asgi-lab trace`: serve a target, watch it live, and show what happened."""

from collections.abc import Sequence
from typing import Any

from asgi_lab.adapters.order import Order
from asgi_lab.adapters.process import PortError
from asgi_lab.adapters.servers import Options
from asgi_lab.adapters.session import Session
from asgi_lab.client import Request, parse_header, parse_request
from asgi_lab.commands import exports
from asgi_lab.commands.following import Given, conclude, follow, read_wishes
from asgi_lab.commands.output import USAGE, fail, make_console, warn
from asgi_lab.commands.ui import WithPage
from asgi_lab.commands.watch import watcher_for
from asgi_lab.filters import compile_filter

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
    code, trouble = follow(
        session,
        output,
        watcher,
        lambda: _title(session, bool(requests)),
        lambda: _work(session, requests, given),
        endless=not requests,
    )
    code = conclude(session, console, watcher, given, code)
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
        **read_wishes(given),
    )


def _work(session: Session, requests: Sequence[Request], given: Given) -> None:
    """Send the requests; without any, wait for those of others."""
    if requests:
        session.drive(requests, given["count"], given["concurrency"])
    else:
        session.wait()


def _title(session: Session, driven: bool) -> str:
    what = f"asgi-lab traces {session.order.target} on {session.server_name} at {session.url}"
    return what if driven else f"{what}  (Ctrl-C ends)"
