"""`await run(...)` in a real Jupyter kernel: the same traces, prints, interrupts, nothing left."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from tests.experiments import EXPERIMENTS, print_of

manager = pytest.importorskip("jupyter_client.manager")
pytest.importorskip("ipykernel")

pytestmark = [
    # pyzmq and jupyter_client have some of their own, as the kernel starts and ends
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROOT = Path(__file__).parent.parent
PATIENCE = 60
"""Seconds that a cell has: far more than it needs."""

SETUP = """
import asyncio, pathlib, sys, threading, time
from asgi_lab import compare, cpu, get, real, run, virtual
from tests.experiments import *
from tests.experiments import answer, raw, wsgi
from tests.experiments import EXPERIMENTS, changed, print_of, standing

@raw
async def hello(scope, receive, send):
    await asyncio.to_thread(print, end="")
    await answer(send)

await run(hello(), get("/"), clock=real())  # the first tracer follows pools of threads from now on
before = standing()
"""


@dataclass
class Told:
    """What a cell has come to."""

    out: str = ""
    err: str = ""
    result: str = ""
    error: str = ""


class Kernel:
    """A real kernel, cell by cell."""

    def __init__(self) -> None:
        quiet = {"stderr": subprocess.DEVNULL}  # it warns that it is not encrypted
        env = {**os.environ, "ASGI_LAB_STATIC": "1"}  # widgets: tests/test_notebook_browser.py
        self.manager, self.client = manager.start_new_kernel(cwd=str(ROOT), env=env, **quiet)

    def cell(self, code: str) -> Told:
        """Run a cell to its end."""
        return self.finish(self.client.execute(code))

    def finish(self, number: str) -> Told:
        """Take what a cell says until it has ended."""
        told, until = Told(), time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with suppress(Empty):
                message = self.client.get_iopub_msg(timeout=1)
                if message["parent_header"].get("msg_id") != number:
                    continue
                if take(told, message["msg_type"], message["content"]):
                    return told
        raise AssertionError(f"the cell has not ended; so far: {told}")

    def interrupted(self, code: str, begun: Path) -> Told:
        """Run a cell, and interrupt it once it has made a file."""
        number = self.client.execute(code)
        until = time.monotonic() + PATIENCE
        while not begun.exists():
            assert time.monotonic() < until, self.finish(number)
            time.sleep(0.01)
        self.manager.interrupt_kernel()
        return self.finish(number)

    def close(self) -> None:
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def take(told: Told, kind: str, content: Any) -> bool:
    """Note a message of a cell; return whether it is the last."""
    if kind == "stream":
        if content["name"] == "stdout":
            told.out += content["text"]
        else:
            told.err += content["text"]
    elif kind == "execute_result":
        told.result = content["data"]["text/plain"]
    elif kind == "error":
        told.error = f"{content['ename']}: {content['evalue']}"
    return bool(kind == "status" and content["execution_state"] == "idle")


@pytest.fixture(scope="module")
def fresh() -> Iterator[Kernel]:
    kernel = Kernel()
    told = kernel.cell(SETUP)
    assert (told.error, told.err) == ("", "")
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(fresh: Kernel) -> Iterator[Kernel]:
    """The kernel; afterwards it lives, all is as it was, and runs come out as ever."""
    yield fresh
    told = fresh.cell(
        "assert not changed(before), changed(before)\n"
        "trace = await EXPERIMENTS['raw, threads'].run()\n"
        "print(trace.seconds)"
    )
    assert (told.error, told.out) == ("", "2.0\n")


@pytest.mark.parametrize(
    "name", ["raw", "raw, threads", "starlette, each way", "wsgi, both", "uvicorn, fastapi"]
)
def test_the_same_trace_as_in_a_script(kernel: Kernel, name: str) -> None:
    told = kernel.cell(f"print_of(await EXPERIMENTS[{name!r}].run())")
    assert told.result == repr(print_of(asyncio.run(EXPERIMENTS[name].run())))
    assert (told.out, told.err, told.error) == ("", "", "")


PRINTS = """
@raw
async def prints(scope, receive, send):
    print("before", scope["path"], flush=True)
    print("aside", scope["path"], file=sys.stderr)
    await asyncio.to_thread(lambda: (time.sleep(1.0), print("thread", scope["path"])))
    print("after", scope["path"])
    await answer(send)

