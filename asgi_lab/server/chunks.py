"""A chunked body, cut into what may be read of it (RFC 9112, section 7.1).

    1F;extension=value CR LF    its length, in hexadecimal
    31 bytes of data CR LF
    0 CR LF                     the last
    trailer: value CR LF
    CR LF

h11 reads the pieces, but overlooks what is wrong in an extension, and where a line of the trailers
ends; there, too, one request could be hidden in another.
"""

import re

from asgi_lab.server.request import Refusal, check_lines

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
SPACE = rb"[ \t]*+"
EXTENSION = rb"%b;%b%b(?:%b=%b(?:%b|%b))?+" % (SPACE, SPACE, TOKEN, SPACE, SPACE, TOKEN, QUOTED)
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})((?:%b)*+)\r\n" % EXTENSION)
"""The line before a chunk's data: RFC 9112, section 7.1."""


class Chunks:
    """Cuts a body into whole lines, and data.

    `allowance` limits extensions and trailers together, in bytes (section 7.1.1).
    """

    def __init__(self, allowance: int) -> None:
        self._allowance = allowance
        self._left = 0  # bytes of data
        self._next = self._chunk

    def take(self, unread: bytearray) -> bytes:
        """Cut off the next piece, or nothing while it is not whole. Raises `Refusal`."""
        size = self._next(unread)
        piece = bytes(unread[:size])
        del unread[:size]
        return piece

    def _chunk(self, unread: bytearray) -> int:
        line = self._line(unread)
        if line:
            parts = CHUNK.fullmatch(line)
            if parts is None:
                raise Refusal(400, f"expected a line such as 1F, got {line[:80]!r}")
            self._spend(len(parts[2]))
            self._left = int(parts[1], 16)
            self._next = self._data if self._left else self._trailer
        return len(line)

    def _data(self, unread: bytearray) -> int:
        size = min(self._left, len(unread))
        self._left -= size
        if not self._left:
            self._next = self._end_of_data
        return size

    def _end_of_data(self, unread: bytearray) -> int:
        end = unread[:2]
        if not b"\r\n".startswith(end):
            raise Refusal(400, f"expected CR LF after a chunk, got {bytes(end)!r}")
        if len(end) < 2:
            return 0
        self._next = self._chunk
        return 2

    def _trailer(self, unread: bytearray) -> int:
        line = self._line(unread)
        check_lines(line)
        self._spend(len(line.rstrip(b"\r\n")))
        return len(line)

    def _line(self, unread: bytearray) -> bytes:
        limit = self._allowance + len("0123456789ABCDEF\r\n")
        end = unread.find(b"\n", 0, limit) + 1
        if not end and len(unread) >= limit:
            self._spend(limit)
        return bytes(unread[:end])

    def _spend(self, size: int) -> None:
        self._allowance -= size
        if self._allowance < 0:
            raise Refusal(431, "chunk extensions and trailers are too long")
