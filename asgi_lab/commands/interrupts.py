"""Ending early: Ctrl-C, SIGTERM and a closed terminal all unwind the command in the same way."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """What has interrupted the command; `code` is the exit code by which shells know it."""

    code = 128 + signal.SIGINT

    def take(self, number: int, frame: FrameType | None) -> None:
        """Take a signal as if it were Ctrl-C, by whatever handles that now: asyncio, perhaps."""
        self.code = 128 + number
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Within this block SIGTERM and SIGHUP raise `KeyboardInterrupt`, as Ctrl-C does."""
    interrupts = Interrupts()
    signals = [signal.SIGTERM, signal.SIGHUP]
    before = [signal.signal(number, interrupts.take) for number in signals]
    try:
        yield interrupts
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def interrupt() -> None:
    """Interrupt the main thread, from any thread."""
    signal.raise_signal(signal.SIGTERM)
