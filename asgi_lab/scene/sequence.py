"""The sequence: what passed between client, server, app and layers, in order. Time flows down.

What crosses between client and server is in the trace only of a server that tells of its wire.
Else an arrow of the role `UNSEEN` says what a server makes of each message.
"""

from collections.abc import Iterator, Sequence

from asgi_lab.connection import Connection
from asgi_lab.events import Trace
from asgi_lab.plain import count, duration
from asgi_lab.scene import roles
from asgi_lab.scene.choice import one, titled
from asgi_lab.scene.model import Arrow, Axis, Lane, Note, Scene, Tick
from asgi_lab.scene.steps import CLIENT, SERVER, WAIT, Step, steps_of
from asgi_lab.text import called

MOST = 120
"""Steps of one picture; of more, the middle is left out."""

CROSSING = (roles.CALL, roles.IN, roles.OUT, roles.MANY)
"""What a client has part in, if it passes between server and app."""


def sequence(trace: Trace, conn: int | None = None, depth: int | None = None) -> Scene:
    """Lay out one connection as a ladder; `depth` is how many layers within the app have lanes.

    Without a number, `choose` takes one. Raises `ValueError` if there is no such connection.
    """
    found = one(trace, conn)
    if found is None:
        return Scene("sequence", "no requests yet", "No requests yet.", Axis(0, 1, "step"))
    connection, own = found
    deepest = max((event.layer for event in own), default=0)
    shown = deepest if depth is None else min(depth, deepest)
    steps = steps_of(own, shown)
    client = connection.type != "lifespan"
    names = [*(["client"] if client else []), "server", "app", *_names(own, shown)]
    wired = any(step.event.kind == "wire" for step in steps)
    begin = min(connection.started, steps[0].t) if steps else connection.started
    told, left_out = _few(steps)
    ticks, notes = times(told, begin, left_out)
    arrows = list(_arrows(told, 1 if client else 0, unseen=client and not wired))
    notes += [
        Note(at, step.source + client, step.label, step.role)
        for at, step in enumerate(told)
        if step.source == step.target
    ]
    return Scene(
        "sequence",
        titled(connection),
        alt_of(connection, steps),
        Axis(0, max(len(told) - 1, 1), "step", "steps, with the time since the first", ticks),
        tuple(Lane(name) for name in names),
        flow="down",
        arrows=tuple(arrows),
        notes=tuple(sorted(notes, key=lambda note: note.at)),
    )


def _names(events: Trace, depth: int) -> list[str]:
    names = {event.layer: called(event) for event in events if event.kind == "scope"}
    return [names.get(layer, f"layer {layer}") for layer in range(1, depth + 1)]


def _few(steps: Sequence[Step]) -> tuple[list[Step], tuple[int, int]]:
    """Return the steps to draw; and before which of them others are left out, and how many."""
    if len(steps) <= MOST:
        return list(steps), (-1, 0)
    head, tail = MOST * 2 // 3, MOST // 3
    return [*steps[:head], *steps[-tail:]], (head, len(steps) - head - tail)


def times(
    steps: Sequence[Step], begin: int, left_out: tuple[int, int] = (-1, 0)
) -> tuple[tuple[Tick, ...], list[Note]]:
    """Return when each step was, since `begin`; and where time passed, or steps are left out."""
    ticks, notes = [], []
    span = max(steps[-1].t - begin, 1) if steps else 1
    before = begin
    for at, step in enumerate(steps):
        silence = step.t - before
        if at == left_out[0]:
            notes.append(Note(at - 0.5, -1, f"… {left_out[1]:,} more …"))
        elif silence >= WAIT and silence * 20 >= span:
            notes.append(Note(at - 0.5, -1, f"⋮ {duration(silence)}"))
        before = max(step.t, step.until)
        ticks.append(Tick(at, duration(step.t - begin)))
    return tuple(ticks), notes


def _arrows(steps: Sequence[Step], offset: int, unseen: bool) -> Iterator[Arrow]:
    for at, step in enumerate(steps):
        source, target = step.source + offset, step.target + offset
        if source == target:
            continue
        yield Arrow(at, source, target, step.role, step.label, step.event.seq)
        if unseen and step.role in CROSSING and min(step.source, step.target) == 0:
            near, far = (SERVER, CLIENT) if source > target else (CLIENT, SERVER)
            yield Arrow(at, near + offset, far + offset, roles.UNSEEN)


def alt_of(connection: Connection, steps: Sequence[Step]) -> str:
    """Return the picture in words."""
    messages_in = connection.messages_in
    words = [
        f"Sequence of {titled(connection)}: {count(len(steps), 'step')}.",
        f"The app received {count(messages_in, 'message')}",
        f"and sent {count(connection.messages_out, 'message')}.",
    ]
    if steps:
        words.append(f"It ends with: {steps[-1].label}.")
    return " ".join(words)
