"""Middleware: each around a plain ASGI app, and what it must not do."""

import asyncio
import gzip
import json
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from driver import Server, http, lifespan, request, websocket

from asgi_lab import expect, get, options, run, ws
from asgi_lab.client import Result
from asgi_lab.framework import (
    App,
    EventResponse,
    FileResponse,
    HTTPError,
    Request,
    Response,
    Route,
    Router,
    StaticFiles,
    StreamingResponse,
    TextResponse,
    WebSocket,
)
from asgi_lab.framework.middleware import CORS, Errors, Exceptions, GZip, Sessions, Timing
from asgi_lab.framework.middleware.gzip import accepts_gzip
from asgi_lab.framework.testing import Client

SECRET = "nobody can guess this"
EACH: dict[str, Any] = {
    "CORS": lambda app: CORS(app, ["*"]),
    "Errors": Errors,
    "Exceptions": Exceptions,
    "GZip": GZip,
    "Sessions": lambda app: Sessions(app, SECRET),
    "Timing": Timing,
}
ACCEPTING = {"accept-encoding": "gzip"}


def ask(app: Any, *clients: Any, **settings: Any) -> tuple[Result, ...]:
    return asyncio.run(run(app, *clients, **settings)).results


@pytest.mark.parametrize("name", EACH)
def test_what_it_does_not_know_passes(name: str) -> None:
    calls: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls.append((scope, receive, send))

    layered, server = EACH[name](app), Server([])
    strange = {"type": "strange"}
    for scope in (lifespan(), strange):
        asyncio.run(server.call(layered, scope))
        assert calls.pop() == (scope, server.receive, server.send)


@pytest.mark.parametrize("name", EACH)
def test_it_changes_nothing_that_is_not_its_own(name: str) -> None:
    """Neither the scope (main: "Middleware") nor the app's messages, which it may send again."""
    headers = [(b"content-type", b"text/plain")]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    body = {"type": "http.response.body", "body": b"x" * 1000}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if "session" in scope:
            scope["session"]["a"] = 1
        await send(start)
        await send(body)

    scope = http(headers=[(b"accept-encoding", b"gzip"), (b"origin", b"https://a.example")])
    before = json.dumps(repr([scope, start, body]))
    server = Server([request()])
    asyncio.run(server.call(EACH[name](app), scope))
    assert json.dumps(repr([scope, start, body])) == before
    assert [message["type"] for message in server.sent] == [start["type"], body["type"]]
    for field, value in server.sent[0]["headers"]:
        assert type(field) is type(value) is bytes
        assert field == field.lower()


@pytest.mark.parametrize("name", EACH)
def test_a_websocket_goes_through(name: str) -> None:
    app = App()

    @app.websocket("/")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket:
            await socket.send(message)

    assert ask(EACH[name](app), ws("/", "a", expect("a")))[0].messages == ("a",)


@pytest.mark.parametrize("name", EACH)
def test_a_stream_goes_through_piece_by_piece(name: str) -> None:
    """What was sent before an hour's pause has come before the pause."""
    app = App()

    @app.get("/")
    async def stream() -> StreamingResponse:
        async def slow() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.sleep(3600)
            yield b"second"

        return StreamingResponse(slow(), media_type="text/plain")

    async def main() -> list[float]:
        loop, times = asyncio.get_running_loop(), []

        async def timed(scope: Any, receive: Any, send: Any) -> None:
            async def note(message: Any) -> None:
                await send(message)
                if message.get("body"):
                    times.append(loop.time())

            await EACH[name](app)(scope, receive, note)

        await run(timed, get("/", headers=ACCEPTING))
        return times

    times = asyncio.run(main())
    assert times[1] - times[0] == pytest.approx(3600)


def test_layers_are_called_in_the_order_in_which_they_were_added() -> None:
    log: list[str] = []
    app = App()

    @app.get("/")
    async def page() -> str:
        log.append("handler")
        return "x"

    def layer(inner: Any, name: str) -> Any:
        async def call(scope: Any, receive: Any, send: Any) -> None:
            log.append(name)
            await inner(scope, receive, send)

        return call

    app.middleware(layer, name="outer")
    app.middleware(layer, name="inner")
    ask(app, get("/"))
    assert log == ["outer", "inner", "handler"]
    with pytest.raises(RuntimeError, match="before its first request"):
        app.middleware(layer, name="late")


