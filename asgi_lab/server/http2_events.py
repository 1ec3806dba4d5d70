"""What can happen on a connection of HTTP/2, beside what happens to any request.

Each comes with the number of its stream; 0 is the connection itself.
"""

from dataclasses import dataclass

from asgi_lab.server.request import Body, EndOfBody, Refused, Request


@dataclass(frozen=True, slots=True)
class Reset:
    """The stream has ended before its time; `remote` if it was the client who ended it."""

    code: int
    remote: bool


@dataclass(frozen=True, slots=True)
class Window:
    """More may be sent: on this stream, or on all (stream 0)."""


@dataclass(frozen=True, slots=True)
class GoAway:
    """The client begins no more streams (on stream 0)."""

    code: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The client broke a rule: it has been told, and the connection is to close (on stream 0)."""

    code: int
    reason: str


Event = Request | Body | EndOfBody | Refused | Reset | Window | GoAway | Broken
