"""Checks of the chapter about the event loop."""

import asyncio
import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from asgi_lab.clock import Stall, VirtualTimeError, cpu
from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.failed import Failed, never
from asgi_lab.lesson.lanes import as_text
from asgi_lab.lesson.turns import Turns, turns
from asgi_lab.plain import count

Run = Callable[..., Any]
Steps = Generator[float | None, None, None]

TURNS = Exercise(
    "event_loop/turns",
    "Take turns: an event loop",
    hints=(
        "First without timers: take the task at the left of `ready`, `send(None)`, and append it "
        "at the right again, unless StopIteration says that it is done.",
        "A task that yields a number goes to `timers`, with the moment when it is due: "
        "`time.monotonic()` plus the number. Do not sleep there: others are ready.",
        "Before each turn: if `ready` is empty, sleep until the first timer, `timers[0][0]`. Then "
        "move to `ready` all tasks whose moment is not later than `time.monotonic()`.",
    ),
)


def talk(*wishes: float | None, work: float = 0.0) -> Steps:
    """Return a task with these wishes, that computes so many seconds in each of its turns."""
    for wish in wishes:
        cpu(work)
        yield wish
    cpu(work)


def watch(run: Run, **tasks: Steps) -> Turns:
    """Have tasks run. Raises `Failed` if the loop cannot go on, or leaves somebody behind."""
    with explained():
        watched = turns(run, **tasks)
    left = [name for name in watched.tasks if name not in watched.ended]
    if left:
        raise failed(
            watched,
            "run returns when all tasks have come to their ends",
            f"it returned, and {' and '.join(left)} had not",
            "Go on as long as somebody is ready, or there is a timer.",
        )
    return watched


@contextmanager
def explained() -> Generator[None]:
    """Say what usual errors of a loop mean."""
    try:
        yield
    except Stall:
        raise never(
            "the loop sleeps while nobody is ready",
            "it looked at the clock again and again, a million times",
            "A loop that asks all the time whether it is time keeps a processor busy with nothing. "
            "It knows how long it can sleep: until the first timer.",
        ) from None
    except VirtualTimeError as error:
        raise never("run comes to an end", f"{type(error).__name__}: {error}") from None
    except TypeError as error:
        if "not supported between instances of" not in str(error):
            raise
        raise never(
            "two tasks may wait for the same moment",
            f"it raised TypeError: {error}",
            "A heap compares what is in it: of two equal moments, what comes next in the tuple. "
            "Put a number between the moment and the task: (when, next(numbers), task).",
        ) from None


def failed(watched: Turns, expected: str, shown: str, advice: str = "") -> Failed:
    """Return a failure with the picture of the turns below."""
    if watched.seconds:
        shown += f"\n\n{as_text(watched.picture)}"
    return Failed(expected, shown, advice=advice)


@TURNS.check("tasks that only want another turn take turns")
def take_turns(run: Run) -> None:
    watched = watch(run, ann=talk(None, None), ben=talk(None, None, None), cleo=talk(None, None))
    for before, name in unfair(watched):
        raise failed(
            watched,
            "nobody has a second turn while somebody ready waits for the first",
            f"the turns are {', '.join(watched.order)}: {name} waited, and {before} came again",
            "Who has had a turn goes to the end of the line: popleft() takes the first, append() "
            "puts behind the last.",
        )


def unfair(watched: Turns) -> list[tuple[str, str]]:
    """Return who had a turn before another who was ready had one, among tasks always ready."""
    number = dict.fromkeys(watched.tasks, 0)
    total = {name: watched.order.count(name) for name in watched.tasks}
    found = []
    for name in watched.order:
        number[name] += 1
        found += [
            (name, other)
            for other in watched.tasks
            if number[other] < total[other] and number[name] - number[other] > 1
        ]
    return found


@TURNS.check("who waits for a time holds up nobody")
def nobody_waits(run: Run) -> None:
    watched = watch(run, ann=talk(1.0), ben=talk(None, None, work=0.2))
    idle = watched.idle()
    if idle:
        raise failed(
            watched,
            "the loop sleeps only while nobody is ready",
            f"from {idle.begin / 1e9:g} s to {idle.end / 1e9:g} s nobody ran, and {idle.task} was "
            "ready",
            "One task's wish to wait is no reason for the loop to sleep. Note when it is due, and "
            "give the next one a turn.",
        )
    in_time(watched, {"ann": [0.0, 1.0]})


@TURNS.check("everyone is woken when it is time")
def woken(run: Run) -> None:
    watched = watch(run, ann=talk(3.0), ben=talk(1.0, 1.0), cleo=talk(2.5))
    in_time(watched, {"ann": [0.0, 3.0], "ben": [0.0, 1.0, 2.0], "cleo": [0.0, 2.5]})


@TURNS.check("two tasks may wait for the same moment")
def same_moment(run: Run) -> None:
    watched = watch(run, ann=talk(1.0), ben=talk(1.0), cleo=talk(1.0))
    in_time(watched, {name: [0.0, 1.0] for name in watched.tasks})


@TURNS.check("whose time has come need not wait until nobody else is ready")
def not_starved(run: Run) -> None:
    watched = watch(run, ann=talk(0.5), ben=talk(*[None] * 9, work=0.2))
    at = watched.times("ann")[1]
    if at > 0.8:
        raise failed(
            watched,
            "ann, who is due at 0.5 s, has a turn at 0.6 s, when ben's turn is over",
            f"her turn is at {at:g} s",
            "Look at the timers before every turn, not only when nobody is ready.",
        )


