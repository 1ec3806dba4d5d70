"""Each middleware has a door of its own, and the user's objects know nothing of it."""

import abc
import asyncio
import gc
import inspect
import sys
import weakref
from dataclasses import dataclass
from typing import Any

import pytest
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute

from asgi_lab import Trace, trace
from asgi_lab.layers import MAX_LAYERS
from tests.driver import CONNECT, get, http, observe, text, websocket


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


class Outer:
    """A middleware by custom: it keeps the next app in `app`."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        self.count += 1
        return await self.app(scope, receive, send)


class Inner(Outer):
    pass


def layers(found: Trace) -> list[tuple[int, str]]:
    """The layers in the order in which they were first called."""
    seen = [(e.layer, e.data.get("layer", "")) for e in found if e.kind == "scope"]
    return list(dict.fromkeys(seen))


# --- which layers there are ----------------------------------------------------------------------


def test_each_layer_has_a_door() -> None:
    traced = trace(Outer(Inner(hello)))
    observe(traced, http())
    assert layers(traced.trace) == [(0, ""), (1, "Inner"), (2, "hello")]
    sends = [e.layer for e in traced.trace if e.kind == "send"]
    assert sends == [2, 1, 0] * 2


def test_starlettes_own_layers_are_found_though_they_are_built_at_the_first_call() -> None:
    async def endpoint(request: Any) -> Any:
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/", endpoint)], middleware=[Middleware(GZipMiddleware)])
    traced = trace(app)
    for _ in range(2):
        assert get(traced) == (200, b"hello")
    assert [name for _, name in layers(traced.trace)] == [
        "",
        "ServerErrorMiddleware",
        "GZipMiddleware",
        "ExceptionMiddleware",
        "Router",
    ]


def test_middleware_added_after_tracing_is_a_layer_too() -> None:
    app = Starlette()
    traced = trace(app)
    app.add_middleware(GZipMiddleware)
    get(traced)
    assert "GZipMiddleware" in [name for _, name in layers(traced.trace)]


@pytest.mark.skipif(
    sys.version_info[:3] == (3, 13, 0), reason="Quart, untraced, does not end a response there"
)
def test_a_replaced_asgi_app_of_quart_is_a_layer() -> None:
    app = Quart("app")

    @app.route("/")
    async def index() -> str:
        return "hello"

    app.asgi_app = Outer(app.asgi_app)  # type: ignore[method-assign]
    traced = trace(app)
    assert get(traced) == get(app) == (200, b"hello")
    assert [name for _, name in layers(traced.trace)][:2] == ["", "Outer"]


def test_a_middleware_that_is_a_function_is_a_layer_too() -> None:
    def counted(app: Any) -> Any:
        calls = 0

        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            nonlocal calls
            calls += 1
            middleware.calls = calls  # type: ignore[attr-defined]
            await app(scope, receive, send)

        return middleware

    app = counted(Outer(hello))
    traced = trace(app)
    observe(traced, http())
    observe(app, http())
    assert [name for _, name in layers(traced.trace)] == ["", "Outer", "hello"]
    assert app.calls == 2


def test_a_function_may_exchange_the_next_app() -> None:
    def wrap(app: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            nonlocal app
            await app(scope, receive, send)
            app = empty

        return middleware

    async def empty(scope: Any, receive: Any, send: Any) -> None:
        return

    traced, bare = trace(wrap(hello)), wrap(hello)
    assert [observe(traced, http()) for _ in range(2)] == [observe(bare, http()) for _ in range(2)]


@pytest.mark.parametrize("name", ["_app", "inner", "wrapped"])
def test_the_next_app_may_have_another_name_if_it_looks_like_an_app(name: str) -> None:
    class Habit:
        def __init__(self, following: Any) -> None:
            setattr(self, name, following)

        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            return await getattr(self, name)(scope, receive, send)

    async def three(a: Any, b: Any, c: Any) -> str:
        return "no app"

    traced = trace(Habit(hello))
    observe(traced, http())
    assert [name for _, name in layers(traced.trace)] == ["", "hello"]
    traced = trace(Habit(three))
    observe(traced, http())
    assert [name for _, name in layers(traced.trace)] == [""]


def test_a_layer_says_where_it_was_mounted() -> None:
    async def endpoint(request: Any) -> Any:
        return PlainTextResponse(request.scope["root_path"])

    inner = Starlette(routes=[Route("/x", endpoint)])
    traced = trace(Outer(Starlette(routes=[Mount("/sub", inner)])))
    assert get(traced, "/sub/x") == (200, b"/sub")
    assert {e.data["path"] for e in traced.trace if e.kind == "scope"} == {"/sub/x"}


def test_secrets_in_the_path_of_a_layer_are_masked() -> None:
    traced = trace(Outer(hello))
    observe(traced, http("/reset;token=abc123"))
    assert "abc123" not in str([dict(e.data) for e in traced.trace])


def test_without_layers_there_is_only_the_server() -> None:
    traced = trace(Outer(Inner(hello)), layers=False)
    observe(traced, http())
    assert layers(traced.trace) == [(0, "")]


def test_a_chain_may_be_long_and_may_even_be_a_ring() -> None:
    app: Any = hello
    for _ in range(200):
        app = Outer(app)
    traced = trace(app)
    assert get(traced) == (200, b"hello")
    assert max(e.layer for e in traced.trace) == MAX_LAYERS

    ring = Outer(None)
    ring.app = ring
    observe(trace(ring), http())  # RecursionError, as without us


# --- the user's objects --------------------------------------------------------------------------


def test_the_app_does_not_change() -> None:
    inner = Inner(hello)
    app = Outer(inner)
    before = dict(vars(app)), dict(vars(inner))
    traced = trace(app)
    observe(traced, http())
    observe(app, http())
    assert (vars(app), vars(inner)) == ({**before[0], "count": 2}, {**before[1], "count": 2})
    assert app.app is inner
    assert inner.app is hello
    assert len(layers(traced.trace)) == 3


def test_what_a_middleware_learns_and_forgets_stays_with_it() -> None:
    class Learner(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            self.seen = getattr(self, "seen", 0) + 1
            if hasattr(self, "secret"):
                del self.secret
            return await super().__call__(scope, receive, send)

    app = Learner(hello)
    app.secret = 7  # type: ignore[attr-defined]
    traced = trace(app)
    observe(traced, http())
    observe(traced, http())
    assert (app.seen, app.count, hasattr(app, "secret")) == (2, 2, False)


def test_a_middleware_may_replace_the_next_app() -> None:
    async def goodbye(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"goodbye"})

    class Switch(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            result = await self.app(scope, receive, send)
            self.app = goodbye
            return result

    app = Switch(hello)
    traced = trace(app)
    observe(traced, http())
    assert app.app is goodbye
    assert "goodbye" in str(observe(traced, http()))
    assert [name for _, name in layers(traced.trace)][1].endswith("hello")
    assert [name for _, name in layers(traced.trace)][2].endswith("goodbye")


def test_an_app_built_anew_for_each_call_is_not_kept() -> None:
    alive: list[Any] = []

    class Rebuilds(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            self.app = Inner(hello)
            alive.append(weakref.ref(vars(self)["app"]))
            return await self.app(scope, receive, send)

    traced = trace(Rebuilds(hello))
    for _ in range(5):
        observe(traced, http())
    gc.collect()
    assert [ref() is None for ref in alive] == [True, True, True, True, False]


def test_scope_app_is_the_users_app() -> None:
    seen: list[Any] = []

    async def endpoint(request: Any) -> Any:
        seen.extend([request.app, request.scope["app"], request.scope["router"]])
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/", endpoint)])
    get(trace(app))
    assert [id(thing) for thing in seen] == [id(app), id(app), id(app.router)]


def test_a_middleware_sees_the_next_app_itself() -> None:
    """Attributes, class, text, kind of callable, and its result: in all but the call."""

    class Target:
        routes = ("a route",)

        def __init__(self) -> None:
            self.app = hello  # it is a middleware as well
            self.level = 1

        async def __call__(self, scope: Any, receive: Any, send: Any) -> str:
            await self.app(scope, receive, send)
            return "a result"

        def __repr__(self) -> str:
            return "<the target>"

    class Curious(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            self.app.level += 1
            result = await self.app(scope=scope, receive=receive, send=send)
            return [
                result,
                self.app.routes,
                self.app.level,
                self.app.app is hello,
                isinstance(self.app, Target),
                self.app.__class__ is Target,
                repr(self.app),
                callable(self.app),
                inspect.iscoroutinefunction(self.app.__call__),
                hasattr(self.app, "missing"),
            ]

    class CuriousOfFunctions(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            return [
                inspect.iscoroutinefunction(self.app),
                inspect.isfunction(self.app),
                self.app.__name__,
                self.app.__code__,
                list(inspect.signature(self.app).parameters),
            ]

    assert observe(trace(Curious(Target())), http()) == observe(Curious(Target()), http())
    app = CuriousOfFunctions(hello)
    assert observe(trace(app), http()) == observe(app, http())


def test_a_next_app_of_another_convention_is_called_as_it_is() -> None:
    def wsgi(environ: Any, start_response: Any) -> Any:
        return [environ["path"].encode()]

    class OfWSGI(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            body = self.app(scope, lambda *_: None)
            await send({"type": "http.response.body", "body": b"".join(body)})

    class WithMore(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            return await self.app(scope, receive, send, "more", name="named")

    async def takes_more(scope: Any, receive: Any, send: Any, *more: Any, **named: Any) -> Any:
        return (more, named)

    class OfLegacy(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            return await self.app(scope)(receive, send)

    class Legacy:
        def __init__(self, scope: Any) -> None: ...

        async def __call__(self, receive: Any, send: Any) -> str:
            return "legacy"

    for app in (OfWSGI(wsgi), WithMore(takes_more), OfLegacy(Legacy), OfLegacy(7), Outer("no app")):
        assert observe(trace(app), http("/x")) == observe(app, http("/x"))


def test_viewing_runs_no_hook_of_the_users_classes() -> None:
    ran: list[str] = []

    class Meta(type):
        def __new__(cls, name: str, bases: Any, body: Any, **options: Any) -> Any:
            ran.append(f"made {name}")
            return super().__new__(cls, name, bases, body)

    class Registered(Outer, metaclass=Meta):
        def __init_subclass__(cls, **options: Any) -> None:
            ran.append("subclassed")

        def __new__(cls, *args: Any) -> Any:
            ran.append("new")
            return super().__new__(cls)

        def __setattr__(self, name: str, value: Any) -> None:
            ran.append(f"set {name}")
            super().__setattr__(name, value)

        def __del__(self) -> None:
            ran.append("deleted")

    app = Registered(hello)
    del ran[:]
    traced = trace(app)
    observe(traced, http())
    assert ran == ["set count"]
    del traced
    gc.collect()
    assert ran == ["set count"]
    del app
    gc.collect()
    assert ran == ["set count", "deleted"]


class Slotted:
    __slots__ = ("app",)

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return await self.app(scope, receive, send)


class DictAndApp(dict[str, Any]):
    def __init__(self, app: Any) -> None:
        super().__init__(a=1)
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        assert self == {"a": 1}
        return await self.app(scope, receive, send)


class Abstract(abc.ABC):
    def __init__(self, app: Any) -> None:
        self.app = app

    @abc.abstractmethod
    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any: ...


class Concrete(Abstract):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        assert isinstance(self, Abstract)
        return await self.app(scope, receive, send)


@dataclass(frozen=True)
class Frozen:
    app: Any

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return await self.app(scope, receive, send)


class Private(Outer):
    """Mangled names, a class attribute, `super()`, a guarded `__getattribute__`."""

    __limit = 7

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.__private = 1

    def __getattribute__(self, name: str) -> Any:
        return super().__getattribute__(name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        assert (self.__private, self.__limit) == (1, 7)
        return await super().__call__(scope, receive, send)


def closure(app: Any) -> Any:
    async def middleware(scope: Any, receive: Any, send: Any) -> Any:
        return await app(scope, receive, send)

    return middleware


@pytest.mark.parametrize("kind", [Slotted, DictAndApp, Concrete, Frozen, Private, closure])
def test_middleware_of_every_make_works(kind: Any) -> None:
    for app in (kind(hello), Outer(kind(hello)), kind(Outer(hello))):
        assert observe(trace(app), http()) == observe(app, http())


def test_a_base_http_middleware_and_a_websocket_go_through_all_layers() -> None:
    async def dispatch(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    async def chat(socket: Any) -> None:
        await socket.accept()
        async for message in socket.iter_text():
            await socket.send_text(message.upper())

    app = Starlette(
        routes=[WebSocketRoute("/", chat)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch), Middleware(Outer)],
    )
    traced = trace(app)
    gone = {"type": "websocket.disconnect", "code": 1000}
    journal = observe(app, websocket(), [CONNECT, text("a"), gone])
    assert observe(traced, websocket(), [CONNECT, text("a"), gone]) == journal
    doors = {e.layer for e in traced.trace if e.type == "websocket.send"}
    assert len(doors) == len(layers(traced.trace)) == 6


def test_a_layer_that_answers_by_itself_ends_the_journey() -> None:
    class Refuses(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    traced = trace(Outer(Refuses(hello)))
    assert get(traced) == (403, b"")
    assert [name.rpartition(".")[2] for _, name in layers(traced.trace)] == ["", "Refuses"]


def test_a_layer_that_changes_a_message_is_seen_to() -> None:
    class Shouts(Outer):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def shout(message: Any) -> None:
                if "body" in message:
                    message = {**message, "body": message["body"].upper()}
                await send(message)

            return await self.app(scope, receive, shout)

    traced = trace(Shouts(hello))
    assert get(traced) == (200, b"HELLO")
    bodies = {e.layer: e.data["body"] for e in traced.trace if e.type == "http.response.body"}
    assert bodies == {1: "hello", 0: "HELLO"}


def test_errors_cross_each_layer() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("broken")

    traced = trace(Outer(Inner(fails)))
    assert observe(traced, http()) == observe(Outer(Inner(fails)), http())
    assert [(e.layer, e.data["error"]) for e in traced.trace if e.kind == "raise"] == [
        (2, "LookupError"),
        (1, "LookupError"),
        (0, "LookupError"),
    ]


def test_a_router_with_middleware_of_its_own() -> None:
    async def endpoint(request: Any) -> Any:
        assert type(request.scope["router"]) is Router
        return PlainTextResponse("hello")

    router = Router(routes=[Route("/", endpoint)], middleware=[Middleware(Outer)])
    traced = trace(router)
    assert get(traced) == get(router) == (200, b"hello")
    assert [name for _, name in layers(traced.trace)] == ["", "Outer", "Router.app"]


def test_one_app_can_be_traced_many_times_at_once() -> None:
    app = Outer(Inner(hello))
    first, second = trace(app), trace(app)

    async def main() -> None:
        await asyncio.gather(*(traced(http(), never, swallow) for traced in (first, second)))

    asyncio.run(main())
    assert layers(first.trace) == layers(second.trace) == [(0, ""), (1, "Inner"), (2, "hello")]


async def never() -> Any:
    await asyncio.Event().wait()


async def swallow(message: Any) -> None: ...
