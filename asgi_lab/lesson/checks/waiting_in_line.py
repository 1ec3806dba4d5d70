"""Checks of the chapter about workers and lines."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from asgi_lab.client import get
from asgi_lab.clock import VirtualTimeError
from asgi_lab.events import Trace
from asgi_lab.experiment import run
from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.failed import Failed, never
from asgi_lab.lesson.lanes import as_text
from asgi_lab.lesson.pools import run_on
from asgi_lab.lesson.queueing import by_worker, most_at_once
from asgi_lab.plain import count

Serve = Callable[..., object]

POOL = Exercise(
    "waiting_in_line/pool",
    "A pool: so many at a time, the rest in line",
    hints=(
        "Begin with one worker: a function with a loop, that accepts and answers until accept() "
        "gives None.",
        "A pool is several threads that all run this same function. `threading.Thread(target=work)`"
        " makes one, without parentheses after `work`; `start()` lets it run.",
        "Start all threads first. Only then `join()` each of them: it waits for its end.",
    ),
)


def clinic(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Take as many seconds as the path says: `/3`."""
    time.sleep(float(environ["PATH_INFO"].strip("/")))
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"report"]


async def served(serve: Serve, seconds: list[float], workers: int) -> tuple[Trace, float]:
    """Have requests served that take so many seconds each; return when `serve` returned, too."""
    returned: list[float] = []

    def timed(accept: Any, app: Any, workers: int) -> None:
        begun = time.monotonic()
        serve(accept, app, workers)
        returned.append(time.monotonic() - begun)

    try:
        trace = await run_on(timed, clinic, [get(f"/{s:g}") for s in seconds], workers=workers)
    except VirtualTimeError as error:
        raise Failed(
            "each request is answered, and serve ends when accept() gives None",
            stuck(error.trace, len(seconds), bool(returned)),
            trace=error.trace,
            advice="Each worker goes on until accept() gives None; then it ends.",
        ) from None
    except AttributeError as error:
        if "'NoneType'" not in str(error):
            raise
        raise never(
            "a worker ends when accept() gives None",
            "a worker has tried to answer None",
            "None says that no more requests will come. Look at what accept() gives before you "
            "answer it.",
        ) from None
    return trace, returned[0]


def stuck(trace: Trace | None, requests: int, returned: bool) -> str:
    """Return what a run came to in which somebody waits for ever."""
    answered = sum(event.kind == "return" for event in trace or ())
    if answered < requests:
        left = requests - answered
        gone = " serve has returned, and nobody is there any more." if returned else ""
        return f"{answered} of {requests} were answered, and {left} wait for ever.{gone}"
    return "all were answered, and serve has not come to its end"


def shown(trace: Trace, words: str) -> str:
    """Return words with the picture of the workers below."""
    return f"{words}\n\n{as_text(by_worker(trace))}"


@POOL.check("one worker answers one request after the other")
async def alone(serve: Serve) -> None:
    trace, _ = await served(serve, [1, 1, 1], workers=1)
    if most_at_once(trace) > 1:
        most = most_at_once(trace)
        raise Failed(
            "with 1 worker, 1 request is answered at a time",
            shown(trace, f"{most} are answered at the same time"),
            trace=trace,
            advice="`workers` says how many threads there are. A request gets no thread of its "
            "own: it waits until a worker has time to accept it.",
        )


@POOL.check("three workers answer seven requests in three rounds")
async def rounds(serve: Serve) -> None:
    trace, _ = await served(serve, [1] * 7, workers=3)
    most = most_at_once(trace)
    if most != 3:
        raise Failed(
            "with 3 workers, 3 requests are answered at a time",
            shown(trace, f"at most {count(most, 'request')} at a time"),
            trace=trace,
            advice="Only one thread at a time has worked. Is each thread started before the first "
            "one is joined? And is `target` the function itself, without parentheses? "
            "`target=work()` calls it here and now."
            if most == 1
            else "Start as many threads as there are workers, no more and no less.",
        )
    if trace.seconds != 3:
        raise Failed(
            "7 requests of 1 s are done after 3 s",
            shown(trace, f"they are done after {trace.seconds:g} s"),
            trace=trace,
        )