def test_each_layer_shows_in_a_trace() -> None:
    app = App()
    app.middleware(GZip)
    app.middleware(Timing)
    trace = asyncio.run(run(app, get("/")))
    names = [event.data.get("layer") for event in trace if event.kind == "scope"]
    assert [name for name in names if name] == ["Errors", "GZip", "Timing", "Exceptions", "Router"]


def test_gzip_keeps_out_of_what_it_would_spoil(tmp_path: Path) -> None:
    long = "x" * 100_000
    (tmp_path / "file.txt").write_text(long)
    app = App()
    app.middleware(GZip, minimum=100)
    responses: dict[str, Any] = {
        "short": lambda: TextResponse("x" * 99),
        "long": lambda: TextResponse(long, headers={"etag": '"1"'}),
        "encoded": lambda: TextResponse(long, headers={"content-encoding": "br"}),
        "image": lambda: Response(long, media_type="image/png"),
        "fixed": lambda: TextResponse(long, headers={"cache-control": "no-transform"}),
        "events": lambda: EventResponse(["x" * 1000]),
        "file": lambda: FileResponse(tmp_path / "file.txt"),
        "nothing": lambda: Response(status=204),
        "huge": lambda: TextResponse(long * 3),
    }

    @app.get("/{name}")
    async def page(name: str) -> Response:
        found: Response = responses[name]()
        return found

    found = dict(
        zip(responses, ask(app, [get(f"/{n}", headers=ACCEPTING) for n in responses]), strict=True)
    )
    encoded = {n for n, r in found.items() if dict(r.headers).get("content-encoding") == "gzip"}
    assert encoded == {"long", "file", "huge"}
    for name in encoded:
        headers = dict(found[name].headers)
        assert gzip.decompress(found[name].body).decode() == long * (3 if name == "huge" else 1)
        assert headers["vary"] == "accept-encoding"
        assert "accept-ranges" not in headers
        assert headers.get("content-length", str(found[name].received)) == str(found[name].received)
    assert dict(found["long"].headers)["etag"] == 'W/"1"'
    assert dict(found["short"].headers)["content-length"] == "99"
    part = ask(app, get("/file", headers={**ACCEPTING, "range": "bytes=0-9"}))[0]
    assert (part.status, part.body) == (206, b"x" * 10)
    again = ask(app, get("/file", headers={**ACCEPTING, "if-none-match": headers_of(found)}))[0]
    assert again.status == 304


def headers_of(found: dict[str, Result]) -> str:
    return dict(found["file"].headers)["etag"]


def test_gzip_flushes_each_piece() -> None:
    pieces = [b"one ", b"two ", b"three"]
    server = Server([request()])
    app = GZip(StreamingResponse(pieces))
    asyncio.run(server.call(app, http(headers=[(b"accept-encoding", b"gzip")])))
    unzip, found = zlib.decompressobj(31), []
    for message in server.sent[1:]:
        found.append(unzip.decompress(message["body"]))
    assert found == [*pieces, b""]
    assert unzip.eof


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        ("gzip", True), ("GZIP, br", True), ("br;q=1, gzip;q=0.5", True), ("*", True), ("", False),
        ("br", False), ("gzip;q=0", False), ("gzip; q=0.0, *", False), ("*;q=0", False),
        ("gzippy", False), ("*;q=0, gzip", True),
    ],
)  # fmt: skip
def test_who_accepts_gzip(header: str, accepts: bool) -> None:
    assert accepts_gzip(header) is accepts


def test_an_error_before_the_first_body_is_still_answered_through_gzip() -> None:
    app = App()
    app.middleware(GZip)

    @app.get("/")
    async def stream() -> StreamingResponse:
        async def fails() -> AsyncIterator[bytes]:
            raise RuntimeError("at once")
            yield b""

        return StreamingResponse(fails())

    assert ask(app, get("/", headers=ACCEPTING))[0].status == 500


def sessions(**settings: Any) -> App:
    app = App()
    app.middleware(Sessions, **{"secret": SECRET, **settings})

    @app.get("/add/{what}")
    async def add(request: Request, what: str) -> dict[str, Any]:
        request.session.setdefault("all", []).append(what)
        return request.session

    @app.get("/see")
    async def see(request: Request) -> dict[str, Any]:
        return request.session

    @app.get("/forget")
    async def forget(request: Request) -> str:
        request.session.clear()
        return "forgotten"

    @app.get("/much")
    async def much(request: Request) -> str:
        request.session["x"] = "x" * 4000
        return "too much"

    @app.websocket("/")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send(json.dumps(socket.session))

    return app


