"""Quart, in the style of its documentation."""

from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, request, websocket


def make() -> Quart:
    app = Quart("app")
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.before_serving
    async def startup() -> None:
        app.config["POOL"] = "a pool"

    @app.after_request
    async def stamp(response: Any) -> Any:
        response.headers["x-stamp"] = "yes"
        return response

    @app.get("/")
    async def index() -> str:
        return "hello"

    @app.post("/items")
    async def items() -> Any:
        return await request.get_json()

    @app.get("/thread")
    def thread() -> str:
        return "from a thread"

    @app.get("/stream")
    async def stream() -> Any:
        async def parts() -> AsyncIterator[bytes]:
            for part in (b"a", b"b"):
                yield part

        return parts()

    @app.get("/background")
    async def background() -> str:
        app.add_background_task(stamp, type("Response", (), {"headers": {}}))
        return "soon"

    @app.websocket("/echo")
    async def echo() -> None:
        while True:
            await websocket.send((await websocket.receive()).upper())

    return app
