"""What goes wrong, as exceptions: raised anywhere, answered in one place (`middleware.errors`).

Three are conversations that end: `HTTPError` says what to answer; `ClientDisconnect` and
`WebSocketDisconnect` say that nobody is left to answer.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any


class HTTPError(Exception):
    """Answer with this status, and with `detail`: a sentence, or anything that JSON holds."""

    def __init__(
        self, status: int, detail: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.detail = phrase(status) if detail is None else detail
        self.headers = dict(headers or {})
        super().__init__(f"{status} {self.detail}")


class ClientDisconnect(OSError):
    """The HTTP client has left: there is nothing more to receive, and nobody to send to."""


class WebSocketDisconnect(Exception):
    """The WebSocket is closed, with this code and reason (RFC 6455, section 7.4)."""

    def __init__(self, code: int = 1005, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"closed with {code}" + (f": {reason}" if reason else ""))


def phrase(status: int) -> str:
    """Return what a status is called; empty for one that has no name."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
