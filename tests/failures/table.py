"""What a row of the table is, and which line of a function is marked."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

FAILURES: list["Failure"] = []
"""In virtual time."""

ON_SERVERS: list["Failure"] = []
"""On real servers."""


@dataclass(frozen=True)
class Failure:
    """An app that fails, clients that make it fail, and what is to be said of it."""

    make: Callable[[], Any]
    id: str
    met: str
    """Where people asked about it."""
    request: str
    clients: tuple[Any, ...]
    layer: str = ""
    severity: str = "warning"
    says: tuple[str, ...] = ()
    """What the sentence must have in it."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.make.__name__

    @property
    def line(self) -> int | None:
        """The line that is marked, if one is."""
        lines, first = inspect.getsourcelines(self.make)
        marked = [first + n for n, line in enumerate(lines) if "# <- here" in line]
        return marked[0] if marked else None


def failure(id: str, met: str, request: str, *clients: Any, **more: Any) -> Any:
    """Enter a function that makes an app in the table."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        FAILURES.append(Failure(make, id, met, request, clients, **more))
        return make

    return enter


def on(servers: str, id: str, met: str, request: str, *clients: Any, **more: Any) -> Any:
    """Enter a function that makes an app in the table, once for each of these real servers."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        for server in servers.split():
            settings = {"server": server, "timeout": 1.3}
            ON_SERVERS.append(Failure(make, id, met, request, clients, settings=settings, **more))
        return make

    return enter
