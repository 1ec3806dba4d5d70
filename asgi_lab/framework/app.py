"""`App`: a router in its middleware, and the decorators with which handlers are put there.

    app = App()

    @app.get("/items/{id:int}")
    async def item(id: int) -> dict[str, int]:
        return {"id": id}

An app is an ASGI app that wraps others, and that is all it does; each part can be used alone:

    server → App → Errors → middleware, the first one added outermost → Exceptions → Router
                                                                                       │
                                     handler ← parameters ← endpoint ← Route, Mount, Host
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from inspect import isasyncgenfunction
from typing import Any, TypeVar

from asgi_lab.framework.endpoints import Handler, http_endpoint, websocket_endpoint
from asgi_lab.framework.lifespan import Context, live
from asgi_lab.framework.middleware.errors import ErrorHandler, Errors, Exceptions, Key
from asgi_lab.framework.routing import BaseRoute, Host, Mount, Route, Router
from asgi_lab.types import ASGIApp, Receive, Scope, Send

H = TypeVar("H", bound=Handler)
M = TypeVar("M", bound=Callable[..., ASGIApp])


class App:
    """A web application.

    `debug` shows tracebacks to clients; `lifespan(app)` is an async context around all requests.
    """

    def __init__(
        self,
        routes: Sequence[BaseRoute] = (),
        *,
        debug: bool = False,
        lifespan: Callable[["App"], Context] | None = None,
    ) -> None:
        if isasyncgenfunction(lifespan):
            raise TypeError(f"{lifespan} needs @asynccontextmanager above it")
        self.router = Router(routes)
        self.debug = debug
        self.error_handlers: dict[Key, ErrorHandler] = {}
        self.middleware_stack: ASGIApp | None = None
        """All layers, the outermost first; built at the first call."""
        self._lifespan = lifespan
        self._middleware: list[tuple[Callable[..., ASGIApp], dict[str, Any]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: ASGI's single callable."""
        if scope["type"] == "lifespan":
            context = self._lifespan(self) if self._lifespan else nullcontext()
            await live(context, scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):  # main: "Protocol Specifications", note
            raise RuntimeError(f"this app speaks http, websocket and lifespan; not {scope['type']}")
        if self.middleware_stack is None:
            self.middleware_stack = self._build()
        await self.middleware_stack(scope, receive, send)

    def _build(self) -> ASGIApp:
        layers: list[tuple[Callable[..., ASGIApp], dict[str, Any]]] = [
            (Errors, {"debug": self.debug}),
            *self._middleware,
            (Exceptions, {"handlers": self.error_handlers}),
        ]
        app: ASGIApp = self.router
        for layer, options in reversed(layers):
            app = layer(app, **options)
        return app

    def middleware(self, layer: M, **options: Any) -> M:
        """Wrap all routes in `layer(app, **options)`, within the layers added before.

        Raises RuntimeError once the app has been called, and TypeError for what wraps no app.
        """
        if not callable(layer):
            raise TypeError(
                f"expected a class such as GZip, or a function of an app; got {layer!r}"
            )
        if self.middleware_stack is not None:
            raise RuntimeError("the app is running: add middleware before its first request")
        self._middleware.append((layer, options))
        return layer

    def route(
        self, path: str, methods: Iterable[str] | None = ("GET",), name: str | None = None
    ) -> Callable[[H], H]:
        """Answer these methods of a path; None: all. The name is by default the handler's."""
        return self._put(path, http_endpoint, name, methods=methods)

    def get(self, path: str, name: str | None = None) -> Callable[[H], H]:
        """Answer GET, and HEAD."""
        return self.route(path, ("GET",), name)

    def post(self, path: str, name: str | None = None) -> Callable[[H], H]:
        """Answer POST."""
        return self.route(path, ("POST",), name)

    def put(self, path: str, name: str | None = None) -> Callable[[H], H]:
        """Answer PUT."""
        return self.route(path, ("PUT",), name)

    def patch(self, path: str, name: str | None = None) -> Callable[[H], H]:
        """Answer PATCH."""
        return self.route(path, ("PATCH",), name)

    def delete(self, path: str, name: str | None = None) -> Callable[[H], H]:
        """Answer DELETE."""
        return self.route(path, ("DELETE",), name)

    def websocket(self, path: str, name: str | None = None) -> Callable[[H], H]:
        """Hold WebSocket conversations."""
        return self._put(path, websocket_endpoint, name, methods=None, scope_type="websocket")

    def _put(
        self, path: str, endpoint: Callable[[Handler], ASGIApp], name: str | None, **options: Any
    ) -> Callable[[H], H]:
        """Return a decorator that puts a handler on a route, and returns it as it was."""
        if not isinstance(path, str):  # it is the handler
            raise TypeError(f'expected a path, as in @app.get("/items"); got {path!r}')

        def put(handler: H) -> H:
            called = name or getattr(handler, "__name__", type(handler).__name__)
            self.router.routes.append(Route(path, endpoint(handler), name=called, **options))
            return handler

        return put

    def on_error(self, key: Key) -> Callable[[ErrorHandler], ErrorHandler]:
        """Answer an exception class, or a status: `handler(request, error)`."""

        def put(handler: ErrorHandler) -> ErrorHandler:
            self.error_handlers[key] = handler
            return handler

        return put

    def mount(self, path: str, app: ASGIApp, name: str | None = None) -> None:
        """Let another app answer all paths below one. Its lifespan stays its own affair."""
        self.router.routes.append(Mount(path, app, name))

    def host(self, host: str, app: ASGIApp, name: str | None = None) -> None:
        """Let another app answer all requests for a host."""
        self.router.routes.append(Host(host, app, name))

    def path_for(self, name: str, /, **params: Any) -> str:
        """Return the path of a route; see `Router.path_for`."""
        return self.router.path_for(name, **params)
