"""When a connection's tasks held the event loop, and when they awaited.

A coroutine runs until it yields to the event loop; while it runs, nothing else in that loop does.
So a coroutine is stepped by hand: each `send` or `throw` from the loop is one slice, noted as `run`
when it begins and `ran` when it ends.

The app's own coroutine is stepped by the tracer. The tasks it gives birth to (`create_task`,
`TaskGroup`, a middleware's inner task) are caught by a task factory, chained in front of the
loop's own; a context variable says whose they are, because a task inherits its parent's context.
"""

import asyncio
import sys
from collections.abc import Coroutine, Generator
from contextlib import suppress
from contextvars import ContextVar
from types import CellType, coroutine
from typing import Any

from asgi_lab.recorder import Recorder
from asgi_lab.source import maker, plain_name

Place = tuple[Recorder | None, int, int]
NOWHERE: Place = (None, 0, 0)

current: ContextVar[Place] = ContextVar("asgi_lab_place", default=NOWHERE)
"""Where this code runs: the recorder, the connection's outermost door, the task's number."""


@coroutine
def slices(inner: Any, recorder: Any, door: int, task: int) -> Generator[Any, Any, Any]:
    """Await `inner` and note every slice in which it held the loop."""
    append, now = recorder.append, recorder.clock
    resume, value = inner.send, None
    while True:
        awaited = None  # and below, `value`: nothing is kept alive for longer than without us
        began = now()
        append((began, "run", door, task))
        try:
            awaited = resume(value)
        except StopIteration as end:
            return end.value
        finally:
            value = None
            append((now(), "ran", door, task, began))
        try:
            value = yield awaited
            resume = inner.send
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as error:  # a cancellation, say
            value = error
            resume = inner.throw


class TaskSlices(Coroutine[Any, Any, Any]):
    """The coroutine of a child task, stepped: it is born, has slices, and ends in some way.

    A task needs a coroutine object, not a generator. Everything else is the inner coroutine's:
    its result, exceptions, cancellation, and what `repr`, `inspect` and debuggers read from it
    (`cr_frame`, `__qualname__` ...).
    """

    __slots__ = ("_door", "_inner", "_place", "_recorder", "_task", "began", "made_at", "made_by")

    def __init__(self, inner: Any, place: Place, own_context: bool) -> None:
        recorder, door, parent = place
        assert recorder is not None
        self._inner = inner
        self._recorder = recorder
        self._door, self._task = door, next(recorder.tasks)
        self._place: Place | None = (recorder, door, self._task) if own_context else None
        self.made_at = maker(sys._getframe()) if is_door(inner) else ("", False)
        """Of a task that does nothing but send or receive: the place that made it."""
        self.made_by = id(asyncio.current_task()) if self.made_at[0] else 0
        self.began = recorder.clock()
        pairs = (("name", coro_name(inner)), ("parent", parent))
        recorder.append((self.began, "task", door, self._task, pairs))

    def send(self, value: Any) -> Any:
        """Resume the inner coroutine; at first, say in its context whose it is."""
        if self._place is not None:
            current.set(self._place)
            self._place = None
        return self._slice(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        """Resume the inner coroutine with an exception."""
        try:
            return self._slice(self._inner.throw, *error)
        finally:
            del error  # its traceback leads to this frame: a cycle

    def close(self) -> None:
        """Close the inner coroutine."""
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # it has all that a generator needs

    def __iter__(self) -> "TaskSlices":
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._inner)

    def _slice(self, resume: Any, *value: Any) -> Any:
        began = self._note("run")
        end = ""
        try:
            return resume(*value)
        except BaseException as error:
            end = outcome(error)
            raise
        finally:
            value = ()
            self._note("ran", began)
            if end:
                self._note("done", self.began, end)

    def _note(self, kind: str, *facts: Any) -> int:
        now = self._recorder.clock()
        self._recorder.append((now, kind, self._door, self._task, *facts))
        return now


DOORS = ("traced_door.<locals>.traced_send", "traced_door.<locals>.traced_receive")


def is_door(coro: Any) -> bool:
    """Return whether a coroutine is a call of the tracer's own `send` or `receive`."""
    return getattr(coro, "__qualname__", "") in DOORS


def outcome(end: BaseException) -> str:
    """Return how a coroutine ended that ended with this exception."""
    if isinstance(end, StopIteration):
        return "returned"
    return "cancelled" if isinstance(end, asyncio.CancelledError) else type(end).__name__


def coro_name(coro: Any) -> str:
    """Return the name of a task's function, also where anyio's task group has wrapped it."""
    name = str(getattr(coro, "__qualname__", type(coro).__qualname__))
    if name in ("TaskHandle._run_coro", "TaskGroup._run_wrapped_task"):
        with suppress(Exception):
            own = coro.cr_frame.f_locals
            return coro_name(own["coro"] if "coro" in own else own["self"]._coro)
    return plain_name(name)


class TaskFactory:
    """A task factory in front of another, in which children of connections are stepped.

    Its attributes are the other's: anyio recognises asyncio's eager factories by their code, and
    takes the task class from their closure.
    """

    __slots__ = ("_previous",)

    def __init__(self, previous: Any) -> None:
        self._previous = previous

    def __call__(self, loop: Any, coro: Any, **options: Any) -> Any:
        """Make a task."""
        coro = stepped(coro, options.get("context"))
        if self._previous is not None:
            return self._previous(loop, coro, **options)
        task = asyncio.Task(coro, loop=loop, **options)
        if trail := getattr(task, "_source_traceback", None):  # in debug mode: end it as before
            del trail[-2 if isinstance(loop, asyncio.BaseEventLoop) else -1 :]
        return task

    def __getattr__(self, name: str) -> Any:
        return getattr(self._previous, name)

    @property
    def __closure__(self) -> Any:
        constructor = self._previous.__closure__[0].cell_contents

        def construct(coro: Any, **options: Any) -> Any:
            return constructor(stepped(coro, options.get("context")), **options)

        return (CellType(construct),)


def stepped(coro: Any, context: Any) -> Any:
    """Return a coroutine that notes its slices, if it is born of a connection."""
    place = current.get() if context is None else context.get(current, NOWHERE)
    if place[0] is None or type(coro) is TaskSlices or not asyncio.iscoroutine(coro):
        return coro
    return TaskSlices(coro, place, own_context=context is None)


def follow_tasks(loop: Any) -> None:
    """Chain our task factory in front of the loop's own, unless it is there already."""
    previous = loop.get_task_factory()
    if type(previous) is not TaskFactory:
        loop.set_task_factory(TaskFactory(previous))
