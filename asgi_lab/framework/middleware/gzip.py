"""Gzip that keeps streams flowing.

Whether to compress is known when the first body comes: so the start of the response is held until
then, and no longer. A whole body is compressed at once, and its length is known. A stream is
compressed piece by piece, and flushed after each: what the app has sent is on its way to the client
when its `send` returns (www: "Response Body").
"""

import asyncio
import re
import zlib

from asgi_lab.framework.headers import Headers
from asgi_lab.framework.responses import BODILESS
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send

GZIP = 16 + zlib.MAX_WBITS  # zlib's word for a gzip header and trailer
LARGE = 128 * 1024  # bytes from which compressing would hold up the event loop: about 3 ms
NOT_WORTH_IT = ("audio/", "image/", "video/", "font/woff", "application/zip", "application/gzip")
"""Types that are compressed already."""


class GZip:
    """Compresses for clients that accept it: all but short bodies, parts, images, event streams.

    `minimum` is in bytes, and `level` is zlib's, from 1 (fast) to 9 (small).
    """

    def __init__(self, app: ASGIApp, minimum: int = 500, level: int = 6) -> None:
        self.app = app
        self.minimum = minimum
        self.level = level

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app with a `send` that compresses, if the client wants it."""
        if scope["type"] == "http" and scope["method"] != "HEAD":
            wanted = accepts_gzip(Headers(scope["headers"]).get("accept-encoding", ""))
            send = Compressor(send, self.minimum if wanted else None, self.level)
        await self.app(scope, receive, send)


class Compressor:
    """A `send` that compresses one response from a minimum of bytes on; None: never."""

    def __init__(self, send: Send, minimum: int | None, level: int) -> None:
        self._send = send
        self._minimum = minimum
        self._zlib = zlib.compressobj(level, zlib.DEFLATED, GZIP)
        self._start: Message | None = None  # held until the first body comes
        self._compressing = False

    async def __call__(self, message: Message) -> None:
        """ASGI's `send`."""
        if message["type"] == "http.response.start" and worth_it(message):
            self._start = message
            return
        start, self._start = self._start, None
        if message["type"] != "http.response.body":
            if start is not None:
                await self._send(start)
            await self._send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if start is not None:
            # The length of a stream is not known: it is taken to be long.
            least = self._minimum
            self._compressing = least is not None and (more or len(body) >= least)
        if self._compressing:
            body = await self._compressed(body, more)
            message = {**message, "body": body}
        if start is not None:
            await self._send({**start, "headers": self._headers(start, body, more)})
        await self._send(message)

    def _headers(self, start: Message, body: bytes, more: bool) -> list[tuple[bytes, bytes]]:
        headers = Headers(start.get("headers", ()))
        headers.vary("accept-encoding")
        if self._compressing:
            headers["content-encoding"] = "gzip"
            headers.pop("content-length", None)
            headers.pop("accept-ranges", None)  # they would be of the other bytes
            if not more:
                headers["content-length"] = str(len(body))
            if headers.get("etag", "").startswith('"'):  # not the same bytes, but the same content
                headers["etag"] = f"W/{headers['etag']}"
        return headers.raw

    async def _compressed(self, body: bytes, more: bool) -> bytes:
        if len(body) < LARGE:
            return self._compress(body, more)
        return await asyncio.to_thread(self._compress, body, more)

    def _compress(self, body: bytes, more: bool) -> bytes:
        mode = zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH
        return self._zlib.compress(body) + self._zlib.flush(mode)


def worth_it(start: Message) -> bool:
    """Whether this response could be compressed. A part of a file cannot: its bytes are counted."""
    headers = Headers(start.get("headers", ()))
    kind = headers.get("content-type", "").lower()
    return not (
        start["status"] in BODILESS
        or start["status"] == 206
        or "content-encoding" in headers
        or kind.startswith(("text/event-stream", *NOT_WORTH_IT))
        or "no-transform" in headers.get("cache-control", "")
    )


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the client takes gzip (RFC 9110, section 12.5.3).

    >>> accepts_gzip("br, gzip;q=0.5"), accepts_gzip("gzip;q=0, *"), accepts_gzip("")
    (True, False, False)
    """
    accepted = {}
    for part in accept_encoding.lower().replace(" ", "").split(","):
        name, _, weight = part.partition(";")
        accepted[name] = not re.fullmatch(r"q=0(\.0*)?", weight)
    return accepted.get("gzip", accepted.get("*", False))
