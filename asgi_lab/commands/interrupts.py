"""Ending early: Ctrl-C, SIGTERM and a closed terminal all unwind the command in the same way."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end; `code` is the exit code by which shells know it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Within this block SIGTERM and SIGHUP raise `Interrupted`, as Ctrl-C does."""
    signals = [signal.SIGTERM, signal.SIGHUP]
    before = [signal.signal(number, _interrupt) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def interrupt() -> None:
    """Interrupt the main thread, from any thread."""
    signal.raise_signal(signal.SIGTERM)


def _interrupt(number: int, _: Any) -> NoReturn:
    raise Interrupted(number)
