"""Bytes and nanoseconds an event: while it is new, packed, and in a file.

An event is new while its record stands in the ring; a drain packs it, and a while later the ticker
compresses what is packed. The memory of a recorder is filled four times over: what it holds must
not grow after the second.
"""

import asyncio
import gc
import time
import tracemalloc
from typing import Any

from asgi_lab import trace
from asgi_lab.files import encode_records
from asgi_lab.recorder import Recorder
from bench.apps import app
from bench.inprocess import SCOPE, receive, send

LIMIT = 50_000
GOALS = {"new": 180, "packed": 32, "file": 65, "ns": 600}
MIXES = ("hello", "stream", "websocket")


def report() -> None:
    """Print what an event takes in each mix of messages."""
    print("\nbytes an event: new in the ring, packed and compressed, in a file; and writing it")
    for mix in MIXES:
        new, packed, growth = memory(mix)
        size, nanoseconds = written(mix)
        print(
            f"  {mix:12} new {new:5.0f}   packed {packed:5.1f}   file {size:5.1f} B, "
            f"{nanoseconds:4.0f} ns   growth once full {growth:+.1%}"
        )
    print(f"  {'goal':12} new {GOALS['new']:5}   packed {GOALS['packed']:5.1f}   "
          f"file {GOALS['file']:5.1f} B, {GOALS['ns']:4} ns")  # fmt: skip


def memory(mix: str) -> tuple[float, float, float]:
    """Return bytes an event new and packed, and by how much a full ring grows when refilled."""
    recorder = Recorder(limit=LIMIT)
    recorder.drain = lambda: None  # type: ignore[method-assign]
    gc.collect()
    tracemalloc.start()
    fill(recorder, mix, 5_000)
    new = tracemalloc.get_traced_memory()[0] / recorder.total
    tracemalloc.stop()

    recorder = Recorder(limit=LIMIT)
    tracemalloc.start()
    full = [held(recorder, mix) for _ in range(4)]
    tracemalloc.stop()
    return new, full[-1] / LIMIT, full[-1] / full[1] - 1


def held(recorder: Recorder, mix: str) -> int:
    """Fill the ring once more; return the bytes it holds, packed and compressed."""
    fill(recorder, mix, recorder.total + LIMIT + LIMIT // 10)
    recorder.drain()
    recorder.compress()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def written(mix: str) -> tuple[float, float]:
    """Return bytes and nanoseconds an event of a trace file."""
    recorder = Recorder(limit=LIMIT)
    fill(recorder, mix, 20_000)
    _, records = recorder.read()
    best, size = 1e18, 0
    for _ in range(5):
        began = time.perf_counter_ns()
        size = sum(map(len, encode_records(records, recorder.origin)))
        best = min(best, time.perf_counter_ns() - began)
    return size / len(records), best / len(records)


def fill(recorder: Recorder, mix: str, total: int) -> None:
    """Let connections of one kind pass until the recorder has seen so many events."""
    traced = trace(app, recorder=recorder)
    number = 0

    async def chat() -> Any:
        nonlocal number
        number += 1
        if number % 100 == 1:
            return {"type": "websocket.connect"}
        if number % 100 == 0:
            return {"type": "websocket.disconnect", "code": 1000}
        return {"type": "websocket.receive", "text": f"message number {number}"}

    async def main() -> None:
        while recorder.total < total:
            if mix == "websocket":
                await traced({**SCOPE, "type": "websocket", "path": "/ws"}, chat, send)
            else:
                path = {"hello": "/", "stream": "/stream"}[mix]
                await traced({**SCOPE, "path": path}, receive, send)

    asyncio.run(main())
    traced.ticker.stop()  # or it would go on compressing while the next is measured
