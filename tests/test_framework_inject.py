"""What a handler's parameters say, and what a client hears that gives something else."""

import asyncio
import contextvars
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from asgi_lab import expect, get, post, run, ws
from asgi_lab.client import Result
from asgi_lab.framework import (
    App,
    BackgroundTasks,
    Body,
    Depends,
    Request,
    StreamingResponse,
    WebSocket,
)

KEY = uuid.UUID(int=7)
NO_TAGS: list[int] = []


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Item:
    name: str
    price: float
    tags: list[str] = field(default_factory=list)


@dataclass
class Order:
    items: list[Item]
    when: datetime | None = None
    gift: bool = False


def ask(app: Any, *clients: Any) -> tuple[Result, ...]:
    return asyncio.run(run(app, *clients, concurrency=1)).results


def problems(result: Result) -> list[tuple[str, str, str, Any]]:
    assert result.status == 422
    errors = result.json()["errors"]
    return [(e["in"], e["name"], e["expected"], e["got"]) for e in errors]


def test_a_path_and_a_query_are_converted() -> None:
    app = App()

    @app.get("/{id}/{size:float}")
    async def page(
        id: int, size: float, q: str, n: int = 3, x: float | None = None, on: bool = False,
        tag: list[int] = NO_TAGS, key: uuid.UUID | None = None, colour: Colour = Colour.RED,
        order: Literal["up", "down"] = "up", day: date | None = None, untyped=None,
    ) -> dict[str, Any]:  # fmt: skip
        found = [id, size, q, n, x, on, tag, key, colour, order, day, untyped]
        return {"found": [repr(value) for value in found]}

    few, many, wrong = ask(
        app,
        get("/7/1.5?q=a"),
        get(
            f"/7/2?q=&n=-4&x=1e3&on=YES&tag=1&tag=2&key={KEY}&colour=blue&order=down"
            "&day=2024-05-01&untyped=u"
        ),
        get("/x/1?n=4.5&x=y&on=maybe&tag=1&tag=b&key=k&colour=green&order=left&day=monday"),
    )
    assert few.json()["found"] == [
        "7", "1.5", "'a'", "3", "None", "False", "[]", "None", repr(Colour.RED), "'up'", "None",
        "None",
    ]  # fmt: skip
    assert many.json()["found"] == [
        "7", "2.0", "''", "-4", "1000.0", "True", "[1, 2]", repr(KEY), repr(Colour.BLUE), "'down'",
        "datetime.date(2024, 5, 1)", "'u'",
    ]  # fmt: skip
    assert problems(wrong) == [
        ("path", "id", "an integer", "x"),
        ("query", "q", "a value", None),
        ("query", "n", "an integer", "4.5"),
        ("query", "x", "a number", "y"),
        ("query", "on", "true or false", "maybe"),
        ("query", "tag.1", "an integer", "b"),
        ("query", "key", "a UUID", "k"),
        ("query", "colour", "red or blue", "green"),
        ("query", "order", "up or down", "left"),
        ("query", "day", "a date such as 2024-05-01", "monday"),
    ]


def test_a_dataclass_is_the_body() -> None:
    app = App()

    @app.post("/orders")
    async def create(order: Order) -> dict[str, Any]:
        when = order.when and order.when.isoformat()
        return {"names": [i.name for i in order.items], "when": when, "gift": order.gift}

    @app.post("/any")
    async def anything(body: Annotated[list[int] | str, Body()]) -> Any:
        return {"body": body}

    @app.post("/many")
    async def many(items: list[Item], first: int = 0) -> dict[str, Any]:
        return {"names": [item.name for item in items[first:]]}

    @app.post("/perhaps")
    async def perhaps(item: Item | None = None) -> dict[str, Any]:
        return {"name": item and item.name}

    item = {"name": "pen", "price": 2, "unknown": 1}
    answers = ask(
        app,
        post("/many?first=1", json=[item, item]),
        post("/perhaps"),
        post("/perhaps", json=item),
        post("/perhaps", "[" * 100_000),
    )
    assert [r.json() for r in answers[:3]] == [{"names": ["pen"]}, {"name": None}, {"name": "pen"}]
    assert answers[3].status == 400
    good, missing, wrong, broken, list_, text, number = ask(
        app,
        post("/orders", json={"items": [item], "when": "2024-05-01T12:00", "gift": True}),
        post("/orders", json={}),
        post("/orders", json={"items": [item, {"name": "x", "price": "2 EUR"}]}),
        post("/orders", "{"),
        post("/any", json=[1, 2]),
        post("/any", json="text"),
        post("/any", json=[1, "x"]),
    )
    assert good.json() == {"names": ["pen"], "when": "2024-05-01T12:00:00", "gift": True}
    assert problems(missing) == [("body", "items", "a value", None)]
    assert problems(wrong) == [("body", "items.1.price", "a number", "2 EUR")]
    assert broken.status == 400
    assert (list_.json(), text.json()) == ({"body": [1, 2]}, {"body": "text"})
    assert problems(number)[0][2] == "an integer or text"


