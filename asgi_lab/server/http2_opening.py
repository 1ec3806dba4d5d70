"""Which HTTP a client speaks: told by TLS, or by how it begins (RFC 9113, section 3).

Over TLS both sides agree by name (ALPN). Without, a client that knows already that it may speak
HTTP/2 begins with a preface, which is no request of HTTP/1; all others speak HTTP/1, which has no
way to change to HTTP/2 any more (section 3.1).
"""

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

from asgi_lab.server.http2_frames import PREFACE
from asgi_lab.server.http_session import HttpSession

if TYPE_CHECKING:
    from asgi_lab.server.connection import Connection, Session

logger = logging.getLogger("asgi_lab.server")


def protocols() -> list[str]:
    """Return the names to offer in TLS, the best one first; HTTP/2 only if h2 is installed."""
    return [*(["h2"] if installed() else []), "http/1.1"]


def installed() -> bool:
    """Return whether HTTP/2 can be spoken."""
    return find_spec("h2") is not None


def first_session(connection: "Connection") -> "Session":
    """Return what a new connection speaks."""
    agreed = connection.transport.get_extra_info("ssl_object")
    if agreed is None:
        return Opening(connection)
    if agreed.selected_alpn_protocol() == "h2" and can_speak():
        return http2(connection)
    return HttpSession(connection)


def can_speak() -> bool:
    """Return whether HTTP/2 can be spoken; if not, say to the log what is missing."""
    if not installed():
        logger.warning("a client speaks HTTP/2, which needs h2: pip install 'asgi-lab[http2]'")
        return False
    return True


def http2(connection: "Connection") -> "Session":
    """Return a session of HTTP/2. h2 is imported only here, where it is needed."""
    from asgi_lab.server.http2_session import Http2Session

    return Http2Session(connection)


class Opening:
    """HTTP/1, until it is known to be HTTP/2: holds back what could still be a preface."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._http1 = HttpSession(connection)
        self._held = b""

    def data(self, data: bytes) -> None:
        """Take bytes from the client, and hand them to whom they are for."""
        held = self._held + data
        if not PREFACE.startswith(held[: len(PREFACE)]):
            self._decide(self._http1, held)
        elif len(held) < len(PREFACE):
            self._held = held
        elif can_speak():
            self._decide(http2(self._connection), held)
        else:
            self._decide(self._http1, held)

    def eof(self) -> None:
        """Note that the client sends no more."""
        self._decide(self._http1, self._held)
        self._connection.session.eof()

    def closed(self) -> None:
        """Note that the connection is gone."""
        self._http1.closed()

    def expired(self, what: str) -> None:
        """Note that the client took too long."""
        self._decide(self._http1, self._held)
        self._connection.session.expired(what)

    def shutdown(self) -> None:
        """Close: nothing has begun."""
        self._http1.shutdown()

    def _decide(self, session: "Session", held: bytes) -> None:
        self._connection.session = session
        if held:
            session.data(held)
