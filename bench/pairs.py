"""Measuring in turns, and what to make of it."""

from collections.abc import Callable, Mapping
from statistics import median, quantiles
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Ratio(NamedTuple):
    """A median of pairwise ratios, between its quartiles."""

    low: float
    middle: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f}–{self.high:.2f})"


def in_turns(measures: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Call each measure once a round, in an order that is reversed every other round."""
    results: dict[str, list[T]] = {name: [] for name in measures}
    names = list(measures)
    for _ in range(rounds):
        for name in names:
            results[name].append(measures[name]())
        names.reverse()
    return results


def ratio(values: list[float], base: list[float]) -> Ratio:
    """Return how `values` compare with `base`, round by round."""
    ratios = [value / other for value, other in zip(values, base, strict=True)]
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return Ratio(low, median(ratios), high)
