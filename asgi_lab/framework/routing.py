"""Routing: which app answers? Each route is asked in turn; the first that matches is called.

A route sees the path below the `root_path`. Where an app is mounted the path stays as it is, and
`root_path` grows by what matched (www: "HTTP Connection Scope": `path` begins with `root_path`).
The next app gets a copy of the scope: nobody changes what another still uses (main: "Middleware").

    router = Router([Mount("/shop", Router([Route("/items/{id:int}", app)]))])

                  path              root_path     a route sees     path_params
    router        /shop/items/7                   /shop/items/7
    inner one     /shop/items/7     /shop         /items/7
    app           /shop/items/7     /shop                          {"id": 7}

No match raises HTTPError: 404, or 405 with `Allow`. `middleware.errors` answers.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from asgi_lab.framework.exceptions import HTTPError
from asgi_lab.framework.headers import Headers
from asgi_lab.framework.paths import CONVERTERS, Converter, PathTemplate
from asgi_lab.framework.requests import ROUTERS
from asgi_lab.framework.responses import RedirectResponse
from asgi_lab.types import ASGIApp, Receive, Scope, Send

HOST_CONVERTERS = {**CONVERTERS, "str": Converter("[^./:]+")}


class Match(NamedTuple):
    """A route that matches: its app, what it adds to the scope, and the methods it allows."""

    app: ASGIApp
    adds: dict[str, Any]
    methods: frozenset[str] | None = None
    """None: all of them, or there are none, as with a WebSocket."""


class BaseRoute:
    """What a router asks of a route: an app, with a template of where it is, and a name or none."""

    def __init__(self, template: PathTemplate, app: ASGIApp, name: str | None) -> None:
        self.template = template
        self.app = app
        self.name = name

    def match(self, scope: Scope, path: str) -> Match | None:
        """Return what answers this path, or None."""
        raise NotImplementedError

    def path_for(self, name: str, params: Mapping[str, Any]) -> str | None:
        """Return the path of the route of that name; None if the name is of another route.

        Raises LookupError if the name is right and the parameters are not.
        """
        return None


class Route(BaseRoute):
    """One path, for some methods or, with methods None, for all; or for WebSockets.

    GET brings HEAD (RFC 9110, section 9.1: servers must support both).
    """

    def __init__(
        self,
        path: str,
        app: ASGIApp,
        methods: Iterable[str] | None = ("GET",),
        name: str | None = None,
        *,
        scope_type: str = "http",
        converters: Mapping[str, Converter] = CONVERTERS,
    ) -> None:
        if not path.startswith("/"):
            raise ValueError(f'a path begins with "/", got {path!r}')
        if isinstance(methods, str):
            raise TypeError(f'methods are a list such as ["GET"], got {methods!r}')
        super().__init__(PathTemplate(path, converters), app, name)
        self.scope_type = scope_type
        self.methods = None if methods is None else frozenset(m.upper() for m in methods)
        if self.methods is not None and "GET" in self.methods:
            self.methods |= {"HEAD"}

    def match(self, scope: Scope, path: str) -> Match | None:
        """See `BaseRoute`."""
        params = self.template.match(path) if scope["type"] == self.scope_type else None
        if params is None:
            return None
        return Match(self.app, with_params(scope, params), self.methods)

    def path_for(self, name: str, params: Mapping[str, Any]) -> str | None:
        """See `BaseRoute`."""
        return self.template.fill(params) if name == self.name else None


class Mount(BaseRoute):
    """All paths below one. Routes of an app mounted as `shop` are named `shop:item`."""

    def __init__(self, path: str, app: ASGIApp, name: str | None = None) -> None:
        path = path.rstrip("/")
        if path and not path.startswith("/"):
            raise ValueError(f'a path begins with "/", got {path!r}')
        super().__init__(PathTemplate(path), app, name)

    def match(self, scope: Scope, path: str) -> Match | None:
        """See `BaseRoute`."""
        found = self.template.match_prefix(path)
        if found is None:
            return None
        matched, params = found
        adds = with_params(scope, params)
        adds["root_path"] = root_path(scope) + matched
        if not below(scope["path"], adds["root_path"]):
            # The server left its own root_path out of the path; the next router would be misled.
            adds["path"] = adds["root_path"] + path[len(matched) :]
        return Match(self.app, adds)

    def path_for(self, name: str, params: Mapping[str, Any]) -> str | None:
        """See `BaseRoute`. The mount's own name takes `path`: any path below it."""
        outer = {n: value for n, value in params.items() if n in self.template.converters}
        inner = {n: value for n, value in params.items() if n not in outer}
        if name == self.name and set(inner) == {"path"}:
            rest = PathTemplate("/{path:path}").fill({"path": str(inner["path"]).lstrip("/")})
            return self.template.fill(outer) + rest
        prefix = "" if self.name is None else f"{self.name}:"
        router = getattr(self.app, "router", self.app)
        if not name.startswith(prefix) or not isinstance(router, Router):
            return None
        path = router.find(name.removeprefix(prefix), inner)
        return None if path is None else self.template.fill(outer) + path


