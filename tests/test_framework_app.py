"""Apps: routes and their names, hosts, mounts, lifespan, and the client for tests."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import pytest
from driver import SHUTDOWN, STARTUP, Server, http, lifespan, request
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_lab import expect, get, head, post, run, ws
from asgi_lab import request as ask_with
from asgi_lab.client import Result
from asgi_lab.framework import (
    App,
    Host,
    HTTPError,
    Mount,
    Request,
    Response,
    Route,
    Router,
    StreamingResponse,
    TextResponse,
    WebSocket,
)
from asgi_lab.framework.paths import Converter, PathTemplate
from asgi_lab.framework.testing import Client
from asgi_lab.memory import LifespanFailed


def ask(app: Any, *clients: Any, **settings: Any) -> tuple[Result, ...]:
    return asyncio.run(run(app, *clients, **settings)).results


def told(app: Any, scope: Any, *incoming: Any) -> list[Any]:
    server = Server(incoming)
    asyncio.run(server.call(app, scope))
    return server.sent


VALUES = {
    "str": st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1),
    "path": st.text(st.characters(exclude_categories=["Cs"])),
    "int": st.integers(min_value=0),
    "float": st.floats(min_value=0, max_value=1e15).map(lambda x: round(x, 6)),
    "uuid": st.uuids(),
}


@given(st.fixed_dictionaries(VALUES))
@settings(deadline=None)
def test_a_path_that_was_written_is_read_again(values: dict[str, Any]) -> None:
    text = "/".join(f"/{name} é.*{{{name}:{name}}}" for name in VALUES if name != "path")
    template = PathTemplate(text + "/rest{path:path}")
    written = template.fill(values)
    assert written.isascii()
    assert template.match(unquote(written)) == values


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/{id:int}", "/"), ("/{id:int}", "/-1"), ("/{id:int}", "/1/"), ("/{id:int}", "/1\n"),
        ("/{id:int}", "/" + "9" * 5000), ("/{x:float}", "/1e5"), ("/{x:uuid}", "/abc"),
        ("/{name}", "/a/b"), ("/a.b", "/axb"), ("/{name}", "/"),
    ],
)  # fmt: skip
def test_paths_that_do_not_match(template: str, path: str) -> None:
    assert PathTemplate(template).match(path) is None


@pytest.mark.parametrize("text", ["/{}", "/{a}/{a}", "/{a:colour}", "/{a-b}", "/{a"])
def test_paths_that_cannot_be(text: str) -> None:
    with pytest.raises(ValueError, match="/"):
        PathTemplate(text)
    with pytest.raises(ValueError, match="begins with"):
        Route("a", Response())


def test_a_converter_of_ones_own() -> None:
    day = Converter("mon|tue", ["mon", "tue"].index, lambda n: ["mon", "tue"][n])
    app = App([Route("/{day:day}", TextResponse("x"), name="day", converters={"day": day})])
    assert [r.status for r in ask(app, get("/tue"), get("/wed"))] == [200, 404]
    assert app.path_for("day", day=1) == "/tue"


def names(app: App) -> App:
    @app.get("/items/{id:int}")
    async def item(id: int) -> str:
        return "item"

    @app.get("/all/{rest:path}", name="all")
    async def everything(rest: str) -> str:
        return rest

    return app


def test_reverse_urls() -> None:
    inner, app = names(App()), names(App())
    app.mount("/shop/{key:uuid}", inner, "shop")
    app.mount("/files", TextResponse("f"), "files")
    app.mount("/", names(App()), "rest")
    key = uuid.UUID(int=1)
    assert app.path_for("item", id=7) == "/items/7"
    assert app.path_for("all", rest="a b/é?") == "/all/a%20b/%C3%A9%3F"
    assert app.path_for("shop:item", key=key, id=7) == f"/shop/{key}/items/7"
    assert app.path_for("files", path="/a/b c") == "/files/a/b%20c"
    assert app.path_for("rest:item", id=1) == "/items/1"
    for wrong in ({}, {"id": 1, "more": 2}):
        with pytest.raises(LookupError, match="takes"):
            app.path_for("item", **wrong)
    with pytest.raises(LookupError, match="no route named 'none'"):
        app.path_for("none")
    with pytest.raises(ValueError, match="cannot be -1"):
        app.path_for("item", id=-1)


def test_a_parameter_may_have_any_name() -> None:
    app = App()

    @app.get("/{name}/{self}")
    async def page(request: Request) -> str:
        return request.url_for("page", name="a", self="b")

    assert app.path_for("page", name="ada", self="x") == "/ada/x"
    assert ask(app, get("/1/2", headers={"host": "h"}))[0].text == "http://h/a/b"


def test_mistakes_are_told_at_once() -> None:
    app = App()

    async def plain(app: App) -> AsyncIterator[None]:
        yield

    def chunks() -> list[str]:
        return ["a"]

    mistakes: list[tuple[Callable[[], object], str]] = [
        (lambda: app.get(chunks), r'@app\.get\("/items"\)'),  # type: ignore[arg-type]
        (lambda: app.websocket(chunks), "expected a path"),  # type: ignore[arg-type]
        (lambda: app.route("/", "GET")(chunks), "methods are a list"),
        (lambda: app.middleware("http"), "such as GZip"),  # type: ignore[type-var]
        (lambda: App(lifespan=plain), "asynccontextmanager"),  # type: ignore[arg-type]
        (lambda: Response({"a": 1}), "JSONResponse"),
        (lambda: StreamingResponse("text"), "pieces"),
        (lambda: StreamingResponse(chunks), "pieces"),  # type: ignore[arg-type]
    ]
    for mistake, words in mistakes:
        with pytest.raises(TypeError, match=words):
            mistake()


def test_a_handler_finds_routes_of_its_own_app_and_of_those_around() -> None:
    inner, app = App(), App()

    @inner.get("/a/{n:int}", name="a")
    async def page(request: Request, n: int) -> dict[str, Any]:
        with pytest.raises(LookupError, match="no route named 'none'"):
            request.url_for("none")
        names = {"a": {"n": 1}, "home": {}, "in:a": {"key": "x", "n": 2}}
        return {name: request.url_for(name, **params) for name, params in names.items()}

    @app.get("/", name="home")
    async def home() -> str:
        return "home"

    app.mount("/in {key}", inner, "in")
    found = ask(app, get("/in%20k/a/5", headers={"host": "h"}))[0].json()
    assert found == {
        "a": "http://h/in%20k/a/1", "home": "http://h/", "in:a": "http://h/in%20x/a/2",
    }  # fmt: skip


def test_all_methods_of_a_path_are_told() -> None:
    app = App()

    @app.get("/a")
    async def read() -> str:
        return "read"

    @app.post("/a")
    async def write() -> str:
        return "write"

    @app.delete("/a")
    @app.put("/a")
    @app.patch("/a")
    async def other(request: Request) -> str:
        return request.method

    @app.route("/any", None)
    async def anything(request: Request) -> str:
        return request.method

    found = ask(app, get("/a"), post("/a"), head("/a"), [request_of(m) for m in ("PUT", "PATCH")])
    assert [result.text for result in found] == ["read", "write", "", "PUT", "PATCH"]
    result = ask(app, request_of("OPTIONS"))[0]
    assert result.status == 405
    assert dict(result.headers)["allow"] == "DELETE, GET, HEAD, PATCH, POST, PUT"
    assert ask(app, request_of("TRACE", "/any"))[0].text == "TRACE"


def request_of(method: str, path: str = "/a") -> Any:
    return ask_with(method, path)


def test_hosts() -> None:
    app = App([Host("{shop}.example.org", App([Route("/", TextResponse("a shop"))]))])
    app.host("example.org", TextResponse("main"))

    @app.get("/")
    async def other() -> str:
        return "other"

    hosts = ["ada.example.org", "EXAMPLE.org:8000", "a.b.example.org", "example.com", "[::1]:80"]
    found = ask(app, [get("/", headers={"host": host}) for host in hosts])
    assert [result.text for result in found] == ["a shop", "main", "other", "other", "other"]


def test_a_mounted_app_sees_where_it_is() -> None:
    seen: list[Any] = []

    async def raw(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["path"], scope["root_path"], scope["path_params"]))
        await TextResponse("raw")(scope, receive, send)

    app = App([Mount("/a/{n:int}", Router([Mount("/b", raw)]))])
    ask(app, get("/a/7/b/c"), get("/a/7/b"), get("/a/7/bb"), get("/a/x/b"))
    assert seen == [("/a/7/b/c", "/a/7/b", {"n": 7}), ("/a/7/b", "/a/7/b", {"n": 7})]


def test_scopes_that_nobody_speaks_are_refused() -> None:
    """Specification, main: "Protocol Specifications"."""
    server = Server([])
    error = asyncio.run(server.call(App(), {"type": "telepathy"}))
    assert isinstance(error, RuntimeError)
    assert "telepathy" in str(error)
    assert server.sent == []


def test_the_bare_minimum_of_a_scope_is_enough() -> None:
    app = App()

    @app.get("/a")
    async def page(request: Request) -> dict[str, Any]:
        return {"url": request.url, "client": request.client, "query": dict(request.query),
                "state": request.state, "own": request.url_for("page")}  # fmt: skip

    bare = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "path": "/a", "headers": []}  # fmt: skip
    before = repr(bare)
    assert told(app, bare, request())[0]["status"] == 200
    assert repr(bare) == before
    full = http("/a", server=None, client=None, extensions=None, root_path="")
    assert told(app, full, request())[0]["status"] == 200


def test_startup_state_and_shutdown() -> None:
    log: list[str] = []

    @asynccontextmanager
    async def around(app: App) -> AsyncIterator[dict[str, Any]]:
        log.append("up")
        yield {"db": "db", "list": []}
        log.append("down")

    app = App(lifespan=around)

    @app.get("/")
    async def page(request: Request) -> dict[str, Any]:
        request.state["own"] = 1  # a copy of one's own
        request.state["list"].append(len(log))  # but a shallow one
        return request.state

    @app.websocket("/")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send(socket.state["db"])

    first, second, talked = ask(app, get("/"), get("/"), ws("/", expect("db")), concurrency=1)
    assert first.json() == {"db": "db", "list": [1], "own": 1}
    assert second.json() == {"db": "db", "list": [1, 1], "own": 1}
    assert talked.messages == ("db",)
    assert log == ["up", "down"]


@pytest.mark.parametrize("phase", ["startup", "shutdown"])
def test_a_failure_is_said_and_not_raised(phase: str) -> None:
    @asynccontextmanager
    async def fails(app: App) -> AsyncIterator[None]:
        if phase == "startup":
            raise RuntimeError("no database")
        yield
        raise RuntimeError("no database")

    server = Server([STARTUP, SHUTDOWN])
    assert asyncio.run(server.call(App(lifespan=fails), lifespan())) is None
    assert server.sent[-1]["type"] == f"lifespan.{phase}.failed"
    assert "no database" in server.sent[-1]["message"]
    with pytest.raises(LifespanFailed, match="no database"):
        ask(App(lifespan=fails), get("/"))


def test_an_app_without_lifespan_answers_all_the_same() -> None:
    assert [m["type"] for m in told(App(), lifespan(), STARTUP, SHUTDOWN)] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_state_needs_a_server_that_keeps_it() -> None:
    @asynccontextmanager
    async def around(app: App) -> AsyncIterator[dict[str, Any]]:
        yield {"a": 1}

    old = {"type": "lifespan", "asgi": {"version": "3.0"}}
    sent = told(App(lifespan=around), old, STARTUP, SHUTDOWN)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "keeps no state" in sent[0]["message"]


def test_the_client_for_tests() -> None:
    app = App()

    @app.get("/set")
    async def set_(request: Request) -> Response:
        response = TextResponse("set")
        response.set_cookie("a", "1; 2")
        return response

    @app.get("/see")
    async def see(request: Request) -> dict[str, str]:
        return request.cookies

    @app.get("/unset")
    async def unset() -> Response:
        response = TextResponse("unset")
        response.delete_cookie("a")
        return response

    @app.post("/sum")
    async def total(numbers: dict[str, int]) -> dict[str, int]:
        return {"sum": sum(numbers.values())}

    @app.get("/no")
    async def no() -> None:
        raise HTTPError(403)

    async def main() -> None:
        async with Client(app) as client:
            assert (await client.post("/sum", json={"a": 1, "b": 2})).json() == {"sum": 3}
            await client.get("/set")
            both = await client.all(get("/see"), get("/see", headers={"cookie": "b=2"}))
            assert [result.json() for result in both] == [{"a": "1; 2"}, {"b": "2"}]
            await client.get("/unset")
            assert (await client.get("/see")).json() == {}
            assert (await client.request("GET", "/no")).text == "Forbidden"
        with pytest.raises(RuntimeError, match="async with"):
            await Client(app).get("/")

    asyncio.run(main())


def test_nothing_is_shared_between_apps() -> None:
    one, other = names(App()), App()
    assert [ask(app, get("/items/1"))[0].status for app in (one, other)] == [200, 404]
    one.error_handlers[404] = lambda request, error: "mine"
    assert other.error_handlers == {}
