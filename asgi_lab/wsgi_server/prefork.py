"""n processes that share one listening socket, and a supervisor that keeps them alive.

The socket is opened before the fork, so each process has it, and the system gives each client to
one that asks. Nothing else is shared: a global counter counts once per process.

Supervisor and worker hold on to the two ends of a *lifeline*, a pair of sockets. A process that
dies, however that came about, drops its end, and the other one learns of it: nobody polls, and no
worker outlives its supervisor. Besides, the worker says on it once that it is ready, and the
supervisor closes its half to say: finish what you have, and go.
"""

import atexit
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from asgi_lab.types import WSGIApp
from asgi_lab.wsgi_server.bell import Bell
from asgi_lab.wsgi_server.limits import DEFAULT, Limits
from asgi_lab.wsgi_server.stopping import SIGNALS, on_stop
from asgi_lab.wsgi_server.worker import work

log = logging.getLogger(__name__)


class CannotStart(RuntimeError):
    """A worker ended before it could serve; starting it again would not help."""


@dataclass(eq=False, slots=True)
class Worker:
    """A process, as its supervisor sees it."""

    number: int
    pid: int
    lifeline: socket.socket
    ready: bool = False

    def __str__(self) -> str:
        return f"worker {self.number} (pid {self.pid})"


def serve(
    listener: socket.socket,
    app: WSGIApp,
    workers: int = 2,
    threads: int = 1,
    *,
    ready: Callable[[], object] | None = None,
    stop: threading.Event | None = None,
    limits: Limits = DEFAULT,
) -> None:
    """Serve the clients of `listener` on so many processes, until SIGINT, SIGTERM or `stop`.

    `ready` is called when all can serve. Raises `CannotStart`.
    """
    serve_loaded(listener, lambda: app, workers, threads, ready=ready, stop=stop, limits=limits)


def serve_loaded(
    listener: socket.socket,
    load: Callable[[], WSGIApp],
    workers: int,
    threads: int,
    *,
    ready: Callable[[], object] | None = None,
    stop: threading.Event | None = None,
    limits: Limits = DEFAULT,
) -> None:
    """Do the same with an app that each process loads for itself."""

    def life(lifeline: socket.socket) -> None:
        def say_ready() -> None:
            lifeline.send(b"+")

        work(listener, load, threads, say_ready, lifeline=lifeline, limits=limits)

    supervisor = Supervisor(life, workers, ready or (lambda: None), limits.grace)
    with on_stop(supervisor.stop, stop):
        supervisor.run()


class Supervisor:
    """Keeps so many processes running, each of which lives `life(lifeline)`."""

    def __init__(
        self,
        life: Callable[[socket.socket], None],
        workers: int,
        on_ready: Callable[[], object],
        grace: float,
    ) -> None:
        self._life = life
        self._wanted = workers
        self._on_ready: Callable[[], object] | None = on_ready
        self._grace = grace
        self._workers: list[Worker] = []
        self._stopping = False
        self._bell = Bell()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, selectors.EVENT_READ, self._bell.hush)

    def stop(self) -> None:
        """Have `run` end. Safe in a signal handler."""
        self._stopping = True
        self._bell.ring()

    def run(self) -> None:
        """Start the workers, replace those that die, and see them all end."""
        try:
            for number in range(1, self._wanted + 1):
                self._start(number)
            while not self._stopping:
                self._attend(None)
            self._let_go()
        finally:
            for worker in list(self._workers):
                log.warning("%s has not ended: it is killed", worker)
                os.kill(worker.pid, signal.SIGKILL)
                self._bury(worker)
            self._selector.close()
            self._bell.close()

    def _attend(self, seconds: float | None) -> None:
        for key, _ in self._selector.select(seconds):
            key.data()

    def _let_go(self) -> None:
        """Ask all to finish, and wait as long as they may take."""
        log.info("stopping: %d workers finish what they have", len(self._workers))
        for worker in self._workers:
            with suppress(OSError):  # it has died, and will be heard of
                worker.lifeline.shutdown(socket.SHUT_WR)
        until = time.monotonic() + self._grace
        while self._workers and (left := until - time.monotonic()) > 0:
            self._attend(left)

    def _start(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or both processes would print what is in there
        # A signal between the fork and the child's own handlers would be taken for ours.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = fork()
            if pid == 0:
                ours.close()
                self._live(theirs)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        theirs.close()
        worker = Worker(number, pid, ours)
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(worker))

    def _live(self, lifeline: socket.socket) -> NoReturn:
        """Be a worker, in the child. Nothing of the parent's goes on here, nor at the end."""
        status = 1
        try:
            atexit._clear()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # see `work`
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._selector.close()
            self._bell.close()
            for sibling in self._workers:
                sibling.lifeline.close()
            self._life(lifeline)
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            try:
                atexit._run_exitfuncs()
                for stream in (sys.stdout, sys.stderr):
                    stream.flush()
            finally:
                os._exit(status)

    def _hear(self, worker: Worker) -> None:
        """Take what comes on a worker's lifeline: that it is ready, or that it has ended."""
        try:
            said = worker.lifeline.recv(1)
        except ConnectionResetError:
            said = b""
        if not said:
            self._replace(worker)
            return
        worker.ready = True
        log.info("%s is ready", worker)
        if self._on_ready is not None and all(worker.ready for worker in self._workers):
            self._on_ready()
            self._on_ready = None

    def _replace(self, worker: Worker) -> None:
        how = self._bury(worker)
        if self._stopping:
            log.info("%s has ended: %s", worker, how)
        elif not worker.ready:
            raise CannotStart(f"{worker} ended before it could serve: {how}")
        else:
            log.warning("%s has died: %s; another one takes its place", worker, how)
            self._start(worker.number)

    def _bury(self, worker: Worker) -> str:
        """Take a dead worker off the list, and off the system's; return how it ended."""
        self._selector.unregister(worker.lifeline)
        worker.lifeline.close()
        self._workers.remove(worker)
        _, status = os.waitpid(worker.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def fork() -> int:
    """Fork, without Python 3.12's warning about other threads: the child uses none of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
