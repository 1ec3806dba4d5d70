"""Responses: ASGI apps that say one thing.

Each is called with the scope, and sends one `http.response.start` and its bodies (www: "Response
Start", "Response Body"). So a response can stand wherever an app can: be mounted, be wrapped in
middleware, be returned by a handler, be sent by another app.
"""

import json
import re
from collections.abc import AsyncIterable, Iterable
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from asgi_lab.framework.background import BackgroundTasks
from asgi_lab.framework.calling import in_thread
from asgi_lab.framework.errors import ClientDisconnect
from asgi_lab.framework.headers import TOKEN, GivenHeaders, given
from asgi_lab.framework.receiving import Inbox, while_connected
from asgi_lab.types import Receive, Scope, Send

BODILESS = frozenset((*range(100, 200), 204, 304))
"""Statuses whose responses have no body (RFC 9110, section 6.4.1)."""

_IN_URL = ":/%#?=@[]!$&'()*+,;~"
_IN_COOKIE = "!#$&'()*+-./:<=>?@[]^_`{|}~"  # RFC 6265, section 4.1.1, without %, which encodes
_ATTRIBUTE = re.compile(r"[^;\x00-\x1f\x7f]*")


class Response:
    """A whole response, its body at hand. A str is encoded as UTF-8."""

    media_type = ""

    def __init__(
        self,
        body: Any = b"",
        status: int = 200,
        headers: GivenHeaders = (),
        media_type: str = "",
        background: BackgroundTasks | None = None,
    ) -> None:
        self.status = status
        self.headers = given(headers)
        self.background = background
        self.body = self.render(body)
        self._fill(media_type or self.media_type)

    def render(self, body: Any) -> bytes:
        """Return the body as bytes. Raises TypeError if it is neither text nor bytes."""
        return body.encode() if isinstance(body, str) else bytes(memoryview(body))

    def _fill(self, media_type: str) -> None:
        """Add what was not given: the length, if there is a body, and the type, if it is known."""
        if self.status not in BODILESS:
            self.headers.setdefault("content-length", str(len(self.body)))
        if media_type.startswith("text/") and "charset=" not in media_type:
            media_type += "; charset=utf-8"
        if media_type:
            self.headers.setdefault("content-type", media_type)

    def set_cookie(
        self,
        name: str,
        value: str = "",
        *,
        max_age: int | None = None,
        path: str = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: str | None = "lax",
    ) -> None:
        """Let the client keep a cookie for `max_age` seconds, or until it is closed.

        The value may be any text; it is %-encoded. Raises ValueError for what cannot be a cookie.
        """
        line = cookie(name, value, max_age, path, domain, secure, httponly, samesite)
        self.headers.add("set-cookie", line)

    def delete_cookie(self, name: str, *, path: str = "/", domain: str | None = None) -> None:
        """Let the client forget a cookie: path and domain are those with which it was set."""
        self.set_cookie(name, max_age=0, path=path, domain=domain)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; then do what is to be done after."""
        await self.start(send)
        # The answer to HEAD has the headers of GET, and no body (RFC 9110, section 9.3.2).
        head = scope.get("method") == "HEAD"
        await send({"type": "http.response.body", "body": b"" if head else self.body})
        await self.after()

    async def start(self, send: Send) -> None:
        """Send status and headers."""
        headers = list(self.headers.raw)
        await send({"type": "http.response.start", "status": self.status, "headers": headers})

    async def after(self) -> None:
        """Do what is to be done after the response."""
        if self.background is not None:
            await self.background()


class TextResponse(Response):
    """Plain text."""

    media_type = "text/plain"


class HTMLResponse(Response):
    """A page."""

    media_type = "text/html"


class JSONResponse(Response):
    """What JSON holds. Raises TypeError or ValueError for what it does not, such as NaN."""

    media_type = "application/json"

    def render(self, body: Any) -> bytes:
        """Return the shortest JSON."""
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class RedirectResponse(Response):
    """Look there instead: with the same method (307, 308), or with GET (303)."""

    def __init__(self, url: str, status: int = 307, headers: GivenHeaders = ()) -> None:
        super().__init__(b"", status, headers)
        self.headers["location"] = quote(url, safe=_IN_URL)


class StreamingResponse(Response):
    """A body in pieces, each sent as it comes; the length is not known before the end.

    `send` waits while the client is slow, and so does the iterator. It is closed when the client
    leaves. One that is not async is iterated in a worker thread.
    """

    def __init__(
        self,
        chunks: AsyncIterable[Any] | Iterable[Any],
        status: int = 200,
        headers: GivenHeaders = (),
        media_type: str = "",
        background: BackgroundTasks | None = None,
    ) -> None:
        super().__init__(b"", status, headers, media_type, background)
        self.chunks = chunks if isinstance(chunks, AsyncIterable) else in_thread(chunks)

    def _fill(self, media_type: str) -> None:
        """Add the type, and no length."""
        length = self.headers.get("content-length")
        super()._fill(media_type)
        if length is None:
            self.headers.pop("content-length", None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, until the client leaves."""
        async with closing(self.chunks) as chunks:
            if scope.get("method") == "HEAD":
                await self.start(send)
                await send({"type": "http.response.body"})
            else:
                await self.stream(chunks, Inbox.of(receive), send)
        await self.after()

    async def stream(self, chunks: AsyncIterable[Any], inbox: Inbox, send: Send) -> None:
        """Send the pieces. A server of spec 2.4 may say in `send` that the client has left."""
        async with while_connected(inbox):
            try:
                await self.start(send)
                async for chunk in chunks:
                    body = self.render(chunk)
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                await send({"type": "http.response.body"})
            except ClientDisconnect:
                pass


def closing(chunks: Any) -> Any:
    """Return a context that closes an async generator, and leaves other iterables alone."""
    return aclosing(chunks) if hasattr(chunks, "aclose") else _Open(chunks)


class _Open:
    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks

    async def __aenter__(self) -> Any:
        return self._chunks

    async def __aexit__(self, *error: object) -> None:
        pass


def cookie(
    name: str,
    value: str,
    max_age: int | None,
    path: str,
    domain: str | None,
    secure: bool,
    httponly: bool,
    samesite: str | None,
) -> str:
    """Return the value of a `set-cookie` field (RFC 6265, section 4.1)."""
    if not TOKEN.fullmatch(name):
        raise ValueError(f"a cookie's name is a token such as theme, got {name!r}")
    attributes = {
        "Max-Age": None if max_age is None else str(max_age),
        "Path": path or None,
        "Domain": domain,
        "SameSite": samesite,
    }
    parts = [f"{name}={quote(value, safe=_IN_COOKIE)}"]
    for key, given_value in attributes.items():
        if given_value is not None:
            if not _ATTRIBUTE.fullmatch(given_value):
                raise ValueError(f"a cookie's {key} has no semicolons, got {given_value!r}")
            parts.append(f"{key}={given_value}")
    parts += ["Secure"] * secure + ["HttpOnly"] * httponly
    return "; ".join(parts)


def as_response(result: Any) -> Any:
    """Return what a handler returned as an app: itself, or a response that says it.

    Text becomes plain text, None 204 (No Content), and dicts, lists, numbers and booleans JSON.
    """
    if isinstance(result, str):
        return TextResponse(result)
    if result is None:
        return Response(status=204)
    if isinstance(result, dict | list | int | float):
        return JSONResponse(result)
    if not callable(result):
        raise TypeError(
            f"a handler returns a response, text, or what JSON holds; got {result!r:.80}"
        )
    return result
