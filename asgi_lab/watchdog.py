"""Which line holds the event loop, when it is held for long: a thread looks, the loop pays nothing.

    app holds the loop  <- looks at its stack -  watchdog thread  - append "block" ->  recorder

A few times in each `limit` the thread looks at the stack of the loop's thread, and most often finds
it idle, or at work on something else than the time before. What it finds still at work after
`limit` is a block. Of all places that it saw meanwhile, the one where most of the time went is
named: the innermost frame of the user's code, or of a package's if their request runs no other.

How long something has been at work it reads from the tracer's own frame (`asgi_lab.running`), which
is on that stack and knows when its slice began, and for which request. Code that is not stepped has
no such frame: then the thread asks the loop to call back, and is late what does not come. A loop
that waits for events has no frame of the user's on its stack, so it is never asked, and never
wakes for this.
"""

import ast
import asyncio
import inspect
import linecache
import os
import sys
import threading
import time
import weakref
from collections import defaultdict
from types import CodeType, FrameType
from typing import Any, NamedTuple

from asgi_lab.layers import Tap
from asgi_lab.recorder import Recorder
from asgi_lab.running import TaskSlices, slices
from asgi_lab.source import is_library, is_python, place, plain_name
from asgi_lab.ticker import at_waking
from asgi_lab.tracer import traced_call

LIMIT = 0.1
"""Seconds for which a loop may be held, by default."""

FROZEN = 1_000_000_000
"""Nanoseconds after which a block that goes on is noted before its end, and when it has doubled."""

MOSTLY = 0.8
"""The share of the time at one call from which on it is named: else the function computes."""

STEPPERS = (slices.__code__, TaskSlices._slice.__code__)
"""Frames of the tracer that know since when whose code has been at work."""

LAYER = Tap.__call__.__code__
"""A frame of the tracer in which a middleware calls the next layer."""

CALLS = traced_call.__code__
"""Frames of the tracer that know at least for which request."""

COROUTINE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR

Spot = tuple[CodeType, int]
"""A place in code: the instruction at which a frame stands, in bytes."""


class Work(NamedTuple):
    """What a loop's thread is at, of whom, and since when (None: unknown)."""

    door: int
    task: int
    began: int | None
    frame: FrameType


