"""A web framework small enough to be read in an evening, from ASGI up.

    from asgi_lab.framework import App, Request

    app = App()

    @app.get("/hello/{name}")
    async def hello(request: Request, name: str) -> str:
        return f"Hello, {name}!"

Everything in it is an ASGI app, and wraps, holds or is held by another. It runs on any server, and
knows none. Only multipart forms and sessions need anything: `pip install 'asgi-lab[framework]'`.

Below is the order in which to read it; no module needs a later one.

scope, receive, send: what a client asks
    exceptions                 what goes wrong, and who is told
    headers                    names and values: bytes for the server, text for a handler
    cookies                    what a client is asked to remember, and says again
    receiving                  one `receive` for two: who reads, and who waits for the client to go
    forms                      fields, and files that are too large for memory
    requests                   the request; nothing is read before it is asked for
blocking the loop, and work in the background
    calling                    `async def` in the loop, `def` in a worker thread
    background                 work that is done after the response
streaming, disconnects, backpressure: what is answered
    interrupting               a block that ends when the client leaves
    responses                  ASGI apps that say one thing, or one piece after the other
    sse                        events, now and then, and a sign of life in between
    files                      a file: whole, a part, or "you have it already"
routing: which app answers
    paths                      paths with names in them, read and written
    routing                    routes, mounts, hosts; 404 and 405
    static                     the files of a directory, and none outside
WebSockets
    websockets                 one conversation: accept, messages, close
    groups                     one message to many, and nobody waits for the slow one
parameters and dependency injection: what a handler asks for
    convert                    text and JSON into Python's types, or what was wrong
    inject                     a handler's parameters, and where each comes from
    endpoints                  a handler as an ASGI app
middleware: layers around an app
    middleware                 what a layer is
    middleware.timing          the smallest one: a header more
    middleware.gzip            compresses, and keeps streams flowing
    middleware.cors            which other sites' pages may ask
    middleware.sessions        what is remembered of a client, signed
    middleware.conversation    what was said so far, and which answer is left
    middleware.debug           what a developer sees of a failure
    middleware.errors          exceptions, answered
lifespan, and the whole
    lifespan                   startup and shutdown as one `async with`
    app                        a router within its middleware, and the decorators
    testing                    a client for tests, without a server
"""

from asgi_lab.framework.app import App
from asgi_lab.framework.background import BackgroundTasks
from asgi_lab.framework.exceptions import ClientDisconnect, HTTPError, WebSocketDisconnect
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
