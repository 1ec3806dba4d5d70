"""Checks of the first chapter: answers that are read from a trace, not guessed."""

from collections.abc import Callable, Mapping
from typing import Any

from asgi_lab.client import get
from asgi_lab.connection import HOLD
from asgi_lab.events import Event, Trace
from asgi_lab.experiment import run
from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.failed import Failed
from asgi_lab.measures import Measures
from asgi_lab.plain import duration
from asgi_lab.waiting import blocked

Answers = Callable[[], Mapping[str, Any]]

READ = Exercise(
    "start_here/read",
    "Read a trace",
    hints=(
        "The first two are in the sequence of /stream, the third is in the timeline.",
        "An arrow to the left is a message that the app sends. One line may stand for several: "
        "it says how many.",
        "Solid orange holds the event loop. In the sequence, 1 + 4 + 1 messages are bodies.",
    ),
)

WAIT = Exercise(
    "start_here/wait",
    "Who waits, and for whom",
    hints=(
        "Look at the timeline: which bar ends first, and where on the axis?",
        "A dashed bar: it could not run, because another request held the loop.",
        "Give the list of the paths of all dashed bars. The axis says 300 ms: that is 0.3 seconds.",
    ),
)


async def puzzle() -> Trace:
    """Return the trace that both exercises are about."""
    from asgi_lab.samples.fastapi_app import app

    return await run(app, get("/stream"), get("/slow"), get("/blocking"), get("/thread"))


def given(answers: Answers, key: str) -> Any:
    """Return what was answered. Raises `Failed` if it is missing, or the answers are no dict."""
    told = answers()
    if not isinstance(told, Mapping):
        raise Failed("your function returns a dict", f"it returned {told!r}")
    if key not in told:
        raise Failed(f"there is an answer to {key!r}", f"the answers are to {', '.join(told)}")
    return told[key]


def sent(trace: Trace) -> list[Event]:
    """Return the messages that /stream sends."""
    scopes = [e for e in trace if e.kind == "scope" and e.data.get("path") == "/stream"]
    return [e for e in trace if e.kind == "send" and not e.layer and e.conn == scopes[0].conn]


@READ.check("it knows the first message that /stream sends")
async def first_message(answers: Answers) -> None:
    answer = given(answers, "the first message that /stream sends")
    trace = await puzzle()
    first = sent(trace)[0]
    if str(answer).strip() != first.type:
        advice = ""
        if str(answer).startswith("http.request"):
            advice = "An arrow to the right goes into the app: that is received, not sent."
        elif str(answer).startswith("http.response.body"):
            advice = "There is an arrow to the left before it."
        raise Failed(
            "the type of the first message that /stream sends",
            f"you say {answer!r}",
            event=first,
            trace=trace,
            advice=advice,
        )


@READ.check("it counts the bodies of /stream")
async def bodies(answers: Answers) -> None:
    answer = given(answers, "how many http.response.body it sends")
    trace = await puzzle()
    found = [event for event in sent(trace) if event.type == "http.response.body"]
    if answer != len(found):
        advice = "One line of the picture may stand for many messages: it says how many."
        if answer == len(found) - 1:
            advice = "The last one is empty, and counts: it says that no more will come."
        raise Failed(
            "the number of messages of type http.response.body",
            f"you say {answer!r}",
            event=found[-1],
            trace=trace,
            advice=advice,
        )


@READ.check("it knows who holds the event loop")
async def who_holds(answers: Answers) -> None:
    answer = given(answers, "the path that holds the event loop")
    if str(answer).strip().split()[-1:] != ["/blocking"]:
        advice = "Solid orange holds the loop. A thin line only awaits."
        if "/thread" in str(answer):
            advice = "/thread sleeps, too: but in a thread of its own, and the loop stays free."
        raise Failed("the path of the solid bar", f"you say {answer!r}", advice=advice)


@WAIT.check("it knows when the first answer is complete")
async def first_answer(waits: Answers) -> None:
    answer = given(waits, "the first answer is complete after (seconds)")
    trace = await puzzle()
    soonest = min(result.ended for result in trace.results)
    if not isinstance(answer, int | float) or abs(answer - soonest) > 0.005:
        advice = "Look for the bar that ends first, and read the axis below its end."
        if isinstance(answer, int | float) and abs(answer / 1000 - soonest) < 0.005:
            advice = "That is in milliseconds: 1 s is 1000 ms."
        raise Failed("the time of the first end, in seconds", f"you say {answer!r}", advice=advice)


@WAIT.check("it knows who could not run")
async def who_waited(waits: Answers) -> None:
    answer = given(waits, "requests that could not run because another held the loop")
    if isinstance(answer, str) or not hasattr(answer, "__iter__"):
        raise Failed('a list of paths, such as ["/a", "/b"]', f"you say {answer!r}")
    told = {str(path).strip().split()[-1] for path in answer if str(path).strip()}
    trace = await puzzle()
    measures = Measures(keep=None)
    measures.feed(trace.events)
    requests = [c for c in measures.connections if c.type != "lifespan"]
    waited = {c.path for c in requests if blocked(measures, c, measures.last)}
    late = {c.path for c in requests if c.started and c.path not in waited}
    holders = {c.path for c in requests if c.spent.get(HOLD)}
    if told & holders:
        raise Failed(
            "those that could not run",
            f"you say {', '.join(sorted(told))}",
            advice=f"{min(told & holders)} is the one that held the loop: it ran all the time.",
        )
    if missing := waited - told:
        c = next(c for c in requests if c.path in missing)
        shown = f"{c.path} could not run for {duration(blocked(measures, c, measures.last))}"
        advice = "Dashed: it awaits, and could not go on even if what it awaits had come."
        raise Failed(
            "all of those that could not run", f"{shown}, and is not in your list", advice=advice
        )
    if more := told - waited - late:
        raise Failed("only those that could not run", f"{min(more)} is none of them")


EXERCISES = (READ, WAIT)
