"""Apps of every framework on the lab server: a client sees the same as on Uvicorn."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import httpx
import pytest
import uvicorn
from server_tools import both_loops, run

from asgi_lab.client import Result, drive, parse_request
from asgi_lab.server import Server

FRAMEWORKS = ["fastapi", "starlette", "quart", "falcon", "litestar", "django"]
JSON = {"content-type": "application/json"}
CALLS: dict[str, dict[str, Any]] = {
    "index": {"method": "GET", "url": "/?name=x", "headers": {"accept-encoding": "gzip"}},
    "head": {"method": "HEAD", "url": "/"},
    "options": {"method": "OPTIONS", "url": "/"},
    "post": {"method": "POST", "url": "/items", "headers": JSON, "content": b'{"name": "nut"}'},
    "bad post": {"method": "POST", "url": "/items", "headers": JSON, "content": b"not json"},
    "long post": {"method": "POST", "url": "/items", "headers": JSON, "content": b"x" * 300_000},
    "thread": {"method": "GET", "url": "/thread"},
    "stream": {"method": "GET", "url": "/stream"},
    "background": {"method": "GET", "url": "/background"},
    "missing": {"method": "GET", "url": "/missing"},
    "unknown": {"method": "GET", "url": "/unknown/%C3%A9"},
    "fail": {"method": "GET", "url": "/fail"},
}
OWN = {"date", "server", "connection"}  # headers in which servers may differ


@asynccontextmanager
async def on_uvicorn(app: Any) -> AsyncIterator[str]:
    config = uvicorn.Config(app, port=0, log_config=None, ws="wsproto", http="h11")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.001)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@asynccontextmanager
async def on_lab(app: Any) -> AsyncIterator[str]:
    async with Server(app) as server:
        yield server.url


async def visit(url: str) -> dict[str, Any]:
    """What a client sees of each call."""
    seen: dict[str, Any] = {}
    same = {"host": "lab.test"}  # some apps say where they are
    async with httpx.AsyncClient(base_url=url, timeout=30.0, headers=same) as client:
        for name, call in CALLS.items():
            response = await client.request(**call)
            headers = sorted((k, v) for k, v in response.headers.items() if k not in OWN)
            seen[name] = (response.status_code, headers, response.content)
    talks: list[Result] = []
    requests = [parse_request("WS /echo a | b"), parse_request("WS /unknown a")]
    await drive(url, requests, quiet=0.2, on_result=talks.append)
    seen["echo"], seen["no such echo"] = (
        (talk.status, talk.messages, talk.close_code) for talk in talks
    )
    return seen


@pytest.mark.parametrize("framework", FRAMEWORKS)
@both_loops
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_a_client_sees_the_same_as_on_uvicorn(framework: str, loop: str) -> None:
    if framework == "quart" and sys.version_info[:3] == (3, 13, 0):
        pytest.skip("Quart does not end a response on 3.13.0")
    make = import_module(f"tests.apps.{framework}_app").make

    async def main() -> tuple[Any, Any]:
        async with on_uvicorn(make()) as url:
            expected = await visit(url)
        async with on_lab(make()) as url:
            return await visit(url), expected

    seen, expected = run(main(), loop)
    for name in expected:
        assert seen[name] == expected[name], name
    assert seen["index"][0] == 200


def test_django_channels() -> None:
    import_module("tests.apps.django_app").setup()
    from channels.generic.websocket import AsyncJsonWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.urls import path

    class Chat(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
        async def connect(self) -> None:
            if self.scope["query_string"] == b"no":
                await self.close()
            else:
                await self.accept()

        async def receive_json(self, content: Any, **_: Any) -> None:
            await self.send_json({"heard": content})
            await self.close(code=4001, reason="enough")

    routes = URLRouter([path("chat", Chat.as_asgi())])
    talks: list[Result] = []

    async def main() -> None:
        async with on_lab(ProtocolTypeRouter({"websocket": routes})) as url:
            requests = [parse_request('WS /chat {"a": 1}'), parse_request("WS /chat?no x")]
            await drive(url, requests, quiet=5.0, on_result=talks.append)

    run(main())
    assert [talk.status for talk in talks] == [101, 403]
    assert talks[0].messages == ('{"heard": {"a": 1}}',)
    assert talks[0].close_code == 4001
