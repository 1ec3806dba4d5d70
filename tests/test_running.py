"""Slices in which a connection's tasks held the loop, on asyncio and uvloop, lazy and eager."""

import asyncio
import contextvars
import gc
import inspect
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_lab import Trace, trace
from tests.driver import Server, http, observe, request

LOOPS: list[tuple[Any, bool]] = [(asyncio.new_event_loop, False)]
if sys.version_info >= (3, 12):
    LOOPS.append((asyncio.new_event_loop, True))
with suppress(ImportError):
    import uvloop

    LOOPS.append((uvloop.new_event_loop, False))
    if sys.version_info[:2] == (3, 12):  # 3.13's early releases refuse what uvloop asks of them
        LOOPS.append((uvloop.new_event_loop, True))

Run = Callable[[Any], Any]


@pytest.fixture(
    params=LOOPS, ids=lambda case: f"{case[0].__module__}{', eager' if case[1] else ''}"
)
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine on each kind of event loop, with lazy and with eager tasks."""
    new_loop, eager = request.param

    def runs(coro: Any) -> Any:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            if eager:
                runner.get_loop().set_task_factory(asyncio.eager_task_factory)
            return runner.run(coro)

    return runs


def both(run: Run, app: Any, incoming: Any = ()) -> tuple[list[Any], Trace]:
    """Call the app bare and traced, show that a server sees the same, and return that."""

    def journal(app: Any) -> list[Any]:
        server = Server(incoming)
        run(server.call(app, http()))
        return server.journal

    traced = trace(app)
    expected = journal(app)
    assert journal(traced) == expected
    return expected, traced.trace


def spans(found: Trace, kind: str = "ran") -> list[tuple[int, int, int]]:
    """`(task, begin, end)` of each span that ends with events of this kind."""
    return [(e.task, e.began or 0, e.t) for e in found if e.kind == kind]


async def nap(times: int = 1) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


# --- the app's own coroutine ---------------------------------------------------------------------


def test_a_slice_ends_where_the_app_awaits(run: Run) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await nap(3)

    _, found = both(run, app)
    assert len(spans(found)) == 4
    assert len({task for task, _, _ in spans(found)}) == 1


def test_slices_of_one_loop_follow_each_other_or_nest(run: Run) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(nap(n))

    _, found = both(run, app)
    ends: list[int] = []
    for _, began, ended in sorted(spans(found), key=lambda span: (span[1], -span[2])):
        while ends and ends[-1] <= began:
            ends.pop()
        assert not ends or ended <= ends[-1]
        ends.append(ended)


def test_every_slice_that_begins_ends(run: Run) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.create_task(nap(5))
        await nap()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        raise LookupError

    _, found = both(run, app)
    assert sorted(began for _, began, _ in spans(found)) == sorted(
        e.t for e in found if e.kind == "run"
    )


# --- child tasks ---------------------------------------------------------------------------------


async def group_of_three(scope: Any, receive: Any, send: Any) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(nap())


async def anyio_group(scope: Any, receive: Any, send: Any) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(nap)


async def gathers(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.gather(nap(), nap(), nap())


async def creates(scope: Any, receive: Any, send: Any) -> None:
    tasks = [asyncio.create_task(nap()), asyncio.ensure_future(nap())]
    tasks.append(asyncio.get_running_loop().create_task(nap()))
    await asyncio.wait(tasks)


@pytest.mark.parametrize("app", [group_of_three, anyio_group, gathers, creates])
def test_children_belong_to_the_connection(app: Any, run: Run) -> None:
    _, found = both(run, app)
    born = [e for e in found if e.kind == "task"]
    ended = [e for e in found if e.kind == "done"]
    assert [e.data["name"] for e in born] == ["nap"] * 3
    assert {e.data["parent"] for e in born} == {1}
    assert sorted(e.task for e in ended) == sorted(e.task for e in born) == [2, 3, 4]
    assert {e.data["outcome"] for e in ended} == {"returned"}
    assert {e.conn for e in found} == {1}


def test_grandchildren_name_their_parent(run: Run) -> None:
    async def child() -> None:
        await asyncio.create_task(nap())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.create_task(child())

    _, found = both(run, app)
    born = [(e.task, e.data["parent"]) for e in found if e.kind == "task"]
    assert born == [(2, 1), (3, 2)]


def test_a_child_that_sends_is_known_by_its_task(run: Run) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def child() -> None:
            await send({"type": "from the child"})

        await asyncio.create_task(child())
        await send({"type": "from the app"})

    _, found = both(run, app)
    assert [(e.type, e.task) for e in found if e.kind == "send"] == [
        ("from the child", 2),
        ("from the app", 1),
    ]


def test_how_children_end_is_known(run: Run) -> None:
    async def fails() -> None:
        await nap()
        raise LookupError("broken")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        forever = asyncio.create_task(asyncio.Event().wait())
        broken = asyncio.create_task(fails())
        await asyncio.wait([broken])
        forever.cancel("enough")
        await asyncio.wait([forever])
        assert isinstance(broken.exception(), LookupError)
        await send({"type": "ended", "cancelled": forever.cancelled()})

    journal, found = both(run, app)
    assert ("sent", "{'type': 'ended', 'cancelled': True}") in journal
    assert {e.data["outcome"] for e in found if e.kind == "done"} == {"LookupError", "cancelled"}


def test_tasks_of_a_base_http_middleware_are_followed(run: Run) -> None:
    async def dispatch(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-seen"] = "yes"
        return response

    async def endpoint(request: Any) -> Any:
        return PlainTextResponse("hello")

    app = Starlette(
        routes=[Route("/", endpoint)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)],
    )
    journal, found = both(run, app, [request()])
    assert "x-seen" in str(journal)
    assert [e.data["name"].rpartition(".")[2] for e in found if e.kind == "task"] == ["coro"]


def test_tasks_of_others_are_left_alone(run: Run) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    traced = trace(app)

    async def main() -> str:
        await traced(http(), Server([]).receive, Server([]).send)
        count = len(traced.trace)
        task = asyncio.create_task(nap())
        coro = task.get_coro()
        await task
        assert len(traced.trace) == count
        return type(coro).__name__

    assert run(main()) in ("coroutine", "NoneType")  # none: an eager task that has ended


# --- what a task shows of itself -----------------------------------------------------------------


def portrait(task: Any) -> list[Any]:
    """What code and debuggers can ask of a running task and its coroutine."""
    coro = task.get_coro()
    return [
        repr(task).replace(hex(id(task)), ""),
        type(task),
        coro.__qualname__,
        coro.__name__,
        coro.cr_code,
        coro.cr_running,
        inspect.iscoroutine(coro),
        inspect.isawaitable(coro),
        asyncio.iscoroutine(coro),
        inspect.getcoroutinestate(coro),
        [frame.f_code for frame in task.get_stack()],
    ]


@pytest.mark.parametrize("debug", [False, True])
def test_a_child_looks_as_before(run: Run, debug: bool) -> None:
    portraits: list[list[Any]] = []

    async def child() -> None:
        await nap(3)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asyncio.get_running_loop().set_debug(debug)
        task = asyncio.create_task(child(), name="a name")
        portraits.append(portrait(task))
        await nap()
        portraits.append(portrait(task))
        await task
        portraits.append([repr(task).replace(hex(id(task)), "")])

    both(run, app)
    assert portraits[:3] == portraits[3:]


def test_a_task_cancelled_before_its_first_step_leaves_no_warning(run: Run) -> None:
    """Under `-W error` a coroutine that was never awaited would fail this test."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.create_task(nap())
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await send({"type": "ended", "cancelled": task.cancelled()})

    _, found = both(run, app)
    gc.collect()
    assert [e.kind for e in found if e.kind in ("task", "done")] == ["task", "done"]