@POOL.check("a free worker takes the next request at once")
async def at_once(serve: Serve) -> None:
    trace, _ = await served(serve, [3, 1, 1, 1], workers=2)
    if trace.seconds != 3:
        raise Failed(
            "while one worker has a request of 3 s, the other answers three of 1 s: "
            "all done after 3 s",
            shown(trace, f"all is done after {trace.seconds:g} s"),
            trace=trace,
            advice="A worker that was done had to wait for the other one. Let each worker accept "
            "for itself, as soon as it is free.",
        )


@POOL.check("serve returns when its workers have ended")
async def ends(serve: Serve) -> None:
    trace, returned = await served(serve, [1, 1, 1], workers=2)
    if returned < trace.seconds:
        raise Failed(
            "serve returns after the last answer, at 2 s",
            f"it returned at {returned:g} s, while its threads were still at work",
            trace=trace,
            advice="`join()` waits for a thread. A server that returns early lets its process end, "
            "and with it the requests that are under way.",
        )


SIZE = Exercise(
    "waiting_in_line/size",
    "Size the pool: enough workers, and no more",
    hints=(
        "Think of one worker first. In 5 seconds, how many reports of 2 seconds can it finish?",
        "Whole reports only: `within // seconds`. Half a report is of use to nobody.",
        "Then share the requests among workers who make so many each, and round up: "
        "`math.ceil(requests / each)`.",
    ),
)

Sizing = Callable[[int, int, int], Any]


async def takes(requests: int, seconds: int, workers: int) -> tuple[float, Trace]:
    """Return how long so many requests take on so many workers, from a run; and the run."""
    trace = await run(clinic, requests * [get(f"/{seconds}")], workers=workers)
    return trace.seconds, trace


async def is_enough(workers_for: Sizing, requests: int, seconds: int, within: int) -> None:
    """Run a pool of the size that the learner says, and one that is smaller by one."""
    workers = workers_for(requests, seconds, within)
    call = f"workers_for({requests}, {seconds}, {within})"
    if type(workers) is not int or workers < 1:
        raise never(
            f"{call} is a whole number of workers, at least 1",
            f"it is {workers!r}",
            "Nobody can start half a worker: `//` divides into whole numbers, and `math.ceil` "
            "rounds up.",
        )
    took, trace = await takes(requests, seconds, min(workers, 1000))
    work = f"{requests} reports of {seconds} s"
    if took > within:
        each = within // seconds
        raise Failed(
            f"{call} workers are enough: {work} within {within} s",
            shown(trace, f"with {count(workers, 'worker')}, the last is done after {took:g} s"),
            trace=trace,
            advice=f"In {within} s, a worker finishes {count(each, 'report')}, and no part of "
            f"another. So {count(workers, 'worker')} finish "
            f"{count(workers * each, 'report')} in time, and {requests} are needed.",
        )
    if workers > 1:
        fewer, trace = await takes(requests, seconds, workers - 1)
        if fewer <= within:
            raise Failed(
                f"{call} is the least number that is enough",
                shown(
                    trace,
                    f"it is {workers}, and {count(workers - 1, 'worker')} "
                    f"are done after {fewer:g} s, too",
                ),
                trace=trace,
                advice="Each worker costs memory, and often a connection to the database. A worker "
                "can make one report after the other: how many in that time?",
            )


@SIZE.check("twenty reports of a second, within five seconds")
async def twenty(workers_for: Sizing) -> None:
    await is_enough(workers_for, 20, 1, 5)


@SIZE.check("nobody is left out when the numbers do not divide")
async def rest(workers_for: Sizing) -> None:
    await is_enough(workers_for, 7, 1, 3)
    await is_enough(workers_for, 9, 1, 4)


@SIZE.check("half a report does not count")
async def whole(workers_for: Sizing) -> None:
    await is_enough(workers_for, 10, 2, 5)
    await is_enough(workers_for, 5, 3, 4)


@SIZE.check("what no number of workers can do raises ValueError")
def impossible(workers_for: Sizing) -> None:
    call = "workers_for(3, 2, 1)"
    advice = (
        "More workers make the line shorter. They make no single report faster: a report of 2 s "
        "is never there after 1 s."
    )
    try:
        workers = workers_for(3, 2, 1)
    except ValueError:
        return
    except ArithmeticError as error:
        raised = f"it raises {type(error).__name__}: {error}"
        raise never(f"{call} raises ValueError", raised, advice) from None
    raise never(f"{call} raises ValueError", f"it returns {workers!r}", advice)


EXERCISES = (POOL, SIZE)
