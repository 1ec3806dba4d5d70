"""Server-sent events: a response that goes on, and says something now and then.

    async def ticks():
        while True:
            await asyncio.sleep(1)
            yield ServerEvent("tick", event="clock")

    return EventResponse(ticks())

The format is lines of text (HTML standard, "Server-sent events"). A comment is sent when nothing
else was for a while: proxies cut connections that seem dead, and a client that has vanished is
noticed only by sending to it.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from typing import Any

from asgi_lab.framework.background import BackgroundTasks
from asgi_lab.framework.errors import ClientDisconnect
from asgi_lab.framework.headers import GivenHeaders
from asgi_lab.framework.receiving import Inbox, while_connected
from asgi_lab.framework.responses import StreamingResponse
from asgi_lab.types import Message, Send

KEEP_ALIVE = 15.0  # seconds
LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class ServerEvent:
    """One event. `data` that is no text is sent as JSON; `retry` is in ms.

    With an `id`, a client that comes again says the last one in `last-event-id`.
    """

    data: Any
    event: str = ""
    id: str = ""
    retry: int | None = None

    def encode(self) -> bytes:
        """Return its lines, the last one empty. Raises ValueError for a name that is no line."""
        for name in (self.event, self.id):
            if LINE_END.search(name) or "\0" in name:
                raise ValueError(f"the name or id of an event is one line, got {name!r}")
        data = self.data if isinstance(self.data, str) else json.dumps(self.data)
        lines = [
            f"{key}: {value}" for key, value in (("event", self.event), ("id", self.id)) if value
        ]
        lines += [] if self.retry is None else [f"retry: {self.retry}"]
        lines += [f"data: {line}" for line in LINE_END.split(data)]
        return "".join(f"{line}\n" for line in (*lines, "")).encode()


class EventResponse(StreamingResponse):
    """Sends events, or texts and what JSON holds as their data, until the client leaves."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncIterable[Any] | Iterable[Any],
        status: int = 200,
        headers: GivenHeaders = (),
        background: BackgroundTasks | None = None,
        *,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        super().__init__(events, status, headers, background=background)
        self.keep_alive = keep_alive
        self.headers.setdefault("cache-control", "no-store")

    def render(self, body: Any) -> bytes:
        """Return an event as bytes; bytes are left as they are."""
        if isinstance(body, bytes):
            return body
        return (body if isinstance(body, ServerEvent) else ServerEvent(body)).encode()

    async def stream(self, chunks: AsyncIterable[Any], inbox: Inbox, send: Send) -> None:
        """Send the events, with comments in between."""
        turn = asyncio.Lock()  # one message at a time: a slow client keeps `send` waiting
        last = time.monotonic()

        async def say(message: Message) -> None:
            nonlocal last
            async with turn:
                await send(message)
                last = time.monotonic()

        async def remind() -> None:
            while True:
                await asyncio.sleep(max(last + self.keep_alive - time.monotonic(), 0))
                if time.monotonic() >= last + self.keep_alive:
                    comment = b": keep-alive\n\n"
                    await say({"type": "http.response.body", "body": comment, "more_body": True})

        async with while_connected(inbox, remind()):
            try:
                await self.start(say)
                async for chunk in chunks:
                    body = self.render(chunk)
                    await say({"type": "http.response.body", "body": body, "more_body": True})
                await say({"type": "http.response.body"})
            except ClientDisconnect:
                pass
