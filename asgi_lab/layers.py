"""The layers of an app: each middleware gets a door of its own, and the app does not change.

A middleware keeps the next app in an attribute: `.app` by custom, `.middleware_stack` in Starlette
(which builds it at the first call), `.asgi_app` in Quart. To tap that call without touching the
user's objects, each of them is *viewed*: a second object of a subclass of its class, sharing its
`__dict__`, in which only that one attribute answers differently, namely with a tap around the
view of the next app. Every other read and write goes to the user's object.

What cannot be viewed (slots, extension types, functions) ends the walk: it is called as it is.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgi_lab.types import ASGIApp, Receive, Scope, Send

NEXT = ("middleware_stack", "asgi_app", "app")
"""Attributes in which frameworks keep the next app, the most telling first."""

MAX_LAYERS = 255

Call = Callable[..., Awaitable[None]]


def tap_layers(app: ASGIApp, call: Call, layer: int = 0) -> ASGIApp:
    """Return an app equal to `app` in which every call to a next layer goes through `call`.

    `call(app, scope, receive, send, layer, facts)` is awaited in place of the layer's app.
    """
    name = next_name(app)
    if name is None or layer >= MAX_LAYERS:
        return app
    return view(app, name, call, layer)


def next_name(app: Any) -> str | None:
    """Return the attribute in which `app` keeps the next app, or None."""
    own = getattr(app, "__dict__", {})
    for name in NEXT:
        following = own.get(name)
        if name == "middleware_stack" and name in own and following is None:
            return name  # Starlette builds it at the first call
        if callable(following) and getattr(following, "__self__", None) is not app:
            return name
    return None


def view(app: Any, name: str, call: Call, layer: int) -> ASGIApp:
    """Return a view of `app` whose attribute `name` is tapped, or `app` if it cannot be viewed."""
    taps: dict[int, tuple[Any, ASGIApp]] = {}  # by identity; the app is kept, so ids stay unique

    def get(_: Any) -> Any:
        following = app.__dict__.get(name)
        if not callable(following):
            return following
        known = taps.get(id(following))
        if known is None or known[0] is not following:
            known = taps[id(following)] = (following, tap(following, app, viewed, call, layer + 1))
        return known[1]

    def put(_: Any, value: Any) -> None:
        app.__dict__[name] = value

    try:
        cls: Any = type(app)
        body = {name: property(get, put), "__slots__": (), "__module__": cls.__module__,
                "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}  # fmt: skip
        viewed: Any = object.__new__(type(cls)(cls.__name__, (cls,), body))
        viewed.__dict__ = app.__dict__
    except Exception:
        return app  # type: ignore[no-any-return]
    return viewed  # type: ignore[no-any-return]


def tap(following: ASGIApp, app: Any, viewed: Any, call: Call, layer: int) -> ASGIApp:
    """Return `following` as layer number `layer`, entered through `call`."""
    inner = tap_layers(following, call, layer)
    name = ("layer", layer_name(following))

    async def tapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("app") is viewed:  # Starlette writes itself into the scope
            scope["app"] = app
        facts = (name, ("path", scope.get("path")), ("root_path", scope.get("root_path")))
        await call(inner, scope, receive, send, layer, (facts,))

    return tapped


def layer_name(app: Any) -> str:
    """Return what a reader would call this app: its class, or its function's name."""
    name = getattr(app, "__qualname__", None) or type(app).__qualname__
    return str(name).replace("<locals>.", "")
