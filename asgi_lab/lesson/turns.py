"""Who had a turn when: tasks watched from inside, on an event loop of the learner's own.

    watched = turns(run, anna=visit(2), ben=visit(3))     # run(*tasks) gives turns to its tasks
    watched                                               # the picture: a lane a task
    watched.order, watched.seconds                        # ["anna", "ben", "anna", ...], 3.0

A task is a generator or a coroutine. What it yields to the loop says for what it waits: None for
another turn, a number for so many seconds, all else for something else. The loop need know nothing
of it, and may be asyncio's (`on_asyncio`). It runs in virtual time, where `time.sleep` takes none
of ours.
A task on asyncio counts as waiting until its next turn: nobody says since when it is ready.
"""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from asgi_lab.clock import virtual
from asgi_lab.connection import AWAIT, HOLD
from asgi_lab.lesson.lanes import picture_of
from asgi_lab.plain import count
from asgi_lab.scene.axis import round_duration
from asgi_lab.scene.model import Axis, Items, Lane, Scene
from asgi_lab.scene.roles import LINE
from asgi_lab.view.display import Bundle, Picture

RUNNING, READY, WAITING = HOLD, LINE, AWAIT
"""What a task is at: it runs, it is ready and waits for its turn, it waits for its time."""

Task = Coroutine[Any, Any, Any] | Generator[Any, None, Any]

NEAR = 1_000
"""Nanoseconds by which a moment told in seconds, as a float, may be missed."""

BORN, RUN, WAIT, END = "born", "run", "wait", "end"


class Fact(NamedTuple):
    """At `t` (ns) a task was born, began a turn, ended it to wait for its wish, or came to an end.

    `wish` is a number of seconds, or None where the task wants nothing but another turn.
    """

    t: int
    task: str
    kind: str
    wish: Any = None


class Stretch(NamedTuple):
    """From `begin` to `end` (ns) a task was at one thing."""

    begin: int
    end: int
    task: str
    what: str


@dataclass(frozen=True, repr=False)
class Turns:
    """What was noted, in order, and what the loop returned. The rest is read from it."""

    tasks: tuple[str, ...]
    facts: tuple[Fact, ...]
    result: Any = None

    @property
    def order(self) -> list[str]:
        """Who had the first turn, the second, and so on."""
        return [fact.task for fact in self.facts if fact.kind == RUN]

    @property
    def ended(self) -> list[str]:
        """Who came to the end first, and so on."""
        return [fact.task for fact in self.facts if fact.kind == END]

    @property
    def seconds(self) -> float:
        """How long it all took."""
        return max((fact.t for fact in self.facts), default=0) / 1e9

    def times(self, task: str) -> list[float]:
        """Return when the turns of a task began, in seconds."""
        return [f.t / 1e9 for f in self.facts if f.kind == RUN and f.task == task]

    def stretches(self, what: str | None = None) -> list[Stretch]:
        """Return what each task was at, in order of begin; all, or of one kind."""
        found = [each for task in self.tasks for each in self._of(task)]
        return sorted(each for each in found if what in (None, each.what))

    def at_once(self, what: str) -> int:
        """Return how many tasks were at this at the same time, at most."""
        some = [each for each in self.stretches(what) if each.end > each.begin]
        return max(
            (sum(one.begin <= each.begin < one.end for one in some) for each in some), default=0
        )

    def idle(self) -> Stretch | None:
        """Return when a task was ready and nobody ran, if ever: a loop should never be so idle."""
        ran = self.stretches(RUNNING)
        for begin, end, task, _ in self.stretches(READY):
            free = begin
            for turn in ran:
                if turn.begin <= free:
                    free = max(free, turn.end)
            if free < end:
                until = min([end, *(turn.begin for turn in ran if turn.begin > free)])
                return Stretch(free, until, task, READY)
        return None

    def _of(self, task: str) -> list[Stretch]:
        found = []
        own = [fact for fact in self.facts if fact.task == task]
        last = Fact(max((fact.t for fact in self.facts), default=0), task, END)
        for fact, after in pairwise([*own, last]):
            if fact.kind == END:
                break
            what = {RUN: RUNNING, BORN: READY}.get(fact.kind, WAITING)
            due = fact.t
            if fact.kind == WAIT and fact.wish is None:
                what = READY
            elif fact.kind == WAIT and isinstance(fact.wish, int | float):
                due = min(fact.t + round(fact.wish * 1e9), after.t)
                found.append(Stretch(fact.t, due, task, WAITING))
                what = READY
            if after.t - due > NEAR or what == RUNNING:
                found.append(Stretch(due, after.t, task, what))
        return found

    @property
    def picture(self) -> Picture:
        """A lane a task: solid while it runs, dotted while it is ready, thin while it waits."""
        return picture_of(lambda: scene_of(self))

    def __str__(self) -> str:
        return self.picture.text

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return self.picture._repr_mimebundle_(include, exclude)


