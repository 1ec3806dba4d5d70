"""Responses that flow: held up in a middleware, never stopping, going on after the client left."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from asgi_lab.diagnose.diagnosis import NOTE, WARNING, Diagnosis, Severity
from asgi_lab.diagnose.evidence import (
    MILLISECOND,
    SECOND,
    Call,
    Evidence,
    Slice,
    numbers,
    size_of,
    times,
)
from asgi_lab.diagnose.loop import runs_away
from asgi_lab.events import Event
from asgi_lab.plain import clean, count, duration

HELD_UP = 200 * MILLISECOND
"""Nanoseconds for which a middleware holds the first chunk back, from which on it is told."""

ENOUGH = 10
"""Chunks sent after the client has left, from which on a stream does not stop."""

GOES_ON = SECOND
"""Nanoseconds for which an app works for a client that has left, from which on it is told."""


def stream_buffered(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find a middleware that collects a streamed response before it lets any of it go."""
    found: dict[tuple[str, str], list[tuple[int, Call, Event, Event | None]]] = defaultdict(list)
    for call in evidence.of("http"):
        if not streams(call):
            continue
        for layer in range(call.deepest):
            if held := held_up(evidence, call, layer):
                found[call.request, call.name(layer)].append(held)
    for (request, name), ones in found.items():
        took, call, first, out = max(ones, key=lambda one: one[0])
        begin = call.scope.t
        reached = f"reached the server at {duration(out.t - begin)}" if out else "has not come out"
        again = f" It came {times(len(ones))}." if len(ones) > 1 else ""
        yield Diagnosis(
            "STREAM-BUFFERED",
            WARNING,
            f"The first chunk of {call.label} left the app at {duration(first.t - begin)} and "
            f"{reached}: {known(name)} held it back for {duration(took)}.{again}",
            *why_buffered(name),
            tuple(one[1].conn for one in ones),
            tuple(event.seq for event in (first, out) if event is not None),
            request=request,
            layer=name,
            count=len(ones),
        )


def streams(call: Call) -> bool:
    """Return whether the innermost app answers in several pieces."""
    first = [e for e in islice(call.bodies(call.deepest), 2) if size_of(e.data)]
    return len(first) == 2


def own_name(name: str) -> str:
    """Return what its author has written: of BaseHTTPMiddleware itself, a function."""
    return 'the @app.middleware("http") function' if name == "BaseHTTPMiddleware" else name


def known(name: str) -> str:
    """Return a middleware as its author knows it: a function has no class of its own."""
    own = ' (a function under @app.middleware("http"))'
    return name + (own if name == "BaseHTTPMiddleware" else "")


def why_buffered(name: str) -> tuple[str, str]:
    """Return cause and remedy: in a function it is another line that collects than in a class."""
    if name == "BaseHTTPMiddleware":
        return (
            "The function collects response.body_iterator (to compress, sign, log or change it), "
            "and answers when it has all of it.",
            "Return the response of `call_next` as it is, or give it a generator that yields each "
            "part as it comes: `response.body_iterator = each(response.body_iterator)`.",
        )
    return (
        f"{name} collects the body that passes through it (to compress, sign, log or change "
        "it), and sends nothing before the end.",
        f"Let {name} pass on each http.response.body as it comes, or leave streams alone: "
        "look at content-type or the path, and call the next app directly.",
    )


def held_up(
    evidence: Evidence, call: Call, layer: int
) -> tuple[int, Call, Event, Event | None] | None:
    """Return how long the app called as this layer held back what came from inside it."""
    inner = [e for e in call.bodies(layer + 1) if size_of(e.data)]
    if len(inner) < 2 or not inner[0].data.get("more_body"):
        return None
    outer = [e for e in call.bodies(layer) if size_of(e.data)]
    return next(
        (held for n in (0, 1) if (held := held_from(evidence, call, inner[n:], outer))), None
    )


def held_from(
    evidence: Evidence, call: Call, inner: list[Event], outer: list[Event]
) -> tuple[int, Call, Event, Event | None] | None:
    """Return how long the first of these chunks was held back: of a compressor, the second is.

    A compressor lets its own header out at once.
    """
    out = next((e for e in outer if e.t >= inner[0].t), None)
    until = out.t if out is not None else call.until(evidence.last)
    took = until - inner[0].t - evidence.held(call.pid, inner[0].t, until)
    second = len(inner) > 1 and inner[1].t <= until  # more has come meanwhile
    return (took, call, inner[0], out) if took >= HELD_UP and second else None


