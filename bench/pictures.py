"""Seconds and bytes of a picture: `python -m bench.pictures`.

A timeline of many bars, of all phases, as PNG and SVG, in a notebook's size. The first picture of a
process also imports matplotlib, and is told apart. Seconds are those of the CPU: who else works on
this machine is not in them, though it slows what it shares.
"""

import time
from collections.abc import Callable
from functools import partial

from asgi_lab.connection import AWAIT, BLOCKED, CLIENT, HOLD, QUEUED, SENDING, THREAD
from asgi_lab.scene.model import Axis, Items, Lane, Scene
from asgi_lab.view import figure

PHASES = (HOLD, BLOCKED, AWAIT, CLIENT, SENDING, THREAD, QUEUED)
SHAPES = ((1_000, 100), (10_000, 1_000), (100_000, 1_000))
"""Bars, and lanes that they are in."""

GOAL = 0.25
"""Seconds for the PNG of the most bars."""


def report(rounds: int = 5) -> None:
    """Print what pictures take."""
    first = seconds(lambda: figure.png(scene(10, 10)), 1)
    print(f"\npictures: CPU seconds and kilobytes; the first of a process takes {first:.2f} s")
    for count, lanes in SHAPES:
        drawn = scene(count, lanes)
        png, svg = figure.png(drawn), figure.svg(drawn)
        times = seconds(partial(figure.png, drawn), rounds), seconds(partial(figure.svg, drawn), 1)
        goal = f"   goal {GOAL}" if count == SHAPES[-1][0] else ""
        print(
            f"  {count:7,} bars   PNG {times[0]:.2f} s {len(png) / 1000:4.0f} kB   "
            f"SVG {times[1]:.2f} s {len(svg) / 1000:4.0f} kB{goal}"
        )


def scene(count: int, lanes: int) -> Scene:
    """Return a timeline of so many bars."""
    items = Items()
    each = count // lanes
    long = 1e9 / each / 2
    for lane in range(lanes):
        at = 0.5e9 * lane / lanes
        for index in range(each):
            items.add(at, at + long, lane, PHASES[(index + lane) % len(PHASES)])
            at += long
    rows = tuple(Lane(f"GET /items/{lane}", conn=lane) for lane in range(lanes))
    return Scene("timeline", f"{count:,} bars", "Bars.", Axis(0, 1e9), rows, items=items)


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the CPU seconds of some work, the least of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


if __name__ == "__main__":
    report()
