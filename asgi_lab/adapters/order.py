"""What a session is asked for, who watches it, and how it says that it cannot be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from asgi_lab.adapters.servers import Options
from asgi_lab.events import Event
from asgi_lab.recorder import LIMIT


class SessionError(Exception):
    """The app cannot be served; the message is for the user. `code` is the exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How to trace (see `asgi_lab.trace`), and a file for it."""

    layers: bool = True
    rules: bool = True
    watchdog: float | None = 0.1
    """Seconds for which the event loop may be held unwatched."""
    redact: bool = True
    max_events: int = LIMIT
    record: Path | None = None

    @property
    def elsewhere(self) -> dict[str, Any]:
        """What the traced process has to know of it, as JSON holds it."""
        return {
            "layers": self.layers,
            "rules": self.rules,
            "watchdog": self.watchdog,
            "redact": self.redact,
            "max_events": self.max_events,
        }


@dataclass(frozen=True, slots=True)
class Order(Wishes):
    """What to serve and trace, and how."""

    target: str
    app_dir: str = "."
    factory: bool = False
    server: str | None = None
    options: Options = field(default_factory=Options)


class Watcher(Protocol):
    """Whoever watches a session live. Both are called from other threads."""

    @property
    def layers(self) -> bool:
        """Whether it is to be fed the events of inner layers, too."""

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events, and how many have been missed in all: lost, or read too late."""

    def log(self, line: str) -> None:
        """Take a line that the server or the app printed."""
