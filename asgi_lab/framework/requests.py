"""A request: the scope of an HTTP connection with the `receive` that brings its body.

Nothing is read before it is asked for. The body can be had once, piece by piece (`stream`), or as
often as you like, whole (`body`, `text`, `json`, `form`).
"""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote

from asgi_lab.framework.cookies import parse_cookies
from asgi_lab.framework.exceptions import ClientDisconnect, HTTPError
from asgi_lab.framework.forms import Form, parse_form
from asgi_lab.framework.headers import Headers, Pairs
from asgi_lab.framework.receiving import Inbox
from asgi_lab.types import Receive, Scope

ROUTERS = "asgi_lab.routers"
"""In the scope, the routers on the way, the innermost first, each with its `root_path`. The name is
our own: other frameworks put theirs there, too."""

MAX_BODY = 16 * 1024 * 1024
"""Bytes of body that are held in memory for one request; `stream` has no limit."""


class HTTPConnection:
    """What the scopes of HTTP and WebSocket have in common (www: "HTTP Connection Scope")."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @property
    def path(self) -> str:
        """The path as the client wrote it, decoded, with the `root_path` that it begins with."""
        return str(self.scope["path"])

    @property
    def path_params(self) -> dict[str, Any]:
        """What the route's path said, converted."""
        return dict(self.scope.get("path_params", {}))

    @cached_property
    def headers(self) -> Headers:
        """The header fields, by name in any case."""
        return Headers(self.scope["headers"])

    @cached_property
    def query(self) -> Pairs[str]:
        """The pairs of the query string."""
        text = self.scope.get("query_string", b"").decode("latin-1")
        return Pairs(parse_qsl(text, keep_blank_values=True))

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies, by name. HTTP/2 may send them in several fields (RFC 9113, 8.2.3)."""
        return parse_cookies("; ".join(self.headers.all("cookie")))

    @property
    def url(self) -> str:
        """The whole URL, encoded. The host is what the client says: do not trust it."""
        scope = self.scope
        path = quote(scope["path"], safe="/:@!$&'()*+,;=~")
        query = scope.get("query_string", b"").decode("latin-1")
        return self.origin + path + (f"?{query}" if query else "")

    @property
    def origin(self) -> str:
        """Scheme and host, such as `http://127.0.0.1:8000`."""
        host, port = self.scope.get("server") or ("localhost", None)
        name = self.headers.get("host", f"{host}:{port}" if port else host)
        return f"{self.scope.get('scheme', 'http')}://{name}"

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port of the client, if the server tells."""
        found = self.scope.get("client")
        return None if found is None else (found[0], found[1])

    @cached_property
    def state(self) -> dict[str, Any]:
        """What the lifespan left for requests: a shallow copy for each."""
        found: dict[str, Any] = self.scope.get("state", {})
        return found

    @property
    def session(self) -> dict[str, Any]:
        """What is remembered of this client. Raises RuntimeError without `Sessions` around."""
        if "session" not in self.scope:
            raise RuntimeError("there is no session: wrap the app in middleware.Sessions")
        found: dict[str, Any] = self.scope["session"]
        return found

    def url_for(self, name: str, /, **params: Any) -> str:
        """Return the URL of a route: one of this app, or else of an app around it.

        Raises LookupError if there is none of that name, with these parameters.
        """
        for router, root_path in self.scope.get(ROUTERS, ()):
            try:
                path: str = router.path_for(name, **params)
            except LookupError:
                continue
            return self.origin + quote(root_path) + path
        raise LookupError(f"there is no route named {name!r} that takes {sorted(params)}")


class Request(HTTPConnection):
    """One HTTP request. Reading it raises ClientDisconnect if the client leaves before its end."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope)
        self.receive = Inbox.of(receive)
        self._body: bytes | None = None
        self._form: Form | None = None
        self._streamed = False

    @property
    def method(self) -> str:
        """GET, POST, ..."""
        return str(self.scope["method"])

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body piece by piece as it comes (www: "Request"), each but once.

        Raises RuntimeError if it was read before.
        """
        if self._body is not None:
            yield self._body
            return
        if self._streamed:
            raise RuntimeError("the body has been read; await request.body() keeps it")
        self._streamed = True
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect("the client left before its request was complete")
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                yield body

    async def body(self, limit: int = MAX_BODY) -> bytes:
        """Return the whole body. Raises HTTPError 413 if it has more than `limit` bytes."""
        if self._body is None:
            chunks, size = [], 0
            async with aclosing(self.stream()) as stream:
                async for chunk in stream:
                    size += len(chunk)
                    if size > limit:
                        raise HTTPError(413, f"the body is larger than {limit} bytes")
                    chunks.append(chunk)
            self._body = b"".join(chunks)
        return self._body

    async def text(self) -> str:
        """Return the body as UTF-8. Raises HTTPError 400 if it is not."""
        try:
            return (await self.body()).decode()
        except UnicodeDecodeError as error:
            raise HTTPError(400, f"the body is not UTF-8: {error}") from None

    async def json(self) -> Any:
        """Return what the body says. Raises HTTPError 400 if it is not JSON."""
        try:
            return json.loads(await self.body())
        except (ValueError, RecursionError) as error:
            raise HTTPError(400, f"the body is not JSON: {error}") from None

    async def form(self) -> Form:
        """Return the fields and files of a form. Raises HTTPError 400, 413 or 415."""
        if self._form is None:
            async with aclosing(self.stream()) as stream:
                self._form = await parse_form(self.headers.get("content-type", ""), stream)
        return self._form

    async def disconnected(self) -> None:
        """Wait until the client has left."""
        await self.receive.disconnected()

    def close(self) -> None:
        """Delete the files that were uploaded. A route does so after the response."""
        if self._form is not None:
            self._form.close()