class Watch:
    """One event loop that is watched, in the thread where `watch` was called."""

    def __init__(self, recorder: Recorder, loop: asyncio.AbstractEventLoop, limit: float) -> None:
        self.recorder = weakref.ref(recorder)
        self.loop = weakref.ref(loop)
        self.limit = round(limit * 1e9)
        self.thread = threading.get_ident()
        self._outside = codes_outside(sys._getframe())
        self._asked: int | None = None
        """When the loop was asked to call back, as long as it has not."""
        self._key: tuple[int, int, int] | None = None
        """Of what is at work: door, task, and when it began."""
        self._seen = self._told = self._lost = 0
        self._clock = cpu_clock(self.thread)
        self._used = 0
        """Processor time of the thread when it was last looked at, in nanoseconds."""
        self._spent: dict[Spot, int] = defaultdict(int)
        self._places: dict[Spot, str] = {}

    @property
    def over(self) -> bool:
        """Whether there is nothing left to watch."""
        loop = self.loop()
        return loop is None or loop.is_closed() or self.recorder() is None

    @property
    def suspects(self) -> bool:
        """Whether something has been at work since before this look."""
        return self._key is not None

    def look(self, frame: FrameType | None) -> None:
        """Look at the thread's innermost frame (None: it has ended)."""
        recorder, loop = self.recorder(), self.loop()
        if recorder is None or loop is None:
            return
        now, used = recorder.clock(), self._used
        if self._clock is not None:
            self._used = time.clock_gettime_ns(self._clock)
        work = self._work(frame, recorder)
        if work is None:
            self._end(recorder)
            return
        began = work.began
        if began is None:
            began = self._asked if self._asked is not None else self._ask(loop, now)
        key = (work.door, work.task, began)
        if key != self._key:
            self._end(recorder)
            self._key, self._seen, self._told = key, began, began + FROZEN
            self._lost = 0
        self._starved(now, self._used - used)
        self._note(work.frame, now)
        if now >= self._told:
            self._tell(recorder)
            self._told = now + (now - began)

    def _work(self, frame: FrameType | None, recorder: Recorder) -> Work | None:
        """Return what these frames are at, from the innermost outwards; None if they wait."""
        own: FrameType | None = None
        library: FrameType | None = None
        within = False
        door = task = 0
        while frame is not None and frame.f_code not in self._outside:
            code = frame.f_code
            if code in STEPPERS and (found := whose(frame, recorder)):
                inner = own or library
                return Work(*found, inner) if inner is not None else None
            if code is CALLS and not door:
                door, task, _ = whose(frame, recorder) or (0, 0, None)
            elif code is LAYER and own is None and library is not None:
                within = True  # what is at work is not the middleware that waits for it
            elif own is None and not within and not is_library(code.co_filename):
                own = frame
            elif library is None and not is_python(code.co_filename):
                library = frame
            frame = frame.f_back
        return Work(door, task, None, own) if own is not None else None

    def _ask(self, loop: asyncio.AbstractEventLoop, now: int) -> int:
        self._asked = now
        loop.call_soon_threadsafe(self._answer)
        return now

    def _answer(self) -> None:
        self._asked = None

    def _starved(self, now: int, used: int) -> None:
        """Take note of time in which neither this thread nor the loop's was given a processor.

        Then nobody was blocked: the machine is slow. A call into C stops this thread, too, but
        uses the processor meanwhile: `used` nanoseconds since the last look.
        """
        late = now - self._seen - self.limit // 2
        if self._clock is not None and late > 0 and used < (now - self._seen) // 2:
            self._lost += late

    def _note(self, frame: FrameType, now: int) -> None:
        """Add the time since the last look to the place at which the thread is now."""
        spot = (frame.f_code, frame.f_lasti)
        if spot not in self._places:
            self._places[spot] = place(frame, frame.f_lineno)
        self._spent[spot] += now - self._seen
        self._seen = now

    def _end(self, recorder: Recorder) -> None:
        """Forget what was at work, and note it if that was for long."""
        if self._key is not None:
            if self._seen - self._key[2] - self._lost >= self.limit:
                self._tell(recorder)
            self._key = None
            self._spent.clear()
            self._places.clear()

    def _tell(self, recorder: Recorder) -> None:
        assert self._key is not None
        door, task, began = self._key
        at: dict[str, int] = defaultdict(int)  # several instructions may be on one line
        for spot, spent in self._spent.items():
            at[self._places[spot]] += spent
        where = max(at, key=at.__getitem__)
        spots = [spot for spot in self._spent if self._places[spot] == where]
        code, instruction = max(spots, key=self._spent.__getitem__)
        waits = self._spent[code, instruction] >= MOSTLY * sum(self._spent.values())
        call = call_at(code, instruction) if waits else plain_name(code.co_name)
        facts: Any = (("call", call), ("at", where))
        if is_library(code.co_filename):
            facts += (("library", True),)
        recorder.append((self._seen, "block", door, task, began, facts))


def cpu_clock(thread: int) -> int | None:
    """Return the clock of a thread's processor time, where there is one."""
    try:
        return time.pthread_getcpuclockid(thread)
    except (AttributeError, OSError):
        return None


def whose(frame: FrameType, recorder: Recorder) -> tuple[int, int, int | None] | None:
    """Return door, task and begin from a frame of the tracer, if it records there.

    Its variables are only read: a debugger in that thread is not disturbed.
    """
    known = frame.f_locals
    if "self" in known:
        own = known["self"]
        known = {**known, "recorder": own._recorder, "door": own._door, "task": own._task}
    if known.get("recorder") is not recorder or "door" not in known:
        return None
    if frame.f_code is CALLS:
        return known["door"] & ~255, known["task"], None
    return (known["door"], known["task"], known["began"]) if "began" in known else None


