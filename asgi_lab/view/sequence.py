"""The ladder of one connection: what passes between client, server, layers and app, in order.

What crosses between client and server is in the trace only of a server that tells of its wire.
Else it is dashed, as what a server makes of each message.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Group
from rich.text import Text

from asgi_lab.connection import Connection
from asgi_lab.events import Data, Event, Trace
from asgi_lab.fold import took
from asgi_lab.message import message
from asgi_lab.plain import clean, duration, shorten
from asgi_lab.text import called, ended, on_the_wire
from asgi_lab.view.rows import ERROR, QUIET

WAIT = 1_000_000
"""Nanoseconds of waiting in `send`, or of silence, that are worth a line."""

MOST = 120
"""Lines of one ladder; of more, the middle is left out."""

LANE = 11
LABELS = 30
"""Cells between two lanes, at least, and of the labels right of them."""


@dataclass(slots=True)
class Step:
    """One rung. An arrow goes from lane `source` to lane `target`.

    -1 is the client, 0 the server, 1 the app, and so on.
    """

    t: int
    source: int
    target: int
    label: str
    event: Event
    bad: bool = False

    @property
    def to_client(self) -> bool:
        """Whether the client has part in it."""
        return min(self.source, self.target) == 0 and self.event.kind in CROSSING and (
            not self.event.type.startswith("lifespan")
        )  # fmt: skip


CROSSING = ("scope", "received", "send")

ARROWS = {"bytes in": (-1, 0), "bytes out": (0, -1), "end of bytes in": (-1, 0)}
"""What passes between client and server."""


def steps_of(events: Trace, depth: int) -> list[Step]:
    """Return the rungs for the layers down to `depth`; what passes unchanged is one arrow."""
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
        if before is not None and not change and _goes_on(before, step):
            before.target, before.label = step.target, _label(before, step)
            before.event = before.event if event.kind == "scope" else event
            continue
        step.label += change
        steps.append(step)
    return steps


def _label(before: Step, step: Step) -> str:
    """Return what one arrow of two says: of a call its outermost beginning and end."""
    return step.label if step.event.kind in ("return", "raise", "cancel") else before.label


def _step(event: Event) -> Step | None:
    outer, inner = event.layer, event.layer + 1
    data = event.data
    if event.kind == "wire" and data.get("what") in ARROWS:
        source, target = ARROWS[data["what"]]
        return Step(event.t, source, target, on_the_wire(event), event)
    if event.kind == "scope":
        label = called(event).removeprefix("app ") if not event.layer else called(event)
        return Step(event.t, outer, inner, label, event)
    if event.kind == "received" and "type" in data:
        waited = took(event)
        wait = f" … waited {duration(waited)}" if waited >= WAIT else ""
        return Step(event.t, outer, inner, message(data) + wait, event)
    if event.kind == "send":
        return Step(event.t, inner, outer, message(data), event)
    if event.kind == "sent" and ("error" in data or (took(event) >= WAIT and not outer)):
        failed = f"send ended by {clean(data['error'])}, " if "error" in data else "let go on "
        label = f"{failed}after {duration(took(event))}"
        return Step(event.t, outer, inner, label, event, bad="error" in data)
    if event.kind in ("return", "raise", "cancel"):
        return Step(event.t, inner, outer, ended(event), event, bad=event.kind == "raise")
    return None


def _goes_on(before: Step, step: Step) -> bool:
    """Return whether this is the arrow before it, one boundary further."""
    if before.event.kind != step.event.kind or before.target != step.source:
        return False
    if step.event.kind == "wire":
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


def ladder(events: Trace, connection: Connection, width: int) -> Group:
    """Draw one connection as a ladder, with the layers if there is room for their lanes."""
    depth = max((event.layer for event in events), default=0)
    head, lane = 12, LANE
    fits = head + (depth + 2) * lane + LABELS <= width
    shown = depth if fits else 0
    client = connection.type != "lifespan"
    lanes = _lanes(events, shown, client)
    lane = min(max((width - head - LABELS - 10) // len(lanes), LANE), 18)
    offset = len(lanes) - shown - 2
    steps = steps_of(events, shown)
    at = [head + index * lane for index in range(len(lanes))]
    lines = [_heads(lanes, at, lane)]
    wired = any(step.event.kind == "wire" for step in steps)
    begin = min(connection.started, steps[0].t) if steps else connection.started
    lines += list(_rungs(steps, at, offset, begin, width, dashes=bool(offset) and not wired))
    if client and not wired:
        lines += [Text(), Text("┄ what the server makes of it (not observed)", QUIET)]
    if depth and not fits:
        needed = head + (depth + 2) * LANE + LABELS
        lines.append(
            Text(f"{depth} layers fit from {needed} columns; see also --view layers", QUIET)
        )
    return Group(*lines)


def _lanes(events: Trace, depth: int, client: bool) -> list[str]:
    names = {event.layer: called(event) for event in events if event.kind == "scope"}
    inner = [names.get(layer, f"layer {layer}") for layer in range(1, depth + 1)]
    return [*(["client"] if client else []), "server", "app", *inner]


def _heads(lanes: list[str], at: list[int], lane: int) -> Text:
    line = " " * at[0]
    for x, name in zip(at, lanes, strict=True):
        line = line[:x].ljust(x) + shorten(name, lane - 1)
    return Text(line, "bold", no_wrap=True)


def _rungs(
    steps: list[Step], at: list[int], offset: int, begin: int, width: int, dashes: bool
) -> Iterator[Text]:
    left_out = range(MOST * 2 // 3, len(steps) - MOST // 3) if len(steps) > MOST else range(0)
    span = max(steps[-1].t - begin, 1) if steps else 1
    before = begin
    for index, step in enumerate(steps):
        if index in left_out:
            if index == left_out.start:
                yield _rung("", at, None, f"… {len(left_out):,} more …", width, QUIET)
            before = step.t
            continue
        silence = step.t - before
        if silence >= WAIT and silence * 20 >= span:
            yield _rung("", at, None, f"⋮ {duration(silence)}", width, QUIET)
        before = step.t
        arrow = (step.source + offset, step.target + offset, dashes and step.to_client)
        style = ERROR if step.bad else ""
        yield _rung(duration(step.t - begin), at, arrow, step.label, width, style)


def _rung(
    time: str,
    at: list[int],
    arrow: tuple[int, int, bool] | None,
    label: str,
    width: int,
    style: str,
) -> Text:
    """Return one line: the offset, the lanes, the arrow over them, and what passes."""
    row = [" "] * (at[-1] + 1)
    for x in at:
        row[x] = "│"
    if arrow is not None:
        source, target, dashed = arrow
        _draw(row, at[source], at[target], "─", "┼")
        if dashed and source < target:
            _draw(row, at[source - 1], at[source], "┄", "┼")
        elif dashed:
            _draw(row, at[target], at[target - 1], "┄", "┼")
    body = f"{time:>{at[0] - 2}}" + "".join(row)[at[0] - 2 :]
    line = Text(body, no_wrap=True)
    return line.append("  " + shorten(label, max(width - len(body) - 2, 8)), style)


def _draw(row: list[str], source: int, target: int, stroke: str, crossing: str) -> None:
    low, high = sorted((source, target))
    for x in range(low + 1, high):
        row[x] = crossing if row[x] == "│" else stroke
    row[target - 1 if source < target else target + 1] = "►" if source < target else "◄"
