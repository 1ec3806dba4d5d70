"""Groups: one message to many WebSockets, none of which may keep the others waiting.

    groups = Groups()

    @app.websocket("/chat/{room}")
    async def chat(socket: WebSocket, room: str) -> None:
        await socket.accept()
        async with groups.join(room, socket):
            async for message in socket:
                groups.send(room, message)

`send` to one slow client waits: that is backpressure, and must not be the sender's. So each member
has a queue and a task that empties it, and `Groups.send` never waits:

    groups.send ──┬──► queue ──write──► socket.send ──► client
                  ├──► queue ──write──► socket.send ──► client
                  └──► queue, full               a slow client

When a queue is full, the policy decides: `drop` the oldest message, or `close` the socket with 1013
(try again later).
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from asgi_lab.framework.exceptions import WebSocketDisconnect
from asgi_lab.framework.interrupting import alongside
from asgi_lab.framework.websockets import WebSocket

TRY_AGAIN_LATER = 1013  # the registry of close codes (IANA)


class Member:
    """One socket in a group, with what it has not been sent yet."""

    def __init__(self, socket: WebSocket, limit: int) -> None:
        self.socket = socket
        self.waiting: deque[str | bytes] = deque(maxlen=limit)  # full, it drops its oldest
        self.too_slow = asyncio.Event()
        self._some = asyncio.Event()

    def put(self, message: str | bytes, close_if_slow: bool) -> None:
        """Send that when its turn comes."""
        if close_if_slow and len(self.waiting) == self.waiting.maxlen:
            self.too_slow.set()
        else:
            self.waiting.append(message)
            self._some.set()

    async def write(self) -> None:
        """Send what waits. Raises WebSocketDisconnect when the client has left."""
        while await self._some.wait():
            while self.waiting:
                await self.socket.send(self.waiting.popleft())
            self._some.clear()


class Groups:
    """Groups by name; one exists while it has members. `limit` is in messages for each member."""

    def __init__(self, limit: int = 100, when_slow: Literal["drop", "close"] = "close") -> None:
        if limit < 1 or when_slow not in ("drop", "close"):
            raise ValueError(f"expected a limit from 1 and drop or close, got {limit}, {when_slow}")
        self.limit = limit
        self.when_slow = when_slow
        self._members: defaultdict[str, list[Member]] = defaultdict(list)

    @asynccontextmanager
    async def join(self, name: str, socket: WebSocket) -> AsyncIterator[Member]:
        """Be a member of a group within the block.

        If the client has left or is too slow, which closes the socket with 1013, the block is
        interrupted, and WebSocketDisconnect raised.
        """
        member = Member(socket, self.limit)
        self._members[name].append(member)
        try:
            async with alongside(member.write(), member.too_slow.wait()):
                yield member
        finally:
            self._members[name].remove(member)
            if not self._members[name]:
                del self._members[name]
        if member.too_slow.is_set():
            await socket.close(TRY_AGAIN_LATER, "too slow")
            raise WebSocketDisconnect(TRY_AGAIN_LATER, "too slow")

    def send(self, name: str, message: str | bytes, but: WebSocket | None = None) -> int:
        """Send to each member but one, now or later; return how many there are."""
        members = [m for m in self._members.get(name, ()) if m.socket is not but]
        for member in members:
            member.put(message, self.when_slow == "close")
        return len(members)

    def count(self, name: str) -> int:
        """Return how many members a group has."""
        return len(self._members.get(name, ()))