def in_time(watched: Turns, wanted: dict[str, list[float]]) -> None:
    """Raise `Failed` unless the turns of these tasks begin at these times."""
    for name, moments in wanted.items():
        times = [round(t, 6) for t in watched.times(name)]
        if times != moments:
            raise failed(
                watched,
                f"{name} has turns at {listed(moments)}",
                f"{name} has turns at {listed(times)}",
                "A timer is due at a moment: now, time.monotonic(), plus so many seconds. The loop "
                "sleeps until the earliest of them, whoever came first.",
            )


def listed(times: list[float]) -> str:
    """Return times in words: `0 s, 1 s`."""
    return ", ".join(f"{t:g} s" for t in times)


WITHIN = Exercise(
    "event_loop/within",
    "All at once, but not for ever",
    hints=(
        "Awaiting a coroutine waits for it alone. `asyncio.create_task` begins one, and goes on; "
        "the task can be awaited later.",
        "`asyncio.wait(tasks, timeout=within)` waits for many tasks, at most so long. It returns "
        "two sets: those that are done, and those that are not.",
        "`task.cancel()` for each that is late. Then a list in the order of `tasks`: None for a "
        "late one, else `task.result()`.",
    ),
)

AskAll = Callable[..., Any]
AFTER = 10.0
"""Seconds in which we look what is still going on when the answer is there."""


async def service(seconds: float, says: str) -> str:
    """Answer after so many seconds."""
    await asyncio.sleep(seconds)
    return says


def asked(ask_all: AskAll, within: float, **seconds: float) -> tuple[Turns, Any, float]:
    """Ask services that take so many seconds; return their turns, the answer, and when it was."""
    answered: list[tuple[Any, float]] = []

    async def main(questions: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer = await ask_all(questions, within=within)
        answered.append((answer, round(loop.time() - begun, 6)))
        await asyncio.sleep(AFTER)

    questions = {name: service(took, f"from {name}") for name, took in seconds.items()}
    try:
        watched = turns(lambda *tasks: asyncio.run(main(list(tasks))), **questions)
    except VirtualTimeError as error:
        raise never("ask_all returns", f"{type(error).__name__}: {error}") from None
    finally:
        for question in questions.values():
            question.close()
    return (watched, *answered[0])


def told(watched: Turns, words: str) -> str:
    """Return words with the picture below."""
    return f"{words}\n\n{as_text(watched.picture)}" if watched.facts else words


@WITHIN.check("it returns all answers, in the order of the questions")
def in_order(ask_all: AskAll) -> None:
    _, answer, _ = asked(ask_all, 5, weather=2, news=1, mail=3)
    wanted = ["from weather", "from news", "from mail"]
    if inspect.isawaitable(answer):
        raise never(
            f"the answer is {wanted}",
            f"it is a {type(answer).__name__}, which nobody has awaited",
            "Await it before you return.",
        )
    if answer != wanted:
        mixed = isinstance(answer, list) and {*map(str, answer)} == {*wanted}
        raise never(
            f"the answer is {wanted}",
            f"it is {answer!r}",
            "These are in the order in which they came. The page wants them in the order of its "
            "questions." if mixed else "A list, with one entry for each question.",
        )  # fmt: skip


@WITHIN.check("all are asked at the same time")
def at_once(ask_all: AskAll) -> None:
    watched, _, at = asked(ask_all, 100, weather=2, news=1, mail=3)
    begins = {name: round(watched.times(name)[0], 6) for name in watched.tasks}
    for name, begin in begins.items():
        if begin:
            raise Failed(
                "weather, news and mail are asked at 0 s",
                told(watched, f"{name} is asked at {begin:g} s"),
                advice="`await` waits for the answer before it goes on to the next question. Begin "
                "all of them first.",
            )
    if at != 3:
        raise Failed(
            "the answer is there when the last service has answered, at 3 s",
            told(watched, f"it is there at {at:g} s"),
            advice="`within` is how long to wait at most. When all is there, do not wait longer.",
        )


@WITHIN.check("who is late has no answer, and the others have theirs")
def late(ask_all: AskAll) -> None:
    try:
        watched, answer, at = asked(ask_all, 2, weather=1, news=4, mail=1.5)
    except TimeoutError:
        raise never(
            "the answer is ['from weather', None, 'from mail'] at 2 s",
            "it raised TimeoutError, and all answers are lost",
            "A time-out around everything throws away what has come in time. Wait for many, and "
            "keep what each has: `asyncio.wait`; or give each its own time-out.",
        ) from None
    if at != 2:
        raise Failed(
            "the answer is there after 2 s, for news is late",
            told(watched, f"it is there after {at:g} s"),
            advice="`within` is for all of them together, since they were asked.",
        )
    if answer != ["from weather", None, "from mail"]:
        raise never("the answer is ['from weather', None, 'from mail']", f"it is {answer!r}")


@WITHIN.check("who is late is cancelled")
def cancelled(ask_all: AskAll) -> None:
    watched, _, _ = asked(ask_all, 2, weather=1, news=4, mail=6)
    ends = {fact.task: fact.t / 1e9 for fact in watched.facts if fact.kind == "end"}
    going = [name for name, end in ends.items() if end > 2]
    if going:
        raise Failed(
            "when the answer is there, at 2 s, nobody works for it any more",
            told(
                watched, f"{' and '.join(going)} {'goes' if len(going) == 1 else 'go'} on, until "
                + " and ".join(f"{ends[name]:g} s" for name in going),
            ),
            advice="A task runs on, whether or not somebody waits for it. `task.cancel()` ends it "
            f"at its `await`. Here {count(len(going), 'task')} had no one to answer to.",
        )  # fmt: skip


EXERCISES = (TURNS, WITHIN)
