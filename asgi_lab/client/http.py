"""HTTP/1.1 over a socket: h11 for the protocol, asyncio streams for the bytes.

What the server sees is what was written: no proxies, no redirects followed, no cookies kept,
nothing unpacked. The head of a request and all of its body that comes before a pause go out in one
write; the answer is read meanwhile.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import h11

from asgi_lab.client.door import CHUNK, CUT, UNANSWERED, Lost, read_body
from asgi_lab.client.request import IDEMPOTENT, Headers
from asgi_lab.client.result import Progress
from asgi_lab.client.sockets import SocketDoor, Stream
from asgi_lab.client.steps import bursts
from asgi_lab.client.wire import http_fields

Burst = tuple[float, Sequence[bytes]]


class Kept:
    """A connection that is made when first needed, and kept as long as the server keeps it."""

    def __init__(self, door: SocketDoor) -> None:
        self._door = door
        self._stream: Stream | None = None
        self._wire = h11.Connection(h11.CLIENT)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._stream is not None:
            await self._stream.close()
            self._stream = None

    async def exchange(self, progress: Progress) -> None:
        """See `Connection`.

        A server may close a kept connection just when it is used again (Uvicorn does, after an app
        has raised). Then nobody has answered, and the request is sent once more (RFC 9112, section
        9.3.1), if its method allows that.
        """
        kept = await self._connect(slow=progress.request.read_rate is not None)
        try:
            await self._exchange(progress)
        except ConnectionError:
            again = kept and progress.status is None and progress.request.method in IDEMPOTENT
            if not again:
                raise
            await self._connect(slow=progress.request.read_rate is not None)
            await self._exchange(progress)

    async def _connect(self, slow: bool) -> bool:
        """Make sure that there is a connection; return whether it was there before."""
        if self._stream is not None:
            if self._stream.alive and self._stream.slow == slow:
                return True
            await self.close()
        self._stream = await Stream.connect(self._door, slow)
        self._wire = h11.Connection(h11.CLIENT)
        return False

    async def _exchange(self, progress: Progress) -> None:
        assert self._stream is not None
        stream, wire, sender = self._stream, self._wire, None
        try:
            first, *later = bursts(progress.request.body)
            fields = http_fields(progress.request, self._door.netloc)
            head = self._send(
                h11.Request(
                    method=progress.request.method, target=progress.request.path, headers=fields
                )
            )
            stream.write(head + self._burst(first[1], last=not later))
            if later:
                sender = asyncio.create_task(self._send_later(stream, later))
            await _Answer(wire, stream).read(progress)
        except BaseException:
            self._stream = None
            await _stop(sender)
            await stream.drop()
            raise
        await _stop(sender)
        if wire.our_state is wire.their_state is h11.DONE:
            wire.start_next_cycle()
        else:
            await self.close()

    async def _send_later(self, stream: Stream, later: Sequence[Burst]) -> None:
        for number, (before, parts) in enumerate(later, 1):
            await asyncio.sleep(before)
            stream.write(self._burst(parts, last=number == len(later)))

    def _burst(self, parts: Sequence[bytes], last: bool) -> bytes:
        data = b"".join(self._send(h11.Data(data=part)) for part in parts if part)
        return data + self._send(h11.EndOfMessage()) if last else data

    def _send(self, event: Any) -> bytes:
        return self._wire.send(event) or b""


class _Answer:
    """One answer, as its client reads it."""

    def __init__(self, wire: h11.Connection, stream: Stream) -> None:
        self._wire = wire
        self._stream = stream
        self._rest = b""

    async def read(self, progress: Progress) -> None:
        """Read the whole answer. Raises Lost, HungUp, OSError or h11.RemoteProtocolError."""
        event = await self._event(CHUNK if not self._stream.slow else 1024)
        while not isinstance(event, h11.Response):
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise Lost("server switched to another protocol")
            event = await self._event(CHUNK)
        progress.head(event.status_code, text_headers(event.headers))
        await read_body(self._piece, progress)

    async def _piece(self, most: int | None) -> bytes | None:
        """Return some of the body, `most` bytes at most; None at its end."""
        while not self._rest:
            event = await self._event(most or CHUNK)
            if not isinstance(event, h11.Data):
                return None
            self._rest = bytes(event.data)
        most = len(self._rest) if most is None else most
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece

    async def _event(self, most: int) -> Any:
        wire, data = self._wire, None
        while True:
            try:
                event = wire.next_event()
            except h11.RemoteProtocolError:
                if data == b"":
                    raise Lost(CUT) from None
                raise
            if event is not h11.NEED_DATA:
                return event
            data = await self._stream.read(most)
            if not data and wire.their_state is h11.SEND_RESPONSE:
                raise Lost(UNANSWERED)
            wire.receive_data(data)


def text_headers(headers: Any) -> Headers:
    """Return header fields as text, names in lower case."""
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


async def _stop(sender: asyncio.Task[None] | None) -> None:
    if sender is not None:
        sender.cancel()
        with suppress(asyncio.CancelledError):
            await sender
