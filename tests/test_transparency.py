"""The law: the tracer never changes what it observes.

Each case is an app and what a server does to it. The same function observes the app bare and
traced, in every mode of the tracer, and must see the same.
"""

import asyncio
import contextvars
import gc
import tracemalloc
import weakref
from collections.abc import Callable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from asgi_lab import trace
from asgi_lab.atoms import PREVIEW
from asgi_lab.recorder import Recorder
from tests.driver import (
    CONNECT,
    GONE,
    SHUTDOWN,
    STARTUP,
    App,
    Server,
    http,
    lifespan,
    observe,
    request,
    text,
    until,
    websocket,
)

WRAPS: dict[str, Callable[[App], App]] = {
    f"run={run} layers={layers}": lambda app, run=run, layers=layers: trace(
        app, run=run, layers=layers
    )
    for run in (True, False)
    for layers in (True, False)
}
WRAPS["twice"] = lambda app: trace(trace(app))
WRAPS["within"] = lambda app: trace(Middleware(trace(app)))


@pytest.fixture(params=WRAPS)
def wrap(request: pytest.FixtureRequest) -> Callable[[App], App]:
    return WRAPS[request.param]


class Middleware:
    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return await self.app(scope, receive, send)


# --- the case table ------------------------------------------------------------------------------


async def hello(scope: Any, receive: Any, send: Any) -> str:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"hello"})
    return "a result"


