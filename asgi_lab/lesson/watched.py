"""An app on a learner's server, watched: what it is told, and whether ASGI's rules are kept.

with served(serve, app) as (server, watched), Caller(server) as caller:
    caller.say(GET)
    watched.waits_for("http.disconnect")
"""

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from asgi_lab.lesson.caller import PATIENCE, Caller
from asgi_lab.lesson.checking import OPEN
from asgi_lab.lesson.failed import Failed, never
from asgi_lab.lesson.own_server import OwnServer, Serve
from asgi_lab.spec.case import Finding
from asgi_lab.spec.rules import NOTE, rules
from asgi_lab.spec.step import opened, step
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send


class AppFailed(Exception):
    """What an app raises that is to raise something."""


class Watched:
    """An app, and what it has met: its calls, what it received, and which rules were broken."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.calls = 0
        self.received: list[Message] = []
        self.failure: Failed | None = None
        self._news = threading.Condition()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app, and look at what it is given."""
        self.calls += 1
        case, found = opened(scope)
        self._judge(found)

        async def heard() -> Message:
            nonlocal case
            message = await receive()
            case, found = step(case, "receive", message)
            self._judge(found)
            with self._news:
                self.received.append(message)
                self._news.notify_all()
            return message

        async def said(message: Message) -> None:
            nonlocal case
            case, _ = step(case, "send", message)
            await send(message)

        await self.app(scope, heard, said)

    def has_received(self, type: str, within: float = PATIENCE) -> bool:
        """Wait until the app has received such a message; return False if it has not."""

        def there() -> bool:
            return any(message.get("type") == type for message in self.received)

        with self._news:
            self._news.wait_for(lambda: there() or self.failure is not None, within)
            return there()

    def _judge(self, found: tuple[Finding, ...]) -> None:
        for finding in found:
            rule = rules()[finding.rule]
            if rule.breaker == "server" and rule.weight != NOTE and self.failure is None:
                sentence = f"{rule.sentence.rstrip('.')} (rule {rule.id})"
                self.failure = never(sentence, f"your server: {finding.what}", rule.remedy)
        if self.failure is not None:
            with self._news:
                self._news.notify_all()
            raise self.failure


@contextmanager
def served(serve: Serve, app: ASGIApp) -> Iterator[tuple[OwnServer, Watched]]:
    """Serve an app, watched. Raises `Failed` for a broken rule."""
    watched = Watched(app)
    with OwnServer(serve, watched) as server:
        try:
            yield server, watched
        except Failed:
            if watched.failure is not None:
                raise watched.failure from None
            _unfinished(server)
            raise
        finally:
            for error in server.errors:  # their frames hold coroutines that nobody will await
                traceback.clear_frames(error.__traceback__)
        if watched.failure is not None:
            raise watched.failure


def _unfinished(server: OwnServer) -> None:
    """Raise what a stub raises, if it is one."""
    for error in server.errors:
        if isinstance(error, NotImplementedError) and OPEN in str(error):
            raise error


@contextmanager
def visited(serve: Serve, app: ASGIApp) -> Iterator[tuple[Caller, Watched]]:
    """Serve an app, watched, with a client connected to it."""
    with served(serve, app) as (server, watched), Caller(server) as caller:
        yield caller, watched
