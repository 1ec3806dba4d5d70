"""The diagnoses in full: how each comes about, how to see it, how to mend it."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

CHAPTERS = {
    "05": "05_scope_receive_send",
    "07": "07_blocking_the_loop",
    "08": "08_lifespan_and_background",
    "09": "09_middleware",
    "10": "10_streaming",
    "11": "11_websockets",
    "16": "16_workers_and_deployment",
}
"""Chapters of the course by number, with their slugs."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One diagnosis, told to somebody who has the problem."""

    id: str
    title: str
    reads: str
    """What a trace says, for example."""
    comes: str
    """How it comes about."""
    see: str
    """How to see it."""
    before: str
    after: str
    unseen: str
    """What of it cannot be seen from ASGI, and where to look instead."""
    chapter: str
    sources: tuple[str, ...]
    """Where others met it, and where it is specified."""


def find(name: str) -> Explained:
    """Return a diagnosis by its id. Raises `KeyError` that says what is near."""
    wanted = name.strip().upper().replace("_", "-")
    if known := CATALOGUE.get(wanted):
        return known
    near = difflib.get_close_matches(wanted, CATALOGUE, n=3, cutoff=0.4)
    near += [one for one in CATALOGUE if wanted and wanted in one and one not in near]
    hint = f"did you mean {', '.join(near)}?" if near else "asgi-lab explain lists them all"
    raise KeyError(f"expected the id of a diagnosis, such as LOOP-BLOCKED, got {name!r}; {hint}")


GITHUB = "https://github.com/"
SPEC = "https://asgi.readthedocs.io/en/latest/"

