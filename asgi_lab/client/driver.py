"""Driving a server: the requests in order, so many times, so many at once, to one tally."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain, repeat

from asgi_lab.client.door import QUIET
from asgi_lab.client.perform import attempt, together
from asgi_lab.client.request import Request
from asgi_lab.client.result import Count, Progress, Result, Tally, now
from asgi_lab.client.sockets import SocketDoor


async def drive(
    base_url: str,
    requests: Sequence[Request],
    *,
    count: int = 1,
    concurrency: int = 1,
    timeout: float = 30.0,
    quiet: float = QUIET,
    on_result: Callable[[Result], object] | None = None,
) -> Tally:
    """Send the whole list of requests `count` times, in order, at most `concurrency` at once.

    `base_url` is `http://host:port`, an IPv6 host in brackets. `timeout` is in seconds, for each
    request as a whole; `quiet` is how many seconds without a message end a WebSocket conversation.
    `on_result` is given each result as it comes; only the tally is kept.

    Raises ValueError for a URL or number that makes no sense, and whatever `on_result` raises,
    which ends the drive. A request that fails raises nothing. Cancelling closes every connection.
    """
    door = SocketDoor(base_url, quiet=quiet)
    if count < 1 or concurrency < 1:
        raise ValueError(f"count and concurrency are at least 1, got {count} and {concurrency}")
    counted = Count()
    queue = chain.from_iterable(repeat(requests, count))

    async def work() -> None:
        """Do requests from the queue, on one connection while the server keeps it."""
        async with door.open() as connection:
            for request in queue:
                began = now()
                progress = Progress(request, counted.started, began)
                result = await attempt(connection, progress, timeout)
                counted.add(result)
                if on_result is not None:
                    on_result(result)

    await together(work, min(concurrency, count * len(requests)))
    return counted.tally()


async def wait_ready(host: str, port: int, timeout: float) -> bool:
    """Wait until the port accepts a connection; False if it has not within `timeout` seconds."""
    pause = 0.005
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    _, writer = await asyncio.open_connection(host, port)
                except OSError:
                    # Nothing tells a client that a port has opened: it has to knock.
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, 0.1)
                else:
                    writer.close()
                    return True
    except TimeoutError:
        return False
