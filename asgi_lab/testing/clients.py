"""The test clients that call an app in this process, and how their calls are traced.

Each is changed at the one method that calls the app, and only for as long as it is asked for. So
clients that a module makes when it is imported are traced, too, and `client.app` stays what it is.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from asgi_lab.imported import WhenImported
from asgi_lab.standin import StandIn

See = Callable[[Any], Any]
"""Takes an app, and returns it traced."""


class Instead(StandIn):
    """An object in which one attribute is another value, to whoever is given this in its place."""

    __slots__ = ("_name", "_value")

    def __init__(self, of: Any, name: str, value: Any) -> None:
        super().__init__(of)
        self._name, self._value = name, value

    def __getattr__(self, name: str) -> Any:
        return self._value if name == self._name else super().__getattr__(name)


def reads(*paths: str) -> Callable[[Any, See], Any]:
    """Change a method that finds the app at one of these paths from its `self`, at each call.

    Versions differ: where there is no app at any of them, the method is called as it is.
    """

    def change(method: Any, see: See) -> Any:
        @functools.wraps(method)
        def call(self: Any, *args: Any, **named: Any) -> Any:
            return method(seen(self, paths, see), *args, **named)

        return call

    return change


def seen(owner: Any, paths: tuple[str, ...], see: See) -> Any:
    """Return a stand-in for an object in which the app at the first path there is, is traced."""
    for path in paths:
        name, _, rest = path.partition(".")
        inner = getattr(owner, name, None)
        if inner is not None:
            return Instead(owner, name, seen(inner, (rest,), see) if rest else see(inner))
    return owner


def takes(parameter: str) -> Callable[[Any, See], Any]:
    """Change a method that takes the app as its first argument, or as this one."""

    def change(method: Any, see: See) -> Any:
        @functools.wraps(method)
        def call(self: Any, *args: Any, **named: Any) -> Any:
            if args:
                args = (see(args[0]), *args[1:])
            elif parameter in named:
                named[parameter] = see(named[parameter])
            return method(self, *args, **named)

        return call

    return change


CLIENTS: tuple[tuple[str, str, str, Callable[[Any, See], Any]], ...] = (
    ("starlette.testclient", "_TestClientTransport", "handle_request", reads("app")),
    ("starlette.testclient", "TestClient", "lifespan", reads("app")),
    ("httpx", "ASGITransport", "handle_async_request", reads("app")),
    ("httpx2", "ASGITransport", "handle_async_request", reads("app")),
    ("asgiref.testing", "ApplicationCommunicator", "__init__", takes("application")),
    ("asgi_lifespan._manager", "LifespanManager", "run_app", reads("app")),
    (
        "litestar.testing.transport",
        "TestClientTransport",
        "handle_request",
        reads("client.app", "app"),
    ),
    (
        "litestar.testing.life_span_handler",
        "LifeSpanHandler",
        "lifespan",
        reads("client.app", "app"),
    ),
)
"""Module, class, method, and how that method comes by the app.

FastAPI's client is Starlette's; those of Channels and Django's `channels.testing` are asgiref's.
"""


@dataclass
class Clients:
    """Has all test clients call apps as `see` returns them, from `start` to `stop`."""

    see: See
    _undo: list[Callable[[], None]] = field(default_factory=list)
    _imports: WhenImported | None = None

    def start(self) -> None:
        """Change the clients' methods: now, or when their modules are imported."""
        self._imports = WhenImported(
            (module, functools.partial(self._change, owner, method, change))
            for module, owner, method, change in CLIENTS
        )
        self._imports.start()

    def stop(self) -> None:
        """Give the methods back as they were."""
        if self._imports is not None:
            self._imports.stop()
        while self._undo:
            self._undo.pop()()

    def _change(
        self, owner: str, method: str, change: Callable[[Any, See], Any], module: ModuleType
    ) -> None:
        known = getattr(module, owner, None)
        original = vars(known).get(method) if known is not None else None
        if original is None:
            return  # another version, which does it otherwise
        setattr(known, method, change(original, self.see))
        self._undo.append(functools.partial(setattr, known, method, original))
