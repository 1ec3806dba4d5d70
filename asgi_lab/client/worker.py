"""A worker takes the next request when it has done one, and makes a result of whatever happens."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from urllib.parse import SplitResult

from asgi_lab.client.http import exchange, open_client
from asgi_lab.client.request import Request
from asgi_lab.client.result import Progress, Result
from asgi_lab.client.ws import converse

_LONGEST_ERROR = 200  # characters: a parser may quote a whole malformed line


async def work(
    queue: Iterator[Request],
    base: SplitResult,
    timeout: float,
    quiet: float,
    note: Callable[[Result], object],
) -> None:
    """Do requests from a queue shared with other workers until it is empty.

    `timeout` (for each request) and `quiet` (see `ws`) are in seconds. Raises only what `note`
    raises. A worker has its own client, hence its own connection: httpx's pool looks through all
    its connections for each request, which at a thousand of them takes longer than the request.
    """
    async with open_client() as client:
        reused = False
        for request in queue:
            progress = Progress(request)
            if request.method == "WS":
                doing = converse(base, progress, quiet)
            else:
                doing = exchange(client, f"http://{base.netloc}", progress, reused)
                reused = True
            note(await _attempt(doing, progress, timeout))


async def _attempt(
    doing: Coroutine[None, None, None], progress: Progress, timeout: float
) -> Result:
    error = ""
    try:
        async with asyncio.timeout(timeout) as deadline:
            await doing
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
    return (str(error) or f"connection lost ({type(error).__name__})")[:_LONGEST_ERROR]
