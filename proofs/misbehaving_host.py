"""The misbehaving apps of the tests as one app, for a real server: each at a path of its own.

/http/NAME, /ws/NAME     that app
/report/NAME             what it met: how send() and receive() ended, and how it did
"""

import asyncio
import inspect
import json
from typing import Any

from tests.misbehaving import http_apps, socket_apps  # noqa: F401 - they fill the table
from tests.misbehaving.apps import APPS
from tests.misbehaving.table import Case

CASES = {
    case.name: case
    for case in APPS
    if case.scope["type"] in ("http", "websocket")
    and not any(message["type"].endswith(".disconnect") for message in case.incoming)
}
"""The cases that a client can bring about, by name."""

met: dict[str, dict[str, Any]] = {}


def app_of(case: Case) -> Any:
    """Return the app of a case: some are made by a function."""
    return case.make if inspect.iscoroutinefunction(case.make) else case.make()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve one of the apps, or tell what became of it."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    kind, _, name = scope["path"].lstrip("/").partition("/")
    if kind == "report":
        await told(send, met.get(name, {}))
        return
    await observed(name, scope, receive, send)


async def observed(name: str, scope: Any, receive: Any, send: Any) -> None:
    """Call an app, and note what the server raises into it."""
    seen: dict[str, Any] = {"raised": "", "ended": "open"}
    met[name] = seen

    async def sending(*message: Any, **named: Any) -> None:
        try:
            await send(*message, **named)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            seen["raised"] = seen["raised"] or type(error).__name__
            raise

    try:
        await app_of(CASES[name])({**scope, "path": "/"}, receive, sending)
        seen["ended"] = "returned"
    except BaseException as error:
        seen["ended"] = type(error).__name__
        raise


async def told(send: Any, seen: Any) -> None:
    """Send a report."""
    body = json.dumps(seen).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})
