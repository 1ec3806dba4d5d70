"""Why a WebSocket closed with the code that the browser saw."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from asgi_lab.diagnose.diagnosis import NOTE, WARNING, Diagnosis, Severity
from asgi_lab.diagnose.evidence import SECOND, Call, Evidence, times
from asgi_lab.diagnose.servers import closes
from asgi_lab.diagnose.streams import leaves
from asgi_lab.events import Event
from asgi_lab.message import number
from asgi_lab.plain import clean, duration

CASES = {"returned": "leaves_the_socket_open", "raised": "fails_in_the_conversation"}
"""Cases of the table of servers (`asgi_lab.diagnose.servers`) in which a socket ends so."""


class Why(NamedTuple):
    """Why a socket closed as it did."""

    key: str
    severity: Severity
    sentence: str
    cause: str
    remedy: str
    event: Event
    at: str = ""


def ws_close_explained(evidence: Evidence) -> Iterator[Diagnosis]:
    """Explain every WebSocket that did not end with a close of its own accord."""
    found: dict[tuple[str, str, str], list[tuple[Call, Why]]] = defaultdict(list)
    for call in evidence.of("websocket"):
        if why := explain(evidence, call):
            found[call.request, why.key, why.at].append((call, why))
    for ones in found.values():
        call, why = ones[0]
        again = f" It came {times(len(ones))}." if len(ones) > 1 else ""
        yield Diagnosis(
            "WS-CLOSE-EXPLAINED",
            why.severity,
            why.sentence + again,
            why.cause,
            why.remedy,
            tuple(one.conn for one, _ in ones),
            (why.event.seq,),
            request=call.request,
            at=why.at,
            count=len(ones),
        )


def explain(evidence: Evidence, call: Call) -> Why | None:
    """Return why one socket closed, if that needs a word."""
    return next((why for reason in REASONS if (why := reason(evidence, call))), None)


def seen(evidence: Evidence, how: str) -> str:
    """Say which code the browser sees: on this server, and on others."""
    codes = closes(CASES[how])
    own = codes.pop(evidence.server, "")
    rest = ", ".join(f"{name.capitalize()}: {code}" for name, code in codes.items())
    if own and rest:
        return f"The browser sees {own} ({rest})."
    if rest:
        return f"The browser sees, on {rest}."
    return "The browser sees 1006, or a code that the server chose."


def raised(evidence: Evidence, call: Call) -> Why | None:
    """Explain a socket whose handler raised."""
    end = call.end
    if end is None or end.kind != "raise" or leaves(call) is not None:
        return None  # of a client that has left, receive() or send() raises
    error, message = clean(end.data.get("error") or "an exception"), end.data.get("message")
    what = f"{error}: {clean(message)}".rstrip(".") if message else error
    accepted = call.sent("websocket.accept") is not None
    early = ACCEPT_FIRST.search(what) is not None
    if not (early or error in MISTAKES or any(call.at(0, "receive", "send"))):
        return Why(
            "unknown",
            NOTE,
            f"{call.label}: the app knows no WebSocket ({what}). "
            "The browser sees 1006: no handshake.",
            "An app says that it does not know a protocol by raising at once; servers answer with "
            "HTTP 500 or 403.",
            "Add a WebSocket route to the app, or ask another path.",
            end,
            clean(end.data.get("at") or ""),
        )
    shown = seen(evidence, "raised") if accepted else "The browser sees 1006: no handshake."
    return Why(
        f"raised {error}",
        WARNING,
        f"{call.label} ended by {what}, {'after' if accepted else 'before'} it was accepted. "
        f"{shown}",
        "An exception that leaves the handler ends the connection without a close of its own; "
        "servers answer with a code of their choice, before the accept with HTTP 500 or 403.",
        "`await websocket.accept()` comes first, before anything is received or sent."
        if early and not accepted
        else "Catch what you expect, and close with a code that says something: "
        "`await websocket.close(1008, reason)`.",
        end,
        clean(end.data.get("at") or ""),
    )


ACCEPT_FIRST = re.compile(r'"(websocket\.)?accept"')
"""What stands in Starlette's errors if a handler talks before it has accepted."""

MISTAKES = ("AttributeError", "IndexError", "KeyError", "NameError", "TypeError")
"""Exceptions that come of a slip, and not of an app that knows no WebSocket."""


