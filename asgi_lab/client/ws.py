"""One WebSocket conversation: wsproto for the protocol, asyncio streams for the bytes.

Connect; send every message; read until the server closes or has sent no message for `quiet`
seconds; then close with 1000 and read until it agrees. Pings are answered and do not count as
messages. A handshake answered by anything but 101 is a refusal, read to its end.
"""

import asyncio
from contextlib import suppress
from urllib.parse import SplitResult

from wsproto import WSConnection
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    TextMessage,
)
from wsproto.events import Request as Handshake

from asgi_lab.client.request import Request
from asgi_lab.client.result import Progress

CHUNK = 65_536  # bytes asked of the socket at once


async def converse(base: SplitResult, progress: Progress, quiet: float) -> None:
    """Hold the whole conversation, noting it in `progress`; the socket is closed in any case.

    Raises OSError, a protocol error of h11 or wsproto, or ConnectionError with its own words if the
    server left without saying so.
    """
    reader, writer = await asyncio.open_connection(base.hostname, base.port or 80)
    try:
        handshake = _handshake(base, progress.request)
        await _Conversation(reader, writer, progress).hold(handshake, quiet)
        writer.close()
        await writer.wait_closed()  # flushes our last frame, as the abort below would not
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


class _Conversation:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, progress: Progress
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._progress = progress
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._last_message = 0.0  # loop time

    async def hold(self, handshake: Handshake, quiet: float) -> None:
        self._send(handshake)
        while self._wire.state is not ConnectionState.CLOSED:
            patience = None  # for a handshake or a close, only the caller's time limit counts
            if self._wire.state is ConnectionState.OPEN:
                patience = self._last_message + quiet
            try:
                async with asyncio.timeout_at(patience) as silence:
                    data = await self._reader.read(CHUNK)
            except TimeoutError:
                if not silence.expired():
                    raise  # the operating system's: the connection itself timed out
                self._send(CloseConnection(code=1000))
                continue
            if not data:
                self._end_of_stream()
            self._wire.receive_data(data or None)
            for event in self._wire.events():
                self._take(event)

    def _send(self, event: Event) -> None:
        # Written without waiting for the buffer to drain, so that we are always reading: a server
        # that echoes while we send can block neither of us.
        self._writer.write(self._wire.send(event))

    def _take(self, event: Event) -> None:
        progress = self._progress
        match event:
            case AcceptConnection():
                progress.head(101)
                for message in progress.request.messages:
                    self._send(_frame(message))
                self._heard()
            case TextMessage(data=text):
                progress.fragment(text, last=event.message_finished)
                self._heard()
            case BytesMessage(data=data):
                progress.fragment(bytes(data), last=event.message_finished)
                self._heard()
            case Ping() if self._wire.state is ConnectionState.OPEN:
                self._send(event.response())
            case CloseConnection():
                self._closed_by(event)
            case RejectConnection():
                progress.head(event.status_code)
            case RejectData():
                progress.received += len(event.data)

    def _closed_by(self, event: CloseConnection) -> None:
        """Agree to the server's close; or, where wsproto itself objects to a frame, say so."""
        state = self._wire.state
        if state in (ConnectionState.REMOTE_CLOSING, ConnectionState.OPEN):
            self._send(event.response())
        if state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):  # no close has come
            raise ConnectionError(f"server broke the WebSocket protocol: {event.reason}")
        self._progress.close_code = int(event.code)

    def _heard(self) -> None:
        self._last_message = asyncio.get_running_loop().time()

    def _end_of_stream(self) -> None:
        """Raise if the server may not leave now; it may at the end of a refusal's body."""
        if self._wire.state is ConnectionState.CONNECTING:
            raise ConnectionError("server closed the connection without answering the handshake")
        if self._wire.state is not ConnectionState.REJECTING:
            self._progress.close_code = 1006
            raise ConnectionError("server closed the connection without a close frame")


def _frame(message: str | bytes) -> Event:
    return TextMessage(message) if isinstance(message, str) else BytesMessage(message)


def _handshake(base: SplitResult, request: Request) -> Handshake:
    """Build the opening request; wsproto wants the host and the subprotocols apart."""
    host, subprotocols, others = base.netloc, [], [(b"user-agent", b"asgi-lab")]
    for name, value in request.headers:
        match name.lower():
            case "host":
                host = value
            case "sec-websocket-protocol":
                subprotocols += [word.strip() for word in value.split(",")]
            case "user-agent":
                others[0] = (name.encode(), value.encode())
            case _:
                others.append((name.encode(), value.encode()))
    return Handshake(
        host=host, target=request.path, subprotocols=subprotocols, extra_headers=others
    )
