"""The server without a wire: what is its own. `test_memory_same.py` has what Uvicorn does, too."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from asgi_lab import trace
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
    user,
    ws,
)
from asgi_lab.clock import virtual
from asgi_lab.memory import LifespanFailed, MemoryDoor, lifespan, serve
from asgi_lab.memory.channel import HIGH, LOW, Channel
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def part(body: Any = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def done(app: ASGIApp, clients: Clients, **options: Any) -> tuple[Result, ...]:
    """The results of a workload in virtual time, from startup to shutdown."""

    async def main() -> tuple[Result, ...]:
        async with serve(app, **options) as door:
            return await perform(door, clients)

    return virtual().run(main)


def http_only(app: Callable[[Receive, Send], Awaitable[None]]) -> ASGIApp:
    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await app(receive, send)

    return served


# ---- lifespan -----------------------------------------------------------------------------------


def living(log: list[str], **answers: Message) -> ASGIApp:
    """An app that answers startup and shutdown as told, and notes what happens to it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            log.append(f"{scope['path']} {scope['state']}")
            scope["state"]["mine"] = True
            await send(START)
            await send(part())
            return
        for phase in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{phase}"
            log.append(phase)
            scope["state"]["pool"] = "open"
            await send(answers.get(phase, {"type": f"lifespan.{phase}.complete"}))
        log.append("returned")

    return app


def test_startup_requests_shutdown() -> None:
    log: list[str] = []
    done(living(log), [get("/a"), get("/b")])
    state = {"pool": "open"}
    assert log == ["startup", f"/a {state}", f"/b {state}", "shutdown", "returned"]


def test_an_app_that_does_not_know_of_lifespan_is_served_without() -> None:
    @http_only
    async def app(receive: Receive, send: Send) -> None:
        await send(START)
        await send(part(b"ok"))

    (result,) = done(app, get("/"))
    assert (result.status, result.text, result.error) == (200, "ok", "")


