"""Our framework beside Starlette: two apps that say the same, asked the same, answer the same."""

import asyncio
import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request as TheirRequest
from starlette.responses import FileResponse as TheirFileResponse
from starlette.responses import HTMLResponse as TheirHTMLResponse
from starlette.responses import JSONResponse as TheirJSONResponse
from starlette.responses import PlainTextResponse
from starlette.responses import RedirectResponse as TheirRedirectResponse
from starlette.responses import Response as TheirResponse
from starlette.responses import StreamingResponse as TheirStreamingResponse
from starlette.routing import Mount as TheirMount
from starlette.routing import Route as TheirRoute
from starlette.routing import WebSocketRoute
from starlette.staticfiles import StaticFiles as TheirStaticFiles
from starlette.websockets import WebSocket as TheirWebSocket

from asgi_lab import delete, expect, get, head, options, pause, post, put, request, run, user, ws
from asgi_lab.client import Result
from asgi_lab.framework import (
    App,
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Mount,
    RedirectResponse,
    Request,
    Response,
    Route,
    StaticFiles,
    StreamingResponse,
    TextResponse,
    WebSocket,
)
from asgi_lab.framework.endpoints import http_endpoint
from asgi_lab.framework.middleware import CORS, GZip, Sessions

CHANGED = 1_700_000_000  # seconds: when the files of these tests were changed
LONG = "All work and no play makes Jack a dull boy.\n" * 50
SECRET = "a secret that only this test knows"


def pieces() -> Iterator[str]:
    yield from ("one ", "two ", "three")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "poem.txt").write_bytes(bytes(range(48, 58)) * 10)
    (tmp_path / "docs" / "index.html").write_text("<p>index")
    (tmp_path / "empty.txt").touch()
    for path in tmp_path.rglob("*.*"):
        os.utime(path, (CHANGED, CHANGED))
    return tmp_path


def ours(folder: Path) -> App:
    app = App()

    @app.get("/text")
    async def text() -> TextResponse:
        return TextResponse("café")

    @app.get("/json")
    async def json() -> JSONResponse:
        return JSONResponse({"a": [1, None, "é"]})

    @app.get("/html")
    def html() -> HTMLResponse:
        return HTMLResponse("<p>hello", headers={"x-a": "1"})

    @app.get("/nothing")
    async def nothing() -> Response:
        return Response(status=204)

    @app.get("/redirect")
    async def redirect() -> RedirectResponse:
        return RedirectResponse("/somewhere else?é=1")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(pieces(), media_type="text/plain")

    @app.get("/file")
    async def file() -> FileResponse:
        return FileResponse(folder / "poem.txt")

    @app.get("/long")
    async def long() -> TextResponse:
        return TextResponse(LONG)

    @app.post("/form")
    async def form(request: Request) -> JSONResponse:
        found = []
        for name, value in (await request.form()).pairs:
            if isinstance(value, str):
                found.append([name, value])
            else:
                content = (await value.read()).decode()
                found.append([name, value.filename, value.content_type, value.size, content])
        return JSONResponse(found)

    @app.route("/tell", ["POST", "PUT"])
    async def tell(request: Request) -> JSONResponse:
        body = await request.body()
        return JSONResponse(
            {
                "body": [request.method, request.url, body.decode()],
                "query": [request.query.pairs, dict(request.query)],
                "headers": [request.cookies, request.headers.get("X-Key")],
            }
        )

    @app.get("/items/{id:int}/{size:float}/{key:uuid}/{rest:path}", name="item")
    async def item(request: Request, id: int) -> JSONResponse:
        params = {name: str(value) for name, value in request.path_params.items()}
        return JSONResponse([id, params, request.url_for("item", **request.path_params)])

    @app.get("/slash/")
    async def slash() -> str:
        return "slash"

    @app.get("/count")
    async def count(request: Request) -> JSONResponse:
        request.session["count"] = request.session.get("count", 0) + 1
        return JSONResponse(request.session)

    @app.get("/forget")
    async def forget(request: Request) -> str:
        request.session.clear()
        return "forgotten"

    @app.get("/cookie")
    async def cookie() -> TextResponse:
        response = TextResponse("cookie")
        response.set_cookie("a", "1", max_age=60, secure=True, httponly=True)
        response.delete_cookie("b")
        return response

    @app.websocket("/echo/{name}")
    async def echo(socket: WebSocket, name: str) -> None:
        await socket.accept("chat" if "chat" in socket.subprotocols else None)
        await socket.send(name)
        async for message in socket:
            if message == "stop":
                await socket.close(3001, "stopped")
                break
            await socket.send(message)

    @app.websocket("/refuse")
    async def refuse(socket: WebSocket) -> None:
        await socket.close()

    async def inner(request: Request) -> JSONResponse:
        scope = request.scope
        return JSONResponse([scope["path"], scope["root_path"], request.url_for("shop:inner", n=7)])

    app.mount("/shop", App([Route("/in/{n:int}", http_endpoint(inner), name="inner")]), "shop")
    app.mount("/static", StaticFiles(folder, html=True))
    return app


