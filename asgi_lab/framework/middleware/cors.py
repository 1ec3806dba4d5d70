"""CORS: which other sites' pages may call this app (Fetch standard, "CORS protocol").

A browser says whose page asks (`origin`), and shows the page the response only if a header allows
it. Before a request that no form could have made, it asks for permission: the *preflight*, an
OPTIONS request with `access-control-request-method`. The app never sees that one.

    OPTIONS /items                               200 OK
    origin: https://example.org           ──►    access-control-allow-origin: https://example.org
    access-control-request-method: PUT    ◄──    access-control-allow-methods: GET, PUT
"""

from collections.abc import Collection

from asgi_lab.framework.headers import Headers, with_headers
from asgi_lab.framework.responses import Response, TextResponse
from asgi_lab.types import ASGIApp, Receive, Scope, Send

ALWAYS = ("accept", "accept-language", "content-language", "content-type")


class CORS:
    """Allows pages of these origins, such as `https://example.org`, or of all: `*`.

    `headers` are those that a request may have besides the usual ones, or `*`; `expose` those of a
    response that the page may read; `credentials` lets the browser send cookies along; `max_age` is
    for how many seconds it need not ask again.
    """

    def __init__(
        self,
        app: ASGIApp,
        origins: Collection[str],
        *,
        methods: Collection[str] = ("GET", "HEAD", "POST"),
        headers: Collection[str] = (),
        expose: Collection[str] = (),
        credentials: bool = False,
        max_age: int = 600,
    ) -> None:
        self.app = app
        self.origins = origins
        self.methods = [method.upper() for method in methods]
        self.headers = [*ALWAYS, *(name.lower() for name in headers)]
        self.expose = ", ".join(expose)
        self.credentials = credentials
        self.max_age = max_age

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight; let everything else through, and tell the browser who may see it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope["headers"])
        origin = asked.get("origin", "")
        if origin and scope["method"] == "OPTIONS" and "access-control-request-method" in asked:
            await self.preflight(asked, origin)(scope, receive, send)
            return

        def mark(headers: Headers) -> None:
            self.allow(headers, origin)
            if origin and self.expose:
                headers["access-control-expose-headers"] = self.expose

        await self.app(scope, receive, with_headers(send, mark))

    def allow(self, headers: Headers, origin: str) -> bool:
        """Allow an origin, if it is to be; caches must know that the answer depends on it."""
        anyone = "*" in self.origins
        # To "anyone" no browser sends cookies: then the origin must be named.
        named = self.credentials or not anyone
        if named:
            headers.vary("origin")
        if not origin or not (anyone or origin in self.origins):
            return False
        headers["access-control-allow-origin"] = origin if named else "*"
        if self.credentials:
            headers["access-control-allow-credentials"] = "true"
        return True

    def preflight(self, asked: Headers, origin: str) -> Response:
        """Return the permission; or 400, and what is not allowed, for whoever reads it."""
        headers = Headers()
        refused = [] if self.allow(headers, origin) else ["origin"]
        if asked["access-control-request-method"] not in self.methods:
            refused.append("method")
        names = asked.get("access-control-request-headers", "").lower()
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        if "*" not in self.headers and not set(wanted) <= set(self.headers):
            refused.append("headers")
        if refused:
            return TextResponse(f"CORS does not allow this {', '.join(refused)}", 400, headers)
        headers.vary("access-control-request-headers")
        headers["access-control-allow-methods"] = ", ".join(self.methods)
        allowed = wanted if "*" in self.headers else self.headers
        headers["access-control-allow-headers"] = ", ".join(allowed)
        headers["access-control-max-age"] = str(self.max_age)
        return TextResponse("OK", headers=headers)