async def streams(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for n in range(5):
        await send({"type": "http.response.body", "body": b"%d" % n, "more_body": True})
    await send({"type": "http.response.body"})


async def echoes(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def serves_lifespan(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    scope["state"]["pool"] = "a pool"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def raises(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise LookupError("broken")


async def raises_a_base_exception(scope: Any, receive: Any, send: Any) -> None:
    raise GeneratorExit("odd")


async def cancels_itself(scope: Any, receive: Any, send: Any) -> None:
    raise asyncio.CancelledError("enough")


async def swallows(scope: Any, receive: Any, send: Any) -> None:
    try:
        await send({"type": "http.response.start", "status": 200, "headers": []})
    except OSError as error:
        await send({"type": "http.response.body", "body": str(error).encode()})


async def sends_junk(scope: Any, receive: Any, send: Any) -> None:
    for message in JUNK:
        await send(message)


async def receives(scope: Any, receive: Any, send: Any) -> None:
    for _ in range(3):
        await send({"type": "seen", "message": repr(await receive())})


async def waits_for_a_child(scope: Any, receive: Any, send: Any) -> None:
    async def child() -> int:
        await asyncio.sleep(0)
        return 7

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(child()) for _ in range(3)]
    await send({"type": "http.response.body", "body": bytes(t.result() for t in tasks)})


async def times_out(scope: Any, receive: Any, send: Any) -> None:
    try:
        async with asyncio.timeout(0):
            await receive()
    except TimeoutError:
        await send({"type": "http.response.start", "status": 504, "headers": []})


async def says_too_few() -> None:
    """Not an app: it takes no arguments."""


class Odd:
    """Unhashable, never equal, without a text."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __len__(self) -> int:
        raise RuntimeError("measured")

    def __iter__(self) -> Any:
        raise RuntimeError("iterated")

    def __bool__(self) -> bool:
        raise RuntimeError("asked for truth")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("looked at")

    def __repr__(self) -> str:
        return "<odd>"


class OddStr(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __getitem__(self, key: Any) -> Any:
        raise RuntimeError("cut")

    __hash__ = str.__hash__


class OddMapping(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise ValueError(key)

    def __iter__(self) -> Any:
        raise ValueError

    def __len__(self) -> int:
        return 3

    def __repr__(self) -> str:
        return "<odd mapping>"


cyclic: list[Any] = []
cyclic.append(cyclic)

JUNK: list[Any] = [
    None,
    7,
    "http.response.body",
    [],
    {},
    {"status": 200},
    {"type": None},
    {"type": Odd()},
    {"type": OddStr("http.response.body"), "body": b""},
    {"type": ["http.response.body"]},
    {"type": "http.response.start"},
    {"type": "http.response.start", "status": Odd(), "headers": []},
    {"type": "http.response.start", "status": 200, "headers": None},
    {"type": "http.response.start", "status": 200, "headers": 7},
    {"type": "http.response.start", "status": 200, "headers": [Odd()]},
    {"type": "http.response.start", "status": 200, "headers": [(Odd(), Odd())]},
    {"type": "http.response.start", "status": 200, "headers": [("name", "text")]},
    {"type": "http.response.start", "status": 200, "headers": [(b"one",), (b"a", b"b", b"c")]},
    {"type": "http.response.start", "status": 200, "headers": [7, "ab", None]},
    {"type": "http.response.start", "status": 200, "headers": cyclic},
    {"type": "http.response.start", "status": 200, "headers": [(b"a", cyclic)]},
    {"type": "http.response.start", "status": 10**30, "headers": {"a": "b"}},
    {"type": "http.response.body", "body": None},
    {"type": "http.response.body", "body": "text"},
    {"type": "http.response.body", "body": Odd()},
    {"type": "http.response.body", "body": bytearray(b"b"), "more_body": Odd()},
    {"type": "http.response.body", "body": memoryview(b"abcdef")[::2]},
    {"type": "http.response.body", "body": b"", "more_body": "yes"},
    {"type": "websocket.send", "text": OddStr("odd"), "bytes": None},
    {"type": "websocket.send", "text": 7},
    {"type": "x", 7: 8, None: None, "odd": Odd(), "deep": cyclic, "nan": float("nan")},
    {"type": "x", "lone surrogate": "\ud800", "\udcff": "\udcff"},
    MappingProxyType({"type": "http.response.body", "body": b"frozen"}),
    OddMapping(),
    Odd(),
    SimpleNamespace(type="http.response.body"),
]

CASES: dict[str, tuple[App, Any, list[Any], dict[str, Any]]] = {
    "a request": (hello, http(), [request()], {}),
    "a slow client": (streams, http(), [], {"slow": 3}),
    "a client that left": (streams, http(), [], {"refuse": {2: OSError("gone")}}),
    "an error at send, handled": (swallows, http(), [], {"refuse": {0: OSError("gone")}}),
    "a receive that fails": (receives, http(), [request(), ConnectionError("reset")], {}),
    "a receive that is cancelled": (receives, http(), [asyncio.CancelledError()], {}),
    "a send that is cancelled": (streams, http(), [], {"refuse": {1: asyncio.CancelledError()}}),
    "odd messages received": (receives, http(), [None, {"type": OddStr("a")}, Odd()], {}),
    "an error": (raises, http(), [request()], {}),
    "a BaseException": (raises_a_base_exception, http(), [], {}),
    "a cancellation": (cancels_itself, http(), [], {}),
    "junk sent": (sends_junk, http(), [], {}),
    "child tasks": (waits_for_a_child, http(), [], {}),
    "a timeout": (times_out, http(), [], {}),
    "no app at all": (says_too_few, http(), [], {}),
    "a WebSocket": (echoes, websocket(), [CONNECT, text("a"), text("b"), GONE], {}),
    "a WebSocket that fails": (echoes, websocket(), [CONNECT, text("a"), OSError("cut")], {}),
    "a lifespan": (serves_lifespan, lifespan(), [STARTUP, SHUTDOWN], {}),
    "an unknown protocol": (hello, {"type": "carrier.pigeon"}, [request()], {}),
    "an empty scope": (hello, {}, [request()], {}),
    "a scope that is no dict": (hello, None, [request()], {}),
    "an odd scope": (hello, Odd(), [request()], {}),
    "odd values in the scope": (
        hello,
        {"type": "http", "path": Odd(), "headers": Odd(), "state": Odd(), "extensions": Odd(),
         "client": Odd(), "server": 7, "asgi": None, "query_string": "text", "raw_path": Odd(),
         "subprotocols": Odd(), "http_version": Odd(), "scheme": [], "root_path": OddStr("/")},
        [request()],
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_server_sees_the_same(case: str, wrap: Callable[[App], App]) -> None:
    app, scope, incoming, behaviour = CASES[case]
    expected = observe(app, scope, incoming, **behaviour)
    assert observe(wrap(app), scope, incoming, **behaviour) == expected
    assert observe(wrap(Middleware(app)), scope, incoming, **behaviour) == expected


@pytest.mark.parametrize("case", CASES)
def test_a_trace_can_be_read_and_written_whatever_the_app_did(case: str, tmp_path: Any) -> None:
    app, scope, incoming, behaviour = CASES[case]
    traced = trace(Middleware(app), record=tmp_path / "trace.jsonl")
    observe(traced, scope, incoming, **behaviour)
    traced.recorder.drain()
    traced.ticker.stop()
    from asgi_lab.files import read_trace

    assert read_trace(tmp_path / "trace.jsonl").events == traced.trace.events
    assert str(traced.trace)


# --- identities ----------------------------------------------------------------------------------


def test_messages_are_the_same_objects_in_both_directions(wrap: Callable[[App], App]) -> None:
    seen: list[Any] = []
    sent: list[Any] = [{"type": "http.response.start", "status": 200, "headers": []}, *JUNK]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([await receive(), await receive()])
        for message in sent:
            await send(message)

    server = Server([request(b"a", more=True), Odd()])
    asyncio.run(server.call(wrap(app), http()))
    assert list(map(id, seen)) == list(map(id, server.gave))
    assert list(map(id, server.sent)) == list(map(id, sent))


def test_the_scope_is_the_same_object(wrap: Callable[[App], App]) -> None:
    scope = http()
    parts = {key: id(value) for key, value in scope.items()}
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        scope["state"]["n"] = 1

    asyncio.run(Server([]).call(wrap(app), scope))
    assert seen[0] is scope
    assert {key: id(value) for key, value in scope.items()} == parts
    assert scope["state"] == {"n": 1}


@pytest.mark.parametrize("where", ["app", "send", "receive"])
def test_exceptions_are_the_same_objects(where: str, wrap: Callable[[App], App]) -> None:
    cause = KeyError("cause")
    error = ExceptionGroup("several", [ValueError("one")])
    error.__cause__ = cause
    caught: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            if where == "app":
                raise error
            await (receive() if where == "receive" else send({"type": "http.response.start"}))
        except BaseException as e:
            caught.append(e)
            raise

    server = Server([error], refuse={0: error})
    ending = asyncio.run(server.call(wrap(app), http()))
    assert ending is error
    assert caught == [error]
    assert error.__cause__ is cause
    assert error.__context__ is None
    assert not hasattr(error, "__notes__")


def test_cancellation_reaches_the_app_with_its_message(wrap: Callable[[App], App]) -> None:
    async def run(app: App) -> list[Any]:
        seen: list[Any] = []

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            try:
                await receive()
            except asyncio.CancelledError as error:
                seen.append((error.args, asyncio.current_task().cancelling()))  # type: ignore[union-attr]
                await send({"type": "a last word"})
                raise

        server = Server([])
        task = asyncio.create_task(server.call(app(inner), http()))
        await until(lambda: ("asked",) in server.journal)
        await asyncio.sleep(0)
        task.cancel("the client left")
        seen.append(repr(await task))
        return [*seen, *server.journal]

    assert asyncio.run(run(wrap)) == asyncio.run(run(lambda app: app))


def test_a_suspended_call_can_be_closed(wrap: Callable[[App], App]) -> None:
    """A server that is torn down closes the coroutine: `finally` runs, and nothing else."""

    def run(wrapped: Callable[[App], App]) -> list[str]:
        seen: list[str] = []

        class Forever:
            def __await__(self) -> Any:
                yield

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                await Forever()
            except GeneratorExit:
                seen.append("exit")
                raise
            finally:
                seen.append("finally")

        async def unused(*_: Any) -> None: ...

        async def main() -> None:
            coro = wrapped(app)(http(), unused, unused)
            coro.send(None)
            coro.close()
            seen.append("closed")

        asyncio.run(main())
        return seen

    assert run(wrap) == run(lambda app: app)


def test_context_variables_flow_as_before(wrap: Callable[[App], App]) -> None:
    """Set by the server before, seen by the app; set by the app, seen by the server after."""
    var = contextvars.ContextVar("var", default="unset")
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(var.get())
        var.set("by the app")

    async def main() -> None:
        var.set("by the server")
        await Server([]).call(wrap(app), http())
        seen.append(var.get())

    asyncio.run(main())
    assert seen == ["by the server", "by the app"]


def test_back_pressure_is_the_servers(wrap: Callable[[App], App]) -> None:
    """The app cannot send a second message before the server has let go of the first."""
    order: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for n in "123":
            order.append(f"send {n}")
            await send({"type": "http.response.body", "body": n.encode(), "more_body": True})

    async def main() -> None:
        gates = [asyncio.Event() for _ in range(3)]
        waiting: asyncio.Queue[int] = asyncio.Queue()
        count = iter(range(3))

        async def send(message: Any) -> None:
            n = next(count)
            waiting.put_nowait(n)
            await gates[n].wait()

        task = asyncio.create_task(wrap(app)(http(), Server([]).receive, send))
        for gate in gates:
            await waiting.get()
            order.append("let go")
            gate.set()
        await task

    asyncio.run(main())
    assert order == ["send 1", "let go", "send 2", "let go", "send 3", "let go"]


def test_headers_from_a_generator_are_not_consumed(wrap: Callable[[App], App]) -> None:
    pairs = [(b"a", b"1"), (b"b", b"2")]
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(list(scope["headers"]))
        seen.append([tuple(pair) for pair in scope["extensions"]])
        await send({"type": "http.response.start", "status": 200, "headers": iter(pairs)})
        await send(
            {"type": "http.response.start", "status": 200, "headers": [iter(p) for p in pairs]}
        )

    async def send(message: Any) -> None:
        seen.append([tuple(pair) for pair in message["headers"]])

    scope = http() | {"headers": iter(pairs), "extensions": iter(pairs)}
    asyncio.run(wrap(app)(scope, Server([]).receive, send))
    assert seen == [pairs, pairs, pairs, pairs]


def test_state_is_not_looked_into(wrap: Callable[[App], App]) -> None:
    class State(dict[str, Any]):
        def __iter__(self) -> Any:
            raise AssertionError("iterated")

        __getitem__ = get = keys = values = items = __iter__  # type: ignore[assignment]

    async def app(scope: Any, receive: Any, send: Any) -> str:
        return "fine"

    server = Server([])
    assert asyncio.run(server.call(wrap(app), http(state=State(a=1)))) == "fine"


# --- what an app is, besides callable ------------------------------------------------------------


def test_a_traced_app_has_the_attributes_of_the_app() -> None:
    class App:
        routes = ("a route",)

        def __init__(self) -> None:
            self.overrides: dict[str, int] = {}

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    app = App()
    traced = trace(app)
    traced.overrides["a"] = 1
    assert (traced.routes, app.overrides) == (App.routes, {"a": 1})
    with pytest.raises(AttributeError, match="missing"):
        _ = traced.missing


def test_what_is_no_app_is_refused() -> None:
    with pytest.raises(TypeError, match="expected an ASGI or WSGI app, got int"):
        trace(7)


def test_a_legacy_double_callable_is_served() -> None:
    class Legacy:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await send({"type": "http.response.body", "body": self.scope["path"].encode()})

    journal = observe(trace(Legacy), http("/old"))
    assert journal[0] == ("sent", repr({"type": "http.response.body", "body": b"/old"}))


# --- memory --------------------------------------------------------------------------------------


def test_no_body_is_held(wrap: Callable[[App], App]) -> None:
    """Neither a body nor a message outlives the call that carried it."""

    class Body(bytearray):
        pass

    class Text(str):
        pass

    class Kept(dict[str, Any]):
        pass

    alive: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        received = await receive()
        assert received["body"]
        del received
        for part in (Body(1000), Text("x" * 1000)):
            message = Kept(type="http.response.body", body=part, other=part)
            alive.extend([weakref.ref(part), weakref.ref(message)])
            await send(message)

    async def send(message: Any) -> None: ...

    async def receive() -> Any:
        body = Body(1000)
        message = Kept(type="http.request", body=body)
        alive.extend([weakref.ref(body), weakref.ref(message)])
        return message

    traced = wrap(app)
    asyncio.run(traced(http(), receive, send))
    gc.collect()
    assert len(alive) == 6
    assert [ref() for ref in alive] == [None] * 6


def test_only_a_preview_is_kept_of_a_body() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"x" * 10_000_000})

    traced = trace(app)

    async def main() -> int:
        tracemalloc.start()
        await traced(http(), Server([]).receive, Server([]).send)
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size

    assert asyncio.run(main()) < 1_000_000
    sent = next(event for event in traced.trace if event.kind == "send")
    assert (len(sent.data["body"]), sent.data["length"]) == (PREVIEW, 10_000_000)


def test_a_long_websocket_does_not_grow(wrap: Callable[[App], App]) -> None:
    """The number of live objects is the same after ten messages and after ten thousand."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("text"):
            await send({"type": "websocket.send", "text": "pong"})

    def count_objects(messages: int) -> int:
        recorder = Recorder(limit=1000)
        traced = trace(app, recorder=recorder)
        counted: list[int] = []

        async def main() -> None:
            left = messages

            async def receive() -> Any:
                nonlocal left
                left -= 1
                if left:
                    return {"type": "websocket.receive", "text": "ping"}
                recorder.drain()
                gc.collect()
                counted.append(len(gc.get_objects()))
                return {"type": "websocket.disconnect"}

            async def send(message: Any) -> None: ...

            await traced(websocket(), receive, send)

        asyncio.run(main())
        return counted[0]

    count_objects(10)
    assert count_objects(10_000) - count_objects(10) < 1000  # others in this process come and go


def test_memory_is_bounded_and_drops_are_counted() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(5000):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    traced = trace(app, max_events=100, run=False, rules=False)
    observe(traced, http())
    found = traced.trace
    assert len(found) == 100
    assert found.dropped == 2 + 2 * 5000 - 100
    assert [event.seq for event in found] == list(range(found.dropped, found.dropped + 100))
    assert found[-1].kind == "return"
