"""`server-timing`: how long the app took until its response began, for the browser's tools.

    Server-Timing: app;dur=12.3

The smallest middleware there is: it lets everything pass, and adds one header to one message. How
it comes between the app and `send` is told by `headers.with_headers`.
"""

import time

from asgi_lab.framework.headers import Headers, with_headers
from asgi_lab.types import ASGIApp, Receive, Scope, Send


class Timing:
    """Adds `server-timing`, in ms, under a name (https://www.w3.org/TR/server-timing)."""

    def __init__(self, app: ASGIApp, name: str = "app") -> None:
        self.app = app
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app, and note the time of its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        def add_time(headers: Headers) -> None:
            took = (time.perf_counter() - began) * 1000
            headers.add("server-timing", f"{self.name};dur={took:.1f}")

        await self.app(scope, receive, with_headers(send, add_time))
