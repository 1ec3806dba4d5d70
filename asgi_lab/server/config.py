"""What a server is told once, and every connection needs."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal

from asgi_lab.server.limits import Limits
from asgi_lab.server.proxies import Proxies
from asgi_lab.server.request import Headers
from asgi_lab.types import ASGIApp

Fact = Literal[
    "open",  # a client has connected; its address
    "bytes in",  # those bytes
    "end of bytes in",  # the client sends no more
    "bytes out",  # those bytes
    "event",  # what the bytes in mean: an event of `http11`, `http2` or `websocket`
    "app",  # the app is called next, in this very task and context
    "pause reading",  # too much is unread: the client will have to wait
    "resume reading",
    "pause writing",  # too much is unsent: the app's `send` waits
    "resume writing",
    "time out",  # patience has run out; what was waited for
    "close",  # the connection is gone; the error, if it was one
]
Observe = Callable[[int, Fact, Any, int], object]
"""Called with a connection's number, what happened there, and the bytes, event or words of it; and
with the number of HTTP/2's stream, which is 0 for the connection as a whole."""


@dataclass(slots=True, kw_only=True)
class Config:
    """How to serve. `state` is what the app's lifespan leaves for its requests."""

    app: ASGIApp
    limits: Limits = field(default_factory=Limits)
    root_path: str = ""
    proxies: Proxies = field(default_factory=Proxies)
    server_header: bool = True
    date_header: bool = True
    observe: Observe | None = None
    state: dict[str, Any] | None = None
    _second: int = field(default=-1, init=False)
    _headers: Headers = field(default_factory=list, init=False)

    def default_headers(self) -> Headers:
        """Return the headers that a response has unless the app gives its own."""
        now = int(time.time())
        if now != self._second:
            self._second, self._headers = now, []
            if self.date_header:  # RFC 9110, section 6.6.1
                self._headers.append((b"date", formatdate(now, usegmt=True).encode()))
            if self.server_header:
                self._headers.append((b"server", b"asgi-lab"))
        return self._headers
