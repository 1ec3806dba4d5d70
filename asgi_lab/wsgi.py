"""The same for WSGI: environ, `start_response`, each chunk, `close` (PEP 3333).

A WSGI app holds its thread from the call to the last chunk. A slice (`run`, `ran`) is the app
working: its call, and each `next()` on what it returned. Between two slices the server has the
chunk: `send` when the app yields it, `sent` when the server comes back for more, which is the
server writing to a client that may be slow.

What the server can observe of the response stays as it was: its length if it has one, its `close`,
and a `wsgi.file_wrapper` is passed through whole, because servers recognise it by its type.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from asgi_lab.atoms import MAX_ITEMS, PREVIEW, Atom, Facts, atom, cut, freeze_error, freeze_headers
from asgi_lab.recorder import BATCH, Recorder
from asgi_lab.running import current
from asgi_lab.standin import StandIn
from asgi_lab.ticker import Ticker
from asgi_lab.types import Environ, StartResponse, WSGIApp

if TYPE_CHECKING:
    from asgi_lab.events import Trace

ENVIRON_KEYS = {
    "REQUEST_METHOD": "method",
    "PATH_INFO": "path",
    "SCRIPT_NAME": "root_path",
    "QUERY_STRING": "query_string",
    "SERVER_PROTOCOL": "http_version",
    "wsgi.url_scheme": "scheme",
    "wsgi.multithread": "multithread",
    "wsgi.multiprocess": "multiprocess",
}


class WSGITracer(StandIn):
    """A WSGI app that calls another and records what passes; see `asgi_lab.trace`."""

    __slots__ = ("app", "recorder", "ticker")

    def __init__(self, app: WSGIApp, recorder: Recorder) -> None:
        super().__init__(app)
        self.app = app
        self.recorder = recorder
        self.ticker = Ticker(recorder)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Call the app with this very environ and a traced `start_response`."""
        self.ticker.start()
        request = Request(self.recorder, environ)
        body = request.run(self.app, environ, request.traced_start_response(start_response))
        wrapper: Any = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            request.end("return")
            return cast(Iterable[bytes], body)
        return (SizedResponse if hasattr(body, "__len__") else Response)(body, request)

    @property
    def trace(self) -> "Trace":
        """What has been recorded so far."""
        from asgi_lab.files import snapshot

        return snapshot(self.recorder)


class Request:
    """One call of a WSGI app, as it is recorded."""

    def __init__(self, recorder: Recorder, environ: Environ) -> None:
        self.recorder = recorder
        self.door, self.task = next(recorder.connections) << 8, next(recorder.tasks)
        self._began = self.note(
            "scope", *recorder.keep(freeze_environ(environ, self.recorder.thread()))
        )
        self._ended = False

    def note(self, kind: str, *facts: Any) -> int:
        """Append a record and return its time, in nanoseconds."""
        now = self.recorder.clock()
        self.recorder.append((now, kind, self.door, self.task, *facts))
        return now

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a part of the app: one slice of its thread."""
        place = current.set((self.recorder, self.door, self.task))
        began = self.note("run")
        try:
            try:
                return function(*args)
            finally:
                self.note("ran", began)
                current.reset(place)
        except BaseException as error:
            if not isinstance(error, StopIteration):
                self.end("raise", *self.recorder.keep((freeze_error(error),)))
            raise

    def traced_start_response(self, start_response: StartResponse) -> StartResponse:
        """Return a `start_response` that notes status and headers, and traces `write`."""

        def started(*args: Any, **named: Any) -> Any:
            start = {**named, **dict(zip(("status", "headers"), args, strict=False))}
            status, headers = start.get("status"), freeze_headers(start.get("headers"))
            line = (("status", status_code(status)), ("headers", headers))
            began = self.note("send", *self.recorder.keep(("wsgi.start_response", line)))
            write = self._sending(began, start_response, *args, **named)
            return self._traced_write(write) if callable(write) else write

        return started

    def chunk(self, data: Any) -> int:
        """Note that the app yielded a chunk; return when."""
        if isinstance(data, (bytes, bytearray)):
            return self.note("send", "wsgi.chunk", "body", bytes(data[:PREVIEW]), len(data), False)
        return self.note("send", *self.recorder.keep(("wsgi.chunk", (("body", atom(data)),))))

    def end(self, kind: str, *facts: Any) -> None:
        """Note how the request ended, once."""
        if not self._ended:
            self._ended = True
            self.note(kind, self._began, *facts)
            self.recorder.drain(BATCH)

    def _traced_write(self, write: Any) -> Any:
        def written(data: bytes) -> Any:
            return self._sending(self.chunk(data), write, data)

        return written

    def _sending(self, began: int, function: Any, *args: Any, **named: Any) -> Any:
        """Call a part of the server, which sends what was noted at `began`."""
        try:
            result = function(*args, **named)
        except BaseException as error:
            self.note("sent", began, type(error).__name__)
            raise
        self.note("sent", began)
        return result


class Response(StandIn):
    """What the app returned, handed to the server chunk by chunk."""

    __slots__ = ("__body", "__chunks", "__request", "__sending")

    def __init__(self, body: Iterable[bytes], request: Request) -> None:
        super().__init__(body)
        self.__body: Any = body
        self.__chunks: Any = body
        self.__request = request
        self.__sending = 0

    def __iter__(self) -> "Response":
        self.__chunks = self.__request.run(iter, self.__body)
        return self

    def __next__(self) -> bytes:
        self.__sent()
        chunk: bytes = self.__request.run(next, self.__chunks)
        self.__sending = self.__request.chunk(chunk)
        return chunk

    def close(self) -> None:
        """Close the app's iterable, if it can be closed: the server calls this at the end."""
        self.__sent()
        close = getattr(self.__body, "close", None)
        if close is not None:
            self.__request.run(close)
        self.__request.note("close")
        self.__request.end("return")

    def __sent(self) -> None:
        if self.__sending:
            self.__request.note("sent", self.__sending)
            self.__sending = 0


class SizedResponse(Response):
    """A response with a length: a server sends a `Content-Length` for a list of one chunk."""

    __slots__ = ("__sized",)

    def __init__(self, body: Any, request: Request) -> None:
        super().__init__(body, request)
        self.__sized = body

    def __len__(self) -> int:
        return len(self.__sized)


def freeze_environ(environ: Any, thread: int) -> Facts:
    """Return the facts of an environ: what a scope would say, from PEP 3333's names.

    `thread` is the number of the thread that calls the app.
    """
    try:
        pairs: list[tuple[str, Atom]] = [
            (key, atom(environ[name])) for name, key in ENVIRON_KEYS.items() if name in environ
        ]
        headers = [
            (name[5:].replace("_", "-").lower(), cut(value))
            for name, value in environ.items()
            if name.startswith("HTTP_") and isinstance(value, str)
        ]
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if value := environ.get(name):
                headers.append((name.replace("_", "-").lower(), cut(value)))
        client = (environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT"))
        pairs.append(("client", atom(client)))
        pairs.append(("thread", thread))
        pairs.append(("headers", tuple(headers[:MAX_ITEMS])))
        return ("wsgi", tuple(pairs))
    except Exception as error:
        return ("wsgi", (("unreadable", type(error).__name__),))


def status_code(status: Any) -> Atom:
    """Return the number in a status line such as `200 OK`; a broken one is kept as it is.

    >>> status_code("404 Not Found")
    404
    """
    try:
        return int(status[:3])
    except Exception:
        return atom(status)
