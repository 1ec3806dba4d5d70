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

from asgi_lab.framework.headers import GivenHeaders
from asgi_lab.framework.interrupting import alongside
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
        named = {"event": self.event, "id": self.id, "retry": self.retry}
        lines = [f"{key}: {value}" for key, value in named.items() if value not in ("", None)]
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
        *,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        super().__init__(events, status, headers)
        self.keep_alive = keep_alive
        self.headers.setdefault("cache-control", "no-store")

    def render(self, body: Any) -> bytes:
        """Return an event as bytes."""
        return (body if isinstance(body, ServerEvent) else ServerEvent(body)).encode()

    async def stream(self, send: Send) -> None:
        """Send the events, with comments in between."""
        speaker = Speaker(send)
        async with alongside(speaker.remind(self.keep_alive)):
            await super().stream(speaker)


class Speaker:
    """A `send` that knows when it was last used, and says a comment if that was long ago."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._turn = asyncio.Lock()  # one message at a time: a slow client keeps `send` waiting
        self._last = time.monotonic()

    async def __call__(self, message: Message) -> None:
        """ASGI's `send`."""
        async with self._turn:
            await self._send(message)
            self._last = time.monotonic()

    async def remind(self, pause: float) -> None:
        """Send a comment whenever nothing was sent for so many seconds."""
        while True:
            left = self._last + pause - time.monotonic()
            if left > 0:
                await asyncio.sleep(left)
            else:
                comment = b": keep-alive\n\n"
                await self({"type": "http.response.body", "body": comment, "more_body": True})