class Notes:
    """Facts in the making."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.facts: list[Fact] = []

    def note(self, task: str, kind: str, wish: Any = None) -> None:
        """Note a fact."""
        self.facts.append(Fact(round((time.monotonic() - self.began) * 1e9), task, kind, wish))

    def watched(self, name: str, task: Task) -> Task:
        """Return a task that does as this one does, and is noted."""
        self.note(name, BORN)
        if inspect.isgenerator(task):
            return self._turns(name, task)
        return through(self._turns(name, task))

    def _turns(self, name: str, task: Any) -> Generator[Any, None, Any]:
        resume: Callable[[], Any] = lambda: task.send(None)  # noqa: E731
        while True:
            self.note(name, RUN)
            try:
                wish = resume()
            except StopIteration as end:
                return end.value
            finally:
                if finished(task):
                    self.note(name, END)
            self.note(name, WAIT, wish)
            try:
                yield wish
                resume = lambda: task.send(None)  # noqa: E731
            except GeneratorExit:
                task.close()
                raise
            except BaseException as error:  # such as a cancellation
                resume = lambda error=error: task.throw(error)  # type: ignore[misc]  # noqa: E731


def on_asyncio(*tasks: Task) -> list[Any]:
    """Run tasks on asyncio's own loop: a `run` for `turns`."""

    async def main() -> list[Any]:
        return await asyncio.gather(*tasks)

    return asyncio.run(main())


def finished(task: Task) -> bool:
    """Return whether a task has come to its end."""
    if inspect.isgenerator(task):
        return inspect.getgeneratorstate(task) == inspect.GEN_CLOSED
    return inspect.iscoroutine(task) and inspect.getcoroutinestate(task) == inspect.CORO_CLOSED


class Through:
    """Awaited, it passes everything through a generator."""

    def __init__(self, steps: Generator[Any, None, Any]) -> None:
        self.steps = steps

    def __await__(self) -> Generator[Any, None, Any]:
        return (yield from self.steps)


async def through(steps: Generator[Any, None, Any]) -> Any:
    """Be a coroutine that takes these steps."""
    return await Through(steps)


def turns(run: Callable[..., Any], **tasks: Task) -> Turns:
    """Call `run(*tasks)`, an event loop, in virtual time, and return who had a turn when.

    Raises what `run` raises, and `VirtualTimeError` where it can never go on. What was noted until
    then is the error's `turns`.
    """
    noted: list[Notes] = []

    def whole() -> Any:
        notes = Notes()
        noted.append(notes)
        return run(*(notes.watched(name, task) for name, task in tasks.items()))

    try:
        result = virtual().call(whole)
    except Exception as error:
        facts = noted[0].facts if noted else []
        error.turns = Turns(tuple(tasks), tuple(facts))  # type: ignore[attr-defined]
        raise
    return Turns(tuple(tasks), tuple(noted[0].facts), result)


def scene_of(watched: Turns) -> Scene:
    """Lay out a lane a task."""
    lanes = {name: number for number, name in enumerate(watched.tasks)}
    items = Items()
    for begin, end, task, what in watched.stretches():
        items.add(begin, end, lanes[task], what)
    span = max(round(watched.seconds * 1e9), 1)
    title = f"{count(len(lanes), 'task')}, one loop: all done after {round_duration(span)}"
    if watched.seconds == 0:
        title = f"{count(len(lanes), 'task')}, one loop: {count(len(watched.order), 'turn')}"
    ready, waiting = watched.at_once(READY), watched.at_once(WAITING)
    told = f"one runs, at most {ready} are ready, at most {waiting} wait"
    alt = f"{title}. At any moment {told}. Turns: {shortened(watched.order)}."
    return Scene(
        "turns", title, alt, Axis(0, span, label="time since the loop began"),
        tuple(Lane(name) for name in watched.tasks), items=items,
    )  # fmt: skip


def shortened(order: list[str], most: int = 12) -> str:
    """Return the first names of an order."""
    return ", ".join(order[:most]) + (", …" if len(order) > most else "")
