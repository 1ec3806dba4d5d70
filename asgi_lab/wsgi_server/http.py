"""An exchange over HTTP/1.1: a request that came over a socket, and the answer that goes back."""

import io
import time
from collections.abc import Callable
from email.utils import formatdate

import h11

from asgi_lab.types import Environ
from asgi_lab.wsgi_server.connection import BadRequest, Connection
from asgi_lab.wsgi_server.exchange import Headers


class HTTPExchange:
    """One request of a connection, as the gateway sees it (`exchange.Exchange`).

    `done` is called when nothing more will be sent. `is_last` tells whether the server
    stops, and the connection with it.
    """

    def __init__(
        self,
        connection: Connection,
        environ: Environ,
        done: Callable[[], object],
        is_last: Callable[[], bool],
    ) -> None:
        self.connection = connection
        self.environ = environ
        self._done = done
        self._is_last = is_last
        self._waiting = b""
        """A head, until there is something to send it with."""
        self._begun = False
        self._body = Body(connection)
        environ["wsgi.input"] = io.BufferedReader(self._body)
        environ["wsgi.input_terminated"] = True  # it ends where the body ends: `read()` is safe

    def head(self, status: str, headers: Headers) -> None:
        """Frame the answer: by its Content-Length, in chunks, or by closing (RFC 9112 6.3)."""
        self._begun = True
        names = {name.lower() for name, _ in headers}
        lines = [(name, value.strip(" ")) for name, value in headers]
        if status.startswith("204"):  # has no body, not one of 0 bytes (RFC 9110 8.6)
            lines = [line for line in lines if line[0].lower() != "content-length"]
        if "date" not in names:
            lines.append(("Date", formatdate(time.time(), usegmt=True)))
        if self._is_last() or self.connection.holds_body_back:
            lines.append(("Connection", "close"))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]
        reason = status[4:].strip(" ").encode("latin-1")
        response = h11.Response(status_code=int(status[:3]), reason=reason, headers=raw)
        self._waiting = self.connection.http.send(response) or b""

    def chunk(self, data: bytes) -> None:
        """Send the chunk, and the head before it. Blocks while the client does not read."""
        framed = self.connection.http.send(h11.Data(data=data)) if data else b""
        self._flush(framed)

    def end(self, error: BaseException | None = None) -> None:
        """Finish, and give the connection back; or cut it."""
        self._body.ended = True  # what comes now belongs to the next request
        if error is None:
            self._flush(self.connection.http.send(h11.EndOfMessage()))
            self.connection.finish()
        elif isinstance(error, BadRequest) and not self._begun:
            self.connection.refuse(error)
        else:
            self.connection.cut()
        self._done()

    def _flush(self, more: bytes | None) -> None:
        waiting, self._waiting = self._waiting, b""
        self.connection.send(waiting + (more or b""))


class Body(io.RawIOBase):
    """The body of a request as a stream that ends where the body ends, chunked or not."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rest = b""
        self._came = 0
        self.ended = False
        """Whether nothing more will be read."""

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with what there is; block until there is something, or the end.

        Raises `ClientError` if the client leaves before the end, or sends too much.
        """
        if not self._rest and not self.ended:
            self._rest = self._connection.read()
            self.ended = not self._rest
            self._came += len(self._rest)
            if self._came > self._connection.limits.body:
                self.ended, self._rest = True, b""
                raise BadRequest(413, f"the body may have {self._connection.limits.body} bytes")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
