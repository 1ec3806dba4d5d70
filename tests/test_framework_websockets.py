"""WebSockets: what is said when, how a conversation ends, and groups with a slow member."""

import asyncio
from typing import Any

import pytest

from asgi_lab import close, expect, get, pause, run, ws
from asgi_lab.client import Result
from asgi_lab.framework import App, Groups, HTTPError, WebSocket, WebSocketDisconnect


def ask(app: Any, *clients: Any, **settings: Any) -> tuple[Result, ...]:
    return asyncio.run(run(app, *clients, **settings)).results


class Peer:
    """A server with one WebSocket: what it is told, and what it has to say."""

    def __init__(self, *incoming: Any, extensions: Any = None) -> None:
        self.sent: list[Any] = []
        self.incoming = [{"type": "websocket.connect"}, *incoming]
        self.scope: dict[str, Any] = {
            "type": "websocket", "path": "/", "query_string": b"", "headers": [],
            "subprotocols": [], "extensions": extensions or {},
        }  # fmt: skip

    async def receive(self) -> Any:
        return self.incoming.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def kinds(self) -> list[str]:
        return [message["type"].removeprefix("websocket.") for message in self.sent]

    def call(self, app: Any) -> None:
        asyncio.run(app(self.scope, self.receive, self.send))


GONE = {"type": "websocket.disconnect", "code": 1001, "reason": "bye"}


def text(what: str) -> Any:
    return {"type": "websocket.receive", "text": what, "bytes": None}


