"""Apps that break a rule whatever the protocol, and middleware that does."""

import asyncio
from datetime import date
from types import MappingProxyType
from typing import Any

from tests.driver import STARTUP, request
from tests.misbehaving.table import HTTP, LIFESPAN, REQUEST, SOCKET, STARTED, Case, row

APPS: list[Case] = []
START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b"done"}


def breaks(*rules: str, **more: Any) -> Any:
    return row(APPS, HTTP, REQUEST, *rules, **more)


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)


class Middleware:
    def __init__(self, app: Any = hello) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return await self.app(scope, receive, send)


# --- G1: what is no message ----------------------------------------------------------------------


@breaks("G1")
async def sends_none(scope: Any, receive: Any, send: Any) -> None:
    await send(None)  # <- G1


@breaks("G1")
async def sends_a_list_of_pairs(scope: Any, receive: Any, send: Any) -> None:
    await send(list(START.items()))  # <- G1


@breaks("G1")
async def sends_a_type_alone(scope: Any, receive: Any, send: Any) -> None:
    await send("http.response.start")  # <- G1


@breaks("G1")
async def sends_no_dict(scope: Any, receive: Any, send: Any) -> None:
    await send(MappingProxyType(START))  # <- G1


@breaks("G1")
async def sends_no_type(scope: Any, receive: Any, send: Any) -> None:
    await send({"status": 200, "headers": []})  # <- G1


@breaks("G1")
async def sends_a_type_of_bytes(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": b"http.response.start", "status": 200})  # <- G1


@breaks("G1")
async def sends_a_type_that_cannot_be_hashed(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": ["http.response.start"]})  # <- G1


# --- G2: messages of another protocol ------------------------------------------------------------


@breaks("G2")
async def sends_a_type_misspelt(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.begin", "status": 200})  # <- G2


@breaks("G2")
async def sends_a_request(scope: Any, receive: Any, send: Any) -> None:
    await send(await receive())  # <- G2


@breaks("G2")
async def accepts_a_request(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})  # <- G2


@breaks("G2", scope=SOCKET, incoming=STARTED)
async def answers_a_socket_with_http(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)  # <- G2


@breaks("G2", scope=LIFESPAN, incoming=[STARTUP])
async def answers_a_lifespan_with_http(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)  # <- G2


# --- G3: values that no network carries ----------------------------------------------------------


@breaks("G3")
async def sends_a_date(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "sent": date(2026, 1, 1)})  # <- G3
    await send(END)


@breaks("G3")
async def sends_not_a_number(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "took": float("nan")})  # <- G3
    await send(END)


@breaks("G3")
async def sends_a_huge_int(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({**END, "id": 2**64})  # <- G3


@breaks("G3")
async def sends_a_set(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "tags": [{"a", "b"}]})  # <- G3
    await send(END)


@breaks("G3")
async def sends_keys_that_are_numbers(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "counts": {1: 2}})  # <- G3
    await send(END)


# --- G4: scopes that are not known ---------------------------------------------------------------


