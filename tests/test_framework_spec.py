"""Whatever is asked of the framework, each message that it sends is one that the spec allows.

The rules are those of the ASGI specification (www: HTTP, WebSocket) and of HTTP, as a server sees
them; the questions are those that the framework is asked beside Starlette, and clients that leave.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from test_framework_twin import ASKED, folder, ours

from asgi_lab import after, expect, get, head, pause, post, run, ws
from asgi_lab.client import Result
from asgi_lab.framework import App, EventResponse, HTTPError, Request, StreamingResponse, WebSocket
from asgi_lab.framework.middleware import CORS, GZip, Sessions, Timing

__all__ = ["folder"]  # a fixture
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")


class Strict:
    """Wraps an app; notes in `broken` each rule that it breaks, with the path."""

    def __init__(self, app: Any) -> None:
        self.inner = app
        self.broken: list[tuple[str, str]] = []
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] == "lifespan":
            return await self.inner(scope, receive, send)
        self.calls += 1
        call = Call(self, scope, receive, send)
        before = repr(scope)
        try:
            result = await self.inner(scope, call.receive, call.send)
        except Exception as error:
            call.rule(call.may_raise, f"raised {error!r}")
            raise
        call.rule(result is None, "returned something")
        call.rule(repr(scope) == before, "changed the scope")
        call.rule(call.over or call.left, "returned amid the conversation")
        return result


class Call:
    """One conversation, and how far it is."""

    def __init__(self, strict: Strict, scope: Any, receive: Any, send: Any) -> None:
        self.strict, self.scope, self._receive, self._send = strict, scope, receive, send
        self.head = scope.get("method") == "HEAD"
        self.asked = self.started = self.over = self.left = self.may_raise = False
        self.refusing = False
        self.length: int | None = None
        self.size = 0

    def rule(self, kept: bool, what: str) -> None:
        if not kept:
            self.strict.broken.append((self.scope["path"], what))

    async def receive(self) -> Any:
        self.rule(not self.left, "received after the disconnect")
        message = await self._receive()
        self.asked = True
        self.left = message["type"].endswith(".disconnect")
        return message

    async def send(self, message: Any) -> None:
        self.rule(type(message) is dict, "sent something else than a dict")
        kind = message["type"]
        self.rule(not self.left, f"sent {kind} after the disconnect was received")
        self.rule(not self.over, f"sent {kind} after the end")
        if self.scope["type"] == "http":
            self.http(kind, message)
        else:
            self.rule(self.asked, f"sent {kind} before websocket.connect was received")
            self.websocket(kind, message)
        try:
            await self._send(message)
        except OSError:  # a server of spec 2.4 says that the client has left
            self.left = True
            raise

    def http(self, kind: str, message: Any) -> None:
        if kind == "http.response.start":
            self.rule(not self.started, "two starts")
            self.started = True
            status = message["status"]
            self.rule(type(status) is int and 200 <= status <= 999, f"status {status}")
            self.headers(message["headers"])
            lengths = [v for n, v in message["headers"] if n == b"content-length"]
            self.rule(len(lengths) <= 1, "two lengths")
            self.length = int(lengths[0]) if lengths else None
            self.bodiless = status in (204, 304)
            self.rule(not (status == 204 and lengths), "a length of nothing")
            return
        self.rule(kind == "http.response.body" and self.started, f"{kind} at the wrong time")
        body, more = message.get("body", b""), message.get("more_body", False)
        self.rule(type(body) is bytes and type(more) is bool, "no bytes")
        self.size += len(body)
        if not more:
            self.over = True
            if self.bodiless or self.head:
                self.rule(self.size == 0, "a body where there is none")
            elif self.length is not None:
                self.rule(self.size == self.length, f"{self.size} of {self.length} bytes")

    def websocket(self, kind: str, message: Any) -> None:
        if kind == "websocket.accept":
            self.rule(not self.started, "two accepts")
            self.started = True
            self.headers(message["headers"])
            offered = [None, *self.scope["subprotocols"]]
            self.rule(message["subprotocol"] in offered, "a subprotocol not offered")
        elif kind == "websocket.send":
            self.rule(self.started, "sent before accept")
            values = [type(message.get("text")), type(message.get("bytes"))]
            self.rule(values in ([str, type(None)], [type(None), bytes]), "text and bytes")
        elif kind == "websocket.close":
            code, reason = message.get("code", 1000), message.get("reason")
            able = code in (1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000))
            self.rule(able and len((reason or "").encode()) <= 123, f"close {code} {reason}")
            self.over = True
        else:
            self.rule(not self.started or self.refusing, "refused after accept")
            able = "websocket.http.response" in (self.scope.get("extensions") or {})
            self.rule(able, "refused in words to a server that cannot")
            self.refusing = self.started = True
            self.over = kind.endswith("body") and not message.get("more_body", False)

    def headers(self, headers: Any) -> None:
        for name, value in headers:
            self.rule(type(name) is type(value) is bytes, f"no bytes: {name}")
            self.rule(bool(TOKEN.fullmatch(name)), f"no name: {name}")
            self.rule(not re.search(rb"[\r\n\0]", value), f"no value: {value}")
            self.rule(name != b"transfer-encoding", "transfer-encoding")


def ask(app: Any, *clients: Any) -> tuple[Result, ...]:
    return asyncio.run(run(app, *clients, concurrency=1)).results


def layered(app: App) -> App:
    app.middleware(Timing)
    app.middleware(CORS, origins=["https://a.example"], credentials=True)
    app.middleware(GZip, minimum=20)
    app.middleware(Sessions, secret="nobody can guess this")
    return app


@pytest.mark.parametrize("layers", [False, True], ids=["plain", "layered"])
def test_each_message_is_one_that_the_spec_allows(folder: Path, layers: bool) -> None:
    app = Strict(layered(ours(folder)) if layers else ours(folder))
    accepting = {"accept-encoding": "gzip", "origin": "https://a.example"}
    more = [get("/long", headers=accepting), head("/long", headers=accepting), ws("/none")]
    more += [get("/stream", headers=accepting), get("/count"), get("/cookie"), get("/forget")]
    parts = ["bytes=0-9", "bytes=-5", "bytes=100-", "bytes=9-1"]
    more += [get("/file", headers={"range": part}) for part in parts]
    more += [head("/file", headers={"range": part}) for part in parts]
    ask(app, ASKED, more)
    assert app.broken == []
    assert app.calls == len(ASKED) + len(more)


def leaving() -> App:
    app = App()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> Any:
            for _ in range(50):
                yield b"x" * 5_000
                await asyncio.sleep(0.1)

        return StreamingResponse(chunks(), media_type="text/plain")

    @app.get("/blocking")
    def blocking() -> StreamingResponse:
        return StreamingResponse(b"x" * 5_000 for _ in range(50))

    @app.get("/events")
    async def events() -> EventResponse:
        async def ticks() -> Any:
            while True:
                yield "tick"
                await asyncio.sleep(1)

        return EventResponse(ticks(), keep_alive=0.3)

    @app.post("/echo")
    async def echo(request: Request) -> StreamingResponse:
        return StreamingResponse(request.stream())

    @app.post("/body")
    async def body(request: Request) -> str:
        return str(len(await request.body()))

    @app.post("/form")
    async def form(request: Request) -> str:
        return str(len(await request.form()))

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(1)
        return "slow"

    @app.websocket("/echo")
    async def echo_socket(socket: WebSocket) -> None:
        await asyncio.sleep(0.05)
        await socket.accept()
        async for message in socket:
            await asyncio.sleep(0.05)
            await socket.send(message)

    @app.websocket("/talks")
    async def talks(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.send("x" * 5_000)
            await asyncio.sleep(0.1)

    @app.websocket("/no")
    async def no(socket: WebSocket) -> None:
        await asyncio.sleep(0.05)
        raise HTTPError(403)

    return app


def leavers(seconds: float) -> list[Any]:
    """Clients that leave after so long, wherever they are."""
    gone: Any = {"hang_up": after(seconds=seconds), "headers": {"accept-encoding": "gzip"}}
    slowly: Any = 5 * [b"y" * 1000, pause(0.1)]
    kind = {"content-type": "multipart/form-data; boundary=x"}
    form = ["--x\r\ncontent-disposition: form-data; name=f; filename=f\r\n\r\n", *slowly]
    return [
        *[get(path, **gone) for path in ("/stream", "/blocking", "/events", "/slow", "/none")],
        *[post(path, slowly, **gone) for path in ("/echo", "/body", "/slow")],
        post("/form", form, headers=kind, hang_up=gone["hang_up"]),
        *[ws(path, "a", expect(), "b", pause(9), **gone) for path in ("/echo", "/talks", "/no")],
    ]


@pytest.mark.parametrize("layers", [False, True], ids=["plain", "layered"])
@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.06, 0.15, 0.31, 1.01, 2.5])
def test_clients_may_leave_at_any_time(
    layers: bool, seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    app = Strict(layered(leaving()) if layers else leaving())

    async def main() -> set[str]:
        await run(app, leavers(seconds))
        return {repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    assert asyncio.run(main()) == set()
    assert app.broken == []
    assert caplog.text == "", "that a client leaves is no error"
    assert app.calls >= 1


def test_the_same_happens_each_time() -> None:
    """In virtual time, streams and threads and clients that leave included."""

    def digest() -> str:
        clients = [leavers(seconds) for seconds in (0.06, 0.31, 2.5)]
        return asyncio.run(run(layered(leaving()), clients)).digest

    assert len({digest() for _ in range(3)}) == 1
