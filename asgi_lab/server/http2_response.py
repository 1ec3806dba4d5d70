"""A response of HTTP/2: its head, as it goes to the client (RFC 9113, section 8.3.2).

There is no chunked coding: a body ends where its stream does. So a body of unknown length is as
good as any other, and there is nothing to close afterwards.
"""

from typing import Any

from asgi_lab.server.http2_request import OF_CONNECTION
from asgi_lab.server.request import Headers
from asgi_lab.server.response import Response


class StreamResponse(Response):
    """One response; the stream sends its bytes."""

    head: Headers | None = None
    """What is still to be sent before the body."""

    def start(self, status: int, headers: Any, defaults: Headers | None = None) -> None:
        """Begin; what HTTP/1 says of its connection is left out. Raises `InvalidMessage`."""
        fields = self.fields(status, headers, defaults or [], OF_CONNECTION)
        self.head = [(b":status", b"%d" % status), *fields]
