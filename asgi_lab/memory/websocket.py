"""One WebSocket, as Uvicorn serves it with wsproto. No frames are parsed: there is no wire.

ASGI's WebSocket sub-specification 2.4, with its denial responses. What the client sends in one go
arrives together; while the app has a message to take, the server reads no more (`_reading_paused`).
"""

import asyncio
import logging
from typing import NamedTuple

from asgi_lab.client.result import Progress
from asgi_lab.memory.answer import answer_head
from asgi_lab.memory.channel import Channel
from asgi_lab.memory.http import APOLOGY
from asgi_lab.types import ASGIApp, Message, Scope

log = logging.getLogger("asgi_lab.memory")

CLOSE_TIMEOUT = 10.0  # seconds that a client may take to agree to the app's close


class CloseFrame(NamedTuple):
    """What ends a conversation, from either side."""

    code: int
    reason: str | None = None


Data = str | bytes
Frame = Data | CloseFrame | None
"""What a client sends; None: it has vanished."""


class ClientDisconnected(OSError):
    """The client has gone: what `send` raises from then on (specification 2.4)."""


class WebSocket:
    """One conversation, from the server's side."""

    def __init__(self, scope: Scope, progress: Progress) -> None:
        self.scope = scope
        self.progress = progress
        self.channel: Channel[Data | CloseFrame] = Channel(self._lost)
        self.refused = False
        """The app has said no, to the end."""
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._decision: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._incoming: list[Frame] = []
        self._reading = False
        self._reading_paused = False
        self._shaken = False
        """The handshake is over, one way or another."""
        self._refusing = False
        self._close_sent = False
        self._closed_by_client = False
        self._disconnected = False
        self._close_timer: asyncio.TimerHandle | None = None
        self._events.put_nowait({"type": "websocket.connect"})

    # ---- what its client does ------------------------------------------------------------------

    async def decided(self) -> bool:
        """Wait until the app accepts; False if it refuses, or leaves without a word."""
        return await self._decision

    async def refusal(self, most: int | None) -> bytes | None:
        """Return a piece of the refusal's body; None at its end."""
        piece = await self.channel.read(most)
        return piece if isinstance(piece, bytes) else None

    def push(self, frame: Frame) -> None:
        """Let a frame arrive from the client."""
        self._incoming.append(frame)
        self._read_soon()

    def vanish(self) -> None:
        """Let the client vanish; the server notices when it reads or writes next."""
        self.channel.vanish()
        self.push(None)

    # ---- what the server does ------------------------------------------------------------------

    async def run(self, app: ASGIApp) -> None:
        """Call the app, and close the connection after it."""
        try:
            result = await app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            log.error("the app raised", exc_info=error)
            self._apologise()
        else:
            if not self._shaken:
                log.error("the app returned without answering the handshake")
                self._apologise()
            elif result is not None:
                log.error("the app returned %r, not None", result)
        if self._close_timer is None:
            self._close()

    def shutdown(self) -> None:
        """Close because the server goes: 1012, or 500 before the handshake."""
        if self._close_sent:
            self._stop_timer()
        elif self._shaken and not self._refusing:
            self._disconnect(1012)
            self.channel.write(CloseFrame(1012))
        else:
            self._apologise()
        self._close()

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        message = await self._events.get()
        if self._reading_paused and self._events.empty():
            self._reading_paused = False
            self._read_soon()
        return message

    async def send(self, message: Message) -> None:
        """ASGI's `send`: waits while the client is slow; raises ClientDisconnected once it is gone.

        Raises RuntimeError for a message that cannot come now.
        """
        if self.channel.paused:
            await self.channel.drain()
        if self._disconnected:
            raise ClientDisconnected
        kind = message["type"]
        if not self._shaken:
            self._decide(kind, message)
        elif self._refusing:
            self._refuse_on(kind, message)
        elif self._close_sent:
            raise RuntimeError(f"{kind} after the WebSocket was closed")
        elif kind == "websocket.send":
            self._write(message)
        elif kind == "websocket.close":
            self._close_by_app(message.get("code", 1000), message.get("reason", "") or "")
        else:
            raise RuntimeError(f"expected websocket.send or websocket.close, got {kind}")

    def _decide(self, kind: str, message: Message) -> None:
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._disconnect(1006)
            self._shaken = self._close_sent = self.refused = True
            self.progress.head(403, (("content-length", "0"),))
            self._close()
        elif kind == "websocket.http.response.start":
            status, headers = message["status"], list(message["headers"])
            if not 100 <= status < 600:
                raise RuntimeError(f"{status} is no HTTP status")
            self._shaken = True
            self.progress.head(status, answer_head("GET", False, status, headers).headers)
            self._refusing = True
        else:
            raise RuntimeError(
                "expected websocket.accept, websocket.close or websocket.http.response.start,"
                f" got {kind}"
            )

    def _accept(self, message: Message) -> None:
        if self.channel.closing or self.channel.gone:
            return
        self._shaken = True
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and subprotocol not in self.scope["subprotocols"]:
            raise _unsendable(f"the client has not offered {subprotocol!r}")
        fields = [(bytes(name), bytes(value)) for name, value in message.get("headers", [])]
        self.progress.subprotocol = subprotocol
        self.progress.head(
            101, tuple((n.lower().decode("latin-1"), v.decode("latin-1")) for n, v in fields)
        )
        if not self._decision.done():  # who asked may have hung up
            self._decision.set_result(True)

    def _refuse_on(self, kind: str, message: Message) -> None:
        if kind != "websocket.http.response.body":
            raise RuntimeError(f"expected websocket.http.response.body, got {kind}")
        if self.refused:
            raise _unsendable("the refusal was complete")
        if message["body"]:
            self.channel.write(message["body"])
        if not message.get("more_body", False):
            self._disconnect(1006)
            self._close_sent = self.refused = True
            self._close()

    def _write(self, message: Message) -> None:
        data = message.get("text") if message.get("bytes") is None else message.get("bytes")
        if not isinstance(data, str | bytes | bytearray | memoryview):
            raise TypeError(f"a message is text or bytes, got {data!r}")
        if self._closed_by_client:
            raise ClientDisconnected
        self.channel.write(data if isinstance(data, str | bytes) else bytes(data))

    def _close_by_app(self, code: int, reason: str) -> None:
        self._close_sent = True
        self._disconnect(code, reason)
        if self._closed_by_client:
            raise ClientDisconnected
        self.channel.write(CloseFrame(code, reason))
        if not self.channel.closing:
            self._reading_paused = False
            self._read_soon()
            loop = asyncio.get_running_loop()
            self._close_timer = loop.call_later(CLOSE_TIMEOUT, self._close)

    def _apologise(self) -> None:
        if not self._shaken and not self._refusing:
            kind = ("content-type", "text/plain; charset=utf-8")
            length = ("content-length", str(len(APOLOGY)))
            self.progress.head(500, (kind, ("connection", "close"), length))
            self.refused = True
            self.channel.write(APOLOGY)

    def _disconnect(self, code: int, reason: str | None = None) -> None:
        message: Message = {"type": "websocket.disconnect", "code": code}
        if reason is not None:
            message["reason"] = reason
        self._events.put_nowait(message)

    def _close(self) -> None:
        self.channel.close()
        if not self._decision.done():
            self._decision.set_result(False)

    # ---- what comes in -------------------------------------------------------------------------

    def _read_soon(self) -> None:
        if self._incoming and not self._reading and not self._reading_paused:
            self._reading = True
            asyncio.get_running_loop().call_soon(self._read)

    def _read(self) -> None:
        self._reading = False
        frames, self._incoming = self._incoming, []
        for frame in frames:
            if frame is None:
                self.channel.lose()
            elif self.channel.closing:
                continue
            elif isinstance(frame, CloseFrame):
                self._close_by_client(frame)
            elif not self._close_sent:
                key = "text" if isinstance(frame, str) else "bytes"
                self._events.put_nowait({"type": "websocket.receive", key: frame})
                self._reading_paused = True

    def _close_by_client(self, frame: CloseFrame) -> None:
        if self._close_sent:  # it agrees
            self._stop_timer()
        else:
            self._closed_by_client = True
            self.channel.write(frame)
            self._disconnect(frame.code, frame.reason)
        self._close()

    def _stop_timer(self) -> None:
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None

    def _lost(self) -> None:
        self._disconnect(1005 if self._shaken else 1006)
        self._shaken = self._disconnected = True
        self._stop_timer()
        if not self._decision.done():
            self._decision.set_result(False)


def _unsendable(why: str) -> Exception:
    """Return what wsproto would raise; it is loaded for that alone."""
    from wsproto.utilities import LocalProtocolError

    return LocalProtocolError(why)
