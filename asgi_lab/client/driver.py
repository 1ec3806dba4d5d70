"""Driving a server: the requests in order, so many times, so many at once, to one result each."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from urllib.parse import SplitResult, urlsplit

from asgi_lab.client.request import Request
from asgi_lab.client.result import Count, Result, Tally

QUIET = 0.5  # seconds without a message after which a WebSocket is taken to have said all


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
    from asgi_lab.client.worker import work  # loads httpx and wsproto

    base = _split_base(base_url)
    if count < 1 or concurrency < 1:
        raise ValueError(f"count and concurrency are at least 1, got {count} and {concurrency}")

    counted = Count()

    def note(result: Result) -> None:
        counted.add(result)
        if on_result is not None:
            on_result(result)

    queue = chain.from_iterable(repeat(requests, count))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, count * len(requests))):
                group.create_task(work(queue, base, timeout, quiet, note))
    except ExceptionGroup as raised:  # by on_result: nothing else is let through
        raise raised.exceptions[0] from None
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


def _split_base(base_url: str) -> SplitResult:
    try:
        base = urlsplit(base_url)
        if base.scheme == "http" and base.hostname and base.port != 0 and base.path in ("", "/"):
            return base
    except ValueError:  # a port that is no number, a bracket too few
        pass
    raise ValueError(f'expected a base URL such as "http://127.0.0.1:8000", got {base_url!r}')
