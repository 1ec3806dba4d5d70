"""Forms: urlencoded pairs, and multipart with files (RFC 7578), which may be large.

A file is spooled: up to `SPOOL` bytes stay in memory, the rest goes to a temporary file, written in
a worker thread, for disks are slow and the event loop is everyone's. Parsing multipart is for a
well-kept parser, `multipart`; it is loaded by the first such form.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import parse_qsl

from asgi_lab.framework.exceptions import HTTPError
from asgi_lab.framework.headers import Headers, Pairs, as_headers

SPOOL = 1024 * 1024  # bytes of a file that stay in memory
MAX_FIELDS = 1024 * 1024  # bytes of all fields that are no files
MAX_PARTS = 1000


class UploadFile:
    """A file that a client sent. `file` is at its beginning; reading it may touch the disk."""

    def __init__(self, filename: str, headers: Headers) -> None:
        self.filename = filename
        self.headers = headers
        self.size = 0
        self.file = SpooledTemporaryFile[bytes](max_size=SPOOL)

    @property
    def content_type(self) -> str:
        """What the client says that it is."""
        return self.headers.get("content-type", "application/octet-stream")

    async def read(self, size: int = -1) -> bytes:
        """Return so many bytes, or all that are left."""
        found: bytes = await self._do(self.file.read, size)
        return found

    async def write(self, data: bytes) -> None:
        """Append a piece."""
        self.size += len(data)
        await self._do(self.file.write, data)

    async def seek(self, offset: int) -> None:
        """Go to a place, in bytes from the beginning."""
        await self._do(self.file.seek, offset)

    async def _do(self, action: Callable[[Any], Any], argument: Any) -> Any:
        if self.size <= SPOOL:  # it is in memory still
            return action(argument)
        return await asyncio.to_thread(action, argument)


class Form(Pairs[str | UploadFile]):
    """The fields and files of a form, in order. Leaving it open leaves temporary files open."""

    def close(self) -> None:
        """Close its files; that deletes them."""
        close(self.pairs)


def close(pairs: Iterable[tuple[str, object]]) -> None:
    """Close the files among the pairs."""
    for _, value in pairs:
        if isinstance(value, UploadFile):
            value.file.close()


async def parse_form(content_type: str, stream: AsyncIterable[bytes]) -> Form:
    """Read a form. Raises HTTPError: 415 if it is none, 400 if it is broken, 413 if too large."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await parse_multipart(content_type, stream)
    if kind != "application/x-www-form-urlencoded":
        raise HTTPError(415, f"expected a form, got {kind or 'no content-type'}")
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > MAX_FIELDS:
            raise HTTPError(413, f"the form is larger than {MAX_FIELDS} bytes")
    try:
        return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_PARTS))
    except ValueError as error:
        raise HTTPError(400, f"the form is broken: {error}") from None


async def parse_multipart(content_type: str, stream: AsyncIterable[bytes]) -> Form:
    """Read a multipart form. A part with a filename is a file (RFC 7578, section 4.2)."""
    multipart = parser_library()
    boundary = multipart.parse_options_header(content_type)[1].get("boundary", "")
    parts: list[tuple[str, UploadFile | bytearray]] = []
    room = MAX_FIELDS
    try:
        with multipart.PushMultipartParser(boundary, max_segment_count=MAX_PARTS) as parser:
            async for chunk in stream:
                for event in parser.parse(chunk):  # a part begins, its pieces, None at its end
                    if isinstance(event, multipart.MultipartSegment):
                        parts.append(begin(event))
                    elif isinstance(file := parts[-1][1], UploadFile):
                        await (file.seek(0) if event is None else file.write(event))
                    elif event is not None:
                        file += event
                        room -= len(event)
                        if room < 0:
                            raise HTTPError(413, f"the fields are larger than {MAX_FIELDS} bytes")
    except BaseException as error:
        close(parts)
        if isinstance(error, multipart.MultipartError):
            status = 413 if isinstance(error, multipart.ParserLimitReached) else 400
            raise HTTPError(status, f"the multipart form is broken: {error}") from None
        raise
    return Form(
        (name, value if isinstance(value, UploadFile) else value.decode("utf-8", "replace"))
        for name, value in parts
    )


def parser_library() -> Any:
    """Return `multipart`. Raises ModuleNotFoundError if it is not installed.

    `python-multipart`, another parser, may be there under the same name.
    """
    with suppress(ModuleNotFoundError):
        import multipart  # type: ignore[import-untyped]

        if hasattr(multipart, "PushMultipartParser"):
            return multipart
    raise ModuleNotFoundError(
        "multipart forms need multipart: pip install 'asgi-lab[framework]'", name="multipart"
    )


def begin(part: Any) -> tuple[str, UploadFile | bytearray]:
    """Return the name of a new part, and what its pieces are put into."""
    if not part.name:
        raise HTTPError(400, "a part of the form has no name")
    if part.filename is None:
        return part.name, bytearray()
    return part.name, UploadFile(part.filename, as_headers(part.headerlist))
