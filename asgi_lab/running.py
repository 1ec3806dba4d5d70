"""When a connection's tasks held the event loop, and when they awaited.

A coroutine runs until it yields to the event loop; while it runs, nothing else in that loop does.
`Slices` stands in for a coroutine and steps it: each `send` or `throw` from the loop is one slice,
noted as `run` when it begins and `ran` when it ends.

The app's own coroutine is stepped by the tracer. The tasks it gives birth to (`create_task`,
`TaskGroup`, a middleware's inner task) are caught by a task factory, chained in front of the
loop's own; a context variable says whose they are, because a task inherits its parent's context.
"""

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import ContextVar
from typing import Any

from asgi_lab.recorder import Recorder

Place = tuple[Recorder | None, int, int]
NOWHERE: Place = (None, 0, 0)

current: ContextVar[Place] = ContextVar("asgi_lab_place", default=NOWHERE)
"""Where this code runs: the recorder, the connection's outermost door, the task's number."""


class Slices(Coroutine[Any, Any, Any]):
    """A coroutine that steps another and notes every slice in which it held the loop.

    Everything else is the inner coroutine's: its result, exceptions, cancellation, and what
    `repr`, `inspect` and debuggers read from it (`cr_frame`, `__qualname__` ...).
    """

    __slots__ = ("_append", "_door", "_inner", "_now", "_task")

    def __init__(self, inner: Any, recorder: Any, door: int, task: int) -> None:
        self._inner = inner
        self._append = recorder.append
        self._now = recorder.clock
        self._door = door
        self._task = task

    def send(self, value: Any) -> Any:
        """Resume the inner coroutine: one slice."""
        began = self._now()
        self._append((began, "run", self._door, self._task))
        try:
            return self._inner.send(value)
        finally:
            self._append((self._now(), "ran", self._door, self._task, began))

    def throw(self, *error: Any) -> Any:
        """Resume the inner coroutine with an exception (a cancellation, say): one slice."""
        began = self._now()
        self._append((began, "run", self._door, self._task))
        try:
            return self._inner.throw(*error)
        finally:
            self._append((self._now(), "ran", self._door, self._task, began))

    def close(self) -> None:
        """Close the inner coroutine."""
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # it has all that a generator needs

    def __iter__(self) -> "Slices":
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class TaskSlices(Slices):
    """The slices of a child task: it is born, and it ends in some way."""

    __slots__ = ("_began", "_own_context", "_place")

    def __init__(self, inner: Any, place: Place, own_context: bool) -> None:
        recorder, door, parent = place
        assert recorder is not None
        task = next(recorder.tasks)
        super().__init__(inner, recorder, door, task)
        self._began = recorder.clock()
        self._place = (recorder, door, task)
        self._own_context = own_context
        name = getattr(inner, "__qualname__", type(inner).__qualname__)
        pairs = (("name", name), ("parent", parent))
        recorder.append((self._began, "task", door, task, pairs))

    def send(self, value: Any) -> Any:
        """Resume the inner coroutine; at first, say in its context whose it is."""
        if self._own_context:
            current.set(self._place)
            self._own_context = False
        try:
            return super().send(value)
        except BaseException as end:
            self._done(end)
            raise

    def throw(self, *error: Any) -> Any:
        """Resume the inner coroutine with an exception."""
        try:
            return super().throw(*error)
        except BaseException as end:
            self._done(end)
            raise

    def _done(self, end: BaseException) -> None:
        outcome = type(end).__name__
        if isinstance(end, StopIteration):
            outcome = "returned"
        elif isinstance(end, asyncio.CancelledError):
            outcome = "cancelled"
        self._append((self._now(), "done", self._door, self._task, self._began, outcome))


def follow_tasks() -> None:
    """Chain our task factory in front of the running loop's own, unless it is there already."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # not asyncio: its tasks cannot be followed
    previous = loop.get_task_factory()
    if getattr(previous, "follows_connections", False):
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
