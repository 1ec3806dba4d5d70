"""What a server has written and its client has not read yet: a connection without a wire.

1. Writing never waits; it is heard at once, and read when the client gets to it.
2. Above `HIGH` unread bytes the channel is paused, until no more than `LOW` are left. A server that
   waits for that before it writes again feels a slow client. These are asyncio's own marks.
3. Closing lets the client read what was written. Its vanishing throws that away.
4. The server learns that the connection is lost in a later turn of the loop, once (`on_lost`).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sized
from typing import Any, Generic, TypeVar

HIGH = 65_536  # bytes
LOW = 16_384  # bytes

Item = TypeVar("Item", bound=Sized)


class Channel(Generic[Item]):
    """From one server to one client. What is written has a length, in bytes."""

    __slots__ = (
        "_items", "_on_lost", "_reader", "_size", "_writable", "closing", "gone", "lost", "paused",
    )  # fmt: skip

    def __init__(self, on_lost: Callable[[], object]) -> None:
        self._items: deque[Item] = deque()
        self._size = 0
        self._reader: asyncio.Future[None] | None = None
        self._writable: asyncio.Event | None = None
        self._on_lost = on_lost
        self.paused = False
        self.closing = False
        self.gone = False
        """The client has vanished, though the server may not know yet."""
        self.lost = False
        """The server knows that there is nobody any more."""

    def write(self, item: Item) -> None:
        """Write; to a client that has gone, or after closing, it is thrown away."""
        if self.closing:
            return
        if self.gone:  # writing to nobody is how servers notice
            asyncio.get_running_loop().call_soon(self.lose)
            return
        self._items.append(item)
        self._size += len(item)
        if self._size > HIGH:
            self.paused = True
        self._wake()

    async def drain(self) -> None:
        """Wait until the client has read enough, or is gone."""
        if self._writable is None:
            self._writable = asyncio.Event()
        await self._writable.wait()

    def end(self) -> None:
        """Say that nothing more comes, while the connection stays."""
        self.closing = True
        self._wake()

    def close(self) -> None:
        """Close the connection, when the client has read most of what was written."""
        self.end()
        if not self.paused:
            asyncio.get_running_loop().call_soon(self.lose)

    def lose(self) -> None:
        """Tell the server that the connection is lost."""
        if not self.lost:
            self.lost = True
            self.end()
            self._resume()
            self._on_lost()

    async def read(self, most: int | None = None) -> Item | None:
        """Return what was written first, cut to `most` bytes; None after the end.

        Nothing is lost by cancelling.
        """
        while not self._items:
            if self.closing:
                return None
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        item = self._items.popleft()
        if most is not None and len(item) > most:
            whole: Any = item
            self._items.appendleft(whole[most:])
            item = whole[:most]
        self._size -= len(item)
        if self.paused and self._size <= LOW:
            self._resume()
            if self.closing:
                asyncio.get_running_loop().call_soon(self.lose)
        return item

    def vanish(self) -> None:
        """Leave, as the client, without a word and without reading the rest."""
        self.gone = True
        self._items.clear()
        if self.paused:  # a server with something left to write notices at once
            asyncio.get_running_loop().call_soon(self.lose)

    def _resume(self) -> None:
        self.paused = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
