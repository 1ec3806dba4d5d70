"""An exchange: one request and the answer to it, whatever carries them.

The gateway speaks to this and to nothing else, so that an app can be run over a socket (`http`) or
in memory, in real or in virtual time, by the same code.
"""

from collections.abc import Callable
from typing import Protocol

from asgi_lab.types import Environ

Headers = list[tuple[str, str]]


class ClientError(ConnectionError):
    """The client left, or broke HTTP: no fault of the app."""


class Exchange(Protocol):
    """One request, and the way back to its client.

    The gateway calls `head` once, then `chunk` any number of times, then `end`. When one of them
    raises, or the app fails, `end` follows with the error.
    """

    environ: Environ

    def head(self, status: str, headers: Headers) -> None:
        """Take the status line, such as `200 OK`, and the headers; they may wait for a chunk."""

    def chunk(self, data: bytes) -> None:
        """Pass some of the body on. It returns when the client, or a buffer on the way, has it.

        That is backpressure: a slow client holds the worker here. An empty chunk sends the head.
        Raises ConnectionError when the client has left.
        """

    def end(self, error: BaseException | None = None) -> None:
        """Finish the answer; raises ConnectionError as `chunk` does.

        With an error, cut the answer off so that it cannot look whole; this raises nothing.
        """


Accept = Callable[[], Exchange | None]
"""Waits for the next exchange. None means that no more will come, now or when called again."""
