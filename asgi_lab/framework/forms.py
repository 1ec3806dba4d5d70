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
from asgi_lab.framework.headers import Pairs

SPOOL = 1024 * 1024  # bytes of a file that stay in memory
MAX_FIELDS = 1024 * 1024  # bytes of all fields that are no files
MAX_PARTS = 1000
UNKNOWN = "application/octet-stream"


class UploadFile:
    """A file that a client sent. `file` is at its beginning; reading it may touch the disk."""

    def __init__(self, filename: str, content_type: str) -> None:
        self.filename = filename
        self.content_type = content_type
        """What the client says that it is."""
        self.size = 0
        self.file = SpooledTemporaryFile[bytes](max_size=SPOOL)

    async def read(self, size: int = -1) -> bytes:
        """Return so many bytes, or all that are left."""
        found: bytes = await self._do(self.file.read, size)
        return found

    async def write(self, data: bytes | bytearray) -> None:
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
    """Read a multipart form."""
    multipart = parser_library()
    boundary = multipart.parse_options_header(content_type)[1].get("boundary", "")
    parts = Parts()
    try:
        with multipart.PushMultipartParser(boundary, max_segment_count=MAX_PARTS) as parser:
            async for chunk in stream:
                for event in parser.parse(chunk):
                    await parts.take(event)
    except BaseException as error:
        close(parts.found)
        if isinstance(error, multipart.MultipartError):
            status = 413 if isinstance(error, multipart.ParserLimitReached) else 400
            raise HTTPError(status, f"the multipart form is broken: {error}") from None
        raise
    return parts.form()


class Parts:
    """The parts of a multipart form, as they come."""

    def __init__(self) -> None:
        self.found: list[tuple[str, UploadFile | bytearray]] = []
        self._room = MAX_FIELDS

    async def take(self, event: Any) -> None:
        """Take what the parser says: a part that begins, a piece of it, None at its end."""
        if isinstance(event, bytes | bytearray):
            await self._add(event, self.found[-1][1])
        elif event is not None:
            self.found.append(self._begin(event))
        elif isinstance(file := self.found[-1][1], UploadFile):
            await file.seek(0)

    def form(self) -> Form:
        """Return them all, the text decoded."""
        return Form(
            (name, value if isinstance(value, UploadFile) else value.decode("utf-8", "replace"))
            for name, value in self.found
        )

    def _begin(self, part: Any) -> tuple[str, UploadFile | bytearray]:
        if not part.name:
            raise HTTPError(400, "a part of the form has no name")
        if part.filename is None:  # with one it is a file (RFC 7578, section 4.2)
            return part.name, bytearray()
        return part.name, UploadFile(part.filename, part.content_type or UNKNOWN)

    async def _add(self, piece: bytes | bytearray, value: UploadFile | bytearray) -> None:
        if isinstance(value, UploadFile):
            await value.write(piece)
            return
        value += piece
        self._room -= len(piece)
        if self._room < 0:
            raise HTTPError(413, f"the form's fields are larger than {MAX_FIELDS} bytes")


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
