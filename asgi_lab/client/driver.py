"""Driving a server: the requests in order, so many times, so many at once, to one result each."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain, repeat
from time import perf_counter
from urllib.parse import SplitResult, urlsplit

from asgi_lab.client.request import Request
from asgi_lab.client.result import Progress, Result, Tally

QUIET = 0.5  # seconds without a message after which a WebSocket is taken to have said all
_LONGEST_ERROR = 200  # characters: a parser may quote a whole malformed line

_Perform = Callable[[Progress], Awaitable[None]]


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
    from asgi_lab.client.http import exchange, open_client  # loads httpx
    from asgi_lab.client.ws import converse  # loads wsproto

    base = _split_base(base_url)
    if count < 1 or concurrency < 1:
        raise ValueError(f"count and concurrency are at least 1, got {count} and {concurrency}")

    async with open_client(concurrency) as client:

        async def perform(progress: Progress) -> None:
            if progress.request.method == "WS":
                await converse(base, progress.request, progress, quiet)
            else:
                await exchange(client, f"http://{base.netloc}", progress.request, progress)

        work = chain.from_iterable(repeat(requests, count))
        workers = min(concurrency, count * len(requests))
        return await _spread(work, workers, perform, timeout, on_result)


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


async def _spread(
    work: Iterator[Request],
    workers: int,
    perform: _Perform,
    timeout: float,
    on_result: Callable[[Result], object] | None,
) -> Tally:
    """Share the work between so many workers, each taking the next request when it has done one."""
    started = perf_counter()
    statuses: Counter[int | None] = Counter()
    failed = received = 0

    async def worker() -> None:
        nonlocal failed, received
        for request in work:
            result = await _attempt(request, perform, timeout)
            statuses[result.status] += 1
            failed += bool(result.error)
            received += result.received
            if on_result is not None:
                on_result(result)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except ExceptionGroup as raised:  # by on_result: nothing else is let through
        raise raised.exceptions[0] from None
    return Tally(statuses.total(), failed, dict(statuses), received, perf_counter() - started)


async def _attempt(request: Request, perform: _Perform, timeout: float) -> Result:
    progress = Progress(request)
    error = ""
    try:
        async with asyncio.timeout(timeout) as deadline:
            await perform(progress)
    except Exception as exc:  # any failure is a result: see the package's promise
        if deadline.expired():
            what = "no answer within" if progress.status is None else "answer unfinished after"
            error = f"{what} {timeout:g} s"
        else:
            error = _in_words(exc)
    return progress.result(error)


def _in_words(error: Exception) -> str:
    """Short and plain: the operating system's words if it has any, else the protocol library's."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.errno:
            # A positive number is better told by strerror: asyncio puts the address in the text.
            words = os.strerror(link.errno) if link.errno > 0 else link.strerror or str(link)
            return words.lower()
        link = link.__cause__ or link.__context__
    return (str(error) or type(error).__name__)[:_LONGEST_ERROR]


def _split_base(base_url: str) -> SplitResult:
    try:
        base = urlsplit(base_url)
        if base.scheme == "http" and base.hostname and base.port != 0 and base.path in ("", "/"):
            return base
    except ValueError:  # a port that is no number, a bracket too few
        pass
    raise ValueError(f'expected a base URL such as "http://127.0.0.1:8000", got {base_url!r}')
