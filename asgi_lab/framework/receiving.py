"""One `receive`, and two who need it: whoever reads the body, and whoever waits for the client.

`http.disconnect` comes through the same callable as the body (www: "Disconnect"). A handler that
streams its answer must notice that the client has left; but if it calls `receive` for that while
the same handler still reads the request, each takes what the other needs. An `Inbox` stands
between: the one who waits looks one message ahead, and leaves it for the one who reads. Looking no
further keeps the backpressure: what nobody has taken stays with the server.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from asgi_lab.framework.interrupting import Interruption, stop
from asgi_lab.types import Message, Receive


class Inbox:
    """A `receive` that can also be asked whether the client has left."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._turn = asyncio.Lock()
        self._held: Message | None = None
        self._taken = asyncio.Event()
        self._gone: Message | None = None
        self.complete = False
        """The whole body of the request has come: only `http.disconnect` can follow."""

    @classmethod
    def of(cls, receive: Receive) -> "Inbox":
        """Return the inbox that `receive` is, or a new one around it."""
        return receive if isinstance(receive, Inbox) else cls(receive)

    async def __call__(self) -> Message:
        """ASGI's `receive`."""
        async with self._turn:
            if self._held is None and self._gone is None:
                await self._fetch()
            message, self._held = self._held or self._gone, None
            self._taken.set()
            assert message is not None
            return message

    async def disconnected(self) -> None:
        """Wait until the client has left. Messages that come before stay to be read."""
        while self._gone is None:
            async with self._turn:
                if self._gone is None and (self._held is None or self.complete):
                    await self._fetch()
            if self._held is not None and not self.complete:
                self._taken.clear()
                await self._taken.wait()

    async def _fetch(self) -> None:
        message = await self._receive()
        if message["type"].endswith(".disconnect"):
            self._gone = message
        else:
            self._held = message
            self.complete = not message.get("more_body", False)


@asynccontextmanager
async def while_connected(inbox: Inbox, *helpers: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a block until its end, or until the client leaves, with helpers beside it.

    When the client leaves, or a helper ends, the block is interrupted, and what follows it goes on.
    """
    beside = [asyncio.ensure_future(each) for each in (inbox.disconnected(), *helpers)]
    try:
        with Interruption() as interrupt:
            for each in beside:
                each.add_done_callback(interrupt)
            yield
    finally:
        await stop(*beside)
    for each in beside:
        error = None if each.cancelled() else each.exception()
        if error is not None and not isinstance(error, OSError):  # which says: the client has left
            raise error
