"""Checks of the chapter about scope, receive and send."""

from asgi_lab.client import get, pause, post
from asgi_lab.experiment import run
from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.expectations import expect
from asgi_lab.types import ASGIApp

PARTS = (b"one ", pause(0.1), b"two ", pause(0.1), b"three")
WHOLE = b"one two three"

ECHO = Exercise(
    "scope_receive_send/echo",
    "Echo: send back what you receive",
    hints=(
        "One `receive()` gives one part of the body. Which key says whether there is another?",
        "A loop: receive, keep the part, and go on as long as `more_body` is true.",
        "Both keys may be missing: `message.get('body', b'')`, `message.get('more_body', False)`.",
    ),
)


@ECHO.check("it answers a request without a body")
async def answers(app: ASGIApp) -> None:
    trace = await run(app, post("/"))
    expect(trace).keeps_the_rules().raises_nothing()
    expect(trace).sends("http.response.start").once(
        advice="Every response begins with one http.response.start: status and headers."
    )
    expect(trace).sends("http.response.start").before("http.response.body")
    expect(trace).answers(200)


@ECHO.check("it receives until the body is complete")
async def receives_all(app: ASGIApp) -> None:
    trace = await run(app, post("/", list(PARTS)))
    expect(trace).keeps_the_rules().raises_nothing()
    expect(trace).receives("http.request", more_body=False).once(
        advice="One receive() is one part. `more_body` says whether another will come."
    )
    expect(trace).answers(200, WHOLE)


COUNTDOWN = Exercise(
    "scope_receive_send/countdown",
    "Countdown: send as you go",
    hints=(
        "A part of the body is one message, `http.response.body`. How does the server know that it "
        "was not the last?",
        "A loop: send a line with `more_body` true, then `await asyncio.sleep(1)`, then the next.",
        "One message has to come last, with `more_body` false, or left out. It may be empty.",
    ),
)


@COUNTDOWN.check("it sends every line, in one response")
async def sends_all(app: ASGIApp) -> None:
    trace = await run(app, get("/3"))
    expect(trace).keeps_the_rules().raises_nothing()
    expect(trace).answers(200, b"3\n2\n1\n")


@COUNTDOWN.check("each line leaves when it is due")
async def leaves_in_time(app: ASGIApp) -> None:
    trace = await run(app, get("/4"))
    lines = expect(trace).sends("http.response.body").containing("\n")
    lines.at(
        0, 1, 2, 3,
        advice="What has been sent is with the client. What is kept in a variable is not.",
    )  # fmt: skip


@COUNTDOWN.check("others are served while it waits")
async def leaves_room(app: ASGIApp) -> None:
    trace = await run(app, get("/3"), get("/1", at=0.5))
    expect(trace).holds_the_loop(
        at_most=0.1,
        advice="`time.sleep` does not give way: it holds the event loop, and with it everybody.",
    )
    expect(trace, path="/1").takes(0)


EXERCISES = (ECHO, COUNTDOWN)