class Host(BaseRoute):
    """All paths of one host, such as `{shop}.example.org`; its port does not matter.

    It has no `path_for`: the path would be one of another host.
    """

    def __init__(self, host: str, app: ASGIApp, name: str | None = None) -> None:
        super().__init__(PathTemplate(host.lower(), HOST_CONVERTERS), app, name)

    def match(self, scope: Scope, path: str) -> Match | None:
        """See `BaseRoute`."""
        host = re.sub(r":[0-9]*$", "", Headers(scope["headers"]).get("host", "")).lower()
        params = self.template.match(host)
        return None if params is None else Match(self.app, with_params(scope, params))


class Router:
    """Routes, asked in the order in which they were added."""

    def __init__(self, routes: Sequence[BaseRoute] = ()) -> None:
        self.routes = list(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app of the first route that matches."""
        path = route_path(scope)
        here = (self, root_path(scope))
        scope = {**scope, ROUTERS: (here, *scope.get(ROUTERS, ()))}  # see Request.url_for
        allowed: set[str] = set()
        for route in self.routes:
            match = route.match(scope, path)
            if match is None:
                continue
            if match.methods is None or scope["method"] in match.methods:
                await match.app({**scope, **match.adds}, receive, send)
                return
            allowed |= match.methods
        if allowed:
            raise HTTPError(405, headers={"allow": ", ".join(sorted(allowed))})
        if other := self._with_other_slash(scope, path):
            await RedirectResponse(reference(scope, other))(scope, receive, send)
            return
        raise HTTPError(404)

    def path_for(self, name: str, /, **params: Any) -> str:
        """Return the path of the route of that name, encoded, below this router's `root_path`.

        Raises LookupError if there is no such route, or it takes other parameters.
        """
        path = self.find(name, params)
        if path is None:
            raise LookupError(f"there is no route named {name!r}")
        return path

    def find(self, name: str, params: Mapping[str, Any]) -> str | None:
        """Return the path of the route of that name, or None."""
        wrong: LookupError | None = None
        for route in self.routes:
            try:
                path = route.path_for(name, params)
            except LookupError as error:  # perhaps another of that name takes them
                wrong = error
                continue
            if path is not None:
                return path
        if wrong is not None:
            raise wrong
        return None

    def _with_other_slash(self, scope: Scope, path: str) -> str | None:
        """Return the path with a slash more or less at its end, if a route matches that."""
        other = path.rstrip("/") if path.endswith("/") else path + "/"
        if scope["type"] != "http" or not other:
            return None
        changed = {**scope, "path": root_path(scope) + other}
        return other if any(route.match(changed, other) for route in self.routes) else None


def reference(scope: Scope, path: str) -> str:
    """Return a reference to another path below `root_path`, with the same query, encoded.

    It names no host, for that may be anything a client says; and it begins with one slash only:
    what follows two would be a host (RFC 3986, section 4.2).
    """
    whole = "/" + (root_path(scope) + path).lstrip("/")
    query = scope.get("query_string", b"").decode("latin-1")
    return quote(whole) + (f"?{query}" if query else "")


def route_path(scope: Scope) -> str:
    """Return the path below `root_path`. Some servers leave that out of the path themselves."""
    path, root = scope["path"], root_path(scope)
    return path[len(root) :] if root and below(path, root) else str(path)


def root_path(scope: Scope) -> str:
    """Return where the app is mounted, without a slash at the end."""
    return str(scope.get("root_path", "")).rstrip("/")


def below(path: str, root: str) -> bool:
    """Whether a path is `root`, or below it."""
    return path == root or path.startswith(root + "/")


def with_params(scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the path parameters known so far, and these, to be added to a scope."""
    return {"path_params": {**scope.get("path_params", {}), **params}}
