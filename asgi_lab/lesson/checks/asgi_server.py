"""Checks of the chapter about servers: stages, over real sockets, against small apps."""

import asyncio
import threading
from typing import Any

from asgi_lab.lesson.caller import PATIENCE, Caller
from asgi_lab.lesson.checks._asgi_scope import SCOPE
from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.own_server import Serve
from asgi_lab.lesson.watched import AppFailed, served, visited
from asgi_lab.types import Message, Receive, Scope, Send

SERVER = Exercise(
    "asgi_server/server",
    "A server, stage by stage",
    hints=(
        "Take the three pieces of the chapter: `next_event` reads until h11 has an event, "
        "`receive` makes a message of an event, `send` makes events of a message. `serve` is a "
        "loop around them: a request, the app, `conn.start_next_cycle()`.",
        "Ask h11 where the conversation is. `conn.our_state`: SEND_RESPONSE, the app has not "
        "answered; SEND_BODY, it has begun to; DONE, the next request may come. "
        "`conn.their_state`: SEND_BODY, the client still sends its body: read it before the next "
        "cycle.",
        "`receive` has four answers: Data, a part; EndOfMessage, the last part; PAUSED, the next "
        "request is here, so wait until this one is answered; all else, and "
        "`h11.RemoteProtocolError`: http.disconnect. Around the whole loop: an `except "
        "h11.RemoteProtocolError` that answers 400, and a `finally` that closes.",
    ),
)

GET = b"GET /hello?a=1 HTTP/1.1\r\nHost: lab\r\n\r\n"
FIRST, SECOND = (b"GET /%b HTTP/1.1\r\nHost: lab\r\n\r\n" % name for name in (b"first", b"second"))
LAST = b"GET /last HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
HEAD_OF_POST = b"POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 13\r\n\r\n"
POST = HEAD_OF_POST + b"one two three"
CHUNKED = b"POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n"
GARBAGE = b"what is this?\r\n\r\n"


# The apps.


async def answer(send: Send, text: str | bytes, status: int = 200) -> None:
    """Send a whole response."""
    body = text.encode() if isinstance(text, str) else text
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what the request is; read nothing."""
    await answer(send, f"{scope['method']} {scope['path']} {scope['query_string'].decode()}")


async def name(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path."""
    await answer(send, scope["path"])


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body, once all of it is there."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await answer(send, body)


# GET


@SERVER.check("GET: a request is answered")
def get_is_answered(serve: Serve) -> None:
    advice = (
        "Read until h11 gives a Request; call the app with its scope; make h11 events of what the "
        "app sends, and write the bytes of each."
    )
    with visited(serve, mirror) as (caller, _):
        caller.say(GET)
        found = caller.expect(200, b"GET /hello a=1", "the answer", advice)
        if (b"content-type", b"text/plain") not in found.headers:
            told = f"the headers are {found.headers}"
            lost = "The headers of http.response.start belong into the response."
            raise caller.failed("the app's header content-type", told, lost, found.begin)


@SERVER.check("GET: a request may come in pieces")
def get_in_pieces(serve: Serve) -> None:
    advice = "One read gives some bytes. As long as h11 says NEED_DATA, read again."
    with served(serve, mirror) as (server, _), Caller(server) as caller:
        for place in range(0, len(GET), 7):
            caller.say(GET[place : place + 7])
            server.gives_way()
        caller.expect(200, b"GET /hello a=1", "the answer, once all pieces have come", advice)


# Body


@SERVER.check("body: receive says that there is none")
def no_body(serve: Serve) -> None:
    advice = (
        "Without a body, h11's next event is EndOfMessage: that is an http.request with an empty "
        "body and more_body False."
    )
    with visited(serve, echo) as (caller, _):
        caller.say(GET)
        caller.expect(200, b"", "the app calls receive, and answers with what came", advice)


@SERVER.check("body: the app receives all of it")
def whole_body(serve: Serve) -> None:
    advice = (
        "The first part may have come with the head; it is in h11 then. The others come later: "
        "more_body is true until h11 says EndOfMessage."
    )
    with served(serve, echo) as (server, _), Caller(server) as caller:
        for piece in (HEAD_OF_POST + b"one ", b"two ", b"three"):
            caller.say(piece)
            server.gives_way()
        caller.expect(200, b"one two three", "the app receives the body, and sends it back", advice)


# Keep-alive


@SERVER.check("keep-alive: a second request on the same connection")
def second_request(serve: Serve) -> None:
    advice = (
        "HTTP/1.1 keeps a connection open unless somebody says `Connection: close`. After an "
        "answer `conn.start_next_cycle()` makes h11 ready for the next request."
    )
    with visited(serve, name) as (caller, _):
        for request, path in ((FIRST, b"/first"), (SECOND, b"/second")):
            caller.say(request)
            caller.expect(200, path, f"the answer to {path.decode()}", advice)