def stream_not_stopping(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find streams that never let others run, and streams to clients that have left."""
    found: dict[str, list[Slice]] = defaultdict(list)
    for piece in evidence.slices:
        if piece.call.type in ("http", "websocket") and runs_away(piece):
            found[piece.call.request].append(piece)
    for pieces in found.values():
        yield without_yielding(evidence, pieces)
    gone: dict[str, list[tuple[list[Event], Call, Event]]] = defaultdict(list)
    for call in evidence.of("http", "websocket"):
        left = leaves(call)
        if left is not None:
            useless = [e for e in call.sends() if e.t > left.t]
            if len(useless) >= ENOUGH:
                gone[call.request].append((useless, call, left))
    for request, ones in gone.items():
        if request not in found:
            yield to_nobody(ones)


def leaves(call: Call) -> Event | None:
    """Return the event by which the app could know that its client has left."""
    if call.type == "http" and call.left is not None:
        return call.left
    gone = call.heard("websocket.disconnect")
    if gone is not None:
        return gone
    return next((e for e in call.at(0, "sent") if e.data.get("error")), None)


def without_yielding(evidence: Evidence, pieces: list[Slice]) -> Diagnosis:
    """Tell of a stream that holds the loop."""
    piece = max(pieces, key=lambda one: one.took)
    call, at = piece.call, own_line(piece) or broken_at(piece.call)
    sent = piece.inside([e for e in call.sends() if size_of(e.data)])
    waited = evidence.waiters(piece)
    meanwhile = (
        f"; {count(len(set(waited)), 'request')} waited ({numbers(waited)})" if waited else ""
    )
    return Diagnosis(
        "STREAM-NOT-STOPPING",
        WARNING,
        f"{call.label} sent {count(sent, 'chunk')} without yielding to the event loop, "
        f"for {duration(piece.took)}{meanwhile}.",
        "`await send(...)` need not wait: while there is room in the buffer, and to a client that "
        "has left, it returns at once, so a loop around it lets nobody else run, and never hears "
        "of the disconnect.",
        "Await something in the loop that makes the chunks: the data itself, or at least "
        "`await asyncio.sleep(0)`.",
        tuple(dict.fromkeys([call.conn, *(one.call.conn for one in pieces), *waited])),
        (piece.ran.seq,),
        request=call.request,
        at=at,
        count=len(pieces),
    )


def own_line(piece: Slice) -> str:
    """Return the line of the user's own that was seen at work; a library's says nothing here."""
    own = [block for block in piece.blocks if "library" not in block.data]
    longest = max(own, key=lambda block: block.took or 0, default=None)
    return clean(longest.data.get("at") or "") if longest is not None else ""


def to_nobody(ones: list[tuple[list[Event], Call, Event]]) -> Diagnosis:
    """Tell of a stream that goes on for a client that has left."""
    useless, call, left = max(ones, key=lambda one: len(one[0]))
    more = useless[-1].t - left.t
    told = "send() raised that it had" if left.kind == "sent" else f"it was told so ({left.type})"
    return Diagnosis(
        "STREAM-NOT-STOPPING",
        WARNING,
        f"The client of {call.label} left, and {told}; {count(len(useless), 'more message')} "
        f"went to nobody, for {duration(more)}.",
        "What ends the stream is not connected to what makes it: the disconnect is read by nobody, "
        "or its exception is caught and the loop goes on.",
        "Stop the generator at the disconnect: `if await request.is_disconnected(): break`, or let "
        "the exception through (catch only what you expect, never a bare `except`).",
        tuple(one[1].conn for one in ones),
        (left.seq, useless[0].seq),
        request=call.request,
        at=broken_at(call),
        count=len(ones),
    )


def broken_at(call: Call) -> str:
    """Return the line that a finding about sending after the end has seen."""
    rules = ("H19", "W12", "W4")
    known = (e for e in call.at_any("finding") if e.data.get("rule") in rules)
    return next((clean(e.data["at"]) for e in known if e.data.get("at")), "")


def disconnect_ignored(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find apps that work on for a client that has left."""
    found: dict[str, list[tuple[int, Call]]] = defaultdict(list)
    for call in evidence.of("http"):
        if call.left is not None and len([e for e in call.sends() if e.t > call.left.t]) < ENOUGH:
            took = call.until(evidence.last) - call.left.t
            if took >= GOES_ON:
                found[call.request].append((took, call))
    for ones in found.values():
        took, call = max(ones, key=lambda one: one[0])
        left = call.left
        assert left is not None
        sends = [e for e in call.sends() if e.t > left.t]
        died = died_in(call, left)
        parts = [e for e in sends if size_of(e.data)]
        severity: Severity = WARNING if len(parts) > 1 else NOTE
        text = f"The client of {call.label} left at {duration(left.t - call.scope.t)}; "
        text += f"the app worked {duration(took)} more for nobody"
        text += f", and sent {count(len(sends), 'message')}" if sends else ""
        text += f". The event went no further than {known(died)}" if died else ""
        yield Diagnosis(
            "DISCONNECT-IGNORED",
            severity,
            f"{text}.",
            "An app learns that its client has left only from receive(); whoever does not ask, or "
            "sits behind a middleware that asks for itself, works to the end."
            if not died
            else f"{died} hands the app a receive() of its own, and keeps http.disconnect.",
            "If the work is long, look now and then: `await request.is_disconnected()`; or run it "
            "as a task, and cancel it when receive() gives http.disconnect."
            if not died
            else f"Write {own_name(died)} as a plain ASGI middleware, a class that calls "
            "`await self.app(scope, receive, send)` with the receive that it got; then "
            "`await request.is_disconnected()` in the app is told.",
            tuple(one[1].conn for one in ones),
            (left.seq,),
            request=call.request,
            layer=died,
            count=len(ones),
        )


def died_in(call: Call, left: Event) -> str:
    """Return the middleware that got the disconnect and did not pass it on, if one asked for it."""
    got = max(e.layer for e in call.at_any("received") if e.type == "http.disconnect")
    asked = max((e.layer for e in call.at_any("receive")), default=0)
    return call.name(got) if asked > got and got in call.names else ""