def test_a_session_is_remembered_by_its_client() -> None:
    async def main() -> None:
        async with Client(sessions()) as client:
            assert (await client.get("/add/a")).json() == {"all": ["a"]}
            added = await client.get("/add/b")  # changed deep inside
            assert added.json() == {"all": ["a", "b"]}
            assert dict(added.headers)["vary"] == "cookie"
            assert (await client.ws("/")).messages == ('{"all": ["a", "b"]}',)
            seen = await client.get("/see")
            assert "set-cookie" not in dict(seen.headers), "nothing has changed"
            await client.get("/forget")
            assert client.cookies == {}
            assert (await client.get("/see")).json() == {}
            assert (await client.get("/much")).status == 500

    asyncio.run(main())


def test_a_session_cannot_be_changed_and_ends() -> None:
    async def main() -> None:
        cookie = await cookie_of(sessions(max_age=60))
        for wrong in (
            cookie[:-1], "x" + cookie, cookie.replace(".", "", 1), "", ".", "..", "é.é.é",
            cookie.rpartition(".")[0] + ".", cookie.upper(),
            await cookie_of(sessions(secret="s" * 16)),
        ):  # fmt: skip
            assert await seen(sessions(max_age=60), wrong) == {}, wrong
        assert await seen(sessions(max_age=60), cookie) == {"all": ["a"]}
        assert await seen(sessions(secret=["a newer secret for it", SECRET]), cookie) != {}
        assert await seen(sessions(max_age=0), cookie) == {}

    asyncio.run(main())
    with pytest.raises(ValueError, match="16 characters"):
        Sessions(App(), "short")


async def cookie_of(app: App) -> str:
    async with Client(app) as client:
        await client.get("/add/a")
        return client.cookies["session"]


async def seen(app: App, cookie: str) -> Any:
    async with Client(app) as client:
        client.cookies["session"] = cookie
        line = f"session={cookie}".encode().decode("latin-1")
        return (await client.get("/see", headers={"cookie": line})).json()


def test_a_signer_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "itsdangerous", None)
    with pytest.raises(ModuleNotFoundError, match=r"asgi-lab\[framework\]"):
        Sessions(App(), SECRET)


def test_without_sessions_there_is_none() -> None:
    app = App()

    @app.get("/")
    async def page(request: Request) -> Any:
        with pytest.raises(RuntimeError, match=r"middleware\.Sessions"):
            _ = request.session

    assert ask(app, get("/"))[0].status == 204


def test_the_debug_page_shows_the_way_to_the_error_and_runs_nothing() -> None:
    app = App(debug=True)

    @app.get("/{name}")
    async def page(name: str) -> None:
        raise ValueError(f"<script>{name}</script>")

    html, text = ask(app, get("/a", headers={"accept": "text/html"}), get("/a"))
    assert (html.status, text.status) == (500, 500)
    assert "&lt;script&gt;a&lt;/script&gt;" in html.text
    assert "<script" not in html.text
    assert "test_framework_middleware.py" in html.text
    assert text.text.startswith("Traceback")


def test_an_error_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    @app.get("/")
    async def page() -> None:
        raise ValueError("a secret")

    trace = asyncio.run(run(app, get("/")))
    assert (trace.results[0].status, trace.results[0].text) == (500, "Internal Server Error")
    assert "a secret" in caplog.text
    outermost = [e for e in trace if e.kind == "raise" and e.layer == 0]
    assert not outermost, "the app has answered: nothing is left to raise"


def test_amid_a_response_an_error_goes_to_the_server() -> None:
    app = App()

    @app.on_error(500)
    async def never(request: Request, error: Exception) -> str:
        return "two responses"

    @app.get("/")
    async def page() -> StreamingResponse:
        async def fails() -> AsyncIterator[bytes]:
            yield b"half"
            raise ValueError("no more")

        return StreamingResponse(fails())

    trace = asyncio.run(run(app, get("/")))
    assert trace.results[0].body == b"half"
    assert trace.results[0].error
    assert [e for e in trace if e.kind == "raise" and e.layer == 0]


