"""Frames of HTTP/2, cut from the bytes of a client (RFC 9113, section 4).

    length (24 bits) | type (8) | flags (8) | stream (32) | payload (length bytes)

A frame is looked at before anything is made of it: whether it may have this size, this stream and
this place. What is wrong here leaves both sides with different ideas of the connection, so it ends
the connection (section 5.4.1), and nothing of it is kept waiting for the rest of its bytes.

Laws:
1. The same bytes give the same frames, however they are cut.
2. No more than one frame is held, and no more of a header block than `max_block` bytes.
3. After `WrongFrame` there are no more frames.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""How a client that speaks HTTP/2 begins: section 3.4."""

FRAME_SIZE = 16_384
"""Bytes of the largest payload that is taken and sent: the least that may be agreed on (4.2)."""

TABLE = 4096
"""Bytes of sent headers that are remembered, so that they can be said in short (HPACK)."""

SETTING = struct.Struct(">HL")
HEAD = struct.Struct(">HBBBL")
STREAM = 0x7FFF_FFFF
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8


class Kind(IntEnum):
    """What a frame is for: section 6."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Code(IntEnum):
    """Why a stream or a connection ends: section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


SIZES = {Kind.PRIORITY: 5, Kind.RST_STREAM: 4, Kind.PING: 8, Kind.WINDOW_UPDATE: 4}
OF_STREAMS = {Kind.DATA, Kind.HEADERS, Kind.PRIORITY, Kind.RST_STREAM, Kind.CONTINUATION}
OF_CONNECTION = {Kind.SETTINGS, Kind.PING, Kind.GOAWAY}


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame, whole. The kind is a number: there are more than this server knows."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    def __bytes__(self) -> bytes:
        high, low = divmod(len(self.payload), 256)
        return HEAD.pack(high, low, self.kind, self.flags, self.stream) + self.payload

    @property
    def ends(self) -> bool:
        """Whether DATA or HEADERS are the last of their stream."""
        return bool(self.flags & END_STREAM)

    @property
    def data(self) -> bytes:
        """What of DATA is no padding: section 6.1."""
        if not self.flags & PADDED or not self.payload:
            return self.payload
        return self.payload[1 : max(1, len(self.payload) - self.payload[0])]

    def with_known_settings(self) -> "Frame":
        """Return SETTINGS without the unknown ones, which are to be ignored: section 6.5.2.

        A client may offer to remember any number of bytes of headers; ours remembers a few.
        """
        known = [pair for pair in SETTING.iter_unpack(self.payload) if 1 <= pair[0] <= 6]
        limited = [(name, min(value, TABLE) if name == 1 else value) for name, value in known]
        payload = b"".join(SETTING.pack(*pair) for pair in limited)
        return Frame(self.kind, self.flags, self.stream, payload)


class WrongFrame(Exception):
    """The client broke a rule that holds the connection together, and `code` says which kind."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Frames:
    """Cuts what a client sends. `max_block` limits a header block, in bytes as they are sent."""

    def __init__(self, max_block: int) -> None:
        self._max_block = max_block
        self._preface = PREFACE  # what of it is still to come
        self._unread = bytearray()
        self._first = True
        self._block = 0  # the stream whose header block goes on, or 0
        self._block_size = 0

    @property
    def in_block(self) -> bool:
        """Whether a header block has begun, and nothing else may come before its end."""
        return self._block != 0

    def receive(self, data: bytes) -> Iterator[Frame]:
        """Take the next bytes; yield the frames that they complete. Raises `WrongFrame`."""
        self._unread += self._after_preface(data)
        while len(self._unread) >= HEAD.size:
            high, low, kind, flags, stream = HEAD.unpack_from(self._unread)
            end = HEAD.size + high * 256 + low
            stream &= STREAM  # the bit before has no meaning, and is ignored: section 4.1
            self._check(kind, flags, stream, end - HEAD.size)
            if len(self._unread) < end:
                return
            frame = Frame(kind, flags, stream, bytes(self._unread[HEAD.size : end]))
            del self._unread[:end]
            self._first = False
            self._follow(frame)
            yield frame

    def _after_preface(self, data: bytes) -> bytes:
        size = min(len(self._preface), len(data))
        if data[:size] != self._preface[:size]:
            raise WrongFrame(Code.PROTOCOL_ERROR, "no preface (3.4)")
        self._preface = self._preface[size:]
        return data[size:]

    def _check(self, kind: int, flags: int, stream: int, size: int) -> None:
        """Look at the head of a frame, whose payload may not have come."""
        if self._first and (kind != Kind.SETTINGS or flags & ACK):
            raise WrongFrame(Code.PROTOCOL_ERROR, "the first frame is no SETTINGS (3.4)")
        if size > FRAME_SIZE:
            raise WrongFrame(Code.FRAME_SIZE_ERROR, f"a frame of {size} bytes (4.2)")
        if self._block and (kind != Kind.CONTINUATION or stream != self._block):
            raise WrongFrame(Code.PROTOCOL_ERROR, "a header block is broken by another frame (4.3)")
        if kind == Kind.CONTINUATION and not self._block:
            raise WrongFrame(Code.PROTOCOL_ERROR, "CONTINUATION of nothing (6.10)")
        if kind == Kind.PUSH_PROMISE:
            raise WrongFrame(Code.PROTOCOL_ERROR, "PUSH_PROMISE by a client (8.4)")
        if (kind in OF_STREAMS and not stream) or (kind in OF_CONNECTION and stream):
            raise WrongFrame(Code.PROTOCOL_ERROR, f"{Kind(kind).name} on stream {stream} (6)")
        self._check_size(kind, flags, size)

    def _check_size(self, kind: int, flags: int, size: int) -> None:
        wrong = kind in SIZES and size != SIZES[Kind(kind)]
        if kind == Kind.SETTINGS:
            wrong = size % 6 != 0 or bool(flags & ACK and size)
        elif kind == Kind.GOAWAY:
            wrong = size < 8
        if wrong:
            raise WrongFrame(Code.FRAME_SIZE_ERROR, f"{Kind(kind).name} of {size} bytes (6)")

    def _follow(self, frame: Frame) -> None:
        """Note whether a header block begins, goes on, or ends with this frame."""
        if frame.kind == Kind.PRIORITY:
            depends_on = int.from_bytes(frame.payload[:4]) & STREAM
            if depends_on == frame.stream:
                raise WrongFrame(Code.PROTOCOL_ERROR, "a stream depends on itself")
        if frame.kind not in (Kind.HEADERS, Kind.CONTINUATION):
            return
        if frame.kind == Kind.HEADERS:
            self._block_size = len(frame.payload)
        else:  # in crumbs it costs more work than its bytes say
            self._block_size += max(len(frame.payload), self._max_block // 32)
        self._block = 0 if frame.flags & END_HEADERS else frame.stream
        if self._block_size > self._max_block:
            raise WrongFrame(
                Code.ENHANCE_YOUR_CALM, f"headers of more than {self._max_block} bytes"
            )


def goaway(last: int, code: int, reason: str = "") -> bytes:
    """Return a GOAWAY: streams above `last` were not looked at (section 6.8)."""
    return bytes(Frame(Kind.GOAWAY, 0, 0, struct.pack(">LL", last, code) + reason.encode()))


def window_update(stream: int, size: int) -> bytes:
    """Return a WINDOW_UPDATE, or nothing for no bytes (section 6.9)."""
    return bytes(Frame(Kind.WINDOW_UPDATE, 0, stream, struct.pack(">L", size))) if size else b""
