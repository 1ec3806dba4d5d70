"""Responses: ASGI apps that say one thing.

Each is called with the scope, and sends one `http.response.start` and its bodies (www: "Response
Start", "Response Body"):

    TextResponse("hello")              start, body
    StreamingResponse(["a", "b"])      start, body "a" (more_body), body "b" (more_body), body ""

So a response can stand wherever an app can: be mounted, be wrapped in middleware, be returned by a
handler, be sent by another app.
"""

import json
from collections.abc import AsyncIterable, Iterable
from typing import Any
from urllib.parse import quote

from asgi_lab.framework.background import BackgroundTasks
from asgi_lab.framework.calling import in_thread
from asgi_lab.framework.cookies import format_cookie
from asgi_lab.framework.exceptions import ClientDisconnect
from asgi_lab.framework.headers import GivenHeaders, as_headers
from asgi_lab.framework.interrupting import alongside
from asgi_lab.framework.receiving import Inbox
from asgi_lab.types import Receive, Scope, Send

BODILESS = frozenset((*range(100, 200), 204, 304))
"""Statuses whose responses have no body (RFC 9110, section 6.4.1)."""

IN_URL = ":/%#?=@[]!$&'()*+,;~"  # kept as they are in a URL that someone wrote down


class Response:
    """A whole response, its body at hand. A str is encoded as UTF-8."""

    media_type = ""
    is_whole = True

    def __init__(
        self,
        body: Any = b"",
        status: int = 200,
        headers: GivenHeaders = (),
        media_type: str = "",
        background: BackgroundTasks | None = None,
    ) -> None:
        self.status = status
        self.headers = as_headers(headers)
        self.background = background
        if self.is_whole:
            self.body = self.render(body)
            if status not in BODILESS:
                self.headers.setdefault("content-length", str(len(self.body)))
        media_type = media_type or self.media_type
        if media_type.startswith("text/") and "charset=" not in media_type:
            media_type += "; charset=utf-8"
        if media_type:
            self.headers.setdefault("content-type", media_type)

    def render(self, body: Any) -> bytes:
        """Return the body as bytes. Raises TypeError if it is neither text nor bytes."""
        if isinstance(body, str):
            return body.encode()
        if isinstance(body, bytes | bytearray | memoryview):
            return bytes(body)
        raise TypeError(f"a body is text or bytes, got {body!r:.80}: JSONResponse sends more kinds")

    def set_cookie(self, name: str, value: str = "", **attributes: str | int | None) -> None:
        """Let the client keep a cookie, until it is closed or for `max_age` seconds.

        See `cookies.format_cookie`; by default `path` is / and `samesite` lax.
        """
        self.headers.add("set-cookie", format_cookie(name, value, **attributes))

    def delete_cookie(self, name: str, **attributes: str | int | None) -> None:
        """Let the client forget a cookie: path and domain are those with which it was set."""
        self.set_cookie(name, "", **{**attributes, "max_age": 0})

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
        self.headers["location"] = quote(url, safe=IN_URL)


class StreamingResponse(Response):
    """A body in pieces, each sent as it comes; the length is not known before the end.

    `send` waits while the client is slow, and so does the iterator. It is closed when the client
    leaves. One that is not async is iterated in a worker thread.

    Raises TypeError for what has no pieces: a text, or a generator function that was not called.
    """

    is_whole = False

    def __init__(
        self,
        chunks: AsyncIterable[Any] | Iterable[Any],
        status: int = 200,
        headers: GivenHeaders = (),
        media_type: str = "",
        background: BackgroundTasks | None = None,
    ) -> None:
        if isinstance(chunks, str | bytes) or not isinstance(chunks, AsyncIterable | Iterable):
            raise TypeError(
                f"expected the pieces of a body: a generator, a list; got {chunks!r:.80}"
            )
        super().__init__(None, status, headers, media_type, background)
        self.chunks = chunks if isinstance(chunks, AsyncIterable) else in_thread(chunks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, until the client leaves; then do what is to be done after."""
        try:
            if scope.get("method") == "HEAD":
                await self.start(send)
                await send({"type": "http.response.body"})
            else:
                async with alongside(Inbox.of(receive).disconnected()):
                    await self.stream(send)
        except ClientDisconnect:  # a server of spec 2.4 may say in `send` that the client has left
            pass
        finally:
            if hasattr(self.chunks, "aclose"):
                await self.chunks.aclose()
        await self.after()

    async def stream(self, send: Send) -> None:
        """Send status and headers, the pieces, and the end."""
        await self.start(send)
        async for chunk in self.chunks:
            body = self.render(chunk)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body"})


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
