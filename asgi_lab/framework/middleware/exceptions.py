"""Exceptions, answered: each by the handler for its status or its class.

It stands next to the routes, inside all other middleware, so that a 404 gets its CORS headers and
its line in the log as any response does.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from asgi_lab.framework.calling import call
from asgi_lab.framework.conversation import Conversation
from asgi_lab.framework.errors import ClientDisconnect, HTTPError, WebSocketDisconnect
from asgi_lab.framework.requests import HTTPConnection, Request
from asgi_lab.framework.responses import BODILESS, JSONResponse, Response, TextResponse, as_response
from asgi_lab.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger("asgi_lab.framework")

Key = int | type[Exception]
ErrorHandler = Callable[[Any, Any], Any]
"""Is given the connection and the exception; returns what a handler returns."""


class Exceptions:
    """Answers `HTTPError`, and every exception that has a handler.

    `handlers` are by status or class. The most specific counts: the status of an HTTPError, then
    the nearest class; 500 is for all that is no HTTPError. After a response has begun, no other
    can be sent: then the exception goes on its way, and the server cuts the connection.
    """

    def __init__(self, app: ASGIApp, handlers: Mapping[Key, ErrorHandler] | None = None) -> None:
        self.app = app
        self.handlers = {} if handlers is None else handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app, and answer what it raises."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        talk = Conversation(scope, receive, send)
        try:
            await self.app(scope, talk.receive, talk.send)
        except (ClientDisconnect, WebSocketDisconnect):
            raise
        except Exception as error:
            handler = self.find(error)
            if handler is None or (talk.started and scope["type"] == "http"):
                raise
            about = Request(scope, talk.receive) if scope["type"] == "http" else None
            await talk.answer(
                as_response(await call(handler, about or HTTPConnection(scope), error))
            )

    def find(self, error: Exception) -> ErrorHandler | None:
        """Return the handler for an exception, if there is one."""
        if isinstance(error, HTTPError) and error.status in self.handlers:
            return self.handlers[error.status]
        for kind in type(error).__mro__:
            if kind is HTTPError and kind not in self.handlers:
                return answer_http_error
            if kind is Exception:
                break
            if kind in self.handlers:
                return self.handlers[kind]
        last = self.handlers.get(500) or self.handlers.get(Exception)
        if last is not None:
            log.error("unexpected: answered with the handler for 500", exc_info=error)
        return last


def answer_http_error(connection: HTTPConnection, error: HTTPError) -> Response:
    """Say the detail: as text, or as JSON if it is more than that."""
    if error.status in BODILESS:
        return Response(b"", error.status, error.headers)
    kind = TextResponse if isinstance(error.detail, str) else JSONResponse
    return kind(error.detail, error.status, error.headers)
