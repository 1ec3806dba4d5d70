"""One `receive`, and two who need it: whoever reads the body, and whoever waits for the client.

`http.disconnect` comes through the same callable as the body (www: "Disconnect"). A handler that
streams its answer must notice that the client has left; but if it calls `receive` for that while
the same handler still reads the request, each takes what the other needs. An `Inbox` stands
between:

    server ──receive──► Inbox ──► request.stream()       takes the messages
                          └─────► inbox.disconnected()   only looks, one message ahead

Looking no further keeps the backpressure: what nobody has taken stays with the server.
"""

import asyncio
from collections import deque

from asgi_lab.types import Message, Receive


class Inbox:
    """A `receive` that can also be asked whether the client has left."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._turn = asyncio.Lock()  # one at a time asks the server
        self._waiting: deque[Message] = deque()
        self._taken = asyncio.Event()
        self._body_complete = False
        self._left = False

    @classmethod
    def of(cls, receive: Receive) -> "Inbox":
        """Return the inbox that `receive` is, or a new one around it."""
        return receive if isinstance(receive, Inbox) else cls(receive)

    async def __call__(self) -> Message:
        """ASGI's `receive`. After `http.disconnect` comes the same again: nothing follows it."""
        if not self._waiting:
            async with self._turn:
                if not self._waiting:
                    await self._fetch()
        if self._left and len(self._waiting) == 1:
            return self._waiting[0]
        self._taken.set()
        return self._waiting.popleft()

    async def disconnected(self) -> None:
        """Wait until the client has left. Messages that come before stay to be read."""
        while not self._left:
            async with self._turn:
                if not self._left and (self._body_complete or not self._waiting):
                    await self._fetch()
            if self._waiting and not self._body_complete:
                self._taken.clear()
                await self._taken.wait()

    async def _fetch(self) -> None:
        message = await self._receive()
        self._waiting.append(message)
        self._left = message["type"].endswith(".disconnect")
        self._body_complete = not message.get("more_body", False)
