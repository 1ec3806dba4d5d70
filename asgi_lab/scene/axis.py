"""Where an axis of time has its ticks, and what they say: `0`, `200 ms`, `400 ms`."""

from asgi_lab.plain import duration
from asgi_lab.scene.model import Axis, Tick


def step_of(span: float, most: float) -> int:
    """Return the round step, in ns (1, 2 or 5 times a power of ten), of at most so many ticks."""
    steps = (m * int(10**power) for power in range(20) for m in (1, 2, 5))
    return next(step for step in steps if step * most >= span)


def ticks(axis: Axis, most: int) -> tuple[Tick, ...]:
    """Return at most `most` + 1 ticks, labelled with the time since the axis began."""
    if axis.unit != "ns":
        return axis.ticks
    span = round(axis.span)
    step = step_of(span, max(most, 1))
    return tuple(Tick(axis.begin + t, round_duration(t)) for t in range(0, span + 1, step))


def round_duration(t: int) -> str:
    """Return a duration without the zeros that say nothing: `0`, `100 ms`, `1.5 s`."""
    digits, _, unit = duration(t).partition(" ")
    if not t:
        return "0"
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits} {unit}"
