"""PEP 3333, and nothing else: call the app, pass on what it answers, close it.

    app(environ, start_response) → an iterable of bytes

The laws kept here, each with its place in PEP 3333:

- The head leaves with the first chunk that is not empty. Until then the app may still replace it,
  if it tells the error that made it do so ("Error Handling").
- Nothing is held back: each chunk is with the client before the app is asked for the next
  ("Buffering and Streaming").
- `close` is called in every case, after the last chunk ("Specification Details").
- Without a Content-Length, and with one chunk in all, the server knows the length ("Handling the
  Content-Length Header"). With one, no more than so many bytes are sent.

What an app does against the PEP is raised as `BrokenApp`, where it did it, so that the traceback
shows the line.
"""

import logging
from collections.abc import Callable, Sized
from types import TracebackType
from typing import Any

from asgi_lab.types import WSGIApp
from asgi_lab.wsgi_server.checks import BrokenApp, check_headers, check_status, content_length
from asgi_lab.wsgi_server.exchange import ClientError, Exchange, Headers

log = logging.getLogger(__name__)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
FAILED = "500 Internal Server Error"


def answer(app: WSGIApp, exchange: Exchange) -> None:
    """Have the app answer the exchange. Errors of app and client go to the log.

    What is no `Exception` (SystemExit, KeyboardInterrupt) goes on, when the client is served.
    """
    response = Response(exchange)
    try:
        response.run(app)
    except ClientError as error:
        log.info("%s: %s", response.request_line, error)
        response.abandon(error)
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            log.error("%s: the app failed", response.request_line, exc_info=own_frames(error))
        response.fail(error)
        if not isinstance(error, Exception):
            raise


class Response:
    """What the app has answered so far."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.status = ""
        """Empty until `start_response` was called."""
        self.headers: Headers = []
        self.head_sent = False
        self.ended = False
        self.sent = 0
        """Bytes of the body."""

    @property
    def request_line(self) -> str:
        """Method and path, for the log."""
        environ = self.exchange.environ
        return f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')!a}"

    @property
    def bodiless(self) -> bool:
        """Whether HTTP allows no body, whatever the app yields (RFC 9110 6.4.1)."""
        no_body = self.status[:3] in ("204", "304")
        return no_body or self.exchange.environ.get("REQUEST_METHOD") == "HEAD"

    def run(self, app: WSGIApp) -> None:
        """Call the app, send each chunk, and close what it returned."""
        body = app(self.exchange.environ, self.start)
        try:
            if body is None or isinstance(body, str | bytes):
                raise BrokenApp(f"it returned {body!r:.40}; an iterable of bytes is wanted: [body]")
            alone = isinstance(body, Sized) and len(body) == 1
            for chunk in body:
                self.send(chunk, alone)
            self.finish()
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()

    def start(
        self, status: str, response_headers: Headers, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """`start_response`: keep status and headers until the first chunk; return `write`.

        Raises `BrokenApp`; and the error in `exc_info`, if it is too late for another head.
        """
        if exc_info is not None:
            try:
                if self.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # its traceback holds this frame, which would hold it
        elif self.status:
            raise BrokenApp("it called start_response twice, the second time without exc_info")
        check_status(status)
        check_headers(response_headers)
        self.status, self.headers = status, list(response_headers)
        return self.write

    def write(self, data: bytes) -> None:
        """Send some of the body from inside the app, as old ones do (PEP 3333, "write")."""
        check_chunk(data)
        if self.ended:
            raise BrokenApp("it called write after the end of the answer")
        self._send_head(None)
        self._send_body(data)

    def send(self, chunk: bytes, alone: bool) -> None:
        """Send what the app yielded; `alone` if it is all that it will yield."""
        check_chunk(chunk)
        if not self.status:
            raise BrokenApp("it yielded a chunk before it called start_response")
        if chunk:
            self._send_head(len(chunk) if alone else None)
            self._send_body(chunk)

    def finish(self) -> None:
        """All was yielded. Raises `BrokenApp` if something is missing."""
        if not self.status:
            raise BrokenApp("it never called start_response")
        promised = content_length(self.headers)
        if promised is not None and self.sent < promised and not self.bodiless:
            raise BrokenApp(f"it promised {promised} bytes (Content-Length), and sent {self.sent}")
        self._send_head(0)
        self._end()

    def fail(self, error: BaseException) -> None:
        """Answer 500 if the client has no head yet; otherwise cut the answer off."""
        if self.head_sent:
            self.abandon(error)
            return
        text = FAILED.encode()
        self.status = FAILED
        self.headers = [("Content-Type", "text/plain")]
        try:
            self._send_head(len(text))
            self._send_body(text)
            self._end()
        except ClientError as gone:
            self.abandon(gone)

    def abandon(self, error: BaseException) -> None:
        """Cut the answer off, unless it was complete (and `close` failed)."""
        if not self.ended:
            self.ended = True
            self.exchange.end(error)

    def _send_head(self, length: int | None) -> None:
        """Send the head, once; `length` is that of the whole body, in bytes, if it is known."""
        if self.head_sent:
            return
        self.head_sent = True
        if length is not None and not self.bodiless and content_length(self.headers) is None:
            self.headers.append(("Content-Length", str(length)))
        self._to_client(self.exchange.head, self.status, self.headers)

    def _send_body(self, data: bytes) -> None:
        promised = content_length(self.headers)
        allowed = data if promised is None else data[: promised - self.sent]
        self.sent += len(allowed)
        self._to_client(self.exchange.chunk, b"" if self.bodiless else allowed)
        if len(allowed) < len(data) and not self.bodiless:
            raise BrokenApp(f"it sent more than the {promised} bytes it promised (Content-Length)")

    def _end(self) -> None:
        self._to_client(self.exchange.end)
        self.ended = True

    def _to_client(self, function: Callable[..., None], *args: Any) -> None:
        """Call a part of the exchange; a broken connection there is the client's."""
        try:
            function(*args)
        except ClientError:
            raise
        except ConnectionError as error:
            raise ClientError(f"the client left ({error})") from error


def check_chunk(chunk: object) -> None:
    """Raise `BrokenApp` if a chunk is not of bytes."""
    if not isinstance(chunk, bytes):
        hint = ": encode it" if isinstance(chunk, str) else ""
        raise BrokenApp(f"it gave a chunk of type {type(chunk).__name__}; bytes are wanted{hint}")


def own_frames(error: BaseException) -> ExcInfo:
    """Return the error with its traceback from the app on, without the frames of this module."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename == __file__:
        place = place.tb_next
    return type(error), error, place or error.__traceback__
