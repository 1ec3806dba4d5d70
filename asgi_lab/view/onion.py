"""The layers of one connection: when each was entered and left, and what passed through it."""

from dataclasses import dataclass, field

from rich.console import Group
from rich.text import Text

from asgi_lab.connection import Connection
from asgi_lab.events import Event, Trace
from asgi_lab.message import number, payload_size
from asgi_lab.plain import clean, duration, shorten, size
from asgi_lab.view.bars import axis
from asgi_lab.view.rows import ERROR, QUIET

OWN, INNER, START = "━", "─", "◄"
"""In the layer itself; in one further inside; the response's start passes outwards."""


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


def onion(events: Trace, connection: Connection, width: int) -> Group:
    """Draw one connection's layers as nested bars on one axis of time."""
    layers = layers_of(events)
    if not layers:
        return Group(Text("the call of the app is not in this trace"))
    begin = min(layer.entered for layer in layers)
    last = events[-1].t
    end = max(max(layer.until(last) for layer in layers), begin + 1)
    wide = width >= 100
    indent = "  " if wide else " "
    names = [f"{indent * index}{layer.name}" for index, layer in enumerate(layers)]
    name_width = max(min(max(map(len, names)), width // 3), 5)
    facts = [_facts(layer, wide) for layer in layers]
    fact_width = max(min(max(map(len, facts)), width // 4 + 2), len("passed"))
    times = [_times(layer, begin, wide) for layer in layers]
    time_width = len(times[0])
    room = max(width - name_width - fact_width - time_width - 6, 8)
    head = "  enters    leaves" if wide else "    took"
    head = f"{'layer':<{name_width}}  {head}  {axis(end - begin, room):<{room}}  passed"
    lines = [Text(head, "bold", no_wrap=True)]
    for index, layer in enumerate(layers):
        inner = layers[index + 1] if index + 1 < len(layers) else None
        line = Text(f"{shorten(names[index], name_width):<{name_width}}  ", no_wrap=True)
        line.append(times[index] + "  ")
        line.append_text(_bar(layer, inner, begin, end, last, room))
        line.append(f"  {shorten(facts[index], fact_width)}", _style(layer))
        lines.append(line)
    meaning = f"{OWN} in this layer  {INNER} in one further inside  {START} the response starts"
    return Group(*lines, Text(), Text(meaning))


def _times(layer: Layer, begin: int, wide: bool) -> str:
    """Return when it was entered and left; on a narrow screen only how long it took."""
    if not wide:
        took = "…" if layer.left is None else duration(layer.left - layer.entered)
        return f"{took:>8}"
    left = "…" if layer.left is None else duration(layer.left - begin)
    return f"{duration(layer.entered - begin):>8}  {left:>8}"


def _style(layer: Layer) -> str:
    return ERROR if layer.outcome == "raise" else QUIET


def _facts(layer: Layer, wide: bool) -> str:
    if not wide or layer.outcome == "raise":
        return " · ".join(layer.parts) or f"{layer.received} in, {layer.sent} out"
    data = f", {size(layer.bytes_out)}" if layer.bytes_out else ""
    return " · ".join([*layer.parts, f"{layer.received} in, {layer.sent} out{data}"])


def _bar(layer: Layer, inner: Layer | None, begin: int, end: int, last: int, width: int) -> Text:
    def cell(t: int) -> int:
        return min(int((t - begin) * width / (end - begin)), width - 1)

    first, final = cell(layer.entered), cell(layer.until(last))
    row = [" "] * width
    row[first : final + 1] = OWN * (final + 1 - first)
    if inner is not None:
        low, high = cell(inner.entered), cell(inner.until(last))
        row[low : high + 1] = INNER * (high + 1 - low)
        row[first] = OWN
    if layer.started is not None:
        row[cell(layer.started)] = START
    return Text("".join(row), "#56b4e9")
