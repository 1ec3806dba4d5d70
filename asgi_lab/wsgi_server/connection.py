"""A client's connection: bytes on one side, the events of HTTP/1.1 (h11) on the other.

At the door it does not block: `hear` takes what has come. With a worker it does: reading waits for
the client to send, and sending waits for the client to read.
"""

import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus

import h11

from asgi_lab.wsgi_server.environ import split_target
from asgi_lab.wsgi_server.exchange import ClientError
from asgi_lab.wsgi_server.limits import Limits

BUFFER = 64 << 10
"""Bytes taken from the network at once."""


class BadRequest(ClientError):
    """The client broke HTTP, or asks for too much; `status` is the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Connection:
    """One client's socket, and where the two sides are in their conversation."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self.sock = sock
        self.limits = limits
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head)
        self.leaving = False
        """Whether all is said, and only the client's own end is waited for."""
        # A chunk leaves at once, instead of waiting for the last one to be acknowledged.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hear(self) -> h11.Request | None:
        """Take some of what has come, without blocking; return a request if its head is complete.

        One that cannot be served is answered here. Raises OSError when the client has left.
        """
        try:
            if not self.leaving and (request := self._parse()):
                return request  # it came together with the one before
            data = self.sock.recv(BUFFER)
            if not self.leaving:
                self.http.receive_data(data)
                return self._parse()
            if not data:
                raise ClientError("the client left")
        except BlockingIOError:
            pass  # there is no more at present
        except BadRequest as error:
            self.refuse(error)
        return None

    def _parse(self) -> h11.Request | None:
        """Return the next request, if it is here. What nobody read of the last one is skipped."""
        while True:
            if self.http.our_state is self.http.their_state is h11.DONE:
                self.http.start_next_cycle()
            event = self._next_event()
            if isinstance(event, h11.Request):
                check_request(event, self.limits)
                return event
            if isinstance(event, h11.ConnectionClosed):
                raise ClientError("the client left")
            if not isinstance(event, h11.Data | h11.EndOfMessage):
                return None

    def read(self) -> bytes:
        """Return some of the request's body; b"" is its end. Blocks.

        Tells a client that asked for it (`Expect: 100-continue`) to go on: now the app reads.
        Raises `ClientError` if it does not come whole.
        """
        if self.http.their_state is not h11.SEND_BODY:
            return b""
        if self.http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self.send(self.http.send(go_on))
        while (event := self._next_event()) is h11.NEED_DATA:
            try:
                self.http.receive_data(self.sock.recv(BUFFER))
            except OSError as error:
                raise ClientError(f"the client left, or sends no more ({error})") from error
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self.http.next_event()
        except h11.RemoteProtocolError as error:
            raise BadRequest(error.error_status_hint, str(error)) from error

    def send(self, data: bytes | None) -> None:
        """Send bytes; return when all of them are on their way. Raises `ClientError`.

        A client may be as slow as it likes, but not stand still: that is why this is no `sendall`,
        whose time-out is for all the bytes together.
        """
        rest = memoryview(data or b"")
        try:
            while rest:
                rest = rest[self.sock.send(rest) :]
        except OSError as error:
            raise ClientError(f"the client left, or reads no more ({error})") from error

    def refuse(self, error: BadRequest) -> None:
        """Answer a request that cannot be served, and leave."""
        status, text = HTTPStatus(error.status), f"{error}\n".encode()
        headers = [("Content-Length", str(len(text))), ("Connection", "close")]
        head = h11.Response(status_code=status, reason=status.phrase.encode(), headers=headers)
        events: Iterable[h11.Event] = (head, h11.Data(data=text), h11.EndOfMessage())
        with suppress(OSError, h11.LocalProtocolError):  # it left, or was answered before
            self.sock.send(b"".join(self.http.send(event) or b"" for event in events))
        self.leave()

    @property
    def holds_body_back(self) -> bool:
        """Whether the client still waits to be asked for the body; now it may never send it."""
        return self.http.they_are_waiting_for_100_continue

    def finish(self) -> None:
        """All is answered: leave, unless both sides want to go on."""
        if self.http.our_state is not h11.DONE:
            self.leave()

    def leave(self) -> None:
        """Say goodbye and wait for the client's: closing on what it still sends would be a reset.

        A reset can destroy the answer before the client has read it (RFC 9112 9.6).
        """
        self.leaving = True
        with suppress(OSError):  # it left first
            self.sock.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """End at once, with a reset if an end would pass for the end of the answer."""
        if self.http.their_http_version == b"1.0":
            at_once = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds
            with suppress(OSError):  # it is broken already
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.sock.close()


def check_request(request: h11.Request, limits: Limits) -> None:
    """Raise `BadRequest` for what HTTP allows, and this server does not serve."""
    lengths = [int(value) for name, value in request.headers if name == b"content-length"]
    if request.http_version not in (b"1.0", b"1.1"):
        raise BadRequest(505, "this server speaks HTTP/1.0 and HTTP/1.1")
    if request.method == b"CONNECT":
        raise BadRequest(501, "this server is no proxy")
    try:
        split_target(request.target.decode("latin-1"))
    except ValueError as error:
        raise BadRequest(400, str(error)) from error
    if lengths and any(name == b"transfer-encoding" for name, _ in request.headers):
        # Two lengths: whoever stands in between may believe the other (RFC 9112 6.1).
        raise BadRequest(400, "Content-Length and Transfer-Encoding exclude each other")
    if lengths and lengths[0] > limits.body:
        raise BadRequest(413, f"the body may have {limits.body} bytes")
