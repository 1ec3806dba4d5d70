"""What a server allows a client to cost: bytes and seconds.

A server without limits can be stopped by one slow or boundless client. Each limit here answers one
way of doing that; None switches it off.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of every connection."""

    head: int = 65_536
    """Bytes of request line and headers; more is answered 414 or 431."""
    body: int | None = None
    """Bytes of a request's body; more is answered 413."""
    message: int = 16 * 1024 * 1024
    """Bytes of a WebSocket message; more is answered with close code 1009."""
    unread: int = 65_536
    """Bytes that the app has not taken, above which reading pauses (the high water mark)."""
    unsent: int = 65_536
    """Bytes that the client has not taken, above which `send` waits."""

    head_seconds: float | None = 30.0
    """From a connection's opening, or a request's first byte, to the end of its head."""
    body_seconds: float | None = 30.0
    """Until the next bytes of a body that is being waited for."""
    body_rate: int = 500
    """Bytes that buy a body one more second: a byte now and then keeps no connection open."""
    send_seconds: float | None = 60.0
    """For a client to take anything at all of what is sent."""
    idle_seconds: float | None = 5.0
    """Between two requests of a connection that is kept alive."""
    linger_seconds: float = 2.0
    """For a client to read the answer before its unread bytes reset the connection."""
    close_seconds: float = 5.0
    """For the answer to a WebSocket close frame."""
    ping_seconds: float | None = 20.0
    """Between two pings of a WebSocket; the next is due only if the last was answered."""

    streams: int = 100
    """Requests at once on a connection of HTTP/2; one more is refused, and may come again."""
    idle_frames: int = 1_000
    """Frames of HTTP/2 that ask for nothing: so many at once, and a tenth of it each second."""

    def patience(self, left: float | None, size: int, elapsed: float) -> float | None:
        """Return for how many seconds more of a body is waited for; None is for ever.

        There were `left` of them, `elapsed` have gone by, and `size` bytes have come.
        """
        if left is None or self.body_seconds is None:
            return left
        return min(left + size / self.body_rate - elapsed, self.body_seconds)
