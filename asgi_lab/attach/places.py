"""Where each server keeps the app that it calls: there it is replaced by the traced app.

The app is replaced within what the server itself has put around it (Uvicorn's handling of proxy
headers, say), so a trace shows the same as under `asgi-lab trace`.
"""

import functools
import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

from asgi_lab.imported import Change

See = Callable[[Any], Any]
"""Takes an app, and returns it traced; anything else as it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """An attribute of a server's objects that is the app, once a method of theirs has run."""

    module: str
    owner: str
    method: str
    attribute: str


PLACES = (
    Place("uvicorn.config", "Config", "load", "loaded_app"),
    Place("hypercorn.app_wrappers", "ASGIWrapper", "__init__", "app"),
    Place("hypercorn.app_wrappers", "WSGIWrapper", "__init__", "app"),
    Place("daphne.server", "Server", "__init__", "application"),
    Place("gunicorn.app.base", "BaseApplication", "wsgi", "callable"),
    Place("werkzeug.serving", "BaseWSGIServer", "__init__", "app"),  # flask run
    Place("wsgiref.simple_server", "WSGIServer", "set_app", "application"),  # Django's runserver
)

LOADERS = (("granian._internal", "load_target"),)
"""Functions that return the app. Granian keeps it where Python cannot reach."""

LIVING = (
    *PLACES,
    Place("gunicorn.workers.base", "Worker", "", "wsgi"),
    Place("gunicorn.workers.gasgi", "ASGIWorker", "", "asgi"),
)
"""Where the app is in a server that runs."""

WRAPPERS = {
    "uvicorn.middleware.message_logger": "MessageLoggerMiddleware",
    "uvicorn.middleware.proxy_headers": "ProxyHeadersMiddleware",
}
"""What Uvicorn puts around an app; each has the next in `.app`."""


class Spot(NamedTuple):
    """One attribute of one object."""

    owner: Any
    attribute: str

    @property
    def app(self) -> Any:
        """The app that is there; None if there is none, or not yet."""
        return getattr(self.owner, self.attribute, None)

    def put(self, app: Any) -> None:
        """Put another app there."""
        setattr(self.owner, self.attribute, app)

    def innermost(self) -> "Spot":
        """Return where the app is within the server's own wrappers."""
        app = self.app
        if WRAPPERS.get(type(app).__module__) == type(app).__name__:
            return Spot(app, "app").innermost()
        return self


def changes(see: See) -> Iterator[tuple[str, Change]]:
    """Yield how servers are changed, by module, so that they call apps as `see` returns them."""
    for place in PLACES:
        yield place.module, functools.partial(_after, place, see)
    for module, function in LOADERS:
        yield module, functools.partial(_loaded, function, see)


def living() -> Iterator[Spot]:
    """Yield where the apps are that this process serves now."""
    for place in LIVING:
        kind = getattr(sys.modules.get(place.module), place.owner, None)
        if kind is None:
            continue
        for known in gc.get_objects():
            if issubclass(type(known), kind):
                spot = Spot(known, place.attribute).innermost()
                if spot.app is not None:
                    yield spot


def _after(place: Place, see: See, module: ModuleType) -> None:
    """Replace the app after each call of a method; return it traced, if the method returns it."""
    owner = getattr(module, place.owner, None)
    method = vars(owner).get(place.method) if owner is not None else None
    if method is None:
        return

    @functools.wraps(method)
    def call(self: Any, *args: Any, **named: Any) -> Any:
        result = method(self, *args, **named)
        spot = Spot(self, place.attribute).innermost()
        app = spot.app
        if app is not None:
            spot.put(see(app))
        return spot.app if result is app else result

    setattr(owner, place.method, call)


def _loaded(function: str, see: See, module: ModuleType) -> None:
    """Let a function return the app traced."""
    load = getattr(module, function, None)
    if load is None:
        return

    @functools.wraps(load)
    def call(*args: Any, **named: Any) -> Any:
        return see(load(*args, **named))

    setattr(module, function, call)
