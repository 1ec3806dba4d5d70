"""Connections in memory, for a virtual event loop: asyncio transports without sockets.

Bytes arrive in order, after the world's latency. A reader that pauses lets the writer's buffer
fill, and the writer is told to pause, as over TCP. Either side may close, abort, or send an end
of stream and go on reading.
"""

import asyncio
import errno
from asyncio import transports
from collections import deque
from collections.abc import Callable
from typing import Any

from asgi_lab.clock.world import NS

CLIENT = "127.0.0.1"


class Endpoint:
    """Stands for a socket where one is asked for: its names, and nothing to do."""

    family, type, proto = 2, 1, 6  # AF_INET, SOCK_STREAM, TCP

    def __init__(self, name: tuple[str, int], peer: tuple[str, int] | None = None) -> None:
        self._name, self._peer = name, peer

    def getsockname(self) -> tuple[str, int]:
        """Return this side's address."""
        return self._name

    def getpeername(self) -> tuple[str, int]:
        """Return the other side's address."""
        if self._peer is None:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return self._peer

    def fileno(self) -> int:
        """There is no file descriptor."""
        return -1

    def setsockopt(self, *_: Any) -> None:
        """There is nothing to set."""


class MemoryServer(asyncio.AbstractServer):
    """Listens at an address of its world until it is closed."""

    def __init__(self, loop: Any, factory: Any, address: tuple[str, int]) -> None:
        self._loop, self.factory, self.address = loop, factory, address
        self.sockets: tuple[Endpoint, ...] = (Endpoint(address),)
        self._closed = loop.create_future()

    def get_loop(self) -> Any:
        """Return the server's event loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether it accepts connections."""
        return self._loop.world.network.get(self.address) is self

    async def start_serving(self) -> None:
        """Do nothing: it serves already."""

    async def serve_forever(self) -> None:
        """Wait until it is closed."""
        await self._closed

    def close(self) -> None:
        """Accept no more; connections stay."""
        if self.is_serving():
            del self._loop.world.network[self.address]
        self.sockets = ()
        if not self._closed.done():
            self._closed.set_result(None)

    def close_clients(self) -> None:
        """Nothing: connections are their protocols' own."""

    abort_clients = close_clients

    async def wait_closed(self) -> None:
        """Return at once."""


def listen(loop: Any, factory: Any, host: Any, port: int | None) -> MemoryServer:
    """Listen at `host:port` of the loop's world; port 0 picks a free one.

    Raises OSError (EADDRINUSE) if another listens there.
    """
    network = loop.world.network
    name = host[0] if isinstance(host, list | tuple) and host else host
    address = (name or CLIENT, port or next(loop.world.ports))
    if address in network:
        raise OSError(errno.EADDRINUSE, f"Address already in use: {address[0]}:{address[1]}")
    server = network[address] = MemoryServer(loop, factory, address)
    return server


async def connect(loop: Any, factory: Any, host: Any, port: int) -> tuple["Pipe", Any]:
    """Return transport and protocol of a new connection, with a server of this or another loop.

    Raises ConnectionRefusedError if nothing listens there.
    """
    world = loop.world
    name = host.decode() if isinstance(host, bytes) else host
    server = world.network.get((name, port))
    if server is None:
        text = f"nothing listens at {name}:{port} in this virtual world"
        raise ConnectionRefusedError(errno.ECONNREFUSED, text)
    if world.latency:
        await asyncio.sleep(world.latency / NS)
    here = (CLIENT, next(world.ports))
    near = Pipe(loop, factory(), here, server.address)
    accepted = loop.create_future()

    def accept() -> None:
        far = Pipe(server.get_loop(), server.factory(), server.address, here)
        near.peer, far.peer = far, near
        far.get_protocol().connection_made(far)
        post(loop, accepted.set_result, None)

    post(server.get_loop(), accept)
    await accepted
    near.get_protocol().connection_made(near)
    return near, near.get_protocol()