def test_kinds_of_messages() -> None:
    app = App()

    @app.websocket("/text")
    async def texts(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send("got " + await socket.receive_text())
        await socket.receive_text()

    @app.websocket("/bytes")
    async def binary(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send(b"got " + await socket.receive_bytes())
        await socket.receive_bytes()

    @app.websocket("/json")
    async def json(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json({"got": await socket.receive_json()})
        await socket.receive_json()

    found = ask(
        app,
        ws("/text", "a", expect("got a"), b"b", pause(1)),
        ws("/bytes", b"a", expect(b"got a"), "b", pause(1)),
        ws("/json", "[1]", expect('{"got":[1]}'), "{", pause(1)),
    )
    assert [result.close_code for result in found] == [1003, 1003, 1007]


def test_an_end_by_either_side() -> None:
    heard: list[Any] = []
    app = App()

    @app.websocket("/listens")
    async def listens(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.receive()
        except WebSocketDisconnect as gone:
            heard.append((gone.code, gone.reason))
            with pytest.raises(WebSocketDisconnect):
                await socket.send("too late")
        await socket.close()  # no harm: it is over

    @app.websocket("/returns")
    async def returns(socket: WebSocket) -> None:
        await socket.accept()

    @app.websocket("/fails")
    async def fails(socket: WebSocket) -> None:
        await socket.accept()
        raise RuntimeError("no")

    @app.websocket("/silent")
    async def silent(socket: WebSocket) -> None:
        pass

    found = ask(
        app,
        ws("/listens", close(4000, "enough")),
        ws("/returns", pause(1)),
        ws("/fails", pause(1)),
        ws("/silent"),
    )
    assert heard == [(4000, "enough")]
    assert [result.close_code for result in found] == [4000, 1000, 1011, None]
    assert found[3].status == 403


def test_the_answer_comes_after_the_question() -> None:
    """Whoever answers: the handler, the router, the handler of an error (www: "Connect")."""
    app = App()

    @app.websocket("/")
    async def accepts(socket: WebSocket) -> None:
        await socket.accept(headers={"X-Key": "1"})
        assert await socket.receive() == "hello"

    peer = Peer(text("hello"), GONE)
    peer.call(app)
    assert peer.kinds == ["accept", "close"]
    assert peer.sent[0] == {
        "type": "websocket.accept", "subprotocol": None, "headers": [(b"x-key", b"1")],
    }  # fmt: skip
    assert peer.sent[1] == {"type": "websocket.close", "code": 1000, "reason": ""}
    assert peer.incoming == [GONE]

    plain, able = Peer(GONE), Peer(GONE, extensions={"websocket.http.response": {}})
    for each in (plain, able):
        each.call(App())
        assert each.incoming == [GONE]
    assert plain.kinds == ["close"]
    assert able.kinds == ["http.response.start", "http.response.body"]
    assert able.sent[0]["status"] == 404


def test_a_client_that_left_before_the_answer_is_no_error() -> None:
    app = App()

    @app.websocket("/")
    async def accepts(socket: WebSocket) -> None:
        await socket.accept()

    peer = Peer()
    peer.incoming = [GONE]
    peer.call(app)
    assert peer.kinds == []


def test_sending_to_a_client_that_has_left() -> None:
    """A server of spec 2.4 raises OSError in `send`: the handler hears that it is over."""
    heard: list[int] = []
    app = App()

    @app.websocket("/")
    async def talks(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.send("hello")
        except WebSocketDisconnect as gone:
            heard.append(gone.code)
            raise

    peer = Peer()

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            raise OSError("gone")

    asyncio.run(app(peer.scope, peer.receive, send))
    assert heard == [1006]


def test_mistakes_are_told() -> None:
    app = App()
    words: list[str] = []

    @app.websocket("/")
    async def confused(socket: WebSocket) -> None:
        for wrong in (socket.receive(), socket.send("x"), socket.accept("chat")):
            with pytest.raises((RuntimeError, ValueError)) as raised:
                await wrong
            words.append(str(raised.value))
        await socket.accept()
        with pytest.raises(RuntimeError) as raised:
            await socket.accept()
        words.append(str(raised.value))
        with pytest.raises(TypeError, match="send_json"):
            await socket.send({"a": 1})  # type: ignore[arg-type]

    assert ask(app, ws("/", pause(1), subprotocols=["talk"]))[0].status == 101
    assert "accept it first" in words[0]
    assert "the client offers ['talk'], not 'chat'" in words[2]
    assert "accepted already" in words[3]


def test_a_refusal_with_a_body() -> None:
    app = App()

    @app.websocket("/")
    async def refuses(socket: WebSocket) -> None:
        raise HTTPError(401, {"why": "no key"}, headers={"www-authenticate": "Bearer"})

    result = ask(app, ws("/"))[0]
    assert (result.status, result.json()) == (401, {"why": "no key"})
    assert dict(result.headers)["www-authenticate"] == "Bearer"


def chat(groups: Groups) -> App:
    app = App()

    @app.websocket("/chat/{room}")
    async def chat(socket: WebSocket, room: str) -> None:
        await socket.accept()
        async with groups.join(room, socket):
            groups.send(room, f"{groups.count(room)} here")
            async for message in socket:
                groups.send(room, message, but=socket)

    @app.get("/flood/{count:int}")
    async def flood(count: int) -> dict[str, int]:
        members = 0
        for _ in range(count):
            members = groups.send("a", b"x" * 50_000)
        return {"members": members}

    @app.get("/count")
    async def count() -> dict[str, int]:
        return {"a": groups.count("a"), "b": groups.count("b")}

    return app


def test_a_message_to_all_in_a_group_but_one() -> None:
    found = ask(
        chat(Groups()),
        ws("/chat/a", expect("1 here"), expect("2 here"), pause(1), "hello", pause(1)),
        ws("/chat/a", pause(1), expect("2 here"), expect("hello"), at=0.1),
        ws("/chat/b", expect("1 here"), pause(2)),
        get("/count", at=1.05),
        get("/count", at=9),
    )
    assert not any(result.error for result in found)
    assert found[1].messages == ("2 here", "hello")
    assert found[2].messages == ("1 here",)
    assert found[3].json() == {"a": 2, "b": 1}
    assert found[4].json() == {"a": 0, "b": 0}


@pytest.mark.parametrize("when_slow", ["close", "drop"])
def test_a_slow_member_keeps_nobody_waiting(when_slow: Any) -> None:
    """It reads 10 kB a second, and is told 10 MB in a moment; the other one reads all."""
    app = chat(Groups(limit=20, when_slow=when_slow))
    flood = [get("/flood/10", at=1 + number / 10) for number in range(20)]
    slow, fast, *floods, count = ask(
        app,
        ws("/chat/a", pause(60), read_rate=10_000),
        ws("/chat/a", pause(60)),
        flood,
        get("/count", at=30),
    )
    assert fast.error == ""
    assert len(fast.messages) > 0
    assert fast.received > 200 * 50_000
    assert all(result.seconds < 0.01 for result in floods)
    assert floods[0].json()["members"] == 2
    assert floods[-1].json()["members"] == (2 if when_slow == "drop" else 1)
    assert count.json()["a"] == (2 if when_slow == "drop" else 1)
    assert slow.received < fast.received


def test_a_group_wants_a_policy() -> None:
    with pytest.raises(ValueError, match="drop or close"):
        Groups(when_slow="wait")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="limit"):
        Groups(limit=0)
