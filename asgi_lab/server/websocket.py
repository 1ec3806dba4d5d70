"""WebSocket, bytes in and events out: no socket, no loop, no clock (RFC 6455, RFC 7692).

    refused = check_handshake(request)                        # None, or what to answer instead
    headers, deflate = agree(request, subprotocol=None)       # for `101 Switching Protocols`
    websocket = WebSocket(deflate)
    for event in websocket.receive(data): ...                 # Message("hello"), Ping(b"")
    websocket.message("hello") + websocket.close(1000)        # bytes to send

wsproto knows the frames. This module adds what a server owes beside it: whole messages of bounded
size (also when a few compressed bytes stand for many), and a strict handshake.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any

from wsproto import events as frames
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import generate_accept_token

from asgi_lab.server.request import Headers, Refused, Request

PIECE = 4096
"""Compressed bytes that are unpacked at once: at most 4 MiB come of them."""


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: text as str, binary as bytes."""

    data: str | bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks whether we live: answer with `pong`."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The client lives."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The client closes: answer with the same code, if `close` was not sent before."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The client broke a rule: `close` with this code, and hear no more of it."""

    code: int
    reason: str


Event = Message | Ping | Pong | Closed | Broken


def check_handshake(request: Request) -> tuple[Refused, Headers] | None:
    """Return what to answer to a wrong handshake: RFC 6455, section 4.2.1."""
    versions, keys = request.values(b"sec-websocket-version"), _raw(request, b"sec-websocket-key")
    if request.values(b"content-length") not in ([], [b"0"]) or request.values(
        b"transfer-encoding"
    ):
        return Refused(400, "a WebSocket's handshake has no body"), []
    if versions != [b"13"]:
        spoken = [(b"sec-websocket-version", b"13")]
        return Refused(426 if versions else 400, "expected Sec-WebSocket-Version: 13"), spoken
    try:
        nonce = b64decode(keys[0], validate=True) if len(keys) == 1 else b""
    except binascii.Error:
        nonce = b""
    if len(nonce) != 16:
        return Refused(400, "expected one Sec-WebSocket-Key of 16 bytes in base64"), []
    return None


def agree(
    request: Request, subprotocol: str | None = None
) -> tuple[Headers, PerMessageDeflate | None]:
    """Return the headers that accept a handshake, and the compression that is agreed on."""
    token = generate_accept_token(_raw(request, b"sec-websocket-key")[0])
    headers = [(b"upgrade", b"websocket"), (b"connection", b"Upgrade")]
    headers.append((b"sec-websocket-accept", token))
    if subprotocol is not None:
        headers.append((b"sec-websocket-protocol", subprotocol.encode("ascii")))
    for offer in request.values(b"sec-websocket-extensions"):
        if agreed := _deflate(offer.decode("latin-1")):
            answer, deflate = agreed
            headers.append((b"sec-websocket-extensions", answer.encode()))
            return headers, deflate
    return headers, None


_PARAMETERS = re.compile(
    r"(client|server)_no_context_takeover"
    r"|client_max_window_bits(=(9|1[0-5]))?"
    r"|server_max_window_bits=(9|1[0-5])"
)


def _deflate(offer: str) -> tuple[str, PerMessageDeflate] | None:
    """Accept an offer of compression, or decline it as a whole: RFC 7692, section 7.1."""
    name, *parameters = [part.strip() for part in offer.split(";")]
    names = [parameter.partition("=")[0] for parameter in parameters]
    known = all(_PARAMETERS.fullmatch(parameter) for parameter in parameters)
    if name != PerMessageDeflate.name or not known or len(set(names)) < len(names):
        return None
    deflate = PerMessageDeflate()
    accepted = deflate.accept(offer)
    return (f"{name}; {accepted}" if accepted else name), deflate


def _raw(request: Request, name: bytes) -> list[bytes]:
    return [value for key, value in request.headers if key == name]


class WebSocket:
    """A server's side of an open WebSocket: messages come out, messages go in.

    `max_message` limits a message that comes in, unpacked, in bytes.
    """

    def __init__(
        self, deflate: PerMessageDeflate | None = None, max_message: int = 16 * 1024 * 1024
    ) -> None:
        self._wire = Connection(ConnectionType.SERVER, [deflate] if deflate else [])
        self._piece = PIECE if deflate else max(PIECE, 65_536)
        self._max_message = max_message
        self._parts: Any = None  # of a message that is not complete: a file, as parts may be tiny
        self._size = 0
        self._over = False

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes; yield what they complete. After `Closed` and `Broken`, nothing.

        Answer each event before asking for the next: nothing may be sent after a close.
        """
        for start in range(0, len(data), self._piece):
            if self._over:
                return
            self._wire.receive_data(data[start : start + self._piece])
            for frame in self._wire.events():
                if (event := self._take(frame)) is not None:
                    yield event
                if self._over:
                    return

    def message(self, data: str | bytes) -> bytes:
        """Frame a message."""
        return self._wire.send(
            frames.TextMessage(data) if isinstance(data, str) else frames.BytesMessage(data)
        )

    def ping(self, payload: bytes = b"") -> bytes:
        """Frame a ping."""
        return self._wire.send(frames.Ping(payload))

    def pong(self, payload: bytes) -> bytes:
        """Frame the answer to a ping."""
        return self._wire.send(frames.Pong(payload))

    def close(self, code: int, reason: str | None = None) -> bytes:
        """Frame a close, or the answer to one. 1005 stands for a frame without a code."""
        if code == 1005:
            return self._wire.send(frames.CloseConnection(code=None, reason=None))  # type: ignore[arg-type]
        return self._wire.send(frames.CloseConnection(code=code, reason=reason))

    def _take(self, frame: frames.Event) -> Event | None:
        match frame:
            case frames.TextMessage() | frames.BytesMessage():
                return self._join(frame)
            case frames.Ping(payload=payload):
                return Ping(bytes(payload))
            case frames.Pong(payload=payload):
                return Pong(bytes(payload))
            case frames.CloseConnection(code=code, reason=reason):
                self._over = True
                # wsproto says in the same words that the client closes, and that it must be closed.
                closes = self._wire.state in (
                    ConnectionState.REMOTE_CLOSING,
                    ConnectionState.CLOSED,
                )
                return (Closed if closes else Broken)(int(code), reason or "")
        return None

    def _join(self, frame: frames.TextMessage | frames.BytesMessage) -> Event | None:
        """Add a part of a message; return the message with its last."""
        if self._parts is None:
            self._parts = StringIO() if isinstance(frame.data, str) else BytesIO()
        self._parts.write(frame.data)
        self._size += len(frame.data.encode() if isinstance(frame.data, str) else frame.data)
        if self._size > self._max_message:
            self._over = True
            return Broken(1009, f"the message is longer than {self._max_message} bytes")
        if not frame.message_finished:
            return None
        whole = Message(self._parts.getvalue())
        self._parts, self._size = None, 0
        return whole
