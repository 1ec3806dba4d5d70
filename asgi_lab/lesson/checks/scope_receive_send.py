"""Checks of the chapter about scope, receive and send."""

from asgi_lab.client import pause, post
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
    expect(trace).raises_nothing()
    expect(trace).sends("http.response.start").once(
        advice="Every response begins with one http.response.start: status and headers."
    )
    expect(trace).sends("http.response.start").before("http.response.body")
    expect(trace).answers(200)


@ECHO.check("it receives until the body is complete")
async def receives_all(app: ASGIApp) -> None:
    trace = await run(app, post("/", list(PARTS)))
    expect(trace).receives("http.request", more_body=False).once(
        advice="One receive() is one part. `more_body` says whether another will come."
    )
    expect(trace).answers(200, WHOLE)


EXERCISES = (ECHO,)
