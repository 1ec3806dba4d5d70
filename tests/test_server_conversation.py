"""WebSockets on the lab server, over real sockets: the app's side, and who closes how."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from server_tools import App, ask, both_loops, connected, get, logged, run, serving
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from asgi_lab.server import ClientDisconnected, Limits
from asgi_lab.server.failures import InvalidMessage

UPGRADE = (
    "upgrade: websocket",
    "connection: upgrade",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
)


class Socket:
    """A client's WebSocket: wsproto, and a real connection."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []

    def send(self, event: Event) -> None:
        self._client.send(self._wire.send(event))

    async def next(self) -> Event | None:
        """What comes next, or None for the end of the connection."""
        while not self._events:
            if not (data := await self._client.reader.read(65_536)):
                return None
            self._wire.receive_data(data)
            self._events.extend(self._wire.events())
        return self._events.pop(0)

    async def closed(self) -> tuple[int, str | None]:
        """Code and reason of the server's close, after which it leaves."""
        event = await self.next()
        assert isinstance(event, CloseConnection)
        if not self._client.writer.is_closing():
            try:
                self.send(event.response())
            except Exception:  # we closed first
                pass
        assert await self.next() is None
        return int(event.code), event.reason


@asynccontextmanager
async def opened(app: App, request: Any = None, **options: Any) -> AsyncIterator[Any]:
    async with serving(app, **options) as (server, told), connected(server) as client:
        socket = Socket(client)
        socket.send(request or Request(host="x", target="/chat?a=b"))
        yield socket, client, told


async def accept(receive: Any, send: Any, **more: Any) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept", **more})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


@both_loops
def test_a_conversation(loop: str) -> None:
    scopes: list[Any] = []
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await accept(receive, send, subprotocol="b", headers=[(b"x-a", b"1")])
        while (message := await receive())["type"] == "websocket.receive":
            seen.append(message)
            await send({**message, "type": "websocket.send"})
        seen.extend([message, await receive()])
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.send", "text": "late"})

    async def main() -> None:
        request = Request(host="x", target="/caf%C3%A9?a=b", subprotocols=["a", "b"])
        async with opened(app, request, port=0) as (socket, _, _):
            accepted = await socket.next()
            assert isinstance(accepted, AcceptConnection)
            assert accepted.subprotocol == "b"
            assert (b"x-a", b"1") in accepted.extra_headers
            for sent in (TextMessage("hello"), TextMessage(""), BytesMessage(b"\xff" * 100_000)):
                socket.send(sent)
                part: Any = await socket.next()
                received = part.data
                while not part.message_finished:
                    part = await socket.next()
                    received += part.data
                assert received == sent.data
            socket.send(TextMessage("a", message_finished=False))
            socket.send(Ping(b"?"))
            socket.send(TextMessage("b"))
            assert await socket.next() == Pong(b"?")
            assert await socket.next() == TextMessage("ab")
            socket.send(CloseConnection(3000, "bye"))
            assert await socket.closed() == (3000, "bye")

    run(main(), loop)
    [scope] = scopes
    assert scope["type"] == "websocket"
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
    assert (scope["scheme"], scope["path"], scope["query_string"]) == ("ws", "/café", b"a=b")
    assert scope["subprotocols"] == ["a", "b"]
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope
    end = {"type": "websocket.disconnect", "code": 3000, "reason": "bye"}
    assert seen[0] == {"type": "websocket.receive", "text": "hello"}
    assert seen[2] == {"type": "websocket.receive", "bytes": b"\xff" * 100_000}
    assert seen[4:] == [end, end]


@pytest.mark.parametrize(
    ("messages", "status", "body"),
    [
        ([{"type": "websocket.close"}], 403, b"Forbidden\n"),
        (
            [
                {"type": "websocket.http.response.start", "status": 401, "headers": []},
                {"type": "websocket.http.response.body", "body": b"who ", "more_body": True},
                {"type": "websocket.http.response.body", "body": b"are you?"},
            ],
            401,
            b"who are you?",
        ),
        ([], 500, b"Internal Server Error\n"),
        ([{"type": "websocket.http.response.start", "status": 401}], 500, None),
        ([{"type": "websocket.send", "text": "too early"}], 500, None),
        ([{"type": "websocket.accept", "subprotocol": "unheard of"}], 500, None),
        ([{"type": "websocket.accept", "headers": [(b"sec-websocket-protocol", b"a")]}], 500, None),
        ([{"type": "websocket.accept", "headers": [(b"a b", b"c")]}], 500, None),
        ([{"type": "websocket.accept", "headers": 5}], 500, None),
    ],
)
@both_loops
def test_a_handshake_that_is_denied(
    loop: str, messages: Any, status: int, body: bytes | None
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for message in messages:
            await send(message)

    async def main() -> None:
        async with opened(app) as (socket, _, _):
            rejected = await socket.next()
            assert isinstance(rejected, RejectConnection)
            assert rejected.status_code == status
            received = b""
            while (event := await socket.next()) is not None:
                assert isinstance(event, RejectData)
                received += event.data
            assert body in (None, received)

    run(main(), loop)


def test_a_wrong_handshake_does_not_reach_the_app() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("it must not come this far")

    async def main() -> None:
        async with serving(app) as (server, _):
            old = get("/", *UPGRADE[:2], "sec-websocket-version: 8", UPGRADE[3], close=False)
            response = await ask(server, old)
            assert response.startswith(b"HTTP/1.1 426 ")
            assert b"\r\nsec-websocket-version: 13\r\n" in response
            response = await ask(server, get("/", *UPGRADE[:3], close=False))
            assert response.startswith(b"HTTP/1.1 400 ")

    run(main())


def test_a_websocket_after_a_request() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await echo(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})

    async def main() -> None:
        async with serving(app) as (server, _), connected(server) as client:
            client.send(get(close=False))
            assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
            # The first frame comes with the handshake, before it has been answered.
            client.send(get("/", *UPGRADE, close=False) + b"\x81\x82\0\0\0\0hi")
            assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            assert await client.reader.readexactly(4) == b"\x81\x02hi"

    run(main())


