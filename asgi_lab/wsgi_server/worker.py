"""A process's share of the work: one door, and one thread or several behind it."""

import logging
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack

from asgi_lab.types import WSGIApp
from asgi_lab.wsgi_server import sync, threaded
from asgi_lab.wsgi_server.door import Door
from asgi_lab.wsgi_server.limits import DEFAULT, Limits
from asgi_lab.wsgi_server.stopping import SIGNALS, on_stop

log = logging.getLogger(__name__)


def work(
    listener: socket.socket,
    load: Callable[[], WSGIApp],
    threads: int,
    ready: Callable[[], object],
    *,
    stop: threading.Event | None = None,
    lifeline: socket.socket | None = None,
    limits: Limits = DEFAULT,
) -> None:
    """Load the app and serve the clients of `listener` until told to stop.

    With a `lifeline`, this is one process of several (see `prefork`).
    """
    app = load()
    door = Door(
        listener,
        multithread=threads > 1,
        multiprocess=lifeline is not None,
        limits=limits,
        lifeline=lifeline,
    )
    overtime = threading.Timer(limits.grace, end_overtime, (door, threading.current_thread()))
    overtime.daemon = True

    def begin_to_stop() -> None:
        if not door.closing:
            overtime.start()
        door.close()

    # Ctrl-C goes to all processes; it is the supervisor's to pass on.
    signals = SIGNALS if lifeline is None else (signal.SIGTERM,)
    with ExitStack() as at_last:  # the last one first
        at_last.callback(door.dispose)
        at_last.enter_context(on_stop(begin_to_stop, stop, signals))
        at_last.callback(overtime.cancel)
        ready()
        if threads == 1:
            sync.serve(door.accept, app)
        else:
            threaded.serve(door.accept, app, threads)


def end_overtime(door: Door, server: threading.Thread) -> None:
    """Cut off the requests that are not finished, and interrupt the app if that is possible."""
    seconds, number = door.limits.grace, len(door.inside)
    log.warning("time is up after %g s; requests cut off: %d", seconds, number)
    door.cut_off()
    if server is threading.main_thread() and server.ident is not None:
        signal.pthread_kill(server.ident, signal.SIGTERM)  # the second one, see `on_stop`
