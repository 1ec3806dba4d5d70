"""The same scripts in memory and on unmodified Uvicorn over real sockets: one trace, twice.

Both are traced, and what the app was told and did must be equal, connection by connection: kind,
layer, message and its facts, and errors; the scopes, too, but for the client's port and the random
key of a WebSocket handshake. So must what the clients saw, but for `date` and `server`.

Not equal, and so not here: when things happen, how the loop was held, how a large body is cut into
pieces, and how many bytes are under way before a sender is made to wait (`test_memory.py` has the
exact number in memory; over a socket it is the kernel's affair).
"""

import asyncio
import socket
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import pytest
import uvicorn

from asgi_lab import Trace, trace
from asgi_lab.client import (
    Clients,
    Result,
    SocketDoor,
    after,
    close,
    expect,
    get,
    head,
    pause,
    perform,
    post,
    put,
    request,
    user,
    ws,
)
from asgi_lab.memory import serve
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send

QUIET = 0.05
JSON = "application/json"
KINDS = {"scope", "receive", "received", "send", "sent", "return", "raise", "cancel"}
Seen = dict[int, list[tuple[Any, ...]]]


@asynccontextmanager
async def uvicorn_door(app: ASGIApp) -> AsyncIterator[SocketDoor]:
    """Uvicorn in this very loop, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, http="h11", ws="wsproto", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        yield SocketDoor(f"http://127.0.0.1:{listener.getsockname()[1]}", quiet=QUIET)
        server.should_exit = True
        await serving


def played(
    make: Callable[[], ASGIApp], clients: Clients
) -> list[tuple[Seen, list[Result], list[Scope]]]:
    """Both doors: what was traced, what the clients saw, and the scopes."""

    async def main() -> list[tuple[Seen, list[Result], list[Scope]]]:
        both = []
        port = 0
        for over in (uvicorn_door, serve):
            scopes: list[Scope] = []
            traced = trace(noting(make(), scopes), layers=False, run=False)
            settings = {} if over is uvicorn_door else {"port": port, "quiet": QUIET}
            async with over(traced, **settings) as door:
                port = getattr(door, "port", port)
                results = await perform(door, clients, concurrency=1, timeout=10)
            both.append((facts(traced.trace), [plain(r) for r in results], masked(scopes)))
        return both

    return asyncio.run(main())


def noting(app: ASGIApp, scopes: list[Scope]) -> ASGIApp:
    async def noted(scope: Scope, receive: Receive, send: Send) -> Any:
        scopes.append({**scope, "state": dict(scope["state"])})
        return await app(scope, receive, send)

    return noted


def facts(trace: Trace) -> Seen:
    """The facts of each connection, in their order."""
    found: Seen = defaultdict(list)
    for event in trace:
        if event.kind in KINDS:
            data = {key: value for key, value in event.data.items() if key != "took"}
            if event.kind == "scope":
                data = {"type": data["type"]}  # the scopes are compared as they were
            if event.kind == "raise":
                data = {"error": data["error"]}  # in whose words, does not matter
            found[event.conn].append((event.kind, event.layer, event.type, data))
    return dict(found)


def masked(scopes: list[Scope]) -> list[Scope]:
    for scope in scopes:
        if "client" in scope:
            scope["client"] = (scope["client"][0], "any port")
            scope["headers"] = [
                (name, b"any key" if name == b"sec-websocket-key" else value)
                for name, value in scope["headers"]
            ]
    return scopes


def plain(result: Result) -> Result:
    hidden = ("date", "server")
    headers = tuple(pair for pair in result.headers if pair[0] not in hidden)
    return replace(result, headers=headers, seconds=0, first_byte=None, started=0)


# ---- apps ---------------------------------------------------------------------------------------


async def body_of(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body: bytes = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def answer(receive: Receive, send: Send) -> None:
    body = await body_of(receive)
    await send(start(201, (b"content-type", b"text/plain"), (b"x-a", b"1"), (b"x-a", b"2")))
    await send(part(b"got " + body))
    assert (await receive())["type"] == "http.disconnect"


async def sized(receive: Receive, send: Send) -> None:
    await send(start(200, (b"content-length", b"5")))
    await send(part(b"hello"))


async def stream(receive: Receive, send: Send) -> None:
    await send(start())
    for _ in range(4):
        await send(part(b"0123456789", more=True))
        await asyncio.sleep(0.01)
    await send(part())


async def endless(receive: Receive, send: Send) -> None:
    """Stream until told that nobody listens; what is sent then is thrown away."""
    await body_of(receive)
    await send(start())
    gone = asyncio.create_task(receive())
    await send(part(b"x" * 150, more=True))
    await gone
    await send(part(b"y", more=True))
    await receive()


async def waits_for_the_end(receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def raises_before(receive: Receive, send: Send) -> None:
    raise KeyError("before")


async def raises_amid(receive: Receive, send: Send) -> None:
    await send(start())
    await send(part(b"half", more=True))
    raise KeyError("amid")


async def raises_after(receive: Receive, send: Send) -> None:
    await sized(receive, send)
    raise KeyError("after")


async def returns_nothing(receive: Receive, send: Send) -> None:
    pass


async def returns_amid(receive: Receive, send: Send) -> None:
    await send(start(200, (b"content-length", b"9")))
    await send(part(b"half", more=True))


async def returns_a_value(receive: Receive, send: Send) -> int:
    return 1


async def no_content(receive: Receive, send: Send) -> None:
    await send(start(204))
    await send(part())


async def closes(receive: Receive, send: Send) -> None:
    await send(start(200, (b"connection", b"close")))
    await send(part(b"bye"))


def sends(*messages: Any) -> Callable[[Receive, Send], Any]:
    async def sending(receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return sending


async def goes_on(receive: Receive, send: Send) -> None:
    """Does what it is told not to, and catches what that raises."""
    for message in (part(), start(), start(), part(b"x"), part(b"y"), {"type": "nonsense"}):
        try:
            await send(message)
        except Exception:
            pass


SIZED = (start(200, (b"content-length", b"5")), part(b"hello", more=True))


async def goes_on_after_all(receive: Receive, send: Send) -> None:
    await body_of(receive)
    await sends(*SIZED)(receive, send)
    assert (await receive())["type"] == "http.disconnect"
    await send(part())


async def goes_on_after_two_lengths(receive: Receive, send: Send) -> None:
    two = start(200, (b"content-length", b"5"), (b"content-length", b"6"))
    for message in (two, part(b"hello", more=True), part()):
        try:
            await send(message)
        except Exception:
            pass


async def denies_in_part(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"not", "more_body": True})


async def denies_twice(receive: Receive, send: Send) -> None:
    await denies(receive, send)
    try:
        await send({"type": "websocket.http.response.body", "body": b"again"})
    except Exception:
        pass


async def accepts_and_leaves(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def echo(receive: Receive, send: Send) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept", "headers": [(b"X-Key", b"1")]})
    while (message := await receive())["type"] == "websocket.receive":
        said = {key: value for key, value in message.items() if key in ("text", "bytes")}
        if said.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4001, "reason": "as you wish"})
            assert (await receive())["type"] == "websocket.disconnect"
            return
        await send({"type": "websocket.send", **said})
    try:
        await send({"type": "websocket.send", "text": "too late"})
    except OSError:
        pass


async def picks(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "b"})
    await send({"type": "websocket.close"})


async def picks_another(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "z"})


async def refuses(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close"})
    await receive()


async def denies(receive: Receive, send: Send) -> None:
    await receive()
    headers = [(b"content-length", b"7")]
    await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"you"})
    await receive()


async def raises_at_handshake(receive: Receive, send: Send) -> None:
    raise KeyError("handshake")


async def raises_in_talk(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
    raise KeyError("talk")


async def hears_all(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def breaks_rules(receive: Receive, send: Send) -> None:
    await receive()
    for message in (
        {"type": "websocket.send", "text": "early"},
        {"type": "websocket.accept"},
        {"type": "websocket.accept"},
        {"type": "websocket.send"},
        {"type": "websocket.close"},
        {"type": "websocket.send", "text": "late"},
    ):
        try:
            await send(message)
        except Exception:
            pass


@dataclass
class Case:
    app: Callable[[Receive, Send], Any]
    clients: Any


CASES = {
    "get": Case(answer, get("/a%20b/c?x=1&y=%20", headers={"X-Key": "1", "User-Agent": "me"})),
    "post json": Case(answer, post("/", json={"a": [1, "ü"]})),
    "post nothing": Case(answer, post("/")),
    "post in chunks with pauses": Case(answer, post("/", [b"a", "b", pause(0.05), b"c"])),
    "post with a pause before and after": Case(answer, put("/", [pause(0.02), "b", pause(0.02)])),
    "head": Case(answer, head("/")),
    "head, sized": Case(sized, head("/")),
    "options": Case(sized, request("OPTIONS", "/")),
    "a stream": Case(stream, get("/")),
    "hang up after bytes": Case(endless, get("/", hang_up=after(bytes=100))),
    "hang up after seconds, unanswered": Case(
        waits_for_the_end, get("/", hang_up=after(seconds=0.05))
    ),
    "hang up amid the request": Case(
        waits_for_the_end, post("/", [b"a", pause(5), b"b"], hang_up=after(seconds=0.05))
    ),
    "a slow reader": Case(stream, get("/", read_rate=400)),
    "answered before the request is whole": Case(sized, post("/", [b"a", pause(0.1), b"b"])),
    "raises before start": Case(raises_before, get("/")),
    "raises amid": Case(raises_amid, get("/")),
    "raises after": Case(raises_after, user(get("/"), pause(0.01), get("/"))),
    "returns without answer": Case(returns_nothing, get("/")),
    "returns amid": Case(returns_amid, get("/")),
    "returns a value": Case(returns_a_value, get("/")),
    "no content": Case(no_content, get("/")),
    "the app closes": Case(closes, user(get("/"), get("/"))),
    "the client closes": Case(sized, user(get("/", headers={"connection": "close"}), get("/"))),
    "three of one user": Case(answer, user(get("/1"), pause(0.01), post("/2", "x"), get("/3"))),
    "too long": Case(sends(start(200, (b"content-length", b"1")), part(b"22")), get("/")),
    "too short": Case(sends(start(200, (b"content-length", b"3")), part(b"22")), get("/")),
    "whole before the app says so": Case(sends(*SIZED, part(b"", more=True)), get("/")),
    "whole, and then the app learns that nobody is there": Case(goes_on_after_all, get("/")),
    "head, never completed": Case(sends(start()), head("/")),
    "nothing to wait for": Case(sends(start(304), part(b"", more=True)), get("/")),
    "two lengths, then the rest": Case(goes_on_after_two_lengths, get("/")),
    "a strange status": Case(sends(start(999)), get("/")),
    "a bad header": Case(sends(start(200, (b"a b", b"1"))), get("/")),
    "a body of text": Case(sends(start(), {"type": "http.response.body", "body": "x"}), get("/")),
    "out of order": Case(goes_on, get("/")),
    "ws echo, expected": Case(echo, ws("/a?b=c", "hello", expect("hello"), b"\0", expect())),
    "ws echo, unexpected": Case(echo, ws("/", "hello", expect("goodbye"))),
    "ws echo, then quiet": Case(echo, ws("/", "hello")),
    "ws closed by the app": Case(echo, ws("/", "bye", expect("more"))),
    "ws closed by the client": Case(echo, ws("/", "hello", expect(), close(3000, "enough"))),
    "ws with pauses": Case(echo, ws("/", "one", pause(0.02), "two", pause(0.02), expect("one"))),
    "ws all at once": Case(hears_all, ws("/", "one", "two", b"three", close(1001))),
    "ws subprotocol": Case(picks, ws("/", subprotocols=["a", "b"], headers={"x-key": "1"})),
    "ws wrong subprotocol": Case(picks_another, ws("/", subprotocols=["a"])),
    "ws refused": Case(refuses, ws("/", "hello")),
    "ws denied": Case(denies, ws("/", "hello")),
    "ws denied, not to the end": Case(denies_in_part, ws("/")),
    "ws denied twice": Case(denies_twice, ws("/")),
    "ws accepted and left": Case(accepts_and_leaves, ws("/", "a", "b", close(3000))),
    "ws raises at handshake": Case(raises_at_handshake, ws("/")),
    "ws raises later": Case(raises_in_talk, ws("/", "x", expect())),
    "ws returns at once": Case(returns_nothing, ws("/")),
    "ws hang up": Case(hears_all, ws("/", "x", pause(5), hang_up=after(seconds=0.05))),
    "ws hang up after bytes": Case(
        echo, ws("/", b"12", expect(), b"34", expect(), pause(5), hang_up=after(bytes=4))
    ),
    "ws out of order": Case(breaks_rules, ws("/", "x")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_in_memory_is_as_on_uvicorn(case: Case) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> Any:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["pool"] = "made at startup"
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            return await send({"type": "lifespan.shutdown.complete"})
        return await case.app(receive, send)

    over_sockets, in_memory = played(lambda: app, case.clients)
    for theirs, ours in zip(over_sockets, in_memory, strict=True):
        assert ours == theirs


FRAMEWORKS = ["fastapi", "starlette", "quart", "falcon", "litestar", "django"]
BUSY = [
    get("/?name=x", headers={"origin": "http://x.test"}),
    head("/"),
    post("/items", json={"name": "nut"}),
    post("/items", "not json, is it"),
    post("/items", [b'{"name":', pause(0.02), b'"nut"}'], headers={"content-type": JSON}),
    user(get("/thread"), get("/stream"), get("/parts"), get("/background"), get("/fail")),
    get("/unknown"),
    ws("/echo", "a", pause(0.02), "b"),
    ws("/unknown"),
]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_frameworks_do_not_notice(framework: str) -> None:
    if framework == "quart" and sys.version_info[:3] == (3, 13, 0):
        pytest.skip("Quart, untraced, does not end a response on 3.13.0")
    over_sockets, in_memory = played(import_module(f"tests.apps.{framework}_app").make, BUSY)
    for theirs, ours in zip(over_sockets, in_memory, strict=True):
        assert ours == theirs
