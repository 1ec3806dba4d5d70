"""Apps that break a rule of WebSocket, or of lifespan."""

from typing import Any

from tests.driver import CONNECT, SHUTDOWN, STARTUP, text, websocket
from tests.misbehaving import apps
from tests.misbehaving.table import LIFESPAN, SOCKET, STARTED, row

LEFT = {"type": "websocket.disconnect", "code": 1000}
ACCEPT, CLOSE = {"type": "websocket.accept"}, {"type": "websocket.close"}
COMPLETE = {"type": "lifespan.startup.complete"}
STOPPED = {"type": "lifespan.shutdown.complete"}
FAILED = {"type": "lifespan.startup.failed", "message": "no database"}
DENYING = websocket(extensions={"websocket.http.response": {}})
DENIED = {"type": "websocket.http.response.start", "status": 401, "headers": []}
DENIED_BODY = {"type": "websocket.http.response.body", "body": b"who are you?"}
OLD = websocket(asgi={"version": "3.0", "spec_version": "2.0"})


def breaks(*rules: str, **more: Any) -> Any:
    return row(apps.APPS, SOCKET, STARTED, *rules, **more)


def breaks_lifespan(*rules: str, **more: Any) -> Any:
    return row(apps.APPS, LIFESPAN, [STARTUP, SHUTDOWN], *rules, **more)


@breaks("W1")
async def greets_before_accepting(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.send", "text": "hello"})  # <- W1


@breaks("W2")
async def accepts_unasked(scope: Any, receive: Any, send: Any) -> None:
    await send(ACCEPT)  # <- W2


@breaks("W3")
async def accepts_twice(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send(ACCEPT)  # <- W3
    await send(CLOSE)


@breaks("W4")
async def speaks_after_closing(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send(CLOSE)
    await send({"type": "websocket.send", "text": "one more thing"})  # <- W4


@breaks("W4")
async def closes_twice(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    try:
        await send(CLOSE)
    finally:
        await send(CLOSE)  # <- W4


@breaks("W4")
async def accepts_after_refusing(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(CLOSE)
    await send(ACCEPT)  # <- W4


@breaks("W5")
async def says_nothing_at_all(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({"type": "websocket.send", "text": None})  # <- W5
    await send(CLOSE)


@breaks("W5")
async def says_it_both_ways(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({"type": "websocket.send", "text": "a", "bytes": b"a"})  # <- W5
    await send(CLOSE)


@breaks("W5")
async def says_text_as_bytes(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({"type": "websocket.send", "text": b"a"})  # <- W5
    await send(CLOSE)


@breaks("W5")
async def says_bytes_as_text(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({"type": "websocket.send", "bytes": "a"})  # <- W5
    await send(CLOSE)


@breaks("W6", scope={**SOCKET, "subprotocols": ["chat.v1"]})
async def chooses_what_was_not_offered(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**ACCEPT, "subprotocol": "chat.v2"})  # <- W6
    await send(CLOSE)


@breaks("W6")
async def chooses_in_bytes(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**ACCEPT, "subprotocol": b"chat"})  # <- W6
    await send(CLOSE)


@breaks("W7")
async def accepts_in_capitals(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**ACCEPT, "headers": [(b"Set-Cookie", b"a=b")]})  # <- W7
    await send(CLOSE)


@breaks("W7")
async def accepts_with_headers_of_text(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**ACCEPT, "headers": [("set-cookie", "a=b")]})  # <- W7
    await send(CLOSE)


@breaks("W7")
async def chooses_in_a_header(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**ACCEPT, "headers": [(b"sec-websocket-protocol", b"chat")]})  # <- W7
    await send(CLOSE)


@breaks("W7", scope=OLD)
async def accepts_with_headers_too_new(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**ACCEPT, "headers": [(b"set-cookie", b"a=b")]})  # <- W7
    await send(CLOSE)


@breaks("W8")
async def closes_without_a_status(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({**CLOSE, "code": 1005})  # <- W8


@breaks("W8")
async def closes_abnormally(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({**CLOSE, "code": 1006})  # <- W8


@breaks("W8")
async def closes_with_a_status_of_http(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({**CLOSE, "code": 403})  # <- W8


@breaks("W8")
async def closes_with_text(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({**CLOSE, "code": "1000"})  # <- W8


@breaks("W8")
async def closes_with_a_long_reason(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({**CLOSE, "reason": "é" * 62})  # <- W8


@breaks("W8")
async def closes_with_a_reason_in_bytes(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({**CLOSE, "reason": b"bye"})  # <- W8


@breaks("W8", scope=OLD)
async def closes_with_a_reason_too_new(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({**CLOSE, "reason": "bye"})  # <- W8


@breaks("W9")
async def leaves_the_handshake_unanswered(scope: Any, receive: Any, send: Any) -> None:
    await receive()  # <- W9


@breaks("W9", incoming=[CONNECT, text("a")])
async def leaves_the_socket_open(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send({**await receive(), "type": "websocket.send"})
    return  # <- W9


@breaks("W10")
async def fails_in_the_handshake(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise LookupError("no such room")  # <- W10


@breaks("W10")
async def fails_in_the_conversation(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    raise LookupError("no such room")  # <- W10


@breaks("W11")
async def denies_uninvited(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(DENIED)  # <- W11
    await send(DENIED_BODY)


@breaks("W11", scope=DENYING)
async def denies_what_it_has_accepted(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await send(DENIED)  # <- W11
    await send(CLOSE)


@breaks("W11", scope=DENYING)
async def denies_without_a_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(DENIED_BODY)  # <- W11


@breaks("W11", scope=DENYING)
async def accepts_what_it_denies(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(DENIED)
    await send(ACCEPT)  # <- W11


@breaks("W12", incoming=[CONNECT, LEFT])
async def speaks_to_who_has_left(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    await receive()
    await send({"type": "websocket.send", "text": "bye"})  # <- W12


@breaks("W13", incoming=[CONNECT, LEFT, LEFT])
async def listens_on_for_ever(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    for _ in range(2):
        await receive()  # <- W13


# --- lifespan ------------------------------------------------------------------------------------


@breaks_lifespan("L1")
async def leaves_startup_unanswered(scope: Any, receive: Any, send: Any) -> None:
    await receive()  # <- L1


@breaks_lifespan("L1")
async def ignores_lifespan(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return  # <- L1


@breaks_lifespan("L2")
async def is_complete_unasked(scope: Any, receive: Any, send: Any) -> None:
    await send(COMPLETE)  # <- L2


@breaks_lifespan("L2")
async def is_complete_twice(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    await send(COMPLETE)  # <- L2
    await receive()
    await send(STOPPED)


@breaks_lifespan("L3")
async def fails_once_complete(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    await send(FAILED)  # <- L3


@breaks_lifespan("L3")
async def is_complete_although_it_failed(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(FAILED)
    await send(COMPLETE)  # <- L3


@breaks_lifespan("L4")
async def stops_unasked(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    await send(STOPPED)  # <- L4


@breaks_lifespan("L5")
async def does_not_stay(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)  # <- L5


@breaks_lifespan("L6")
async def fails_while_running(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    raise LookupError("the pool is gone")  # <- L6


@breaks_lifespan("L6")
async def fails_to_stop(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    await receive()
    raise LookupError("the pool is gone")  # <- L6


@breaks_lifespan("L7")
async def stops_without_a_word(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    await receive()  # <- L7


@breaks_lifespan("L8")
async def fails_with_an_error(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({**FAILED, "message": LookupError("no database")})  # <- L8


@breaks_lifespan("L8")
async def fails_to_stop_with_bytes(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": b"stuck"})  # <- L8
