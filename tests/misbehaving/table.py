"""What a table's rows are, and how one is run: in memory, by a server that keeps the rules."""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from asgi_lab import Event, trace
from asgi_lab.spec.machine import SEND
from asgi_lab.spec.step import TYPES
from tests.driver import CONNECT, Server, http, lifespan, request, websocket


@dataclass(frozen=True)
class Case:
    """A function under test, the rules that it breaks, and how it is called."""

    make: Callable[..., Any]
    rules: tuple[str, ...]
    scope: dict[str, Any]
    incoming: list[Any]
    layer: int = 0
    side: str = "app"
    who: str = ""
    refuse: dict[int, BaseException] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.make.__name__

    def marked(self) -> dict[str, int]:
        """Of each rule, the line that is marked with it."""
        lines, first = inspect.getsourcelines(self.make)
        marks = [(line.partition("# <- ")[2].strip(), first + n) for n, line in enumerate(lines)]
        return {rule: line for rule, line in marks if rule}


class Proper(Server):
    """A server that raises at what is no message of the protocol."""

    async def call(self, app: Any, scope: Any) -> Any:
        self.known = TYPES.get((scope["type"], SEND), {})
        return await super().call(app, scope)

    async def send(self, message: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        if not isinstance(kind, str) or kind not in self.known:
            raise ValueError("no message of ASGI")
        await super().send(message)


def findings(traced: Any) -> list[Event]:
    """The findings of a traced app; of what is counted at the end, only the first."""
    return [e for e in traced.trace if e.kind == "finding" and "count" not in e.data]


def called(app: Any, case: Case, **options: Any) -> list[Event]:
    """Call an app once, let all that it has begun end, and return what was found."""
    traced = trace(app, **options)

    async def main() -> None:
        scope = {**case.scope, "state": {}} if "state" in case.scope else dict(case.scope)
        await Proper(case.incoming, refuse=case.refuse).call(traced, scope)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run(main())
    return findings(traced)


def row(table: list[Case], default: dict[str, Any], first: list[Any], *rules: str, **more: Any):
    """Return a decorator that enters a function in a table."""

    def enter(make: Any) -> Any:
        given = {"scope": default, "incoming": first, **more}
        table.append(Case(make, rules, **given))
        return make

    return enter


HTTP, REQUEST = http(), [request()]
SOCKET, STARTED = websocket(), [CONNECT]
LIFESPAN = lifespan()
