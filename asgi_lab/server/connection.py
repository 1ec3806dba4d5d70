"""One connection: the transport below, a session above, flow and patience between them.

The event loop calls a `Connection` when something happens to its socket (asyncio's Protocol). What
the bytes mean is the business of its session, of which there is one at a time: HTTP/1.1 or HTTP/2,
WebSocket after a handshake, or only lingering. A session needs five methods: `data`, `eof`,
`closed`, `expired`, `shutdown`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from asgi_lab.server.alive import Alive
from asgi_lab.server.config import Config, Fact
from asgi_lab.server.flow import Inflow, Outflow, Timer
from asgi_lab.server.http2_opening import first_session
from asgi_lab.server.lingering import Lingering
from asgi_lab.server.request import Request
from asgi_lab.types import ASGIApp

logger = logging.getLogger("asgi_lab.server")

Run = Callable[[ASGIApp], Awaitable[None]]
"""What calls the app for a request, and sees to it that it is answered."""


class Session(Protocol):
    """What a connection speaks."""

    def data(self, data: bytes) -> None:
        """Take bytes from the client."""

    def eof(self) -> None:
        """Note that the client sends no more; it may still read."""

    def closed(self) -> None:
        """Note that the connection is gone."""

    def expired(self, what: str) -> None:
        """Do what is to be done when something took too long."""

    def shutdown(self) -> None:
        """Finish what is going on, and begin nothing: the server wants to end."""


class Connection(asyncio.Protocol):
    """One client's connection, from its opening to its end."""

    session: Session
    transport: asyncio.Transport

    def __init__(self, number: int, config: Config, alive: Alive) -> None:
        self.number = number
        self.config = config
        self._alive = alive
        self._loop = asyncio.get_running_loop()
        self._observe = config.observe
        self._closing = False
        self._all_heard = False
        self._all_said = False
        self._stalled: asyncio.TimerHandle | None = None
        self._unsent = 0
        self.outflow = Outflow()
        self.inflow = Inflow(config.limits.unread, self._pause_reading, self._resume_reading)
        self.timer = Timer(self._loop, self._expired)

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: a client has connected."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one only in fact
        self.transport.set_write_buffer_limits(high=self.config.limits.unsent)
        self._alive.add(self)
        self.client = address(transport.get_extra_info("peername"))
        self.server = address(transport.get_extra_info("sockname"))
        self.secure = transport.get_extra_info("sslcontext") is not None
        self.tell("open", self.client)
        self.session = first_session(self)
        if self._alive.ending:
            self.shutdown()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        self.tell("bytes in", data)
        self.session.data(data)

    def eof_received(self) -> bool:
        """Note that the client sends no more; return whether to stay open (TLS has no half)."""
        self.tell("end of bytes in", None)
        self._all_heard = True
        self.session.eof()
        return not self.secure

    def connection_lost(self, error: Exception | None) -> None:
        """End: the connection is gone, by whichever side."""
        self.tell("close", error)
        self._closing = True
        self.timer.stop()
        self._stop_watching()
        self.outflow.close()
        self.session.closed()
        self._alive.discard(self)

    def pause_writing(self) -> None:
        """Let the app wait: the client is slow, and too much is unsent."""
        self.tell("pause writing", None)
        self.outflow.pause()
        self._watch_sending()

    def resume_writing(self) -> None:
        """Let it go on: enough has been sent."""
        self.tell("resume writing", None)
        self.outflow.resume()
        if self._closing or self._all_said:
            self._watch_sending()  # the last of it is awaited, too
        else:
            self._stop_watching()

    # What a session asks for.

    def write(self, data: bytes, stream: int = 0) -> None:
        """Send bytes, as soon as the client takes them."""
        if data and not self._closing:
            self.tell("bytes out", data, stream)
            self.transport.write(data)
            if self.transport.is_closing():
                # The client has reset the connection, and nothing will be too much any more. An app
                # that only sends would never let the loop come to tell us.
                self.outflow.close()

    def close(self) -> None:
        """Close as soon as everything is sent."""
        if not self._closing:
            self._closing = True
            self.timer.stop()
            self.transport.close()
            self._watch_sending()

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        self._closing = True
        self.timer.stop()
        self.transport.abort()

    def linger(self) -> None:
        """Close, but read on for a while; see `lingering`."""
        if self._closing:
            return
        if self._all_heard or not self.transport.can_write_eof():
            self.close()
            return
        self.session = Lingering(self)
        self.inflow.holds(0)
        try:
            self.transport.write_eof()
        except OSError:  # the client has reset the connection, which will be told in a moment
            self.abort()
            return
        self._all_said = True
        self._watch_sending()
        self.timer.start("the client to close", self.config.limits.linger_seconds)

    def call(self, run: Run, name: str, stream: int = 0) -> None:
        """Let the app run as a task of this connection."""
        self._alive.start(self._call(run, stream), name)

    async def _call(self, run: Run, stream: int) -> None:
        # Told inside of the task, so that an observer's context variable reaches the app.
        self.tell("app", None, stream)
        await run(self.config.app)

    def tell(self, name: Fact, data: Any, stream: int = 0) -> None:
        """Tell the observer. One that raises is not asked again: it must not harm the client."""
        if self._observe is not None:
            try:
                self._observe(self.number, name, data, stream)
            except Exception:
                self._observe = None
                logger.exception("the observer of a connection raised, and is told no more")

    def facts(self, request: Request) -> dict[str, Any]:
        """Return what a scope says of its connection."""
        proxies, host = self.config.proxies, self.client[0] if self.client else ""
        real = proxies.client(request, host)
        client = self.client if real == host else (real, 0)
        scheme = proxies.scheme(request, host, "https" if self.secure else "http")
        facts: dict[str, Any] = {"scheme": scheme, "client": client, "server": self.server}
        if self.config.state is not None:
            facts["state"] = self.config.state.copy()
        return facts

    def shutdown(self) -> None:
        """Finish what is going on, and begin nothing: the server wants to end."""
        self.session.shutdown()

    # Patience.

    def _expired(self, what: str) -> None:
        if self._all_said and self.transport.get_write_buffer_size():
            # It still reads what was said; the time to close begins after that.
            self.timer.start(what, self.config.limits.linger_seconds)
            return
        self.tell("time out", what)
        self.session.expired(what)

    def _pause_reading(self) -> None:
        if not self._closing:
            self.tell("pause reading", None)
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._closing:
            self.tell("resume reading", None)
            self.transport.resume_reading()

    def _watch_sending(self) -> None:
        """Break off in a while, if the client takes nothing of what is unsent until then."""
        self._stop_watching()
        seconds = self.config.limits.send_seconds
        self._unsent = self.transport.get_write_buffer_size()
        if seconds is not None and self._unsent:
            self._stalled = self._loop.call_later(seconds, self._check_sending)

    def _check_sending(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._watch_sending()
        else:
            self.tell("time out", "the client to read")
            self.abort()

    def _stop_watching(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def address(name: Any) -> tuple[str, int | None] | None:
    """Return a socket's name as ASGI says it: host and port, or a path and None; or None.

    >>> address(("::1", 80, 0, 0)), address("/run/app.sock"), address("")
    (('::1', 80), ('/run/app.sock', None), None)
    """
    if isinstance(name, bytes):  # an abstract Unix socket
        name = name.decode(errors="replace")
    if isinstance(name, str):
        return (name, None) if name else None
    return (name[0], name[1]) if name else None
