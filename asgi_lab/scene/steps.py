"""What passed between client, server, layers and app, one step after the other.

Lanes are numbered from the server inwards: -1 is the client, 0 the server, 1 the app (or the
outermost layer of it), 2 the next layer. What passes several boundaries unchanged is one step.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asgi_lab.events import Data, Event
from asgi_lab.fold import took
from asgi_lab.message import message, payload_size
from asgi_lab.plain import clean, duration, size
from asgi_lab.scene import roles
from asgi_lab.scene.marks import REPEATED
from asgi_lab.text import called, ended, on_the_wire

WAIT = 1_000_000
"""Nanoseconds of waiting in `send`, or of silence, that are worth telling."""

CLIENT, SERVER = -1, 0

ON_THE_WIRE = {
    "bytes in": (CLIENT, SERVER, roles.WIRE_IN),
    "bytes out": (SERVER, CLIENT, roles.WIRE_OUT),
    "end of bytes in": (CLIENT, SERVER, roles.WIRE_IN),
}
"""What passes between client and server."""

ENDS = {"return": roles.RETURN, "raise": roles.RAISE, "cancel": roles.CANCEL}
CALLS = frozenset(("scope", *ENDS))
FEW = 5
"""So many messages of one kind are told one by one; of more, the first and the last."""


@dataclass(slots=True)
class Step:
    """One arrow, from lane `source` to lane `target`; or words at a lane, if both are the same.

    `many` is how many messages it stands for, `size` the bytes of those.
    """

    t: int
    source: int
    target: int
    role: str
    label: str
    event: Event
    many: int = 1
    size: int = 0
    until: int = 0
    """When the last of them was."""


def steps_of(events: Iterable[Event], depth: int, *, whole_calls: bool = True) -> list[Step]:
    """Return the steps for the layers down to `depth`.

    With `whole_calls`, a call (and its end) that goes on through several layers is one step, too;
    without, each layer is entered and left in a step of its own.
    """
    steps: list[Step] = []
    sent: dict[str, Event] = {}
    for event in events:
        step = _step(event) if event.layer <= depth else None
        if step is None:
            continue
        change = ""
        if event.kind == "send":
            inner, sent[event.type] = sent.get(event.type), event
            if inner is not None and inner.layer > event.layer:
                change = _change(inner.data, event.data)
        before = steps[-1] if steps else None
        joins = whole_calls or event.kind not in CALLS
        if before is not None and joins and not change and _goes_on(before, step):
            before.target = step.target
            if event.kind in ENDS:
                before.label = step.label  # its outermost end says how long it took in all
            before.event = before.event if event.kind == "scope" else event
            continue
        step.label += change
        steps.append(step)
    return folded(steps)


def folded(steps: Sequence[Step]) -> list[Step]:
    """Return steps; of many messages of a kind in a row, the first, how many more, and the last."""
    told: list[Step] = []
    index = 0
    while index < len(steps):
        run = index + 1
        while run < len(steps) and _repeats(steps[index], steps[run]):
            run += 1
        if run - index <= FEW:
            told += steps[index:run]
        else:
            told += [steps[index], _many(steps[index + 1 : run - 1]), steps[run - 1]]
        index = run
    return told


def _repeats(first: Step, step: Step) -> bool:
    name, other = (s.event.type or str(s.event.data.get("what") or "") for s in (first, step))
    same = (first.source, first.target, first.role) == (step.source, step.target, step.role)
    return name == other and same and name in REPEATED


def _many(run: Sequence[Step]) -> Step:
    first = run[0]
    name = first.event.type or str(first.event.data.get("what"))
    volume = sum(step.size for step in run)
    over = f" over {duration(run[-1].t - first.t)}" if run[-1].t - first.t >= WAIT else ""
    label = f"… {len(run):,} × {name}, {size(volume)}{over}"
    return Step(
        first.t, first.source, first.target, roles.MANY, label, first.event, len(run), volume,
        run[-1].t,
    )  # fmt: skip


def _step(event: Event) -> Step | None:
    outer, inner = event.layer, event.layer + 1
    data, kind = event.data, event.kind
    if kind == "wire":
        return _wire(event)
    if kind == "scope":
        label = called(event).removeprefix("app ") if not event.layer else called(event)
        return Step(event.t, outer, inner, roles.CALL, label, event)
    if kind == "received" and "type" in data:
        waited = took(event)
        wait = f" … waited {duration(waited)}" if waited >= WAIT else ""
        label, volume = message(data) + wait, payload_size(data)
        return Step(event.t, outer, inner, roles.IN, label, event, size=volume)
    if kind == "send":
        volume = payload_size(data)
        return Step(event.t, inner, outer, roles.OUT, message(data), event, size=volume)
    if kind == "sent" and ("error" in data or (took(event) >= WAIT and not outer)):
        failed = f"send ended by {clean(data['error'])}, " if "error" in data else "let go on "
        label = f"{failed}after {duration(took(event))}"
        role = roles.RAISE if "error" in data else roles.RETURN
        return Step(event.t, outer, inner, role, label, event)
    if kind in ENDS:
        return Step(event.t, inner, outer, ENDS[kind], ended(event), event)
    if kind == "finding" and not event.layer:
        return Step(event.t, inner, inner, roles.FINDING, _finding(data), event)
    return None


def _wire(event: Event) -> Step | None:
    what = str(event.data.get("what"))
    if what in ON_THE_WIRE:
        source, target, role = ON_THE_WIRE[what]
        return Step(event.t, source, target, role, on_the_wire(event), event)
    if what.startswith(("pause", "resume")):
        return Step(event.t, SERVER, SERVER, roles.PAUSE, what, event)
    return None


def _finding(data: Data) -> str:
    return " ".join(clean(data[key]) for key in ("rule", "what") if data.get(key))


def _goes_on(before: Step, step: Step) -> bool:
    """Return whether this is the arrow before it, one boundary further."""
    if before.event.kind != step.event.kind or before.target != step.source:
        return False
    if step.event.kind in ("wire", "finding"):
        return False
    return before.event.type == step.event.type or step.event.kind == "scope"


def _change(before: Data, after: Data) -> str:
    """Return what a layer changed in a message that it passed on; empty if nothing."""
    if before == after:
        return ""
    old, new = _header_names(before), _header_names(after)
    changes = [f"+{name}" for name in new if name not in old]
    changes += [f"-{name}" for name in old if name not in new]
    return "  " + " ".join(changes) if changes else "  (changed)"


def _header_names(data: Data) -> list[str]:
    headers = data.get("headers")
    if not isinstance(headers, (list, tuple)):
        return []
    return [clean(h[0]) for h in headers if isinstance(h, (list, tuple)) and h]
