"""Apps that fail on real servers, in real time: each as somebody has met it in public."""

import asyncio
import sqlite3
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import litestar
import quart
from asgiref.sync import sync_to_async
from fastapi import BackgroundTasks, Depends, FastAPI, Form, Request, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from asgi_lab import after, close, get, pause, post, request, ws
from tests.failures.table import on


def service(**settings: Any) -> FastAPI:
    """A service with a health check that needs no time."""
    app = FastAPI(**settings)

    @app.get("/health")
    async def health() -> str:
        await asyncio.sleep(0.01)
        return "ok"

    return app


class Middleware:
    """One in plain ASGI, which looks at requests alone."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.request(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def request(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


soon = get("/health", at=0.1)

# --- LOOP-BLOCKED --------------------------------------------------------------------------------


@on("uvicorn hypercorn", "LOOP-BLOCKED", "fastapi#2484", "GET /oma", get("/oma"), soon,
    says=("time.sleep",))  # fmt: skip
def two_endpoints_of_which_one_sleeps() -> Any:
    app = service()

    @app.get("/oma")
    async def oma() -> None:
        time.sleep(0.4)  # <- here

    return app


@on("uvicorn", "LOOP-BLOCKED", "skillberry-store#141", "POST /execute", post("/execute"), soon,
    says=("subprocess.run",))  # fmt: skip
def runs_a_program() -> Any:
    app = service()

    @app.post("/execute")
    async def execute() -> int:
        return subprocess.run(["sleep", "0.4"], check=False).returncode  # <- here

    return app


@on("uvicorn", "LOOP-BLOCKED", "taskdog#1090", "GET /rows", get("/rows"), soon,
    says=("execute",))  # fmt: skip
def asks_a_database() -> Any:
    app = service()
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 900000)"

    @app.get("/rows")
    async def rows() -> int:
        with sqlite3.connect(":memory:") as base:
            (total,) = base.execute(f"{numbers} SELECT sum(n) FROM c").fetchone()  # <- here
        return int(total)

    return app


@on("uvicorn", "LOOP-BLOCKED", "posit-sdk-py#4", "GET /me", get("/me"), soon, says=("time.sleep",))
def depends_on_what_blocks() -> Any:
    app = service()

    async def user() -> str:
        time.sleep(0.4)  # <- here
        return "me"

    @app.get("/me")
    async def me(name: str = Depends(user)) -> str:
        return name

    return app


@on("uvicorn", "LOOP-BLOCKED", "gunicorn#3347", "GET /bridge", get("/bridge"), soon,
    says=("result()",))  # fmt: skip
def waits_for_its_own_loop() -> Any:
    app = service()

    async def work() -> str:
        return "done"

    @app.get("/bridge")
    async def bridge() -> str:
        future = asyncio.run_coroutine_threadsafe(work(), asyncio.get_running_loop())
        try:
            return future.result(0.4)  # <- here
        except TimeoutError:
            return "it never ran"

    return app


@on("uvicorn", "LOOP-BLOCKED", "marimo#8788", "GET /chunks", get("/chunks"), soon,
    says=("time.sleep",))  # fmt: skip
def makes_its_chunks_in_the_loop() -> Any:
    app = service()

    async def chunks() -> AsyncIterator[str]:
        for number in range(3):
            time.sleep(0.2)  # <- here
            yield f"{number}\n"

    @app.get("/chunks")
    async def stream() -> StreamingResponse:
        return StreamingResponse(chunks())

    return app


@on("uvicorn", "LOOP-BLOCKED", "fastapi#2484", "GET /slow", get("/slow"), get("/", at=0.1),
    says=("time.sleep",))  # fmt: skip
def blocks_quart() -> Any:
    app = quart.Quart(__name__)

    @app.get("/")
    async def index() -> str:
        await asyncio.sleep(0.01)
        return "hello"

    @app.get("/slow")
    async def slow() -> str:
        time.sleep(0.4)  # <- here
        return "late"

    return app


@on("uvicorn", "LOOP-BLOCKED", "air#1067", "GET /slow", get("/slow"), says=("time.sleep",))
def blocks_litestar() -> Any:
    @litestar.get("/slow", sync_to_thread=False)
    def slow() -> str:
        time.sleep(0.4)  # <- here
        return "late"

    return litestar.Litestar([slow])


# --- THREADPOOL-FULL -----------------------------------------------------------------------------


def threads(number: int) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = number
        yield

    return lifespan


@on("uvicorn hypercorn", "THREADPOOL-FULL", "fastapi#4221", "GET /report", 60 * [get("/report")],
    says=("40 of 40", "report()"))  # fmt: skip
def gets_more_calls_than_threads_at_once() -> Any:
    app = service()

    @app.get("/report")
    def report() -> str:
        time.sleep(0.9)  # much longer than a slow machine takes to start forty threads
        return "done"

    return app


@on("uvicorn", "THREADPOOL-FULL", "fastapi#3205", "GET /rows", 14 * [get("/rows")],
    says=("4 of 4",))  # fmt: skip
def holds_connections_while_threads_wait_for_one() -> Any:
    app = service(lifespan=threads(4))
    free = threading.Semaphore(3)

    def session() -> Iterator[str]:
        free.acquire(timeout=1.2)
        try:
            yield "a session"
        finally:
            free.release()

    @app.get("/rows")
    def rows(session: str = Depends(session)) -> str:
        time.sleep(0.1)
        return session

    return app


@on("uvicorn", "THREADPOOL-FULL", "starlette#1724", "GET /quick", 3 * [get("/slow")],
    get("/quick", at=0.1), says=("3 of 3", "quick()", "slow()"))  # fmt: skip
def holds_up_what_is_quick() -> Any:
    app = service(lifespan=threads(3))

    @app.get("/slow")
    def slow() -> str:
        time.sleep(0.4)
        return "late"

    @app.get("/quick")
    def quick() -> str:
        return "now"

    return app


@on("uvicorn", "THREADPOOL-FULL", "asgiref: sync_to_async", "GET /orders",
    4 * [get("/orders")], says=("The worker thread was busy", "orders()"))  # fmt: skip
def has_one_thread_for_all() -> Any:
    app = service()

    def orders() -> int:
        time.sleep(0.2)
        return 1

    @app.get("/orders")
    async def show() -> int:
        return await sync_to_async(orders)()

    return app


# --- BAD-SEQUENCE --------------------------------------------------------------------------------


async def answers_lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def plain(answer: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await answers_lifespan(receive, send)
        else:
            await answer(receive, send)

    return app


START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"hello"}


@on("uvicorn hypercorn", "BAD-SEQUENCE", "daphne#344", "GET /", get("/"), says=("rule H1",))
def sends_a_body_without_a_start() -> Any:
    async def answer(receive: Any, send: Any) -> None:
        await send(BODY)  # <- here

    return plain(answer)


@on("uvicorn hypercorn", "BAD-SEQUENCE", "uvicorn#651", "GET /", get("/"), says=("rule G2",))
def misspells_a_message() -> Any:
    async def answer(receive: Any, send: Any) -> None:
        await send({**START, "type": "http.request.start"})  # <- here
        await send(BODY)

    return plain(answer)


@on("uvicorn hypercorn", "BAD-SEQUENCE", "channels#1598", "GET /", get("/"), says=("rule H2",))
def answers_twice() -> Any:
    async def answer(receive: Any, send: Any) -> None:
        for _ in range(2):
            await send(START)  # <- here
            await send(BODY)

    return plain(answer)


@on("uvicorn hypercorn", "BAD-SEQUENCE", "slowapi#261", "GET /file", get("/file"), get("/health"),
    layer="LimitMiddleware", says=("rule H2", "LimitMiddleware"))  # fmt: skip
def starts_anew_for_each_part() -> Any:
    class LimitMiddleware(Middleware):
        async def request(self, scope: Any, receive: Any, send: Any) -> None:
            start: Any = None

            async def limited(message: Any) -> None:
                nonlocal start
                if message["type"] == "http.response.start":
                    start = message
                else:
                    await send(start)  # <- here
                    await send(message)

            await self.app(scope, receive, limited)

    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    app = service()
    app.add_api_route("/file", lambda: StreamingResponse(parts()))
    app.add_middleware(LimitMiddleware)
    return app


@on("uvicorn", "BAD-SEQUENCE", "litestar#2196", "GET /half", get("/half"), layer="CatchMiddleware",
    says=("rule H2",))  # fmt: skip
def answers_an_error_in_the_midst_of_an_answer() -> Any:
    class CatchMiddleware(Middleware):
        async def request(self, scope: Any, receive: Any, send: Any) -> None:
            try:
                await self.app(scope, receive, send)
            except ValueError:
                await JSONResponse({"error": "sorry"}, 500)(scope, receive, send)  # <- here

    async def half() -> AsyncIterator[bytes]:
        yield b"one"
        raise ValueError("the second is missing")

    app = service()
    app.add_api_route("/half", lambda: StreamingResponse(half()))
    app.add_middleware(CatchMiddleware)
    return app


@on("uvicorn hypercorn", "BAD-SEQUENCE", "fastapi#4856", "GET /health", get("/health"),
    layer="BannerMiddleware", says=("content-length is 4",))  # fmt: skip
def changes_a_body_and_not_its_length() -> Any:
    class BannerMiddleware(Middleware):
        async def request(self, scope: Any, receive: Any, send: Any) -> None:
            async def with_banner(message: Any) -> None:
                if message["type"] == "http.response.body":
                    message = {**message, "body": message["body"] + b"<!-- banner -->"}
                await send(message)

            await self.app(scope, receive, with_banner)

    app = service()
    app.add_middleware(BannerMiddleware)
    return app


@on("uvicorn", "BAD-SEQUENCE", "fastapi#2253", "DELETE /items", request("DELETE", "/items"),
    says=("204 has a body",))  # fmt: skip
def says_something_with_204() -> Any:
    app = service()
    app.add_api_route("/items", lambda: Response(b"null", 204), methods=["DELETE"])
    return app


@on("uvicorn hypercorn", "BAD-SEQUENCE", "nicegui#3740", "WS /chat", ws("/chat"),
    says=("no message of websocket",))  # fmt: skip
def answers_a_socket_as_a_request() -> Any:
    async def answer(receive: Any, send: Any) -> None:
        await send(START)  # <- here
        await send(BODY)

    return plain(answer)


@on("uvicorn", "BAD-SEQUENCE", "websockets#1202", "WS /chat", ws("/chat"), says=("code is 1006",))
def closes_with_a_code_that_is_none() -> Any:
    app = service()

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(1006)  # <- here

    return app


@on("uvicorn", "BAD-SEQUENCE", "screenshot-to-code#599", "WS /chat", ws("/chat", close(1000)),
    severity="note", says=("rule W12",))  # fmt: skip
def closes_what_the_client_has_closed() -> Any:
    app = service()

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.receive_text()
        finally:
            await socket.close()  # <- here

    return app


# --- BODY-ALREADY-READ ---------------------------------------------------------------------------


FORM = {"content-type": "application/x-www-form-urlencoded"}


@on("uvicorn", "BODY-ALREADY-READ", "fastapi#191", "POST /login",
    post("/login", "a=1", headers=FORM), layer="RateLimitMiddleware")  # fmt: skip
def reads_the_form_first() -> Any:
    class RateLimitMiddleware(Middleware):
        async def request(self, scope: Any, receive: Any, send: Any) -> None:
            await Request(scope, receive).form()
            await self.app(scope, receive, send)

    app = service()

    @app.post("/login")
    async def login(a: str = Form()) -> str:
        return a

    app.add_middleware(RateLimitMiddleware)
    return app


@on("uvicorn", "BODY-ALREADY-READ", "fastapi#1587", "POST /items", post("/items", json={"a": 1}),
    layer="BaseHTTPMiddleware")  # fmt: skip
def reads_it_by_a_request_of_its_own() -> Any:
    app = service()

    @app.middleware("http")
    async def log(request: Request, call_next: Any) -> Any:
        await Request(request.scope, request.receive).body()
        return await call_next(request)

    @app.post("/items")
    async def add(item: dict[str, int]) -> dict[str, int]:
        return item

    return app


@on("hypercorn", "BODY-ALREADY-READ", "fastapi#394", "POST /items", post("/items", json={"a": 1}),
    layer="LoggingMiddleware", says=("LoggingMiddleware took the first 7 B",))  # fmt: skip
def reads_one_part_of_two() -> Any:
    class LoggingMiddleware(Middleware):
        async def request(self, scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await self.app(scope, receive, send)

    app = service()

    @app.post("/items")
    async def add(item: dict[str, int]) -> dict[str, int]:
        return item

    app.add_middleware(LoggingMiddleware)
    return app


# --- LIFESPAN-NOT-REACHED ------------------------------------------------------------------------


@asynccontextmanager
async def database(app: FastAPI) -> AsyncIterator[None]:
    app.state.db = {"rows": 3}
    yield


def shop() -> FastAPI:
    app = FastAPI(lifespan=database)

    @app.get("/rows")
    async def rows(request: Request) -> int:
        return int(request.app.state.db["rows"])

    return app


@on("uvicorn hypercorn", "LIFESPAN-NOT-REACHED", "fastapi#811", "GET /shop/rows",
    get("/health"), get("/shop/rows"), says=("it is a mounted app",))  # fmt: skip
def mounts_an_app_with_a_database() -> Any:
    app = service(lifespan=threads(4))
    app.mount("/shop", shop())
    return app


@on("uvicorn", "LIFESPAN-NOT-REACHED", "python-sdk#1367", "POST /api/mcp", post("/api/mcp", "{}"),
    says=("Task group is not initialized", "it is a mounted app"))  # fmt: skip
def mounts_an_app_with_a_task_group() -> Any:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.group = "a group"
        yield

    async def handle(request: Request) -> Response:
        if not hasattr(request.app.state, "group"):
            raise RuntimeError("Task group is not initialized. Make sure to use run().")  # <- here
        return PlainTextResponse("ok")

    app = service(lifespan=threads(4))
    app.mount("/api", Starlette(routes=[Route("/mcp", handle, methods=["POST"])],
                                lifespan=lifespan))  # fmt: skip
    return app


@on("uvicorn", "LIFESPAN-NOT-REACHED", "starlette#649", "lifespan", get("/rows"),
    layer="PathMiddleware", says=("raised KeyError",))  # fmt: skip
def looks_for_a_path_in_every_scope() -> Any:
    class PathMiddleware:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            assert scope["path"]  # <- here
            await self.app(scope, receive, send)

    app = shop()
    app.add_middleware(PathMiddleware)
    return app


# --- WS-CLOSE-EXPLAINED --------------------------------------------------------------------------


@on("uvicorn hypercorn", "WS-CLOSE-EXPLAINED", "channels#714", "WS /chat", ws("/chat"),
    says=("neither accepted nor closed",))  # fmt: skip
def never_accepts() -> Any:
    app = service()

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.receive()
        await asyncio.sleep(1.2)

    return app


@on("uvicorn", "WS-CLOSE-EXPLAINED", "starlette#1543", "WS /chat", ws("/chat"),
    severity="note", says=("HTTP 403",))  # fmt: skip
def serves_files_only() -> Any:
    return Starlette(routes=[Mount("/", StaticFiles(directory=".", check_dir=False))])


@on("uvicorn", "WS-CLOSE-EXPLAINED", "uvicorn#667", "WS /chat", ws("/chat", '{"a": 1}', pause(0.2)),
    says=("KeyError: 'name'", "after it was accepted"))  # fmt: skip
def expects_a_key() -> Any:
    app = service()

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text((await socket.receive_json())["name"])  # <- here

    return app


# --- DISCONNECT-IGNORED, STREAM-NOT-STOPPING -----------------------------------------------------


@on("uvicorn hypercorn", "DISCONNECT-IGNORED", "vllm#10087", "GET /long",
    get("/long", hang_up=after(seconds=0.3)), severity="note",
    layer="KeyMiddleware", says=("went no further than KeyMiddleware",))  # fmt: skip
def asks_behind_a_middleware() -> Any:
    class KeyMiddleware(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            return await call_next(request)

    app = service()

    @app.get("/long")
    async def long(request: Request) -> str:
        for _ in range(16):
            if await request.is_disconnected():
                return "gone"
            await asyncio.sleep(0.1)
        return "done"

    app.add_middleware(KeyMiddleware)
    return app


@on("uvicorn hypercorn", "STREAM-NOT-STOPPING", "sse-starlette#28", "GET /events",
    get("/events", hang_up=after(bytes=4)), says=("went to nobody",))  # fmt: skip
def takes_its_cancellation_for_an_error() -> Any:
    async def events() -> AsyncIterator[str]:
        for number in range(60):
            try:
                yield f"data: {number}\n\n"
                await asyncio.sleep(0.03)
            except BaseException:
                continue

    app = service()
    app.add_api_route("/events", lambda: StreamingResponse(events()))
    return app


@on("uvicorn hypercorn", "STREAM-NOT-STOPPING", "litestar#4394", "GET /",
    get("/", hang_up=after(bytes=20)), says=("went to nobody",))  # fmt: skip
def hears_of_it_and_goes_on() -> Any:
    async def answer(receive: Any, send: Any) -> None:
        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        listening = asyncio.create_task(listen())
        await send(START)
        for _ in range(25):
            await send({**BODY, "more_body": True})
            await asyncio.sleep(0.03)
        listening.cancel()
        await send(BODY)

    return plain(answer)


# --- STREAM-BUFFERED -----------------------------------------------------------------------------


async def lines() -> AsyncIterator[str]:
    for number in range(4):
        yield f"{number}\n"
        await asyncio.sleep(0.1)


@on("uvicorn hypercorn", "STREAM-BUFFERED", "fastapi#5600", "GET /lines", get("/lines"),
    layer="BaseHTTPMiddleware")  # fmt: skip
def logs_whole_answers() -> Any:
    app = service()
    app.add_api_route("/lines", lambda: StreamingResponse(lines()))

    @app.middleware("http")
    async def log(request: Request, call_next: Any) -> Any:
        answer = await call_next(request)
        body = b"".join([part async for part in answer.body_iterator])
        return Response(body, answer.status_code, dict(answer.headers))

    return app


@on("uvicorn", "STREAM-BUFFERED", "starlette#2753", "GET /lines", get("/lines"),
    layer="CompressMiddleware")  # fmt: skip
def compresses_without_a_flush() -> Any:
    class CompressMiddleware(Middleware):
        async def request(self, scope: Any, receive: Any, send: Any) -> None:
            kept = b""

            async def compress(message: Any) -> None:
                nonlocal kept
                if message["type"] == "http.response.body":
                    more = message.get("more_body", False)
                    header = b"" if kept else b"\x1f\x8b"
                    kept += message["body"]
                    message = {**message, "body": header if more else kept}
                await send(message)

            await self.app(scope, receive, compress)

    app = service()
    app.add_api_route("/lines", lambda: StreamingResponse(lines()))
    app.add_middleware(CompressMiddleware)
    return app


@on("uvicorn", "STREAM-BUFFERED", "paperless-ngx#12161", "GET /lines",
    get("/lines", hang_up=after(seconds=0.35)), layer="EtagMiddleware",
    says=("held it back",))  # fmt: skip
def keeps_it_until_the_client_gives_up() -> Any:
    class EtagMiddleware(Middleware):
        async def request(self, scope: Any, receive: Any, send: Any) -> None:
            held: list[Any] = []

            async def collect(message: Any) -> None:
                held.append(message)

            await self.app(scope, receive, collect)
            for message in held:
                await send(message)

    app = service()
    app.add_api_route("/lines", lambda: StreamingResponse(lines()))
    app.add_middleware(EtagMiddleware)
    return app


# --- AFTER-RESPONSE ------------------------------------------------------------------------------


@on("uvicorn hypercorn", "AFTER-RESPONSE", "fastapi#1313", "POST /signup", post("/signup"), soon,
    says=("held the event loop", "time.sleep"))  # fmt: skip
def sends_mail_in_the_loop() -> Any:
    app = service()

    async def mail() -> None:
        time.sleep(0.4)  # <- here

    @app.post("/signup")
    async def signup(tasks: BackgroundTasks) -> str:
        tasks.add_task(mail)
        return "welcome"

    return app


@on("uvicorn", "AFTER-RESPONSE", "starlette#3195", "POST /signup", post("/signup"),
    says=("raised ValueError: no such address",))  # fmt: skip
def fails_in_the_background() -> Any:
    app = service()

    def mail() -> None:
        raise ValueError("no such address")  # <- here

    @app.post("/signup")
    async def signup(tasks: BackgroundTasks) -> str:
        tasks.add_task(mail)
        return "welcome"

    return app


@on("uvicorn", "AFTER-RESPONSE", "fastapi#5114", "GET /rows", get("/rows"), soon,
    says=("held the event loop",))  # fmt: skip
def closes_its_session_in_the_loop() -> Any:
    app = service()

    async def session() -> AsyncIterator[str]:
        yield "a session"
        time.sleep(0.4)  # <- here

    @app.get("/rows")
    async def rows(session: str = Depends(session)) -> str:
        return session

    return app


# --- PROXY-MISMATCH ------------------------------------------------------------------------------


@on("hypercorn", "PROXY-MISMATCH", "starlette#3293", "GET /items",
    get("/items", headers={"x-forwarded-proto": "https", "host": "shop.example"}),
    says=("http://shop.example",))  # fmt: skip
def redirects_to_http() -> Any:
    app = service()
    app.add_api_route("/items/", lambda: "items")
    return app


@on("uvicorn", "PROXY-MISMATCH", "fastapi#2872", "GET /api/api/health", get("/api/api/health"),
    get("/api/health"), says=("both the proxy's path and root_path",))  # fmt: skip
def has_its_prefix_twice() -> Any:
    return service(root_path="/api")
