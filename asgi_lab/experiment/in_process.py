"""A door to a server in a process of its own, which imports the app by its name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgi_lab.adapters.order import Order
from asgi_lab.adapters.servers import Options
from asgi_lab.adapters.session import WAITING, Session
from asgi_lab.client import SocketDoor
from asgi_lab.commands.watch import Silent
from asgi_lab.experiment.setup import Done, Setup


@asynccontextmanager
async def in_a_process(setup: Setup, done: Done) -> AsyncIterator[Any]:
    """Serve an app by its name from a process of its own."""
    assert setup.target is not None
    order = Order(
        setup.target,
        server=setup.server,
        options=Options(port=0, workers=setup.workers),
        layers=setup.layers,
        rules=setup.rules,
        redact=setup.redact,
        max_events=setup.max_events,
    )
    session = Session(order, Unattended())
    try:
        with session:
            yield SocketDoor(session.url)
    finally:
        done.recorded = session.trace


class Unattended(Silent):
    """Does not tell that open requests are waited for: when a run ends, there are none."""

    def log(self, line: str) -> None:
        """Take a line that the server or the app printed."""
        if not line.endswith(WAITING):
            super().log(line)
