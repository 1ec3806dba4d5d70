"""The apps. Virtual time, so that each fails in the same way each time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount, Route, WebSocketRoute

from asgi_lab import after, cpu, get, post, ws
from tests.failures.table import failure

# --- LOOP-BLOCKED --------------------------------------------------------------------------------


@failure("LOOP-BLOCKED", "fastapi#2601", "GET /slow", get("/slow"), get("/fast"), get("/fast"),
         says=("time.sleep", "2 requests waited"))  # fmt: skip
def sleeps_in_a_coroutine() -> Any:
    app = FastAPI()

    @app.get("/slow")
    async def slow() -> str:
        time.sleep(1.0)  # <- here
        return "done"

    @app.get("/fast")
    async def fast() -> str:
        await asyncio.sleep(0.1)
        return "done"

    return app


@failure("LOOP-BLOCKED", "fastapi#1806", "GET /work", 3 * [get("/work")], get("/health"))
def computes_in_a_coroutine() -> Any:
    app = FastAPI()

    @app.get("/work")
    async def work() -> str:
        cpu(0.5)  # <- here
        return "done"

    @app.get("/health")
    async def health() -> str:
        return "well"

    return app


@failure("LOOP-BLOCKED", "starlette#1724", "GET /", get("/"), get("/"))
def blocks_in_a_dependency() -> Any:
    from fastapi import Depends

    app = FastAPI()

    async def session() -> str:
        time.sleep(0.25)  # <- here
        return "session"

    @app.get("/")
    async def index(session: str = Depends(session)) -> str:
        return session

    return app


@failure("LOOP-BLOCKED", "gunicorn#3347", "GET /", get("/"), get("/"))
def waits_for_a_thread_in_a_coroutine() -> Any:
    from concurrent.futures import ThreadPoolExecutor

    app = FastAPI()

    @app.get("/")
    async def index() -> str:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(time.sleep, 0.4).result()  # <- here
        return "done"

    return app


@failure("LOOP-BLOCKED", "fastapi#2601", "WS /feed", ws("/feed", "hi"), get("/health"))
def blocks_in_a_websocket() -> Any:
    app = FastAPI()

    @app.websocket("/feed")
    async def feed(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            time.sleep(0.3)  # <- here
            await socket.send_text(text)

    @app.get("/health")
    async def health() -> str:
        await asyncio.sleep(0.2)
        return "well"

    return app


# --- THREADPOOL-FULL -----------------------------------------------------------------------------


@failure("THREADPOOL-FULL", "fastapi#4221", "GET /report", 45 * [get("/report")],
         says=("40 of 40", "5 sync calls", "report()", "1.00 s"))  # fmt: skip
def more_reports_than_threads() -> Any:
    app = FastAPI()

    @app.get("/report")
    def report() -> str:
        time.sleep(1.0)
        return "done"

    return app


@failure("THREADPOOL-FULL", "starlette#1724", "GET /fast", 40 * [get("/slow")],
         get("/fast", at=0.1), says=("1 sync call ", "slow()"))  # fmt: skip
def a_fast_call_behind_slow_ones() -> Any:
    def slow(request: Request) -> JSONResponse:
        time.sleep(2.0)
        return JSONResponse("done")

    def fast(request: Request) -> JSONResponse:
        return JSONResponse("done")

    return Starlette(routes=[Route("/slow", slow), Route("/fast", fast)])


# --- STREAM-BUFFERED -----------------------------------------------------------------------------


async def ticks(number: int = 5, seconds: float = 0.2) -> AsyncIterator[bytes]:
    for n in range(number):
        yield b"data: %d\n\n" % n
        await asyncio.sleep(seconds)


async def events(request: Request) -> StreamingResponse:
    return StreamingResponse(ticks(), media_type="text/event-stream")


class BufferingMiddleware:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = bytearray()

        async def collect(message: Any) -> None:
            if message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                message = {**message, "body": bytes(body)}
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await self.app(scope, receive, collect)


@failure("STREAM-BUFFERED", "fastapi#5600", "GET /events", get("/events"),
         layer="BufferingMiddleware", says=("held it back", "1.00 s"))  # fmt: skip
def collects_a_stream() -> Any:
    app = Starlette(routes=[Route("/events", events)])
    app.add_middleware(BufferingMiddleware)
    return app


@failure("STREAM-BUFFERED", "starlette PR2753", "GET /events", get("/events"),
         layer="BaseHTTPMiddleware")  # fmt: skip
def logs_a_stream_as_a_whole() -> Any:
    app = FastAPI()
    app.add_api_route("/events", events)

    @app.middleware("http")
    async def log(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        body = b"".join([part async for part in response.body_iterator])
        return StreamingResponse(iter([body[:9], body[9:]]), headers=dict(response.headers))

    return app


# --- STREAM-NOT-STOPPING -------------------------------------------------------------------------


@failure("STREAM-NOT-STOPPING", "fastapi#1342", "GET /numbers", get("/numbers"), get("/health"),
         says=("without yielding",))  # fmt: skip
def counts_without_a_pause() -> Any:
    app = FastAPI()

    @app.get("/numbers")
    async def numbers() -> StreamingResponse:
        async def count() -> AsyncIterator[str]:
            for n in range(300):
                cpu(0.01)
                yield f"{n}\n"

        return StreamingResponse(count())

    @app.get("/health")
    async def health() -> str:
        return "well"

    return app


@failure("STREAM-NOT-STOPPING", "sse-starlette#28", "GET /", get("/", hang_up=after(seconds=0.5)),
         says=("left", "went to nobody"))  # fmt: skip
def catches_what_would_stop_it() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        await receive()

        async def listen() -> None:
            await receive()

        listening = asyncio.create_task(listen())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for n in range(40):
            try:
                part = b"%d" % n
                await send({"type": "http.response.body", "body": part, "more_body": True})
            except OSError:
                pass
            await asyncio.sleep(0.1)
        listening.cancel()

    return app


# --- DISCONNECT-IGNORED --------------------------------------------------------------------------


@failure(
    "DISCONNECT-IGNORED",
    "vllm#10087",
    "GET /generate",
    get("/generate", hang_up=after(seconds=0.5)),
    severity="note",
    says=("left", "2.50 s"),
)
def hears_that_it_left_and_works_on() -> Any:
    app = FastAPI()

    @app.get("/generate")
    async def generate(request: Request) -> str:
        async def listen() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        listening = asyncio.create_task(listen())
        await asyncio.sleep(3.0)
        listening.cancel()
        return "a long text"

    @app.middleware("http")
    async def stamp(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    return app


@failure("DISCONNECT-IGNORED", "starlette discussion 2094", "GET /",
         get("/", hang_up=after(seconds=0.5)), severity="note", layer="Deaf")  # fmt: skip
def keeps_the_disconnect() -> Any:
    class Deaf:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await self.app(scope, receive, send)
                return
            left = asyncio.Event()

            async def listen() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                left.set()

            async def ours() -> Any:
                await asyncio.sleep(60)

            listening = asyncio.create_task(listen())
            await self.app(scope, ours, send)
            listening.cancel()

    async def work(scope: Any, receive: Any, send: Any) -> None:
        asking = asyncio.create_task(receive())
        await asyncio.sleep(2.0)
        asking.cancel()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    class Outer:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                raise NotImplementedError
            await self.app(scope, receive, send)

    return Outer(Deaf(work))


# --- BODY-ALREADY-READ ---------------------------------------------------------------------------


@failure("BODY-ALREADY-READ", "fastapi#394", "POST /items",
         post("/items", "a pen", hang_up=after(seconds=5)), layer="LoggingMiddleware")  # fmt: skip
def logs_the_body_and_keeps_it() -> Any:
    class LoggingMiddleware:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await receive()
            await self.app(scope, receive, send)

    app = FastAPI()

    @app.post("/items")
    async def items(request: Request) -> Any:
        return await request.json()

    app.add_middleware(LoggingMiddleware)
    return app


@failure("BODY-ALREADY-READ", "fastapi#5386", "POST /items",
         post("/items", "a pen", hang_up=after(seconds=5)), says=("the same app",))  # fmt: skip
def reads_the_body_twice() -> Any:
    app = FastAPI()

    @app.post("/items")
    async def items(request: Request) -> Any:
        again = Request(request.scope, request.receive)
        await request.body()
        return await again.json()

    return app


# --- BAD-SEQUENCE --------------------------------------------------------------------------------


@failure("BAD-SEQUENCE", "fastapi#4856", "GET /", get("/"), layer="AuthMiddleware", says=("H2",))
def answers_and_goes_on() -> Any:
    class AuthMiddleware:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await JSONResponse("no", status_code=401)(scope, receive, send)
            await self.app(scope, receive, send)

    app = FastAPI()

    @app.get("/")
    async def index() -> str:
        return "hello"

    app.add_middleware(AuthMiddleware)
    return app


@failure("BAD-SEQUENCE", "channels#1598", "GET /", get("/"), says=("H1",))
def forgets_the_start() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        await send({"type": "http.response.body", "body": b"hello"})  # <- here

    return app


@failure("BAD-SEQUENCE", "starlette#1764", "GET /", get("/"), says=("H5",))
def sends_headers_of_text() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        head = [("content-type", "text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": head})  # <- here
        await send({"type": "http.response.body", "body": b"hello"})

    return app


# --- LIFESPAN-NOT-REACHED ------------------------------------------------------------------------


@failure("LIFESPAN-NOT-REACHED", "starlette#649", "lifespan", get("/"), layer="HTTPOnlyMiddleware")
def lets_only_http_through() -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"pool": "a pool"}

    class HTTPOnlyMiddleware:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await self.app(scope, receive, send)

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def index() -> str:
        return "hello"

    app.add_middleware(HTTPOnlyMiddleware)
    return app


@failure("LIFESPAN-NOT-REACHED", "httpx#1024", "lifespan", get("/"))
def raises_at_startup() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            raise ConnectionError("no database at db:5432")  # <- here
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    return app


@failure("LIFESPAN-NOT-REACHED", "python-sdk#713", "GET /mcp/", get("/mcp/"))
def mounts_an_app_that_must_start() -> Any:
    class Manager:
        started = False

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if not self.started:
                raise RuntimeError("Task group is not initialized. Make sure to use run().")

    async def rejects(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await app(scope, receive, send)

    app = Starlette(routes=[Mount("/mcp", Manager())])
    return rejects


# --- WS-CLOSE-EXPLAINED --------------------------------------------------------------------------


@failure("WS-CLOSE-EXPLAINED", "websockets#551", "WS /chat", ws("/chat", "hello"),
         says=("without websocket.close",))  # fmt: skip
def returns_with_the_socket_open() -> Any:
    app = FastAPI()

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    return app


@failure("WS-CLOSE-EXPLAINED", "uvicorn#667", "WS /chat", ws("/chat", "not json"),
         says=("JSONDecodeError", "after it was accepted"))  # fmt: skip
def raises_in_a_socket() -> Any:
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json(await socket.receive_json())  # <- here

    return Starlette(routes=[WebSocketRoute("/chat", chat)])


@failure("WS-CLOSE-EXPLAINED", "starlette#1362", "WS /chat", ws("/chat", "hello"), severity="note",
         says=("HTTP 403", "4401"))  # fmt: skip
def refuses_with_a_code() -> Any:
    app = FastAPI()

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.close(4401)

    return app


# --- PROXY-MISMATCH ------------------------------------------------------------------------------


@failure("PROXY-MISMATCH", "fastapi#1207", "GET /items",
         get("/items", headers={"x-forwarded-proto": "https", "host": "shop.test"}),
         says=("x-forwarded-proto", "http://shop.test/items/"))  # fmt: skip
def redirects_to_http() -> Any:
    app = FastAPI()

    @app.get("/items/")
    async def items() -> list[str]:
        return []

    return app


class RootPath:
    """What `uvicorn --root-path /api` does."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": "/api", "path": "/api" + scope["path"]}
        await self.app(scope, receive, send)