def post(loop: Any, function: Callable[..., object], *args: Any) -> None:
    """Call a function in an event loop soon; if it is another thread's, wake it.

    A closed one is a process that has ended: nothing arrives there.
    """
    if loop.is_closed():
        return
    here = loop is asyncio._get_running_loop()
    (loop.call_soon if here else loop.call_soon_threadsafe)(function, *args)


class _Base(transports._FlowControlMixin, asyncio.Transport):
    pass


_Transport: Any = _Base


class Pipe(_Transport):  # type: ignore[misc]
    """One end of a connection in memory."""

    peer: "Pipe"

    def __init__(self, loop: Any, protocol: Any, name: Any, peer_name: Any) -> None:
        extra = {"sockname": name, "peername": peer_name, "socket": Endpoint(name, peer_name)}
        super().__init__(extra, loop)
        self._protocol = protocol
        self._size = 0
        """Bytes that the other end has not taken yet."""
        self._paused = self._closing = self._lost = self._ended = False
        self._arrived: deque[bytes | None] = deque()

    def get_protocol(self) -> Any:
        """Return the protocol."""
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        """Change the protocol."""
        self._protocol = protocol

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the other end has not taken yet."""
        return self._size

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing

    def is_reading(self) -> bool:
        """Whether bytes that arrive are taken."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Take no more bytes for now."""
        self._paused = True

    def resume_reading(self) -> None:
        """Take bytes again, those that have arrived first."""
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._take_arrived)

    def write(self, data: Any) -> None:
        """Send bytes."""
        if self._closing or self._ended or not data:
            return
        if self.peer._closing:
            reset = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
            self._closing = True
            self._loop.call_soon(self._lose, reset)
            return
        piece = bytes(data)
        self._size += len(piece)
        self._send(piece)
        self._maybe_pause_protocol()

    def writelines(self, list_of_data: Any) -> None:
        """Send several."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """Return True."""
        return True

    def write_eof(self) -> None:
        """Send an end of stream; the other direction stays open."""
        if not self._ended:
            self._ended = True
            self._send(None)

    def close(self) -> None:
        """Close, once what was written is on its way."""
        if not self._closing:
            self._closing = True
            if not self._ended:
                self._ended = True
                self._send(None)
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """Close at once; the other end's writes fail."""
        self.close()

    def _send(self, piece: bytes | None) -> None:
        far = self.peer
        post(far._loop, far._due, self._loop.world.now, piece)

    def _due(self, sent: int, piece: bytes | None) -> None:
        """Let a piece arrive that was sent at `sent` (ns)."""
        latency = self._loop.world.latency
        if latency:
            self._loop.call_at((sent + latency) / NS, self._arrive, piece)
        else:
            self._arrive(piece)

    def _arrive(self, piece: bytes | None) -> None:
        self._arrived.append(piece)
        self._take_arrived()

    def _take_arrived(self) -> None:
        while self._arrived and not self._paused:
            piece = self._arrived.popleft()
            if piece is None:
                if not self._closing and not self._protocol.eof_received():
                    self.close()
                return
            far = self.peer
            post(far._loop, far._taken, len(piece))
            if not self._closing:
                self._feed(piece)

    def _taken(self, size: int) -> None:
        """Note that the other end has taken so many bytes."""
        self._size -= size
        if not self._lost:
            self._maybe_resume_protocol()

    def _feed(self, piece: bytes) -> None:
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            view = memoryview(piece)
            while view:
                buffer = memoryview(protocol.get_buffer(len(view)))
                taken = min(len(buffer), len(view))
                buffer[:taken] = view[:taken]
                protocol.buffer_updated(taken)
                view = view[taken:]
        else:
            protocol.data_received(piece)

    def _lose(self, error: BaseException | None) -> None:
        if not self._lost:
            self._lost = self._closing = True
            self._protocol.connection_lost(error)
