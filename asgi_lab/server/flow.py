"""Flow: who waits for whom when one side is faster than the other.

Bytes arrive whether or not the app wants them, and are sent whether or not the client takes them.
Both are held in check by water marks. Above the high mark the faster side is paused, below the low
mark it goes on; between them nothing changes, so that it does not pause at every byte.

    client ── socket ──▶ Inflow ──▶ receive()      too much unread: stop reading from the socket,
                                                   its window fills, and the client has to wait
    client ◀── socket ◀── Outflow ◀── send()       too much unsent: `send` waits
"""

import asyncio
from collections.abc import Callable


class ClientDisconnected(OSError):
    """The client has gone: what `send` raises then (ASGI, "Disconnected Client")."""

    def __init__(self, words: str = "the client has disconnected") -> None:
        super().__init__(words)


class Inflow:
    """Counts the bytes that have come and were not yet taken; pauses and resumes reading."""

    def __init__(self, high: int, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.high, self.low = high, high // 4
        self.paused = False
        self._pause, self._resume = pause, resume

    def holds(self, waiting: int) -> None:
        """Note how many bytes wait for the app now."""
        if not self.paused and waiting > self.high:
            self.paused = True
            self._pause()
        elif self.paused and waiting <= self.low:
            self.paused = False
            self._resume()


class Outflow:
    """Where `send` waits while the transport, which counts by itself, holds too much."""

    def __init__(self) -> None:
        self._writable = asyncio.Event()
        self._writable.set()
        self.closed = False

    @property
    def paused(self) -> bool:
        """Whether a `send` would wait."""
        return not self._writable.is_set()

    def pause(self) -> None:
        """Let every `send` wait."""
        if not self.closed:
            self._writable.clear()

    def resume(self) -> None:
        """Let them go on."""
        self._writable.set()

    def close(self) -> None:
        """End every wait: the connection is gone."""
        self.closed = True
        self._writable.set()

    async def ready(self) -> None:
        """Wait until more may be written. Raises `ClientDisconnected`."""
        await self._writable.wait()
        if self.closed:
            raise ClientDisconnected


class Timer:
    """One patience at a time: calls `expired(what)` unless it is stopped or started anew."""

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[str], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._handle: asyncio.TimerHandle | None = None
        self._what = ""
        self._started = 0.0

    def start(self, what: str, seconds: float | None) -> None:
        """Wait so many seconds for `what`, and no longer for anything else."""
        self.stop()
        if seconds is not None:
            self._what, self._started = what, self._loop.time()
            self._handle = self._loop.call_later(max(0.0, seconds), self._ring)

    def stop(self) -> None:
        """Wait for nothing."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    @property
    def running(self) -> bool:
        """Whether it waits for anything."""
        return self._handle is not None

    @property
    def elapsed(self) -> float:
        """Seconds since it was started, or 0 while it waits for nothing."""
        return 0.0 if self._handle is None else self._loop.time() - self._started

    def _ring(self) -> None:
        self._handle = None
        self._expired(self._what)
