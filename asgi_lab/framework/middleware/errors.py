"""Exceptions, answered: by two layers, one next to the routes, one outermost.

    server → Errors → GZip, CORS, ... → Exceptions → Router → handler
               │                            └ an HTTPError, or an exception that has a handler
               └ all others: 500, and a line in the log

So a 404 passes the middleware, gets its CORS headers and its time, as any response does; and
whatever fails, in the middleware too, is answered. Once a response has begun nothing can be taken
back: the exception goes on to the server, which cuts the connection, so that the client does not
take half an answer for a whole one.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from asgi_lab.framework.calling import call
from asgi_lab.framework.exceptions import ClientDisconnect, HTTPError, WebSocketDisconnect
from asgi_lab.framework.middleware.conversation import Conversation
from asgi_lab.framework.middleware.debug import debug_response
from asgi_lab.framework.requests import HTTPConnection, Request
from asgi_lab.framework.responses import BODILESS, JSONResponse, Response, TextResponse, as_response
from asgi_lab.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger("asgi_lab.framework")

Key = int | type[Exception]
ErrorHandler = Callable[[Any, Any], Any]
"""Is given the connection and the exception; returns what a handler returns."""


class Answering:
    """What the two layers have in common: they call the app, and answer if it fails."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app. Raises what it raises, if there is no answer to that, or it is too late."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        talk = Conversation(scope, receive, send)
        try:
            await self.app(scope, talk.receive, talk.send)
        except (ClientDisconnect, WebSocketDisconnect):  # nobody is left to answer
            raise
        except Exception as error:
            response = await self.response_to(error, talk) if talk.answerable else None
            if response is None:
                raise
            await talk.answer(response)

    async def response_to(self, error: Exception, talk: Conversation) -> ASGIApp | None:
        """Return what to answer to an exception, if there is anything."""
        raise NotImplementedError


class Errors(Answering):
    """The last resort, outermost. With `debug`, the response shows the traceback."""

    def __init__(self, app: ASGIApp, debug: bool = False) -> None:
        super().__init__(app)
        self.debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app. A client's leaving ends here: that is no error."""
        try:
            await super().__call__(scope, receive, send)
        except (ClientDisconnect, WebSocketDisconnect):
            pass

    async def response_to(self, error: Exception, talk: Conversation) -> ASGIApp:
        """Return a 500, whatever it is."""
        scope = talk.scope
        log.error("%s %s failed", scope.get("method", "WS"), scope["path"], exc_info=error)
        if self.debug:
            return debug_response(scope, error)
        return TextResponse("Internal Server Error", 500)


class Exceptions(Answering):
    """Answers `HTTPError`, and every exception that has a handler.

    `handlers` are by status or class. The most specific counts: the status of an HTTPError, then
    the nearest class; 500 is for all that is no HTTPError.
    """

    def __init__(self, app: ASGIApp, handlers: Mapping[Key, ErrorHandler] | None = None) -> None:
        super().__init__(app)
        self.handlers = {} if handlers is None else handlers

    async def response_to(self, error: Exception, talk: Conversation) -> ASGIApp | None:
        """Return what the handler returns, if there is one."""
        handler = self.find(error)
        if handler is None:
            return None
        if talk.scope["type"] == "http":
            connection: HTTPConnection = Request(talk.scope, talk.receive)
        else:
            connection = HTTPConnection(talk.scope)
        response: ASGIApp = as_response(await call(handler, connection, error))
        return response

    def find(self, error: Exception) -> ErrorHandler | None:
        """Return the handler for an exception, if there is one."""
        if isinstance(error, HTTPError) and error.status in self.handlers:
            return self.handlers[error.status]
        nearest = [kind for kind in type(error).__mro__ if kind not in (Exception, BaseException)]
        for kind in nearest:
            if kind in self.handlers:
                return self.handlers[kind]
        if isinstance(error, HTTPError):
            return answer_http_error
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