def test_contexts_are_the_childs_own(run: Run) -> None:
    var = contextvars.ContextVar("var", default="unset")

    async def child(value: str) -> str:
        before = var.get()
        var.set(value)
        await nap()
        return before

    async def app(scope: Any, receive: Any, send: Any) -> None:
        var.set("app")
        shared = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        seen = [await asyncio.create_task(child("one")), var.get()]
        seen += [await loop.create_task(child("two"), context=shared), shared[var], var.get()]
        await send({"type": "seen", "seen": seen})

    journal, _ = both(run, app)
    assert "['app', 'app', 'app', 'two', 'app']" in journal[0][1]


def test_order_of_execution_is_the_same(run: Run) -> None:
    """Which step of which task runs when, as seen from within."""

    async def child(n: int, send: Any) -> None:
        for step in range(3):
            await send({"type": "step", "of": (n, step)})
            await nap()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(child(n, send))
        async with anyio.create_task_group() as other:
            for n in range(3, 6):
                other.start_soon(child, n, send)

    journal, _ = both(run, app)
    assert len(journal) == 2 * 18 + 1


def test_nothing_is_kept_alive_without_the_garbage_collector(run: Run) -> None:
    """Results, exceptions and futures die when they did before: no cycles, no left-over names."""

    class Thing:
        pass

    class Broken(Exception):
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        alive = []

        async def child() -> Thing:
            await nap()
            alive.append(weakref.ref(thing := Thing()))
            return thing

        async def broken() -> None:
            await nap()
            error = Broken()
            alive.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error

        async def cancelled() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                alive.append(weakref.ref(error))

        await asyncio.create_task(child())
        task = asyncio.create_task(broken())
        await asyncio.wait([task])
        assert task.exception() is not None
        del task
        task = asyncio.create_task(cancelled())
        await nap()
        task.cancel()
        await task
        del task
        future = asyncio.get_running_loop().create_future()
        alive.append(weakref.ref(future))
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await future
        del future
        await nap(2)
        await send({"type": "dead", "dead": [ref() is None for ref in alive]})

    with no_gc():
        journal, _ = both(run, app)
    assert "[True, True, True, True]" in journal[0][1]


