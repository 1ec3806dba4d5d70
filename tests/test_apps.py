"""Apps of every framework, each built twice: bare and traced, a server sees the same."""

import io
import sys
from importlib import import_module
from typing import Any

import pytest

from asgi_lab import trace
from tests.driver import CONNECT, SHUTDOWN, STARTUP, http, lifespan, observe, request, text
from tests.driver import websocket as websocket_to
from tests.test_wsgi import serve

ASGI = ["fastapi", "starlette", "quart", "falcon", "litestar", "django"]
WSGI = ["flask", "bottle", "django"]
JSON = [(b"content-type", b"application/json"), (b"content-length", b"15")]
GZIP = [(b"accept-encoding", b"gzip"), (b"origin", b"http://x.test")]
BODY = b'{"name": "nut"}'
LEFT = {"type": "websocket.disconnect", "code": 1000}

CALLS: dict[str, tuple[Any, list[Any]]] = {
    "index": (http("/?name=x", headers=GZIP), [request()]),
    "head": (http("/", method="HEAD"), [request()]),
    "post": (http("/items", "POST", JSON), [request(BODY[:5], more=True), request(BODY[5:])]),
    "bad post": (http("/items", "POST", JSON), [request(b"not json, is it")]),
    "thread": (http("/thread"), [request()]),
    "stream": (http("/stream"), [request()]),
    "parts": (http("/parts"), [request()]),
    "background": (http("/background"), [request()]),
    "missing": (http("/missing"), [request()]),
    "unknown": (http("/unknown"), [request()]),
    "fail": (http("/fail"), [request()]),
    "left": (http("/items", "POST", JSON), [{"type": "http.disconnect"}]),
    "echo": (websocket_to("/echo"), [CONNECT, text("a"), text("b"), LEFT]),
    "no such echo": (websocket_to("/unknown"), [CONNECT, LEFT]),
    "lifespan": (lifespan(), [STARTUP, SHUTDOWN]),
}


@pytest.mark.parametrize("framework", ASGI)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("options", [{}, {"layers": False}, {"run": False}], ids=str)
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_an_asgi_app_is_seen_the_same(framework: str, call: str, options: dict[str, Any]) -> None:
    if framework == "quart" and sys.version_info[:3] == (3, 13, 0):
        pytest.skip("Quart, untraced, does not end a response on 3.13.0")
    make = import_module(f"tests.apps.{framework}_app").make
    scope, incoming = CALLS[call]

    def fresh() -> Any:
        return {**scope, "state": {}}

    traced = trace(make(), **options)
    expected = observe(make(), fresh(), incoming, slow=1)
    assert observe(traced, fresh(), incoming, slow=1) == expected
    assert traced.trace[0].kind == "scope"
    assert str(traced.trace)


@pytest.mark.parametrize("framework", WSGI)
@pytest.mark.parametrize("path", ["/?name=x", "/parts", "/stream", "/file", "/fail", "/unknown"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_a_wsgi_app_is_seen_the_same(framework: str, path: str) -> None:
    make = import_module(f"tests.apps.{framework}_app").make_wsgi
    traced = trace(make())
    assert serve(traced, path) == serve(make(), path)
    assert str(traced.trace)


@pytest.mark.parametrize("framework", WSGI)
def test_a_wsgi_app_reads_its_body_as_before(framework: str) -> None:
    make = import_module(f"tests.apps.{framework}_app").make_wsgi

    def post(app: Any) -> Any:
        body = {"wsgi.input": io.BytesIO(BODY), "CONTENT_LENGTH": str(len(BODY))}
        return serve(app, "/items", REQUEST_METHOD="POST", CONTENT_TYPE="text/plain", **body)

    assert "nut" in str(post(make()))
    assert post(trace(make())) == post(make())
