"""A scene: what there is to see in a picture, and where. Data; nobody has drawn anything yet.

Everything has a place along an axis (time in nanoseconds, or steps) and across it (lanes), and a
role (`asgi_lab.scene.roles`) in place of a colour. In a scene that flows `right` lanes are rows,
in one that flows `down` they are columns. Painters turn places into cells, points or pixels;
what is to be said has been decided here, and so all of them show the same.

What there may be a hundred thousand of is in columns (`Items`); all else is in tuples.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asgi_lab.scene.roles import CODES, ROLES

NONE = -1
"""No event, no fold."""

FULL = 255
"""The share of an item that fills its stretch."""


class Item(NamedTuple):
    """A bar (or a mark: no longer than a moment) in a lane.

    `begin` and `end` are places on the axis, `label` the number of a text of the scene (0: none),
    `event` the number of the event that it tells of. `fold` is the number of the item that stands
    for this one and its neighbours where there is no room for each. `share` (of `FULL`) is how much
    of the stretch is filled, where one bar speaks for many requests.
    """

    begin: float
    end: float
    lane: int
    role: str
    label: int = 0
    event: int = NONE
    fold: int = NONE
    share: int = FULL


class Items(Sequence[Item]):
    """Bars and marks in columns: 35 bytes each, ready to be drawn or sent."""

    __slots__ = ("begin", "end", "event", "fold", "label", "lane", "role", "share")

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.begin = array("d")
        self.end = array("d")
        self.lane = array("i")
        self.label = array("i")
        self.event = array("i")
        self.fold = array("i")
        self.role = array("B")
        self.share = array("B")
        for item in items:
            self.add(*item)

    def add(
        self,
        begin: float,
        end: float,
        lane: int,
        role: str,
        label: int = 0,
        event: int = NONE,
        fold: int = NONE,
        share: int = FULL,
    ) -> int:
        """Append an item while a scene is laid out; return its number."""
        self.begin.append(begin)
        self.end.append(end)
        self.lane.append(lane)
        self.role.append(CODES[role])
        self.label.append(label)
        self.event.append(event)
        self.fold.append(fold)
        self.share.append(share)
        return len(self.begin) - 1

    def extend(
        self,
        lane: int,
        begins: Sequence[float],
        ends: Sequence[float],
        roles: Iterable[str],
        labels: Sequence[int] = (),
        events: Sequence[int] = (),
        folds: Sequence[int] = (),
    ) -> None:
        """Append many to a lane, in a part of the time; what is left out, they have not."""
        count = len(begins)
        nothing = [NONE] * count
        self.begin.extend(begins)
        self.end.extend(ends)
        self.lane.extend([lane] * count)
        self.label.extend(labels or [0] * count)
        self.event.extend(events or nothing)
        self.fold.extend(folds or nothing)
        self.role.extend([CODES[role] for role in roles])
        self.share.extend([FULL] * count)

    @property
    def columns(self) -> "tuple[array[Any], ...]":
        """The columns, the widest first."""
        return (self.begin, self.end, self.lane, self.label, self.event, self.fold, self.role,
                self.share)  # fmt: skip

    def __len__(self) -> int:
        return len(self.begin)

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return Items(self[i] for i in range(*index.indices(len(self))))
        return Item(
            self.begin[index], self.end[index], self.lane[index], ROLES[self.role[index]],
            self.label[index], self.event[index], self.fold[index], self.share[index],
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Items) and self.columns == other.columns

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """What runs along the lanes: `unit` is "ns" (time) or "step" (one thing after the other).

    Of steps, `ticks` says when each was, and where time passed that is not drawn to scale. Ticks of
    time are for a painter to choose (`asgi_lab.scene.axis.ticks`), for it knows how much room it
    has.
    """

    begin: float
    end: float
    unit: str = "ns"
    label: str = ""
    ticks: tuple[Tick, ...] = ()

    @property
    def span(self) -> float:
        """How long it is; never nothing."""
        return max(self.end - self.begin, 1)


@dataclass(frozen=True, slots=True)
class Lane:
    """A row (or a column): a request, a participant, a layer, or a curve.

    `facts` are what a table says of it, in the scene's `columns`. `conn` is the connection, if it
    is one (0: none); `role` is "" or how it went (`raise`).
    """

    label: str
    detail: str = ""
    facts: tuple[str, ...] = ()
    role: str = ""
    conn: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Lanes that belong together, from `first` to `last`, under a heading."""

    label: str
    detail: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """From lane to lane, at one place of the axis."""

    at: float
    source: int
    target: int
    role: str
    label: str = ""
    event: int = NONE


@dataclass(frozen=True, slots=True)
class Box:
    """A stretch over several lanes, `lane` to `until`: a layer with all inside it, or a stall."""

    begin: float
    end: float
    lane: int
    until: int
    role: str
    label: str = ""
    event: int = NONE


@dataclass(frozen=True, slots=True)
class Area:
    """A curve in a lane: `values[i]` from `edges[i]` to `edges[i + 1]`; `top` fills the lane."""

    lane: int
    edges: tuple[float, ...]
    values: tuple[float, ...]
    role: str
    top: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A state: `key` names it, `lane` and `at` are its place on a grid."""

    key: str
    label: str
    lane: float
    at: float
    role: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """From node to node. `steps` are the numbers of the steps that went this way: `1, 3–102`."""

    source: str
    target: str
    label: str
    role: str
    steps: str = ""
    event: int = NONE


@dataclass(frozen=True, slots=True)
class Note:
    """Words in the picture, at a place."""

    at: float
    lane: int
    text: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """Something wrong, marked where it shows: in a lane (-1: in none), at a place of the axis.

    `label` names it; of several flags of one diagnosis, the first. `text` says in its first line
    what is wrong, below why and what to do. `number` is that of the diagnosis, the worst first,
    `lanes` are those of the requests concerned.
    """

    at: float
    lane: int
    role: str
    label: str
    text: str
    event: int = NONE
    number: int = 0
    lanes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture. `title` is its message; `alt` says in words what there is to see."""

    picture: str
    title: str
    alt: str
    axis: Axis
    lanes: tuple[Lane, ...] = ()
    flow: str = "right"
    columns: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    items: Items = field(default_factory=Items)
    texts: tuple[str, ...] = ("",)
    arrows: tuple[Arrow, ...] = ()
    boxes: tuple[Box, ...] = ()
    areas: tuple[Area, ...] = ()
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    notes: tuple[Note, ...] = ()
    flags: tuple[Flag, ...] = ()
    held: str = "loop"
    """What a running app holds: the event loop, or (WSGI) its thread."""

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that occur, in the order of a legend."""
        used = {ROLES[code] for code in set(self.items.role)}
        for parts in (self.arrows, self.boxes, self.areas, self.nodes, self.links, self.flags):
            used.update(part.role for part in parts)
        return tuple(role for role in ROLES if role in used)

    def text(self, item: Item) -> str:
        """Return the label of an item."""
        return self.texts[item.label]


class Texts:
    """Numbers texts while a scene is laid out: equal ones once."""

    def __init__(self) -> None:
        self._numbers = {"": 0}

    def __call__(self, text: str) -> int:
        """Return the number of a text."""
        return self._numbers.setdefault(text, len(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def all(self) -> tuple[str, ...]:
        """The texts, by number."""
        return tuple(self._numbers)
