"""Serving anew whenever the code changes: for the desk, not for production.

A supervisor runs the server as a process of its own, and replaces it. It holds the listening socket
meanwhile, so who connects between two servers waits a moment instead of being turned away. It does
not import the app: whatever is wrong with that, the supervisor lives, and waits for a change.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

logger = logging.getLogger("asgi_lab.server")

BACKLOG = 100
"""Clients that may wait for the next server; as many as asyncio lets wait by itself."""

PAUSE = 0.25
"""Seconds between two looks at the files."""

NOT_OURS = ("site-packages", "node_modules", "__pycache__")
"""Folders that hold no code of the user's; nor do hidden ones."""

HASTE = 1.0
"""Seconds that open requests may take, if nobody says otherwise, before the new code serves."""


def serve_anew(
    arguments: Sequence[str],
    folders: Sequence[str],
    *,
    host: str,
    port: int,
    uds: str | None,
    shutdown_seconds: float | None,
    **_: Any,
) -> None:
    """Serve with `python ARGUMENT ...`, anew after each change in these folders, until a signal.

    Raises OSError for a busy address, ValueError for what cannot be done.
    """
    if uds is not None:
        raise ValueError("--reload goes with a port, not with --uds")
    for folder in folders:
        if not os.path.isdir(folder):
            raise ValueError(f"no such folder: {folder}")
    # Requests, the app's shutdown, and what the server itself needs.
    patience = 2 * (HASTE if shutdown_seconds is None else shutdown_seconds) + 5
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as listener:
        Supervisor(arguments, listener, patience).run(folders)


class Supervisor:
    """Runs `python ARGUMENT ... --fd N`, which is to serve on the socket with that number.

    `patience` is how many seconds a server may take to end. Needs POSIX.
    """

    def __init__(self, arguments: Sequence[str], listener: socket.socket, patience: float) -> None:
        self._fd = listener.fileno()
        self._command = [sys.executable, "-P", *arguments, "--fd", str(self._fd)]
        self._patience = patience
        self._ended = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None

    def run(self, folders: Sequence[str]) -> None:
        """Serve, and anew after each change of Python code in these folders, until a signal."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._ended.set())
        watched = changes(folders, self._ended)
        next(watched, None)  # from now on, no change is missed
        self._start()
        try:
            for changed in watched:
                if changed:
                    logger.warning("%s changed: serving anew", ", ".join(changed))
                    self._stop()
                    self._start()
                elif self._server is not None and self._server.poll() is not None:
                    self._server = None
                    logger.warning("the server has ended: waiting for the next change")
        finally:
            self._stop()

    def _start(self) -> None:
        if not self._ended.is_set():
            self._server = subprocess.Popen(self._command, pass_fds=[self._fd])

    def _stop(self) -> None:
        if self._server is None:
            return
        self._server.terminate()
        try:
            self._server.wait(self._patience)
        except subprocess.TimeoutExpired:  # its loop is held, and has not heard the signal
            logger.warning("the server did not end within %g s: killed", self._patience)
            self._server.kill()
            self._server.wait()


def changes(folders: Sequence[str], ended: threading.Event) -> Iterator[list[str]]:
    """Yield the names of changed files, again and again until `ended`; mostly there are none.

    From the first (empty) list on, no change is missed. watchfiles is asked, if it is installed;
    otherwise we look for ourselves.
    """
    watched = _told_changes if find_spec("watchfiles") else _seen_changes
    for changed in watched(folders, ended):
        if ended.is_set():
            return
        yield sorted(os.path.relpath(path) for path in changed)


def _told_changes(folders: Sequence[str], ended: threading.Event) -> Iterator[Iterable[str]]:
    from watchfiles import PythonFilter, watch

    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # we say ourselves what has changed
    for found in watch(
        *folders,
        watch_filter=PythonFilter(),
        stop_event=ended,
        rust_timeout=round(PAUSE * 1000),
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        yield {path for _, path in found}


def _seen_changes(folders: Sequence[str], ended: threading.Event) -> Iterator[Iterable[str]]:
    before = modified(folders)
    while True:
        now = modified(folders)
        yield {path for path, _ in before.items() ^ now.items()}
        before = now
        ended.wait(PAUSE)


def modified(folders: Iterable[str]) -> dict[str, int]:
    """Return when each Python file in these folders was changed, in ns."""
    found = {}
    for folder in folders:
        for place, below, names in os.walk(folder):
            below[:] = [name for name in below if name[0] != "." and name not in NOT_OURS]
            for name in names:
                if name.endswith(".py"):
                    path = os.path.join(place, name)
                    try:
                        found[path] = os.stat(path).st_mtime_ns
                    except FileNotFoundError:
                        pass  # gone, between two looks
    return found
