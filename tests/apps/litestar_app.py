"""Litestar, in the style of its documentation."""

from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.background_tasks import BackgroundTask
from litestar.config.compression import CompressionConfig
from litestar.exceptions import NotFoundException
from litestar.response import Response, Stream


@get("/")
async def index() -> dict[str, str]:
    return {"hello": "world"}


@get("/thread", sync_to_thread=True)
def thread() -> str:
    return "from a thread"


@post("/items")
async def items(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return await request.json()


@get("/stream")
async def stream() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a", b"b", b"c"):
            yield part

    return Stream(parts)


@get("/background")
async def background() -> Response[str]:
    async def later() -> None: ...

    return Response("soon", background=BackgroundTask(later))


@get("/missing")
async def missing() -> None:
    raise NotFoundException("no such thing")


@websocket("/echo")
async def echo(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    async for text in socket.iter_data():
        await socket.send_text(text.upper())


def make() -> Litestar:
    async def startup(app: Litestar) -> None:
        app.state.pool = "a pool"

    handlers = [index, thread, items, stream, background, missing, echo]
    return Litestar(
        handlers,
        on_startup=[startup],
        compression_config=CompressionConfig(backend="gzip", minimum_size=10),
        openapi_config=None,
        logging_config=None,
    )
