"""The watchdog: which request, and which line, holds an event loop; and silence where none does.

The real clock, as it is the one that is watched. No test asks how long anything took: only that it
was longer than the limit, which the app sees to.
"""

import asyncio
import gc
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from asgi_lab import trace
from asgi_lab.types import Receive, Scope, Send
from asgi_lab.watchdog import call_at

LOOPS = ["asyncio", *(["uvloop"] if sys.implementation.name == "cpython" else [])]
LIMIT = 0.2

SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}


def serve(work: Any, loop: str = "asyncio", **options: Any) -> Any:
    """Call a traced app once, in a loop of its own; return the events that tell of blocks."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await work()

    traced = trace(app, rules=False, **{"watchdog": LIMIT, **options})

    async def main() -> None:
        await traced(dict(SCOPE), nothing, nothing)
        await asyncio.sleep(3 * LIMIT)  # the watchdog tells what it saw when it looks again

    if loop == "uvloop":
        uvloop = pytest.importorskip("uvloop")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    else:
        asyncio.run(main())
    return [event for event in traced.trace if event.kind == "block"]


async def nothing(*_: Any) -> Any:
    """Neither sends nor receives."""


def spin(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass  # the line that is at work


async def sleeps() -> None:
    await asyncio.sleep(0)
    time.sleep(3 * LIMIT)


async def computes() -> None:
    spin(3 * LIMIT)


async def in_a_child() -> None:
    await asyncio.create_task(sleeps())


async def in_c() -> None:
    sum(range(10_000_000))  # lets no other thread run


def line(function: Any, offset: int) -> str:
    number = function.__code__.co_firstlineno + offset
    file = "/".join(__name__.split(".")) + ".py"
    return f"{file}:{number} in {function.__name__}"


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("work", "lines", "calls"),
    [
        (sleeps, [line(sleeps, 2)], {"time.sleep"}),
        (computes, [line(spin, 2), line(spin, 3)], {"spin", "time.perf_counter"}),
        (in_a_child, [line(sleeps, 2)], {"time.sleep"}),
        (in_c, [line(in_c, 1)], {"sum"}),
    ],
)
def test_a_block_names_request_line_and_call(
    loop: str, work: Any, lines: list[str], calls: set[str]
) -> None:
    blocks = serve(work, loop)
    assert {block.conn for block in blocks} == {1}
    assert {block.data["at"] for block in blocks} <= {*lines}
    assert {block.data["call"] for block in blocks} <= calls
    assert all(block.took >= LIMIT * 1e9 for block in blocks)
    assert len({block.began for block in blocks}) == 1  # what goes on for long is told again


@pytest.mark.parametrize("run", [True, False])
def test_without_slices_the_request_is_known_all_the_same(run: bool) -> None:
    (block,) = serve(sleeps, run=run)
    assert block.conn == 1
    assert block.data["at"] == line(sleeps, 2)


def test_code_of_no_request_is_seen_too() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.001, spin, 4 * LIMIT, context=__import__("contextvars").Context())
        await asyncio.sleep(0.01)

    (block,) = serve(work)
    assert block.conn == 0
    assert block.data["at"] in (line(spin, 2), line(spin, 3))


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_that_waits_raises_no_alarm(loop: str) -> None:
    async def in_a_thread() -> None:
        await asyncio.to_thread(time.sleep, 3 * LIMIT)

    async def busy() -> None:
        for _ in range(100):
            spin(LIMIT / 10)
            await asyncio.sleep(0)

    async def idle() -> None:
        await asyncio.sleep(3 * LIMIT)

    for work in (in_a_thread, idle):
        assert serve(work, loop) == []
    assert serve(busy, loop, watchdog=8 * LIMIT) == []


def test_it_can_be_switched_off() -> None:
    assert serve(sleeps, watchdog=None) == []


def test_its_thread_ends_with_the_loops_that_it_watches() -> None:
    serve(sleeps)
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "asgi-lab watchdog":
            thread.join(5)
            assert not thread.is_alive()


def test_what_is_called_is_named_without_its_arguments() -> None:
    client: Any = None

    def call() -> None:
        client.session("secret").query("SELECT secret").all()

    def compute() -> int:
        return 2 + len

    def named(function: Any) -> set[str]:
        code = function.__code__
        return {call_at(code, offset) for offset in range(0, len(code.co_code), 2)}

    assert named(call) >= {"client.session().query().all", "client.session"}
    assert named(compute) == {"compute"}
    assert not any("secret" in name for name in named(call))


SCRIPT = """
import asyncio, json, time
from asgi_lab import trace

async def app(scope, receive, send):
    time.sleep(0.15)

app = trace(app, watchdog=0.05)

async def nothing(*message): pass

async def main():
    await app({"type": "http", "method": "GET", "path": "/", "headers": []}, nothing, nothing)
    await asyncio.sleep(0.3)

asyncio.run(main())
print(json.dumps([dict(e.data) for e in app.trace if e.kind == "block"]))
"""


def test_a_script_that_runs_the_loop_itself_is_no_culprit(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(SCRIPT)
    said = subprocess.check_output([sys.executable, "main.py"], cwd=tmp_path, text=True)
    assert [block["at"] for block in json.loads(said)] == ["main.py:6 in app"]
