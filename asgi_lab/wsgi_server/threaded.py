"""A pool of n threads: n requests at a time, and the rest waits in line.

Each thread is a sync worker. They share one door, and one of them at a time stands at it: a worker
that is busy is not there, so nobody is let in before a worker is free to serve him. Whoever is
still in line may be served by another process.
"""

import logging
import threading

from asgi_lab.types import WSGIApp
from asgi_lab.wsgi_server import sync
from asgi_lab.wsgi_server.exchange import Accept, Exchange

log = logging.getLogger(__name__)


class NoWorkerLeft(RuntimeError):
    """Every worker has died; the cause is what the last one died of."""


def serve(accept: Accept, app: WSGIApp, threads: int = 4) -> None:
    """Answer what `accept` gives on so many threads, until it gives None to each.

    `accept` is called by one thread at a time. A worker dies of what is no `Exception`, such as
    SystemExit; that is logged, and the others go on. Raises `NoWorkerLeft`.
    """
    door = threading.Lock()
    died: list[BaseException] = []

    def take_turns() -> Exchange | None:
        with door:
            return accept()

    def work() -> None:
        try:
            sync.serve(take_turns, app)
        except BaseException as error:
            died.append(error)
            name = threading.current_thread().name
            log.critical("%s died of %s; %d left", name, repr(error), threads - len(died))

    # As daemons, so that a worker that never returns cannot keep the process from ending.
    workers = [
        threading.Thread(target=work, name=f"worker-{number}", daemon=True)
        for number in range(1, threads + 1)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if len(died) == threads:
        raise NoWorkerLeft(f"all {threads} workers have died") from died[-1]
