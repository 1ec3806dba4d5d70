"""How many frames a client may send that ask for nothing (RFC 9113, section 10.5).

A request costs the client something: it wants the answer. A ping, a setting, an empty frame, or a
request that is taken back at once costs it a few bytes, and the server an answer or a task. So
there is an allowance of these; a part of it comes back in time, and who needs more must go.
"""

from collections.abc import Callable

from asgi_lab.server.http2_frames import Code, Frame, Kind, WrongFrame

REFILL = 0.1
"""The part of the whole that comes back in a second."""


class Allowance:
    """So many frames at once; the clock is in seconds."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = self._left = float(most)
        self._clock, self._looked = clock, clock()

    def take(self, frame: Frame) -> None:
        """Count a frame. Raises `WrongFrame` if there were too many."""
        if asks_nothing(frame):
            self.spend()
        if self._left < 0:
            self._refill()
        if self._left < 0:
            raise WrongFrame(Code.ENHANCE_YOUR_CALM, "too many frames that ask for nothing (10.5)")

    def spend(self) -> None:
        """Count one more thing that was done for nothing."""
        self._left -= 1

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._looked) * self._most * REFILL)
        self._looked = now


def asks_nothing(frame: Frame) -> bool:
    """Return whether a frame brings neither a request, nor data, nor room for data."""
    if frame.kind == Kind.DATA:
        return not frame.data and not frame.ends
    return frame.kind not in (Kind.HEADERS, Kind.CONTINUATION, Kind.WINDOW_UPDATE)