def codes_outside(frame: FrameType | None) -> frozenset[CodeType]:
    """Return the code of the frames outside the coroutine that is at work: they run the loop."""
    while frame is not None and not frame.f_code.co_flags & COROUTINE:
        frame = frame.f_back
    while frame is not None and frame.f_code.co_flags & COROUTINE:
        frame = frame.f_back
    codes = set()
    while frame is not None:
        codes.add(frame.f_code)
        frame = frame.f_back
    return frozenset(codes)


def call_at(code: CodeType, instruction: int) -> str:
    """Return what is called at a place: `time.sleep`; if nothing is, the name of the function.

    Of arguments nothing is told: there may be a secret among them.
    """
    try:
        positions: Any = list(code.co_positions())[instruction // 2]
        call = ast.parse(source_of(code.co_filename, *positions), mode="eval").body
        if isinstance(call, ast.Await):
            call = call.value
        if isinstance(call, ast.Call):
            return dotted(call.func)
    except Exception:  # no source, or half a line of it
        pass
    return plain_name(code.co_name)


def source_of(file: str, line: int, last: int, column: int, end: int) -> str:
    """Return a stretch of source code in brackets, so that it may have several lines."""
    lines = [linecache.getline(file, number).encode() for number in range(line, last + 1)]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][column:]
    return f"({b''.join(lines).decode()})"


def dotted(node: ast.expr) -> str:
    """Return what a call names: `session.query().all`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return f"{dotted(node.func)}()" if isinstance(node, ast.Call) else "…"


def watch(recorder: Recorder, loop: Any, limit: float = LIMIT) -> Watch | None:
    """Watch the event loop that runs in this thread from now on; None where that cannot be.

    Call it in a coroutine. It ends when the loop is closed, or nobody has the recorder any more.
    A loop is watched once for a recorder, however often it is asked for.
    """
    if not hasattr(sys, "_current_frames") or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    try:
        watched = Watch(recorder, loop, limit)
    except TypeError:  # a loop that cannot be referred to
        return None
    with _lock:
        for known in _watches:
            if known.recorder() is recorder and known.loop() is loop:
                return known
        _watches.append(watched)
    return watched if _start_thread() else None


def forget(recorder: Recorder) -> None:
    """Watch no longer for a recorder; once nothing is left to watch, the thread has ended."""
    with _lock:
        _watches[:] = [one for one in _watches if one.recorder() is not recorder]
        thread, wake = _thread, _wake
        if _watches or thread is None:
            return
    wake.set()
    thread.join(1.0)
    wake.clear()


_watches: list[Watch] = []
_wake = threading.Event()
_thread: threading.Thread | None = None
_lock = threading.Lock()
_looking = threading.Lock()


def _start_thread() -> bool:
    global _thread
    with _lock:
        if _thread is None:
            thread = threading.Thread(target=_run, name="asgi-lab watchdog", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no threads here (Pyodide, or at exit)
                _watches.clear()
                return False
            _thread = thread
    return True


def _run() -> None:
    global _thread
    while True:
        with _lock:
            _watches[:] = [one for one in _watches if not one.over]
            if not _watches:
                _thread = None
                return
            watches = list(_watches)
        suspects = any(one.suspects for one in watches)
        limit = min(one.limit for one in watches) / 1e9
        del watches
        _wake.wait(max(limit / (10 if suspects else 3), 0.001))
        _look()


def _look() -> None:
    """Look at all loops.

    Done when the ticker's thread wakes, too: of a call into C that lets no other thread run, only
    the first thread that runs again sees anything.
    """
    if not _looking.acquire(blocking=False):
        return
    try:
        frames = sys._current_frames()
        for one in list(_watches):
            try:
                one.look(frames.get(one.thread))
            except Exception:  # a loop just closed; whatever it is, the app is not disturbed
                pass
        del frames
    finally:
        _looking.release()


def _after_fork() -> None:
    global _thread, _lock, _looking, _wake
    _thread, _lock, _looking = None, threading.Lock(), threading.Lock()
    _wake = threading.Event()
    _watches.clear()


at_waking.append(_look)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
