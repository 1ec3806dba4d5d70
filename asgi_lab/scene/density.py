"""Many requests in few lanes: each lane speaks for some that began one after the other.

A stretch of such a lane has the role of what most of its requests were at, and a share: how many of
them that was. So ten thousand requests keep their shape (a staircase, a wall, a thin line) instead
of becoming a smear.
"""

from collections.abc import Sequence

from asgi_lab.connection import Phase
from asgi_lab.scene.model import FULL, Items

BINS = 200
"""Stretches of a lane."""

FAINT = 0.02
"""The share of requests that is too small to be drawn."""


def add_density(
    items: Items, lane: int, connections: Sequence[Sequence[Phase]], begin: float, span: float
) -> None:
    """Append one lane that speaks for the phases of several connections."""
    width = span / BINS
    bins: list[dict[str, float]] = [{} for _ in range(BINS)]
    for phases in connections:
        for since, until, what in phases:
            low, high = since - begin, until - begin
            index = min(max(int(low / width), 0), BINS - 1)
            while index < BINS and index * width <= high:
                part = min(high, (index + 1) * width) - max(low, index * width)
                bins[index][what] = bins[index].get(what, 0.0) + max(part, 0.0) / width
                index += 1
    before: tuple[str, int] | None = None
    since = 0
    for index, shares in enumerate([*bins, {}]):
        now = _strongest(shares, len(connections))
        if now != before:
            if before is not None:
                role, share = before
                items.add(
                    begin + since * width, begin + index * width, lane, role, share=share
                )  # fmt: skip
            before, since = now, index


def _strongest(shares: dict[str, float], of: int) -> tuple[str, int] | None:
    """Return the role that most have, and how many of all are at something, in eighths."""
    covered = sum(shares.values()) / of
    if covered < FAINT:
        return None
    role = max(shares, key=lambda what: shares[what])
    return role, min(max(round(covered * 8), 1) * 32, FULL)
