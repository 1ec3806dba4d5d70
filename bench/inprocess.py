"""Nanoseconds, without a server: the app's coroutine is driven by hand, and nothing ever waits.

What a send costs is the difference that a hundred more of them make to one request; what a request
costs besides is the rest. Draining the ring is included, as it happens at the end of connections.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from bench.apps import AWAIT, BARE, EVENTS, FULL, RULES, WRAPS, app
from bench.pairs import in_turns

GOAL = 400
SENDS = 102 - 2
"""How many more messages a stream sends than a hello."""

HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"bench"),
    (b"accept", b"*/*"),
]
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "server": ("127.0.0.1", 8000),
    "client": ("127.0.0.1", 51234),
    "scheme": "http",
    "method": "GET",
    "root_path": "",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": HEADERS,
    "state": {},
}


async def receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    pass


async def nanoseconds(app: Any, path: str, calls: int) -> float:
    """Return what one call of the app takes."""
    scope = {**SCOPE, "path": path, "raw_path": path.encode()}
    began = time.perf_counter_ns()
    for _ in range(calls):
        await app({**scope, "headers": [*HEADERS]}, receive, send)
    return (time.perf_counter_ns() - began) / calls


def report(rounds: int, calls: int) -> None:
    """Print what each wrap adds to a request and to a send."""
    apps = {name: WRAPS[name](app) for name in (BARE, AWAIT, EVENTS, FULL, RULES)}
    with asyncio.Runner() as runner:

        def timed(app: Any, path: str, calls: int) -> Callable[[], float]:
            return lambda: runner.run(nanoseconds(app, path, calls))

        hello = in_turns({n: timed(a, "/", calls) for n, a in apps.items()}, rounds)
        stream = in_turns({n: timed(a, "/stream", calls // 25) for n, a in apps.items()}, rounds)
    more = {
        name: [(more - less) / SENDS for more, less in zip(stream[name], hello[name], strict=True)]
        for name in apps
    }
    print("\nin-process: nanoseconds a send, a hello-world request, and over the bare app")
    for name in apps:
        over = partial(_over, name)
        note = f"   goal {GOAL} a send" if name in (EVENTS, FULL) else ""
        print(
            f"  {name:32} send {median(more[name]):6,.0f}  {over(more):+6,.0f}"
            f"   request {median(hello[name]):6,.0f}  {over(hello):+6,.0f}{note}"
        )


def _over(name: str, values: dict[str, list[float]]) -> float:
    return median(a - b for a, b in zip(values[name], values[BARE], strict=True))
