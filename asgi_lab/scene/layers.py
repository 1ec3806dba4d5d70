"""The layers: each middleware a ring around the next, and what passed through, in order.

A box for each layer reaches from the step in which it was entered to that in which it was left, and
from its own lane to the innermost: an onion, cut open. Messages are arrows through its rings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asgi_lab.connection import Connection
from asgi_lab.events import Event, Trace
from asgi_lab.message import number, payload_size
from asgi_lab.plain import clean, count, duration, size
from asgi_lab.scene import roles
from asgi_lab.scene.choice import one, titled
from asgi_lab.scene.model import Arrow, Axis, Box, Lane, Note, Scene
from asgi_lab.scene.sequence import MOST, times
from asgi_lab.scene.steps import Step, steps_of

COLUMNS = ("enters", "leaves", "passed")
"""What `Lane.facts` are."""


@dataclass(slots=True)
class Layer:
    """One layer of one connection. Times are nanoseconds of the trace."""

    number: int
    name: str
    entered: int
    left: int | None = None
    outcome: str = ""
    started: int | None = None
    """When the response's start (a WebSocket's accept) left it."""
    received: int = 0
    sent: int = 0
    bytes_out: int = 0
    parts: list[str] = field(default_factory=list)

    def until(self, last: int) -> int:
        """Return when it was left, or `last` if it was not."""
        return last if self.left is None else self.left

    @property
    def passed(self) -> str:
        """What passed through it, and how it ended."""
        data = f", {size(self.bytes_out)}" if self.bytes_out else ""
        if self.outcome == "raise":
            return " · ".join(self.parts)
        return " · ".join([*self.parts, f"{self.received} in, {self.sent} out{data}"])


def layers_of(events: Trace) -> list[Layer]:
    """Return the layers of one connection, the outermost first."""
    layers: dict[int, Layer] = {}
    for event in events:
        if event.kind == "scope" and event.layer not in layers:
            name = clean(event.data.get("layer") or "app")
            layers[event.layer] = Layer(event.layer, name, event.t)
        layer = layers.get(event.layer)
        if layer is not None:
            _note(layer, event)
    return [layers[index] for index in sorted(layers)]


def _note(layer: Layer, event: Event) -> None:
    data = event.data
    if event.kind == "received" and "type" in data:
        layer.received += 1
    elif event.kind == "send":
        layer.sent += 1
        layer.bytes_out += payload_size(data)
        if layer.started is None and event.type.endswith((".start", ".accept", "start_response")):
            layer.started = event.t
            if number(data.get("status")):
                layer.parts.append(str(data["status"]))
    elif event.kind in ("return", "raise", "cancel"):
        layer.left = event.t
        layer.outcome = event.kind
        if event.kind == "raise":
            layer.parts.append(f"raised {clean(data.get('error') or 'an error')}")
        elif event.kind == "cancel":
            layer.parts.append("cancelled")


def layers(trace: Trace, conn: int | None = None) -> Scene:
    """Lay out one connection's layers; without a number, `choose` takes one.

    Lane 0 is the server, lane 1 the outermost layer. Raises `ValueError` if there is no such
    connection.
    """
    found = one(trace, conn)
    rings = layers_of(found[1]) if found else []
    if found is None or not rings:
        words = "the call of the app is not in this trace" if found else "no requests yet"
        return Scene("layers", words, words, Axis(0, 1, "step"))
    connection, own = found
    depth = rings[-1].number
    steps = steps_of(own, depth, whole_calls=False)
    client = any(step.event.kind == "wire" for step in steps)
    steps = steps[: 2 * MOST]
    begin = min(connection.started, steps[0].t)
    ticks, notes = times(steps, begin)
    last = len(steps) - 1
    lane_of = {ring.number: index + 1 + client for index, ring in enumerate(rings)}
    deepest = max(lane_of.values())
    lanes = [Lane("server")]
    if client:
        lanes.insert(0, Lane("client"))
    for ring in rings:
        left = "" if ring.left is None else duration(ring.left - begin)
        role = roles.RAISE if ring.outcome == "raise" else ""
        lanes.append(Lane(ring.name, "", (duration(ring.entered - begin), left, ring.passed), role))
    boxes = [_box(ring, steps, lane_of[ring.number], deepest, last) for ring in rings]
    return Scene(
        "layers",
        titled(connection),
        alt_of(connection, rings),
        Axis(0, max(last, 1), "step", "steps, with the time since the first", ticks),
        tuple(lanes),
        columns=COLUMNS,
        boxes=tuple(boxes),
        arrows=tuple(_arrows(steps, lane_of, client)),
        notes=tuple(notes + _words(steps, client)),
    )


def _box(ring: Layer, steps: Sequence[Step], lane: int, deepest: int, last: int) -> Box:
    """Return the ring of one layer, from the step that enters it to the step that leaves it."""
    entered, left, seq = 0.0, float(last), -1
    for at, step in enumerate(steps):
        if step.event.layer == ring.number and step.role == roles.CALL:
            entered, seq = at, step.event.seq
        elif step.event.layer == ring.number and step.event.kind in ("return", "raise", "cancel"):
            left = at
    role = roles.RAISE if ring.outcome == "raise" else roles.OWN
    return Box(entered, left, lane, deepest, role, ring.name, seq)


def _arrows(steps: Sequence[Step], lane_of: dict[int, int], client: bool) -> list[Arrow]:
    """Return the arrows, from lane to lane; layers that have none are passed by."""

    def lane(place: int) -> int:
        return lane_of.get(place - 1, place + client)

    return [
        Arrow(at, lane(step.source), lane(step.target), step.role, step.label, step.event.seq)
        for at, step in enumerate(steps)
        if step.source != step.target
    ]


def _words(steps: Sequence[Step], client: bool) -> list[Note]:
    return [
        Note(at, step.source + client, step.label, step.role)
        for at, step in enumerate(steps)
        if step.source == step.target
    ]


def alt_of(connection: Connection, rings: Sequence[Layer]) -> str:
    """Return the picture in words."""
    inwards = ", ".join(ring.name for ring in rings)
    ends = sorted((r for r in rings if r.left is not None), key=lambda r: (r.left or 0, -r.number))
    outwards = ", ".join(ring.name for ring in ends)
    words = f"{count(len(rings), 'layer')} of {titled(connection)}. Entered: {inwards}."
    return f"{words} Left: {outwards}." if outwards else words
