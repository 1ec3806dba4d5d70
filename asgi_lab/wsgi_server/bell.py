"""A bell: rung from any thread or signal handler, heard by whoever waits with a selector."""

import socket


class Bell:
    """A pair of sockets that is only ever told that there is something to look at."""

    def __init__(self) -> None:
        self._inside, self._outside = socket.socketpair()
        self._inside.setblocking(False)
        self._outside.setblocking(False)

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self._inside.fileno()

    def ring(self) -> None:
        """Wake the one who waits, now or when he next does."""
        try:
            self._outside.send(b".")
        except OSError:
            pass  # full: it is ringing already; or closed: nobody waits any more

    def hush(self) -> None:
        """Stop ringing."""
        try:
            self._inside.recv(4096)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Give both descriptors back."""
        self._inside.close()
        self._outside.close()