@pytest.mark.parametrize("raises", [True, False])
def test_a_startup_that_failed_says_why(raises: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database at db:5432"})
        if raises:
            raise ConnectionError("db:5432")

    with pytest.raises(LifespanFailed, match="the app's startup failed: no database at") as caught:
        done(app, get("/"))
    assert (caught.value.phase, caught.value.words) == ("startup", "no database at db:5432")


def test_a_shutdown_that_failed_says_why() -> None:
    log: list[str] = []
    failed = {"type": "lifespan.shutdown.failed", "message": "could not flush"}
    with pytest.raises(LifespanFailed, match="the app's shutdown failed: could not flush"):
        done(living(log, shutdown=failed), get("/"))
    assert log[-2:] == ["shutdown", "returned"]


def test_what_went_wrong_before_is_not_hidden_by_the_shutdown() -> None:
    log: list[str] = []
    failed = {"type": "lifespan.shutdown.failed", "message": "and that, too"}

    async def main() -> None:
        async with serve(living(log, shutdown=failed)):
            raise BufferError("first")

    with pytest.raises(BufferError, match="first"):
        asyncio.run(main())
    assert log == ["startup", "shutdown", "returned"]


def test_a_lifespan_that_ends_early_or_never() -> None:
    ended: list[str] = []

    def app(stays: bool) -> ASGIApp:
        async def living(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            if stays:
                await receive()
                await send({"type": "lifespan.shutdown.complete"})
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    ended.append("cancelled")
                    raise

        return living

    async def main(stays: bool) -> None:
        async with lifespan(app(stays)):
            pass
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    for stays in (False, True):
        virtual().run(lambda stays=stays: main(stays))
    assert ended == ["cancelled"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("lifespan.shutdown.complete", "before startup"),
        ("http.response.start", "an app sends lifespan.startup.complete"),
    ],
)
def test_an_answer_out_of_order(kind: str, words: str) -> None:
    said: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": kind})
        except RuntimeError as error:
            said.append(str(error))

    async def main() -> None:
        async with lifespan(app):
            pass

    asyncio.run(main())
    assert words in said[0]


# ---- the app's tasks ----------------------------------------------------------------------------


def test_work_after_the_answer_is_waited_for_but_not_by_the_client() -> None:
    ended: list[bool] = []

    @http_only
    async def app(receive: Receive, send: Send) -> None:
        await send(START)
        await send(part(b"ok"))
        await asyncio.sleep(5)
        ended.append(True)

    (result,) = done(app, get("/"))
    assert (result.ended, ended) == (0, [True])


def test_what_does_not_end_is_cancelled() -> None:
    ended: list[str] = []

    @http_only
    async def app(receive: Receive, send: Send) -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    (result,) = done(app, get("/", hang_up=after(seconds=1)), grace=2)
    assert (result.hung_up, ended) == (True, ["cancelled"])


def test_a_server_that_goes_closes_its_websockets_with_1012() -> None:
    heard: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"] == "/undecided":
            return heard.append(await receive())
        await send({"type": "websocket.accept"})
        return heard.append(await receive())

    async def main() -> tuple[Result, ...]:
        door = MemoryDoor(app)
        clients = [ws("/", pause(100)), ws("/undecided")]
        performing = asyncio.create_task(perform(door, clients))
        await asyncio.sleep(1)
        await door.shutdown()
        return await performing

    accepted, undecided = virtual().run(main)
    assert (accepted.close_code, accepted.error) == (1012, "")
    assert (undecided.status, undecided.text) == (500, "Internal Server Error")
    assert [message["code"] for message in heard] == [1012, 1006]


def test_an_interrupt_is_not_taken_for_a_failing_app() -> None:
    @http_only
    async def app(receive: Receive, send: Send) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(perform_once(app, get("/")))


def test_an_app_that_exits_has_failed() -> None:
    @http_only
    async def app(receive: Receive, send: Send) -> None:
        raise SystemExit(3)

    assert asyncio.run(perform_once(app, get("/")))[0].status == 500


async def perform_once(app: ASGIApp, *clients: Clients) -> tuple[Result, ...]:
    return await perform(MemoryDoor(app), clients)


# ---- slow clients and large bodies --------------------------------------------------------------


def test_send_waits_for_a_slow_client_above_64_kib_until_16_kib() -> None:
    """As asyncio's transports do. Over a socket the kernel's buffers come on top of that."""
    waited: list[tuple[float, float]] = []

    @http_only
    async def app(receive: Receive, send: Send) -> None:
        time = asyncio.get_running_loop().time
        await send(START)
        for _ in range(12):
            began = time()
            await send(part(b"x" * 10_000, more=True))
            waited.append((began, time()))
        await send(part())

    (result,) = done(app, get("/", read_rate=10_000))
    assert result.ended == 12
    waits = [(round(began, 3), round(ended, 3)) for began, ended in waited]
    # 7 chunks are above the mark. The client takes 1000 bytes at once, and the first of it at once.
    left = 5.3
    assert 70_000 - (left * 10_000 + 1000) <= LOW
    assert waits == [*7 * [(0, 0)], (0, left), *4 * [(left, left)]]


def test_a_client_that_leaves_frees_a_sender_that_waits() -> None:
    said: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message: Message = {"type": "websocket.send", "bytes": b"x" * (HIGH + 1)}
        if scope["type"] == "http":
            await send(START)
            message = part(b"x" * (HIGH + 1), more=True)
        else:
            await receive()
            await send({"type": "websocket.accept"})
        try:
            while True:
                await send(message)
                said.append(asyncio.get_running_loop().time())
                if len(said) > 2:
                    break
        except OSError as error:
            said.append(type(error).__name__)

    behaviour: dict[str, Any] = {"read_rate": 10, "hang_up": after(seconds=3)}
    first, second, third = _run_for_said(app, said, get("/", **behaviour))
    assert (first, second, third) == (0, 3, 3)  # HTTP: it sends to nobody, and is not told
    assert _run_for_said(app, said, ws("/", **behaviour)) == [0, 0, "ClientDisconnected"]


def _run_for_said(app: ASGIApp, said: list[Any], client: Clients) -> list[Any]:
    said.clear()

    async def main() -> list[Any]:
        door = MemoryDoor(app)
        began = asyncio.get_running_loop().time()
        await perform(door, client)
        await door.shutdown()
        return [item if isinstance(item, str) else round(item - began, 3) for item in said]

    return virtual().run(main)


@pytest.mark.parametrize("over", ["memory", "a socket, where the kernel's buffers decide how much"])
def test_nobody_can_send_all_to_a_slow_client(over: str) -> None:
    """Much more than any buffer holds: the app is made to wait, and so hears of the hang-up."""
    size, sent = 64 << 20, [0]

    @http_only
    async def app(receive: Receive, send: Send) -> None:
        await send(START)
        gone = asyncio.create_task(receive_end(receive))
        while sent[0] < size and not gone.done():
            await send(part(b"x" * HIGH, more=True))
            sent[0] += HIGH
            await asyncio.sleep(0)  # sending to nobody does not wait, and nobody else would run
        await gone

    client = get("/", read_rate=100_000, hang_up=after(bytes=20_000))

    async def main() -> tuple[Result, ...]:
        if over == "memory":
            door = MemoryDoor(app)
            results = await perform(door, client)
            await door.shutdown()
            return results
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(app, lifespan="off", http="h11", ws="wsproto", log_config=None)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve([listener]))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            results = await perform(SocketDoor(url), client)
            server.should_exit = True
            await serving
            return results

    (result,) = asyncio.run(main())
    assert (result.hung_up, result.received, result.error) == (True, 20_000, "")
    assert 20_000 <= sent[0] < size


