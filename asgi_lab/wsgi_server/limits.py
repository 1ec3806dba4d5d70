"""How long a server waits, and how much it takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps one client, or one app, from holding a server for ever."""

    keep_alive: float = 5.0
    """Seconds that a client may take to send the head of its first or next request."""

    patience: float = 30.0
    """Seconds without a byte from, or to, a client that is being served."""

    grace: float = 8.0
    """Seconds to finish the requests in flight, once told to stop."""

    head: int = 64 << 10
    """Bytes of a request's head; more is answered 431."""

    body: int = 64 << 20
    """Bytes of a request's body; more is answered 413."""


DEFAULT = Limits()
