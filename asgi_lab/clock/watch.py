"""What watches over a run from outside: an interrupt ends it, and so does a stall.

In virtual time a thread that waits for something real (a socket, a lock made outside, a pipe)
holds the baton and everything stands still. Ten times a second of real time a look is taken at the
thread that runs: if its frame has not moved for long, that is a stall. A slow machine moves its
frames, too, if slowly; so load alone raises no alarm.

In the main thread an interval timer's signal takes that look, so that no thread is needed, and a
blocking call of the main thread itself can be ended. Elsewhere a thread does.
"""

import signal
import sys
import threading
from types import CodeType, FrameType
from typing import Any

from asgi_lab.clock import genuine as real
from asgi_lab.clock.actor import RUNNING, Actor
from asgi_lab.clock.errors import Stall, Stopped, stop_thread
from asgi_lab.clock.where import line_of, user_frame
from asgi_lab.clock.world import World

PERIOD = 0.1
"""Real seconds between two looks."""


class Watch:
    """Watches a world while its main actor runs. Use as a context, around everything."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._still: object = None
        self._since = real.monotonic()
        self._undo: list[Any] = []
        self._ended = real.allocate_lock()
        self._thread: threading.Thread | None = None
        self._interrupted = False
        self._over = False
        self._around: CodeType | None = None

    def __enter__(self) -> "Watch":
        self._around = sys._getframe(1).f_code
        if threading.current_thread() is threading.main_thread() and self._by_signal():
            return self
        self._ended.acquire()
        try:
            self._thread = threading.Thread(
                target=self._look_on, daemon=True, name="asgi-lab watch"
            )
            real.start(self._thread)
        except RuntimeError:  # no threads here (Pyodide): then nothing blocks, either
            self._thread = None
        return self

    def finish(self) -> None:
        """From now on interrupt nothing: what is left must not be left half done."""
        self._over = True

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._thread is not None:
            self._ended.release()
            real.join(self._thread)
        for undo, *arguments in reversed(self._undo):
            undo(*arguments)
        if self._interrupted and self.world.failure is None:
            self.world.failure = KeyboardInterrupt()

    # In the main thread: signals.

    def _by_signal(self) -> bool:
        if not hasattr(signal, "setitimer") or sys.platform == "emscripten":
            return False
        if callable(signal.getsignal(signal.SIGALRM)) or signal.getitimer(signal.ITIMER_REAL)[0]:
            return False  # somebody else's
        if signal.getsignal(signal.SIGINT) is None or signal.getsignal(signal.SIGALRM) is None:
            return False  # set by something that is not Python: it cannot be restored
        self._undo.append((signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
        signal.signal(signal.SIGINT, self._interrupt)
        self._undo.append((signal.signal, signal.SIGALRM, signal.getsignal(signal.SIGALRM)))
        signal.signal(signal.SIGALRM, self._tick)
        self._undo.append((signal.setitimer, signal.ITIMER_REAL, 0.0))
        signal.setitimer(signal.ITIMER_REAL, PERIOD, PERIOD)
        return True

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
        if not self._over:
            self._stop(KeyboardInterrupt(), frame)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        if self._over:
            return
        if self.world.stopping or self._interrupted:
            self._stop(KeyboardInterrupt() if self._interrupted else None, frame)
        elif self._stalled(frame):
            self._stop(self._stall(frame), frame)

    def _stop(self, failure: BaseException | None, frame: FrameType | None) -> None:
        """Stop the world from a signal's handler, which runs in the main actor's thread."""
        world, main = self.world, self.world.main
        if main is None or not world.mutex.acquire(blocking=False):
            return  # in the middle of passing the baton: at the next tick
        try:
            world.stop(failure)
            here = main.state == RUNNING
            if not here:
                self._unseat()
        finally:
            world.mutex.release()
        if here and not in_world(frame) and not self._leaving(frame):
            raise Stopped

    def _leaving(self, frame: FrameType | None) -> bool:
        """Whether the run is over by itself, and its end must not be left half done."""
        return frame is not None and frame.f_code in (self._around, Watch.finish.__code__)

    # Elsewhere: a thread.

    def _look_on(self) -> None:
        while not self._ended.acquire(True, PERIOD):
            if self._over:
                continue
            running = self.world.running
            if self.world.stopping:
                with self.world.mutex:
                    self._unseat()
            elif running is not None and self._stalled(None):
                stall = self._stall(None)
                with self.world.mutex:
                    self.world.stop(stall)
                    self._unseat()

    def _unseat(self) -> None:
        """Take the baton from a thread that does not give it. The mutex is held."""
        running = self.world.running
        if running is None:
            self.world._unwind_next()
            return
        stop_thread(running.ident)
        if running.seized and running is not self.world.main:
            self.world.running = None
            self.world._unwind_next()
        running.seized = True  # it has until the next tick

    # What a stall is.

    def _stalled(self, frame: FrameType | None) -> bool:
        """Whether the thread that runs has stood at the same instruction for too long."""
        running = self.world.running
        if running is None:
            return False
        frame = self._frame(running, frame)
        still = (running.number, running.turn, id(frame), frame.f_lasti if frame else 0)
        now = real.monotonic()
        if still != self._still:
            self._still, self._since = still, now
        return now - self._since > self.world.stall_after

    def _stall(self, frame: FrameType | None) -> Stall:
        running = self.world.running
        assert running is not None
        user, called = user_frame(self._frame(running, frame))
        line = "a library's code" if user is None else line_of(user)
        return Stall(
            f"thread {running.name} has stood still for {self.world.stall_after:g} s of real time "
            f"at {line}\n"
            f"It waits{f' in `{called}`' if called else ''} for something outside of virtual time: "
            "a real socket or pipe, a lock or queue made before the run, another process.\n"
            "Make the lock or queue inside the run, or use the real clock: clock=real(). "
            "If it only computes for long, in one call: virtual(stall_after=seconds)."
        )

    def _frame(self, actor: Actor, frame: FrameType | None) -> FrameType | None:
        main = self.world.main
        if frame is not None and actor is main:
            return frame
        return sys._current_frames().get(actor.ident)


def in_world(frame: FrameType | None) -> bool:
    """Whether the thread is about to wait or just back from it: there it sees the stop itself."""
    return frame is not None and frame.f_code.co_filename == World.park.__code__.co_filename
