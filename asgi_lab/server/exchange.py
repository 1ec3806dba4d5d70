"""One request and its response, as an app sees them: `receive` and `send` (ASGI "HTTP").

    idle ── http.response.start ──▶ started ── first body ──▶ sending ── last body ──▶ complete

The head of a response waits for the first part of its body (ASGI "Response Start"): until then an
app may still fail, and the client gets an honest 500.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from asgi_lab.server.calling import call_app
from asgi_lab.server.failures import InvalidMessage
from asgi_lab.server.flow import ClientDisconnected
from asgi_lab.server.response import checked_body
from asgi_lab.types import ASGIApp, Message, Scope

if TYPE_CHECKING:
    from asgi_lab.server.http_session import HttpSession

logger = logging.getLogger("asgi_lab.server")

DISCONNECT = "http.disconnect"
START, BODY = "http.response.start", "http.response.body"
EXPECTED = {"idle": START, "started": BODY, "sending": BODY}
"""What an app may send, in each state but the last, in which all is ignored."""


class Exchange:
    """The app's side of a request. The session tells it what comes from the client."""

    def __init__(self, session: "HttpSession", scope: Scope) -> None:
        self.scope = scope
        self.state = "idle"
        self.waiting = bytearray()
        """The part of the body that has come, and that the app has not taken."""
        self._session = session
        self._news = asyncio.Event()
        self._whole = False  # the body has come
        self._told_whole = False  # and the app knows
        self._gone = False
        self._lost = False

    # What the session tells.

    def body(self, data: bytes) -> None:
        """Take a part of the request's body."""
        self.waiting += data
        self._news.set()

    def end_of_body(self) -> None:
        """Take its end."""
        self._whole = True
        self._news.set()

    def disconnect(self) -> None:
        """Note that the client sends no more, which mostly means that it has gone."""
        self._gone = True
        self._news.set()

    def lose(self) -> None:
        """Note that the client has gone, or that nothing more may be sent to it."""
        self._lost = True
        self.disconnect()

    # What the app does.

    async def receive(self) -> Message:
        """Return what has come of the body; or, in the end, that the client has gone."""
        while True:
            cut = self._gone and not self._whole
            if cut or self._lost or self.state == "complete":
                return {"type": DISCONNECT}
            if self.waiting or (self._whole and not self._told_whole):
                return self._take_body()
            if self._gone:
                return {"type": DISCONNECT}
            self._session.body_wanted()
            self._news.clear()
            await self._news.wait()

    def _take_body(self) -> Message:
        body = bytes(self.waiting)
        self.waiting.clear()
        self._told_whole = self._whole
        self._session.body_taken()
        return {"type": "http.request", "body": body, "more_body": not self._whole}

    async def send(self, message: Message) -> None:
        """Send a part of the response, and wait while the client is slow.

        Raises `InvalidMessage` for what makes no response, `ClientDisconnected` for none to send.
        """
        if self.state == "complete":
            return
        if self._lost:
            raise ClientDisconnected
        kind = message.get("type")
        if kind != EXPECTED[self.state]:
            raise InvalidMessage(f"expected {EXPECTED[self.state]}, got {kind!r}")
        if kind == START:
            self._session.start(message)
            self.state = "started"
            logger.info("%s: %d", self, message["status"])
        else:
            self._send_body(message)
        try:
            await self._session.writable()
        except ClientDisconnected:
            if self.state != "complete":  # or else all was sent, and the connection closed
                raise

    def _send_body(self, message: Message) -> None:
        body, more = checked_body(message), bool(message.get("more_body", False))
        self._session.write(self._session.http.body(body, more))
        self.state = "sending" if more else "complete"
        if not more:
            self._news.set()  # whoever waits for more body learns that it is over
            self._session.response_complete()

    async def run(self, app: ASGIApp) -> None:
        """Call the app, and see to it that the client gets an answer."""
        try:
            returned = await call_app(app, self.scope, self.receive, self.send, str(self))
            if returned and self.state != "complete" and not self._gone:
                what = "a response" if self.state == "idle" else "completing its response"
                logger.error("%s returned without %s", self, what)
        finally:
            if self.state != "complete":
                self._session.app_failed(self)

    def __str__(self) -> str:
        return f"{self.scope['method']} {self.scope['raw_path'].decode()}"  # as sent: one line
