"""A server of a few lines, in this process: it calls an app and notes all that a server can see.

    journal = observe(app, http("/"), [request(b"")])

Two runs of one app are equal for a server if their journals are equal.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

Message = Any
App = Callable[..., Any]
Journal = list[tuple[Any, ...]]


def http(path: str = "/", method: str = "GET", headers: Any = (), **more: Any) -> dict[str, Any]:
    """An HTTP scope as servers give it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "headers": [(b"host", b"test"), *headers],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 80),
        "state": {},
        "extensions": {},
        **more,
    }


def websocket(path: str = "/", **more: Any) -> dict[str, Any]:
    """A WebSocket scope as servers give it."""
    scope = http(path, subprotocols=[], **more)
    del scope["method"]
    return {**scope, "type": "websocket", "scheme": "ws"}


def lifespan() -> dict[str, Any]:
    """A lifespan scope as servers give it."""
    return {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}


def request(body: bytes = b"", more: bool = False) -> Message:
    """One part of a request's body."""
    return {"type": "http.request", "body": body, "more_body": more}


CONNECT = {"type": "websocket.connect"}
GONE = {"type": "http.disconnect"}
STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}


def text(data: str) -> Message:
    """A text message of a WebSocket client."""
    return {"type": "websocket.receive", "text": data}


class Server:
    """What a server does for one connection. What it sees is in `journal`, in order.

    `receive` hands out `incoming`, one message a call, then waits for the end of the response, and
    says that the client left; an exception among them is raised. `send` raises `refuse` at the
    message of that number, and lets go of each message only after `slow` turns of the event loop.
    """

    def __init__(
        self, incoming: Iterable[Any], refuse: dict[int, BaseException] | None = None, slow: int = 0
    ) -> None:
        self.incoming = list(incoming)
        self.refuse = refuse or {}
        self.slow = slow
        self.journal: Journal = []
        self.sent: list[Message] = []
        self.gave: list[Message] = []
        self.answered = asyncio.Event()

    async def receive(self) -> Message:
        self.journal.append(("asked",))
        await asyncio.sleep(0)
        if not self.incoming:
            try:
                await self.answered.wait()
            except asyncio.CancelledError:
                self.journal.append(("no longer asked",))
                raise
            return GONE
        message = self.incoming.pop(0)
        if isinstance(message, BaseException):
            raise message
        self.gave.append(message)
        return message

    async def send(self, message: Message) -> None:
        self.journal.append(("sent", repr(message)))
        self.sent.append(message)
        for _ in range(self.slow):
            await asyncio.sleep(0)
        if error := self.refuse.get(len(self.sent) - 1):
            raise error
        self.journal.append(("let go",))
        if is_last(message):
            self.answered.set()

    async def call(self, app: App, scope: Any) -> Any:
        """Call the app, note how it ended, and return that exception or result."""
        try:
            result = await app(scope, self.receive, self.send)
        except BaseException as error:
            self.journal.append(("raised", type(error), str(error)))
            return error
        self.journal.append(("returned", result))
        return result


def is_last(message: Message) -> bool:
    """Whether a message ends an HTTP response."""
    return (
        type(message) is dict
        and type(message.get("type")) is str
        and message["type"] == "http.response.body"
        and type(message.get("body")) is bytes
        and message.get("more_body", False) is False
    )


def observe(app: App, scope: Any, incoming: Iterable[Any] = (), **behaviour: Any) -> Journal:
    """Call the app once, and return what the server saw."""
    server = Server(incoming, **behaviour)

    async def main() -> None:
        ending = await server.call(app, scope)
        if isinstance(ending, asyncio.CancelledError):
            return
        if isinstance(ending, BaseException) and not isinstance(ending, Exception):
            server.journal.append(("was no Exception",))

    asyncio.run(main())
    return server.journal


def get(app: App, path: str = "/", headers: Any = (), **more: Any) -> tuple[int, bytes]:
    """One GET request: its status and body."""
    server = Server([request()])
    asyncio.run(server.call(app, http(path, headers=headers, **more)))
    return answer(server)


def answer(server: Server) -> tuple[int, bytes]:
    """The status and the body that an app has sent."""
    starts = [m["status"] for m in server.sent if m["type"] == "http.response.start"]
    return starts[0], b"".join(m.get("body", b"") for m in server.sent)


async def until(condition: Callable[[], Any]) -> None:
    """Let everything else run until something is so: it is asked at every turn of the loop."""
    while not condition():
        await asyncio.sleep(0)
