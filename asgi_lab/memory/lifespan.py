"""Starting an app up and shutting it down: ASGI's lifespan sub-specification 2.0.

As Uvicorn does it by default: an app that raises instead of answering does not know of lifespan,
and is served without. One that says that it failed has failed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from asgi_lab.types import ASGIApp, Message

log = logging.getLogger("asgi_lab.memory")

GRACE = 1.0  # seconds that an app may take to return, having said that all is done
ANSWERS = {
    f"lifespan.{phase}.{outcome}": (phase, outcome)
    for phase in ("startup", "shutdown")
    for outcome in ("complete", "failed")
}


class LifespanFailed(Exception):
    """The app has said that its startup or shutdown (`phase`) failed, in its own `words`."""

    trace: Any = None
    """What was recorded until then, if it was."""

    def __init__(self, phase: str, words: str) -> None:
        self.phase = phase
        self.words = words
        super().__init__(f"the app's {phase} failed" + (f": {words}" if words else ""))


@asynccontextmanager
async def lifespan(app: ASGIApp) -> AsyncIterator[dict[str, Any]]:
    """Start the app up, give the state it leaves for requests, and shut it down at the end.

    Raises LifespanFailed: before the first request, or at the end if nothing else went wrong.
    """
    life = _Lifespan()
    task = asyncio.get_running_loop().create_task(life.run(app))
    try:
        await life.phase("startup")
        try:
            yield life.state
        except BaseException:
            with suppress(LifespanFailed):
                await life.phase("shutdown")
            raise
        await life.phase("shutdown")
    finally:
        await asyncio.wait({task}, timeout=GRACE)
        task.cancel()


class _Lifespan:
    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        self._answered = {"startup": asyncio.Event(), "shutdown": asyncio.Event()}
        self._words: dict[str, str] = {}
        """What the app says of the phases that failed."""

    async def phase(self, name: str) -> None:
        """Ask for a phase and wait for the answer; there is none if the app has ended."""
        self._asked.put_nowait({"type": f"lifespan.{name}"})
        await self._answered[name].wait()
        if name in self._words:
            raise LifespanFailed(name, self._words[name])

    async def run(self, app: ASGIApp) -> None:
        asgi = {"version": "3.0", "spec_version": "2.0"}
        try:
            await app(
                {"type": "lifespan", "asgi": asgi, "state": self.state}, self.receive, self.send
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if not self._words:
                log.info("the app does not support lifespan: %r", error)
        finally:
            for answered in self._answered.values():
                answered.set()

    async def receive(self) -> Message:
        return await self._asked.get()

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind not in ANSWERS:
            raise RuntimeError(f"in a lifespan an app sends {', '.join(ANSWERS)}; not {kind}")
        phase, outcome = ANSWERS[kind]
        started = self._answered["startup"].is_set()
        if started is (phase == "startup") or self._answered["shutdown"].is_set():
            raise RuntimeError(f"{kind} {'again or too late' if started else 'before startup'}")
        if outcome == "failed":
            self._words[phase] = message.get("message") or ""
        self._answered[phase].set()