def refused(evidence: Evidence, call: Call) -> Why | None:
    """Explain a socket that was closed before it was accepted: HTTP 403."""
    close = call.sent("websocket.close")
    if close is None or call.sent("websocket.accept") is not None:
        return None
    code = number(close.data.get("code")) or 1000
    lost = f" The code {code} that it was closed with is lost." if code != 1000 else ""
    return Why(
        "refused",
        NOTE,
        f"{call.label} was refused: the app sent websocket.close before websocket.accept, which "
        f"is HTTP 403. The browser sees 1006, and no reason.{lost}",
        "Before the accept there is no WebSocket yet, so a close can only be an HTTP answer. No "
        "route for the path, a failed dependency and an origin check all end so.",
        "If the client is to know why: accept first, then close with a code (1008, or 4000 to "
        "4999); or answer with a denial response, which has a status and a body.",
        close,
    )


def unanswered(evidence: Evidence, call: Call) -> Why | None:
    """Explain a handshake that was neither accepted nor refused."""
    end, gone = call.end, call.heard("websocket.disconnect")
    if any(call.sent(answer) for answer in ANSWERS) or (end is not None and end.kind == "raise"):
        return None
    returned = end is not None and end.kind == "return" and gone is None
    last = gone if gone is not None else end
    took = (last.t if last is not None else evidence.last) - call.scope.t
    if not returned and took < LONG_HANDSHAKE:
        return None
    how = "the handler returned" if returned else f"{duration(took)} went by"
    return Why(
        "unanswered",
        WARNING,
        f"{call.label} was neither accepted nor closed: {how}. The browser sees 1006: no "
        "handshake.",
        "A handshake waits for websocket.accept or websocket.close; when none comes, the client "
        "or the server gives up, or servers answer 500 or 403.",
        "Accept or close on every path through the handler: `await websocket.accept()` comes "
        "first (in a Channels consumer: `await self.accept()` in `connect`).",
        last or call.scope,
    )


ANSWERS = ("websocket.accept", "websocket.close", "websocket.http.response.start")

LONG_HANDSHAKE = SECOND
"""Nanoseconds for which a handshake waits for an answer, from which on it is told."""


def returned(evidence: Evidence, call: Call) -> Why | None:
    """Explain a socket whose handler returned with it open."""
    end = call.end
    if end is None or end.kind != "return" or leaves(call) is not None:
        return None
    if call.sent("websocket.close") or call.sent("websocket.accept") is None:
        return None
    return Why(
        "returned",
        WARNING,
        f"{call.label}: the handler returned after {duration(end.took or 0)} without "
        f"websocket.close. {seen(evidence, 'returned')}",
        "Without a close of the app's own each server does as it likes.",
        "End the handler with `await websocket.close()`.",
        end,
    )


def broken_off(evidence: Evidence, call: Call) -> Why | None:
    """Explain a socket of which the server says that it broke."""
    gone = call.heard("websocket.disconnect")
    code = number(gone.data.get("code")) if gone is not None else 0
    if gone is None or code not in BROKEN:
        return None
    before = [e for e in call.at(0, "received", "send") if e.seq < gone.seq]
    quiet = gone.t - before[-1].t if before else 0
    if code == 1006 and evidence.server == "hypercorn" and quiet < IDLE:
        return None  # it says so of each client that has closed
    what, remedy = BROKEN[code]
    reason = clean(gone.data.get("reason") or "")
    return Why(
        f"code {code}",
        NOTE,
        f"{call.label} ended with {code}{f' ({reason})' if reason else ''} after "
        f"{duration(quiet)} of silence: {what}.",
        "The code comes from the server, or from the other side; the app closed nothing.",
        remedy,
        gone,
    )


IDLE = 10 * SECOND
"""Nanoseconds of silence after which a proxy may have cut a connection."""

BROKEN = {
    1006: (
        "the connection broke without a close: a client or a network that went away, a proxy's "
        "idle timeout, or pings without an answer (Uvicorn: --ws-ping-timeout)",
        "Send something more often than the proxy's idle timeout (Nginx: 60 s), and let clients "
        "connect again.",
    ),
    1009: (
        "a message was too big for the server",
        "Send it in parts, or raise the limit: `uvicorn --ws-max-size`.",
    ),
    1011: (
        "the server ended it by an error of its own, such as pings without an answer",
        "Look at the server's log; `uvicorn --ws-ping-interval`, `--ws-ping-timeout`.",
    ),
}
"""Codes of `websocket.disconnect` that say that something broke: what, and what to do."""

REASONS: tuple[Callable[[Evidence, Call], Why | None], ...] = (
    raised,
    refused,
    unanswered,
    returned,
    broken_off,
)
