"""Checks of the chapter about lifespan and work after the response."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from asgi_lab.client import get
from asgi_lab.events import Event, Trace
from asgi_lab.experiment import run
from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.expectations import expect, raised
from asgi_lab.lesson.failed import Failed
from asgi_lab.lesson.lanes import as_text
from asgi_lab.lesson.lifetimes import lifetimes
from asgi_lab.memory import LifespanFailed
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send

Live = Callable[..., Awaitable[None]]

POOL = Exercise(
    "lifespan_and_background/pool",
    "Open and close a pool, once in the app's life",
    hints=(
        "It is one call that lasts as long as the app: receive, open, send, receive, close, send. "
        "The second `receive()` waits until the server stops.",
        'Between opening and `lifespan.startup.complete`: `scope["state"]["pool"] = pool`. Each '
        "request gets a copy of that state.",
        "`try: await pool.open()`, and in `except Exception as error:` close the pool, send "
        "`lifespan.startup.failed` with `str(error)`, and return.",
    ),
)


class Pool:
    """Three connections, which take a second to open and half a second to close."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.connections = 0
        self.ready = False
        self.closed_at: float | None = None

    async def open(self) -> None:
        """Open one connection after the other."""
        self.connections = 1
        await asyncio.sleep(1)
        if self.broken:
            raise ConnectionError("no database")
        self.connections, self.ready = 3, True

    async def close(self) -> None:
        """Close all that are open."""
        self.ready = False
        await asyncio.sleep(0.5)
        self.connections, self.closed_at = 0, time.monotonic()

    async def query(self) -> bytes:
        """Ask the database. Raises RuntimeError if the pool is not open."""
        if not self.ready:
            raise RuntimeError("the pool is not open")
        await asyncio.sleep(0.2)
        return b"3 rows"


def app_with(live: Live, pool: Pool) -> ASGIApp:
    """Return an app that asks the pool which it finds in its state."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(pool, scope, receive, send)
            return
        rows = await scope["state"]["pool"].query()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": rows})

    return app


def shown(trace: Trace, words: str) -> str:
    """Return words with the picture of the app's life below."""
    return f"{words}\n\n{as_text(lifetimes(trace))}"


def raised_in(trace: Trace, type: str) -> Event | None:
    """Return the exception that left a call of this type."""
    calls = {e.conn for e in trace if e.kind == "scope" and e.type == type}
    return next((e for e in trace if e.kind == "raise" and e.conn in calls and not e.layer), None)


@POOL.check("requests have the pool")
async def have_it(live: Live) -> None:
    trace = await run(app_with(live, Pool()), get("/"))
    error = raised_in(trace, "lifespan")
    if error:
        raise Failed("the lifespan raises nothing", raised(error), event=error, trace=trace)
    expect(trace).answers(
        200,
        b"3 rows",
        advice='The app looks for it in `scope["state"]["pool"]`, and asks an open pool. Put it '
        "there before startup is complete.",
    )


@POOL.check("startup is complete when the pool is open, not before")
async def not_before(live: Live) -> None:
    trace = await run(app_with(live, Pool()), get("/"))
    life = expect(trace, lifespan=True)
    life.sends("lifespan.startup.complete").once()
    life.sends("lifespan.startup.complete").at(
        1,
        advice="The pool takes 1 s to open. Whoever hears `startup.complete` lets requests in.",
    )


@POOL.check("the pool is closed after the last request")
async def closed(live: Live) -> None:
    pool = Pool()
    trace = await run(app_with(live, pool), get("/"), get("/", at=3))
    for which in range(2):
        expect(trace).answers(
            200,
            b"3 rows",
            which=which,
            advice="Who closes too early closes it for all who come later. `receive()` waits until "
            "the server stops: only then is it time.",
        )
    if pool.connections or pool.closed_at is None:
        raise Failed(
            "the pool is closed when the server stops",
            shown(trace, f"{pool.connections} connections are open still"),
            trace=trace,
            advice="Before the server stops it says `lifespan.shutdown`: that is what a second "
            "`receive()` waits for. Close the pool then.",
        )
    life = expect(trace, lifespan=True).keeps_the_rules()
    life.sends("lifespan.shutdown.complete").once()
    complete, asked = (
        next(e for e in trace if e.type == f"lifespan.{name}" and e.kind == kind)
        for name, kind in (("shutdown.complete", "send"), ("shutdown", "received"))
    )
    if complete.t - asked.t < 0.5e9:
        raise Failed(
            "shutdown is complete when the pool is closed, not before",
            "lifespan.shutdown.complete is sent while the pool still closes, for 500 ms",
            event=complete,
            trace=trace,
            advice="After `shutdown.complete` the server ends the process, with what is still "
            "under way in it.",
        )


@POOL.check("a startup that fails says so")
async def says_so(live: Live) -> None:
    await broken(live)


