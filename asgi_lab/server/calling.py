"""Calling an app: one task a request, and what it raises goes no further than the log."""

import asyncio
import logging

from asgi_lab.server.failures import because_of, short_traceback
from asgi_lab.server.flow import ClientDisconnected
from asgi_lab.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger("asgi_lab.server")


async def call_app(app: ASGIApp, scope: Scope, receive: Receive, send: Send, name: str) -> bool:
    """Call the app; return whether it returned. What it raises is logged with this name.

    That the client has gone is no error of the app (ASGI "Disconnected Client"). Raises only what
    ends the task or the process: a cancellation by the server, and KeyboardInterrupt.
    """
    try:
        await app(scope, receive, send)
    except BaseException as error:
        cancelled = isinstance(error, asyncio.CancelledError) and _being_cancelled()
        if not cancelled and not because_of(error, ClientDisconnected):
            logger.error("%s raised\n%s", name, short_traceback(error))
        if cancelled or isinstance(error, KeyboardInterrupt):
            raise
        return False
    return True


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