def theirs(folder: Path) -> Starlette:
    async def text(request: TheirRequest) -> TheirResponse:
        return PlainTextResponse("café")

    async def json(request: TheirRequest) -> TheirResponse:
        return TheirJSONResponse({"a": [1, None, "é"]})

    def html(request: TheirRequest) -> TheirResponse:
        return TheirHTMLResponse("<p>hello", headers={"x-a": "1"})

    async def nothing(request: TheirRequest) -> TheirResponse:
        return TheirResponse(status_code=204)

    async def redirect(request: TheirRequest) -> TheirResponse:
        return TheirRedirectResponse("/somewhere else?é=1")

    async def stream(request: TheirRequest) -> TheirResponse:
        return TheirStreamingResponse(pieces(), media_type="text/plain")

    async def file(request: TheirRequest) -> TheirResponse:
        return TheirFileResponse(folder / "poem.txt")

    async def long(request: TheirRequest) -> TheirResponse:
        return PlainTextResponse(LONG)

    async def form(request: TheirRequest) -> TheirResponse:
        found: list[Any] = []
        for name, value in (await request.form()).multi_items():
            if isinstance(value, str):
                found.append([name, value])
            else:
                content = (await value.read()).decode()
                found.append([name, value.filename, value.content_type, value.size, content])
        await request.close()
        return TheirJSONResponse(found)

    async def tell(request: TheirRequest) -> TheirResponse:
        body = await request.body()
        return TheirJSONResponse(
            {
                "body": [request.method, str(request.url), body.decode()],
                "query": [request.query_params.multi_items(), dict(request.query_params)],
                "headers": [request.cookies, request.headers.get("X-Key")],
            }
        )

    async def item(request: TheirRequest) -> TheirResponse:
        params = {name: str(value) for name, value in request.path_params.items()}
        url = quote(str(request.url_for("item", **request.path_params)), safe=":/")
        return TheirJSONResponse([request.path_params["id"], params, url])

    async def slash(request: TheirRequest) -> TheirResponse:
        return PlainTextResponse("slash")

    async def count(request: TheirRequest) -> TheirResponse:
        request.session["count"] = request.session.get("count", 0) + 1
        return TheirJSONResponse(request.session)

    async def forget(request: TheirRequest) -> TheirResponse:
        request.session.clear()
        return PlainTextResponse("forgotten")

    async def cookie(request: TheirRequest) -> TheirResponse:
        response = PlainTextResponse("cookie")
        response.set_cookie("a", "1", max_age=60, secure=True, httponly=True)
        response.delete_cookie("b")
        return response

    async def echo(socket: TheirWebSocket) -> None:
        await socket.accept("chat" if "chat" in socket.scope["subprotocols"] else None)
        await socket.send_text(socket.path_params["name"])
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            if message.get("text") == "stop":
                await socket.close(3001, "stopped")
                break
            await socket.send({**message, "type": "websocket.send"})

    async def refuse(socket: TheirWebSocket) -> None:
        await socket.close()

    async def inner(request: TheirRequest) -> TheirResponse:
        url = str(request.url_for("shop:inner", n=7))
        return TheirJSONResponse([request.scope["path"], request.scope["root_path"], url])

    item_path = "/items/{id:int}/{size:float}/{key:uuid}/{rest:path}"
    return Starlette(
        routes=[
            TheirRoute("/text", text),
            TheirRoute("/json", json),
            TheirRoute("/html", html),
            TheirRoute("/nothing", nothing),
            TheirRoute("/redirect", redirect),
            TheirRoute("/stream", stream),
            TheirRoute("/file", file),
            TheirRoute("/long", long),
            TheirRoute("/form", form, methods=["POST"]),
            TheirRoute("/tell", tell, methods=["POST", "PUT"]),
            TheirRoute(item_path, item, name="item"),
            TheirRoute("/slash/", slash),
            TheirRoute("/count", count),
            TheirRoute("/forget", forget),
            TheirRoute("/cookie", cookie),
            WebSocketRoute("/echo/{name}", echo),
            WebSocketRoute("/refuse", refuse),
            TheirMount("/shop", routes=[TheirRoute("/in/{n:int}", inner)], name="shop"),
            TheirMount("/static", TheirStaticFiles(directory=folder, html=True)),
        ]
    )


