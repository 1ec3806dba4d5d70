"""When a connection's tasks held the event loop, and when they awaited.

A coroutine runs until it yields to the event loop; while it runs, nothing else in that loop does.
So a coroutine is stepped by hand: each `send` or `throw` from the loop is one slice, noted as `run`
when it begins and `ran` when it ends.

The app's own coroutine is stepped by the tracer. The tasks it gives birth to (`create_task`,
`TaskGroup`, a middleware's inner task) are caught by a task factory, chained in front of the
loop's own; a context variable says whose they are, because a task inherits its parent's context.
"""

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import ContextVar
from types import coroutine
from typing import Any

from asgi_lab.recorder import Recorder

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
        began = now()
        append((began, "run", door, task))
        try:
            awaited = resume(value)
        except StopIteration as end:
            return end.value
        finally:
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

    __slots__ = ("_began", "_door", "_inner", "_place", "_recorder", "_task")

    def __init__(self, inner: Any, place: Place, own_context: bool) -> None:
        recorder, door, parent = place
        assert recorder is not None
        self._inner = inner
        self._recorder = recorder
        self._door, self._task = door, next(recorder.tasks)
        self._place: Place | None = (recorder, door, self._task) if own_context else None
        self._began = recorder.clock()
        name = getattr(inner, "__qualname__", type(inner).__qualname__)
        pairs = (("name", name), ("parent", parent))
        recorder.append((self._began, "task", door, self._task, pairs))

    def send(self, value: Any) -> Any:
        """Resume the inner coroutine; at first, say in its context whose it is."""
        if self._place is not None:
            current.set(self._place)
            self._place = None
        return self._slice(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        """Resume the inner coroutine with an exception."""
        return self._slice(self._inner.throw, *error)

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

    def _slice(self, resume: Any, *value: Any) -> Any:
        began = self._note("run")
        end: BaseException | None = None
        try:
            return resume(*value)
        except BaseException as error:
            end = error
            raise
        finally:
            self._note("ran", began)
            if end is not None:
                self._note("done", self._began, outcome(end))

    def _note(self, kind: str, *facts: Any) -> int:
        now = self._recorder.clock()
        self._recorder.append((now, kind, self._door, self._task, *facts))
        return now


def outcome(end: BaseException) -> str:
    """Return how a coroutine ended that ended with this exception."""
    if isinstance(end, StopIteration):
        return "returned"
    return "cancelled" if isinstance(end, asyncio.CancelledError) else type(end).__name__


def follow_tasks(loop: Any) -> None:
    """Chain our task factory in front of the loop's own, unless it is there already.

    `loop` is None where the loop is not asyncio's: its tasks cannot be followed.
    """
    previous = loop.get_task_factory() if loop is not None else None
    if loop is None or getattr(previous, "follows_connections", False):
        return

    def factory(loop: Any, coro: Any, **options: Any) -> Any:
        context = options.get("context")
        place = current.get() if context is None else context.get(current, NOWHERE)
        if place[0] is not None and asyncio.iscoroutine(coro):
            coro = TaskSlices(coro, place, own_context=context is None)
        if previous is None:
            return asyncio.Task(coro, loop=loop, **options)
        return previous(loop, coro, **options)

    factory.follows_connections = True  # type: ignore[attr-defined]
    loop.set_task_factory(factory)
