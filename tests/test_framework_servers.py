"""One app of our framework on every server: HTTP, streams, files, forms, WebSockets, lifespan."""

import asyncio
from pathlib import Path

import pytest

from asgi_lab import after, expect, get, head, pause, post, real, run, ws
from asgi_lab.client import Result

MAIN = '''
import asyncio
from contextlib import asynccontextmanager
from typing import Annotated

from asgi_lab.framework import (
    App, Depends, EventResponse, FileResponse, Groups, HTTPError, Request, StreamingResponse,
    UploadFile, WebSocket,
)
from asgi_lab.framework.middleware import GZip, Timing


@asynccontextmanager
async def lifespan(app):
    yield {"greeting": "hello"}


app = App(lifespan=lifespan)
app.middleware(Timing)
app.middleware(GZip, minimum=10_000)
groups = Groups()


def opened():
    yield "opened"


@app.get("/hello/{name}")
async def hello(request: Request, name: str, key: Annotated[str, Depends(opened)], n: int = 1):
    greeting = request.state.get("greeting", "no lifespan")
    return {"text": f"{greeting} {name}", "key": key, "n": n, "method": request.method}


@app.get("/blocking")
def blocking():
    return "in a thread"


@app.get("/stream")
async def stream():
    async def numbers():
        for number in range(5):
            yield f"{number} "
            await asyncio.sleep(0)

    return StreamingResponse(numbers(), media_type="text/plain")


@app.get("/events")
async def events():
    async def ticks():
        for number in range(3):
            yield number

    return EventResponse(ticks())


closed = asyncio.Event()


@app.get("/endless")
async def endless():
    async def forever():
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    return StreamingResponse(forever())


@app.get("/quiet")
async def quiet():
    """Only `receive` can tell that the client has left: nothing is sent."""
    async def silence():
        try:
            yield b"x" * 1000
            await asyncio.Event().wait()
        finally:
            closed.set()

    return StreamingResponse(silence())


@app.get("/closed")
async def was_closed():
    await closed.wait()
    closed.clear()
    return "closed"


@app.get("/file")
async def file():
    return FileResponse("poem.txt")


@app.post("/upload")
async def upload(request: Request):
    form = await request.form()
    file = form["file"]
    assert isinstance(file, UploadFile)
    return {"name": form["name"], "file": file.filename, "size": len(await file.read())}


@app.post("/echo")
async def echo(request: Request):
    """The request is read while the response is sent: one `receive` for two readers."""
    return StreamingResponse(request.stream())


@app.get("/teapot")
async def teapot():
    raise HTTPError(418, headers={"x-tea": "none"})


@app.get("/boom")
async def boom():
    raise RuntimeError("boom")


@app.websocket("/chat/{room}")
async def chat(socket: WebSocket, room: str):
    await socket.accept("talk" if "talk" in socket.subprotocols else None)
    async with groups.join(room, socket):
        async for message in socket:
            groups.send(room, message)


@app.websocket("/closes")
async def closes(socket: WebSocket):
    await socket.accept()
    await socket.close(3000, "that is all")


@app.websocket("/refused")
async def refused(socket: WebSocket):
    raise HTTPError(403, "not you")
'''

SERVERS = ["memory", "uvicorn", "hypercorn", "daphne", "granian", "gunicorn", "lab"]
LENGTH = 200_000
FORM = (
    '--xx\r\nContent-Disposition: form-data; name="name"\r\n\r\nada\r\n'
    '--xx\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n\r\n'
    + "y" * LENGTH
    + "\r\n--xx--\r\n"
)
FORM_TYPE = {"content-type": "multipart/form-data; boundary=xx"}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a name of its own: each test imports another."""
    name = f"framework_app_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MAIN)
    (tmp_path / "poem.txt").write_text("0123456789" * 10_000)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return f"{name}:app"


def ask(target: str, server: str, *clients: object) -> tuple[Result, ...]:
    return asyncio.run(run(target, *clients, server=server, clock=real(), concurrency=1)).results


@pytest.mark.parametrize("server", SERVERS)
def test_http(target: str, server: str) -> None:
    found = ask(
        target,
        server,
        get("/hello/ada?n=7"),
        head("/hello/ada"),
        get("/hello/ada?n=x"),
        get("/blocking"),
        get("/stream"),
        get("/events"),
        get("/file"),
        get("/file", headers={"range": "bytes=10-19"}),
        head("/file"),
        post("/upload", FORM, headers=FORM_TYPE),
        post("/echo", ["one ", pause(0.01), "two ", "three"]),
        get("/teapot"),
        get("/boom"),
        get("/none"),
    )
    assert not [result for result in found if result.error]
    hello, hello_head, invalid, blocking, stream, events, file, part, file_head = found[:9]
    upload, echo, teapot, boom, none = found[9:]
    greeting = "no lifespan" if server == "daphne" else "hello"  # it has none
    assert hello.json() == {"text": f"{greeting} ada", "key": "opened", "n": 7, "method": "GET"}
    assert dict(hello.headers)["server-timing"].startswith("app;dur=")
    assert (hello_head.status, hello_head.body) == (200, b"")
    assert invalid.status == 422
    assert invalid.json()["errors"][0]["expected"] == "an integer"
    assert blocking.text == "in a thread"
    assert stream.text == "0 1 2 3 4 "
    assert events.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert (file.status, file.received) == (200, 100_000)
    assert (part.status, part.body) == (206, b"0123456789")
    assert (file_head.status, file_head.received) == (200, 0)
    assert dict(file_head.headers)["content-length"] == "100000"
    assert upload.json() == {"name": "ada", "file": "f.bin", "size": LENGTH}
    assert echo.text == "one two three"
    assert (teapot.status, dict(teapot.headers)["x-tea"]) == (418, "none")
    assert (boom.status, boom.text) == (500, "Internal Server Error")
    assert none.status == 404


@pytest.mark.parametrize("server", SERVERS)
def test_clients_that_leave(target: str, server: str) -> None:
    """The generator of a stream is closed, whatever way the server has of saying so."""
    leave = after(bytes=500)
    found = ask(
        target,
        server,
        get("/endless", hang_up=leave),
        get("/closed"),
        get("/quiet", hang_up=leave),
        get("/closed"),
    )
    assert [result.text for result in found[1::2]] == ["closed", "closed"]


@pytest.mark.parametrize("server", SERVERS)
def test_websockets(target: str, server: str) -> None:
    talk = ("hello", expect("hello"), b"\x00", expect(b"\x00"))
    chat, named, closes, refused, none = ask(
        target,
        server,
        ws("/chat/a", *talk),
        ws("/chat/a", *talk, subprotocols=["other", "talk"]),
        ws("/closes", pause(0.2)),
        ws("/refused"),
        ws("/none"),
    )
    assert [chat.error, named.error, closes.error] == ["", "", ""]
    assert (chat.status, chat.messages, chat.subprotocol) == (101, ("hello", b"\x00"), None)
    assert (named.messages, named.subprotocol) == (("hello", b"\x00"), "talk")
    assert closes.close_code == 3000
    assert refused.status == 403
    assert none.status in (403, 404)  # 404 where the server can say more than no