@breaks("G4", scope={"type": "mqtt", "asgi": {"version": "3.0"}}, incoming=[])
async def knows_every_protocol(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await hello(scope, receive, send)
    return  # <- G4


# --- G5: calls that are not awaited, or wrong ----------------------------------------------------


@breaks("G5")
async def forgets_to_await_the_start(scope: Any, receive: Any, send: Any) -> None:
    send(START)  # <- G5


@breaks("G5")
async def forgets_to_await_the_end(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    send(END)  # <- G5


@breaks("G5")
async def forgets_to_await_the_request(scope: Any, receive: Any, send: Any) -> None:
    receive()  # <- G5
    await hello(scope, receive, send)


@breaks("G5")
async def sends_two_at_once(scope: Any, receive: Any, send: Any) -> None:
    await send(START, END)  # <- G5


@breaks("G5")
async def sends_keys_as_arguments(scope: Any, receive: Any, send: Any) -> None:
    await send(**START)  # <- G5


@breaks("G5", scope=SOCKET, incoming=STARTED)
async def forgets_to_await_the_accept(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    send({"type": "websocket.accept"})  # <- G5


# --- G6: a scope changed in place ----------------------------------------------------------------


@breaks("G6", side="middleware", who="Strips")
def strips_a_prefix_in_place() -> Any:
    class Strips(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:  # <- G6
            scope["path"] = "/stripped"
            await self.app(scope, receive, send)

    return Strips()


@breaks("G6", side="middleware", layer=1)
def adds_a_header_in_place() -> Any:
    class Adds(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:  # <- G6
            scope["headers"].append((b"x-user", b"anne"))
            scope["headers"] = [*scope["headers"], (b"x-role", b"admin")]
            await self.app(scope, receive, send)

    return Middleware(Adds())


@breaks("G6")
def overrides_the_method_in_place() -> Any:
    async def overrides(scope: Any, receive: Any, send: Any) -> None:  # <- G6
        scope["method"] = "PUT"
        await hello(scope, receive, send)

    return overrides


# --- G7: after the return ------------------------------------------------------------------------


@breaks("G7")
async def sends_after_returning(scope: Any, receive: Any, send: Any) -> None:
    async def late() -> None:
        await asyncio.sleep(0)
        await send(END)  # <- G7

    await hello(scope, receive, send)
    scope["late"] = asyncio.create_task(late())


@breaks("G7")
async def receives_after_returning(scope: Any, receive: Any, send: Any) -> None:
    async def late() -> None:
        await asyncio.sleep(0)
        await receive()  # <- G7

    await hello(scope, receive, send)
    scope["late"] = asyncio.create_task(late())


@breaks("G7", scope=SOCKET, incoming=STARTED)
async def speaks_after_returning(scope: Any, receive: Any, send: Any) -> None:
    async def late() -> None:
        await asyncio.sleep(0)
        await send({"type": "websocket.send", "text": "late"})  # <- G7

    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close"})
    scope["late"] = asyncio.create_task(late())


# --- G8: the legacy style ------------------------------------------------------------------------


@breaks("G8")
def takes_the_scope_alone() -> Any:
    class Legacy:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:  # <- G8
            await hello(self.scope, receive, send)

    return Legacy


# --- what middleware does to others --------------------------------------------------------------


@breaks("H6", side="middleware", who="Stamps")
def adds_a_header_with_capitals() -> Any:
    class Stamps(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def stamped(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [(b"X-Stamp", b"1")]}
                await send(message)  # <- H6

            await self.app(scope, receive, stamped)

    return Stamps()


@breaks("H16", side="middleware", layer=1, who="Appends")
def appends_to_a_body_of_known_length() -> Any:
    async def measured(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"content-length", b"4")]})
        await send(END)

    class Appends(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def longer(message: Any) -> None:
                if message["type"] == "http.response.body":
                    message = {**message, "body": message["body"] + b"<script>"}
                await send(message)  # <- H16

            await self.app(scope, receive, longer)

    return Middleware(Middleware(Appends(measured)).app)


@breaks("H2", side="middleware", who="Answers")
def answers_before_the_app_does() -> Any:
    class Answers(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def passed(message: Any) -> None:
                await send(message)  # <- H2

            await send(START)
            await self.app(scope, receive, passed)

    return Answers()


@breaks("H14", side="middleware", who="Forgets")
def forgets_to_answer_who_is_refused() -> Any:
    class Forgets(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            if "authorization" not in scope["headers"]:
                return  # <- H14
            await self.app(scope, receive, send)

    return Middleware(Forgets())


@breaks("H15", side="middleware", who="Fails", layer=1)
def fails_after_the_app() -> Any:
    class Fails(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            await self.app(scope, receive, send)
            raise LookupError("the log is full")  # <- H15

    return Middleware(Fails())


@breaks("H6", layer=2)
def is_passed_on_by_middleware() -> Any:
    async def shouts(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"X-Loud", b"1")]})  # <- H6
        await send(END)

    return Middleware(Middleware(shouts))


@breaks("R3", side="middleware", who="Replays")
def gives_the_request_again() -> Any:
    class Replays(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def again() -> Any:
                return request(b"again")

            await self.app(scope, again, send)

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()  # <- R3
        await hello(scope, receive, send)

    return Replays(reads)


@breaks("S5", side="middleware", who="Encodes")
def gives_a_path_of_bytes() -> Any:
    class Encodes(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            await self.app({**scope, "path": scope["path"].encode()}, receive, send)

    return Encodes()
