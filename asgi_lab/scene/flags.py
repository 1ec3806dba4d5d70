"""What is wrong, marked on a timeline: each diagnosis at the events that show it.

A diagnosis tells of events by their numbers. `spots_of` looks up when those were and in which
connections, once; `flags_of` places them in the lanes that there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from asgi_lab.diagnose import Diagnosis
from asgi_lab.events import Event
from asgi_lab.scene.model import Axis, Flag

MOST = 100
"""Diagnoses that are marked, the worst ones."""

LANES = 500
"""Lanes of requests concerned that a flag tells of."""

APART = 1 / 60
"""The part of an axis that lies, at least, between two flags of one diagnosis in a lane."""

STRETCHES = ("ran", "block")
"""Kinds of events that tell of a stretch at its end. It is marked where it begins."""


class Place(NamedTuple):
    """An event that shows what is wrong: when, of which connection, its number."""

    at: int
    conn: int
    event: int


class Spot(NamedTuple):
    """A diagnosis, and the places where it shows, in its own order."""

    number: int
    diagnosis: Diagnosis
    places: tuple[Place, ...]


def spots_of(events: Iterable[Event], diagnoses: Sequence[Diagnosis]) -> list[Spot]:
    """Return where diagnoses show, from the events that they were made of."""
    some = diagnoses[:MOST]
    wanted = {seq for one in some for seq in one.events}
    if not wanted:
        return []
    found = {event[0]: place_of(event) for event in events if event[0] in wanted}
    return [
        Spot(number, one, tuple(found[seq] for seq in one.events if seq in found))
        for number, one in enumerate(some)
    ]


def place_of(event: Event) -> Place:
    """Return where an event is marked."""
    began = event.began if event.kind in STRETCHES else None
    return Place(event.t if began is None else began, event.conn, event.seq)


def flags_of(spots: Iterable[Spot], lanes: Mapping[int, int], axis: Axis) -> tuple[Flag, ...]:
    """Return the flags of a timeline; `lanes` has the lane of each connection.

    What happened in no lane is marked in that of the first connection concerned, or in none.
    """
    flags: list[Flag] = []
    for number, one, places in spots:
        concerned = tuple(dict.fromkeys(lanes[c] for c in one.conns if c in lanes))[:LANES]
        usual = concerned[0] if concerned else -1
        own: list[Flag] = []
        for place in places:
            at = min(max(place.at, axis.begin), axis.end)
            lane = lanes.get(place.conn, usual)
            if all(f.lane != lane or abs(f.at - at) >= axis.span * APART for f in own):
                label = "" if own else one.name
                told = (one.severity, label, text_of(one))
                own.append(Flag(at, lane, *told, place.event, number, concerned))
        flags += own
    return tuple(flags)


def text_of(one: Diagnosis) -> str:
    """Return what a flag says: what is wrong, where, why, what to do, where to read on."""
    return "\n".join([one.sentence, *(f"{name:<6}{text}" for name, text in one.rows())])


def alt_of_flags(flags: Iterable[Flag]) -> str:
    """Return which flags there are, in words: ` Marked: H16 (warning).` or nothing."""
    told = [f"{flag.label} ({flag.role})" for flag in flags if flag.label]
    return f" Marked: {', '.join(dict.fromkeys(told))}." if told else ""