def ask(app: Any, *clients: Any) -> tuple[Result, ...]:
    return asyncio.run(run(app, *clients, concurrency=1)).results


def shown(result: Result, *more: str) -> Any:
    """What both must say alike. A redirect may name the host, or leave it out."""
    names = {"content-type", "content-length", "content-range", "content-encoding", "allow", *more}
    found: dict[str, Any] = dict(pair for pair in result.headers if pair[0] in names)
    if "allow" in found:
        found["allow"] = set(found["allow"].split(", "))
    location = dict(result.headers).get("location", "")
    where = urlsplit(location)
    body = result.body if result.status != 416 else b""
    said = (result.messages, result.close_code, result.error, result.subprotocol)
    return result.status, body, found, where.path, where.query, said


KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"
BOUNDARY = "----boundary"
PARTS = (
    ('name="title"', "", "caf\u00e9"),
    ('name="files"; filename="a.txt"', "content-type: text/plain\r\n", "hello"),
    ('name="files"; filename="b.bin"', "content-type: image/png\r\n", "x" * 70_000),
)
MULTIPART = (
    "".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {what}\r\n{kind}\r\n{content}\r\n"
        for what, kind, content in PARTS
    )
    + f"--{BOUNDARY}--\r\n"
)
MULTIPART_TYPE = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
FORM_TYPE = {"content-type": "application/x-www-form-urlencoded"}
ASKED = [
    *[get(f"/{name}") for name in ("text", "json", "html", "nothing", "redirect", "stream")],
    *[head(f"/{name}") for name in ("text", "json", "html", "stream", "file")],
    post("/tell?a=1&a=2&b=&c=%C3%A9+x", "body", headers={"x-key": "k", "cookie": "a=1; b=2"}),
    put("/tell", "x" * 100_000),
    post("/form", "a=1&b=%C3%A9+x&a=2&c=", headers=FORM_TYPE),
    post("/form", MULTIPART, headers=MULTIPART_TYPE),
    post("/form", [MULTIPART[:50], MULTIPART[50:300], MULTIPART[300:]], headers=MULTIPART_TYPE),
    get(f"/items/7/1.5/{KEY}/a/b%20c/d"),
    get(f"/items/x/1.5/{KEY}/a"),
    get("/items/7"),
    get("/none"),
    get("/"),
    delete("/tell"),
    post("/text"),
    options("/text"),
    request("TRACE", "/text"),
    get("/slash"),
    get("/slash?a=1"),
    get("/slash/"),
    get("/text/"),
    get("/shop/in/7"),
    get("/shop/in/x"),
    get("/shop/none"),
    ws("/echo/ada", expect("ada"), "hello", expect("hello"), b"\x00\x01", expect(b"\x00\x01")),
    ws("/echo/ada", expect("ada"), "stop", pause(1), subprotocols=["other", "chat"]),
    ws("/refuse", "hello"),
    *[
        get(f"/static/{name}")
        for name in ("poem.txt", "docs/", "docs", "none", "../x", "empty.txt")
    ],
    get("/static/..%2f..%2fetc/passwd"),
    get("/static/%00"),
    get("/static/" + "x" * 300),
    post("/static/poem.txt"),
    head("/static/poem.txt"),
]
LAST = {"if-modified-since": "Tue, 14 Nov 2023 22:13:20 GMT"}
RANGES = [
    "bytes=0-9", "bytes=90-", "bytes=-5", "bytes=-500", "bytes=0-0", "bytes=50-1000",
    "bytes=99-99", "bytes=100-", "bytes=1000-2000", "BYTES = 0-9",
]  # fmt: skip


def test_routes_requests_and_responses(folder: Path) -> None:
    for left, right in zip(ask(ours(folder), ASKED), ask(theirs(folder), ASKED), strict=True):
        assert shown(left) == shown(right), left.request


