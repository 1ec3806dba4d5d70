"""Messages out of order, and a body that is waited for twice."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from asgi_lab.diagnose.diagnosis import NOTE, WARNING, Diagnosis
from asgi_lab.diagnose.evidence import SECOND, Call, Evidence, size_of, times
from asgi_lab.diagnose.servers import reactions
from asgi_lab.events import Event
from asgi_lab.message import number
from asgi_lab.plain import clean, duration, size
from asgi_lab.spec.rules import find

BINDING = ("must", "should")
"""Weights of rules whose breach is a warning."""

LONG = SECOND
"""Nanoseconds for which an app waits for a body that has been read already."""


def findings(evidence: Evidence) -> Iterator[tuple[Event, int]]:
    """Yield each finding once, and how often it came: what is counted at the end is no second."""
    first: dict[tuple[object, ...], tuple[Event, int]] = {}
    for call in evidence.calls.values():
        for event in call.at_any("finding"):
            data = event.data
            key = (call.conn, event.layer, data.get("rule"), data.get("at"))
            known = first.get(key)
            first[key] = (known[0] if known else event, number(data.get("count")) or 1)
    yield from first.values()


def bad_sequence(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell of broken rules: each rule, breaker and line once."""
    found: dict[tuple[str, str, str, str], list[tuple[Event, int]]] = defaultdict(list)
    for event, often in findings(evidence):
        data = event.data
        key = tuple(clean(data.get(name) or "") for name in ("rule", "side", "who", "at"))
        found[key].append((event, often))  # type: ignore[index]
    for (rule, side, who, at), ones in found.items():
        try:
            known = find(rule)
        except KeyError:  # a trace of a newer version
            continue
        event, often = ones[0][0], sum(each for _, each in ones)
        call = evidence.calls[event.conn]
        if torn_down(call):
            continue
        who = who.rpartition(".")[2]
        by = {"app": "your app", "middleware": who or "a middleware"}.get(side, side)
        by = f"the server ({evidence.server})" if side == "server" and evidence.server else by
        text = f"{call.label}: {clean(event.data.get('what') or known.sentence)}"
        again = f", {times(often)}" if often > 1 else ""
        ours = side != "server"
        told = reactions(rule) if ours else ""
        yield Diagnosis(
            "BAD-SEQUENCE",
            WARNING if ours and known.weight in BINDING else NOTE,
            f"{text} (rule {rule}, broken by {by}{again}).",
            f"{known.sentence} {told}".rstrip(),
            known.remedy if ours else f"{known.remedy} This is the server's own fault, not yours.",
            tuple(dict.fromkeys(one.conn for one, _ in ones)),
            (event.seq,),
            request=call.request,
            layer=who,
            at=at,
            rule=rule,
            count=often,
        )


def torn_down(call: Call) -> bool:
    """Return whether a lifespan was cancelled: its server was killed, or ended in the midst of it.

    What an app says then comes out of turn, and is no fault of its own.
    """
    return call.type == "lifespan" and call.end is not None and call.end.kind == "cancel"


