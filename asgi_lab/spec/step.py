"""The checker: a pure step from what is known, and a happening, to what is known then.

    >>> case, _ = opened({"type": "http", "method": "GET", "path": "/", "http_version": "1.1",
    ...                   "query_string": b"", "headers": []})
    >>> case, findings = step(case, "send", {"type": "http.response.body", "body": b"hi"})
    >>> findings[0].rule, findings[0].what
    ('H1', "http.response.body in state 'waiting': nothing has been sent")

It sees the messages themselves, alive, and keeps nothing of them but numbers. Messages with only
the keys that the specification requires are valid. It may raise at objects that resist being
looked at: the caller takes care of that.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from asgi_lab.spec import app_checks, common, server_checks
from asgi_lab.spec.case import CHECKS, Case, Finding, open_case
from asgi_lab.spec.machine import ASK, RAISE, RECEIVE, RETURN, SEND
from asgi_lab.spec.states import PROTOCOLS
from asgi_lab.spec.values import kind as kind_of
from asgi_lab.spec.values import length, readable, shown
from asgi_lab.spec.walk import Standing, Step, begin, go, is_closed

Findings = tuple[Finding, ...]
NONE: Findings = ()

CANCEL = "cancel"
"""The call of the app was cancelled."""

TYPES = {
    (protocol, verb): {move.type for machine in machines for move in machine.moves
                       if move.verb == verb}
    for protocol, machines in PROTOCOLS.items() for verb in (SEND, RECEIVE)
}  # fmt: skip
"""Of each protocol and verb, the types of messages."""

EXTENSIONS = {
    move.type: move.extension
    for machines in PROTOCOLS.values()
    for machine in machines
    for move in machine.moves
    if move.extension
}
"""Types of messages that belong to an extension, and its name."""

HARMLESS = ("S6", "S10", "S11")
"""Rules of what few apps look at: one that fails all the same has failed by itself. Granian gives
its ports as text, to each call."""

NO_MESSAGE = {"http": "R1", "websocket": "W-R2", "lifespan": "L-2"}
"""The rule that a server breaks with what is no message of the protocol."""


def opened(scope: Any) -> tuple[Case, Findings]:
    """Return what is known when an app is called with a scope, and what is wrong with that."""
    if (known := common.opened(scope)) is not None:
        return known, NONE
    findings = tuple(server_checks.scope_findings(scope))
    if not isinstance(scope, dict):
        return Case(None), findings
    protocol = scope.get("type")
    standing = begin(protocol) if isinstance(protocol, str) and protocol in PROTOCOLS else None
    grave = any(finding.rule not in HARMLESS for finding in findings)
    return open_case(scope, standing).marked(faulty=grave), findings


def step(case: Case, verb: str, message: Any = None) -> tuple[Case, Findings]:
    """Return what is known after a happening, and which rules it breaks.

    The verbs: `send` and `receive`, with the message; `ask`; `return`; `raise`, with the exception.
    """
    if verb == SEND:
        return sent(case, message)
    if verb == RECEIVE:
        return received(case, message)
    return asked(case) if verb == ASK else ended(case, verb, message)


def sent(case: Case, message: Any) -> tuple[Case, Findings]:
    """Check what the app sends."""
    if (after := common.sent(case, message)) is not None:
        return after, NONE
    if not isinstance(message, dict):
        return case.marked(broken=True), (Finding("G1", f"a message is {kind_of(message)}"),)
    kind = message.get("type")
    if not isinstance(kind, str):
        what = f"the type is {kind_of(kind)}" if "type" in message else "there is no type"
        return case.marked(broken=True), (Finding("G1", what),)
    if case.standing is None:
        return _to_a_stranger(case, kind)
    if kind not in TYPES[case.type, SEND]:
        what = f"{shown(kind)} is no message of {case.type}"
        return case.marked(broken=True), (Finding("G2", what, kind),)
    if kind in EXTENSIONS and (name := EXTENSIONS[kind]) not in case.request.offers:
        rule = "W11" if case.type == "websocket" else "X1"
        what = f"the server does not offer {name}"
        return case.marked(broken=True), (Finding(rule, what, kind),)
    standing, moved = go(case.standing, SEND, kind, message)
    findings: Findings = NONE
    if app_checks.is_interim(kind, message):
        standing, case = case.standing, case.marked(broken=True, misled=True)
    elif moved.after is None and not case.marks.misled:
        findings = (Finding(moved.rule, _order(case, moved, kind), kind),)
        if moved.before == "over":
            return case, findings
    elif case.heard == "gone" and case.type == "http":
        findings = (Finding("H19", f"{kind} after http.disconnect", kind),)
    findings += _checked(case, SEND, kind, message)
    if wrong := app_checks.only_plain_values(message):
        findings += (Finding("G3", wrong, kind),)
    if findings or not readable(message):
        case = case.marked(doubtful=True)
    if moved.after is None:
        return case.marked(broken=True), findings
    return _learnt(case.goes(standing), kind, message), findings


def _to_a_stranger(case: Case, kind: str) -> tuple[Case, Findings]:
    """Check that in a scope of a type not known here no other protocol is spoken."""
    others = any(kind in TYPES[protocol, SEND] for protocol in PROTOCOLS)
    if not others or not case.type or case.marks.faulty:
        return case, NONE
    what = f"{kind} was sent in a scope of type {shown(case.type)}"
    found = NONE if case.marks.broken else (Finding("G4", what, kind),)
    return case.marked(broken=True), found


def _checked(case: Case, verb: str, kind: str, message: Mapping[str, Any]) -> Findings:
    found = [
        Finding(rule, what, kind)
        for rule, wrong in CHECKS.get((verb, kind), ())
        if (what := wrong(case, message))
    ]
    return tuple(found)


def _learnt(case: Case, kind: str, message: Mapping[str, Any]) -> Case:
    """Return the case with what a message says that matters later."""
    if kind in app_checks.BODIES:
        body = message.get("body", b"")
        if case.progress.declared is None or not isinstance(body, bytes):
            return case
        return case.comes(sent=case.progress.sent + len(body))
    if kind in app_checks.STARTS:
        if not isinstance(message.get("trailers", False), bool):  # whether any come, none can say
            case = case.marked(broken=True, misled=True)
        status = message.get("status")
        declared = length(app_checks.headers_of(message))
        return case.comes(status=status if isinstance(status, int) else 0, declared=declared)
    if kind == "http.response.zerocopysend":
        return case.comes(declared=None)  # how much that is, nobody tells
    return case.comes(debugged=True) if kind == "http.response.debug" else case


def _order(case: Case, moved: Step, what: str) -> str:
    """Say in which state something came that does not belong there."""
    machine = next(m for m in PROTOCOLS[case.type] if m.thread == moved.thread)
    state = machine.state(moved.before)
    return f"{what} in state '{state.name}': {state.meaning}"


def received(case: Case, message: Any) -> tuple[Case, Findings]:
    """Check what the server delivers."""
    if (after := common.received(case, message)) is not None:
        return after, NONE
    if case.standing is None:
        return case, NONE
    rule = NO_MESSAGE[case.type]
    if not isinstance(message, dict):
        wrong = Finding(rule, f"receive() gave {kind_of(message)}")
        return case.marked(faulty=True, misled=True), (wrong,)
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in TYPES[case.type, RECEIVE]:
        what = shown(kind) if isinstance(kind, str) else kind_of(kind)
        wrong = Finding(rule, f"receive() gave a message of type {what}", str(kind))
        return case.marked(faulty=True, misled=True), (wrong,)
    standing, moved = go(case.standing, RECEIVE, kind, message)
    findings: Findings = NONE
    if moved.after is None and (case.type == "http" or not case.marks.broken):
        findings = (Finding(moved.rule, _order(case, moved, kind), kind),)
    findings += _checked(case, RECEIVE, kind, message)
    if any(not isinstance(key, str) for key in message):
        findings += (Finding("S13", "a key of the message is no str", kind),)
    if kind == "http.request" and case.request.wants is not None:
        case = case.comes(got=case.progress.got + server_checks.size(message))
    if findings:
        case = case.marked(faulty=True, misled=True)
    return case.goes(standing), findings


def asked(case: Case) -> tuple[Case, Findings]:
    """Check that the app may ask for a message."""
    if (after := common.asked(case)) is not None:
        return after, NONE
    if case.stands == "over":
        return case, (Finding("G7", "receive() after the app has returned"),)
    if case.heard == "gone":
        rule, kind = ("H20", "http") if case.type == "http" else ("W13", "websocket")
        return case, (Finding(rule, f"receive() after {kind}.disconnect"),)
    if case.standing is None or case.standing.asked:
        return case.marked(waits=case.stands == "starting"), NONE
    return case.goes(case.standing._replace(asked=True)), NONE


def ended(case: Case, verb: str, error: BaseException | None) -> tuple[Case, Findings]:
    """Check how the call of the app ends: by `return`, `raise`, or `cancel`."""
    if case.standing is None:
        silent = verb == RETURN and case.type and not (case.marks.faulty or case.marks.broken)
        what = f"the app returned from a scope of type {shown(case.type)}"
        return case, (Finding("G4", what),) if silent else NONE
    over, moved = _left(case.standing, verb)
    quiet = case.marks.broken or case.marks.refused or case.marks.faulty
    if verb == CANCEL and case.marks.waits and case.stands == "starting" and not quiet:
        what = "the app asked for another message, and never answered lifespan.startup"
        return case.goes(over), (Finding("L1", what),)
    case = case.goes(over)
    if moved is None or moved.after is not None or quiet or not moved.rule:
        return case, NONE
    if verb == RAISE and not isinstance(error, Exception):
        return case, NONE
    what = f"{type(error).__name__} left the app" if verb == RAISE else "the app returned"
    return case, (Finding(moved.rule, _order(case, moved, what)),)


@lru_cache(256)
def _left(standing: Standing, verb: str) -> tuple[Standing, Step | None]:
    """Return where a conversation is after its app has left it, and what that was."""
    moved = go(standing, verb, "", {})[1] if verb in (RETURN, RAISE) else None
    return standing._replace(at=(*standing.at[:-1], "over")), moved


def answered(
    case: Case, message: Any, error: BaseException | None, faults: Findings
) -> tuple[Case, Findings]:
    """Check how the server takes a message: `error` is what send() raised, if it did."""
    kind = message.get("type") if isinstance(message, dict) else None
    told = kind if isinstance(kind, str) else ""
    gone = case.standing is not None and case.standing.gone
    if error is None:
        silent = any(fault.rule in ("G1", "G2") for fault in faults) and not gone
        what = f"{shown(told) if told else 'what is no message'} was taken without a word"
        return case, (Finding("A7", what, told),) if silent and case.standing else NONE
    name = type(error).__name__
    closed = is_closed(name)
    if case.standing is not None and (closed or isinstance(error, OSError)):
        case = case.goes(case.standing._replace(lost=True))
    if isinstance(error, OSError):
        return case, NONE
    case = case.marked(refused=True)
    if gone or closed:
        rule = "W-A4" if case.type == "websocket" else "A6"
        what = f"the client is gone, and send() raised {name}, which is no OSError"
        return case, (Finding(rule, what, told),) if case.request.version >= (2, 4) else NONE
    if faults or case.marks.broken or case.marks.doubtful or case.standing is None:
        return case, NONE
    if told.startswith("websocket.http."):
        return case, (Finding("W-A5", f"{told} raised {name}", told),)
    more = set(message) - KEYS.get(told, set(message))
    if more:
        what = f"send() raised {name} at {told} with an additional key: {shown(min(more))}"
        return case, (Finding("A8", what, told),)
    return case, (Finding("A7", f"send() raised {name} at a valid {told}", told),)


KEYS = {
    "http.response.start": {"type", "status", "headers", "trailers"},
    "http.response.body": {"type", "body", "more_body"},
    "websocket.accept": {"type", "subprotocol", "headers"},
    "websocket.send": {"type", "text", "bytes"},
    "websocket.close": {"type", "code", "reason"},
}
"""The keys that the specification names."""
