"""The door: new clients come in here, known ones wait here between two requests.

A worker's time is dear, so nobody takes it who has not yet said what he wants: `accept` waits for
all of them at once, and returns when one has sent the whole head of a request. A client that is
slow to ask, or has nothing to ask at present, costs a descriptor and no worker.

`accept` takes one request at a time, because what it does not take is free for others: whoever
shares the listening socket, in this process or another.
"""

import errno
import itertools
import logging
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Container
from functools import partial

from asgi_lab.wsgi_server.bell import Bell
from asgi_lab.wsgi_server.connection import Connection
from asgi_lab.wsgi_server.environ import environ_of
from asgi_lab.wsgi_server.http import HTTPExchange
from asgi_lab.wsgi_server.limits import DEFAULT, Limits

log = logging.getLogger(__name__)

OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class Door:
    """Where exchanges come from. `accept` is called by one thread at a time, the rest by any.

    `lifeline`: a socket whose end means that the door is to be closed.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        multithread: bool = False,
        multiprocess: bool = False,
        limits: Limits = DEFAULT,
        lifeline: socket.socket | None = None,
    ) -> None:
        self.limits = limits
        self.closing = False
        self.inside: set[Connection] = set()
        """Clients with a request that a worker has taken."""
        self._listener = listener
        self._served = {"wsgi.multithread": multithread, "wsgi.multiprocess": multiprocess}
        self._waiting: dict[Connection, float] = {}
        """Clients at the door, and when (monotonic, s) they are sent away; the first one first."""
        self._back: deque[Connection] = deque()
        """Clients that come back from a worker."""
        self._bell = Bell()
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)  # another process may be quicker
        self._watch(listener, self._welcome)
        self._watch(self._bell, self._take_back)
        if lifeline is not None:
            self._watch(lifeline, self.close)

    def accept(self) -> HTTPExchange | None:
        """Wait for the next request. None: the door is closed."""
        while not self.closing:
            first = next(iter(self._waiting.values()), None)
            patience = None if first is None else max(0.0, first - time.monotonic())
            ready = [key for key, _ in self._selector.select(patience)]
            self._send_away({key.fileobj for key in ready})
            for key in ready:
                exchange: HTTPExchange | None = key.data()
                if exchange is not None:
                    return exchange
        return None

    def close(self) -> None:
        """Let nobody in any more; who is inside may finish. Safe in a signal handler."""
        self.closing = True
        self._bell.ring()

    def cut_off(self) -> None:
        """End the conversation with everybody inside: sending to them and reading now fail."""
        for connection in list(self.inside):
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has left

    def dispose(self) -> None:
        """Close all that was opened here, when no worker is left."""
        for connection in (*self._waiting, *self._back, *self.inside):
            connection.sock.close()
        self._selector.close()
        self._bell.close()

    def _watch(self, thing: object, then: Callable[[], HTTPExchange | None]) -> None:
        self._selector.register(thing, selectors.EVENT_READ, then)  # type: ignore[arg-type]

    def _welcome(self) -> HTTPExchange | None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None  # another process was quicker, or the client changed its mind
        except OSError as error:
            if error.errno not in OUT_OF_DESCRIPTORS:
                raise
            log.error("no descriptor is left for another client: they have to wait")
            time.sleep(0.1)
            return None
        return self._admit(Connection(sock, self.limits))

    def _take_back(self) -> HTTPExchange | None:
        self._bell.hush()
        try:
            connection = self._back.popleft()
        except IndexError:
            return None
        if self._back:
            self._bell.ring()
        return self._admit(connection)

    def _admit(self, connection: Connection) -> HTTPExchange | None:
        """Wait for what a client has to say; he may have said it already."""
        connection.sock.setblocking(False)
        self._waiting[connection] = time.monotonic() + self.limits.keep_alive
        hear = partial(self._hear, connection)
        self._watch(connection.sock, hear)
        return hear()

    def _hear(self, connection: Connection) -> HTTPExchange | None:
        try:
            request = connection.hear()
            if request is None:
                return None
            names = connection.sock.getsockname(), connection.sock.getpeername()
        except OSError:
            self._forget(connection).sock.close()
            return None
        self._forget(connection).sock.settimeout(self.limits.patience)
        self.inside.add(connection)
        environ = {**environ_of(request, *names), **self._served}
        return HTTPExchange(
            connection, environ, partial(self._done, connection), lambda: self.closing
        )

    def _done(self, connection: Connection) -> None:
        """Take a client back from a worker, unless its connection was cut."""
        self.inside.discard(connection)
        if connection.sock.fileno() >= 0:
            self._back.append(connection)
            self._bell.ring()

    def _forget(self, connection: Connection) -> Connection:
        self._selector.unregister(connection.sock)
        del self._waiting[connection]
        return connection

    def _send_away(self, heard: Container[object]) -> None:
        """Close the connections of those who have waited too long; they are the first ones.

        But not of those who are heard only now, because no worker was at the door before.
        """
        now = time.monotonic()
        late = itertools.takewhile(lambda item: item[1] <= now, self._waiting.items())
        for connection in [connection for connection, _ in late]:
            if connection.sock not in heard:
                self._forget(connection).sock.close()
