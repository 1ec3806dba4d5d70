"""Who holds the event loop."""

import re
from collections import defaultdict
from collections.abc import Iterator

from asgi_lab.diagnose.diagnosis import WARNING, Diagnosis
from asgi_lab.diagnose.evidence import (
    SHORTEST,
    Call,
    Evidence,
    Slice,
    numbers,
    others,
    times,
)
from asgi_lab.events import Event
from asgi_lab.plain import clean, duration

LIBRARY = 3 * SHORTEST
"""Nanoseconds from which on a slice counts in which a library was at work, and no code of yours."""

UNSEEN = 10 * SHORTEST
"""Nanoseconds from which on a slice counts though nobody saw its line: a busy machine is slow."""

MANY_SENDS = 100
"""Messages sent in one slice from which on it is a stream that does not yield."""

REMEDIES = (
    (r"time\.sleep", "Write `await asyncio.sleep(...)`, or make the endpoint a plain `def`."),
    (r"requests\.|urlopen|urllib3?\b|http\.client",
     "Use an async client: `async with httpx.AsyncClient() as client: await client.get(...)`."),
    (r"subprocess\.|os\.system|Popen",
     "Write `process = await asyncio.create_subprocess_exec(...)` and `await process.wait()`, "
     "or make the endpoint a plain `def`."),
    (r"\.(execute\w*|fetch\w+|commit|query|scalars?|first|all)$|sqlite3|psycopg|pymysql|boto3",
     "Use the driver's async version, or make the endpoint a plain `def`: "
     "the framework then runs it in a thread."),
    (r"\b(open|read|write|read_text|read_bytes|dump|load)$",
     "Wrap it: `await asyncio.to_thread(...)`."),
    (r"\.result$",
     "Write `await asyncio.wrap_future(future)` in place of `future.result()`; a coroutine of your "
     "own is simply awaited."),
    (r"\.(join|wait|acquire|get)$|[Ll]ock\b",
     "Never wait for a thread in a coroutine: `await asyncio.to_thread(...)`, "
     "or asyncio's own Lock, Event and Queue."),
    (r"jsonable_encoder|serialize|render|dumps$",
     "Send less at once: page or stream the answer; or return a Response that is ready-made, such "
     "as `JSONResponse(rows)`, which no framework converts."),
)  # fmt: skip
"""What to do instead of a call, by its name."""

COMPUTING = (
    "Put the work into a plain function f, outside the loop: `await asyncio.to_thread(f, ...)` if "
    "it waits; if it computes, in a process: "
    "`await asyncio.get_running_loop().run_in_executor(ProcessPoolExecutor(), f, ...)`."
)