def body_already_read(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find apps that wait in receive() for a body which another has taken, or get half of it."""
    found: dict[tuple[str, str], list[tuple[int, Call, Event, Event]]] = defaultdict(list)
    for call in evidence.of("http"):
        if stuck := waits_again(evidence, call):
            took, ask, taken = stuck
            found[call.request, call.name(taken.layer)].append((took, call, ask, taken))
    for (request, name), ones in found.items():
        took, call, ask, taken = max(ones, key=lambda one: one[0])
        same = ask.layer == taken.layer
        by = f"the same app{part_of(name)}" if same else name
        yield Diagnosis(
            "BODY-ALREADY-READ",
            WARNING,
            f"{call.label} waits in receive() for a body that was delivered at "
            f"{duration(taken.t - call.scope.t)} to {by}: {duration(took)} so far, "
            "and no response has begun.",
            f"{ONCE} After the last part, receive() waits until the client leaves, so who reads "
            "the body anew waits for ever.",
            "Read the body once and keep it: `body = await request.body()` in one place, before "
            "`is_disconnected()`."
            if same
            else HAND_ON.format(name=name),
            tuple(one[1].conn for one in ones),
            (taken.seq, ask.seq),
            request=request,
            layer="" if same else name,
            count=len(ones),
        )
    yield from body_cut_off(evidence)


def part_of(name: str) -> str:
    """Return which app it was, if that says more than that it was the innermost."""
    return "" if name == "your app" or name.endswith("Router") else f" ({name})"


ONCE = "The server gives each part of a body once."

HAND_ON = (
    "Let {name} hand on what it has read: give the next app a receive() that returns "
    "the same message again; or let it read nothing."
)


def body_cut_off(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find middleware that takes the first part of a body, and leaves the app the rest of it."""
    found: dict[tuple[str, str], list[tuple[Call, list[Event], Event]]] = defaultdict(list)
    for call in evidence.of("http"):
        for layer in range(call.deepest):
            outer, inner = parts(call, layer), parts(call, layer + 1)
            taken = outer[: len(outer) - len(inner)]
            if inner and sizes(taken) and sizes(outer[len(taken) :]) == sizes(inner):
                if is_last_part(inner[-1]):
                    found[call.request, call.name(layer)].append((call, taken, inner[-1]))
                break
    for (request, name), ones in found.items():
        call, taken, last = ones[0]
        yield Diagnosis(
            "BODY-ALREADY-READ",
            WARNING,
            f"{call.label}: {name} took the first {size(sum(sizes(taken)))} of the body; the app "
            "behind it got what was left.",
            ONCE,
            HAND_ON.format(name=name),
            tuple(one[0].conn for one in ones),
            (taken[0].seq, last.seq),
            request=request,
            layer=name,
            count=len(ones),
        )


def parts(call: Call, layer: int) -> list[Event]:
    """Return the parts of a request's body that came in at a layer's door."""
    return [e for e in call.at(layer, "received") if e.type == "http.request"]


def sizes(events: Sequence[Event]) -> list[int]:
    """Return how many bytes each of these messages carries; empty if none does."""
    told = [size_of(event.data) for event in events]
    return told if any(told) else []


def waits_again(evidence: Evidence, call: Call) -> tuple[int, Event, Event] | None:
    """Return how long it has waited, the deepest receive() that waits, and who had the body."""
    taken = [e for e in call.at_any("received") if is_last_part(e)]
    if not taken:
        return None
    start = call.sent("http.response.start")
    for ask in call.at(0, "receive"):
        if ask.seq < taken[0].seq or (start is not None and ask.seq > start.seq):
            continue
        got = answer_to(call, ask)
        until = got.t if got is not None else call.until(evidence.last)
        until = min(until, start.t) if start is not None else until
        if until - ask.t >= LONG and nobody_else(call, ask, until):
            before = max((e.seq for e in taken if e.seq < ask.seq), default=0)
            asked = (e for e in call.at_any("receive") if before < e.seq <= ask.seq)
            deepest = max(asked, key=lambda event: event.layer)
            had = max((e for e in taken if e.seq < ask.seq), key=lambda event: event.layer)
            return until - ask.t, deepest, had
    return None


def answer_to(call: Call, ask: Event) -> Event | None:
    """Return the message that a receive() has got, if it has got one."""
    same = (e for e in call.at(ask.layer, "received") if e.seq > ask.seq)
    return next((e for e in same if e.task == ask.task and e.began == ask.t), None)


def is_last_part(event: Event) -> bool:
    """Return whether a message is the last part of a request's body."""
    return event.type == "http.request" and not event.data.get("more_body")


def nobody_else(call: Call, ask: Event, until: int) -> bool:
    """Return whether no other task, and no thread, of the call could be at work on an answer.

    Who listens for the client to leave while others work asks, too. Such a listener has siblings;
    what waits for a body is the request's own task, or the one that a middleware runs it in.
    """
    born = {e.task: e for e in call.at_any("task")}
    ended = {e.task: e.t for e in call.at_any("done")}
    line: set[int] = set()
    task = ask.task
    while task in born:
        line.add(task)
        if not str(born[task].data.get("name") or "").endswith(OWN_TASKS):
            return False
        parent = born[task].data.get("parent")
        task = parent if isinstance(parent, int) else 0
    alive = (t for t, e in born.items() if e.t < until and ended.get(t, until) >= until)
    working = any(ask.t < e.t < until for e in call.at_any("submit", "work", "worked", "send"))
    return not working and all(
        task in line or str(born[task].data.get("name") or "").endswith(WATCHES) for task in alive
    )


OWN_TASKS = ("call_next.<locals>.coro", "receive_or_disconnect.<locals>.wrap")
"""Tasks in which a middleware runs the rest of the app, or asks: Starlette's BaseHTTPMiddleware."""

WATCHES = OWN_TASKS[1:]
"""Tasks of a middleware that wait for the end of the response beside one that asks."""
