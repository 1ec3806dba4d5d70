"""FastAPI, in the style of its tutorial."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Item(BaseModel):
    name: str
    price: float = 1.5


def make() -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"pool": "a pool"}

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    done: list[str] = []

    @app.middleware("http")
    async def stamp(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-stamp"] = "yes"
        return response

    async def user(request: Request) -> str:
        return request.headers.get("host", "nobody")

    @app.get("/")
    async def index(user: str = Depends(user)) -> dict[str, str]:
        return {"hello": user}

    @app.get("/thread")
    def thread(n: int = 1) -> dict[str, int]:
        return {"n": n}

    @app.post("/items")
    async def items(item: Item) -> Item:
        return item

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            for part in "abc":
                yield part

        return StreamingResponse(parts())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> list[str]:
        tasks.add_task(done.append, "task")
        return done

    @app.get("/missing")
    async def missing() -> None:
        raise HTTPException(404, "no such thing")

    @app.get("/fail")
    async def fail() -> None:
        raise LookupError("broken")

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text.upper())

    return app