class no_gc:
    def __enter__(self) -> None:
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()


# --- task factories ------------------------------------------------------------------------------


def test_the_users_task_factory_goes_on_making_the_tasks(run: Run) -> None:
    class Task(asyncio.Task[Any]):
        pass

    def factory(loop: Any, coro: Any, **options: Any) -> Any:
        return Task(coro, loop=loop, **options)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        task = asyncio.create_task(nap(), name="mine")
        await task
        await send({"type": "made", "of": type(task).__name__, "name": task.get_name()})

    journal, _ = both(run, app)
    assert "'of': 'Task', 'name': 'mine'" in journal[0][1]


def test_a_factory_set_after_startup_is_followed_and_none_twice(run: Run) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.create_task(nap())

    traced = trace(app)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await traced(http(), Server([]).receive, Server([]).send)
            inner = loop.get_task_factory()
            loop.set_task_factory(lambda *args, _inner=inner, **options: _inner(*args, **options))

    run(main())
    assert [e.conn for e in traced.trace if e.kind == "task"] == [1, 2, 3]


# --- other awaitables, other loops ---------------------------------------------------------------


def test_an_app_may_return_any_awaitable(run: Run) -> None:
    class Awaitable:
        def __await__(self) -> Iterator[Any]:
            yield from nap().__await__()
            return "result"

    def app(scope: Any, receive: Any, send: Any) -> Any:
        return Awaitable()

    def future(scope: Any, receive: Any, send: Any) -> Any:
        return asyncio.ensure_future(nap())

    assert both(run, app)[0] == [("returned", "result")]
    assert both(run, future)[0] == [("returned", None)]


def test_a_loop_that_is_not_asyncios_serves_the_app() -> None:
    trio = pytest.importorskip("trio")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep(0)
        await send({"type": "from trio"})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    traced = trace(app)
    trio.run(traced, http(), None, send)
    assert sent == [{"type": "from trio"}]
    assert [e.kind for e in traced.trace][-1] == "return"


def test_without_run_no_slices_are_noted_and_no_factory_is_set() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert asyncio.get_running_loop().get_task_factory() is None
        await asyncio.create_task(nap())

    traced = trace(app, run=False, rules=False)
    assert observe(traced, http()) == [("returned", None)]
    assert {e.kind for e in traced.trace} == {"scope", "return"}


def test_two_connections_at_once_do_not_mix(run: Run) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(nap(3))
        await send({"type": scope["path"]})

    traced = trace(app)

    async def main() -> None:
        await asyncio.gather(*(Server([]).call(traced, http(f"/{n}")) for n in range(1, 4)))

    run(main())
    for n in range(1, 4):
        mine = [e for e in traced.trace if e.conn == n]
        assert [e.type for e in mine if e.kind == "send"] == [f"/{n}"]
        assert sum(e.kind == "done" for e in mine) == 2
