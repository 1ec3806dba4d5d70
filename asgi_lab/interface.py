"""Which interface an app speaks: found out by looking, never by calling it."""

import inspect
from typing import Any, Literal

from asgi_lab.types import ASGIApp, Receive, Scope, Send

Interface = Literal["asgi", "asgi2", "wsgi"]


def interface_of(app: Any) -> Interface | None:
    """Return `asgi`, `asgi2` (the legacy double callable), `wsgi`, or None if it is no app.

    ASGI takes three arguments, and WSGI two; ASGI 2 took the scope alone, and returned a coroutine
    function of the other two (spec, "Legacy Applications").
    """
    if not callable(app):
        return None
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(_call_of(app)):
        return "asgi"
    try:
        parameters = inspect.signature(app).parameters.values()
    except Exception:  # a broken app's odd signature, too
        return "asgi"
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.kind in positional and p.default is p.empty]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return "asgi"
    if inspect.isclass(app):
        return "asgi2" if len(needed) == 1 else None
    return {1: "asgi2", 2: "wsgi", 3: "asgi"}.get(len(needed))  # type: ignore[return-value]


def single_callable(app: Any) -> ASGIApp:
    """Return a legacy double callable as one callable of scope, receive and send."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope)(receive, send)

    application.legacy = app  # type: ignore[attr-defined]
    return application


def _call_of(app: Any) -> Any:
    return None if inspect.isclass(app) else getattr(app, "__call__", None)  # noqa: B004
