"""The app that is measured, and what is put around it."""

from collections.abc import Callable
from typing import Any

HELLO = b"Hello, world!"
CHUNKS = 100

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
}
STREAM_START = {**START, "headers": [(b"content-type", b"text/plain")]}
CHUNK_BODIES = [b"This is chunk number %d." % number for number in range(CHUNKS)]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Say hello; at `/stream`, a hundred chunks; over a WebSocket, echo."""
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["path"] == "/stream":
        await send(STREAM_START)
        for body in CHUNK_BODIES:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body"})
    else:
        await send(START)
        await send({"type": "http.response.body", "body": HELLO})


async def echo(receive: Any, send: Any) -> None:
    """Give back what comes, until the client leaves."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def bare_await(app: Any) -> Any:
    """Wrap `receive` and `send` in coroutines that do nothing else: the least a tracer can cost."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        async def wrapped_receive() -> Any:
            return await receive()

        async def wrapped_send(message: Any) -> None:
            await send(message)

        await app(scope, wrapped_receive, wrapped_send)

    return wrapped


def traced_events(app: Any) -> Any:
    """Trace what passes between server and app, and no more."""
    from asgi_lab import trace

    return trace(app, run=False, layers=False, rules=False)


def traced(app: Any) -> Any:
    """Trace with run slices and layers too."""
    from asgi_lab import trace

    return trace(app, rules=False)


def checked(app: Any) -> Any:
    """Trace with all there is: what passes is checked against the rules of ASGI, too."""
    from asgi_lab import trace

    return trace(app)


def opentelemetry(app: Any) -> Any:
    """Put OpenTelemetry's own ASGI middleware around the app."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    return OpenTelemetryMiddleware(app)


BARE = "untraced"
AWAIT = "a bare await around each call"
EVENTS = "asgi-lab, events alone"
FULL = "asgi-lab, run slices and layers"
RULES = "asgi-lab, and the rules"
UVICORN_TRACE = "uvicorn --log-level trace"
OTEL = "OpenTelemetry's ASGI middleware"

WRAPS: dict[str, Callable[[Any], Any]] = {
    BARE: lambda app: app,
    AWAIT: bare_await,
    EVENTS: traced_events,
    FULL: traced,
    RULES: checked,
    UVICORN_TRACE: lambda app: app,
    OTEL: opentelemetry,
}
"""Each way of running the app, the reference first."""

SERVERS = ("asgi-lab serve", "uvicorn on h11 and asyncio")
"""Ways of serving it untraced, which `bench.servers` compares."""
