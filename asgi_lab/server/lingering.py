"""What a connection speaks last: nothing, while it waits for the client to have read the answer.

A client may be sending its next request when the server closes. To close with bytes unread resets
the connection, and the client may lose an answer that it has not read yet. So the server ends its
own side first, and hears the other out, for a while (RFC 9112, section 9.6).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asgi_lab.server.connection import Connection


class Lingering:
    """Says nothing, hears nothing, and waits for the client to close."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    def data(self, data: bytes) -> None:
        """Drop it."""

    def eof(self) -> None:
        """Close as well."""
        self._connection.close()

    def expired(self, what: str) -> None:
        """Wait no longer."""
        self._connection.abort()

    def closed(self) -> None:
        """Do nothing more."""

    def shutdown(self) -> None:
        """Go on: it takes but a moment."""
