"""A process that serves: `run(app)` until SIGINT or SIGTERM ends it in good order.

The first signal lets what is going on finish; a second one breaks it off. This is apart from
`Server`, which runs beside others in a loop and must not take a process's signals.
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress

from asgi_lab.server.serve import Server

logger = logging.getLogger("asgi_lab.server")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(
    server: Server, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> None:
    """Serve until a signal. Raises `StartupFailed`, and OSError for a busy address."""
    with asyncio.Runner(loop_factory=loop_factory) as runner, suppress(asyncio.CancelledError):
        runner.run(serve_until_signal(server))


async def serve_until_signal(server: Server) -> None:
    """Serve until the first signal; from the second on, break off what still waits."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    this = asyncio.current_task()
    assert this is not None
    listening = False

    def on_signal() -> None:
        if asked.is_set() or not listening:
            this.cancel()
        asked.set()

    for number in SIGNALS:
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, on_signal)
    try:
        async with server:
            listening = True
            logger.info("listening on %s", server.url)
            await asked.wait()
            logger.info("ending: waiting for open requests")
    finally:
        for number in SIGNALS:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
