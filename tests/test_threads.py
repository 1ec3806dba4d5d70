"""Work in worker threads: named after the user's function, with its wait and its outcome."""

import asyncio
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio.to_thread
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from asgi_lab import Trace, trace
from asgi_lab.threads import call_name
from tests.driver import Server, get, http, observe, until


def work(n: int = 7) -> int:
    return n


def fail() -> None:
    raise LookupError("broken")


class Job:
    def run(self) -> int:
        return 7

    def __call__(self) -> int:
        return 7


def app_of(call: Callable[[], Any]) -> Any:
    """An app that awaits one call and sends its result."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "result", "value": await call()})

    return app


def in_loop(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    return lambda: asyncio.get_running_loop().run_in_executor(None, function, *args)


CALLS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "anyio": (lambda: anyio.to_thread.run_sync(work), "anyio", "work"),
    "anyio, partial": (lambda: anyio.to_thread.run_sync(partial(work, 3)), "anyio", "work"),
    "anyio, method": (lambda: anyio.to_thread.run_sync(Job().run), "anyio", "Job.run"),
    "anyio, object": (lambda: anyio.to_thread.run_sync(Job()), "anyio", "Job"),
    "to_thread": (lambda: asyncio.to_thread(work, 3), "executor", "work"),
    "to_thread, partial": (lambda: asyncio.to_thread(partial(work, n=3)), "executor", "work"),
    "run_in_executor": (in_loop(work, 3), "executor", "work"),
    "sync_to_async": (lambda: sync_to_async(work)(3), "executor", "work"),
    "sync_to_async, any thread": (
        lambda: sync_to_async(work, thread_sensitive=False)(3), "executor", "work"),
    "sync_to_async, partial": (lambda: sync_to_async(partial(work, 3))(), "executor", "work"),
    "sync_to_async, there and back": (
        lambda: sync_to_async(partial(async_to_sync(sync_to_async(work)), 3))(),
        "executor",
        "AsyncToSync",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_each_pool_is_followed(case: str) -> None:
    call, pool, name = CALLS[case]
    app = app_of(call)
    traced = trace(app)
    assert observe(traced, http()) == observe(app, http())
    found = threads(traced.trace)
    assert found[:3] == [
        ("submit", {"call": name, "pool": pool}),
        ("work", {"thread"}),
        ("worked", {"outcome": "returned"}),
    ]


@pytest.mark.parametrize(
    "call",
    [
        lambda: anyio.to_thread.run_sync(fail),
        lambda: asyncio.to_thread(fail),
        lambda: sync_to_async(fail)(),
        in_loop(fail),
    ],
)
def test_errors_come_through(call: Any) -> None:
    app = app_of(call)
    traced = trace(app)
    expected = observe(app, http())
    assert expected[-1] == ("raised", LookupError, "broken")
    assert observe(traced, http()) == expected
    assert threads(traced.trace)[-1] == ("worked", {"outcome": "LookupError"})


def test_a_sync_endpoint_of_fastapi_is_named() -> None:
    app = FastAPI()

    def database() -> str:
        return "rows"

    @app.get("/")
    def endpoint(rows: str = Depends(database)) -> str:
        return rows

    traced = trace(app)
    assert get(traced) == (200, b'"rows"')
    names = [
        data["call"].rpartition(".")[2] for kind, data in threads(traced.trace) if kind == "submit"
    ]
    assert [name for name in names if name in ("database", "endpoint")] == ["database", "endpoint"]
    assert not [name for name in names if name.startswith("_")]


def test_sync_endpoints_and_generators_of_starlette_are_named() -> None:
    def rows() -> Any:
        yield b"a"
        yield b"b"

    def endpoint(request: Any) -> Any:
        return StreamingResponse(rows())

    traced = trace(Starlette(routes=[Route("/", endpoint)]))
    assert get(traced) == (200, b"ab")
    names = [
        data["call"].rpartition(".")[2] for kind, data in threads(traced.trace) if kind == "submit"
    ]
    assert names == ["endpoint", "rows", "rows", "rows"]


def test_calls_of_no_connection_are_left_alone() -> None:
    traced = trace(app_of(lambda: asyncio.to_thread(work)))
    observe(traced, http())
    before = len(traced.trace)
    assert asyncio.run(asyncio.to_thread(work, 3)) == 3
    assert asyncio.run(anyio_run(work)) == 7
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work, n=4).result() == 4
    assert len(traced.trace) == before


async def anyio_run(function: Callable[[], int]) -> int:
    return await anyio.to_thread.run_sync(function)


def test_work_that_queues_behind_a_full_limiter_says_how_long() -> None:
    """The second call is submitted before the first has ended, and begins after."""
    gate, begun = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        gate.wait()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        limiter = anyio.CapacityLimiter(1)
        async with anyio.create_task_group() as group:
            group.start_soon(partial(anyio.to_thread.run_sync, first, limiter=limiter))
            await asyncio.to_thread(begun.wait)
            group.start_soon(partial(anyio.to_thread.run_sync, work, limiter=limiter))
            await until(lambda: limiter.statistics().tasks_waiting)
            gate.set()

    traced = trace(app)
    observe(traced, http())
    submits = {e.data["call"].rpartition(".")[2]: e.t for e in traced.trace if e.kind == "submit"}
    starts = {e.began: e.t for e in traced.trace if e.kind == "work"}
    ends = {e.began: e.t for e in traced.trace if e.kind == "worked"}
    assert len(submits) == len(starts) == len(ends) == 3
    first_ended = ends[starts[submits["first"]]]
    assert submits["work"] < first_ended <= starts[submits["work"]]


@pytest.mark.parametrize("pool", ["anyio", "executor"])
def test_work_cancelled_while_it_queued_never_ran(pool: str) -> None:
    gate, begun = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        gate.wait()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        limiter, executor = anyio.CapacityLimiter(1), ThreadPoolExecutor(1)
        loop = asyncio.get_running_loop()

        def call(function: Any) -> Any:
            if pool == "anyio":
                return anyio.to_thread.run_sync(function, limiter=limiter)
            return loop.run_in_executor(executor, function)

        blocker = asyncio.ensure_future(call(first))
        await until(begun.is_set)
        queued = asyncio.ensure_future(call(fail))
        await until(lambda: executor._work_queue.qsize() or limiter.statistics().tasks_waiting)
        queued.cancel()
        await asyncio.wait([queued])
        gate.set()
        await blocker
        executor.shutdown()
        await send({"type": "queued was", "cancelled": queued.cancelled()})

    traced = trace(app)
    journal = observe(traced, http())
    assert journal[0] == ("sent", "{'type': 'queued was', 'cancelled': True}")
    begun_at = [e for e in traced.trace if e.kind == "submit" and e.data["call"] == "fail"]
    works = [e for e in traced.trace if e.kind == "work" and e.began == begun_at[0].t]
    ends = [e for e in traced.trace if e.kind == "worked" and e.began == works[0].t]
    assert [e.data["thread"] for e in works] == [0]
    assert [e.data["outcome"] for e in ends] == ["cancelled"]


def test_a_closed_pool_refuses_as_before() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        pool = ThreadPoolExecutor(1)
        pool.shutdown()
        await asyncio.get_running_loop().run_in_executor(pool, work)

    traced = trace(app)
    assert observe(traced, http()) == observe(app, http())
    assert threads(traced.trace)[-1] == ("worked", {"outcome": "cancelled"})


def test_a_finished_call_is_not_kept_by_its_future() -> None:
    class Callback:
        def __call__(self) -> None: ...

    async def app(scope: Any, receive: Any, send: Any) -> None:
        callback = Callback()
        alive = weakref.ref(callback)
        pool = ThreadPoolExecutor(1)
        future = pool.submit(callback)
        del callback
        pool.shutdown()  # waits
        assert future.done()
        assert alive() is None

    asyncio.run(trace(app)(http(), Server([]).receive, Server([]).send))


def test_pools_look_as_before() -> None:
    observe(trace(app_of(lambda: asyncio.to_thread(work))), http())
    assert ThreadPoolExecutor.submit.__qualname__ == "ThreadPoolExecutor.submit"
    assert ThreadPoolExecutor.submit.__doc__ == ThreadPoolExecutor.submit.__wrapped__.__doc__  # type: ignore[attr-defined]


def test_names_are_found_under_what_carries_them() -> None:
    def run(job: Any) -> None: ...

    assert call_name(run, work).endswith("<locals>.run")
    assert call_name(partial(run, work)).endswith("<locals>.run")
    assert call_name(partial(run, function=work)).endswith("<locals>.run")
    assert call_name(partial(partial(work, 1))) == "work"
    assert call_name(len) == "len"


def called(found: Trace) -> list[str]:
    """The functions handed to pools, in order."""
    return [data["call"].rpartition(".")[2] for kind, data in threads(found) if kind == "submit"]


def threads(found: Trace) -> list[tuple[str, Any]]:
    """The thread events, without times and thread numbers."""
    events = []
    for event in found:
        if event.kind in ("submit", "worked"):
            events.append((event.kind, {k: v for k, v in event.data.items() if k != "took"}))
        elif event.kind == "work":
            events.append((event.kind, {"thread"} & set(event.data)))
    return events
