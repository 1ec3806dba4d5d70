"""Two conversations side by side, event by event: what both have, and what only one has.

What is compared is what passes between server and app, which layers it goes through, what is handed
to worker threads, what rules are broken, and how it ends. What a clock or a scheduler decides
(slices of the loop, when `send` lets go on) and bytes on the wire are no steps of a conversation.
"""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import groupby, zip_longest
from typing import NamedTuple

from asgi_lab.events import Event

Key = tuple[str, ...]
"""What two steps must have in common to stand side by side."""

ALIKE = {"wsgi.start_response": "http.response.start", "wsgi.chunk": "http.response.body"}
"""What WSGI says in other words."""

ENDS = ("return", "raise", "cancel")


class Step(NamedTuple):
    """One event of a conversation, `after` so many nanoseconds."""

    key: Key
    event: Event
    after: int


class Row(NamedTuple):
    """What stands side by side; None where one has nothing."""

    a: Step | None
    b: Step | None


def steps_of(events: Iterable[Event], began: int) -> list[Step]:
    """Return the steps of the conversation that one connection's events tell."""
    steps = []
    for event in events:
        key = _key(event)
        if key is not None:
            steps.append(Step(key, event, event.t - began))
    return steps


def _key(event: Event) -> Key | None:
    data, kind = event.data, event.kind
    if kind == "scope":
        return ("layer", str(data.get("layer"))) if event.layer else ("scope",)
    if kind == "submit":
        return ("submit", str(data.get("call")))
    if kind == "finding":
        return ("finding", str(data.get("rule")))
    if kind == "mark":
        return ("mark", str(data.get("label")))
    if event.layer:
        return None
    if kind == "send" or (kind == "received" and "took" in data):
        return (kind, ALIKE.get(event.type, event.type))
    return ("end",) if kind in ENDS else None


def align(a: Sequence[Step], b: Sequence[Step]) -> list[Row]:
    """Return the steps of both, side by side.

    Steps of one kind that follow one another are aligned as one, and then one by one: so a stream
    that has three chunks more has them at its end.
    """
    runs_a, runs_b = _runs(a), _runs(b)
    keys_a, keys_b = [run[0].key for run in runs_a], [run[0].key for run in runs_b]
    rows: list[Row] = []
    matcher = SequenceMatcher(None, keys_a, keys_b, autojunk=False)
    for what, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        if what == "equal":
            for ours, theirs in zip(runs_a[a_from:a_to], runs_b[b_from:b_to], strict=True):
                rows += [Row(x, y) for x, y in zip_longest(ours, theirs)]
            continue
        rows += [Row(step, None) for run in runs_a[a_from:a_to] for step in run]
        rows += [Row(None, step) for run in runs_b[b_from:b_to] for step in run]
    return rows


def _runs(steps: Sequence[Step]) -> list[list[Step]]:
    return [list(same) for _, same in groupby(steps, key=lambda step: step.key)]
