"""Performing a workload: every client in its time, so many at once, to one result each."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterator

from asgi_lab.client.door import Connection, Door, HungUp
from asgi_lab.client.request import Request
from asgi_lab.client.result import Progress, Result
from asgi_lab.client.steps import Pause
from asgi_lab.client.words import Client, Clients, User, each

_LONGEST_ERROR = 200  # characters: a parser may quote a whole malformed line
_SOON = 1e-9  # seconds: less than clocks can tell

Note = Callable[[int, Result], object]
Job = tuple[Client, int]
"""A client, and the number of its first result."""


async def perform(
    door: Door,
    clients: Clients,
    *,
    concurrency: int | None = None,
    timeout: float | None = 30.0,
    on_result: Callable[[Result], object] | None = None,
) -> tuple[Result, ...]:
    """Let the clients in by the door, and return their results in the order written.

    Each begins at its `at`, in seconds from now, or later: at most `concurrency` are inside at
    once, first come, first served. `timeout` is in seconds, for each request as a whole, from when
    it was due. `on_result` is given each result as it comes.

    Times are told by the clock, not by when the event loop gets to a client: a request whose loop
    is held waits for its answer from the moment it was due.

    Raises ValueError for what are no clients, and whatever `on_result` raises, which ends the run.
    A request that fails raises nothing. Cancelling drops every connection.
    """
    if concurrency is not None and concurrency < 1:
        raise ValueError(f"concurrency is at least 1, got {concurrency}")
    jobs, size = _jobs(clients)
    found: list[Result | None] = [None] * size

    def note(number: int, result: Result) -> None:
        found[number] = result
        if on_result is not None:
            on_result(result)

    origin = time.perf_counter()
    queue = iter(jobs)
    await together(
        lambda: _work(queue, door, origin, timeout, note), min(concurrency or len(jobs), len(jobs))
    )
    return tuple(result for result in found if result is not None)


async def together(work: Callable[[], Coroutine[None, None, None]], count: int) -> None:
    """Run so many coroutines at once; the first that raises ends them all, and raises here."""
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(work())
    except BaseExceptionGroup as raised:
        raise raised.exceptions[0] from None


async def attempt(connection: Connection, progress: Progress, timeout: float | None) -> Result:
    """Do one request, and make a result of whatever happens. `timeout` is in seconds."""
    request = progress.request
    doing = connection.converse if request.method == "WS" else connection.exchange
    patience = request.hang_up.seconds if request.hang_up is not None else None
    limits = [limit for limit in (patience, timeout) if limit is not None]
    try:
        if not limits:
            await doing(progress)
            return progress.result()
        left = min(limits) - (time.perf_counter() - progress.started)
        async with asyncio.timeout(left) as deadline:
            await doing(progress)
    except HungUp:
        return progress.result(hung_up=True)
    except Exception as error:  # any failure is a result
        if not limits or not deadline.expired():
            return progress.result(in_words(error))
        if patience is not None and patience == min(limits):
            return progress.result(hung_up=True)
        what = "no answer within" if progress.status is None else "answer unfinished after"
        return progress.result(f"{what} {timeout:g} s")
    return progress.result()


def in_words(error: Exception) -> str:
    """Short and plain: the operating system's words if it has any, else the protocol library's."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.errno:
            # A positive number is better told by strerror: asyncio puts the address in the text.
            words = os.strerror(link.errno) if link.errno > 0 else link.strerror or str(link)
            return words.lower()
        link = link.__cause__ or link.__context__
    return (str(error) or f"connection lost ({type(error).__name__})")[:_LONGEST_ERROR]


def _jobs(clients: Clients) -> tuple[list[Job], int]:
    """Return the clients in the order in which they come, and how many results they will have."""
    jobs: list[Job] = []
    size = 0
    for client in each(clients):
        jobs.append((client, size))
        if isinstance(client, User):
            size += sum(isinstance(step, Request) for step in client.steps)
        else:
            size += 1
    jobs.sort(key=lambda job: job[0].at)  # stable: equals in the order written
    return jobs, size


async def _work(
    queue: Iterator[Job], door: Door, origin: float, timeout: float | None, note: Note
) -> None:
    """Let in one client after another, from a queue shared with other workers."""
    free = origin
    for client, number in queue:
        due = max(origin + client.at, free)
        await _until(due)
        async with door.open() as connection:
            if isinstance(client, User):
                free = await _follow(client, connection, origin, due, timeout, note, number)
                continue
            result = await attempt(connection, Progress(client, origin, due), timeout)
            note(number, result)
            free = due + result.seconds
            if client.think:
                free += client.think
                await _until(free)


async def _follow(
    user: User,
    connection: Connection,
    origin: float,
    due: float,
    timeout: float | None,
    note: Note,
    number: int,
) -> float:
    """Do what a user does, from `due` on; return when it is over."""
    for step in user.steps:
        if isinstance(step, Pause):
            due += step.seconds
        else:
            result = await attempt(connection, Progress(step, origin, due), timeout)
            note(number, result)
            number += 1
            due += result.seconds + step.think
        await _until(due)
    return due


async def _until(due: float) -> None:
    """Wait for a moment of the clock; not at all if it has passed."""
    left = due - time.perf_counter()
    if left > _SOON:
        await asyncio.sleep(left)
