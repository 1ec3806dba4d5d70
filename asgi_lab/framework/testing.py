"""A client for tests: it talks to an app in the same event loop, with no server and no sockets.

    async with Client(app) as client:
        answer = await client.get("/items/7")
        assert answer.status == 200 and answer.json() == {"id": 7}
        chat = await client.ws("/chat", "hello", expect("hello"))

The app is started up, called as Uvicorn would call it (`asgi_lab.memory`), and shut down. Cookies
are kept between requests. This is the only module here that knows of anything outside.
"""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from asgi_lab.client import Request, Result, expect, perform, request, ws
from asgi_lab.memory import MemoryDoor, serve
from asgi_lab.types import ASGIApp

__all__ = ["Client", "Result", "expect"]


class Client:
    """Asks an app. Each method takes what its namesake in `asgi_lab.client` takes.

    What comes back is a `Result`: `status`, `headers`, `text`, `json()`, and `error` if it failed.
    Entering raises LifespanFailed if the app does not start.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}  # as they go on the wire
        self._opened = AsyncExitStack()
        self._door: MemoryDoor | None = None

    async def __aenter__(self) -> "Client":
        self._door = await self._opened.enter_async_context(serve(self.app))
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._opened.__aexit__(*error)

    async def request(self, method: str, path: str, *body: Any, **more: Any) -> Result:
        """Ask, and return the answer."""
        return (await self.all(request(method, path, *body, **more)))[0]

    async def get(self, path: str, **more: Any) -> Result:
        """GET."""
        return await self.request("GET", path, **more)

    async def post(self, path: str, *body: Any, **more: Any) -> Result:
        """POST; `body` as bytes, text or chunks, or `json=`."""
        return await self.request("POST", path, *body, **more)

    async def ws(self, path: str, *steps: Any, **more: Any) -> Result:
        """Hold a WebSocket conversation: texts, bytes, `expect(...)`, and so on."""
        return (await self.all(ws(path, *steps, **more)))[0]

    async def all(self, *requests: Request) -> tuple[Result, ...]:
        """Ask all of these at once, and return the answers in the same order."""
        if self._door is None:
            raise RuntimeError("write: async with Client(app) as client")
        if self.cookies:
            line = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            requests = tuple(with_header(each, "cookie", line) for each in requests)
        results = await perform(self._door, requests)
        for result in results:
            self._keep(result)
        return results

    def _keep(self, result: Result) -> None:
        for name, value in result.headers:
            if name == "set-cookie":
                pair, _, attributes = value.partition(";")
                key, _, text = pair.partition("=")
                self.cookies[key] = text
                if "max-age=0" in attributes.lower():
                    del self.cookies[key]


def with_header(asked: Request, name: str, value: str) -> Request:
    """Return the request with one more header, unless it has one of that name."""
    if any(each.lower() == name for each, _ in asked.headers):
        return asked
    return replace(asked, headers=(*asked.headers, (name, value)))