@SERVER.check("keep-alive: a body that the app has not read is passed over")
def unread_body(serve: Serve) -> None:
    advice = (
        "The app has answered without reading the body. It is on its way all the same, and stands "
        "before the next request: read it, and throw it away, before you start the next cycle."
    )
    with served(serve, name) as (server, _), Caller(server) as caller:
        caller.say(HEAD_OF_POST + b"one ")
        server.gives_way()
        caller.say(b"two three")
        caller.expect(200, b"/upload", "the answer to /upload", advice)
        caller.say(SECOND)
        caller.expect(200, b"/second", "the answer to /second", advice)


@SERVER.check("keep-alive: `Connection: close` ends it")
def close_is_kept(serve: Serve) -> None:
    advice = "Then h11's our_state is MUST_CLOSE, not DONE. Leave the loop, and close the writer."
    with visited(serve, name) as (caller, _):
        caller.say(LAST)
        caller.expect(200, b"/last", "the answer to /last")
        caller.expect_end("after that answer the server hangs up", advice)


# Pipelining


@SERVER.check("pipelining: two requests at once get two answers, in order")
def two_at_once(serve: Serve) -> None:
    async def slower_first(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/first":
            await asyncio.sleep(0.05)
        await answer(send, scope["path"])

    advice = (
        "The second request waits in h11 (PAUSED) until start_next_cycle. One connection is one "
        "conversation: the second is served after the first has been answered."
    )
    with visited(serve, slower_first) as (caller, _):
        caller.say(FIRST + SECOND)
        caller.expect(200, b"/first", "the first answer is for /first", advice)
        caller.expect(200, b"/second", "the second answer is for /second", advice)


@SERVER.check("pipelining: the next request is no disconnect")
def next_is_no_disconnect(serve: Serve) -> None:
    async def listens(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        listening = asyncio.ensure_future(receive())
        await asyncio.wait([listening], timeout=0.05)
        if listening.done():
            return  # the client has gone, it seems: nobody wants an answer
        listening.cancel()
        await asyncio.wait([listening])
        await answer(send, scope["path"])

    advice = (
        "While it works, this app listens whether the client goes (Starlette's streams do so). It "
        "was told http.disconnect, and gave up. When h11 says PAUSED, nobody has gone: wait."
    )
    with visited(serve, listens) as (caller, _):
        caller.say(FIRST + LAST)
        caller.expect(200, b"/first", "the answer to /first", advice)
        caller.expect(200, b"/last", "the answer to /last", advice)


# Chunked


@SERVER.check("chunked: a body whose length nobody knows comes in")
def chunks_in(serve: Serve) -> None:
    advice = "The lines with the lengths are not a part of the body. h11 takes them out."
    with served(serve, echo) as (server, _), Caller(server) as caller:
        for piece in (CHUNKED + b"4\r\none \r\n", b"9\r\ntwo ", b"three\r\n0\r\n", b"\r\n"):
            caller.say(piece)
            server.gives_way()
        caller.expect(200, b"one two three", "the app receives the body, and sends it back", advice)


@SERVER.check("chunked: what the app sends leaves at once, in chunks")
def chunks_out(serve: Serve) -> None:
    go_on, whole = threading.Event(), b"one and all the rest"

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await asyncio.to_thread(go_on.wait)
        await send({"type": "http.response.body", "body": b"and all the rest"})

    late = (
        "The app is still at work, but the first part is ready. Write it when the app sends it, "
        "not when the app has returned."
    )
    frame = (
        "No content-length, so the client cannot count. Without chunks (h11 makes them) the "
        "response ends only when the server hangs up. (By hand: a chunk's length is hexadecimal.)"
    )
    try:
        with visited(serve, stream) as (caller, _):
            caller.say(FIRST)
            caller.hears(b"one ", "the first part of the answer, before there is a second", late)
            go_on.set()
            found = caller.expect(200, whole, "the answer to /first", frame)
            if (b"transfer-encoding", b"chunked") not in found.headers:
                told = "there is no such header"
                raise caller.failed("transfer-encoding: chunked", told, frame, found.begin)
            caller.say(SECOND)
            caller.expect(200, whole, "the answer to /second, on the same connection", frame)
    finally:
        go_on.set()


# Disconnect


@SERVER.check("disconnect: the app learns that the client has gone")
def client_leaves(serve: Serve) -> None:
    advice = (
        "The app waits in receive(), and only the server can tell it. Go on reading while the app "
        'is at work: when read() gives b"", the message is http.disconnect.'
    )
    with visited(serve, until_disconnect) as (caller, watched):
        caller.say(FIRST)
        watched.has_received("http.request")
        caller.hang_up()
        told_the_app(caller, watched, advice)


@SERVER.check("disconnect: half a body is no body")
def half_a_body(serve: Serve) -> None:
    advice = (
        "13 bytes were announced, and 4 came. The rest will never come: the app has to learn that, "
        "and must not take 4 bytes for the whole."
    )
    with served(serve, until_disconnect) as (server, watched), Caller(server) as caller:
        caller.say(HEAD_OF_POST + b"one ")
        server.gives_way()
        caller.hang_up()
        if watched.calls or not server.all_ended(PATIENCE):  # else it calls only for whole bodies
            told_the_app(caller, watched, advice)


@SERVER.check("disconnect: after its answer, receive says so too")
def after_the_answer(serve: Serve) -> None:
    async def asks_again(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await answer(send, scope["path"])
        await receive()

    advice = (
        "The request is over when its response is complete. Whoever calls receive() now would wait "
        "for the next request, which is not its own."
    )
    with visited(serve, asks_again) as (caller, watched):
        caller.say(FIRST)
        caller.expect(200, b"/first", "the answer to /first")
        told_the_app(caller, watched, advice)
        caller.say(SECOND)
        caller.expect(200, b"/second", "the answer to /second", advice)


@SERVER.check("disconnect: a client that comes, and goes, leaves nobody behind")
def nobody_left(serve: Serve) -> None:
    advice = (
        'At its end the connection gives b"" as often as you ask. h11 makes ConnectionClosed of '
        "it: leave the loop."
    )
    with served(serve, name) as (server, _), Caller(server) as caller:
        caller.say(FIRST)
        caller.expect(200, b"/first", "the answer to /first")
        caller.hang_up()
        if not server.all_ended(PATIENCE):
            expected = "serve returns when the client has gone"
            told = f"it is still there {PATIENCE:g} s later:\n{server.where()}"
            raise caller.failed(expected, told, advice)
        caller.expect_no_error()


async def until_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    """Wait until the client goes."""
    while (await receive())["type"] != "http.disconnect":
        pass


def told_the_app(caller: Caller, watched: Any, advice: str) -> None:
    """Expect that the app receives http.disconnect."""
    if not watched.has_received("http.disconnect"):
        messages = ", ".join(told_message(message) for message in watched.received) or "nothing"
        raise caller.failed(
            f"the app receives http.disconnect, within {PATIENCE:g} s",
            f"it has received {messages}\n{caller.where()}".rstrip(),
            advice,
        )


def told_message(message: Message) -> str:
    """Return a message as one reads it."""
    facts = [str(message.get("type"))]
    if "body" in message:
        facts.append(repr(message["body"]))
    return " ".join([*facts, *(["and more to come"] if message.get("more_body") else [])])


# Errors


@SERVER.check("errors: 400 for what is no HTTP")
def garbage(serve: Serve) -> None:
    advice = (
        "h11 raises RemoteProtocolError, with an error_status_hint. Nobody can know where the next "
        "request begins: answer with that status, and hang up."
    )
    with visited(serve, name) as (caller, watched):
        caller.say(GARBAGE)
        caller.expect(400, None, "the answer to bytes that are no request", advice)
        caller.expect_end("after that answer the server hangs up", advice)
        if watched.calls:
            raise caller.failed("the app is not called", "it was called", advice)


@SERVER.check("errors: 500 when the app raises before it answers")
def app_raises(serve: Serve) -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise AppFailed("this app always fails")

    advice = (
        "The client waits for an answer, and the app will not give one. If our_state is still "
        "SEND_RESPONSE after the app has ended, the server answers: 500."
    )
    with visited(serve, fails) as (caller, _):
        caller.say(FIRST)
        caller.expect(500, None, "the answer to /first, although the app raises", advice)


@SERVER.check("errors: 500 when the app returns without an answer")
def app_is_silent(serve: Serve) -> None:
    async def returns(scope: Scope, receive: Receive, send: Send) -> None:
        return

    advice = "An app may return without a word. That is an error of the app; the client waits."
    with visited(serve, returns) as (caller, _):
        caller.say(FIRST)
        caller.expect(500, None, "the answer to /first, although the app says nothing", advice)


@SERVER.check("errors: an answer that breaks off does not look complete")
def breaks_off(serve: Serve) -> None:
    async def fails_late(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        raise AppFailed("this app fails in the middle")

    advice = (
        "The status is sent; it cannot be taken back. But without the last chunk the client can "
        "tell that something is missing: send nothing more, and hang up."
    )
    with visited(serve, fails_late) as (caller, _):
        caller.say(FIRST)
        caller.expect_torn("an answer that breaks off: the app has raised after `one `", advice)


EXERCISES = (SERVER, SCOPE)