@pytest.mark.parametrize("asked", [*RANGES[:9]])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_parts_of_files(folder: Path, method: str, asked: str) -> None:
    client = request(method, "/file", headers={"range": asked})
    (left,), (right,) = ask(ours(folder), client), ask(theirs(folder), client)
    if left.status == 416:
        assert (left.status, dict(left.headers)["content-range"]) == (416, "bytes */100")
        assert (right.status, dict(right.headers)["content-range"]) == (416, "bytes */100")
    else:
        assert shown(left) == shown(right)


def test_files_that_a_client_has_already(folder: Path) -> None:
    for app in (ours(folder), theirs(folder)):
        first = ask(app, get("/static/poem.txt"))[0]
        headers = dict(first.headers)
        assert headers["last-modified"] == LAST["if-modified-since"]
        tag, other = headers["etag"], '"another"'
        questions: list[tuple[dict[str, str], int]] = [
            ({"if-none-match": tag}, 304),
            ({"if-none-match": f"W/{tag}, {other}"}, 304),
            ({"if-none-match": other}, 200),
            ({"if-none-match": "*"}, 304),
            (LAST, 304),
            ({"if-modified-since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 200),
            ({"if-modified-since": "nonsense"}, 200),
            ({"if-none-match": other, **LAST}, 200),
            ({"range": "bytes=0-1", "if-range": tag}, 206),
            ({"range": "bytes=0-1", "if-range": other}, 200),
            ({"range": "bytes=0-1", "if-range": headers["last-modified"]}, 206),
            ({"range": "bytes=0-1", "if-range": f"W/{tag}"}, 200),
        ]
        results = ask(app, [get("/static/poem.txt", headers=asked) for asked, _ in questions])
        for (asked, status), result in zip(questions, results, strict=True):
            assert (result.status, bool(result.body)) == (status, status != 304), (app, asked)


@pytest.mark.parametrize("root", ["/api", "/api/"])
@pytest.mark.parametrize("path", ["/api/shop/in/7", "/shop/in/7"])
def test_below_a_root_path(folder: Path, root: str, path: str) -> None:
    """Servers disagree on whether `path` has the `root_path` in it: both must do."""

    def below(app: Any) -> Any:
        async def with_root(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "root_path": root.rstrip("/")}, receive, send)

        return with_root

    left = ask(below(ours(folder)), get(path))[0]
    right = ask(below(theirs(folder)), get("/api/shop/in/7"))[0]  # theirs knows but the one way
    assert left.json() == right.json()
    assert left.json()[0] == "/api/shop/in/7"


def test_cookies(folder: Path) -> None:
    def attributes(result: Result) -> list[set[str]]:
        lines = [value for name, value in result.headers if name == "set-cookie"]
        parts = [{part.strip().lower() for part in line.split(";")} for line in lines]
        return [{part for part in each if not part.startswith("expires")} for each in parts]

    (left,), (right,) = ask(ours(folder), get("/cookie")), ask(theirs(folder), get("/cookie"))
    assert attributes(left)[0] == attributes(right)[0]
    assert {"b=", "max-age=0"} <= attributes(left)[1]
    assert {'b=""', "max-age=0"} <= attributes(right)[1]


def test_gzip(folder: Path) -> None:
    left_app = GZip(ours(folder), minimum=500)
    right_app = GZipMiddleware(theirs(folder), minimum_size=500)
    accepting = {"accept-encoding": "gzip"}
    asked = [get(path, headers=accepting) for path in ("/long", "/text", "/stream", "/nothing")]
    asked += [get("/long"), get("/file", headers={**accepting, "range": "bytes=0-50"})]
    for left, right in zip(ask(left_app, asked), ask(right_app, asked), strict=True):
        assert left.status == right.status
        for name in ("content-encoding", "vary", "content-type"):
            mine, other = dict(left.headers).get(name, ""), dict(right.headers).get(name, "")
            assert mine.lower() == other.lower() or not other, (left.request, name)
        if "content-encoding" in dict(left.headers):
            assert gzip.decompress(left.body) == gzip.decompress(right.body)
        else:
            assert left.body == right.body


@pytest.mark.parametrize("origins", [["*"], ["https://a.example"]])
@pytest.mark.parametrize("credentials", [False, True])
def test_cors(folder: Path, origins: list[str], credentials: bool) -> None:
    allowed: dict[str, Any] = {"expose_headers": ["x-a"], "allow_headers": ["x-key"], "max_age": 60}
    left_app = CORS(
        ours(folder), origins, methods=["GET", "PUT"], headers=["x-key"], expose=["x-a"],
        credentials=credentials, max_age=60,
    )  # fmt: skip
    right_app = CORSMiddleware(
        theirs(folder), origins, ["GET", "PUT"], allow_credentials=credentials, **allowed
    )
    asked = [get("/html")]
    for origin in ("https://a.example", "https://b.example"):
        asked.append(get("/html", headers={"origin": origin, "cookie": "a=1"}))
        for method, wanted in (("PUT", "X-Key"), ("GET", ""), ("DELETE", ""), ("PUT", "x-b, x-c")):
            headers = {"origin": origin, "access-control-request-method": method}
            headers |= {"access-control-request-headers": wanted} if wanted else {}
            asked.append(options("/html", headers=headers))
    answers = "access-control-allow-origin", "access-control-allow-credentials"
    for left, right in zip(ask(left_app, asked), ask(right_app, asked), strict=True):
        mine, other = dict(left.headers), dict(right.headers)
        assert left.status == right.status, left.request
        if "access-control-allow-origin" in other and left.status == 200:
            for name in (*answers, "access-control-expose-headers", "access-control-max-age"):
                assert mine.get(name) == other.get(name), (left.request, name)
        else:
            assert left.status == 400 or "access-control-allow-origin" not in mine
        if "access-control-allow-methods" in mine:
            assert mine["access-control-allow-methods"] == other["access-control-allow-methods"]


def test_sessions(folder: Path) -> None:
    for app in (
        Sessions(ours(folder), SECRET),
        SessionMiddleware(theirs(folder), SECRET),
    ):
        first = ask(app, get("/count"))[0]
        line = dict(first.headers)["set-cookie"]
        assert {"path=/", "max-age=1209600", "httponly", "samesite=lax"} <= {
            part.strip().lower() for part in line.split(";")
        }
        cookie = line.partition(";")[0]
        second = ask(app, get("/count", headers={"cookie": cookie}))[0]
        assert (first.json(), second.json()) == ({"count": 1}, {"count": 2})
        broken = ask(app, get("/count", headers={"cookie": cookie[:-2] + "zz"}))[0]
        assert broken.json() == {"count": 1}
        forgotten = ask(app, get("/forget", headers={"cookie": cookie}))[0]
        assert "set-cookie" in dict(forgotten.headers)
        assert "set-cookie" not in dict(ask(app, get("/text"))[0].headers)


def test_a_connection_is_kept_for_both(folder: Path) -> None:
    asked = user(get("/text"), head("/long"), get("/nothing"), get("/stream"), get("/text"))
    for left, right in zip(ask(ours(folder), asked), ask(theirs(folder), asked), strict=True):
        assert shown(left) == shown(right)


def test_names_of_one_inside_an_app_of_the_other(folder: Path) -> None:
    """Each finds its own routes, whoever is around."""
    inner_ours, inner_theirs = ours(folder), theirs(folder)
    outer = App([Mount("/in", Starlette(routes=[TheirMount("/ours", inner_ours)]))])
    other = Starlette(routes=[TheirMount("/in", App([Mount("/theirs", inner_theirs)]))])
    path = f"items/7/1.5/{KEY}/a"
    assert ask(outer, get(f"/in/ours/{path}"))[0].json()[2].endswith(f"/in/ours/{path}")
    mixed = Starlette(routes=[TheirMount("/in", inner_ours)])
    assert ask(mixed, get(f"/in/{path}"))[0].json()[2].endswith(f"/in/{path}")
    assert ask(other, get("/in/theirs/text"))[0].text == "café"


def test_middleware_of_one_around_an_app_of_the_other(folder: Path) -> None:
    """Each is a plain ASGI app."""
    mixed = Starlette(
        routes=[TheirMount("/ours", ours(folder))], middleware=[Middleware(GZip, minimum=10)]
    )
    other = App([Mount("/theirs", theirs(folder))])
    other.middleware(GZipMiddleware, minimum_size=10)
    for app, path in ((mixed, "/ours/long"), (other, "/theirs/long")):
        result = ask(app, get(path, headers={"accept-encoding": "gzip"}))[0]
        assert gzip.decompress(result.body).decode() == LONG
