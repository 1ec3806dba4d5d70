"""The lab server in virtual time: unchanged, in memory, and the same in every run."""

import asyncio
from typing import Any

import pytest
from server_tools import Told, answer, ask, connected, get, read_body
from test_server_conversation import Socket, accept
from wsproto.events import AcceptConnection, Request, TextMessage

from asgi_lab.clock import virtual
from asgi_lab.server import Limits, Server


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await accept(receive, send)
        while (message := await receive())["type"] == "websocket.receive":
            await asyncio.sleep(2.0)
            await send({**message, "type": "websocket.send"})
    elif scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200})
        for _ in range(40):
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
        await send({"type": "http.response.body"})
    else:
        await asyncio.sleep(1.0)
        await answer(send, await read_body(receive))


def simulate(main: Any, **options: Any) -> tuple[list[Any], Any]:
    """Run with a server; return what its observer was told, with the time, and the result."""

    async def whole() -> tuple[list[Any], Any]:
        told: Told = []

        def observe(*facts: Any) -> None:
            told.append((asyncio.get_running_loop().time(), *facts[:3]))

        async with Server(app, observe=observe, **options) as server:
            result = await main(server)
        return told, result

    return virtual(latency=0.01).run(whole)


def test_requests_at_once_are_exact_and_the_same_each_time() -> None:
    async def main(server: Server) -> list[bytes]:
        body = get("/", "content-length: 5") + b"hello"
        return await asyncio.gather(*(ask(server, body) for _ in range(10)))

    told, answers = simulate(main)
    assert all(text.endswith(b"hello") for text in answers)
    out = [at for at, _, name, _ in told if name == "bytes out"]
    assert out == pytest.approx(10 * [1.02], abs=0.02)
    for _ in range(3):
        assert simulate(main) == (told, answers)


def test_backpressure() -> None:
    async def main(server: Server) -> int:
        async with connected(server) as client:
            client.send(get("/stream"))
            count = 0
            while data := await client.reader.read(20_000):
                count += len(data)
                await asyncio.sleep(1.0)
            return count

    told, count = simulate(main)
    assert count > 400_000
    names = [name for _, _, name, _ in told]
    assert names.count("pause writing") == names.count("resume writing") > 0


def test_a_slow_client_runs_out_of_time() -> None:
    async def main(server: Server) -> tuple[float, bytes]:
        async with connected(server) as client:
            for _ in range(100):
                client.send(b"G")
                await asyncio.sleep(1.0)
                if client.reader._buffer:  # type: ignore[attr-defined]
                    break
            return asyncio.get_running_loop().time(), await client.read()

    _, (at, response) = simulate(main, limits=Limits(head_seconds=30.0))
    assert at < 32.0
    assert response.startswith(b"HTTP/1.1 408 ")


def test_a_websocket() -> None:
    async def main(server: Server) -> float:
        async with connected(server) as client:
            socket = Socket(client)
            socket.send(Request(host="x", target="/"))
            assert isinstance(await socket.next(), AcceptConnection)
            for _ in range(3):
                socket.send(TextMessage("hi"))
                assert await socket.next() == TextMessage("hi")
            return asyncio.get_running_loop().time()

    _, at = simulate(main)
    assert at == pytest.approx(6.0, abs=0.2)


def test_a_shutdown_with_a_deadline() -> None:
    async def main(server: Server) -> float:
        async with connected(server) as client:
            client.send(get("/", "content-length: 9") + b"half")
            await asyncio.sleep(2.0)
            await server.stop()
            return asyncio.get_running_loop().time()

    _, at = simulate(main, shutdown_seconds=10.0)
    assert at == pytest.approx(12.0, abs=0.1)