# Who closes how.


@pytest.mark.parametrize(
    ("close", "code", "reason"),
    [
        ({}, 1000, ""),
        ({"code": 3333, "reason": "enough"}, 3333, "enough"),
        ({"code": 1001, "reason": None}, 1001, ""),
    ],
)
@both_loops
def test_an_app_that_closes(loop: str, close: Any, code: int, reason: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await send({"type": "websocket.close", **close})
        with pytest.raises(InvalidMessage, match="nothing may follow the end"):
            await send({"type": "websocket.send", "text": "late"})
        seen.append(await receive())

    async def main() -> None:
        async with opened(app, port=0) as (socket, _, _):
            assert isinstance(await socket.next(), AcceptConnection)
            assert await socket.closed() == (code, reason)

    run(main(), loop)
    assert seen == [{"type": "websocket.disconnect", "code": code, "reason": reason}]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"type": "websocket.send"}, "either text or bytes"),
        ({"type": "websocket.send", "text": "a", "bytes": b"b"}, "either text or bytes"),
        ({"type": "websocket.send", "text": b"a"}, "either text or bytes"),
        ({"type": "websocket.close", "code": 1005}, "expected a close code"),
        ({"type": "websocket.close", "code": 999}, "expected a close code"),
        ({"type": "websocket.close", "reason": "€" * 42}, "at most 123 bytes"),
        ({"type": "websocket.accept"}, "expected websocket.send or websocket.close"),
        ({"type": "nonsense"}, "got 'nonsense'"),
    ],
)
def test_what_may_not_be_sent(sent: Any, said: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        with pytest.raises(InvalidMessage, match=said):
            await send(sent)
        await send({"type": "websocket.send", "text": "still open"})

    async def main() -> None:
        async with opened(app) as (socket, _, _):
            await socket.next()
            assert await socket.next() == TextMessage("still open")
            assert await socket.closed() == (1000, "")

    run(main())


@pytest.mark.parametrize(
    ("after", "code", "said"),
    [
        ("raises", 1011, "WebSocket /chat raised\n"),
        ("cancels", 1011, "CancelledError"),
        ("returns", 1000, None),
        ("closes and raises", 1000, "WebSocket /chat raised\n"),
    ],
)
@both_loops
def test_an_app_that_ends_with_the_socket_open(
    loop: str, after: str, code: int, said: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        if after == "closes and raises":
            await send({"type": "websocket.close"})
        if after.endswith("raises"):
            raise LookupError("broken")
        if after == "cancels":
            raise asyncio.CancelledError

    async def main() -> None:
        async with opened(app, port=0) as (socket, _, _):
            await socket.next()
            assert await socket.closed() == (code, "")

    run(main(), loop)
    assert [said in text for text in logged(caplog) if said] == [True] * bool(said)


@pytest.mark.parametrize("before", ["connecting", "open"])
@both_loops
def test_a_client_that_goes_without_a_close(
    loop: str, before: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if before == "open":
            await accept(receive, send)
        else:
            await receive()
        begun.set()
        seen.extend([await receive(), await receive()])
        ended.set()
        await send({"type": "websocket.send", "text": "a"})

    begun, ended = asyncio.Event(), asyncio.Event()

    async def main() -> None:
        async with opened(app, port=0) as (_, client, _):
            await begun.wait()
            client.reset()
            await ended.wait()

    run(main(), loop)
    assert seen == 2 * [{"type": "websocket.disconnect", "code": 1006, "reason": ""}]
    assert logged(caplog) == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02hi", 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 2000, 1009),
    ],
)
def test_a_client_that_breaks_the_rules(data: bytes, code: int) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        seen.append(await receive())

    async def main() -> None:
        async with opened(app, limits=Limits(message=1000)) as (socket, client, _):
            await socket.next()
            client.send(data)
            close = await socket.next()
            assert isinstance(close, CloseConnection)
            assert close.code == code
            assert await socket.next() is None

    run(main())
    assert seen[0]["type"] == "websocket.disconnect"
    assert seen[0]["code"] == code


def test_messages_that_came_before_the_close_are_delivered() -> None:
    seen: list[Any] = []
    closed = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await closed.wait()
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.send", "text": "late"})
        seen.extend([await receive(), await receive()])

    async def main() -> None:
        def observe(_: int, name: str, data: Any, stream: int) -> None:
            if type(data).__name__ == "Closed":
                closed.set()

        async with opened(app, observe=observe) as (socket, _, _):
            await socket.next()
            socket.send(TextMessage("last words"))
            socket.send(CloseConnection(1000))
            assert await socket.closed() == (1000, "")

    run(main())
    assert seen[0] == {"type": "websocket.receive", "text": "last words"}
    assert seen[1]["code"] == 1000


@both_loops
def test_reading_pauses_while_the_app_takes_no_messages(loop: str) -> None:
    count, size = 200, 20_000
    paused = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await paused.wait()
        for _ in range(count):
            assert len((await receive())["bytes"]) == size
        await send({"type": "websocket.send", "text": "all"})

    async def main() -> None:
        def observe(_: int, name: str, data: Any, stream: int) -> None:
            if name == "pause reading":
                paused.set()

        async with opened(app, port=0, observe=observe) as (socket, _, _):
            await socket.next()
            for _ in range(count):
                socket.send(BytesMessage(b"x" * size))
            assert await socket.next() == TextMessage("all")
            assert await socket.closed() == (1000, "")

    run(main(), loop)


# Patience, in a loop whose time jumps.


def test_a_silent_client_is_pinged_and_then_given_up() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        seen.append(await receive())
        seen.append(asyncio.get_running_loop().time())

    async def main() -> None:
        async with opened(app, limits=Limits(ping_seconds=20.0)) as (socket, _, _):
            await socket.next()
            for _ in range(5):
                ping = await socket.next()
                assert isinstance(ping, Ping)
                socket.send(ping.response())
            assert isinstance(await socket.next(), Ping)  # this one stays without an answer
            assert await socket.next() is None

    run(main(), "jumping")
    assert seen[0]["code"] == 1006
    assert seen[1] == pytest.approx(7 * 20.0)


def test_a_client_that_does_not_answer_a_close_is_given_up() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await send({"type": "websocket.close"})

    async def main() -> float:
        async with opened(app, limits=Limits(close_seconds=5.0)) as (socket, client, _):
            await socket.next()
            assert isinstance(await socket.next(), CloseConnection)
            assert await client.reader.read() == b""
            return asyncio.get_running_loop().time()

    assert run(main(), "jumping") == pytest.approx(5.0)


def test_pings_of_a_client_that_does_not_read() -> None:
    """Their answers must not pile up; the last one counts."""
    count, out = 20_000, 0
    all_seen = asyncio.Event()

    async def main() -> None:
        nonlocal count

        def observe(_: int, name: str, data: Any, stream: int) -> None:
            nonlocal count, out
            out += len(data) if name == "bytes out" else 0
            count -= type(data).__name__ == "Ping"
            if count == 0:
                all_seen.set()

        async with opened(echo, observe=observe) as (socket, client, _):
            await socket.next()
            transport = client.writer.transport
            transport.pause_reading()
            for number in range(count):
                socket.send(Ping(b"%0100d" % number))
            await all_seen.wait()
            assert out < 1_000_000
            transport.resume_reading()
            for text in ("one", "two"):  # before the second it reads again, and is answered
                socket.send(TextMessage(text))
                while isinstance(event := await socket.next(), Pong):
                    payload = bytes(event.payload)
                assert event == TextMessage(text)
            assert payload == b"%0100d" % 19_999

    run(main())


@both_loops
def test_a_client_that_goes_at_any_byte(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    frames = b"\x01\x82\0\0\0\0hi\x89\x80\0\0\0\0\x80\x82\0\0\0\0ho\x88\x82\0\0\0\0\x03\xe8"
    whole = get("/", *UPGRADE, close=False) + frames

    async def main() -> None:
        async with serving(echo, port=0) as (server, told):
            for at in range(len(whole) + 1):
                async with connected(server) as client:
                    client.send(whole[:at])
                    if at % 2:
                        client.reset()
                    else:
                        client.writer.write_eof()
                        await client.read()
        names = [name for _, name, _ in told]
        assert names.count("open") == names.count("close") > 0

    run(main(), loop)
    assert logged(caplog) == []


def test_a_client_that_reads_slowly_is_not_taken_for_dead() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send, headers=None)
        for _ in range(20):
            await send({"type": "websocket.send", "bytes": b"x" * 100_000})

    async def main() -> float:
        limits = Limits(ping_seconds=20.0, send_seconds=1000.0)
        async with opened(app, limits=limits) as (socket, client, _):
            await socket.next()
            client.writer.transport.pause_reading()
            await asyncio.sleep(500.0)
            client.writer.transport.resume_reading()
            count = 0
            while isinstance(event := await socket.next(), BytesMessage | Ping):
                count += len(event.data) if isinstance(event, BytesMessage) else 0
            assert isinstance(event, CloseConnection)
            assert (event.code, count) == (1000, 2_000_000)

    run(main(), "jumping")
