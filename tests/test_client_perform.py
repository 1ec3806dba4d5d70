"""Performing a workload: who begins when, and what becomes of it. In virtual time, so exactly."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from asgi_lab.client import (
    Clients,
    Result,
    after,
    every,
    expect,
    get,
    head,
    pause,
    perform,
    post,
    user,
    ws,
)
from asgi_lab.client.result import KEPT
from asgi_lab.clock import virtual
from asgi_lab.memory import MemoryDoor
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send


def done(app: ASGIApp, clients: Clients, **options: Any) -> tuple[Result, ...]:
    """The results of a workload in virtual time; nothing is left running afterwards."""

    async def main() -> tuple[Result, ...]:
        door = MemoryDoor(app)
        results = await perform(door, clients, **options)
        await door.shutdown()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return results

    return virtual().run(main)


def answering(body: bytes = b"ok", after: float = 0.0) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if after:
            await asyncio.sleep(after)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


def times(results: tuple[Result, ...]) -> list[tuple[float, float]]:
    return [(result.started, result.ended) for result in results]


def test_a_list_begins_at_once() -> None:
    assert times(done(answering(after=1), 3 * [get("/")])) == 3 * [(0, 1)]


def test_each_begins_at_its_time_and_the_results_are_in_the_order_written() -> None:
    clients = [get("/c", at=3), [get("/a", at=1), user(get("/b1"), get("/b2"), at=2)]]
    results = done(answering(after=10), clients)
    assert [str(result.request) for result in results] == ["GET /c", "GET /a", "GET /b1", "GET /b2"]
    assert times(results) == [(3, 13), (1, 11), (2, 12), (12, 22)]


def test_so_many_at_once_and_the_rest_in_line() -> None:
    running: list[int] = [0, 0]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        running[0] += 1
        running[1] = max(running)
        await answering(after=1)(scope, receive, send)
        running[0] -= 1

    results = done(app, 5 * [get("/")], concurrency=2)
    assert times(results) == [(0, 1), (0, 1), (1, 2), (1, 2), (2, 3)]
    assert running[1] == 2


def test_first_come_first_served() -> None:
    results = done(answering(after=1), [get("/", at=0.2), get("/", at=0.1)], concurrency=1)
    assert times(results) == [(1.1, 2.1), (0.1, 1.1)]


def test_arrivals_do_not_wait_for_answers() -> None:
    results = done(answering(after=1), every(0.25, 3 * [get("/")]))
    assert times(results) == [(0, 1), (0.25, 1.25), (0.5, 1.5)]


def test_a_user_thinks_and_keeps_its_connection() -> None:
    ports = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        ports.append(scope["client"][1])
        await answering(after=1)(scope, receive, send)

    steps = (get("/"), pause(2), get("/", think=3), get("/"), pause(9), get("/"))
    results = done(app, user(*steps))
    assert times(results) == [(0, 1), (3, 4), (7, 8), (17, 18)]
    assert ports[0] == ports[1] == ports[2] != ports[3]  # no server keeps it for 9 seconds


def test_who_thinks_occupies_a_place() -> None:
    results = done(answering(after=1), 3 * [get("/", think=2)], concurrency=1)
    assert times(results) == [(0, 1), (3, 4), (6, 7)]


def test_times_are_of_the_wire_though_the_loop_is_held() -> None:
    """A client gets its answer when it was sent, not when the loop comes back to the client."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        time.sleep(1)  # holds the loop, as it should not
        await answering()(scope, receive, send)

    results = done(app, [get("/"), get("/"), get("/", at=1.5), user(get("/"), get("/"))])
    assert times(results) == [(0, 1), (0, 2), (1.5, 5), (0, 3), (3, 4)]


@pytest.mark.parametrize(
    ("begins", "status", "error"),
    [(False, None, "no answer within 2 s"), (True, 200, "answer unfinished after 2 s")],
)
def test_a_time_out_is_a_result(begins: bool, status: int | None, error: str) -> None:
    last: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if begins:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        last.append(await receive())

    (result,) = done(app, get("/"), timeout=2)
    assert (result.status, result.error, result.ended) == (status, error, 2)
    assert not result.hung_up
    assert last == [{"type": "http.disconnect"}]


def test_without_a_time_out() -> None:
    (result,) = done(answering(after=1000), get("/"), timeout=None)
    assert (result.ended, result.error) == (1000, "")


@pytest.mark.parametrize("timeout", [None, 30])
def test_hanging_up_is_no_error(timeout: float | None) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(10):
            await send({"type": "http.response.body", "body": 60 * b"x", "more_body": True})
            await asyncio.sleep(1)

    clients = [get("/", hang_up=after(bytes=100)), get("/", hang_up=after(seconds=3.5))]
    by_bytes, by_time = done(app, clients, timeout=timeout)
    assert (by_bytes.hung_up, by_bytes.error, by_bytes.received) == (True, "", 100)
    assert by_bytes.ended == 1
    assert (by_time.hung_up, by_time.error, by_time.received, by_time.ended) == (True, "", 240, 3.5)


