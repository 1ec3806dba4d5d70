"""Servers that break a rule each, and the correct apps that they serve.

A row is a coroutine function of the app, which it calls as a server does. `SCOPES` are servers
whose one fault is in the scope.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tests.driver import CONNECT, GONE, SHUTDOWN, STARTUP, http, lifespan, request, text, websocket
from tests.misbehaving.apps import END, START
from tests.misbehaving.socket_apps import (
    ACCEPT,
    CLOSE,
    COMPLETE,
    DENIED,
    DENIED_BODY,
    DENYING,
    FAILED,
    LEFT,
    STOPPED,
)


@dataclass(frozen=True)
class Row:
    """A server, the rule that it breaks, and the app that it serves."""

    serve: Callable[[Any], Any]
    rules: tuple[str, ...]
    app: Any

    @property
    def name(self) -> str:
        return self.serve.__name__


SERVERS: list[Row] = []


def breaks(*rules: str, app: Any) -> Any:
    def enter(serve: Any) -> Any:
        SERVERS.append(Row(serve, rules, app))
        return serve

    return enter


# --- the apps ------------------------------------------------------------------------------------


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Read the request to its end, and answer."""
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send(END)


async def stays(scope: Any, receive: Any, send: Any) -> None:
    """Answer, and listen until the client leaves."""
    await hello(scope, receive, send)
    while (await receive())["type"] != "http.disconnect":
        pass


async def asks_twice(scope: Any, receive: Any, send: Any) -> None:
    """Look again before it answers."""
    await receive()
    if (await receive())["type"] == "http.request":
        await send(START)
        await send(END)


async def goes_on(scope: Any, receive: Any, send: Any) -> None:
    """Listen in one task, and talk in another."""

    async def listen() -> None:
        while not (await receive())["type"].endswith(".disconnect"):
            pass

    if scope["type"] == "websocket":
        await receive()
        await send(ACCEPT)
    await asyncio.create_task(listen())
    if scope["type"] == "http":
        await send(START)
        await send(END)
    else:
        await send({"type": "websocket.send", "text": "late"})


