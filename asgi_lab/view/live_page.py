"""The page of a report, live: what is traced is seen in a browser while it happens.

    page = LivePage("main:app")
    page.start()                # page.url is for the browser
    page.feed(events)           # from any thread, again and again
    page.end("the server has ended")
    page.close()

Served by our own framework on our own server, from a thread of its own. Only this machine can
reach it, and only who knows the address: there is a secret in the path, and the `Host` has to be
ours, lest a page from elsewhere reads it under a name of its own (DNS rebinding).
"""

import asyncio
import gzip
import hmac
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from html import escape
from typing import Any

from asgi_lab.events import Event, Trace
from asgi_lab.files import FORMAT, encode_trace
from asgi_lab.framework import (
    App,
    EventResponse,
    HTMLResponse,
    HTTPError,
    Mount,
    Response,
    ServerEvent,
    TextResponse,
)
from asgi_lab.scene import payload
from asgi_lab.scene.concurrency import concurrency
from asgi_lab.server import Server
from asgi_lab.types import ASGIApp, Receive, Scope, Send
from asgi_lab.view import theme
from asgi_lab.view.html import filled, in_script, pictures_of
from asgi_lab.view.live_news import News
from asgi_lab.view.words import words

HOST = "127.0.0.1"
PERIOD = 0.2
"""Seconds between two looks at what is new."""

SLOWLY = 5
"""So many looks between two summaries."""

BEHIND = 50
"""Messages that a browser may be behind; then it has to come again."""


class Guard:
    """Lets in who asks for this host and knows the secret; 403 for all others."""

    def __init__(self, app: ASGIApp, secret: str) -> None:
        self.app = app
        self._begin = f"/{secret}/".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "lifespan":
            begin = scope["path"].encode()[: len(self._begin)]
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            port = scope["server"][1]
            ours = [f"{name}:{port}".encode() for name in (HOST, "localhost")]
            if hosts not in ([ours[0]], [ours[1]]) or not hmac.compare_digest(begin, self._begin):
                refusal = TextResponse("the address of this page is in the terminal", 403)
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


class LivePage:
    """One page, for as many browsers as look at it."""

    def __init__(self, title: str = "") -> None:
        self.url = ""
        """Where it is, once it has started."""
        self.header: Callable[[], Mapping[str, Any]] = dict
        """Tells what is known of the recording: the server and its version, frameworks."""
        self._title = title
        self._news = News(title)
        self._browsers: set[asyncio.Queue[ServerEvent | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="asgi-lab live page", daemon=True)
        self._secret = secrets.token_urlsafe(24)

    def start(self) -> None:
        """Begin to serve. Raises `OSError` if that cannot be."""
        self._thread.start()
        self._up.wait()
        if not self.url:
            raise OSError("the live page cannot be served")

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events, and how many have been lost in all. From any thread."""
        self._news.feed(events, dropped)

    def end(self, words: str) -> None:
        """Say that nothing more will come. The page can be looked at until it is closed."""
        self._news.end(words)

    def close(self) -> None:
        """Tell what is new, and serve no more."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._up.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with Server(self.app(), host=HOST, port=0, shutdown_seconds=1.0) as server:
            self.url = f"{server.url}/{self._secret}/"
            self._up.set()
            telling = asyncio.create_task(self._tell())
            await self._stop.wait()
            telling.cancel()
            self._news.end("the server of this page has ended")
            if self._news.due:
                self._news.diagnose(self.header())
            self._hand_out([*self._news.new(summary=True), None])

    def app(self) -> ASGIApp:
        """Return what is served: the page, what happens, and what a reader asks for."""
        app, news = App(), self._news

        @app.get("/")
        async def page() -> Response:
            return HTMLResponse(self._page(), headers={"referrer-policy": "no-referrer"})

        @app.get("/live")
        async def live() -> Response:
            return EventResponse(self._told())

        @app.get("/event/{seq:int}")
        async def event(seq: int) -> Response:
            found = next((event for event in news.known() if event.seq == seq), None)
            return TextResponse(words(found) if found else "This event has been forgotten.")

        @app.get("/request/{conn:int}")
        async def request(conn: int) -> Any:
            own = tuple(event for event in news.known() if event.conn == conn)
            if not any(event.kind == "scope" and not event.layer for event in own):
                raise HTTPError(404)
            return pictures_of(conn, Trace(own))

        @app.get("/concurrency")
        async def curves() -> Any:
            return {"scene": payload.as_json(concurrency(Trace(tuple(news.known()))))}

        @app.get("/trace.jsonl.gz")
        async def trace() -> Response:
            header = {"asgi_lab": FORMAT, "target": self._title, **self.header()}
            whole = encode_trace(Trace(tuple(news.known()), header))
            return Response(gzip.compress(whole), headers={"content-type": "application/gzip"})

        return Guard(App([Mount(f"/{self._secret}", app)]), self._secret)

    def _page(self) -> str:
        meta = {"theme": theme.as_json(), "requests": [], "events": 0, "kept": 0}
        parts = {
            "title": escape(self._title or "asgi-lab"),
            "meta": in_script(meta),
            "footer": "It is served on this machine, for this machine alone.",
        }
        return filled("live.js", parts, connect="'self'")

    async def _told(self) -> AsyncIterator[ServerEvent]:
        """Yield what there is to see, and then what is new, for one browser."""
        queue: asyncio.Queue[ServerEvent | None] = asyncio.Queue(BEHIND)
        self._browsers.add(queue)
        try:
            for event in self._news.first():
                yield event
            while (new := await queue.get()) is not None:
                yield new
        finally:
            self._browsers.discard(queue)

    async def _tell(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(PERIOD)
            if self._browsers:
                looks += 1
                if self._news.due:
                    await asyncio.to_thread(self._news.diagnose, self.header())
                self._hand_out(self._news.new(summary=looks % SLOWLY == 0))

    def _hand_out(self, news: Sequence[ServerEvent | None]) -> None:
        for queue in list(self._browsers):
            try:
                for event in news:
                    queue.put_nowait(event)
            except asyncio.QueueFull:  # it comes again, and gets all
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)