@failure("PROXY-MISMATCH", "fastapi#10978", "GET /api/hello", get("/api/hello"),
         says=("/api/api/hello", "root_path"))  # fmt: skip
def has_its_prefix_twice() -> Any:
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    return RootPath(app)


# --- AFTER-RESPONSE ------------------------------------------------------------------------------


@failure("AFTER-RESPONSE", "fastapi#404", "POST /signup", post("/signup"), get("/health", at=0.5),
         says=("send_email", "held the event loop", "2.90 s"))  # fmt: skip
def blocks_after_the_response() -> Any:
    app = FastAPI()

    async def send_email() -> None:
        await asyncio.sleep(0.2)
        time.sleep(2.9)  # <- here

    @app.post("/signup")
    async def signup(tasks: BackgroundTasks) -> str:
        tasks.add_task(send_email)
        return "welcome"

    @app.get("/health")
    async def health() -> str:
        return "well"

    return app


@failure("AFTER-RESPONSE", "starlette#919", "POST /signup", post("/signup"),
         says=("raised ConnectionError", "no mail server"))  # fmt: skip
def raises_after_the_response() -> Any:
    app = FastAPI()

    async def send_email() -> None:
        await asyncio.sleep(0.2)
        raise ConnectionError("no mail server")  # <- here

    @app.post("/signup")
    async def signup(tasks: BackgroundTasks) -> str:
        tasks.add_task(send_email)
        return "welcome"

    return app


@failure("AFTER-RESPONSE", "uvicorn PR3156", "GET /", get("/"), severity="note")
def goes_on_for_long() -> Any:
    class Slow(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            return await call_next(request)

    async def later() -> None:
        await asyncio.sleep(30.0)

    app = FastAPI()

    @app.get("/")
    async def index(tasks: BackgroundTasks) -> str:
        tasks.add_task(later)
        return "hello"

    app.add_middleware(Slow)
    return app
