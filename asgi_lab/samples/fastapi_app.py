"""A FastAPI app with one route for each thing worth seeing in a trace.

    asgi-lab trace asgi_lab.samples.fastapi_app:app

Watch the bars: solid while a request holds the event loop, thin while it awaits.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the app needs before the first request, and close it after the last."""
    await asyncio.sleep(0.02)
    yield
    await asyncio.sleep(0.01)


app = FastAPI(title="asgi-lab sample", lifespan=lifespan)


@app.get("/fast")
async def fast() -> dict[str, str]:
    """Answer at once."""
    return {"hello": "world"}


@app.get("/slow")
async def slow() -> dict[str, float]:
    """Await half a second: the loop is free for others meanwhile."""
    await asyncio.sleep(0.5)
    return {"waited": 0.5}


@app.get("/blocking")
async def blocking() -> dict[str, float]:
    """Sleep in the event loop: nobody else can run. This is the mistake to look for."""
    time.sleep(0.3)  # noqa: ASYNC251
    return {"held the loop": 0.3}


@app.get("/thread")
def thread() -> dict[str, float]:
    """Sleep in a plain `def`: FastAPI runs it in a worker thread, and the loop stays free."""
    time.sleep(0.3)
    return {"held a thread": 0.3}


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Send five chunks, a tenth of a second apart."""

    async def chunks() -> AsyncIterator[str]:
        for number in range(5):
            yield f"chunk {number}\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(chunks(), media_type="text/plain")


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    """Send back each message until the client leaves."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


@app.get("/fail")
async def fail() -> None:
    """Raise, as a bug would."""
    raise ValueError("the sample fails here, on purpose")
