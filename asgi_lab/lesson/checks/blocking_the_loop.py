"""Checks of the chapter about what blocks the event loop."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from asgi_lab.client import get
from asgi_lab.clock import VirtualTimeError
from asgi_lab.events import Trace
from asgi_lab.experiment import run
from asgi_lab.framework.calling import call as call_either
from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.expectations import expect
from asgi_lab.lesson.failed import Failed
from asgi_lab.types import ASGIApp, Receive, Scope, Send

Page = Callable[[str], Any]

STALL = Exercise(
    "blocking_the_loop/stall",
    "Fix the stall: the same answers, and nobody waits",
    hints=(
        "Which of the two calls gives the loop back while it waits, and which does not? Look for "
        "the one without `await`.",
        "`find_orders` cannot await. But a thread can wait in it, while the loop goes on: "
        "`asyncio.to_thread`.",
        "`orders = await asyncio.to_thread(find_orders, customer)`: the function and its argument "
        "are given apart, so that the thread makes the call. The rest stays as it is.",
    ),
)


def shop(page: Callable[..., Any]) -> ASGIApp:
    """Return an app that answers with what a page returns for the end of the path."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        told = await call_either(page, scope["path"].rpartition("/")[2])
        if inspect.iscoroutine(told):
            told.close()
            told = "a coroutine that nobody awaits"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(told).encode()})

    return app


@STALL.check("the answers are right")
async def answers(total: Page) -> None:
    for customer, sum_ in (("ann", b"30"), ("ben", b"30"), ("zoe", b"0")):
        trace = await run(shop(total), get(f"/total/{customer}"), threads=10)
        told = trace.results[0].body
        expect(trace).answers(
            200,
            sum_,
            advice="`asyncio.to_thread(...)` and `ask_price(...)` return what is to be awaited, "
            "not the result."
            if told.startswith(b"a coroutine") or trace.results[0].status != 200
            else "Each price is asked for, and they are added up.",
        )


@STALL.check("nothing holds the loop for more than 50 ms")
async def is_free(total: Page) -> None:
    trace = await run(shop(total), get("/total/ann"), get("/total/ben", at=0.1), threads=10)
    expect(trace).holds_the_loop(
        at_most=0.05,
        advice="That line runs in the loop's own thread until it is done. An `async def` around it "
        "changes nothing, nor does a thread that one waits for without `await`.",
    )


@STALL.check("ten customers wait no longer than one")
async def together(total: Page) -> None:
    alone = await run(shop(total), get("/total/ann"), threads=10)
    trace = await run(shop(total), 10 * [get("/total/ann")], threads=10)
    if trace.seconds > alone.seconds + 1e-6:
        raise Failed(
            f"ten at once are done after {alone.seconds:g} s, as one alone is",
            f"they are done after {trace.seconds:g} s",
            trace=trace,
            advice="There are ten threads, so the database can be asked for ten at once. What lets "
            "only one through: a lock, or a pool of a single thread?",
        )


LIMIT = Exercise(
    "blocking_the_loop/limit",
    "So many at a time: calls in threads",
    hints=(
        "First without a limit: if the function is a coroutine function, await it; if not, await "
        "`asyncio.to_thread(function, *args)`.",
        "One `asyncio.Semaphore(limit)` for all calls, made in `limited`. `async with` takes a "
        "place, or waits for one, and gives it back in any case.",
        "Only the line with `to_thread` stands in the `async with`. Who needs no thread waits for "
        "none.",
    ),
)


class Office:
    """Pages of both kinds: `/sync/2`, `/async/2` take 2 s, `/fail/2` raises after 2 s."""

    def __init__(self, limited: Callable[[int], Any], limit: int) -> None:
        self.call = limited(limit)
        self.busy = self.most = 0
        if not callable(self.call):
            raise Failed(
                "limited(limit) returns a function `call`",
                f"it returns {self.call!r}",
                advice="Define `call` in `limited`, and return it, without calling it: "
                "`return call`.",
            )

    def sync(self, seconds: float) -> str:
        """Block for so long, and count who does at the same time."""
        self.busy += 1
        self.most = max(self.most, self.busy)
        time.sleep(seconds)
        self.busy -= 1
        return "sync"

    def fail(self, seconds: float) -> str:
        """Block for so long, and raise."""
        time.sleep(seconds)
        raise LookupError("as it should")

    async def awaits(self, seconds: float) -> str:
        """Await for so long."""
        await asyncio.sleep(seconds)
        return "async"

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have a page called by the learner's `call`, and answer."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        _, kind, seconds = scope["path"].split("/")
        function = {"sync": self.sync, "async": self.awaits, "fail": self.fail}[kind]
        try:
            told = await self.call(function, float(seconds))
        except LookupError as error:
            told = str(error)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(told).encode()})


async def visited(office: Office, *requests: Any) -> Trace:
    """Have an office visited, by people who may wait for ever."""
    try:
        return await run(office.app, *requests, threads=20)
    except VirtualTimeError as error:
        raise Failed(
            "everybody has an answer in the end",
            "somebody waits for ever for a place",
            trace=error.trace,
            advice="A place that is taken has to be given back, in any case: also if the function "
            "raises. `async with` does so. And a lock of `threading` must never be waited for in "
            "the loop: who would give it back?",
        ) from None


@LIMIT.check("what the function returns or raises comes back")
async def comes_back(limited: Callable[[int], Any]) -> None:
    trace = await visited(Office(limited, 3), get("/sync/1"), get("/async/1"), get("/fail/1"))
    for which, told in enumerate((b"sync", b"async", b"as it should")):
        expect(trace).answers(200, told, which=which)


@LIMIT.check("a plain def does not hold the loop")
async def holds_nobody(limited: Callable[[int], Any]) -> None:
    trace = await visited(Office(limited, 3), get("/sync/1"), get("/async/0.1"))
    expect(trace).holds_the_loop(
        at_most=0.01,
        advice="Whoever calls the function is the one who waits in it. "
        "`to_thread(function, *args)` lets a thread call it; `to_thread(function(*args))` calls it "
        "here and now.",
    )


@LIMIT.check("with a limit of 3, three run and the fourth waits")
async def fourth_waits(limited: Callable[[int], Any]) -> None:
    office = Office(limited, 3)
    trace = await visited(office, 7 * [get("/sync/1")])
    if office.most != 3 or trace.seconds != 3:
        raise Failed(
            "7 calls of 1 s run three at a time, and are done after 3 s",
            f"{office.most} run at a time, and they are done after {trace.seconds:g} s",
            trace=trace,
            advice="One counter for all calls, made once, in `limited`: an `asyncio.Semaphore`. "
            "One that is made anew in each call counts to one."
            if office.most > 3
            else "As many may run at the same time as `limit` says.",
        )


@LIMIT.check("an async def needs no thread, and waits for none")
async def needs_none(limited: Callable[[int], Any]) -> None:
    trace = await visited(Office(limited, 1), get("/sync/3"), get("/async/1"), get("/async/1"))
    expect(trace, path="/async/1").takes(
        1,
        advice="The thread is busy for 3 s. What awaits in the loop needs no thread: let it by "
        "before the counter.",
    )


@LIMIT.check("who fails gives the place back")
async def gives_back(limited: Callable[[int], Any]) -> None:
    office = Office(limited, 1)
    trace = await visited(office, get("/fail/1"), get("/fail/1"), get("/sync/1"))
    expect(trace).takes(3)


EXERCISES = (STALL, LIMIT)