async def two_listen(scope: Any, receive: Any, send: Any) -> None:
    """Listen in two tasks at once."""
    if scope["type"] == "websocket":
        await receive()
        await send(ACCEPT)
    await asyncio.gather(receive(), receive())


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Accept, and give back what comes."""
    await receive()
    await send(ACCEPT)
    while (await receive()).get("type") == "websocket.receive":
        await send({"type": "websocket.send", "text": "heard"})


async def knocks(scope: Any, receive: Any, send: Any) -> None:
    """Look who comes before it lets anyone in."""
    await receive()
    await receive()
    await send(CLOSE)


async def lives(scope: Any, receive: Any, send: Any) -> None:
    """Start, stop, and say hello meanwhile."""
    if scope["type"] != "lifespan":
        return await hello(scope, receive, send)
    await receive()
    await asyncio.sleep(0)
    await send(COMPLETE)
    await receive()
    await asyncio.sleep(0)
    await send(STOPPED)
    return None


# --- what they are made of -----------------------------------------------------------------------


async def call(app: Any, scope: Any, incoming: Iterable[Any] = (), send: Any = None) -> None:
    """Call an app with what it is to receive, and with a send that takes all."""
    left = list(incoming)

    async def receive() -> Any:
        await asyncio.sleep(0)
        return left.pop(0) if left else GONE if scope["type"] == "http" else LEFT

    async def takes(message: Any) -> None:
        return

    try:
        await app(scope, receive, send or takes)
    except Exception:
        pass  # a server logs it


def fails(error: BaseException, kind: str) -> Any:
    """Return a send that raises this at messages of this type."""

    async def send(message: Any) -> None:
        if message["type"] == kind:
            raise error

    return send


# --- the scope -----------------------------------------------------------------------------------

WITHOUT: Any = object()
ASGI = {"version": "3.0", "spec_version": "2.4"}
TLS = {"server_cert": None, "tls_version": 772, "cipher_suite": 4865}

SCOPES: dict[str, tuple[str, dict[str, Any]]] = {
    "a type of bytes": ("S1", {"type": b"http"}),
    "asgi in a list": ("S1", {"asgi": ["3.0"]}),
    "a version that is a number": ("S1", {"asgi": {"version": 3.0}}),
    "a spec version that is a number": ("S1", {"asgi": {"version": "3.0", "spec_version": 2.4}}),
    "HTTP 2.0": ("S2", {"http_version": "2.0"}),
    "asgi without a version": ("S1", {"asgi": {}}),
    "a path read as Latin-1": ("S5", {"path": "/caf\u00c3\u00a9", "raw_path": b"/caf%C3%A9"}),
    "a raw path that is decoded": ("S6", {"path": "/a b", "raw_path": b"/a b"}),
    "a port that is true": ("S10", {"server": ("127.0.0.1", True)}),
    "a TLS version of text": (
        "S11",
        {"scheme": "https", "extensions": {"tls": {**TLS, "tls_version": "TLSv1.3"}}},
    ),
    "a state in a list": ("S12", {"state": []}),
    "two hosts": ("R9", {"headers": [(b"host", b"a"), (b"host", b"b")]}),
    "an empty method": ("S3", {"method": ""}),
    "a number as version of HTTP": ("S2", {"http_version": 1.1}),
    "no version of HTTP": ("S2", {"http_version": WITHOUT}),
    "a small method": ("S3", {"method": "get"}),
    "a method of bytes": ("S3", {"method": b"GET"}),
    "no method": ("S3", {"method": WITHOUT}),
    "an empty scheme": ("S4", {"scheme": ""}),
    "a scheme of bytes": ("S4", {"scheme": b"http"}),
    "a path of bytes": ("S5", {"path": b"/"}),
    "a path with its query": ("S5", {"path": "/?a=b", "query_string": b"a=b"}),
    "a path that is not decoded": ("S5", {"path": "/a%20b", "raw_path": b"/a%20b"}),
    "a whole URL": ("S5", {"path": "http://test/a"}),
    "a raw path of text": ("S6", {"raw_path": "/"}),
    "a raw path with its query": ("S6", {"raw_path": b"/?a=b", "query_string": b"a=b"}),
    "a query of text": ("S7", {"query_string": "a=b"}),
    "a query of None": ("S7", {"query_string": None}),
    "a query that is decoded": ("S7", {"query_string": b"a=b c"}),
    "a root path of bytes": ("S8", {"root_path": b"/api"}),
    "headers of text": ("S9", {"headers": [("host", "test")]}),
    "headers in a dict": ("S9", {"headers": {b"host": b"test"}}),
    "no headers": ("S9", {"headers": WITHOUT}),
    "a pseudo header": ("S9", {"headers": [(b":authority", b"test")], "http_version": "2"}),
    "a client as text": ("S10", {"client": "127.0.0.1:5000"}),
    "a port of text": ("S10", {"client": ("127.0.0.1", "5000")}),
    "an address of four": ("S10", {"client": ("::1", 5000, 0, 0)}),
    "a host of bytes": ("S10", {"server": (b"127.0.0.1", 80)}),
    "extensions in a list": ("S11", {"extensions": ["http.response.push"]}),
    "an extension that is true": ("S11", {"extensions": {"http.response.push": True}}),
    "tls without TLS": ("S11", {"extensions": {"tls": TLS}}),
    "tls without its version": (
        "S11",
        {"scheme": "https", "extensions": {"tls": {"server_cert": None}}},
    ),
    "a key of bytes": ("S13", {b"path": "/"}),
    "a header with a space": ("R9", {"headers": [(b"x y", b"1")]}),
    "a header of two lines": ("R9", {"headers": [(b"x", b"1\r\ny: 2")]}),
    "a length that is no number": ("R9", {"headers": [(b"content-length", b"-1")]}),
    "two lengths": (
        "R9",
        {"headers": [(b"content-length", b"1"), (b"content-length", b"2")]},
    ),
}

SOCKET_SCOPES: dict[str, tuple[str, dict[str, Any]]] = {
    "a socket over http": ("W-S1", {"scheme": "http"}),
    "subprotocols in one text": ("W-S1", {"subprotocols": "chat, superchat"}),
    "subprotocols of bytes": ("W-S1", {"subprotocols": [b"chat"]}),
    "a socket in HTTP 1.0": ("W-S1", {"http_version": "1.0"}),
}


def faulty(scope: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**scope, **changes}.items() if value is not WITHOUT}


@breaks("S1", app=hello)
async def gives_a_scope_that_cannot_be_changed(app: Any) -> None:
    await call(app, MappingProxyType(http()), [request()])


@breaks("S12", app=lives)
async def shares_the_state(app: Any) -> None:
    scope = lifespan()
    life, told = await living(app, STARTUP, scope=scope)
    await call(app, http(state=scope["state"]), [request()])
    told.put_nowait(SHUTDOWN)
    await life


@breaks("S12", app=asks_twice)
async def shares_the_state_of_requests(app: Any) -> None:
    state: dict[str, Any] = {}
    calls = [call(app, http(state=state), [request()]) for _ in range(2)]
    await asyncio.gather(*calls)


@breaks("R7", app=asks_twice)
async def shares_the_scope(app: Any) -> None:
    scope = http()
    await asyncio.gather(*(call(app, scope, [request()]) for _ in range(2)))


# --- what receive() delivers ---------------------------------------------------------------------


@breaks("R1", app=hello)
async def gives_a_body_of_text(app: Any) -> None:
    await call(app, http(), [{"type": "http.request", "body": "hello"}])


@breaks("R1", app=hello)
async def gives_a_body_that_changes(app: Any) -> None:
    await call(app, http(), [{"type": "http.request", "body": bytearray(b"hello")}])


@breaks("R1", app=hello)
async def counts_what_more_there_is(app: Any) -> None:
    await call(app, http(), [{"type": "http.request", "more_body": 0}])


@breaks("R1", app=hello)
async def gives_nothing(app: Any) -> None:
    await call(app, http(), [None])


@breaks("R1", app=hello)
async def gives_a_message_without_a_type(app: Any) -> None:
    await call(app, http(), [{"body": b"hello"}])


@breaks("R1", app=hello)
async def gives_a_message_of_its_own(app: Any) -> None:
    await call(app, http(), [{"type": "http.body", "body": b"hello"}])


@breaks("S13", app=hello)
async def gives_keys_of_bytes(app: Any) -> None:
    await call(app, http(), [{**request(), b"time": 1}])


@breaks("R2", app=hello)
async def gives_the_next_request_too(app: Any) -> None:
    scope = http(method="POST", headers=[(b"content-length", b"5")])
    await call(app, scope, [request(b"helloPOST / HTTP/1.1")])


@breaks("R1", app=hello)
async def gives_a_body_of_none(app: Any) -> None:
    await call(app, http(), [{"type": "http.request", "body": None}])


@breaks("R2", app=hello)
async def leaves_the_chunks_as_they_are(app: Any) -> None:
    scope = http(method="POST", headers=[(b"transfer-encoding", b"chunked")])
    await call(app, scope, [request(b"5\r\nhello\r\n0\r\n\r\n")])


@breaks("R3", app=asks_twice)
async def gives_the_request_twice(app: Any) -> None:
    await call(app, http(), [request(), request()])


@breaks("R3", app=stays)
async def gives_empty_requests_for_ever(app: Any) -> None:
    await call(app, http(), [request(), request(), request(), GONE])


@breaks("R5", app=hello)
async def gives_a_part_for_the_whole(app: Any) -> None:
    scope = http(method="POST", headers=[(b"content-length", b"50")])
    await call(app, scope, [request(b"hello", more=True), request(b"")])


@breaks("R6", app=two_listen)
async def comes_back(app: Any) -> None:
    await call(app, http(), [GONE, request()])


# --- what becomes of what the app sends ----------------------------------------------------------


@breaks("A6", app=goes_on)
async def raises_its_own_at_a_closed_connection(app: Any) -> None:
    await call(app, http(), [request(), GONE], fails(RuntimeError("closed"), START["type"]))


@breaks("A7", app=hello)
async def raises_at_a_valid_message(app: Any) -> None:
    await call(app, http(), [request()], fails(KeyError("trailers"), START["type"]))


@breaks("A7", app=hello)
async def forbids_an_empty_start(app: Any) -> None:
    await call(app, http(), [request()], fails(TypeError("no headers"), START["type"]))


async def adds_keys(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "reason": "Fine"})
    await send(END)


@breaks("A8", app=adds_keys)
async def raises_at_additional_keys(app: Any) -> None:
    await call(app, http(), [request()], fails(TypeError("unexpected"), START["type"]))


# --- WebSocket -----------------------------------------------------------------------------------


@breaks("W-R1", app=echo)
async def does_not_say_connect(app: Any) -> None:
    await call(app, websocket(), [text("hello"), text("you")])


@breaks("W-R1", app=echo)
async def connects_twice(app: Any) -> None:
    await call(app, websocket(), [CONNECT, CONNECT])


@breaks("W-R1", app=knocks)
async def connects_twice_before_the_answer(app: Any) -> None:
    await call(app, websocket(), [CONNECT, CONNECT])


@breaks("W-R2", app=knocks)
async def does_not_wait_for_accept(app: Any) -> None:
    await call(app, websocket(), [CONNECT, text("hello")])


@breaks("W-R2", app=echo)
async def gives_text_and_bytes(app: Any) -> None:
    both = {"type": "websocket.receive", "text": "a", "bytes": b"a"}
    await call(app, websocket(), [CONNECT, both])


@breaks("W-R2", app=echo)
async def gives_neither_text_nor_bytes(app: Any) -> None:
    await call(app, websocket(), [CONNECT, {"type": "websocket.receive", "text": None}])


@breaks("W-R2", app=echo)
async def gives_bytes_as_text(app: Any) -> None:
    await call(app, websocket(), [CONNECT, {"type": "websocket.receive", "text": b"a"}])


@breaks("W-R2", app=echo)
async def tells_of_pings(app: Any) -> None:
    await call(app, websocket(), [CONNECT, {"type": "websocket.ping"}])


@breaks("W-R4", app=echo)
async def gives_no_code(app: Any) -> None:
    await call(app, websocket(), [CONNECT, {"type": "websocket.disconnect"}])


@breaks("W-R4", app=echo)
async def gives_a_code_of_text(app: Any) -> None:
    await call(app, websocket(), [CONNECT, {**LEFT, "code": "1000"}])


@breaks("W-R4", app=echo)
async def gives_a_reason_of_bytes(app: Any) -> None:
    await call(app, websocket(), [CONNECT, {**LEFT, "reason": b"bye"}])


@breaks("W-R4", app=two_listen)
async def speaks_after_the_end(app: Any) -> None:
    await call(app, websocket(), [CONNECT, LEFT, text("one more thing")])


@breaks("W-A4", app=goes_on)
async def raises_its_own_at_a_closed_socket(app: Any) -> None:
    closed = fails(RuntimeError("closed"), "websocket.send")
    await call(app, websocket(), [CONNECT, LEFT], closed)


async def denies(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(DENIED)
    await send(DENIED_BODY)


@breaks("W-A5", app=denies)
async def offers_what_it_cannot(app: Any) -> None:
    await call(app, DENYING, [CONNECT], fails(ValueError("unknown"), DENIED["type"]))


# --- lifespan ------------------------------------------------------------------------------------


async def living(
    app: Any, *incoming: Any, scope: Any = None
) -> tuple[asyncio.Task[None], asyncio.Queue[Any]]:
    """Begin a lifespan; return its task, and a queue of what it is to be told."""
    told: asyncio.Queue[Any] = asyncio.Queue()
    for message in incoming:
        told.put_nowait(message)

    async def send(message: Any) -> None:
        return

    task = asyncio.create_task(app(scope or lifespan(), told.get, send))
    for _ in range(5):
        await asyncio.sleep(0)
    return task, told


@breaks("L-1", app=lives)
async def serves_before_it_has_started(app: Any) -> None:
    life, told = await living(app)
    await call(app, http(), [request()])
    told.put_nowait(STARTUP)
    told.put_nowait(SHUTDOWN)
    await life


@breaks("L-2", app=lives)
async def starts_twice(app: Any) -> None:
    first, told = await living(app, STARTUP)
    second, _ = await living(app, STARTUP, SHUTDOWN)
    told.put_nowait(SHUTDOWN)
    await asyncio.gather(first, second)


@breaks("L-2", app=lives)
async def serves_in_another_loop(app: Any) -> None:
    life, told = await living(app, STARTUP)
    serve = call(app, http(), [request()])
    await asyncio.to_thread(asyncio.run, serve)
    told.put_nowait(SHUTDOWN)
    await life


async def fails_to_start(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "lifespan":
        return await hello(scope, receive, send)
    await receive()
    await send(FAILED)
    await asyncio.Event().wait()
    return None


@breaks("L-3", app=fails_to_start)
async def serves_although_it_failed(app: Any) -> None:
    life, _ = await living(app, STARTUP)
    await call(app, http(), [request()])
    life.cancel()
    await asyncio.wait([life])


@breaks("L-5", app=lives)
async def stops_with_connections_open(app: Any) -> None:
    life, told = await living(app, STARTUP)
    waits: asyncio.Queue[Any] = asyncio.Queue()
    asked = asyncio.create_task(app(http(), waits.get, fails(ValueError(), "")))
    await asyncio.sleep(0)
    told.put_nowait(SHUTDOWN)
    await life
    waits.put_nowait(request())
    await asked


async def stops_slowly(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    await receive()
    await asyncio.Event().wait()


@breaks("L-5", app=stops_slowly)
async def does_not_wait_for_the_shutdown(app: Any) -> None:
    life, _ = await living(app, STARTUP, SHUTDOWN)
    life.cancel()
    await asyncio.wait([life])


@breaks("L-5", app=lives)
async def shuts_down_what_has_not_started(app: Any) -> None:
    life, _ = await living(app, SHUTDOWN, SHUTDOWN)
    await asyncio.wait([life])
