"""How a server is told to stop: by a signal, or by an event that another thread sets."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_stop(
    stop: Callable[[], object],
    event: threading.Event | None = None,
    signals: Iterable[signal.Signals] = SIGNALS,
) -> Iterator[None]:
    """While inside, SIGINT or SIGTERM calls `stop`, and so does `event`, when set.

    A signal after that means it: KeyboardInterrupt or SystemExit. On any thread but the main one,
    which alone gets signals, the event is all there is.
    """
    told = False

    def tell() -> None:
        nonlocal told
        told = True
        stop()

    def handle(number: int, _: FrameType | None) -> None:
        if told:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        tell()

    def watch(event: threading.Event) -> None:
        event.wait()
        tell()

    on_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handle) for number in signals} if on_main else {}
    if event is not None:
        threading.Thread(target=watch, args=(event,), name="stop", daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
