"""Starlette, in the style of its documentation."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute


def make() -> Starlette:
    done: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        yield {"pool": "a pool"}

    class Index(HTTPEndpoint):
        async def get(self, request: Request) -> PlainTextResponse:
            return PlainTextResponse("hello " * 100)

    async def items(request: Request) -> JSONResponse:
        return JSONResponse(await request.json())

    def thread(request: Request) -> PlainTextResponse:
        return PlainTextResponse("from a thread")

    def stream(request: Request) -> StreamingResponse:
        def parts() -> Iterator[str]:
            yield from "abc"

        return StreamingResponse(parts())

    async def background(request: Request) -> JSONResponse:
        return JSONResponse(done, background=BackgroundTask(done.append, "task"))

    async def fail(request: Request) -> None:
        raise LookupError("broken")

    class Echo(WebSocketEndpoint):
        encoding = "text"

        async def on_receive(self, websocket: Any, data: Any) -> None:
            await websocket.send_text(data.upper())

    routes = [
        Route("/", Index),
        Route("/items", items, methods=["POST"]),
        Route("/background", background),
        WebSocketRoute("/echo", Echo),
        Mount("/", routes=[Route("/thread", thread), Route("/stream", stream)]),
    ]
    routes.insert(0, Route("/fail", fail))
    middleware = [Middleware(SessionMiddleware, secret_key="x"), Middleware(GZipMiddleware)]
    return Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
