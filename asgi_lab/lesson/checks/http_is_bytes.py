"""Checks of the chapter about bytes: every way of cutting them gives the same events."""

from collections.abc import Callable, Iterable
from typing import Any

import h11

from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.failed import Failed
from asgi_lab.lesson.parsing import Parser, cuts, shown

Respond = Callable[[int, list[tuple[str, str]], bytes], bytes]

PIECES = Exercise(
    "http_is_bytes/pieces",
    "Survive split reads",
    hints=(
        "Keep in `self` what has come and is not understood yet. Two questions at each piece: is "
        "the head complete? is the body?",
        "A state helps: how many bytes of the body are still to come, or None while a head comes.",
        "In a loop: a head if there is an empty line; bytes of the body, at most as many as are "
        "missing; ('end',) when none is missing. Stop when a round finds nothing.",
    ),
)

RESPOND = Exercise(
    "http_is_bytes/respond",
    "Answers are bytes, too",
    hints=(
        "A list of lines first; join them with '\\r\\n', and encode that.",
        "`content-length` counts bytes, and is a header like the others.",
        "After the last header comes an empty line: the head ends with '\\r\\n\\r\\n'.",
    ),
)

GET = b"GET /fast HTTP/1.1\r\nHost: example.org\r\n\r\n"
POST = b"POST /files HTTP/1.1\r\nHost: example.org\r\nContent-Length: 9\r\n\r\none two 3"
LOWER = b"PUT /a HTTP/1.1\r\nhost: b\r\ncontent-length: 4\r\n\r\n\r\n\r\n"


def understood(make: Callable[[], Parser], pieces: Iterable[bytes]) -> list[Any]:
    """Return the events of some pieces; the parts of one body are put together."""
    parser = make()
    events: list[Any] = []
    for piece in pieces:
        found = parser.feed(piece)
        if not isinstance(found, list):
            raise Failed("feed returns a list", f"it returned {found!r}")
        for event in found:
            parts = tuple(event) if isinstance(event, tuple | list) else (event,)
            if parts[:1] == ("body",) and events and events[-1][0] == "body":
                events[-1] = ("body", events[-1][1] + parts[1])
            else:
                events.append(parts)
    return [event for event in events if event != ("body", b"")]


def same(
    make: Callable[[], Parser], data: bytes, wanted: list[Any], advice: dict[str, str] | None = None
) -> None:
    """Raise `Failed` for the first way of cutting some bytes that gives other events."""
    for pieces in cuts(data):
        found = understood(make, pieces)
        if found != wanted:
            how = "in one piece" if len(pieces) == 1 else f"as {told(pieces)}"
            kind = "whole" if len(pieces) == 1 else "cut"
            raise Failed(
                f"{told_events(wanted)}, of {shown(data)} {how}",
                f"your parser says {told_events(found)}",
                advice=(advice or {}).get(kind, ""),
            )


def told(pieces: Iterable[bytes]) -> str:
    """Return pieces as one reads them."""
    parts = [shown(piece) for piece in pieces]
    return " | ".join(parts if len(parts) < 4 else [*parts[:3], "… one byte at a time"])


def told_events(events: list[Any]) -> str:
    """Return events as one reads them."""
    return ", ".join(map(str, events)) or "nothing"


@PIECES.check("it understands a request that comes in one piece")
def whole(BodyParser: Callable[[], Parser]) -> None:
    wanted = [("request", "GET", "/fast"), ("end",)]
    found = understood(BodyParser, [GET])
    if found != wanted:
        advice = "Without Content-Length there is no body: the request ends with its head."
        expected = f"{told_events(wanted)} of {shown(GET)}"
        raise Failed(expected, f"your parser says {told_events(found)}", advice=advice)


@PIECES.check("it says the same, wherever the head is cut")
def heads(BodyParser: Callable[[], Parser]) -> None:
    wanted = [("request", "GET", "/fast"), ("end",)]
    advice = "Half a head is no head. Keep the bytes, and look for the empty line in all of them."
    same(BodyParser, GET, wanted, {"cut": advice})


@PIECES.check("it says the same, wherever the body is cut")
def bodies(BodyParser: Callable[[], Parser]) -> None:
    wanted = [("request", "POST", "/files"), ("body", b"one two 3"), ("end",)]
    advice = {
        "whole": "The body begins right after the empty line, in the same piece perhaps.",
        "cut": "Some of the body is here, some is still to come: count what is missing.",
    }
    same(BodyParser, POST, wanted, advice)


