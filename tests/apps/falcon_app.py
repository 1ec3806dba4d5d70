"""Falcon's ASGI apps, in the style of its documentation."""

from collections.abc import AsyncIterator
from typing import Any

import falcon
import falcon.asgi


class Stamp:
    async def process_startup(self, scope: Any, event: Any) -> None:
        scope["state"]["pool"] = "a pool"

    async def process_shutdown(self, scope: Any, event: Any) -> None: ...

    async def process_response(self, req: Any, resp: Any, resource: Any, ok: bool) -> None:
        resp.set_header("x-stamp", "yes")


class Index:
    async def on_get(self, req: Any, resp: Any) -> None:
        resp.text = "hello"


class Items:
    async def on_post(self, req: Any, resp: Any) -> None:
        resp.media = await req.get_media()


class Stream:
    async def on_get(self, req: Any, resp: Any) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for part in (b"a", b"b", b"c"):
                yield part

        resp.stream = parts()


class Background:
    async def on_get(self, req: Any, resp: Any) -> None:
        async def later() -> None: ...

        resp.schedule(later)
        resp.schedule_sync(lambda: None)
        resp.text = "soon"


class Fail:
    async def on_get(self, req: Any, resp: Any) -> None:
        raise falcon.HTTPConflict(title="broken")


class Echo:
    async def on_websocket(self, req: Any, socket: Any) -> None:
        await socket.accept()
        while True:
            try:
                await socket.send_text((await socket.receive_text()).upper())
            except falcon.WebSocketDisconnected:
                return


def make() -> falcon.asgi.App:
    app = falcon.asgi.App(middleware=[Stamp()])
    for path, resource in (
        ("/", Index()), ("/items", Items()), ("/stream", Stream()), ("/fail", Fail()),
        ("/background", Background()), ("/echo", Echo()),
    ):  # fmt: skip
        app.add_route(path, resource)
    return app
