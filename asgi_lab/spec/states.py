"""The conversations of ASGI as tables: which states there are, and who may say what in each.

A *machine* is one thread of a conversation. Lifespan and WebSocket are one each, in which app and
server take turns. HTTP is two that run side by side: the request comes in, the response goes out.
Everything that knows the order of messages reads these tables: the checker, the pictures, and the
texts of the rules.

Sections: HTTP & WebSocket "Response Start" to "Close", Lifespan, Extensions, in
https://asgi.readthedocs.io/en/latest/specs/.
"""

from collections.abc import Mapping
from typing import Any

from asgi_lab.spec.machine import (
    GONE,
    RAISE,
    RECEIVE,
    RETURN,
    SEND,
    Machine,
    State,
    breaches,
    moves,
)

# --- HTTP ----------------------------------------------------------------------------------------

HTTP_REQUEST = Machine(
    protocol="http",
    thread="request",
    title="The request comes in",
    states=(
        State("coming", "the request's body is on its way"),
        State("whole", "all of it has been received", end=True),
        State("gone", "the response is done, or the client has left", end=True),
    ),
    moves=moves(
        RECEIVE,
        ("coming", "http.request", "more", "coming"),
        ("coming", "http.request", "last", "whole"),
        ("coming whole gone", "http.disconnect", "", "gone"),
    ),
    breaches=breaches(
        RECEIVE,
        ("whole", "http.request", "R3"),
        ("gone", "http.request", "R6"),
    ),
)

HTTP_RESPONSE = Machine(
    protocol="http",
    thread="response",
    title="The response goes out",
    states=(
        State("waiting", "nothing has been sent"),
        State("started", "status and headers have been sent"),
        State("streaming", "a part of the body has been sent, more will come"),
        State("trailers", "the body is complete, the promised trailers are not"),
        State("complete", "the response is complete"),
        State("over", "the app has returned", end=True),
    ),
    moves=(
        *moves(
            SEND,
            ("waiting", "http.response.start", "", "started"),
            ("started streaming", "http.response.body", "more", "streaming"),
            ("started streaming", "http.response.body", "last", "complete"),
            ("started streaming", "http.response.body", "trailers next", "trailers"),
        ),
        *moves(
            SEND,
            ("trailers", "http.response.trailers", "more", "trailers"),
            ("trailers", "http.response.trailers", "last", "complete"),
            extension="http.response.trailers",
        ),
        *moves(
            SEND,
            ("started streaming", "http.response.zerocopysend", "more", "streaming"),
            ("started streaming", "http.response.zerocopysend", "last", "complete"),
            ("started streaming", "http.response.zerocopysend", "trailers next", "trailers"),
            extension="http.response.zerocopysend",
        ),
        *moves(
            SEND,
            ("started", "http.response.pathsend", "last", "complete"),
            ("started", "http.response.pathsend", "trailers next", "trailers"),
            extension="http.response.pathsend",
        ),
        *moves(SEND, ("waiting", "http.response.debug", "", ""), extension="http.response.debug"),
        *moves(
            SEND,
            ("started streaming", "http.response.push", "", ""),
            extension="http.response.push",
        ),
        *moves(
            SEND,
            ("started streaming", "http.response.early_hint", "", ""),
            extension="http.response.early_hint",
        ),
        *moves(RETURN, ("complete", "", "", "over")),
        *moves(RETURN, ("waiting started streaming trailers complete", "", GONE, "over")),
        *moves(RAISE, ("waiting started streaming trailers complete", "", GONE, "over")),
    ),
    breaches=(
        *breaches(
            SEND,
            ("over", "*", "G7"),
            ("*", "http.response.start", "H2"),
            ("*", "http.response.trailers", "H18"),
            ("*", "http.response.debug http.response.push http.response.early_hint", "X2"),
            ("*", "http.response.pathsend", "X2"),
            ("waiting", "http.response.zerocopysend", "X2"),
            ("waiting", "http.response.body", "H1"),
            ("trailers", "*", "H18"),
            ("complete", "*", "H12"),
        ),
        *breaches(
            RETURN,
            ("waiting", "", "H14"),
            ("started", "", "H10"),
            ("streaming", "", "H13"),
            ("trailers", "", "H18"),
        ),
        *breaches(RAISE, ("*", "", "H15")),
    ),
)

# --- WebSocket -----------------------------------------------------------------------------------