@PIECES.check("it does not wait for all of a body")
def early(BodyParser: Callable[[], Parser]) -> None:
    parser = BodyParser()
    parser.feed(POST[: POST.index(b"\r\n\r\n") + 4])
    events = [tuple(event) for event in parser.feed(b"one ")]
    if events != [("body", b"one ")]:
        advice = "A large upload would fill the memory: hand on what has come."
        shown_events = f"your parser says {told_events(events)}"
        raise Failed("('body', b'one ') as soon as b'one ' has come", shown_events, advice=advice)


@PIECES.check("a body may look like anything, and names may be written in any case")
def odd(BodyParser: Callable[[], Parser]) -> None:
    wanted = [("request", "PUT", "/a"), ("body", b"\r\n\r\n"), ("end",)]
    advice = "Content-Length decides where a body ends, not what is in it; and its case is free."
    same(BodyParser, LOWER, wanted, {"whole": advice, "cut": advice})


@PIECES.check("it understands two requests in one piece")
def two(BodyParser: Callable[[], Parser]) -> None:
    first = [("request", "POST", "/files"), ("body", b"one two 3"), ("end",)]
    advice = "What follows the body belongs to the next request: keep it, and go on."
    wanted = [*first, ("request", "GET", "/fast"), ("end",)]
    same(BodyParser, POST + GET, wanted, {"whole": advice, "cut": advice})


def read(data: Any) -> tuple[Any, bytes]:
    """Return the response that h11 reads of some bytes, and its body. Raises `Failed`."""
    if not isinstance(data, bytes):
        raise Failed("respond returns bytes", f"it returned {type(data).__name__}: {data!r}")
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    head: Any = None
    body = b""
    try:
        while (event := client.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if client.trailing_data[0]:
                    raise Failed(
                        "nothing after the body", f"there is {client.trailing_data[0]!r}",
                        advice="content-length is smaller than the body: it counts bytes.",
                    )  # fmt: skip
                return head, body
    except h11.RemoteProtocolError as error:
        advice = "Is there a \\r\\n after every line, and nothing before the status line?"
        found = f"{shown(data)}: {error}"
        raise Failed("a response that h11 can read", found, advice=advice) from None
    missing = "the empty line that ends the head" if head is None else "the rest of the body"
    advice = "" if head is not None else "After the last header: \\r\\n\\r\\n."
    raise Failed(f"{missing} comes", f"after {shown(data)} nothing comes", advice=advice)


@RESPOND.check("a client can read it")
def readable(respond: Respond) -> None:
    head, body = read(respond(200, [("content-type", "text/plain")], b"hello"))
    if (head.status_code, body) != (200, b"hello"):
        raise Failed("status 200 and body b'hello'", f"it is {head.status_code} and {body!r}")
    if bytes(head.reason) != b"OK":
        reason = bytes(head.reason).decode()
        raise Failed("the reason OK", f"it is {reason!r}", advice="HTTPStatus(status).phrase")


@RESPOND.check("it says how long the body is, in bytes")
def length(respond: Respond) -> None:
    body = "grüß dich".encode()
    head, found = read(respond(404, [], body))
    if found != body:
        advice = "Letters are not bytes: ü takes two. Count the bytes of the body."
        raise Failed(f"the body {body!r}", f"a client reads {found!r}", advice=advice)
    names = [bytes(name) for name, _ in head.headers]
    if names.count(b"content-length") != 1:
        shown_names = ", ".join(name.decode() for name in names) or "none"
        advice = "Without it a client waits until you hang up, or takes what follows for the body."
        raise Failed("one content-length", f"the headers are {shown_names}", advice=advice)


@RESPOND.check("an empty body is a body of length 0")
def empty(respond: Respond) -> None:
    head, body = read(respond(200, [("x-a", "1"), ("x-a", "2")], b""))
    fields = [(bytes(name), bytes(value)) for name, value in head.headers]
    if (b"content-length", b"0") not in fields or body:
        raise Failed("content-length: 0", f"the headers are {fields}")
    if [value for name, value in fields if name == b"x-a"] != [b"1", b"2"]:
        advice = "A header may come twice (set-cookie does): a dict would lose one."
        raise Failed("both headers x-a, in their order", f"the headers are {fields}", advice=advice)


EXERCISES = (PIECES, RESPOND)