def test_handlers_of_errors() -> None:
    app = App()

    class Base(Exception): ...

    class Derived(Base): ...

    errors: dict[str, Exception] = {
        "base": Base("b"), "derived": Derived("d"), "other": ValueError("o"), "404": HTTPError(404),
        "418": HTTPError(418, headers={"x-a": "1"}), "304": HTTPError(304),
        "json": HTTPError(400, [1]), "599": HTTPError(599),
    }  # fmt: skip

    @app.get("/{name}")
    def page(name: str) -> None:
        raise errors[name]

    @app.on_error(Base)
    async def base(request: Request, error: Base) -> Response:
        return TextResponse(f"base {error} {request.path}", 409)

    @app.on_error(404)
    def missing(request: Request, error: HTTPError) -> Response:
        return TextResponse("nothing here", error.status)

    @app.on_error(500)
    async def last(request: Request, error: Exception) -> Response:
        return TextResponse(f"sorry: {error}", 500)

    found = dict(zip(errors, ask(app, [get(f"/{name}") for name in errors]), strict=True))
    told = {name: (result.status, result.text) for name, result in found.items()}
    assert told == {
        "base": (409, "base b /base"),
        "derived": (409, "base d /derived"),
        "other": (500, "sorry: o"),
        "404": (404, "nothing here"),
        "418": (418, "I'm a Teapot"),
        "304": (304, ""),
        "json": (400, "[1]"),
        "599": (599, ""),
    }
    assert dict(found["418"].headers)["x-a"] == "1"
    assert ask(app, get("/a/b"))[0].text == "nothing here"


def test_a_router_needs_no_app() -> None:
    """Each part is an ASGI app of its own."""
    app = Exceptions(Router([Route("/a", TextResponse("a"))]))
    found = asyncio.run(run(app, get("/a"), get("/b"), ws("/c"))).results
    assert [result.status for result in found] == [200, 404, 404]


def test_static_files_stay_in_their_directory(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "public2").mkdir()
    (tmp_path / "public2" / "secret").write_text("secret")
    (public / "link").symlink_to(tmp_path / "secret")
    (public / "inside").symlink_to(public / "a b.txt")
    (public / "a b.txt").write_text("a")
    app = App()
    app.mount("/s", StaticFiles(public))
    outside = ["/s/../secret", "/s/%2e%2e/secret", "/s//etc/passwd", "/s/..%2fpublic2/secret",
               "/s/link", "/s", "/s/", "/s/a%00", "/s/" + "a" * 5000, "/s/..%5csecret"]  # fmt: skip
    found = ask(app, [get(path) for path in outside])
    assert {result.status for result in found} == {404}
    good = ask(app, get("/s/a%20b.txt"), get("/s/inside"), ws("/s/a%20b.txt"))
    assert [result.status for result in good] == [200, 200, 404]
    with pytest.raises(ValueError, match="no directory"):
        StaticFiles(tmp_path / "none")


def test_no_redirect_leads_to_another_host(tmp_path: Path) -> None:
    (tmp_path / "evil.example").mkdir()
    (tmp_path / "evil.example" / "index.html").touch()
    app = App()
    app.mount("/", StaticFiles(tmp_path, html=True))
    app_of_paths = App()

    @app_of_paths.get("/{rest:path}/")
    async def page(rest: str) -> str:
        return rest

    found = [ask(a, get("//evil.example?q=1"))[0] for a in (app, app_of_paths)]
    locations = [dict(result.headers)["location"] for result in found]
    assert locations == 2 * ["/evil.example/?q=1"]


def test_a_preflight_says_what_is_refused() -> None:
    app = CORS(App(), ["https://a.example"], methods=["GET"])
    asked = {"origin": "https://b.example", "access-control-request-method": "PUT",
             "access-control-request-headers": "x-a"}  # fmt: skip
    result = ask(app, options("/", headers=asked))[0]
    assert (result.status, result.text) == (400, "CORS does not allow this origin, method, headers")
    assert "access-control-allow-origin" not in dict(result.headers)


def test_scopes_of_websockets_get_a_session_before_and_after() -> None:
    server = Server([{"type": "websocket.connect"}])
    asyncio.run(server.call(sessions(), websocket("/none")))
    assert server.sent[-1]["type"] == "websocket.close"
