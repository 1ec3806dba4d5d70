"""The lab server's beginning and end: lifespan, addresses, and shutting down in good order."""

import asyncio
import contextlib
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from server_tools import answer, ask, both_loops, connected, get, logged, run, serving, until_told
from test_server_conversation import UPGRADE, Socket, accept
from wsproto.events import AcceptConnection, Request

from asgi_lab.server import ClientDisconnected, Server, StartupFailed

REQUEST = {"type": "http.response.start", "status": 200, "headers": []}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await answer(send, scope["path"].encode())


class Life:
    """An app whose lifespan does what `acts` says, one letter an act; it notes what it sees."""

    def __init__(self, acts: str) -> None:
        self.acts = acts
        self.seen: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.seen.append("http")
            await answer(send, str(sorted(scope.get("state", "-"))).encode())
            return
        for act in self.acts:
            match act:
                case "r":
                    self.seen.append((await receive())["type"])
                case "c" | "f":
                    kind = self.seen[-1] if self.seen else "lifespan.startup"
                    end = {"c": ".complete", "f": ".failed"}[act]
                    await send(
                        {"type": kind + end, **({"message": "no luck"} if act == "f" else {})}
                    )
                case "s":
                    scope["state"]["pool"] = "a pool"
                case "x":
                    raise LookupError("broken")


WHOLE = ["lifespan.startup", "http", "lifespan.shutdown"]


