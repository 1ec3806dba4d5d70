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

from asgi_lab.atoms import PREVIEW, Facts, atom
from asgi_lab.interface import interface_of
from asgi_lab.running import current
from asgi_lab.standin import StandIn
from asgi_lab.types import ASGIApp, Receive, Scope, Send

NEXT = ("middleware_stack", "asgi_app", "app")
"""Attributes in which frameworks keep the next app, the most telling first."""

MAX_LAYERS = 64
"""Layers that get a door: each costs two frames of the recursion limit, which is the app's."""

Call = Callable[..., Awaitable[Any]]


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


class Quiet:
    """A base class first in line, so that making a view runs no hook of the user's classes."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """Tell no one."""

    def __del__(self) -> None:
        """Close nothing: the object itself is still alive."""


def view(app: Any, name: str, call: Call, layer: int) -> ASGIApp:
    """Return a view of `app` whose attribute `name` is tapped, or `app` if it cannot be viewed."""
    known: tuple[Any, Any] = (None, None)

    def get(self: Any) -> Any:
        nonlocal known
        following = vars(self).get(name)
        if known[0] is not following:
            known = (following, tap(following, app, viewed, call, layer + 1))
        return known[1]

    def put(self: Any, value: Any) -> None:
        vars(self)[name] = value

    try:
        cls: Any = type(app)
        body = {name: property(get, put), "__slots__": (), "__module__": cls.__module__,
                "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}  # fmt: skip
        viewed: Any = object.__new__(type.__new__(type(cls), cls.__name__, (Quiet, cls), body))
        object.__setattr__(viewed, "__dict__", app.__dict__)
    except Exception:
        return app  # type: ignore[no-any-return]
    return viewed  # type: ignore[no-any-return]


def tap(following: Any, app: Any, viewed: Any, call: Call, layer: int) -> Any:
    """Return `following` as layer number `layer`, entered through `call`, if it speaks ASGI 3."""
    if interface_of(following) != "asgi":
        return following  # built later, or a WSGI app: Starlette's WSGIMiddleware has one
    inner = tap_layers(following, call, layer)
    name = ("layer", layer_name(following))

    def enter(scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        if type(scope) is dict and scope.get("app") is viewed:  # Starlette writes itself there
            scope["app"] = app
        return call(inner, scope, receive, send, layer, freeze_place(name, scope))

    return Tap(following, enter)


class Tap(StandIn):
    """The next app as its middleware sees it: that app in all but its call."""

    __slots__ = ("__enter", "__following")

    def __init__(self, following: ASGIApp, enter: ASGIApp) -> None:
        super().__init__(following)
        self.__enter = enter
        self.__following = following

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, *more: Any, **named: Any
    ) -> Any:
        """Enter the layer; a call with other arguments than ASGI's is none of our business."""
        if more or named:
            return await self.__following(scope, receive, send, *more, **named)
        return await self.__enter(scope, receive, send)

    def __repr__(self) -> str:
        return repr(self.__following)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self.__following)


def freeze_place(name: tuple[str, str], scope: Any) -> Facts:
    """Return the facts of a call of a layer: its name, and the path as it stands there."""
    try:
        path, root_path = scope.get("path"), scope.get("root_path")
    except Exception:
        path = root_path = None
    facts = ((name, ("path", path), ("root_path", root_path)),)
    if type(path) is type(root_path) is str and len(path) <= PREVIEW and "=" not in path:
        return facts
    recorder = current.get()[0]
    return facts if recorder is None else recorder.keep(atom(facts))


def layer_name(app: Any) -> str:
    """Return what a reader would call this app: its class, or its function's name."""
    name = getattr(app, "__qualname__", None) or type(app).__qualname__
    return str(name).replace("<locals>.", "")
