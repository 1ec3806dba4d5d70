"""Each server that breaks a rule is named as the one who did; a correct one is not."""

import asyncio
from typing import Any

import pytest

from asgi_lab import trace
from tests.driver import CONNECT, http, request, websocket
from tests.misbehaving.servers import (
    SCOPES,
    SERVERS,
    SOCKET_SCOPES,
    Row,
    call,
    echo,
    faulty,
    hello,
)
from tests.misbehaving.table import findings


def found(serve: Any, app: Any) -> set[tuple[str, str]]:
    traced = trace(app)
    asyncio.run(serve(traced))
    return {(event.data["rule"], event.data["side"]) for event in findings(traced)}


@pytest.mark.parametrize("row", SERVERS, ids=lambda row: row.name)
def test_a_misbehaving_server_is_named(row: Row) -> None:
    assert found(row.serve, row.app) == {(rule, "server") for rule in row.rules}


@pytest.mark.parametrize("name", SCOPES)
def test_a_faulty_scope_is_the_servers(name: str) -> None:
    rule, changes = SCOPES[name]
    scope = faulty(http(), changes)
    assert found(lambda app: call(app, scope, [request()]), hello) == {(rule, "server")}


@pytest.mark.parametrize("name", SOCKET_SCOPES)
def test_a_faulty_scope_of_a_socket_is_the_servers(name: str) -> None:
    rule, changes = SOCKET_SCOPES[name]
    scope = faulty(websocket(), changes)
    assert found(lambda app: call(app, scope, [CONNECT]), echo) == {(rule, "server")}


def test_a_silent_server_is_named_beside_the_app() -> None:
    """What is no message must not vanish: both have broken a rule."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.begin"})

    assert found(lambda app: call(app, http()), app) == {("G2", "app"), ("A7", "server")}


def test_there_are_56() -> None:
    assert len(SERVERS) + len(SCOPES) + len(SOCKET_SCOPES) >= 56
