"""HTTP/2 on the lab server in virtual time: in memory, and the same in every run."""

import asyncio
from typing import Any

import h2.events
import pytest
from server_tools import connected, read_body
from test_server_http2 import Talk, answer, stream_out

from asgi_lab.clock import virtual
from asgi_lab.server import Limits, Server


async def slow(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(1.0)
    await answer(send, await read_body(receive))


def simulate(app: Any, do: Any, **options: Any) -> tuple[list[Any], Any]:
    """Talk to the app; what the server's observer was told, with the time, and the result."""

    async def whole() -> tuple[list[Any], Any]:
        told: list[Any] = []

        def observe(number: int, name: str, data: Any, stream: int) -> None:
            told.append((asyncio.get_running_loop().time(), number, stream, name, repr(data)))

        async with (
            Server(app, observe=observe, lifespan="off", date_header=False, **options) as server,
            connected(server) as client,
        ):
            result = await do(Talk(client))
        return told, result

    return virtual(latency=0.01).run(whole)


def test_requests_on_one_connection_wait_at_once_and_the_same_each_time() -> None:
    async def do(one: Talk) -> Any:
        streams = [one.ask(method="POST", end=False) for _ in range(10)]
        for stream in streams:
            one.send(stream, b"hello", end=True)
        bodies = [(await one.response(stream))[1] for stream in streams]
        return bodies, asyncio.get_running_loop().time()

    told, (bodies, at) = simulate(slow, do)
    assert bodies == 10 * [b"hello"]
    assert at == pytest.approx(1.02, abs=0.02)
    for _ in range(3):
        assert simulate(slow, do) == (told, (bodies, at))


def test_a_client_that_reads_slowly() -> None:
    async def do(one: Talk) -> float:
        stream = one.ask("/50000x10")
        while not any(isinstance(e, h2.events.StreamEnded) for e in one.heard.get(stream, [])):
            await one.read()
            await asyncio.sleep(1.0)
        assert len(one.body(stream)) == 500_000
        return asyncio.get_running_loop().time()

    told, at = simulate(stream_out, do)
    assert at > 7.0  # no more than a window each second
    assert simulate(stream_out, do) == (told, at)


def test_times_are_exact() -> None:
    async def do(one: Talk) -> Any:
        stream = one.ask(method="POST", end=False)
        status, _ = await one.response(stream)
        late = asyncio.get_running_loop().time()
        await one.gone()
        return status, late, asyncio.get_running_loop().time()

    _, (status, late, idle) = simulate(slow, do, limits=Limits(body_seconds=3, idle_seconds=4))
    assert status == 408
    assert late == pytest.approx(4.02, abs=0.02)  # after a second the app asks for the body
    assert idle == pytest.approx(8.02, abs=0.03)
