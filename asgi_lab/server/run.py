"""A process that serves: `run(app)` until SIGINT or SIGTERM ends it in good order.

The first signal lets what is going on finish; a second one breaks it off. This is apart from
`Server`, which runs beside others in a loop and must not take a process's signals.

Ctrl-C is heard by all processes of a terminal: by a server, and by its supervisor, which passes it
on as SIGTERM. So SIGTERM after SIGINT is no second wish.
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
    last = 0
    this = asyncio.current_task()
    assert this is not None
    listening = False

    def on_signal(number: int) -> None:
        nonlocal last
        passed_on = (last, number) == (signal.SIGINT, signal.SIGTERM)
        if not listening or (asked.is_set() and not passed_on):
            this.cancel()
        last = number
        asked.set()

    for number in SIGNALS:
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, on_signal, number)
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
