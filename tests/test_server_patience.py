"""How long the lab server waits for what. The sockets are real, and time jumps."""

import asyncio
from typing import Any

import pytest
from server_tools import answer, ask, connected, get, logged, read_body, run, serving, until_told

from asgi_lab.server import ClientDisconnected, Limits


def now() -> float:
    return asyncio.get_running_loop().time()


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, await read_body(receive))


def time_outs(told: Any) -> list[str]:
    return [data for _, name, data in told if name == "time out"]


def test_a_client_that_says_nothing() -> None:
    async def main() -> None:
        async with serving(echo, limits=Limits(head_seconds=30.0)) as (server, told):
            assert await ask(server, b"") == b""
            assert now() == pytest.approx(30.0)
            assert time_outs(told) == ["a request"]

    run(main(), "jumping")


@pytest.mark.parametrize("every", [1.0, 29.0])
def test_a_head_that_comes_byte_by_byte(every: float) -> None:
    """However it is dripped, it must be complete in time."""

    async def main() -> None:
        async with serving(echo, limits=Limits(head_seconds=30.0)) as (server, told):
            async with connected(server) as client:
                while not time_outs(told):
                    client.send(b"G")
                    await asyncio.sleep(every)
                assert (await client.read()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert now() <= 30.0 + every

    run(main(), "jumping")


def test_a_connection_that_is_kept_for_nothing() -> None:
    async def main() -> None:
        async with serving(echo, limits=Limits(idle_seconds=5.0)) as (server, told):
            async with connected(server) as client:
                for _ in range(3):
                    client.send(get(close=False))
                    assert await client.response() == (200, b"")
                    await asyncio.sleep(4.9)
                assert await client.read() == b""
            assert now() == pytest.approx(2 * 4.9 + 5.0)
            assert time_outs(told) == ["the next request"]

    run(main(), "jumping")


def test_a_second_head_that_does_not_end() -> None:
    async def main() -> None:
        async with serving(echo, limits=Limits(idle_seconds=5.0, head_seconds=30.0)) as (server, _):
            async with connected(server) as client:
                client.send(get(close=False) + b"GET /")
                assert await client.response() == (200, b"")
                assert (await client.read()).startswith(b"HTTP/1.1 408 ")
            assert now() == pytest.approx(30.0)

    run(main(), "jumping")


def test_a_body_that_does_not_come() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([await receive(), await receive(), await receive()])
        with pytest.raises(ClientDisconnected):
            await answer(send)

    async def main() -> None:
        async with serving(app, limits=Limits(body_seconds=30.0)) as (server, _):
            response = await ask(server, get("/", "content-length: 5") + b"hi")
            assert response.startswith(b"HTTP/1.1 408 ")
            assert now() == pytest.approx(30.0)

    run(main(), "jumping")
    assert seen[0] == {"type": "http.request", "body": b"hi", "more_body": True}
    assert seen[1:] == 2 * [{"type": "http.disconnect"}]


def test_an_app_that_asks_again_and_again_gives_no_more_patience() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            try:
                message = await asyncio.wait_for(receive(), 1.0)
            except TimeoutError:
                continue
            if message["type"] == "http.disconnect":
                return

    async def main() -> None:
        async with serving(app, limits=Limits(body_seconds=30.0)) as (server, _):
            response = await ask(server, get("/", "content-length: 5"))
            assert response.startswith(b"HTTP/1.1 408 ")
            assert now() == pytest.approx(30.0)

    run(main(), "jumping")


@pytest.mark.parametrize(("size", "fast"), [(1, False), (1000, True)])
def test_a_body_must_come_at_some_rate(size: int, fast: bool) -> None:
    """A byte a second is not enough, a thousand are, for as long as it takes."""

    async def main() -> None:
        limits = Limits(body_seconds=30.0, body_rate=500)
        async with serving(echo, limits=limits) as (server, told), connected(server) as client:
            client.send(get("/", f"content-length: {100 * size}"))
            for _ in range(100):
                client.send(b"x" * size)
                await asyncio.sleep(1.0)
                if time_outs(told):
                    break
            response = await client.read()
            assert response.startswith(b"HTTP/1.1 200 " if fast else b"HTTP/1.1 408 ")
            assert now() == pytest.approx(100.0) if fast else now() < 40.0

    run(main(), "jumping")


def test_an_app_that_takes_its_time_costs_the_client_no_patience() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        for _ in range(5):
            await asyncio.sleep(100.0)
            body += (await receive())["body"]
        await answer(send, body)

    async def main() -> None:
        serve = serving(app, limits=Limits(body_seconds=1.0))
        async with serve as (server, _), connected(server) as client:
            client.send(get("/", "content-length: 5"))
            for at in range(5):
                await asyncio.sleep(99.0 if at == 0 else 100.0)
                client.send(b"x")
            assert (await client.read()).endswith(b"xxxxx")

    run(main(), "jumping")


def test_a_client_that_does_not_read(caplog: pytest.LogCaptureFixture) -> None:
    raised: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:
                message = {"type": "http.response.body", "body": b"x" * 65_536, "more_body": True}
                await send(message)
        except OSError as error:
            raised.append(type(error))
            raise
        finally:
            ended.set()

    ended = asyncio.Event()

    async def main() -> None:
        serve = serving(app, limits=Limits(send_seconds=60.0))
        async with serve as (server, told), connected(server) as client:
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]
            client.send(get())
            await ended.wait()
            assert now() == pytest.approx(60.0)
            assert time_outs(told) == ["the client to read"]

    run(main(), "jumping")
    assert raised == [ClientDisconnected]
    assert logged(caplog) == []


