"""Lifespan: one conversation that begins before the first request and ends after the last (ASGI).

    lifespan = Lifespan(app)
    await lifespan.startup()       # raises StartupFailed, with the app's own words
    ...
    await lifespan.shutdown()

An app need not know it: one that raises when it is called with this scope is served without
(`lifespan.supported` is False then).
"""

import asyncio
import logging
from typing import Any

from asgi_lab.server.failures import InvalidMessage, short_traceback
from asgi_lab.types import ASGIApp, Message

logger = logging.getLogger("asgi_lab.server")

GRACE = 1.0
"""Seconds for a task to end, once it has nothing left to do."""


class StartupFailed(Exception):
    """The app says that it cannot start; the message is the app's."""


class Lifespan:
    """The lifespan task of an app; `state` is what it leaves for the requests.

    With `required`, an app that raises at startup has failed, instead of not knowing lifespan.
    """

    def __init__(self, app: ASGIApp, required: bool = False) -> None:
        self.state: dict[str, Any] = {}
        self.supported = False
        self._app = app
        self._required = required
        self._asked = ""  # "startup" or "shutdown", until it is answered
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message | BaseException | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Start the app. Raises `StartupFailed`."""
        self._task = asyncio.create_task(self._run(), name="lifespan")
        answer = await self._ask("startup")
        if isinstance(answer, BaseException):
            if self._required:
                raise StartupFailed(short_traceback(answer))
            logger.debug("the app has no lifespan: %r", answer)
        elif answer is None:
            logger.warning("the app returned from its lifespan without an answer to startup")
        elif answer["type"] == "lifespan.startup.failed":
            raise StartupFailed(answer.get("message") or "the app gave no reason")
        else:
            self.supported = True

    async def shutdown(self) -> None:
        """Let the app end. What goes wrong is logged."""
        if not self.supported or self._task is None:
            return
        answer = await self._ask("shutdown")
        if isinstance(answer, BaseException):
            logger.error("the app's lifespan raised\n%s", short_traceback(answer))
        elif answer is None:
            logger.warning("the app returned from its lifespan without an answer to shutdown")
        elif answer["type"] == "lifespan.shutdown.failed":
            logger.error("shutdown failed: %s", answer.get("message") or "the app gave no reason")

    async def end(self) -> None:
        """Cancel the task, unless it returns in a moment; one that owes an answer had its time."""
        if self._task is not None:
            if not self._asked:
                await asyncio.wait([self._task], timeout=GRACE)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=GRACE)

    async def _ask(self, question: str) -> Message | BaseException | None:
        """Send a question, and return the answer: a message, or how the app ended instead."""
        self._asked = question
        self._to_app.put_nowait({"type": f"lifespan.{question}"})
        return await self._answers.get()

    async def _run(self) -> None:
        asgi = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": asgi, "state": self.state}
        try:
            await self._app(scope, self._to_app.get, self._send)
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            self._answers.put_nowait(error)
            raise
        except BaseException as error:
            self._answers.put_nowait(error)
        else:
            self._answers.put_nowait(None)

    async def _send(self, message: Message) -> None:
        kind = message.get("type")
        kinds = [f"lifespan.{self._asked}.{end}" for end in ("complete", "failed")]
        if not self._asked:
            raise InvalidMessage(f"nothing was asked, and the app sends {kind!r}")
        if kind not in kinds:
            raise InvalidMessage(f"expected {' or '.join(kinds)}, got {kind!r}")
        self._asked = ""
        self._answers.put_nowait(message)
