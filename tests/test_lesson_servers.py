"""A learner's own server: over real sockets, in virtual time, and never waited for in vain."""

import asyncio
from typing import Any

import pytest

from asgi_lab import get
from asgi_lab.clock import VirtualTimeError
from asgi_lab.lesson.checks.asgi_server import SERVER
from asgi_lab.lesson.exercise import Check
from asgi_lab.lesson.failed import Failed
from asgi_lab.lesson.own_server import run_on, talk_to
from tests.answers import COURSE, load_answer

GET = b"GET /a HTTP/1.1\r\nHost: lab\r\n\r\n"
SERVE: Any = load_answer(COURSE / "solutions/06_asgi_server/1_server.py")["serve"]
FIRST: Check = SERVER.checks[0]


async def app(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(1 if scope["path"] == "/slow" else 0)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": scope["path"].encode()[:2]})


def test_talking_to_it_gives_the_bytes_of_its_answers() -> None:
    answer = b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\n/a"
    assert talk_to(SERVE, app, GET[:5], GET[5:]) == answer
    assert talk_to(SERVE, app, GET + GET, answers=2) == 2 * answer


def test_what_leaves_it_is_raised() -> None:
    async def serve(app: Any, reader: Any, writer: Any) -> None:
        raise KeyError("nothing")

    with pytest.raises(KeyError, match="nothing"):
        talk_to(serve, app, GET)
    with pytest.raises(TypeError, match="cannot be awaited"):
        talk_to(lambda app, reader, writer: None, app, GET)  # type: ignore[arg-type, return-value]


def test_one_that_says_nothing_is_told_where_it_waits() -> None:
    async def serve(app: Any, reader: Any, writer: Any) -> None:
        await reader.read()

    with pytest.raises(TimeoutError) as told:
        talk_to(serve, app, GET)
    assert "no answer within 2 s" in str(told.value)
    assert "in serve: await reader.read()" in str(told.value)


def test_one_that_never_gives_way_is_told_so_and_ended() -> None:
    async def serve(app: Any, reader: Any, writer: Any) -> None:
        while True:
            pass

    with pytest.raises(Failed) as told:
        FIRST.test(serve)
    assert "no answer within 2 s" in told.value.shown
    assert "never gives way" in told.value.shown


def test_in_virtual_time_it_serves_all_who_wait_at_once() -> None:
    trace = asyncio.run(run_on(SERVE, app, 20 * [get("/slow")]))
    assert trace.seconds == 1
    assert [result.body for result in trace.results] == 20 * [b"/s"]
    assert trace.digest == asyncio.run(run_on(SERVE, app, 20 * [get("/slow")])).digest


def test_in_virtual_time_what_leaves_it_is_raised_and_waiting_for_ever_is_told() -> None:
    async def fails(app: Any, reader: Any, writer: Any) -> None:
        raise KeyError("nothing")

    async def waits(app: Any, reader: Any, writer: Any) -> None:
        await asyncio.Event().wait()

    with pytest.raises(KeyError):
        asyncio.run(run_on(fails, app, get("/a")))
    with pytest.raises(VirtualTimeError):
        asyncio.run(run_on(waits, app, get("/a")))
    with pytest.raises(TypeError, match="expected an ASGI app"):
        asyncio.run(run_on(SERVE, lambda environ, start_response: [], get("/a")))
