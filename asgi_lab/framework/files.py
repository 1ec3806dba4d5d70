"""A file as a response: whole, or a part, or not at all because the client has it already.

The file's size and time of change make its `etag` and `last-modified`. With them a client asks "has
it changed?" (`if-none-match`, `if-modified-since`: 304 if not) and "the rest of it, if it is still
the same" (`range`, `if-range`: 206). RFC 9110, sections 13 and 14.

    if-none-match: "17a-64"              304, nothing             unchanged(...)
    range: bytes=10-19                   206, ten bytes           wanted_range(...)
    range: bytes=900-  (of 100)          416, nothing
    neither, or nonsense                 200, the whole file

The disk is read in a worker thread, a chunk at a time.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from email.utils import formatdate, parsedate_to_datetime
from mimetypes import guess_type
from typing import BinaryIO
from urllib.parse import quote

from asgi_lab.framework.headers import GivenHeaders, Headers
from asgi_lab.framework.responses import Response, StreamingResponse
from asgi_lab.types import Receive, Scope, Send

CHUNK = 64 * 1024  # bytes
RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE)
KEPT_IN_304 = (
    b"cache-control", b"content-location", b"date", b"etag", b"expires", b"last-modified",
    b"set-cookie", b"vary",
)  # fmt: skip
"""Headers of a 200 that its 304 has, too (RFC 9110, section 15.4.5)."""


class FileResponse(Response):
    """A file. With a `filename` a browser saves it under that name instead of showing it.

    The call raises OSError if the file cannot be read; nothing has been sent then.
    """

    is_whole = False  # it is read when it is sent

    def __init__(
        self,
        path: str | os.PathLike[str],
        status: int = 200,
        headers: GivenHeaders = (),
        media_type: str = "",
        *,
        filename: str | None = None,
    ) -> None:
        kind = media_type or guess_type(filename or str(path))[0] or "application/octet-stream"
        super().__init__(None, status, headers, kind)
        self.path = path
        self.headers.setdefault("accept-ranges", "bytes")
        if filename is not None:
            disposition = f"attachment; filename*=utf-8''{quote(filename, safe='')}"
            self.headers.setdefault("content-disposition", disposition)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what the client's headers ask for."""
        file = await asyncio.to_thread(open, self.path, "rb")
        try:  # the open file is the one to ask: the path may become another one meanwhile
            status, headers, part = self.decide(scope, os.fstat(file.fileno()))
            response = StreamingResponse(chunks_of(file, part), status, headers)
            await response(scope, receive, send)
        finally:
            await asyncio.to_thread(file.close)
        await self.after()

    def decide(self, scope: Scope, about: os.stat_result) -> tuple[int, Headers, range]:
        """Return the status, the headers, and which bytes to send."""
        size = about.st_size
        headers = Headers(self.headers.raw)
        headers.setdefault("etag", f'"{about.st_mtime_ns:x}-{size:x}"')
        headers.setdefault("last-modified", formatdate(about.st_mtime, usegmt=True))
        plain = self.status == 200 and scope.get("method") in ("GET", "HEAD")
        asked = Headers(scope["headers"] if plain else ())
        if unchanged(asked, headers):
            return 304, Headers(pair for pair in headers.raw if pair[0] in KEPT_IN_304), range(0)
        status, part = self.status, wanted_range(asked, headers, size)
        if part is None:
            part = range(size)
        elif part:
            status = 206
            headers["content-range"] = f"bytes {part[0]}-{part[-1]}/{size}"
        else:
            status = 416
            headers["content-range"] = f"bytes */{size}"
        headers["content-length"] = str(len(part))
        return status, headers, part


async def chunks_of(file: BinaryIO, part: range) -> AsyncIterator[bytes]:
    """Yield a part of a file. Raises EOFError if it has become shorter than was said."""
    await asyncio.to_thread(file.seek, part.start)
    size = len(part)
    while size:
        chunk = await asyncio.to_thread(file.read, min(CHUNK, size))
        if not chunk:
            raise EOFError(f"{file.name} has become shorter while it was sent")
        size -= len(chunk)
        yield chunk


def unchanged(asked: Headers, ours: Headers) -> bool:
    """Whether the client has this version; its `if-none-match` counts before its date.

    Tags are compared weakly (RFC 9110, section 13.1.2): a proxy may have weakened them.
    """
    tags = asked.get("if-none-match")
    if tags is not None:
        known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return ours["etag"].removeprefix("W/") in known or tags.strip() == "*"
    try:
        since = parsedate_to_datetime(asked["if-modified-since"])
        return parsedate_to_datetime(ours["last-modified"]) <= since
    except (KeyError, TypeError, ValueError):
        return False


def wanted_range(asked: Headers, ours: Headers, size: int) -> range | None:
    """Return the bytes that the client asks for: none of them if there are none such.

    None is the whole file: nothing else was asked for, or nothing that we know (several parts
    at once, say), or it is another version of which the client has a part (section 13.1.5).
    """
    found = RANGE.fullmatch(asked.get("range", ""))
    same = asked.get("if-range")
    if found is None or same not in (None, ours["etag"], ours["last-modified"]):
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:  # the last so many bytes
        return range(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)
