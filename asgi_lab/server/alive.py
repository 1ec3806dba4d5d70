"""What is still alive: connections, and tasks of the app. A server is done when nothing is."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asgi_lab.server.connection import Connection


class Alive:
    """The connections and tasks of one server."""

    def __init__(self) -> None:
        # In order of opening (a set's order would differ from run to run).
        self.connections: dict[Connection, None] = {}
        self.tasks: dict[asyncio.Task[None], str] = {}
        self.ending = False
        """Whether the server ends: who comes now came too late."""
        self._fewer = asyncio.Event()

    def add(self, connection: "Connection") -> None:
        """Count a connection that has opened."""
        self.connections[connection] = None

    def discard(self, connection: "Connection") -> None:
        """Forget one that has closed."""
        self.connections.pop(connection, None)
        self._fewer.set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a task, and count it until it ends."""
        task = asyncio.create_task(work, name=name)
        self.tasks[task] = name
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self.tasks[task]
        self._fewer.set()
        if not task.cancelled():
            task.exception()  # it has been reported where it was raised

    async def all_closed(self) -> None:
        """Wait until no connection is left."""
        while self.connections:
            self._fewer.clear()
            await self._fewer.wait()

    async def none_left(self) -> None:
        """Wait until no connection and no task is left."""
        while self.connections or self.tasks:
            self._fewer.clear()
            await self._fewer.wait()