print("cell begins")
trace = await run(prints(), get("/a"), get("/b", at=0.5), clock={clock})
print("cell ends", trace.exact)
"""


@pytest.mark.parametrize("clock", ["virtual()", "real()"])
def test_prints_appear_once_and_in_order(kernel: Kernel, clock: str) -> None:
    told = kernel.cell(PRINTS.format(clock=clock))
    middle = ["before /a", "before /b", "thread /a", "after /a", "thread /b", "after /b"]
    exact = str(clock == "virtual()")
    assert told.out.splitlines() == ["cell begins", *middle, f"cell ends {exact}"]
    assert told.err.splitlines() == ["aside /a", "aside /b"]


def test_prints_appear_when_a_run_fails(kernel: Kernel) -> None:
    told = kernel.cell(
        "@raw\n"
        "async def waits(scope, receive, send):\n"
        "    print('waiting')\n"
        "    await asyncio.Event().wait()\n"
        "await run(waits(), get('/'))"
    )
    assert told.out == "waiting\n"
    assert told.error.startswith("Deadlock: ")
    assert "at cell:4 in waits: await asyncio.Event().wait()" in told.error


def test_a_comparison_shows_its_text(kernel: Kernel) -> None:
    told = kernel.cell("await compare(blocking(), sleepy(), 3 * [get('/')])")
    assert "3 times as fast" in told.result


def test_a_trace_shows_what_it_is(kernel: Kernel) -> None:
    told = kernel.cell("trace = await run(sleepy(), get('/'))\ntrace")
    assert told.result.lstrip().startswith("#  method  path")  # its timeline, as text


def test_other_cells_tasks_go_on_afterwards(kernel: Kernel) -> None:
    """The kernel's own event loop is untouched: tasks of earlier cells run in real time."""
    kernel.cell("task = asyncio.create_task(asyncio.sleep(0.01, 'slept'))")
    kernel.cell("await run(sleepy(), get('/'))")
    assert kernel.cell("await task").result == "'slept'"


# Interrupts. Each handler makes a file when it has begun what never ends.

ENDLESS = {
    "handler": """
async def endless(scope, receive, send):
    begun()
    while True:
        pass
""",
    "timers": """
async def endless(scope, receive, send):
    begun()
    while True:
        await asyncio.sleep(0.001)
""",
    "worker": """
def work():
    begun()
    while True:
        pass

async def endless(scope, receive, send):
    await asyncio.to_thread(work)
""",
    "sleeping worker": """
def work():
    begun()
    while True:
        time.sleep(0.001)

async def endless(scope, receive, send):
    await asyncio.to_thread(work)
""",
    "wsgi": """
def endless(environ, start_response):
    begun()
    while True:
        pass
""",
    "stubborn": """
async def endless(scope, receive, send):
    begun()
    while True:
        try:
            while True:
                pass
        except Exception:
            pass
""",
}


THREADS = ("worker", "sleeping worker", "wsgi")


def interrupt(kernel: Kernel, begun: Path, what: str, clock: str) -> None:
    told = kernel.interrupted(
        f"begun = pathlib.Path({str(begun)!r}).touch\n{ENDLESS[what]}\n"
        f"print('before')\nawait run(endless, get('/'), clock={clock})",
        begun,
    )
    assert told.error.startswith(("KeyboardInterrupt", "CancelledError"))
    assert told.out == "before\n"


@pytest.mark.parametrize("what", ENDLESS)
def test_an_interrupt_ends_a_run(kernel: Kernel, tmp_path: Path, what: str) -> None:
    interrupt(kernel, tmp_path / "begun", what, "virtual(horizon=1e9)")


@pytest.mark.parametrize("what", [what for what in ENDLESS if what not in THREADS])
def test_an_interrupt_ends_a_real_run(kernel: Kernel, tmp_path: Path, what: str) -> None:
    interrupt(kernel, tmp_path / "begun", what, "real()")


@pytest.mark.parametrize("what", THREADS)
def test_an_interrupt_ends_a_real_run_with_threads(tmp_path: Path, what: str) -> None:
    """In a kernel of its own, since a thread that stays behind would be seen by later tests."""
    kernel = Kernel()
    try:
        kernel.cell(SETUP)
        interrupt(kernel, tmp_path / "begun", what, "real()")
        assert kernel.cell("print((await run(sleepy(), get('/'))).seconds)").out == "1.0\n"
        told = kernel.cell("assert not changed(before), changed(before)\nawait asyncio.sleep(0)")
        assert told.error == ""
    finally:
        kernel.close()
