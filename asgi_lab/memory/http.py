"""One HTTP request, as Uvicorn serves it, and its answer. No bytes are parsed: there is no wire.

ASGI's HTTP sub-specification 2.3. What the app is told, what `send` does when, and what becomes of
an app that fails, are the same as over a socket; see `tests/test_memory_same.py`.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from h11 import LocalProtocolError

from asgi_lab.client.result import Progress
from asgi_lab.client.wire import http_fields
from asgi_lab.memory.answer import answer_head
from asgi_lab.memory.channel import HIGH, Channel
from asgi_lab.memory.upload import Address
from asgi_lab.types import ASGIApp, Message, Scope

log = logging.getLogger("asgi_lab.memory")
log.addHandler(logging.NullHandler())  # traces tell; who wants to read it too configures logging

CLOSE = (b"connection", b"close")
APOLOGY = b"Internal Server Error"
KNOWN = frozenset(range(100, 600))


class Cycle:
    """One request and its answer, from the server's side: Uvicorn's word for it."""

    __slots__ = (
        "_asked_to_close",
        "_broken",
        "_closes",
        "_expected",
        "_heard",
        "_method",
        "_on_room",
        "_waiting",
        "answered",
        "body",
        "channel",
        "complete",
        "disconnected",
        "more_body",
        "progress",
        "scope",
        "started",
    )  # fmt: skip

    def __init__(self, scope: Scope, progress: Progress) -> None:
        self.scope = scope
        self.progress = progress
        self.channel: Channel[bytes] = Channel(self._lost)
        self._method: str = scope["method"]
        self._asked_to_close = CLOSE in scope["headers"]
        self._closes = False
        self._expected: int | None = None
        self._waiting: asyncio.Event | None = None
        self._heard = False
        self.body = b""
        self.more_body = True
        self._on_room: Callable[[], object] | None = None
        """To be called when the app has taken the body that had come."""
        self.started = False
        self.complete = False
        """The app has said all."""
        self.answered = False
        """The client has a whole answer: it may know that sooner, from the length."""
        self._broken = True
        """What the app says cannot be sent: there is no head yet, or something was wrong."""
        self.disconnected = False

    @property
    def closes(self) -> bool:
        """Whether the connection cannot be used for another request."""
        return self._closes or not self.answered or self.more_body or self.channel.lost

    async def run(self, app: ASGIApp) -> None:
        """Call the app, and see that the client gets an answer."""
        try:
            result = await app(self.scope, self.receive, self.send)
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            log.error("the app raised", exc_info=error)
            await self._apologise()
        except BaseException:
            self._close()  # the task ends by it; the client is not left waiting
            raise
        else:
            if result is not None:
                log.error("the app returned %r, not None", result)
                self._close()
            elif self.disconnected:
                pass
            elif not self.started:
                log.error("the app returned without an answer")
                await self._apologise()
            elif not self.complete:
                log.error("the app returned amid its answer")
                self._close()

    async def receive(self) -> Message:
        """ASGI's `receive`: the body as it comes, then `http.disconnect` when all is over."""
        if not self.disconnected and not self.complete:
            await self._news()
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""
        if self._on_room is not None:
            asyncio.get_running_loop().call_soon(self._on_room)
            self._on_room = None
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def _news(self) -> None:
        """Wait for news. An event is made only for who has to: there may be thousands of us."""
        if not self._heard:
            self._waiting = self._waiting or asyncio.Event()
            await self._waiting.wait()
            self._waiting.clear()
        self._heard = False

    def _notify(self) -> None:
        self._heard = True
        if self._waiting is not None:
            self._waiting.set()

    async def send(self, message: Message) -> None:
        """ASGI's `send`: waits while the client is slow; does nothing once it has gone.

        Raises RuntimeError for a message that cannot come now, and h11.LocalProtocolError for one
        that cannot be put on a wire.
        """
        if self.channel.paused and not self.disconnected:
            await self.channel.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.started:
            if kind != "http.response.start":
                raise RuntimeError(f"an answer begins with http.response.start, not {kind}")
            self._start(message)
        elif self.complete:
            raise RuntimeError(f"{kind} after the answer was complete")
        elif kind != "http.response.body":
            raise RuntimeError(f"after http.response.start comes http.response.body, not {kind}")
        else:
            self._continue(message.get("body", b""), message.get("more_body", False))

    def feed(self, data: bytes, more: bool, go_on: Callable[[], object] | None = None) -> bool:
        """Let a piece of the request's body arrive; see `Inbox`."""
        self.body += data
        self.more_body = more
        self._notify()
        full = len(self.body) > HIGH
        self._on_room = go_on if full else None
        return not full

    def _start(self, message: Message) -> None:
        self.started = True
        status = message["status"]
        headers = list(message.get("headers", []))
        if status not in KNOWN:
            raise KeyError(status)
        head = answer_head(self._method, self._asked_to_close, status, headers)
        self._broken = False
        self._expected = head.length
        self._closes = head.closes
        self.progress.head(int(status), head.headers)
        if self._expected == 0:
            self._end()

    def _continue(self, body: Any, more: bool) -> None:
        if self._broken:
            raise LocalProtocolError("nothing can follow what could not be sent")
        if self._method == "HEAD":
            body = b""
        elif not isinstance(body, bytes):
            if not isinstance(body, bytearray | memoryview):
                self._broken = True
                raise TypeError(f"a body is bytes, got {type(body).__name__}")
            body = bytes(body)
        if self._expected is not None:
            if len(body) > self._expected:
                self._broken = True
                raise LocalProtocolError("more body than content-length says")
            self._expected -= len(body)
        if body:
            self.channel.write(body)
        if not more:
            self.complete = True
            self._notify()
            if self._expected:
                self._broken = True
                raise LocalProtocolError("less body than content-length says")
        if not more or self._expected == 0:
            self._end()

    def _end(self) -> None:
        """Note that the client has a whole answer, though the app may not have said so."""
        if not self.answered:
            self.answered = True
            self.progress.end()
            self.channel.end()

    async def _apologise(self) -> None:
        """Answer for an app that did not; if it began to, only closing is left."""
        if self.started:
            return self._close()
        fields = [(b"content-type", b"text/plain; charset=utf-8"), CLOSE]
        await self.send({"type": "http.response.start", "status": 500, "headers": fields})
        await self.send({"type": "http.response.body", "body": APOLOGY})
        return None

    def _close(self) -> None:
        if not self.answered:
            self.progress.end()
        self.channel.close()

    def _lost(self) -> None:
        self.disconnected = not self.complete
        self._notify()


def http_scope(progress: Progress, client: Address, server: Address, state: Any) -> Scope:
    """Return the scope of a request, with all that Uvicorn tells of one."""
    request = progress.request
    path, _, query = request.path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": server,
        "client": client,
        "scheme": "http",
        "method": request.method,
        "root_path": "",
        "path": unquote(path) if "%" in path else path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": http_fields(request, f"{server[0]}:{server[1]}"),
        "state": state.copy(),
    }
