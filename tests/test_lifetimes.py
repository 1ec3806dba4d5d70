"""The life of an app as a picture: lifespan, requests, and what goes on after them."""

import asyncio
from typing import Any

import pytest

from asgi_lab import Trace, get, run
from asgi_lab.lesson import Failed, expect
from asgi_lab.lesson.lifetimes import lifetimes, lives_of
from asgi_lab.scene.roles import AFTER, LIFE

TASKS: set[Any] = set()


async def later() -> None:
    await asyncio.sleep(3)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await asyncio.sleep(0.5)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.sleep(0.5)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
    if scope["path"] == "/after":
        await asyncio.sleep(1)
    if scope["path"] == "/task":
        TASKS.add(asyncio.create_task(later()))


def ran(app: Any, *clients: Any) -> Trace:
    return asyncio.run(run(app, *clients))


def seconds(phases: Any, role: str) -> list[tuple[float, float]]:
    return [(begin / 1e9, end / 1e9) for begin, end, what in phases if what == role]


def test_the_lifespan_is_open_from_the_first_request_to_the_end_of_the_last() -> None:
    trace = ran(app, get("/after"), get("/", at=0.2))
    life, after, plain = lives_of(trace)
    assert seconds(life.phases, LIFE) == [(0.5, 1.8)]
    assert seconds(after.phases, AFTER) == [(0.8, 1.8)]
    assert seconds(plain.phases, AFTER) == []
    scene = lifetimes(trace).scene
    assert scene is not None
    assert "the app is open from 500 ms to 1.8 s; GET /after is answered at 800 ms" in scene.alt


def test_a_task_that_outlives_its_request_has_a_lane_and_its_fate() -> None:
    trace = ran(app, get("/task"))
    *_, task = lives_of(trace)
    assert (task.label, task.ended) == ("later", "cancelled")
    assert seconds(task.phases, AFTER) == [(0.8, 1.3)]
    assert "cancelled" in lifetimes(trace).text


def test_an_app_without_lifespan_has_requests_alone_in_its_picture() -> None:
    async def plain(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await app(scope, receive, send)

    trace = ran(plain, get("/"))
    assert seconds(lives_of(trace)[0].phases, LIFE) == []
    assert "nothing after the response" in lifetimes(trace).text


def test_a_lifespan_is_expected_of_apart_from_the_requests() -> None:
    trace = ran(app, get("/"))
    life = expect(trace, lifespan=True).keeps_the_rules()
    life.sends("lifespan.startup.complete").once().at(0.5)
    life.sends("http.response.start").never()
    with pytest.raises(Failed, match="lifespan"):
        expect(trace).sends("lifespan.startup.complete").once()