_ALL = (
    Explained(
        "LOOP-BLOCKED",
        "a request holds the event loop, and nothing else runs",
        "Nothing else ran for 991 ms: GET /slow (#3) held the event loop in time.sleep(), at "
        "app.py:7 in slow; 3 requests waited (#4, #5, #6).",
        "One thread runs all coroutines of a process, in turns. A turn ends where a coroutine "
        "awaits something that is not ready yet. time.sleep, requests.get, a synchronous database "
        "driver, a long computation: none of them awaits, so nobody else gets a turn meanwhile: no "
        "request, no health check, no WebSocket ping. A plain `def` endpoint of FastAPI or "
        "Starlette has a thread of its own, and holds up nobody.",
        'asgi-lab trace main:app -r "GET /slow" -r "GET /" -c 2\n'
        "The solid bar holds the loop; the broken ones beside it could not run. A thread looks at "
        "the loop's stack when it is held for more than 100 ms (--watchdog SECONDS).",
        '@app.get("/slow")\n'
        "async def slow():\n"
        '    return requests.get("https://api.example.com").json()',
        '@app.get("/slow")\n'
        "async def slow():\n"
        "    async with httpx.AsyncClient() as client:\n"
        '        return (await client.get("https://api.example.com")).json()\n'
        "\n"
        '@app.get("/slow")\n'
        "def slow():                       # or: a plain def runs in a worker thread\n"
        '    return requests.get("https://api.example.com").json()',
        "A call into C that keeps the interpreter to itself (a regular expression, a big "
        "json.dumps) stops the watchdog, too: it names the line if it is the first to run again.",
        CHAPTERS["07"],
        (GITHUB + "fastapi/fastapi/issues/2601", GITHUB + "fastapi/fastapi/issues/1806",
         GITHUB + "benoitc/gunicorn/issues/3347",
         "https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code"),
    ),
    Explained(
        "DISCONNECT-IGNORED",
        "the client has left, and the app works on",
        "The client of GET /report (#4) left at 841 ms; the app worked 1.20 s more for nobody. The "
        "event went no further than BaseHTTPMiddleware.",
        "A server tells an app that its client has left in one way: receive() returns "
        "http.disconnect. An app that never calls receive() again does not hear of it, and nothing "
        "is cancelled by itself. A middleware may ask in its place, and keep the answer.",
        'asgi-lab trace main:app --view layers --conn 4\nIn Python: await run(app, '
        'get("/report", hang_up=after(seconds=0.5)))',
        "async def report(request):\n"
        "    rows = await compute()          # 30 s, whoever still waits\n"
        "    return JSONResponse(rows)",
        "async def report(request):\n"
        "    work = asyncio.create_task(compute())\n"
        "    while not work.done():\n"
        "        if await request.is_disconnected():\n"
        "            work.cancel()\n"
        "            return Response(status_code=499)\n"
        "        await asyncio.wait([work], timeout=0.5)\n"
        "    return JSONResponse(work.result())",
        "If nobody receives, the trace does not know either that the client has left; the log of "
        "the proxy does (Nginx: status 499). Work that must be done in any case is rightly ended.",
        CHAPTERS["10"],
        (GITHUB + "encode/starlette/discussions/2094", GITHUB + "vllm-project/vllm/issues/10087",
         SPEC + "specs/www.html#disconnect-receive-event"),
    ),
    Explained(
        "BAD-SEQUENCE",
        "a message breaks a rule of ASGI",
        "GET / (#2): http.response.body in state 'waiting': nothing has been sent (rule H1, broken "
        "by your app).",
        "ASGI says which message may follow which, and what each must hold. Most breaches come of "
        "two parties answering (a handler and an error handler), of a middleware that forgets a "
        "message, or of a str where bytes are due. Servers differ in what they do about it.",
        "asgi-lab trace main:app --view states --conn 2\nasgi-lab rules H1",
        "async def app(scope, receive, send):\n"
        '    await send({"type": "http.response.body", "body": b"hello"})',
        "async def app(scope, receive, send):\n"
        '    await send({"type": "http.response.start", "status": 200, "headers": []})\n'
        '    await send({"type": "http.response.body", "body": b"hello"})',
        "What a server makes of a message on the wire (framing, flushing) is not in the messages.",
        CHAPTERS["05"],
        (GITHUB + "encode/starlette/issues/1764", GITHUB + "encode/starlette/issues/1634",
         GITHUB + "fastapi/fastapi/issues/4856", GITHUB + "django/channels/issues/1598",
         SPEC + "specs/www.html"),
    ),
    Explained(
        "BODY-ALREADY-READ",
        "an app waits for a body that another has read",
        "POST /items (#2) waits in receive() for a body that was delivered at 2.10 ms to "
        "LoggingMiddleware: 5.00 s so far, and no response has begun.",
        "The parts of a request's body are given once, to whoever calls receive() first. After the "
        "last one, receive() waits for the client to leave. A middleware that reads the body for "
        "its log leaves the app behind it waiting for a message that never comes; so does "
        "`is_disconnected()`, or a stream, before `.json()`.",
        "asgi-lab trace main:app --view layers --conn 2",
        "class LoggingMiddleware:\n"
        "    async def __call__(self, scope, receive, send):\n"
        "        message = await receive()\n"
        '        log(message.get("body"))\n'
        "        await self.app(scope, receive, send)",
        "class LoggingMiddleware:\n"
        "    async def __call__(self, scope, receive, send):\n"
        "        async def reading():\n"
        "            message = await receive()       # looks at what passes, and hands it on\n"
        '            log(message.get("body"))\n'
        "            return message\n"
        "\n"
        "        await self.app(scope, reading, send)",
        "A wait with another task beside it is not told: that may be one that listens for the "
        "client to leave.",
        CHAPTERS["09"],
        (GITHUB + "fastapi/fastapi/issues/394", GITHUB + "fastapi/fastapi/issues/1587",
         GITHUB + "fastapi/fastapi/issues/5386", SPEC + "specs/www.html#request-receive-event"),
    ),
    Explained(
        "LIFESPAN-NOT-REACHED",
        "startup never ran, or failed unseen",
        "Startup never reached FastAPI: HTTPOnlyMiddleware returned at once, and passed only "
        "requests on.",
        "Startup and shutdown are a conversation of their own, with scope['type'] 'lifespan', in "
        "which a server calls the same app as for requests. A middleware that knows http alone "
        "ends it. An exception in it means `I know no lifespan`, so a real error at startup may "
        "pass for that. Daphne, httpx's ASGITransport and mounting send none at all.",
        'asgi-lab trace main:app -r "GET /" --view layers --conn 1',
        "class HTTPOnlyMiddleware:\n"
        "    async def __call__(self, scope, receive, send):\n"
        '        if scope["type"] == "http":\n'
        "            await self.app(scope, receive, send)",
        "class HTTPOnlyMiddleware:\n"
        "    async def __call__(self, scope, receive, send):\n"
        '        if scope["type"] != "http":\n'
        "            return await self.app(scope, receive, send)\n"
        "        ...\n"
        "\n"
        "# a mounted app is started by the app that mounts it:\n"
        "@asynccontextmanager\n"
        "async def lifespan(app):\n"
        "    async with shop.router.lifespan_context(shop):\n"
        "        yield\n"
        "\n"
        "app = FastAPI(lifespan=lifespan)\n"
        'app.mount("/shop", shop)',
        "Whether an app needs its lifespan is not to be seen. A mounted app is no layer of its own "
        "here: that it has not started shows only in the error of a request, if its message says "
        "so (`'State' object has no attribute ...`, `not initialized`). A plain app that raises at "
        "lifespan.startup since it knows requests alone is in order, and not told.",
        CHAPTERS["08"],
        (GITHUB + "encode/starlette/issues/649", GITHUB + "encode/httpx/issues/350",
         GITHUB + "modelcontextprotocol/python-sdk/issues/713",
         GITHUB + "modelcontextprotocol/python-sdk/issues/1367", SPEC + "specs/lifespan.html"),
    ),
    Explained(
        "SHUTDOWN-HELD",
        "open requests hold the exit",
        "The exit was held for 8.20 s by 2 open requests: GET /events (#2, #3); none of them "
        "receives, so they cannot learn of it.",
        "A server that is told to stop lets open requests finish. A stream without an end never "
        "does. WebSockets are closed (1012), but an HTTP app is told nothing.",
        "asgi-lab trace main:app    then open the stream, and press Ctrl-C",
        "async def events():\n"
        "    while True:\n"
        "        yield await queue.get()",
        "stopping = asyncio.Event()\n"
        "\n"
        "@asynccontextmanager\n"
        "async def lifespan(app):          # needs the main thread: TestClient uses another\n"
        "    loop = asyncio.get_running_loop()\n"
        "    for number in (signal.SIGTERM, signal.SIGINT):\n"
        "        server = signal.getsignal(number)      # the server's own: it runs after ours\n"
        "\n"
        "        def stop(number, frame, server=server):\n"
        "            loop.call_soon_threadsafe(stopping.set)\n"
        "            server(number, frame)\n"
        "\n"
        "        signal.signal(number, stop)\n"
        "    yield\n"
        "\n"
        "app = FastAPI(lifespan=lifespan)\n"
        "\n"
        "async def events():\n"
        "    while not stopping.is_set():\n"
        "        try:\n"
        "            yield await asyncio.wait_for(queue.get(), timeout=1.0)\n"
        "        except TimeoutError:\n"
        "            continue\n"
        "\n"
        "# and in any case: uvicorn main:app --timeout-graceful-shutdown 5",
        "When a server was told to stop is known only to who told it: to `asgi-lab trace`, and "
        "not to an app that you traced yourself.",
        CHAPTERS["16"],
        (GITHUB + "encode/uvicorn/issues/451", GITHUB + "sysid/sse-starlette/issues/1",
         GITHUB + "sysid/sse-starlette/issues/124"),
    ),
    Explained(
        "THREADPOOL-FULL",
        "sync calls queue for a worker thread",
        "40 of 40 worker threads were busy: 5 sync calls had to wait, up to 1.04 s (GET /report "
        "(#41), report()); the threads were taken by report(), 1.00 s each.",
        "FastAPI and Starlette run plain `def` endpoints, sync dependencies and files in threads, "
        "so that they do not hold the loop: at most 40 at once. The next one waits, whatever it "
        "would do; so a slow endpoint holds up fast ones. Apps that are mounted share the pool. "
        "asgiref's sync_to_async (Django's sync views, Channels) has one thread for all, unless "
        "thread_sensitive=False.",
        'asgi-lab trace main:app -r "GET /report" -n 60 -c 60\nThe low bars queue for a thread.',
        '@app.get("/report")\n'
        "def report():\n"
        '    return requests.get("http://slow.internal/report").json()',
        "client = httpx.AsyncClient()\n"
        "\n"
        '@app.get("/report")\n'
        "async def report():               # what waits needs no thread\n"
        '    return (await client.get("http://slow.internal/report")).json()\n'
        "\n"
        "# or more threads, in the lifespan function:\n"
        "anyio.to_thread.current_default_thread_limiter().total_tokens = 100\n"
        "\n"
        "# or a thread each, with asgiref, if the calls share nothing:\n"
        "rows = await sync_to_async(load, thread_sensitive=False)()",
        "The size of a pool is taken to be the most threads that were at work at once. Threads "
        "that a library starts for itself are not seen.",
        CHAPTERS["07"],
        (GITHUB + "fastapi/fastapi/issues/4221", GITHUB + "encode/starlette/issues/1724",
         "https://anyio.readthedocs.io/en/stable/threads.html"),
    ),
    Explained(
        "STREAM-BUFFERED",
        "a middleware holds a stream back",
        "The first chunk of GET /events (#2) left the app at 112 ms and reached the server at "
        "1.11 s: BufferingMiddleware held it back for 1.00 s.",
        "A middleware that changes a body must have it: many collect it all before they pass any "
        "of it on. For a file that is fine. A stream arrives in one piece, at its end, or never.",
        "asgi-lab trace main:app --view layers --conn 2",
        "async def collect(message):\n"
        '    if message["type"] == "http.response.body":\n'
        '        body.extend(message["body"])\n'
        '        if not message.get("more_body"):\n'
        '            await send({**message, "body": change(body)})',
        "async def pass_on(message):\n"
        '    if message["type"] == "http.response.body":\n'
        '        message = {**message, "body": change(message["body"])}\n'
        "    await send(message)\n"
        "\n"
        '@app.middleware("http")            # or, as a function:\n'
        "async def log(request, call_next):\n"
        "    response = await call_next(request)\n"
        "    response.body_iterator = each(response.body_iterator)\n"
        "    return response\n"
        "\n"
        "async def each(parts):\n"
        "    async for part in parts:\n"
        "        yield change(part)",
        "A proxy in front buffers, too, and is not seen from here: Nginx needs "
        "`proxy_buffering off` or the header `x-accel-buffering: no`.",
        CHAPTERS["10"],
        (GITHUB + "encode/starlette/pull/2753", GITHUB + "fastapi/fastapi/issues/5600",
         GITHUB + "paperless-ngx/paperless-ngx/issues/12161"),
    ),
    Explained(
        "STREAM-NOT-STOPPING",
        "a stream lets nobody else run, or does not stop",
        "GET /numbers (#2) sent 393,374 chunks without yielding to the event loop, for 2.90 s.",
        "`await` does not mean `let others run`: a coroutine yields only where it has to wait. "
        "send() need not wait while there is room in the buffer, nor for a client that has left. A "
        "generator that computes its chunks never waits either, so the loop is held, and the "
        "disconnect stays unread.",
        'asgi-lab trace main:app    then: curl -N http://127.0.0.1:8000/numbers | head -1',
        "async def numbers():\n"
        "    n = 0\n"
        "    while True:\n"
        '        yield f"{n}\\n"\n'
        "        n += 1",
        "async def numbers():\n"
        "    n = 0\n"
        "    while True:\n"
        '        yield f"{n}\\n"\n'
        "        n += 1\n"
        "        await asyncio.sleep(0)      # others run, and a cancellation arrives",
        "",
        CHAPTERS["10"],
        (GITHUB + "fastapi/fastapi/issues/1342", GITHUB + "sysid/sse-starlette/issues/28",
         GITHUB + "litestar-org/litestar/issues/4394"),
    ),
    Explained(
        "WS-CLOSE-EXPLAINED",
        "why a WebSocket closed with that code",
        "WS /chat (#3): the handler returned after 812 ms without websocket.close. The browser "
        "sees 1006 (Hypercorn: 1011, Daphne: no close, Granian: 1005).",
        "1006 is no code on the wire: a browser shows it when no close came at all, and when the "
        "handshake was refused. Which event caused it stands only on the server's side. A close "
        "before the accept is HTTP 403. What a browser sees when the handler raises, or just "
        "returns, differs from server to server: see notebooks/servers.md.",
        'asgi-lab trace main:app -r "WS /chat hello"\n'
        "asgi-lab trace main:app --view states --conn 3",
        '@app.websocket("/chat")\n'
        "async def chat(websocket: WebSocket):\n"
        "    if not allowed(websocket):\n"
        "        await websocket.close(4401)     # the browser sees 1006: no code, no reason\n"
        "        return",
        '@app.websocket("/chat")\n'
        "async def chat(websocket: WebSocket):\n"
        "    await websocket.accept()\n"
        "    if not allowed(websocket):\n"
        '        await websocket.close(4401, "please sign in")\n'
        "        return",
        "Idle time-outs of proxies and phones that change their network look alike: 1006. Pings "
        "and pongs stay in the server.",
        CHAPTERS["11"],
        (GITHUB + "python-websockets/websockets/issues/551",
         GITHUB + "encode/starlette/issues/1362", GITHUB + "encode/uvicorn/issues/667",
         "https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1"),
    ),
    Explained(
        "PROXY-MISMATCH",
        "proxy and app do not agree on path or scheme",
        "/api/api/hello was not found (#2): both the proxy's path and root_path bring /api.",
        "root_path says which prefix the proxy has cut off; the server puts it in front of the "
        "path again. If the proxy cuts nothing off, it stands there twice. And a server believes "
        "x-forwarded-proto only of proxies that it trusts: of others it takes https for http, and "
        "makes redirects and URLs that browsers refuse.",
        "asgi-lab trace main:app --view events --conn 2 -- --root-path /api",
        "uvicorn main:app --root-path /api\n"
        "location /api/ { proxy_pass http://app:8000; }      # Nginx: passes /api/hello on",
        "uvicorn main:app --root-path /api --forwarded-allow-ips 10.0.0.5\n"
        "location /api/ { proxy_pass http://app:8000/; }     # with the slash: passes /hello on",
        "What a proxy changed, queued or timed out before the server saw it: its own log tells.",
        CHAPTERS["16"],
        (GITHUB + "fastapi/fastapi/issues/10978", GITHUB + "fastapi/fastapi/issues/1207",
         GITHUB + "Kludex/starlette/pull/3293", "https://fastapi.tiangolo.com/advanced/behind-a-proxy/"),
    ),
    Explained(
        "AFTER-RESPONSE",
        "an app goes on, or raises, after its response",
        "POST /signup (#5) went on for 3.10 s after its last byte, and held the event loop for "
        "2.90 s of it in smtplib.SMTP(), at mail.py:12 in send_email.",
        "A background task runs after the response, and yet in the same process, loop and call of "
        "the app. An `async def` task that blocks holds up all requests; one that raises reaches "
        "only the server's log; and all of them end with the process.",
        'asgi-lab trace main:app -r "POST /signup" --view sequence',
        "async def send_email():\n"
        '    smtplib.SMTP("mail").sendmail(...)      # in the loop\n'
        "\n"
        "tasks.add_task(send_email)",
        "def send_email():                  # a plain def: in a thread\n"
        '    smtplib.SMTP("mail").sendmail(...)\n'
        "\n"
        "tasks.add_task(send_email)\n"
        "# work that must not be lost: a queue (Celery, arq, Dramatiq)",
        "Tasks that were handed to a queue or to another process are out of sight.",
        CHAPTERS["08"],
        (GITHUB + "fastapi/fastapi/issues/404", GITHUB + "encode/starlette/issues/919",
         GITHUB + "Kludex/uvicorn/pull/3156"),
    ),
)  # fmt: skip

CATALOGUE: Mapping[str, Explained] = {one.id: one for one in _ALL}
"""Every diagnosis by its id."""

NEVER_SEEN = (
    ("keep-alive time-outs between a proxy and the server (502 now and then)",
     "compare their settings: the server's must be the longer"),
    ("requests that queue before the server accepts them",
     "the proxy's time to connect; `ss -ltn`: Recv-Q of the listening socket"),
    ("TLS, HTTP/2 framing, pings, what the kernel buffers", "the server's debug log; tcpdump"),
    ("what a proxy changes, buffers or cuts off", "the proxy's log, beside this trace"),
    ("memory, and work in other processes", "py-spy, memray, the queue's own dashboard"),
)  # fmt: skip
"""What no trace of ASGI shows, and what to look at instead."""
