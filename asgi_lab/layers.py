"""The layers of an app: each middleware gets a door of its own, and the app does not change.

A middleware keeps the next app in an attribute: `.app` by custom, `.middleware_stack` in Starlette
(which builds it at the first call), `.asgi_app` in Quart. To tap that call without touching the
user's objects, each of them is *viewed*: a second object of a subclass of its class, sharing its
`__dict__`, in which only that one attribute answers differently, namely with a tap around the
view of the next app. Every other read and write goes to the user's object.

A middleware that is a function keeps the next app in a closure. Its view is a second function of
the same code, in which one cell is another.

What cannot be viewed (slots, extension types) ends the walk: it is called as it is.
"""

import inspect
from collections.abc import Awaitable, Callable
from types import CellType, FunctionType
from typing import Any

from asgi_lab.atoms import PREVIEW, Facts, atom
from asgi_lab.interface import interface_of
from asgi_lab.running import current
from asgi_lab.standin import StandIn
from asgi_lab.types import ASGIApp, Receive, Scope, Send

NEXT = ("middleware_stack", "asgi_app", "app")
"""Attributes in which frameworks keep the next app, the most telling first."""

BY_HABIT = ("_app", "application", "inner", "next_app", "wrapped")
"""Names that others give it; what they hold must look like an app down to its parameters' names."""

PARAMETERS = ["scope", "receive", "send"]

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
    if type(app) is FunctionType:
        return view_function(app, name, call, layer)
    return view(app, name, call, layer)


def next_name(app: Any) -> str | None:
    """Return the attribute, or of a function the variable, in which `app` keeps the next app.

    None if there is none.
    """
    own = closed_over(app) if type(app) is FunctionType else getattr(app, "__dict__", {})
    for name in NEXT:
        following = own.get(name)
        if name == "middleware_stack" and name in own and following is None:
            return name  # Starlette builds it at the first call
        if callable(following) and getattr(following, "__self__", None) is not app:
            return name
    return next((name for name in BY_HABIT if name in own and is_by_the_book(own[name])), None)


def closed_over(function: FunctionType) -> dict[str, Any]:
    """Return those variables of a function's closure that hold an app."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            following = cell.cell_contents
        except ValueError:  # not there yet
            continue
        if following is not function and is_by_the_book(following):
            found[name] = following
    return found


def is_by_the_book(app: Any) -> bool:
    """Return whether this is called with scope, receive and send, by these names."""
    try:
        parameters = inspect.signature(app).parameters
    except Exception:
        return False
    return list(parameters) == PARAMETERS and interface_of(app) == "asgi"


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


def view_function(app: FunctionType, name: str, call: Call, layer: int) -> ASGIApp:
    """Return a second function of `app`'s code, in which the variable of that name is tapped."""
    cells = list(app.__closure__ or ())
    index = app.__code__.co_freevars.index(name)
    cell = cells[index]
    cells[index] = CellType(tap(cell.cell_contents, app, None, call, layer + 1, cell))
    viewed = FunctionType(
        app.__code__, app.__globals__, app.__name__, app.__defaults__, tuple(cells)
    )
    for attribute in ("__dict__", "__doc__", "__kwdefaults__", "__module__", "__qualname__"):
        setattr(viewed, attribute, getattr(app, attribute))
    return viewed


def tap(
    following: Any, app: Any, viewed: Any, call: Call, layer: int, cell: CellType | None = None
) -> Any:
    """Return `following` as layer number `layer`, entered through `call`, if it speaks ASGI 3.

    `cell` is where a function keeps it: another that comes to lie there is called as it is.
    """
    if interface_of(following) != "asgi":
        return following  # built later, or a WSGI app: Starlette's WSGIMiddleware has one
    inner = tap_layers(following, call, layer)
    name = ("layer", layer_name(following))

    def enter(scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        if cell is not None and cell.cell_contents is not following:
            return cell.cell_contents(scope, receive, send)  # type: ignore[no-any-return]
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
