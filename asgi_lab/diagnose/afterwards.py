"""What an app does after its response: nobody waits for it, and yet it can hold everybody up."""

from collections import defaultdict
from collections.abc import Iterator

from asgi_lab.diagnose.diagnosis import NOTE, WARNING, Diagnosis, Severity
from asgi_lab.diagnose.evidence import SECOND, SHORTEST, Call, Evidence, Slice, numbers, times
from asgi_lab.diagnose.loop import after_response, called, cause, remedy, where
from asgi_lab.events import Event
from asgi_lab.plain import clean, count, duration

LONG = 5 * SECOND
"""Nanoseconds for which an app goes on after its response, from which on it is told at all."""

DROPS = {
    "uvicorn": "Uvicorn closes the connection and logs it",
    "hypercorn": "Hypercorn logs it",
    "granian": "Granian logs it",
    "daphne": "Daphne logs it",
}
"""What a server does with an exception that comes after the response."""


def after_the_response(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find what holds the loop, raises, or goes on for long after the last byte."""
    blocking: dict[int, list[Slice]] = defaultdict(list)
    for piece in evidence.slices:
        if piece.call.type == "http" and after_response(piece) and (piece.worst or long(piece)):
            blocking[piece.call.conn].append(piece)
    found: dict[tuple[str, str], list[tuple[Call, Event, list[Slice]]]] = defaultdict(list)
    for call in evidence.of("http"):
        last, pieces = call.finished, blocking[call.conn]
        if last is None:
            continue
        goes_on = call.until(evidence.last) - last.t >= LONG
        if pieces or raises_late(call, last) or goes_on:
            at = where(pieces[0]) if pieces else ""
            found[call.request, at].append((call, last, pieces))
    for ones in found.values():
        yield tell(evidence, ones)


def long(piece: Slice) -> bool:
    """Return whether a slice counts though nobody saw its line."""
    return piece.took >= 3 * SHORTEST


def raises_late(call: Call, last: Event) -> bool:
    """Return whether the app raised after its response, of its own accord.

    A framework's error handler answers 5xx, and raises the exception again for the server's log.
    What send() raised was the server's answer to a message that it did not take.
    """
    end = call.end
    if end is None or end.kind != "raise" or end.t <= last.t or (call.status or 0) >= 500:
        return False
    refused = (e for e in call.at(0, "sent") if e.t >= last.t and e.data.get("error"))
    return all(e.data["error"] != end.data.get("error") for e in refused)


def tell(evidence: Evidence, ones: list[tuple[Call, Event, list[Slice]]]) -> Diagnosis:
    """Tell of what one request does after its response."""
    call, last, pieces = max(ones, key=lambda one: one[0].until(evidence.last) - one[1].t)
    end, until = call.end, max([call.until(evidence.last), *(piece.ran.t for piece in pieces)])
    went_on = until - last.t
    raises = raises_late(call, last)
    block = pieces[0].worst if pieces else None
    name = clean(block.data.get("call") or "") if block else ""
    text = f"{call.label} went on for {duration(went_on)} after its last byte{work_of(call, last)}"
    severity: Severity = WARNING if pieces or raises else NOTE
    why = (
        "A background task runs in the server's own process after the response: it is part of the "
        "request, holds its connection's app, and ends with the process."
    )
    do = "Hand long work to a queue (Celery, arq, Dramatiq), which outlives a restart."
    at = where(pieces[0]) if pieces else ""
    if evidence.stop is not None and (late := until - max(evidence.stop.t, last.t)) >= SECOND:
        text += f", and held the exit for {duration(late)} of it"
    if pieces:
        held = sum(piece.ran.t - max(piece.began, last.t) for piece in pieces)
        waited = [conn for piece in pieces for conn in evidence.waiters(piece)]
        text += f", and held the event loop for {duration(held)} of it"
        text += f" in {called(name)}, at {at}" if at else ""
        if waited:
            text += f"; {count(len(set(waited)), 'request')} waited ({numbers(waited)})"
        why, do = (
            cause(name, block),
            f"{remedy(name)} A task that is a plain `def` runs in a thread.",
        )
    if raises and end is not None:
        error, message = clean(end.data.get("error") or "?"), clean(end.data.get("message") or "")
        text += f"; it raised {error}{f': {message}' if message else ''}"
        text += f" ({DROPS[evidence.server]})" if evidence.server in DROPS else ""
        if not pieces:
            at = clean(end.data.get("at") or "")
            why = "The response was complete, so no client hears of it: only the server's log does."
            do = "Catch and log it in the task itself, or let a queue try it again."
    if len(ones) > 1:
        text += f". It came {times(len(ones))}"
    return Diagnosis(
        "AFTER-RESPONSE",
        severity,
        f"{text}.",
        why,
        do,
        tuple(one[0].conn for one in ones),
        tuple(e.seq for e in (last, block, end) if e is not None),
        request=call.request,
        at=at,
        count=len(ones),
    )


def work_of(call: Call, last: Event) -> str:
    """Return what was at work in threads then: ` (send_email())`."""
    later = [clean(e.data.get("call") or "?") for e in call.at_any("submit") if e.t > last.t]
    names = dict.fromkeys(called(name.rpartition("<locals>.")[2]) for name in later)
    return f" ({', '.join(list(names)[:3])})" if names else ""