def loop_blocked(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find slices in which one request held the loop for long, and the line that did it."""
    places: dict[tuple[str, str], list[Slice]] = defaultdict(list)
    for piece in evidence.slices:
        if counts(evidence, piece):
            places[piece.call.request, where(piece)].append(piece)
    for pieces in places.values():
        yield blocked_by(evidence, pieces)
    loose = [e for e in evidence.loose if e.kind == "block" and (e.took or 0) >= SHORTEST]
    if loose:
        yield blocked_by_no_request(loose)


def counts(evidence: Evidence, piece: Slice) -> bool:
    """Return whether a slice is worth a word: not a start, not a slow machine, not told elsewhere.

    What nobody saw on the stack may be a process that was given no processor, unless it was long.
    A library may be importing what it needs for the first request, or collecting garbage.
    """
    call, block = piece.call, piece.worst
    if call.type == "lifespan":
        return block is not None and bool(evidence.waiters(piece))
    if runs_away(piece) or after_response(piece):
        return False
    if block is None:
        return piece.took >= UNSEEN
    if "library" not in block.data:
        return True
    if where(piece).startswith("asgi_lab/"):
        return False  # our own line: whatever stopped it there, it was not that line
    return piece.took >= UNSEEN or (piece.took >= LIBRARY and not first_of(evidence, call))


def runs_away(piece: Slice) -> bool:
    """Return whether it is a stream that does not yield."""
    return piece.inside([*piece.call.sends()]) >= MANY_SENDS


def after_response(piece: Slice) -> bool:
    """Return whether the response had been sent when it began."""
    last = piece.call.finished
    return last is not None and piece.ran.t - last.t > piece.took / 2


def first_of(evidence: Evidence, call: Call) -> bool:
    """Return whether a call is the first of its process."""
    return call.conn == min(c.conn for c in evidence.of("http", "websocket") if c.pid == call.pid)


def where(piece: Slice) -> str:
    """Return the line that held the loop, if it was seen."""
    return clean(piece.worst.data.get("at") or "") if piece.worst else ""


def blocked_by(evidence: Evidence, pieces: list[Slice]) -> Diagnosis:
    """Tell of all slices of one request and line."""
    longest = max(pieces, key=lambda piece: piece.took)
    block, at, call = longest.worst, where(longest), longest.call
    name = clean(block.data.get("call") or "") if block else ""
    waited = evidence.waiters(longest)
    doing = f" in {called(name)}" if name else ""
    text = f"Nothing else ran for {duration(longest.took)}: {call.label} held the event loop{doing}"
    text += f", at {at}" if at else ""
    if waited:
        text += f"; {others(len(set(waited)), 'request')} waited ({numbers(waited)})"
    if len(pieces) > 1:
        whole = sum(piece.took for piece in pieces)
        text += f". It came {times(len(pieces))}, {duration(whole)} in all"
    return Diagnosis(
        "LOOP-BLOCKED",
        WARNING,
        f"{text}.",
        cause(name, block),
        (remedy(name, call.type == "http") if at else UNKNOWN),
        tuple(dict.fromkeys([call.conn, *(piece.call.conn for piece in pieces), *waited])),
        tuple(event.seq for event in (longest.ran, block) if event is not None),
        request=call.request,
        at=at,
        count=len(pieces),
    )


def blocked_by_no_request(blocks: list[Event]) -> Diagnosis:
    """Tell of code in the loop that belongs to no request."""
    longest = max(blocks, key=lambda block: block.took or 0)
    name, at = (clean(longest.data.get(key) or "?") for key in ("call", "at"))
    text = f"Nothing else ran for {duration(longest.took or 0)}: code of no request held the "
    text += f"event loop in {called(name)}, at {at} (a callback, or a task begun elsewhere)"
    return Diagnosis(
        "LOOP-BLOCKED", WARNING, f"{text}.", cause(name, longest), remedy(name), (),
        (longest.seq,), at=at, count=len(blocks),
    )  # fmt: skip


def called(name: str) -> str:
    """Return a name as a call."""
    return name if name.endswith((")", " ")) else f"{name}()"


def cause(name: str, block: Event | None) -> str:
    """Say why that holds the loop."""
    if block is None:
        return (
            "A coroutine keeps the loop until it awaits something that is not ready, and this one "
            "did not; no other thread could look at its line (a call into C that keeps the "
            "interpreter to itself, or the watchdog was off)."
        )
    if "library" in block.data:
        return "A library was at work for this request, in the loop, and no code of yours under it."
    return (
        f"A coroutine, and all that it calls, runs in the event loop until it awaits; "
        f"{called(name)} does not give the loop back meanwhile."
    )


def remedy(name: str, endpoint: bool = False) -> str:
    """Say what to write instead; only an HTTP endpoint may be a plain `def` that gets a thread."""
    text = next((text for pattern, text in REMEDIES if re.search(pattern, name)), COMPUTING)
    return text if endpoint else re.sub(r"(,) or make the endpoint a plain.*", IN_A_THREAD, text)


IN_A_THREAD = r"\1 or `await asyncio.to_thread(...)`."

UNKNOWN = (
    "Look for regular expressions, compression, parsing of big texts; else for what does not await."
)
