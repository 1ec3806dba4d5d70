"""The server as a child process: started, listened to, and stopped politely, then firmly."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from asgi_lab.adapters.output import ShortTracebacks

PATIENCE = 10.0
"""Seconds that a server may take to finish its open requests."""

LONG = 1.5
"""Seconds after which a person wonders what is being waited for."""


class PortError(Exception):
    """The address cannot be listened on; the message is for the user."""


def free_port(host: str, port: int) -> int:
    """Return `port`, or a free one for 0, having seen that it can be bound. Raises `PortError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return int(probe.getsockname()[1])
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.args[-1]
            hint = "; choose another with --port, or --port 0 for a free one"
            hint = hint if error.errno in (errno.EADDRINUSE, errno.EACCES) else ""
            raise PortError(f"cannot listen on {host}:{port}: {reason}{hint}") from None


def reachable(host: str) -> str:
    """Return where to reach a server that listens on `host`, which may mean every interface."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def answers(host: str, port: int) -> bool:
    """Return whether somebody accepts connections there."""
    try:
        socket.create_connection((reachable(host), port), timeout=1.0).close()
    except OSError:
        return False
    return True


class ServerProcess:
    """A server running as a child process; `on_line` gets each line it or the app prints."""

    def __init__(
        self, argv: list[str], environ: Mapping[str, str], on_line: Callable[[str], None]
    ) -> None:
        self._output = ShortTracebacks(on_line)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "asgi_lab.adapters.launch", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environ},
            process_group=0,  # Ctrl-C reaches the command alone, which stops the server once
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.poll()

    def ends_within(self, seconds: float) -> bool:
        """Return whether it has ended, or does so within some seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.exit_code is not None

    def stop(self, patience: float = PATIENCE, on_wait: Callable[[], object] = int) -> None:
        """Ask it to finish, then to hurry, then kill it and its workers; `patience` in seconds.

        A KeyboardInterrupt meanwhile skips to the next step. `on_wait` is called if it takes long.
        """
        for number, wait in (
            (signal.SIGTERM, patience),
            (signal.SIGINT, 2.0),
            (signal.SIGKILL, 2.0),
        ):
            if self.exit_code is not None:
                break
            with suppress(KeyboardInterrupt, ProcessLookupError):
                if number == signal.SIGKILL:
                    os.killpg(self._process.pid, number)
                else:
                    self._process.send_signal(number)
                if wait > LONG and not self.ends_within(LONG):
                    on_wait()
                    wait -= LONG
                self.ends_within(wait)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # workers left behind
        self._reader.join(2.0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._output.line(line.decode("utf-8", "replace").rstrip("\r\n"))
        self._output.end()
