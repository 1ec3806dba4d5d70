"""What a session records, handed to whoever watches it."""

from asgi_lab.adapters.collector import Collector
from asgi_lab.adapters.order import Watcher
from asgi_lab.events import decode_all
from asgi_lab.recorder import Record


class Feed:
    """A follower (see `asgi_lab.ticker`) of a collector's recorder that feeds a watcher."""

    def __init__(self, collector: Collector, watcher: Watcher) -> None:
        self._collector = collector
        self._watcher = watcher
        self._next = self._missed = 0

    def write(self, first: int, records: list[Record]) -> None:
        """Hand over the events of these records."""
        self._missed += first - self._next
        self._next = first + len(records)
        origin = self._collector.recorder.origin
        events = decode_all(records, first, origin, layers=self._watcher.layers)
        self._watcher.feed(events, self._collector.lost + self._missed)

    def close(self) -> None:
        """Nothing to close."""