WEBSOCKET = Machine(
    protocol="websocket",
    thread="socket",
    title="A WebSocket",
    states=(
        State("called", "the app has not been told of the handshake"),
        State("connecting", "the handshake waits for the app's answer"),
        State("open", "accepted: messages go both ways"),
        State("denying", "refused, with an HTTP response that is under way"),
        State("closed", "refused, or closed by the app"),
        State("gone", "the client or the connection is gone"),
        State("over", "the app has returned", end=True),
    ),
    moves=(
        *moves(
            RECEIVE,
            ("called", "websocket.connect", "", "connecting"),
            ("open closed", "websocket.receive", "", ""),
            ("closed denying", "websocket.connect", "", ""),
            ("connecting open denying closed gone", "websocket.disconnect", "", "gone"),
        ),
        *moves(
            SEND,
            ("connecting", "websocket.accept", "", "open"),
            ("open", "websocket.send", "", "open"),
            ("called connecting open", "websocket.close", "", "closed"),
        ),
        *moves(
            SEND,
            ("called connecting", "websocket.http.response.start", "", "denying"),
            ("denying", "websocket.http.response.body", "more", "denying"),
            ("denying", "websocket.http.response.body", "last", "closed"),
            extension="websocket.http.response",
        ),
        *moves(RETURN, ("closed gone", "", "", "over")),
        *moves(RETURN, ("called connecting open denying closed gone", "", GONE, "over")),
        *moves(RAISE, ("called", "", "", "over")),
        *moves(RAISE, ("called connecting open denying closed gone", "", GONE, "over")),
    ),
    breaches=(
        *breaches(
            RECEIVE,
            ("connecting", "websocket.receive", "W-R2"),
            ("denying", "websocket.receive", "W-R2"),
            ("gone", "websocket.receive websocket.connect", "W-R4"),
            ("*", "*", "W-R1"),
        ),
        *breaches(
            SEND,
            ("over", "*", "G7"),
            ("gone", "*", "W12"),
            ("closed", "*", "W4"),
            ("called connecting", "websocket.send", "W1"),
            ("called", "*", "W2"),
            ("open", "websocket.accept", "W3"),
            ("*", "*", "W11"),
        ),
        *breaches(RETURN, ("*", "", "W9")),
        *breaches(RAISE, ("*", "", "W10")),
    ),
)

# --- Lifespan ------------------------------------------------------------------------------------

LIFESPAN = Machine(
    protocol="lifespan",
    thread="lifespan",
    title="The life of the server",
    states=(
        State("called", "the app has not been told to start up"),
        State("starting", "the app starts up; the server waits for its answer"),
        State("running", "connections are served"),
        State("stopping", "the app shuts down; the server waits for its answer"),
        State("failed", "the app could not start up; the server ends"),
        State("stopped", "the app has shut down; the server ends"),
        State("over", "the app has returned, or does not know of lifespan", end=True),
    ),
    moves=(
        *moves(
            RECEIVE,
            ("called", "lifespan.startup", "", "starting"),
            ("running", "lifespan.shutdown", "", "stopping"),
        ),
        *moves(
            SEND,
            ("starting", "lifespan.startup.complete", "", "running"),
            ("starting", "lifespan.startup.failed", "", "failed"),
            ("stopping", "lifespan.shutdown.complete", "", "stopped"),
            ("stopping", "lifespan.shutdown.failed", "", "stopped"),
        ),
        *moves(RETURN, ("failed stopped", "", "", "over")),
        *moves(RAISE, ("called starting failed stopped", "", "", "over")),
    ),
    breaches=(
        *breaches(RECEIVE, ("*", "lifespan.startup", "L-2"), ("*", "*", "L-5")),
        *breaches(
            SEND,
            ("over", "*", "G7"),
            ("called starting", "lifespan.shutdown.complete lifespan.shutdown.failed", "L4"),
            ("running", "lifespan.shutdown.complete lifespan.shutdown.failed", "L4"),
            ("running", "lifespan.startup.failed", "L3"),
            ("failed stopped", "*", "L3"),
            ("*", "*", "L2"),
        ),
        *breaches(
            RETURN,
            ("called starting", "", "L1"),
            ("running", "", "L5"),
            ("stopping", "", "L7"),
        ),
        *breaches(RAISE, ("*", "", "L6")),
    ),
)

PROTOCOLS: Mapping[str, tuple[Machine, ...]] = {
    "http": (HTTP_REQUEST, HTTP_RESPONSE),
    "websocket": (WEBSOCKET,),
    "lifespan": (LIFESPAN,),
}
"""Of each type of scope, the threads of its conversation."""


def when(kind: str, message: Mapping[str, Any], promised: bool = False) -> str:
    """Return what tells this message from others of its type, as moves name it.

    `promised`: the response began with `trailers=True`.
    """
    flag = MORE.get(kind)
    if flag is None:
        return ""
    if message.get(flag):  # as servers read it: 1 is as good as True, and H11 all the same
        return "more"
    return "trailers next" if promised and kind in BODIES else "last"


MORE = {
    "http.request": "more_body",
    "http.response.body": "more_body",
    "http.response.zerocopysend": "more_body",
    "http.response.pathsend": "",
    "http.response.trailers": "more_trailers",
    "websocket.http.response.body": "more_body",
}
"""Messages that come in parts, and the key that says that more will come."""

BODIES = ("http.response.body", "http.response.zerocopysend", "http.response.pathsend")