def test_a_client_that_does_not_read_the_end() -> None:
    """The app has long returned; what it sent last is not kept for ever."""

    async def main() -> None:
        serve = serving(echo, limits=Limits(send_seconds=60.0))
        async with serve as (server, told), connected(server) as client:
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]
            size = 1_000_000
            client.send(get("/", f"content-length: {size}") + b"x" * size)
            await until_told(told, "time out")
            assert now() == pytest.approx(60.0, abs=0.1)

    run(main(), "jumping")


def test_a_slow_reader_is_waited_for_as_long_as_it_reads() -> None:
    size = 2_000_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"x" * size)

    async def main() -> None:
        serve = serving(app, limits=Limits(send_seconds=60.0))
        async with serve as (server, told), connected(server) as client:
            client.send(get())
            count = 0
            while data := await client.reader.read(100_000):
                count += len(data)
                await asyncio.sleep(10.0)
            assert count > size
            assert now() > 60.0
            assert "the client to read" not in time_outs(told)

    run(main(), "jumping")


@pytest.mark.parametrize("then", ["nothing", "more", "eof"])
def test_lingering(then: str) -> None:
    """After a refusal the server reads on for a while, so that the client can read the answer."""

    async def main() -> None:
        serve = serving(echo, limits=Limits(linger_seconds=2.0))
        async with serve as (server, told), connected(server) as client:
            client.send(b"nonsense\r\n")
            assert (await client.read()).startswith(b"HTTP/1.1 400 ")
            if then == "more":
                client.send(b"x" * 1000)
            elif then == "eof":
                client.writer.write_eof()
            await until_told(told, "close")
            assert now() == pytest.approx(0.0 if then == "eof" else 2.0, abs=0.1)

    run(main(), "jumping")


def test_no_limits() -> None:
    limits = Limits(
        head_seconds=None, body_seconds=None, idle_seconds=None, send_seconds=None,
        ping_seconds=None,
    )  # fmt: skip

    async def main() -> None:
        async with serving(echo, limits=limits) as (server, told), connected(server) as client:
            for data in (
                b"POST / HT",
                b"TP/1.1\r\nhost: x\r\ncontent-length: 2\r\n",
                b"\r\nh",
                b"i",
            ):
                await asyncio.sleep(500.0)
                client.send(data)
            assert await client.response() == (200, b"hi")
            await asyncio.sleep(500.0)
            client.send(get())
            assert await client.response() == (200, b"")
            assert time_outs(told) == []

    run(main(), "jumping")


def test_a_body_that_does_not_come_after_the_answer_has_begun() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"so far", "more_body": True})
        await receive()

    async def main() -> None:
        async with serving(app, limits=Limits(body_seconds=30.0)) as (server, told):
            response = await ask(server, get("/", "content-length: 5"))
            assert response.endswith(b"6\r\nso far\r\n")
            assert time_outs(told)[0] == "the body"

    run(main(), "jumping")
