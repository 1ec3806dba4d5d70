"""A web framework small enough to be read in an evening, from ASGI up.

    from asgi_lab.framework import App, Request

    app = App()

    @app.get("/hello/{name}")
    async def hello(request: Request, name: str) -> str:
        return f"Hello, {name}!"

Everything in it is an ASGI app, and wraps, holds or is held by another. It runs on any server, and
knows none. Read it in this order; each module says at its top what its idea is:

headers, errors         names and values; what goes wrong, as exceptions
receiving, requests     one `receive` for two; the request;   interrupting, forms
responses, files, sse   saying one thing, a file, a thing now and then
paths, routing          which app answers
convert, inject         what a handler asks for, and how it gets it;   calling: both colours
endpoints, app          a handler as an app; all of it in one;   lifespan, background
conversation, middleware    who answers when something fails; the layers in between
websockets, groups, static, testing
"""

from asgi_lab.framework.app import App
from asgi_lab.framework.background import BackgroundTasks
from asgi_lab.framework.errors import ClientDisconnect, HTTPError, WebSocketDisconnect
from asgi_lab.framework.files import FileResponse
from asgi_lab.framework.forms import Form, UploadFile
from asgi_lab.framework.groups import Groups
from asgi_lab.framework.headers import Headers, Pairs
from asgi_lab.framework.inject import Body, Depends
from asgi_lab.framework.requests import HTTPConnection, Request
from asgi_lab.framework.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
    TextResponse,
)
from asgi_lab.framework.routing import Host, Mount, Route, Router
from asgi_lab.framework.sse import EventResponse, ServerEvent
from asgi_lab.framework.static import StaticFiles
from asgi_lab.framework.websockets import WebSocket

__all__ = [
    "App",
    "BackgroundTasks",
    "Body",
    "ClientDisconnect",
    "Depends",
    "EventResponse",
    "FileResponse",
    "Form",
    "Groups",
    "HTMLResponse",
    "HTTPConnection",
    "HTTPError",
    "Headers",
    "Host",
    "JSONResponse",
    "Mount",
    "Pairs",
    "RedirectResponse",
    "Request",
    "Response",
    "Route",
    "Router",
    "ServerEvent",
    "StaticFiles",
    "StreamingResponse",
    "TextResponse",
    "UploadFile",
    "WebSocket",
    "WebSocketDisconnect",
]