def test_whichever_comes_first() -> None:
    hasty, patient = get("/", hang_up=after(seconds=1)), get("/", hang_up=after(seconds=9))
    first, second = done(answering(after=60), [hasty, patient], timeout=2)
    assert (first.hung_up, first.error) == (True, "")
    assert (second.hung_up, second.error) == (False, "no answer within 2 s")


def test_a_slow_reader_takes_its_time() -> None:
    (result,) = done(answering(b"x" * 1000), get("/", read_rate=100))
    assert (result.ended, result.first_byte, result.received) == (10, 0, 1000)


def test_a_result_has_headers_and_body() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"Content-Type", b"application/json; charset=latin-1"), (b"x", b"\xff")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"a": "\xfc"}'})

    (result,) = done(app, get("/"))
    assert result.headers[:2] == (
        ("content-type", "application/json; charset=latin-1"),
        ("x", "\xff"),
    )
    assert result.body == b'{"a": "\xfc"}'
    assert result.text == '{"a": "ü"}'
    with pytest.raises(ValueError):
        result.json()
    (result,) = done(answering(b'{"a": [1]}'), get("/"))
    assert result.json() == {"a": [1]}


def test_a_body_is_kept_to_its_first_mebibyte() -> None:
    (result,) = done(answering(b"x" * (KEPT + 5)), get("/"))
    assert (len(result.body), result.received) == (KEPT, KEPT + 5)
    (result,) = done(answering(b"x"), head("/"))
    assert (result.body, result.received) == (b"", 0)


def test_what_a_websocket_expects() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "b"})
        while (message := await receive())["type"] == "websocket.receive":
            await asyncio.sleep(1)
            await send({"type": "websocket.send", "text": message["text"].upper()})
            if message["text"] == "bye":
                await send({"type": "websocket.close", "code": 4000})

    right = ws("/", "a", expect("A"), "b", pause(0.5), "c", expect("B"), subprotocols=["a", "b"])
    wrong = ws("/", "a", expect("a"), "b", expect("B"), subprotocols=["b"])
    cut = ws("/", "bye", expect("BYE"), expect("more"), subprotocols=["b"])
    fine, unexpected, closed = done(app, [right, wrong, cut])
    assert (fine.error, fine.close_code, fine.subprotocol) == ("", 1000, "b")
    assert fine.messages[:2] == ("A", "B")
    assert unexpected.error == 'expected "a", got "A"'
    assert unexpected.close_code == 1000
    assert closed.error == 'expected "more", got close 4000'


def test_quiet_ends_a_script_that_has_no_end() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for number in range(3):
            await asyncio.sleep(0.25)
            await send({"type": "websocket.send", "text": str(number)})
        await receive()

    (result,) = done(app, ws("/"))
    assert (result.messages, result.close_code, result.ended) == (("0", "1", "2"), 1000, 1.25)


def test_a_slow_reader_of_messages() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(3):
            await send({"type": "websocket.send", "bytes": b"x" * 100})
        await send({"type": "websocket.close"})

    (result,) = done(app, ws("/", expect(), expect(), expect(), read_rate=100))
    assert (len(result.messages), result.close_code, result.ended) == (3, 1000, 3)


def test_what_the_callback_raises_ends_the_run() -> None:
    def full(result: Result) -> None:
        raise BufferError("enough")

    with pytest.raises(BufferError, match="enough"):
        done(answering(after=1), 9 * [get("/")], on_result=full)


def test_the_callback_sees_results_as_they_come() -> None:
    seen: list[Result] = []
    results = done(answering(after=1), [get("/", at=1), get("/")], on_result=seen.append)
    assert seen == [results[1], results[0]]


def test_cancelling_drops_every_connection() -> None:
    gone: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        gone.append(await receive())

    async def main() -> None:
        door = MemoryDoor(app)
        performing = asyncio.create_task(perform(door, [3 * [get("/")], get("/", at=100)]))
        await asyncio.sleep(1)
        performing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await performing
        await door.shutdown()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual().run(main)
    assert gone == 3 * [{"type": "http.disconnect"}]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda door: perform(door, [1]), "a client is a request"),
        (lambda door: perform(door, [], concurrency=0), "at least 1"),
    ],
)
def test_nonsense_is_refused(act: Callable[[Any], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        asyncio.run(act(MemoryDoor(answering())))


def test_nobody_comes() -> None:
    assert done(answering(), []) == ()


def test_a_body_with_pauses_takes_its_time() -> None:
    came: list[tuple[float, Message]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        while not came or came[-1][1]["more_body"]:
            message = await receive()
            came.append((time.monotonic() - began, message))
        await answering()(scope, receive, send)

    (result,) = done(app, post("/", [b"a", pause(0.5), b"b", pause(1), b"c"]))
    assert [(at, message["body"]) for at, message in came] == [(0, b"a"), (0.5, b"b"), (1.5, b"c")]
    assert result.ended == 1.5
