"""A WebSocket over a socket: wsproto for the protocol, asyncio streams for the bytes.

Pings are answered and do not count as messages. A handshake answered by anything but 101 is a
refusal, read to its end. Frames are written without waiting for the buffer to drain, so that we are
always reading: a server that echoes while we send can block neither of us.
"""

from collections import deque

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
from wsproto.utilities import RemoteProtocolError

from asgi_lab.client.door import CHUNK, CUT, UNCLOSED, UNDECIDED, Lost
from asgi_lab.client.http import text_headers
from asgi_lab.client.result import Progress
from asgi_lab.client.sockets import SocketDoor, Stream
from asgi_lab.client.talk import talk
from asgi_lab.client.wire import websocket_fields


async def converse(door: SocketDoor, progress: Progress) -> None:
    """Hold the whole conversation, noting it in `progress`; the socket is closed in any case.

    Raises OSError, a protocol error of h11 or wsproto, or Lost if the server left without a word.
    """
    stream = await Stream.connect(door, slow=progress.request.read_rate is not None)
    try:
        line = SocketLine(stream, progress)
        if await line.accepted(door.netloc):
            await talk(line, progress, door.quiet)
    except BaseException:
        await stream.drop()
        raise
    await stream.close()


class SocketLine:
    """See `Line`."""

    def __init__(self, stream: Stream, progress: Progress) -> None:
        self._stream = stream
        self._progress = progress
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Event] = deque()
        self._fragments: list[str | bytes] = []
        self._chunk = 1024 if stream.slow else CHUNK

    async def accepted(self, host: str) -> bool:
        """Shake hands; False if the server refuses, which is read to its end."""
        progress = self._progress
        host, subprotocols, others = websocket_fields(progress.request, host)
        self._send(
            Handshake(
                host=host,
                target=progress.request.path,
                subprotocols=subprotocols,
                extra_headers=others,
            )
        )
        while (event := await self._event()) is not None:
            match event:
                case AcceptConnection():
                    progress.subprotocol = event.subprotocol
                    progress.head(101, text_headers(event.extra_headers))
                    return True
                case RejectConnection():
                    progress.head(event.status_code, text_headers(event.headers))
                case RejectData():
                    progress.data(bytes(event.data))
        return False

    def send(self, message: str | bytes) -> None:
        """See `Line`."""
        if self._wire.state is ConnectionState.OPEN:
            self._send(TextMessage(message) if isinstance(message, str) else BytesMessage(message))

    def close(self, code: int, reason: str) -> None:
        """See `Line`."""
        if self._wire.state is ConnectionState.OPEN:
            self._send(CloseConnection(code, reason or None))

    async def next(self) -> str | bytes | None:
        """See `Line`."""
        while (event := await self._event()) is not None:
            match event:
                case TextMessage(data=data) | BytesMessage(data=data):
                    self._fragments.append(data if isinstance(data, str) else bytes(data))
                    if event.message_finished:
                        message = _join(self._fragments)
                        self._fragments.clear()
                        self._progress.message(message)
                        return message
                case Ping() if self._wire.state is ConnectionState.OPEN:
                    self._send(event.response())
                case CloseConnection():
                    self._closed_by(event)
        return None

    async def _event(self) -> Event | None:
        """Return what the server did next; None once all is over."""
        while not self._events:
            if self._wire.state is ConnectionState.CLOSED:
                return None
            try:
                data = await self._stream.read(self._chunk)
            except BrokenPipeError:  # the server had gone when we last wrote
                data = b""
            if not data:
                self._end_of_stream()
            self._wire.receive_data(data or None)
            self._events.extend(self._wire.events())
        return self._events.popleft()

    def _send(self, event: Event) -> None:
        self._stream.write(self._wire.send(event))

    def _closed_by(self, event: CloseConnection) -> None:
        """Agree to the server's close; or, where wsproto itself objects to a frame, say so."""
        state = self._wire.state
        if state in (ConnectionState.REMOTE_CLOSING, ConnectionState.OPEN):
            self._send(event.response())
        if state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):  # no close has come
            raise Lost(f"server broke the WebSocket protocol: {event.reason}")
        self._progress.close_code = int(event.code)

    def _end_of_stream(self) -> None:
        """Raise if the server may not leave now; it may at the end of a refusal's body."""
        if self._wire.state is ConnectionState.CONNECTING:
            raise Lost(UNDECIDED)
        if self._wire.state is not ConnectionState.REJECTING:
            self._progress.close_code = 1006
            raise Lost(UNCLOSED)
        try:
            self._wire.receive_data(None)
        except RemoteProtocolError:
            raise Lost(CUT) from None


def _join(fragments: list[str | bytes]) -> str | bytes:
    """All str or all bytes: RFC 6455 allows no message of both."""
    if len(fragments) == 1:
        return fragments[0]
    texts = [f for f in fragments if isinstance(f, str)]
    return "".join(texts) if texts else b"".join(f for f in fragments if isinstance(f, bytes))
