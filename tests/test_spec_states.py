"""The conversations as tables: whole, without dead ends, and walked over a trace."""

import asyncio
from typing import Any

import pytest

from asgi_lab import trace
from asgi_lab.spec.machine import RAISE, RETURN, Machine
from asgi_lab.spec.states import PROTOCOLS
from asgi_lab.spec.walk import begin, go, walk
from tests.driver import CONNECT, SHUTDOWN, STARTUP, Server, http, lifespan, request, websocket

MACHINES = [machine for machines in PROTOCOLS.values() for machine in machines]


@pytest.fixture(params=MACHINES, ids=lambda machine: machine.thread)
def machine(request: pytest.FixtureRequest) -> Machine:
    return request.param  # type: ignore[no-any-return]


def test_moves_lead_from_states_to_states(machine: Machine) -> None:
    names = {state.name for state in machine.states}
    assert {move.source for move in machine.moves} | {
        move.target for move in machine.moves
    } <= names
    assert len(machine.targets) == len(machine.moves), "two moves of one kind from one state"


def test_each_state_can_be_reached_and_left_for_an_end(machine: Machine) -> None:
    reached = {machine.start}
    for _ in machine.states:
        reached |= {move.target for move in machine.moves if move.source in reached}
    assert reached == {state.name for state in machine.states}
    ends = {state.name for state in machine.states if state.end}
    for _ in machine.states:
        ends |= {move.source for move in machine.moves if move.target in ends}
    assert ends == reached


def test_whatever_is_no_move_breaks_a_rule(machine: Machine) -> None:
    said = {(move.verb, move.type) for move in machine.moves}
    for state in machine.states:
        for verb, kind in said:
            if verb in (RETURN, RAISE) and state.name == "over":
                continue  # once is all
            allowed = {m.when for m in machine.moves if m[:3] == (state.name, verb, kind)}
            if not allowed:
                assert machine.breach(state.name, verb, kind), (state.name, verb, kind)


def walked(app: Any, scope: Any, *incoming: Any) -> list[tuple[str, str, str | None, str]]:
    traced = trace(app)
    asyncio.run(Server(incoming).call(traced, scope))
    return [(s.event.type or s.event.kind, s.before, s.after, s.rule) for s in walk(traced.trace)]


async def streams(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    await send({"type": "http.response.body"})


def test_walk_follows_a_response() -> None:
    assert walked(streams, http(), request()) == [
        ("http.request", "coming", "whole", ""),
        ("http.response.start", "waiting", "started", ""),
        ("http.response.body", "started", "streaming", ""),
        ("http.response.body", "streaming", "complete", ""),
        ("return", "complete", "over", ""),
    ]


def test_walk_marks_what_is_no_move() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.accept"})

    assert walked(app, websocket(), CONNECT) == [
        ("websocket.connect", "called", "connecting", ""),
        ("websocket.accept", "connecting", "open", ""),
        ("websocket.accept", "open", None, "W3"),
        ("return", "open", None, "W9"),
    ]


def test_walk_follows_a_lifespan() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    steps = walked(app, lifespan(), STARTUP, SHUTDOWN)
    assert [step[2] for step in steps] == ["starting", "running", "stopping", "stopped", "over"]


def follow(*happenings: tuple[str, str, dict[str, Any]]) -> list[tuple[str | None, str]]:
    standing, steps = begin("http"), []
    for verb, kind, message in happenings:
        standing, step = go(standing, verb, kind, message)
        steps.append((step.after, step.rule))
    return steps


def test_promised_trailers_come_between_the_body_and_the_end() -> None:
    assert follow(
        ("send", "http.response.start", {"trailers": True}),
        ("send", "http.response.body", {}),
        ("return", "", {}),
        ("send", "http.response.trailers", {}),
    ) == [("started", ""), ("trailers", ""), (None, "H18"), ("complete", "")]


def test_once_the_client_is_gone_an_app_may_end_anywhere() -> None:
    assert follow(
        ("send", "http.response.start", {}),
        ("receive", "http.disconnect", {}),
        ("return", "", {}),
    ) == [("started", ""), ("gone", ""), ("over", "")]
