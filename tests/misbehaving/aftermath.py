"""Apps whose one misstep leads to others: it alone is told.

And apps that hand a call to another task: the line is the one that made it.
"""

import asyncio
from contextlib import suppress
from typing import Any

from tests.driver import CONNECT, GONE, SHUTDOWN, STARTUP, request
from tests.misbehaving.apps import END, START, Middleware, breaks
from tests.misbehaving.http_apps import MORE, TRAILERS, TRAILING, headed
from tests.misbehaving.socket_apps import (
    ACCEPT,
    COMPLETE,
    DENIED,
    DENIED_BODY,
    LEFT,
    STOPPED,
    breaks_lifespan,
)
from tests.misbehaving.socket_apps import breaks as breaks_socket

# --- what follows --------------------------------------------------------------------------------


@breaks("G1")
async def starts_without_a_type(scope: Any, receive: Any, send: Any) -> None:
    with suppress(ValueError):
        await send({"status": 200, "headers": []})  # <- G1
    await send(END)


@breaks("G2")
async def starts_with_a_typo(scope: Any, receive: Any, send: Any) -> None:
    with suppress(ValueError):
        await send({**START, "type": "http.response.begin"})  # <- G2
    await send(MORE)
    await send(END)


@breaks("H2")
async def answers_twice_in_full(scope: Any, receive: Any, send: Any) -> None:
    for status in (200, 500):
        await send({**headed((b"content-length", b"4")), "status": status})  # <- H2
        await send(END)


@breaks("H4")
async def continues_by_itself(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 100})  # <- H4
    await send(START)
    await send(END)


@breaks("H4")
async def hints_by_itself(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 103, "headers": [(b"link", b"</a.css>")]})  # <- H4
    await send(END)


@breaks("H11")
async def says_how_much_more_there_is(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({**MORE, "more_body": 1})  # <- H11
    await send(END)


@breaks("H11", scope=TRAILING)
async def promises_trailers_with_one(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "trailers": 1})  # <- H11
    await send(END)
    await send(TRAILERS)


@breaks("H12")
async def forgets_more_body_in_three_places(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"content-length", b"4")))
    await send(END)
    await send(END)  # <- H12
    await send(END)


@breaks("H16", refuse={1: RuntimeError("no length")})
async def declares_less_than_nothing(scope: Any, receive: Any, send: Any) -> None:
    await send(headed((b"content-length", b"-1")))  # <- H16
    await send(END)


@breaks("H19", incoming=[request(), GONE])
async def goes_on_in_two_places(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    await send(START)  # <- H19
    await send(END)


@breaks("G4", scope={"type": "mqtt", "asgi": {"version": "3.0"}}, incoming=[])
async def answers_whatever_comes(scope: Any, receive: Any, send: Any) -> None:
    await send(START)  # <- G4
    await send(END)


@breaks_socket("W11")
async def denies_what_it_may_not(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(DENIED)  # <- W11
    await send(DENIED_BODY)


@breaks_socket("W2", incoming=[CONNECT, {"type": "websocket.receive", "text": "a"}, LEFT])
async def accepts_before_it_listens(scope: Any, receive: Any, send: Any) -> None:
    await send(ACCEPT)  # <- W2
    while (await receive())["type"] != "websocket.disconnect":
        pass


@breaks_socket("W12", incoming=[CONNECT, LEFT, LEFT])
async def sends_and_asks_after_the_end(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await receive()
    await send({"type": "websocket.send", "text": "are you there?"})  # <- W12
    await receive()


@breaks_lifespan("L2", incoming=[STARTUP, SHUTDOWN])
async def starts_up_unasked(scope: Any, receive: Any, send: Any) -> None:
    await send(COMPLETE)  # <- L2
    await receive()
    await receive()
    await send(STOPPED)


@breaks("H2", side="middleware", who="Adds")
def adds_an_answer_to_an_answer() -> Any:
    class Adds(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            await self.app(scope, receive, send)
            await send(START)  # <- H2
            await send(END)

    return Adds()


# --- in another task -----------------------------------------------------------------------------


@breaks("H3")
async def starts_in_time(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.wait_for(send({**START, "status": "200"}), 1)  # <- H3
    await send(END)


@breaks("H12")
async def ends_in_a_group(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)
    await asyncio.gather(send(END))  # <- H12


@breaks("H3")
async def starts_in_a_task(scope: Any, receive: Any, send: Any) -> None:
    task = asyncio.create_task(send({**START, "status": None}))  # <- H3
    await task
    await send(END)


@breaks("H20", incoming=[request(), GONE, GONE])
async def asks_in_time_again_and_again(scope: Any, receive: Any, send: Any) -> None:
    for _ in range(3):
        await asyncio.wait_for(receive(), 1)  # <- H20


@breaks("H15")
async def fails_in_a_group(scope: Any, receive: Any, send: Any) -> None:
    async def fails() -> None:
        raise LookupError("no such pen")  # <- H15

    async with asyncio.TaskGroup() as group:
        group.create_task(fails())


# --- middleware of every make --------------------------------------------------------------------


@breaks("H2", side="middleware", who="mirrored.middleware")
def is_a_function() -> Any:
    def mirrored(app: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            await send(START)  # <- H2

        return middleware

    return mirrored(Middleware())


@breaks("H14", side="middleware", who="Silent")
def calls_the_next_app_inner() -> Any:
    class Silent:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def silent(message: Any) -> None:
                return

            await self.inner(scope, receive, silent)  # <- H14

    return Silent(Middleware())


@breaks("G6", side="middleware", who="Appends")
def appends_to_the_headers_in_place() -> Any:
    class Appends(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # <- G6
            scope["headers"].append((b"x-user", b"1"))
            await self.app(scope, receive, send)

    return Appends()
