"""What is replaced while a run lasts, and put back however it ends.

Each replacement looks at the calling thread: an actor gets the virtual thing, any other thread
(a notebook kernel has several) the real one. Names are replaced wherever a module holds them, so
that `from time import sleep` counts too; at the end all modules are looked through again, those
imported meanwhile among them.
"""

import asyncio
import functools
import itertools
import logging
import os
import queue
import random
import sys
import threading
import time
from asyncio.mixins import _LoopBoundMixin
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from asgi_lab.clock import genuine as real
from asgi_lab.clock import refuse, threads
from asgi_lab.clock.actor import this_actor
from asgi_lab.clock.errors import Stopped
from asgi_lab.clock.locks import VirtualLock
from asgi_lab.clock.loop import VirtualLoop
from asgi_lab.clock.world import EPOCH, NS, SEED, World


def by_thread(ours: Callable[..., Any], virtual: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is `virtual(world, ...)` in an actor's thread, else `ours(...)`."""

    @functools.wraps(ours)
    def function(*args: Any) -> Any:
        actor = this_actor()
        return ours(*args) if actor is None else virtual(actor.world, *args)

    return function


def class_by_thread(name: str, ours: Any, virtual: Callable[..., Any]) -> Any:
    """Return what makes the virtual thing in an actor's thread; for `isinstance` it is both."""

    class Maker(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return (ours if this_actor() is None else virtual)(*args, **kwargs)

        def __instancecheck__(cls, thing: Any) -> bool:
            kinds = (VirtualLock, ours) if isinstance(ours, type) else (VirtualLock, real.LockType)
            return isinstance(thing, kinds)

    return Maker(name, (), {})


def new_event_loop() -> Any:
    """`asyncio.new_event_loop`."""
    actor = this_actor()
    return real.new_event_loop() if actor is None else VirtualLoop(actor.world)


async def wait_for(fut: Any, timeout: float | None) -> Any:
    """`asyncio.wait_for` as from Python 3.12 on: 3.11 makes a task for it, and traces differ."""
    if this_actor() is None:
        return await _wait_for(fut, timeout)
    if timeout is not None and timeout <= 0:
        fut = asyncio.ensure_future(fut)
        if fut.done():
            return fut.result()
        fut.cancel()
        await asyncio.wait([fut])
        try:
            return fut.result()
        except asyncio.CancelledError as error:
            raise TimeoutError from error
    async with asyncio.timeout(timeout):
        return await fut


_wait_for = asyncio.wait_for


def as_completed(fs: Any, *, timeout: float | None = None) -> Any:
    """`asyncio.as_completed`, which walks a set: of tasks, in order, and not of coroutines."""
    if this_actor() is not None and asyncio._get_running_loop() is not None:
        fs = [asyncio.ensure_future(one) for one in dict.fromkeys(fs)]
    return _as_completed(fs, timeout=timeout)


_as_completed = asyncio.as_completed


def time_of_day(convert: Callable[..., Any], world: World, given: tuple[Any, ...]) -> Any:
    """Return `gmtime` or `localtime` of the given time, or of now."""
    at = given[0] if given and given[0] is not None else (EPOCH + world.now) / NS
    return convert(at)


genuine_gmtime, genuine_localtime = time.gmtime, time.localtime

NAMES: dict[Any, Any] = {
    time.sleep: by_thread(time.sleep, World.sleep),
    time.monotonic: by_thread(time.monotonic, lambda world: world.look() / NS),
    time.monotonic_ns: by_thread(time.monotonic_ns, lambda world: world.look()),
    time.perf_counter: by_thread(time.perf_counter, lambda world: world.look() / NS),
    time.perf_counter_ns: by_thread(time.perf_counter_ns, lambda world: world.look()),
    time.time: by_thread(time.time, lambda world: (EPOCH + world.look()) / NS),
    time.time_ns: by_thread(time.time_ns, lambda world: EPOCH + world.look()),
    threading.Lock: class_by_thread("Lock", threading.Lock, VirtualLock),
    threading.RLock: class_by_thread("RLock", threading.RLock, threading._PyRLock),  # type: ignore[attr-defined]
    queue.SimpleQueue: class_by_thread("SimpleQueue", queue.SimpleQueue, queue._PySimpleQueue),  # type: ignore[attr-defined]
    asyncio.events.new_event_loop: new_event_loop,
    asyncio.as_completed: as_completed,
    time.gmtime: by_thread(time.gmtime, lambda world, *t: time_of_day(genuine_gmtime, world, t)),
    time.localtime: by_thread(
        time.localtime, lambda world, *t: time_of_day(genuine_localtime, world, t)
    ),
    os.urandom: by_thread(os.urandom, lambda world, size: world.random.randbytes(size)),
}
"""Each name that is replaced, and by what. Locks make the rest of `threading` virtual."""
NAMES.setdefault(real.allocate_lock, class_by_thread("lock", real.allocate_lock, VirtualLock))
if sys.version_info < (3, 12):
    NAMES[asyncio.wait_for] = wait_for

KEEP = {"_thread", real.__name__, __name__, "importlib._bootstrap", "_frozen_importlib"}
"""Modules that keep the real things."""


class Patches:
    """What has been replaced, to be put back."""

    def __init__(self) -> None:
        self._undo: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def names(self) -> None:
        """Replace the names in every module."""
        exchange({id(ours): virtual for ours, virtual in NAMES.items()})

    def names_back(self) -> None:
        """Put the real ones back in every module, also in those imported meanwhile."""
        exchange({id(virtual): ours for ours, virtual in NAMES.items()})

    def attribute(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute of a class or object, one of its own or one that it inherits."""
        if name in vars(owner):
            self._undo.append((setattr, (owner, name, vars(owner)[name])))
        else:
            self._undo.append((delattr, (owner, name)))
        setattr(owner, name, value)

    def item(self, space: dict[str, Any], name: str, value: Any) -> None:
        """Replace a module's name by a value of its own."""
        self._undo.append((space.__setitem__, (name, space[name])))
        space[name] = value

    def then(self, function: Callable[..., Any], *args: Any) -> None:
        """Call this at the end, too."""
        self._undo.append((function, args))

    def undo(self) -> None:
        """Put everything back."""
        self.names_back()
        while self._undo:
            function, args = self._undo.pop()
            function(*args)


def exchange(known: dict[int, Any]) -> None:
    """Replace what has one of these ids, in every module."""
    ids = frozenset(known)
    for space in spaces():
        values = list(space.values())
        if not ids.isdisjoint(map(id, values)):  # seldom, and found out fast
            for name, value in list(space.items()):
                if id(value) in known:
                    space[name] = known[id(value)]


def spaces() -> Iterator[dict[str, Any]]:
    """Yield the names of every module."""
    for name, module in list(sys.modules.items()):
        space = getattr(module, "__dict__", None)
        if type(space) is dict and name not in KEEP:
            yield space


_depth = 0
_lock = real.allocate_lock()
_patches = Patches()


@contextmanager
def patched() -> Iterator[None]:
    """Replace everything while this lasts; worlds in several threads share it."""
    global _depth
    with _lock:
        _depth += 1
        if _depth == 1:
            _apply(_patches)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _patches.undo()


def _apply(patches: Patches) -> None:
    try:
        patches.names()
        patches.attribute(threading.Thread, "start", lambda thread: threads.start(thread))
        patches.attribute(threading.Thread, "join", threads.join)
        patches.attribute(threading.Thread, "is_alive", threads.is_alive)
        patches.attribute(ThreadPoolExecutor, "submit", virtual_submit(ThreadPoolExecutor.submit))
        init = threads.own_pool(ThreadPoolExecutor.__init__)
        patches.attribute(ThreadPoolExecutor, "__init__", init)
        _quiet(patches)
        _ordered_scopes(patches)
        bound: Any = _LoopBoundMixin
        patches.attribute(bound, "_get_loop", _loop_of(bound._get_loop))
        _module_locks(patches)
        _printing(patches)
        _chance(patches)
        _counters(patches)
        refuse.apply(patches.attribute)
    except BaseException:
        patches.undo()
        raise


def virtual_submit(outer: Any) -> Any:
    """Return `ThreadPoolExecutor.submit` in front of another: the tracer's, or Python's own."""

    @functools.wraps(outer)
    def submit(pool: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return outer(threads.pool_here(pool), function, *args, **kwargs)

    return submit


def _chance(patches: Patches) -> None:
    """Begin each run with the same `random`; `uuid4` and `secrets` come from `os.urandom`."""
    patches.then(random.setstate, random.getstate())
    random.seed(SEED)


def _counters(patches: Patches) -> None:
    """Let threads and pools that an app makes be numbered from 1 in each run."""
    patches.item(vars(threading), "_counter", itertools.count(1).__next__)
    patches.attribute(ThreadPoolExecutor, "_counter", itertools.count().__next__)


class _NoStops(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], Stopped))


def _quiet(patches: Patches) -> None:
    """Log nothing about threads of pools that end because the world does."""
    logger, unlogged = logging.getLogger("concurrent.futures"), _NoStops()
    logger.addFilter(unlogged)
    patches.then(logger.removeFilter, unlogged)


class OrderedSet(dict[Any, None]):
    """A set that is walked in the order in which its members came, whatever their hashes."""

    def add(self, member: Any) -> None:
        """Add a member."""
        self[member] = None

    def discard(self, member: Any) -> None:
        """Remove a member, if it is one."""
        self.pop(member, None)

    def remove(self, member: Any) -> None:
        """Remove a member. Raises KeyError if it is none."""
        del self[member]


def _loop_of(ours: Callable[..., Any]) -> Callable[..., Any]:
    """Let locks and queues that a module made once serve each run: their last loop is closed."""

    def _get_loop(self: Any) -> Any:
        if isinstance(self._loop, VirtualLoop) and self._loop.is_closed():
            self._loop = None
        return ours(self)

    return _get_loop


def _ordered_scopes(patches: Patches) -> None:
    """Let anyio's cancel scopes, which hash by address, cancel in order."""
    try:
        from anyio._backends._asyncio import CancelScope
    except ImportError:
        return
    init = CancelScope.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if this_actor() is not None:
            self._child_scopes, self._tasks = OrderedSet(), OrderedSet()

    patches.attribute(CancelScope, "__init__", __init__)


def _module_locks(patches: Patches) -> None:
    """Replace the plain locks that the user's modules hold, made before the run."""
    from asgi_lab.source import is_library

    for module in list(sys.modules.values()):
        space = getattr(module, "__dict__", None)
        if type(space) is not dict or not _is_users(module, is_library):
            continue
        for name, value in list(space.items()):
            if (lock := virtual_lock(value)) is not None:
                patches.item(space, name, lock)
            elif getattr(value, "__module__", None) == module.__name__:
                _owned_locks(patches, value)


def _owned_locks(patches: Patches, owner: Any) -> None:
    """Replace the plain locks among the attributes of a module's own class or object."""
    for name, value in list(getattr(owner, "__dict__", {}).items()):
        if (lock := virtual_lock(value)) is not None:
            with suppress(AttributeError, TypeError):
                patches.attribute(owner, name, lock)


def virtual_lock(value: Any) -> Any:
    """Return a virtual lock in place of a plain one that nobody holds; else None."""
    if type(value) is real.LockType and not value.locked():
        return VirtualLock()
    if type(value) is real.RLockType:
        lock = threading._PyRLock()  # type: ignore[attr-defined]
        lock._block = VirtualLock()
        return lock
    return None


def _is_users(module: Any, is_library: Callable[[str], bool]) -> bool:
    name = getattr(module, "__name__", "")
    if name == "__main__":
        return True
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and not is_library(file)


def _printing(patches: Patches) -> None:
    """In a notebook, keep what actors print, and print it when the run ends, once and in order.

    The kernel's streams flush by a thread and wait for it, which would be waiting in virtual time.
    """
    kernel = sys.modules.get("ipykernel.iostream")
    if kernel is None:
        return
    for stream in {id(s): s for s in (sys.stdout, sys.stderr)}.values():
        if isinstance(stream, kernel.OutStream):
            patches.attribute(stream, "write", _kept(stream, stream.write))
            patches.attribute(stream, "flush", by_thread(stream.flush, lambda world: None))


def _kept(stream: Any, write: Callable[[str], Any]) -> Callable[[str], Any]:
    def keep(text: str) -> Any:
        actor = this_actor()
        if actor is None:
            return write(text)
        actor.world.printed.append((write, text))
        return len(text)

    return keep
