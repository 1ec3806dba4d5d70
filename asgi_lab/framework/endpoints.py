"""Endpoints: a handler function made into an ASGI app, at the end of a route.

What the handler takes is prepared (`inject`), what it returns is sent, and what was opened for it
is closed after the response.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from asgi_lab.framework.background import BackgroundTasks
from asgi_lab.framework.inject import Injection, Plan
from asgi_lab.framework.requests import Request
from asgi_lab.framework.responses import as_response
from asgi_lab.framework.websockets import WebSocket
from asgi_lab.types import ASGIApp, Receive, Scope, Send

Handler = Callable[..., Any]


def http_endpoint(handler: Handler) -> ASGIApp:
    """Return an app that answers each request with what the handler returns."""
    plan = Plan(handler)

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        request, background = Request(scope, receive), BackgroundTasks()
        answered = False
        async with AsyncExitStack() as opened:
            opened.callback(request.close)
            result = await plan.call(Injection(request, opened, background))
            await as_response(result)(scope, request.receive, send)
            answered = True
            await background()
        if not answered:
            raise RuntimeError(f"a dependency of {handler} swallowed an error: it must raise it")

    return endpoint


def websocket_endpoint(handler: Handler) -> ASGIApp:
    """Return an app that holds each WebSocket conversation as the handler does.

    When the handler returns, the socket is closed; before `accept`, that refuses it (www: "Close").
    """
    plan = Plan(handler)

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        async with AsyncExitStack() as opened:
            await plan.call(Injection(socket, opened, BackgroundTasks()))
            await socket.close()

    return endpoint