async def receive_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def test_a_large_body_comes_in_pieces_and_waits_until_they_are_taken() -> None:
    sizes: list[int] = []

    @http_only
    async def app(receive: Receive, send: Send) -> None:
        await asyncio.sleep(1)
        more = True
        while more:
            message = await receive()
            sizes.append(len(message["body"]))
            more = message["more_body"]
            await asyncio.sleep(1)
        await send(START)
        await send(part())

    (result,) = done(app, post("/", b"x" * 300_000))
    assert (result.status, sum(sizes)) == (200, 300_000)
    assert sizes == [2 * HIGH, 2 * HIGH, 300_000 - 4 * HIGH]


def test_a_channel_forgets_nothing_when_its_reader_is_cancelled() -> None:
    async def main() -> None:
        channel: Channel[bytes] = Channel(lambda: None)
        reading = asyncio.create_task(channel.read())
        await asyncio.sleep(0)
        channel.write(b"abc")
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert (await channel.read(2), await channel.read()) == (b"ab", b"c")
        channel.end()
        assert await channel.read() is None

    asyncio.run(main())


# ---- the rest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_a_body_may_be_any_bytes(kind: Any) -> None:
    @http_only
    async def app(receive: Receive, send: Send) -> None:
        headers = [[b"x", b"1"], (bytearray(b"y"), b"2")]  # not hashable, yet legal
        await send({**START, "headers": headers})
        await send(part(kind(b"ok")))

    (result,) = done(app, get("/"))
    assert (result.text, result.headers[:2]) == ("ok", (("x", "1"), ("y", "2")))


def test_state_is_the_requests_own_copy() -> None:
    log: list[str] = []
    done(living(log), user(get("/a"), get("/b")))
    assert log[1:3] == ["/a {'pool': 'open'}", "/b {'pool': 'open'}"]


def test_the_same_script_gives_the_same_trace() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})
            return
        await receive()
        await asyncio.sleep(0.5)
        await send(START)
        await send(part(b"x" * 100_000))

    clients = [
        5 * [get("/a", read_rate=50_000)],
        user(post("/b", [b"1", pause(0.25), b"2"]), pause(0.25), head("/c")),
        ws("/d", "hello", expect("hello"), close(3000)),
        get("/e", hang_up=after(seconds=0.25)),
    ]

    def run() -> list[str]:
        traced = trace(app, run=False)
        done(traced, clients)
        return [f"{e.conn} {e.kind} {e.task} { {**e.data, 'took': 0} }" for e in traced.trace]

    assert run() == run()


def test_no_thread_is_made() -> None:
    made: list[int] = []

    @http_only
    async def app(receive: Receive, send: Send) -> None:
        made.append(threading.active_count())
        await send(START)
        await send(part())

    before = threading.active_count()
    asyncio.run(perform_once(app, 3 * [get("/")]))
    assert made == 3 * [before]


def test_a_client_that_hangs_up_as_it_is_accepted_harms_nobody() -> None:
    raised = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        await receive()
        try:
            await send({"type": "websocket.accept"})
        except Exception as error:
            raised.append(error)

    async def main() -> None:
        async with serve(app) as door:
            await perform(door, [ws("/", hang_up=after(seconds=0))])

    asyncio.run(main())
    assert raised == []
