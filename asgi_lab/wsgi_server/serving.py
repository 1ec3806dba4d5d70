"""`serve(app)`: a WSGI server in one call, on one worker, on threads, or on processes."""

import logging
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from asgi_lab.types import WSGIApp
from asgi_lab.wsgi_server import prefork
from asgi_lab.wsgi_server.limits import DEFAULT, Limits
from asgi_lab.wsgi_server.worker import work

log = logging.getLogger(__name__)

BACKLOG = 1024
"""Clients that the system keeps in line for us; the next one has to try again."""


def serve(
    app: WSGIApp,
    host: str = "127.0.0.1",
    port: int = 0,
    workers: int = 1,
    threads: int = 1,
    *,
    ready: Callable[[int], object] | None = None,
    stop: threading.Event | None = None,
    limits: Limits = DEFAULT,
) -> None:
    """Serve a WSGI app until SIGINT or SIGTERM, or until `stop` is set.

    One worker with one thread is the sync model, more threads are a pool, and more workers are
    processes of so many threads each. Port 0 is a free one; `ready` is called with it. Requests
    in flight are finished, within `limits.grace` seconds. Raises OSError if the address is taken.
    """
    serve_loaded(lambda: app, host, port, workers, threads, ready=ready, stop=stop, limits=limits)


def serve_loaded(
    load: Callable[[], WSGIApp],
    host: str,
    port: int,
    workers: int,
    threads: int,
    *,
    ready: Callable[[int], object] | None = None,
    stop: threading.Event | None = None,
    limits: Limits = DEFAULT,
) -> None:
    """Do the same with an app that each process loads for itself, once it is forked.

    What an app opens while it loads (connections, threads) does not survive a fork.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as listener:
        address = listener.getsockname()

        def announce() -> None:
            log.info("serving at http://%s:%d", f"[{host}]" if ":" in host else host, address[1])
            if ready is not None:
                ready(address[1])

        if workers == 1:
            work(listener, load, threads, announce, stop=stop, limits=limits)
        else:
            prefork.serve_loaded(
                listener, load, workers, threads, ready=announce, stop=stop, limits=limits
            )
    log.info("stopped")


@contextmanager
def running(app: WSGIApp, **options: Any) -> Iterator[str]:
    """While inside, serve the app from a background thread; the value is its URL.

    Takes the options of `serve`. Raises what `serve` raises.

    >>> from wsgiref.simple_server import demo_app
    >>> with running(demo_app, threads=4) as url:
    ...     url.startswith("http://127.0.0.1:")
    True
    """
    stop = threading.Event()
    news: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            serve(app, ready=news.put, stop=stop, **options)
        except BaseException as error:
            failed.append(error)
        news.put(None)

    server = threading.Thread(target=run, name="server", daemon=True)
    server.start()
    port = news.get()
    try:
        if port is not None:
            host = options.get("host", "127.0.0.1")
            yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        stop.set()
        server.join()
    if failed:
        raise failed[0]