@POOL.check("and leaves nothing open")
async def leaves_nothing(live: Live) -> None:
    pool, trace = await broken(live)
    if pool.connections:
        raise Failed(
            "no connection is open after a startup that failed",
            f"{pool.connections} is open still",
            trace=trace,
            advice="`open` had one connection when it raised, and now nobody else will close it.",
        )


async def broken(live: Live) -> tuple[Pool, Trace]:
    """Start with a pool that does not open. Raises `Failed` if the server does not learn of it."""
    pool = Pool(broken=True)
    try:
        trace = await run(app_with(live, pool), get("/"))
    except LifespanFailed as failed:
        if "no database" not in failed.words:
            raise Failed(
                "lifespan.startup.failed has the error as its message",
                f"its message is {failed.words!r}",
                trace=failed.trace,
                advice="The server prints it, and ends. Without it somebody sits before a server "
                "that does not start, and does not know why.",
            ) from None
        return pool, failed.trace
    error = raised_in(trace, "lifespan")
    how = f"it raised {raised(error)}" if error else "it said nothing"
    raise Failed(
        "the lifespan sends lifespan.startup.failed, and the server does not start",
        f"{how}, and the server let a request in, which was answered {trace.results[0].status}",
        event=error,
        trace=trace,
        advice="An exception in a lifespan means: this app knows no lifespan. The server goes on "
        "without one. Catch it, and say what happened.",
    )


MAIL = Exercise(
    "lifespan_and_background/mail",
    "After the response: a mail that nobody waits for",
    hints=(
        "A response is complete with its last body, not with your `return`. What stands after it, "
        "the client does not wait for.",
        "You need no task: just `await send_mail(name)`, after the body. As long as your app has "
        "not returned, the server waits for it when it stops.",
        "Put `try:` around the mail alone, and print what you catch.",
    ),
)

Signup = Callable[..., Awaitable[None]]

WIRE = 0.1
"""Seconds that each message takes to be sent."""


class Post:
    """Sends mails, 2 s each; those to nobody fail."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.begun: list[float] = []

    async def send_mail(self, name: str) -> None:
        """Send a mail; raise ConnectionError if it is to nobody."""
        self.begun.append(time.monotonic())
        await asyncio.sleep(2)
        if name == "nobody":
            raise ConnectionError("no such address")
        self.sent.append(name)


def clinic(signup: Signup, post: Post, answered: list[float]) -> ASGIApp:
    """Return an app where each message takes a while to be sent; note when the last one was."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])

        async def slowly(message: Message) -> None:
            await asyncio.sleep(WIRE)
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.append(time.monotonic())

        await signup(scope["path"].strip("/"), slowly, post.send_mail)

    return app


async def signed_up(signup: Signup, name: str = "ann") -> tuple[Trace, Post, list[float]]:
    """Have somebody sign up; the server stops as soon as they have their answer."""
    post, answered = Post(), list[float]()
    trace = await run(clinic(signup, post, answered), get(f"/{name}"))
    return trace, post, answered


@MAIL.check("the answer comes at once")
async def at_once(signup: Signup) -> None:
    trace, _, _ = await signed_up(signup)
    expect(trace).keeps_the_rules()
    expect(trace).answers(202, b"welcome")
    took = trace.results[0].seconds
    if took > 1:
        last = [e for e in trace if e.kind == "send" and e.type == "http.response.body"][-1]
        raise Failed(
            "the client has the whole answer before the mail is sent",
            f"it waited for {took:g} s",
            event=last,
            trace=trace,
            advice="A response is complete with the body that has no `more_body`. That one has to "
            "be sent before the mail.",
        )


@MAIL.check("the mail begins after the response")
async def begins_after(signup: Signup) -> None:
    trace, post, answered = await signed_up(signup)
    if not post.begun:
        raise Failed(
            "send_mail is called",
            "nobody has called it, or it was called and never awaited",
            trace=trace,
            advice="Calling a coroutine function runs nothing (chapter 04): await it. A task has "
            "to get a turn before the server is gone.",
        )
    if post.begun[0] < answered[0]:
        early = answered[0] - post.begun[0]
        raise Failed(
            "the mail begins when the response is complete",
            f"it begins {early:g} s earlier",
            trace=trace,
            advice="If the answer then fails, they get a mail all the same. Send the response "
            "first, all of it.",
        )


@MAIL.check("the mail is sent though the server stops")
async def is_sent(signup: Signup) -> None:
    trace, post, _ = await signed_up(signup)
    if post.sent != ["ann"]:
        raise Failed(
            "one mail to ann has been sent when the server has stopped",
            f"the mails sent are {post.sent}",
            trace=trace,
            advice="The server waits for calls of the app that have not returned. Of a task that "
            "the app began it knows nothing: that is cancelled.",
        )


@MAIL.check("a mail that fails raises nothing")
async def fails_quietly(signup: Signup) -> None:
    trace, _, _ = await signed_up(signup, "nobody")
    expect(trace).answers(202, b"welcome")
    expect(trace).raises_nothing(
        advice="The client has had its answer. What you catch and print can be found in the log."
    )


EXERCISES = (POOL, MAIL)
