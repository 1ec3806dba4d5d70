"""Startup and shutdown, once for the app: ASGI's lifespan sub-specification, as one `async with`.

    @asynccontextmanager
    async def lifespan(app):
        async with connect() as db:
            yield {"db": db}             # request.state["db"]

Up to the `yield` is startup, the rest is shutdown; what is yielded becomes the state of which each
connection gets a shallow copy (lifespan: "Lifespan State").
"""

import traceback
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from asgi_lab.types import Receive, Scope, Send

Context = AbstractAsyncContextManager[Mapping[str, Any] | None]


async def live(context: Context, scope: Scope, receive: Receive, send: Send) -> None:
    """Enter the context at startup and leave it at shutdown, and say how that went.

    A failure is said, not raised: to a server, an exception means that the app knows of no
    lifespan, and it would go on without (lifespan: "Scope").
    """
    await receive()  # lifespan.startup
    phase = "startup"
    try:
        async with context as state:
            if state:
                if "state" not in scope:
                    raise RuntimeError("this server keeps no state between lifespan and requests")
                scope["state"].update(state)
            await send({"type": "lifespan.startup.complete"})
            phase = "shutdown"
            await receive()  # lifespan.shutdown
    except Exception:
        await send({"type": f"lifespan.{phase}.failed", "message": traceback.format_exc()})
    else:
        await send({"type": "lifespan.shutdown.complete"})