@pytest.mark.parametrize(
    ("acts", "state", "seen", "said"),
    [
        ("rscrc", b"['pool']", WHOLE, None),
        (
            "rcr",
            b"[]",
            WHOLE,
            "without an answer to sh",
        ),
        (
            "rcrf",
            b"[]",
            WHOLE,
            "shutdown failed: no lu",
        ),
        ("rcrx", b"[]", WHOLE, "lifespan raised\n"),
        ("rcrcx", b"[]", WHOLE, None),
        ("rcx", b"[]", ["lifespan.startup", "http"], "LookupError: broken"),
        ("rcc", b"[]", ["lifespan.startup", "http"], "nothing was asked"),
        ("x", b"['-']", ["http"], None),
        ("rx", b"['-']", ["lifespan.startup", "http"], None),
        ("", b"['-']", ["http"], "without an answer to startup"),
        ("r", b"['-']", ["lifespan.startup", "http"], "without an answer to startup"),
        ("rcrcrr", b"[]", WHOLE, None),
    ],
)
@both_loops
def test_lifespans(
    loop: str, acts: str, state: bytes, seen: list[str], said: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    app = Life(acts)

    async def main() -> None:
        async with serving(app, lifespan="auto") as (server, _):
            assert (await ask(server, get())).endswith(b"\r\n\r\n" + state)

    run(main(), loop)
    assert app.seen == seen
    assert [said in text for text in logged(caplog)] == [True] * bool(said)


@pytest.mark.parametrize(
    ("acts", "how", "said"),
    [
        ("rf", "auto", "no luck"),
        ("rfx", "auto", "no luck"),
        ("rfr", "auto", "no luck"),
        ("f", "auto", "no luck"),
        ("x", "on", "LookupError: broken"),
        ("rx", "on", "LookupError: broken"),
    ],
)
def test_a_startup_that_fails_says_the_apps_own_words(acts: str, how: str, said: str) -> None:
    async def main() -> None:
        server = Server(Life(acts), lifespan=how)
        with pytest.raises(StartupFailed, match=said):
            await server.start()
        with pytest.raises(RuntimeError, match="does not listen"):
            assert server.port

    run(main())


def test_no_lifespan() -> None:
    app = Life("rcrc")

    async def main() -> None:
        async with serving(app, lifespan="off") as (server, _):
            await ask(server, get())

    run(main())
    assert app.seen == ["http"]
    with pytest.raises(
        ValueError, match='"auto", "on" or "off", got "maybe"'.replace('"m', "'m")[:-1]
    ):
        Server(app, lifespan="maybe")


def test_each_request_has_its_own_copy_of_the_state() -> None:
    states: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["shared"] = []
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        states.append(dict(scope["state"]))
        scope["state"]["shared"].append(len(states))
        scope["state"]["own"] = True
        await answer(send)

    async def main() -> None:
        async with serving(app, lifespan="auto") as (server, _), connected(server) as client:
            for _ in range(2):
                client.send(get(close=False))
                await client.response()

    run(main())
    assert states == 2 * [{"shared": [1, 2]}]


# Addresses.


@both_loops
def test_a_port_and_a_url(loop: str) -> None:
    async def main() -> None:
        async with Server(hello) as server:
            assert server.url == f"http://127.0.0.1:{server.port}"
            assert server.addresses == [("127.0.0.1", server.port)]
            assert (await ask(server, get("/x"))).endswith(b"/x")
            with pytest.raises(OSError, match="in use"):
                await Server(hello, port=server.port).start()
        async with Server(hello, host="localhost") as server:
            assert {port for _, port in server.addresses} == {server.port}
        async with Server(hello, host="0.0.0.0") as server:
            assert server.url.startswith("http://127.0.0.1:")

    run(main(), loop)


@both_loops
def test_a_unix_socket_is_removed(loop: str, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def main() -> None:
        async with Server(hello, uds=path) as server:
            assert server.url == f"unix:{path}"
            with pytest.raises(RuntimeError, match="no port"):
                assert server.port
            assert (await ask(server, get("/x"))).endswith(b"/x")

    for _ in range(2):
        run(main(), loop)
        assert not Path(path).exists()


def test_servers_side_by_side() -> None:
    async def main() -> None:
        async with Server(hello) as one, Server(hello) as two:
            answers = await asyncio.gather(ask(one, get("/1")), ask(two, get("/2")))
            assert [text[-2:] for text in answers] == [b"/1", b"/2"]

    run(main())


# The end.


def never(begun: asyncio.Event, stubborn: bool = False) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not stubborn:
                raise
            await asyncio.sleep(0.5)  # cleans up, and returns in the end

    return app


@both_loops
def test_what_is_going_on_is_finished(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    """Idle connections close at once; others when their response is complete."""
    go, begun = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            begun.set()
            await go.wait()
        await answer(send)

    async def main() -> None:
        async with (
            serving(app) as (server, _),
            connected(server) as idle,
            connected(server) as busy,
            connected(server) as new,
        ):
            idle.send(get(close=False))
            await idle.response()
            busy.send(get("/slow", close=False) + get("/never", close=False))
            await begun.wait()
            stopping = asyncio.create_task(server.stop())
            assert await idle.read() == b""
            assert await new.read() == b""
            assert not stopping.done()
            go.set()
            response = await busy.read()
            assert response.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\nconnection: close\r\n" in response
            assert response.count(b"HTTP/1.1") == 1
            await stopping

    run(main(), loop)
    assert logged(caplog) == []


def test_new_connections_are_refused_meanwhile() -> None:
    begun = asyncio.Event()

    async def main() -> None:
        serve = serving(never(begun), port=0, shutdown_seconds=0.1)
        async with serve as (server, _), connected(server) as client:
            port = server.port
            client.send(get())
            await begun.wait()
            stopping = asyncio.create_task(server.stop())
            for _ in range(5):
                await asyncio.sleep(0)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await stopping

    run(main())


@pytest.mark.parametrize("rounds", range(5))
def test_who_comes_at_the_last_moment_is_not_waited_for(rounds: int) -> None:
    async def main() -> float:
        async with serving(hello) as (server, _):
            path = server.addresses[0][0]
            with socket.socket(socket.AF_UNIX) as late:
                late.connect(path)
                for _ in range(rounds):  # in one of these the server accepts
                    await asyncio.sleep(0)
                await server.stop()
        return asyncio.get_running_loop().time()

    assert run(main(), "jumping") < 1.0


@pytest.mark.parametrize("stubborn", [False, True])
def test_an_app_that_never_returns_is_cancelled_by_name(
    stubborn: bool, caplog: pytest.LogCaptureFixture
) -> None:
    begun = asyncio.Event()

    async def main() -> float:
        serve = serving(never(begun, stubborn), shutdown_seconds=10.0)
        async with serve as (server, _), connected(server) as client:
            client.send(get("/forever"))
            await begun.wait()
            await server.stop()
            assert not (await client.read()).startswith(b"HTTP/1.1 2")
        return asyncio.get_running_loop().time()

    assert run(main(), "jumping") == pytest.approx(10.5 if stubborn else 10.0)
    assert logged(caplog)[0] == "GET /forever was still running after 10 s: cancelled"


def test_an_app_that_streams_for_ever_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(REQUEST)
        while True:
            await send({"type": "http.response.body", "body": b"tick", "more_body": True})
            await asyncio.sleep(1.0)

    async def main() -> None:
        async with serving(app, shutdown_seconds=10.0) as (server, _), connected(server) as client:
            client.send(get("/ticks"))
            await client.until(b"tick")
            await server.stop()
            rest = await client.read()
            assert rest.count(b"tick") >= 9
            assert not rest.endswith(b"0\r\n\r\n")

    run(main(), "jumping")
    assert logged(caplog) == ["GET /ticks was still running after 10 s: cancelled"]


def test_websockets_are_sent_away() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        seen.append(await receive())

    async def main() -> None:
        async with serving(app) as (server, _), connected(server) as client:
            socket = Socket(client)
            socket.send(Request(host="x", target="/"))
            assert isinstance(await socket.next(), AcceptConnection)
            stopping = asyncio.create_task(server.stop())
            assert await socket.closed() == (1001, "the server is ending")
            await stopping

    run(main())
    assert seen == [
        {"type": "websocket.disconnect", "code": 1001, "reason": "the server is ending"}
    ]


def test_an_app_whose_shutdown_never_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.Event().wait()

    async def main() -> None:
        async with serving(app, lifespan="on", shutdown_seconds=10.0):
            pass

    run(main(), "jumping")
    assert logged(caplog) == ["the app's shutdown took more than 10 s"]


def test_a_stop_that_is_cancelled_leaves_nothing_behind() -> None:
    begun = asyncio.Event()

    async def main() -> None:
        serve = serving(never(begun), shutdown_seconds=1000.0)
        async with serve as (server, _), connected(server) as client:
            client.send(get())
            await begun.wait()
            stopping = asyncio.create_task(server.stop())
            await asyncio.sleep(0)
            stopping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stopping
            assert await client.read() == b""

    run(main())


def test_a_server_stops_twice_and_without_a_start() -> None:
    async def main() -> None:
        server = Server(hello)
        await server.stop()
        await server.start()
        await server.stop()
        await server.stop()

    run(main())


def test_background_work_after_the_response_is_waited_for() -> None:
    done = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send)
        await asyncio.sleep(5.0)
        done.append(True)

    async def main() -> None:
        async with serving(app) as (server, _):
            assert (await ask(server, get())).endswith(b"ok")
            assert not done

    run(main(), "jumping")
    assert done


def test_many_clients_at_once_in_every_way(caplog: pytest.LogCaptureFixture) -> None:
    """Some ask, some go in the middle of a request, some in the middle of a response."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        await send(REQUEST)
        for _ in range(20):
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
        await send({"type": "http.response.body"})

    async def visit(server: Server, number: int) -> None:
        async with connected(server) as client:
            if number % 4 == 0:
                client.send(get("/", "content-length: 9") + b"half")
                client.reset()
            elif number % 4 == 1:
                client.send(get())
                await client.until(b"xx")
                client.reset()
            elif number % 4 == 2:
                client.send(b"GET / HT")
            else:
                client.send(get())
                assert (await client.read()).endswith(b"0\r\n\r\n")

    async def main() -> None:
        async with Server(app, lifespan="off") as server:
            await asyncio.gather(*(visit(server, number) for number in range(200)))

    run(main())
    assert logged(caplog) == []


def test_logging_needs_nothing_of_the_user() -> None:
    assert logging.getLogger("asgi_lab.server").handlers == []
    assert socket.getdefaulttimeout() is None


def test_a_handshake_that_nobody_has_answered_is_refused_at_the_end() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([await receive(), await receive()])
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.accept"})

    async def main() -> None:
        async with serving(app) as (server, told), connected(server) as client:
            client.send(get("/", *UPGRADE, close=False))
            await until_told(told, "app")
            await server.stop()
            assert (await client.read()).startswith(b"HTTP/1.1 503 ")

    run(main())
    assert seen[1] == {"type": "websocket.disconnect", "code": 1001, "reason": ""}


def test_a_handshake_that_is_being_denied_is_denied_to_the_end() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "websocket.http.response.start", "status": 418, "headers": []}
        await send(start)
        body = {"type": "websocket.http.response.body", "body": b"no", "more_body": True}
        await send(body)
        await asyncio.sleep(1.0)
        await send({**body, "more_body": False})

    async def main() -> None:
        async with serving(app) as (server, told), connected(server) as client:
            client.send(get("/", *UPGRADE, close=False))
            await until_told(told, "bytes out")
            client.send(b"what comes now is not heard")
            await server.stop()
            response = await client.read()
            assert response.startswith(b"HTTP/1.1 418 ")
            assert response.endswith(b"2\r\nno\r\n2\r\nno\r\n0\r\n\r\n")

    run(main(), "jumping")


def test_an_app_that_ignores_its_cancellation_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

    async def main() -> None:
        async with serving(app, shutdown_seconds=1.0) as (server, _), connected(server) as client:
            client.send(get("/stubborn"))
            await begun.wait()
            await server.stop()
            assert await client.read() == b""
        released.set()
        await asyncio.sleep(0.1)

    run(main(), "jumping")
    assert logged(caplog)[1] == "GET /stubborn goes on although it was cancelled: left alone"
