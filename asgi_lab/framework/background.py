"""Work that is done after the response: the client does not wait for it, the server does.

    async def order(request: Request, after: BackgroundTasks) -> TextResponse:
        after.add(send_mail, "someone@example.org")

It is done in the call that answered the request (www: the response is complete with the last body,
not with the return), one task after another. A server that shuts down waits for that call.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from asgi_lab.framework.calling import call

log = logging.getLogger("asgi_lab.framework")


class BackgroundTasks:
    """Functions to be called, async or not, in order."""

    def __init__(self) -> None:
        self._tasks: list[partial[Any]] = []

    def add(self, function: Callable[..., Any], *args: Any, **named: Any) -> None:
        """Do that later."""
        self._tasks.append(partial(function, *args, **named))

    async def __call__(self) -> None:
        """Do all. One that fails is logged, for there is nobody to tell; the others are done."""
        while self._tasks:
            task = self._tasks.pop(0)
            try:
                await call(task)
            except Exception:
                log.exception("the background task %r failed", task.func)
