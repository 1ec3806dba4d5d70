"""Correct programs of unusual habits: nothing is to be said of them."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from tests.driver import CONNECT, GONE, SHUTDOWN, STARTUP, http, request, text, websocket
from tests.misbehaving.apps import END, START, Middleware, hello
from tests.misbehaving.http_apps import DEBUGGED, MORE, PUSHING, SENDING, TRAILERS, TRAILING
from tests.misbehaving.socket_apps import (
    ACCEPT,
    CLOSE,
    COMPLETE,
    DENIED,
    DENIED_BODY,
    DENYING,
    FAILED,
    LEFT,
    STOPPED,
)
from tests.misbehaving.table import HTTP, LIFESPAN, REQUEST, SOCKET, STARTED, Case, row

CORRECT: list[Case] = []


def correct(**more: Any) -> Any:
    return row(CORRECT, HTTP, REQUEST, **more)


def socket(**more: Any) -> Any:
    return row(CORRECT, SOCKET, STARTED, **more)


def lives(**more: Any) -> Any:
    return row(CORRECT, LIFESPAN, [STARTUP, SHUTDOWN], **more)


# --- messages ------------------------------------------------------------------------------------


@correct()
async def sends_only_what_it_must(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


@correct()
async def sends_more_keys_than_it_must(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "reason": "Fine", "x": {"a": [1, 2.5, None, b"x"]}})
    await send({**END, "y": True})


@correct()
async def has_headers_in_lists(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [[b"a", b"1"], [b"a", b"2"]]})
    await send(END)


@correct()
async def has_headers_in_tuples(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": ((b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))})
    await send(END)


@correct()
async def has_headers_from_a_generator(scope: Any, receive: Any, send: Any) -> None:
    def pairs() -> Iterator[Any]:
        yield (b"a", b"1")
        raise AssertionError("nobody but the server reads headers")

    await send({**START, "headers": pairs()})
    await send(END)


@correct()
async def has_headers_from_a_dict(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": {b"content-length": b"4", b"x-empty": b""}.items()})
    await send(END)


@correct()
async def has_a_status_with_a_name(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": HTTPStatus.NOT_FOUND})
    await send(END)


@correct()
async def has_types_with_a_name(scope: Any, receive: Any, send: Any) -> None:
    class Type(StrEnum):
        START = "http.response.start"
        BODY = "http.response.body"

    await send({"type": Type.START, "status": 200})
    await send({"type": Type.BODY})


@correct()
async def has_a_status_of_its_own(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 799})
    await send(END)


@correct()
async def sends_messages_of_a_class_of_its_own(scope: Any, receive: Any, send: Any) -> None:
    class Message(dict[str, Any]):
        pass

    await send(Message(START))
    await send(Message(END))


@correct()
async def sends_one_message_again_and_again(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    part = {"type": "http.response.body", "body": b"", "more_body": True}
    for n in range(5):
        part["body"] = b"%d" % n
        await send(part)
    part["more_body"] = False
    await send(part)


@correct(scope=http("/", method="HEAD"))
async def answers_head_without_a_body(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body"})


@correct(scope=http("/", method="HEAD"))
async def answers_head_with_a_body(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-length", b"4")]})
    await send(END)


@correct()
async def has_not_been_modified(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "status": 304, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body"})


@correct()
async def sends_a_known_length_in_parts(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-length", b"8")]})
    await send(MORE)
    await send({**MORE, "body": b""})
    await send(MORE)
    await send({"type": "http.response.body"})


# --- ways to receive and to end ------------------------------------------------------------------


@correct(incoming=[])
async def never_receives(scope: Any, receive: Any, send: Any) -> None:
    await hello(scope, receive, send)


@correct(incoming=[request(b"a", more=True), request(b"b", more=True)])
async def answers_before_it_has_read(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await hello(scope, receive, send)


@correct(incoming=[request(), GONE])
async def waits_for_the_end(scope: Any, receive: Any, send: Any) -> None:
    await hello(scope, receive, send)
    while (await receive())["type"] != "http.disconnect":
        pass


@correct(incoming=[request(b"a", more=True), GONE])
async def says_nothing_to_who_has_left(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await receive()


@correct(incoming=[request(), GONE])
async def leaves_a_stream_as_the_client_does(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(MORE)
    await receive()
    if (await receive())["type"] == "http.disconnect":
        return


@correct(incoming=[GONE])
async def fails_because_the_client_has_left(scope: Any, receive: Any, send: Any) -> None:
    if (await receive())["type"] == "http.disconnect":
        raise ConnectionError("the client has left")


@correct(refuse={1: BrokenPipeError("gone")})
async def lets_a_lost_connection_raise(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    while True:
        await send(MORE)


@correct(refuse={1: ConnectionResetError("gone")})
async def catches_a_lost_connection(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    try:
        await send(MORE)
    except OSError:
        return


@correct()
async def sends_in_another_task(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await asyncio.create_task(send(MORE))
    await asyncio.gather(asyncio.sleep(0), send(END))


@correct(incoming=[request(), GONE])
async def listens_while_it_streams(scope: Any, receive: Any, send: Any) -> None:
    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    listener = asyncio.create_task(listen())
    await send(START)
    for _ in range(10):
        await send(MORE)
    await send(END)
    await listener


@correct(incoming=[])
async def asks_again_after_giving_up(scope: Any, receive: Any, send: Any) -> None:
    for _ in range(2):
        asked = asyncio.create_task(receive())
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
    await hello(scope, receive, send)


@correct()
async def works_on_after_the_answer(scope: Any, receive: Any, send: Any) -> None:
    await hello(scope, receive, send)
    for _ in range(5):
        await asyncio.sleep(0)


# --- scopes --------------------------------------------------------------------------------------

LEAST = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/", "query_string": b"",
         "headers": []}  # fmt: skip


@correct(scope={**LEAST, "asgi": {"version": "3.0"}})
async def is_given_only_what_it_must(scope: Any, receive: Any, send: Any) -> None:
    await hello(scope, receive, send)


@correct(
    scope={
        **HTTP,
        "client": None,
        "server": ["/run/app.sock", None],
        "raw_path": None,
        "extensions": None,
        "headers": ((b"X-Case", b"kept"), [b"x", b""]),
    }
)
async def is_given_what_may_be(scope: Any, receive: Any, send: Any) -> None:
    await hello(scope, receive, send)


@correct(scope=http("/caf%C3%A9", "POST", [(b"content-length", b"4")]) | {"path": "/café"},
         incoming=[request(b"12", more=True), request(b"34")])  # fmt: skip
async def is_given_a_body_in_parts(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await hello(scope, receive, send)


@correct(scope={"type": "mqtt", "asgi": {"version": "3.0"}}, incoming=[])
async def rejects_what_it_does_not_know(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])


@socket(scope={**SOCKET, "client": iter(["::1", 5000]), "subprotocols": iter(["chat"])})
async def is_given_iterators(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**ACCEPT, "subprotocol": next(scope["subprotocols"], "chat")})
    await send(CLOSE)


@socket()
async def rejects_sockets(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])


@lives()
async def knows_no_lifespan(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"


# --- extensions ----------------------------------------------------------------------------------


@correct(scope=TRAILING)
async def sends_trailers_in_parts(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "trailers": True})
    await send(MORE)
    await send(END)
    await send({**TRAILERS, "more_trailers": True})
    await send(TRAILERS)


@correct(scope=PUSHING)
async def hints_and_pushes(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
    await send({"type": "http.response.push", "path": "/a.css", "headers": []})
    await send(MORE)
    await send({"type": "http.response.early_hint", "links": (b"</b.css>",)})
    await send(END)


@correct(scope=SENDING)
async def sends_files(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-length", b"1000")]})
    with open(__file__, "rb") as file:
        await send({"type": "http.response.zerocopysend", "file": file, "more_body": True})
    await send(END)


@correct(scope=SENDING)
async def sends_a_path(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.pathsend", "path": __file__})


@correct(scope=DEBUGGED)
async def tells_testers_all(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.debug", "info": {"template": object()}})
    await hello(scope, receive, send)


# --- middleware ----------------------------------------------------------------------------------


@correct()
def changes_a_copy() -> Any:
    class Copies(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            scope = {**scope, "path": "/other", "headers": [*scope["headers"], (b"x", b"y")]}
            await self.app(scope, receive, send)

    return Middleware(Copies())


@correct()
def adds_keys_of_its_own() -> Any:
    class Adds(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            scope["user"], scope["state"]["id"] = object(), 1
            scope["headers"] = list(scope["headers"])
            await self.app(scope, receive, send)

    return Adds()


@correct()
def mends_the_headers() -> Any:
    async def shouts(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [("X-Loud", "1")]})
        await send(END)

    class Mends(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def mended(message: Any) -> None:
                pairs = message.get("headers", ())
                headers = [(k.lower().encode(), v.encode()) for k, v in pairs]
                await send({**message, "headers": headers} if headers else message)

            await self.app(scope, receive, mended)

    return Mends(shouts)


@correct()
def holds_the_start_back() -> Any:
    class Holds(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            held: list[Any] = []
            await self.app(scope, receive, lambda message: hold(held, message))
            for message in held:
                await send(message)

    async def hold(held: list[Any], message: Any) -> None:
        held.append(message)

    return Holds()


@correct()
def speaks_a_language_of_its_own_within() -> Any:
    async def renders(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "app.template", "name": "index.html"})
        await hello(scope, receive, send)

    class Renders(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def rendered(message: Any) -> None:
                if message["type"].startswith("http."):
                    await send(message)

            await self.app(scope, receive, rendered)

    return Renders(renders)


@correct()
def answers_what_the_app_did_not() -> Any:
    async def knows_nothing(scope: Any, receive: Any, send: Any) -> None:
        return

    class Answers(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            await self.app(scope, receive, send)
            await hello(scope, receive, send)

    return Answers(knows_nothing)


@correct()
def answers_where_the_app_fails() -> Any:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("no such row")

    class Answers(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            try:
                await self.app(scope, receive, send)
            except LookupError:
                await hello(scope, receive, send)

    return Middleware(Answers(fails))


# --- WebSocket -----------------------------------------------------------------------------------


@socket(incoming=[CONNECT, text("a"), LEFT])
async def echoes_with_both_keys(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**ACCEPT, "subprotocol": None, "headers": []})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"], "bytes": None})


@socket(scope=websocket(asgi={"version": "3.0"}))
async def refuses_before_it_is_told(scope: Any, receive: Any, send: Any) -> None:
    await send({**CLOSE, "code": 4403, "reason": ""})


@socket(scope={"type": "websocket", "path": "/", "headers": []})
async def closes_with_a_reason(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**ACCEPT, "headers": [(b"set-cookie", b"a=b")]})
    await send({**CLOSE, "code": 3000, "reason": "x" * 123})


@socket(scope=DENYING)
async def denies_in_parts(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(DENIED)
    await send({**DENIED_BODY, "more_body": True})
    await send(DENIED_BODY)


@socket(incoming=[CONNECT, {**LEFT, "code": 1005, "reason": None}])
async def fails_as_the_client_leaves(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    if (await receive())["type"] == "websocket.disconnect":
        raise ConnectionError("the client has left")


@socket(incoming=[CONNECT, text("a"), LEFT])
async def receives_and_sends_in_two_tasks(scope: Any, receive: Any, send: Any) -> None:
    inbox: asyncio.Queue[Any] = asyncio.Queue()

    async def reads() -> None:
        while True:
            await inbox.put(message := await receive())
            if message["type"] == "websocket.disconnect":
                return

    reader = asyncio.create_task(reads())
    await asyncio.sleep(0)
    await send(ACCEPT)
    await reader
    await send({"type": "websocket.send", "text": "all read"})


@socket(incoming=[CONNECT, LEFT])
async def closes_and_reads_the_rest(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send(CLOSE)
    while (await receive())["type"] != "websocket.disconnect":
        pass


# --- lifespan ------------------------------------------------------------------------------------


@lives()
async def fails_to_start_and_raises(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(FAILED)
    raise LookupError("no database")


@lives()
async def fails_to_stop_and_raises(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    await receive()
    await send({"type": "lifespan.shutdown.failed"})
    raise LookupError("no database")


@lives()
async def answers_by_the_name(scope: Any, receive: Any, send: Any) -> None:
    for _ in range(2):
        await send({"type": (await receive())["type"] + ".complete"})


@lives()
async def works_on_after_shutdown(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    await receive()
    await send(STOPPED)
    await asyncio.sleep(0)


@lives()
async def waits_for_the_end_beforehand(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    end = asyncio.create_task(receive())
    await asyncio.sleep(0)
    await send(COMPLETE)
    await end
    await send(STOPPED)


# --- what cannot be read, or looks like something else -------------------------------------------


@correct(scope={**http(), "path": "/a?b", "raw_path": b"/a%3Fb", "query_string": b"b"})
async def has_its_query_in_its_path_too(scope: Any, receive: Any, send: Any) -> None:
    await hello(scope, receive, send)


@correct(refuse={0: TypeError("headers must be a list")})
async def sends_headers_that_nobody_may_look_at(scope: Any, receive: Any, send: Any) -> None:
    with suppress(TypeError):
        await send({**START, "headers": iter([(b"a", b"b")])})


@correct(incoming=[request(), GONE, GONE])
async def asks_in_two_tasks(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await asyncio.gather(receive(), receive())


@socket(incoming=[CONNECT, LEFT])
async def has_not_looked_at_what_came(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    coming = asyncio.create_task(receive())
    await asyncio.sleep(0.001)
    await send({"type": "websocket.send", "text": "still there?"})
    await coming


@correct()
def is_a_function_around_a_function() -> Any:
    def passed(app: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "user": "pen"}, receive, send)

        return middleware

    return passed(passed(hello))
