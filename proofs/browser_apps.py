"""Apps without threads: they run where there are none to be had, as in a browser's Python."""

import asyncio
from collections.abc import Callable
from typing import Any

from asgi_lab import Deadlock, after, every, expect, get, pause, poisson, post, run, user, ws
from asgi_lab.events import Trace


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Sleep, echo, stream, block, talk; or wait for ever."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await talk(receive, send)
    else:
        await answer(scope["path"], receive, send)


async def talk(receive: Any, send: Any) -> None:
    """Send back what comes, in capitals."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await asyncio.sleep(0.25)
        await send({"type": "websocket.send", "text": message["text"].upper()})


async def answer(path: str, receive: Any, send: Any) -> None:
    """Answer a request as its path says."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    if path == "/never":
        await asyncio.Event().wait()
    if path == "/fail":
        raise ValueError("no such luck")
    await asyncio.wait_for(asyncio.sleep(1), 5)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(10 if path == "/stream" else 1):
        body = f"{number}: {size} bytes\n".encode() * 100
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body"})


WORKLOADS: dict[str, Callable[[], Any]] = {
    "ten at once": lambda: 10 * [get("/")],
    "arrivals": lambda: [every(0.1, 5 * [get("/")]), poisson(5, 5 * [get("/stream")], seed=2)],
    "a body in pieces": lambda: post("/", [b"abc", pause(0.5), b"def"]),
    "users that think": lambda: 3 * [user(get("/"), pause(0.3), get("/stream"))],
    "hang-ups": lambda: [
        get("/stream", hang_up=after(bytes=2000)),
        get("/stream", hang_up=after(seconds=1.35)),
    ],
    "a slow reader": lambda: get("/stream", read_rate=5000),
    "a WebSocket": lambda: ws("/", "hello", expect("HELLO"), pause(1), "bye", expect("BYE")),
    "an error": lambda: get("/fail"),
    "a deadlock": lambda: [get("/"), get("/never")],
}


async def digests() -> dict[str, str]:
    """Return the digest of each workload's trace."""
    found = {}
    for name, clients in WORKLOADS.items():
        trace: Trace
        try:
            trace = await run(app, clients())
        except Deadlock as deadlock:
            trace = deadlock.trace
        found[name] = f"{trace.seconds:g} s  {trace.digest}"
    return found
