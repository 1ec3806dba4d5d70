"""Forms: urlencoded pairs, and multipart with files (RFC 7578), which may be large.

A file is spooled: up to `SPOOL` bytes stay in memory, the rest goes to a temporary file, written in
a worker thread, for disks are slow and the event loop is everyone's. Parsing multipart is for a
well-kept parser, `python-multipart`; it is loaded by the first such form.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import parse_qsl

from asgi_lab.framework.errors import HTTPError
from asgi_lab.framework.headers import Headers, Pairs

SPOOL = 1024 * 1024  # bytes of a file that stay in memory
MAX_FIELD = 1024 * 1024  # bytes of all fields that are no files
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

    async def _do(self, action: Any, argument: Any) -> Any:
        if self.size <= SPOOL:  # it is in memory still
            return action(argument)
        return await asyncio.to_thread(action, argument)


class Form(Pairs[str | UploadFile]):
    """The fields and files of a form, in order. Leaving it open leaves temporary files open."""

    def close(self) -> None:
        """Close its files; that deletes them."""
        close(self.pairs)


def close(pairs: Iterable[tuple[str, str | UploadFile]]) -> None:
    """Close the files among the pairs."""
    for _, value in pairs:
        if isinstance(value, UploadFile):
            value.file.close()


async def parse_form(content_type: str, stream: AsyncGenerator[bytes, None]) -> Form:
    """Read a form. Raises HTTPError: 415 if it is none, 400 if it is broken, 413 if too large."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await parse_multipart(content_type, stream)
    if kind != "application/x-www-form-urlencoded":
        raise HTTPError(415, f"expected a form, got {kind or 'no content-type'}")
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > MAX_FIELD:
            raise HTTPError(413, f"the form is larger than {MAX_FIELD} bytes")
    try:
        return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_PARTS))
    except ValueError as error:
        raise HTTPError(400, f"the form is broken: {error}") from None


async def parse_multipart(content_type: str, stream: AsyncGenerator[bytes, None]) -> Form:
    """Read a multipart form, its files to `SpooledTemporaryFile`s."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise HTTPError(400, "the multipart form names no boundary")
    parts = Parts(parse_options_header)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                parser.write(chunk)
                await parts.spool()
        parser.finalize()
        if not parts.complete:
            raise HTTPError(400, "the multipart form has no end")
        for _, value in parts.pairs:
            if isinstance(value, UploadFile):
                await value.seek(0)
    except BaseException as error:
        close(parts.pairs)
        if isinstance(error, FormParserError):
            raise HTTPError(400, f"the multipart form is broken: {error}") from None
        raise
    return Form(parts.pairs)


class Parts:
    """What the parser finds. It calls back while it is fed; files are written after, in `spool`."""

    def __init__(self, parse_options: Any) -> None:
        self.pairs: list[tuple[str, str | UploadFile]] = []
        self.complete = False
        self._parse_options = parse_options
        self._headers = Headers()
        self._name = self._value = b""
        self._file: UploadFile | None = None
        self._text = bytearray()
        self._room = MAX_FIELD
        self._unwritten: list[tuple[UploadFile, bytes]] = []

    def callbacks(self) -> Any:
        """Return them by the parser's names, in the order in which it calls them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    async def spool(self) -> None:
        """Write what has come of files."""
        unwritten, self._unwritten = self._unwritten, []
        for file, data in unwritten:
            await file.write(data)

    def _begin(self) -> None:
        if len(self.pairs) >= MAX_PARTS:
            raise HTTPError(413, f"the form has more than {MAX_PARTS} parts")
        self._headers, self._file, self._text = Headers(), None, bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers.raw.append((self._name.lower(), self._value))
        self._name = self._value = b""

    def _headers_end(self) -> None:
        # A part with a filename is a file (RFC 7578, section 4.2).
        disposition = dict(self._headers.raw).get(b"content-disposition", b"")
        options = self._parse_options(disposition)[1]
        if b"name" not in options:
            raise HTTPError(400, "a part of the form has no name")
        name = options[b"name"].decode("utf-8", "replace")
        if b"filename" in options:
            self._file = UploadFile(options[b"filename"].decode("utf-8", "replace"), self._headers)
        self.pairs.append((name, self._file or ""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._unwritten.append((self._file, data[start:end]))
            return
        self._room -= end - start
        if self._room < 0:
            raise HTTPError(413, f"the form's fields are larger than {MAX_FIELD} bytes")
        self._text += data[start:end]

    def _end(self) -> None:
        if self._file is None:
            self.pairs[-1] = (self.pairs[-1][0], self._text.decode("utf-8", "replace"))

    def _all(self) -> None:
        self.complete = True
