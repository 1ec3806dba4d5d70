"""Startup that did not reach the app, and a shutdown that open requests hold."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from asgi_lab.diagnose.diagnosis import WARNING, Diagnosis
from asgi_lab.diagnose.evidence import ENDS, SECOND, Call, Evidence, numbers
from asgi_lab.events import Event
from asgi_lab.plain import clean, count, duration

APPS = ("FastAPI", "Starlette", "Quart", "Litestar", "App")
"""Layers that have a lifespan of their own."""

UNSTARTED = re.compile(
    r"[Tt]ask group is not initiali[sz]ed|has not been (started|initiali[sz]ed)|"
    r"before (startup|lifespan)|[Yy]ou must call .*\b(init|startup)\b|"
    r"(Database\w*|[Pp]ool) is (not running|closed|not initiali[sz]ed)"
)
"""Messages of exceptions that come of a startup that did not run."""

NO_STATE = re.compile(r"'State' object has no attribute")
"""A message that may come of it: a request's state is of the same class."""

STARTUP = "lifespan.startup"

HELD = SECOND
"""Nanoseconds for which an open request holds the exit, from which on it is told."""

LATE = 5 * SECOND
"""Nanoseconds likewise, for what goes on after a response."""


def lifespan_not_reached(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find apps that serve requests though their startup never ran, or failed unseen."""
    lives = evidence.of("lifespan")
    failed = unstarted(evidence, lives)
    if failed is None or not failed.mounted:
        for life in lives:
            if found := swallowed(evidence, life) or failed_unseen(life):
                yield found
                return
    if failed is not None:
        yield failed.diagnosis


def swallowed(evidence: Evidence, life: Call) -> Diagnosis | None:
    """Return which middleware kept the lifespan from the app inside it."""
    deepest = life.deepest
    inner: dict[int, str] = {}
    example: Call | None = None
    for call in evidence.of("http", "websocket"):
        if any(layer > deepest for layer in call.names):
            example, inner = call, call.names
            break
    ended = next((e for e in life.at(deepest, *ENDS)), None)
    if example is None:
        return None
    complete = life.sent("lifespan.startup.complete")
    beyond = {layer: name for layer, name in inner.items() if layer > deepest}
    raised = ended is not None and ended.kind == "raise" and not life.heard(STARTUP)
    starts = any(name in APPS or (raised and name.endswith("Router")) for name in beyond.values())
    if (complete or raised) and not starts:
        return None  # the innermost that knows lifespan has answered, or none does
    if not complete and not raised and (ended is None or ended.kind != "return"):
        return None
    name = example.name(deepest)
    kept = next((n for n in beyond.values() if n in APPS), None) or list(beyond.values())[-1]
    kept = f"the app (its {kept})" if kept.endswith("Router") else kept
    why = "It looks at scope['type'] and lets through http (and websocket) alone"
    if complete:
        did = "answered the lifespan itself"
    elif raised and ended is not None:
        why = "It takes every scope for a request's, and servers go on without a lifespan"
        error, message = (clean(ended.data.get(key) or "") for key in ("error", "message"))
        did = f"raised {error}{f': {message}' if message else ''} at it"
    else:
        did = "returned at once"
    return Diagnosis(
        "LIFESPAN-NOT-REACHED",
        WARNING,
        f"Startup never reached {kept}: {name} {did}, and passed only requests on.",
        f"{why}, so what {kept} does at startup and shutdown never happens.",
        'Pass on what you do not know: begin with `if scope["type"] != "http": '
        "return await self.app(scope, receive, send)`.",
        (life.conn, example.conn),
        (life.scope.seq, *((ended.seq,) if ended else ())),
        request="lifespan",
        layer=name,
        at=clean(ended.data.get("at") or "") if ended else "",
    )


def failed_unseen(life: Call) -> Diagnosis | None:
    """Return which error at startup the server took for `lifespan is not supported`."""
    end, asked = life.end, life.heard(STARTUP)
    if end is None or end.kind != "raise" or asked is None:
        return None
    if life.sent("lifespan.startup.complete") or life.sent("lifespan.startup.failed"):
        return None
    if knows_requests_alone(life, end):
        return None
    error = clean(end.data.get("error") or "an exception")
    message = clean(end.data.get("message") or "")
    return Diagnosis(
        "LIFESPAN-NOT-REACHED",
        WARNING,
        f"Startup raised {error}{f': {message}' if message else ''}, and the server took that as "
        '"lifespan is not supported": it serves an app that has not started.',
        "An exception before startup.complete is how an app says that it has no lifespan; servers "
        "go on without it.",
        "Mend the error; and let startup fail aloud: send lifespan.startup.failed with a message "
        "(a framework's lifespan function does so for you), or start Uvicorn with --lifespan on.",
        (life.conn,),
        (end.seq,),
        request="lifespan",
        at=clean(end.data.get("at") or ""),
    )


def knows_requests_alone(life: Call, end: Event) -> bool:
    """Return whether an app took `lifespan.startup` for a message of a request.

    It knows no lifespan and says so by raising, as the specification has it: nothing is wrong.
    """
    if end.data.get("error") == "NotImplementedError":
        return True
    key = str(end.data.get("message") or "").strip("'")
    if end.data.get("error") == "KeyError" and key in KEYS:
        return True
    return any(not e.type.startswith("lifespan.") for e in life.sends())


KEYS = ("body", "more_body", "bytes", "text", "path", "method", "headers", "query_string")
"""What requests and their messages hold, and a lifespan does not."""


class Failed(NamedTuple):
    """Requests that failed for want of a startup, and whether in a mounted app."""

    diagnosis: Diagnosis
    mounted: bool


def unstarted(evidence: Evidence, lives: list[Call]) -> Failed | None:
    """Return which requests failed for want of a startup that nothing has asked for."""
    complete = any(life.sent("lifespan.startup.complete") for life in lives)
    failed = [
        (call, call.end)
        for call in evidence.of("http", "websocket")
        if call.end is not None and wants_startup(call.end, complete)
    ]
    if not failed:
        return None
    call, end = failed[0]
    mounted = bool(end.data.get("mounted"))
    return Failed(
        Diagnosis(
            "LIFESPAN-NOT-REACHED",
            WARNING,
            f"{call.label} failed for want of what startup makes ({clean(end.data['message'])}): "
            f"{why_unstarted(evidence, lives, mounted)}.",
            *(MOUNTED if complete or mounted else NOT_ASKED),
            tuple(one.conn for one, _ in failed),
            (end.seq,),
            request=call.request,
            at=clean(end.data.get("at") or ""),
            count=len(failed),
        ),
        mounted,
    )


def wants_startup(end: Event, complete: bool) -> bool:
    """Return whether an exception says that its app has not started."""
    message = str(end.data.get("message") or "")
    if end.kind != "raise":
        return False
    maybe = NO_STATE.search(message) and (end.data.get("mounted") or not complete)
    return bool(maybe or UNSTARTED.search(message))


def why_unstarted(evidence: Evidence, lives: list[Call], mounted: bool) -> str:
    """Say why an app has not started."""
    if mounted:
        return "it is a mounted app, and the lifespan goes to the outer app alone"
    if lives:
        return "the lifespan that came was not the app's, so startup never ran"
    who = "Daphne sends no lifespan" if evidence.server == "daphne" else "nobody sent a lifespan"
    return f"{who}, so startup never ran"


MOUNTED = (
    "mount() hands the requests of a path on, and no lifespan: what the mounted app does at "
    "startup and shutdown never happens.",
    "Enter its lifespan in that of the outer app: in the function that you give to "
    "`FastAPI(lifespan=...)`, write `async with inner.router.lifespan_context(inner): yield`, with "
    "the mounted app for `inner`.",
)
NOT_ASKED = (
    "Some ways to call an app know no lifespan: Daphne, httpx's ASGITransport.",
    "Serve it with Uvicorn, Hypercorn or Granian; in tests use TestClient as a context "
    "manager, or asgi-lifespan.",
)
"""Cause and remedy: of a mounted app, and of one that nobody asks."""


def shutdown_held(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find requests for which a server waited when it was asked to stop."""
    stop = evidence.stop
    if stop is None:
        return
    held = [call for call in evidence.of("http", "websocket") if holds(evidence, call, stop)]
    if not held:
        return
    held.sort(key=lambda call: -call.until(evidence.last))
    call = held[0]
    deaf = [one for one in held if not listens(one, stop)]
    who = ", ".join(dict.fromkeys(one.request for one in held))
    learn = "; none of them receives, so they cannot learn of it" if len(deaf) == len(held) else ""
    took = call.until(evidence.last) - stop.t
    yield Diagnosis(
        "SHUTDOWN-HELD",
        WARNING,
        f"The exit was held for {duration(took)} by {count(len(held), 'open request')}: {who} "
        f"({numbers(one.conn for one in held)}){learn}.",
        "A server that stops waits for what is under way, and tells HTTP apps nothing: a stream "
        "without an end holds it until it is killed.",
        "Bound the wait: `uvicorn --timeout-graceful-shutdown 5`, `hypercorn --graceful-timeout 5`;"
        " and let endless streams look at a flag that a handler of SIGTERM and SIGINT sets.",
        tuple(one.conn for one in held),
        (stop.seq, call.scope.seq),
        request=call.request,
        count=len(held),
    )


def holds(evidence: Evidence, call: Call, stop: Event) -> bool:
    """Return whether a call went on for long after the server was asked to stop.

    What goes on after its response is a background task, and may take a while; a handshake without
    an answer is told of as that.
    """
    took = call.until(evidence.last) - stop.t
    if call.scope.t >= stop.t or (call.type == "websocket" and not call.sent("websocket.accept")):
        return False
    if call.type == "websocket" and evidence.server == "hypercorn" and listens(call, stop):
        return took >= LATE  # it gives them 3 s, and tells them nothing
    answered = call.finished is not None and call.finished.t <= stop.t
    return took >= (LATE if answered else HELD)


def listens(call: Call, stop: Event) -> bool:
    """Return whether a call had a receive() under way when the server was asked to stop."""
    asked = [e for e in call.at(0, "receive") if e.t <= stop.t]
    got = [e for e in call.at(0, "received") if e.t <= stop.t]
    return len(asked) > len(got)
