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
from asgi_lab.framework.calling import in_thread, relay
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
    has_length = True

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
        if self.has_length and self.status not in BODILESS:
            self.headers.setdefault("content-length", str(len(self.body)))
        if media_type.startswith("text/") and "charset=" not in media_type:
            media_type += "; charset=utf-8"
        if media_type:
            self.headers.setdefault("content-type", media_type)

    def set_cookie(self, name: str, value: str = "", **attributes: str | int | None) -> None:
        """Let the client keep a cookie, until it is closed or for `max_age` seconds.

        See `cookie`; by default `path` is / and `samesite` lax.
        """
        self.headers.add("set-cookie", cookie(name, value, **attributes))

    def delete_cookie(self, name: str, **attributes: str | int | None) -> None:
        """Let the client forget a cookie: path and domain are those with which it was set."""
        self.headers.add("set-cookie", cookie(name, "", **{**attributes, "max_age": 0}))

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

    has_length = False

    def __init__(
        self,
        chunks: AsyncIterable[Any] | Iterable[Any],
        status: int = 200,
        headers: GivenHeaders = (),
        media_type: str = "",
        background: BackgroundTasks | None = None,
    ) -> None:
        super().__init__(b"", status, headers, media_type, background)
        self.chunks = relay(chunks) if isinstance(chunks, AsyncIterable) else in_thread(chunks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, until the client leaves."""
        async with aclosing(self.chunks) as chunks:
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


def cookie(name: str, value: str, **attributes: str | int | None) -> str:
    """Return the value of a `set-cookie` field (RFC 6265, section 4.1).

    The value may be any text; it is %-encoded. Attributes are `max_age` in seconds, `path`,
    `domain`, `samesite`, and `secure` and `httponly`, which are true or not. Raises ValueError for
    what cannot be sent.

    >>> cookie("theme", "dark", max_age=60, secure=True)
    'theme=dark; path=/; samesite=lax; max-age=60; secure'
    """
    if not TOKEN.fullmatch(name):
        raise ValueError(f"a cookie's name is a token such as theme, got {name!r}")
    line = f"{name}={quote(value, safe=_IN_COOKIE)}"
    for key, what in {"path": "/", "samesite": "lax", **attributes}.items():
        if what is None or what is False:
            continue
        if not _ATTRIBUTE.fullmatch(str(what)):
            raise ValueError(f"a cookie's {key} has no semicolons, got {what!r}")
        line += f"; {key.replace('_', '-')}" + ("" if what is True else f"={what}")
    return line


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