def test_dependencies_are_opened_in_order_and_closed_after_the_response() -> None:
    log: list[str] = []

    async def first() -> AsyncIterator[str]:
        log.append("open first")
        try:
            yield "1"
        finally:
            log.append("close first")

    def second(one: Annotated[str, Depends(first)]) -> Iterator[str]:
        log.append("open second")
        yield one + "2"
        log.append("close second")

    def third(two: Annotated[str, Depends(second)], q: int = 0) -> str:
        return f"{two}3 {q}"

    app = App()

    @app.get("/")
    async def page(
        one: Annotated[str, Depends(first)], three: Annotated[str, Depends(third)]
    ) -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            log.append("send")
            yield f"{one} {three}"

        return StreamingResponse(body())

    good = ask(app, get("/?q=5"))[0]
    assert good.text == "1 123 5"
    order = ["open first", "open second", "send", "close second", "close first"]
    assert log == order
    assert problems(ask(app, get("/?q=x"))[0]) == [("query", "q", "an integer", "x")]
    assert log == order, "something was opened for an invalid request"


def test_a_dependency_is_called_once_a_request_or_each_time() -> None:
    calls: list[str] = []

    def counted() -> int:
        calls.append("called")
        return len(calls)

    app = App()

    @app.get("/once")
    async def once(
        a: Annotated[int, Depends(counted)], b: Annotated[int, Depends(counted)]
    ) -> dict[str, int]:
        return {"a": a, "b": b}

    @app.get("/twice")
    async def twice(
        a: Annotated[int, Depends(counted, once=False)],
        b: Annotated[int, Depends(counted, once=False)],
    ) -> dict[str, int]:
        return {"a": a, "b": b}

    found = [result.json() for result in ask(app, get("/once"), get("/once"), get("/twice"))]
    assert found == [{"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 3, "b": 4}]


@pytest.mark.parametrize("blocking", [False, True])
def test_a_dependency_sees_the_handlers_error(blocking: bool) -> None:
    log: list[str] = []

    async def db() -> AsyncIterator[str]:
        try:
            yield "db"
        except ValueError as error:
            log.append(f"rolled back: {error}")
            raise

    def blocking_db() -> Iterator[str]:
        try:
            yield "db"
        except ValueError as error:
            log.append(f"rolled back: {error}")
            raise

    app = App()

    @app.get("/")
    async def page(db: Annotated[str, Depends(blocking_db if blocking else db)]) -> None:
        raise ValueError("no")

    assert ask(app, get("/"))[0].status == 500
    assert log == ["rolled back: no"]


def test_a_dependency_that_swallows_an_error_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def careless() -> AsyncIterator[None]:
        try:
            yield
        except ValueError:
            pass

    app = App()

    @app.get("/")
    async def page(db: Annotated[None, Depends(careless)]) -> None:
        raise ValueError("no")

    assert ask(app, get("/"))[0].status == 500
    assert "swallowed an error" in caplog.text


def test_functions_of_both_colours_share_the_context() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    app = App()

    async def identify(request: Request) -> None:
        who.set(request.headers["x-who"])

    @app.get("/")
    def page(_: Annotated[None, Depends(identify)]) -> dict[str, Any]:
        return {"who": who.get(), "main": threading.current_thread() is threading.main_thread()}

    results = ask(app, [get("/", headers={"x-who": name}) for name in ("ada", "bob")])
    assert [result.json()["who"] for result in results] == ["ada", "bob"]
    assert not results[0].json()["main"]


def test_work_is_done_after_the_response(caplog: pytest.LogCaptureFixture) -> None:
    log: list[str] = []

    async def slow(what: str) -> None:
        await asyncio.sleep(5)
        log.append(what)

    def fails() -> None:
        raise OSError("no mail today")

    async def sender(after: BackgroundTasks) -> None:
        after.add(slow, "by a dependency")

    app = App()

    @app.get("/")
    async def page(after: BackgroundTasks, _: Annotated[None, Depends(sender)]) -> str:
        after.add(fails)
        after.add(slow, what="by the handler")
        return "done"

    trace = asyncio.run(run(app, get("/")))
    assert trace.results[0].seconds < 1
    assert log == ["by a dependency", "by the handler"]
    assert "no mail today" in caplog.text
    assert not [event for event in trace if event.kind == "raise"]


def test_a_websocket_has_parameters_too() -> None:
    log: list[str] = []

    async def opened() -> AsyncIterator[str]:
        yield "opened"
        log.append("closed")

    app = App()

    @app.websocket("/{room}")
    async def chat(
        socket: WebSocket, room: int, key: Annotated[str, Depends(opened)], name: str = "me"
    ) -> None:
        await socket.accept()
        await socket.send(f"{room} {key} {name}")

    good, bad = ask(app, ws("/7?name=ada", expect("7 opened ada")), ws("/x"))
    assert good.messages == ("7 opened ada",)
    assert bad.status == 422
    assert log == ["closed"]


def test_what_cannot_be_given_is_told_at_once() -> None:
    app = App()

    def starred(*names: str) -> None: ...

    def positional(name: str, /) -> None: ...

    def unknown(name: "Nothing") -> None: ...  # type: ignore[name-defined] # noqa: F821

    def strange(file: set[int]) -> None: ...

    def default(key: Any = Depends(starred)) -> None: ...  # noqa: B008

    for handler, words in ((starred, "cannot be injected"), (positional, "by name"),
                           (unknown, "cannot be evaluated"), (strange, "Depends"),
                           (default, r"Annotated\[\.\.\., Depends")):  # fmt: skip
        with pytest.raises(TypeError, match=words):
            app.get("/")(handler)
