"""The states: a conversation's path through the tables of the specification (`asgi_lab.spec`).

A row for each thread of the conversation. The steps are numbered in the order in which they
happened; what is not allowed leads nowhere, and says which rule it breaks.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from asgi_lab.connection import Connection
from asgi_lab.events import Trace
from asgi_lab.plain import count
from asgi_lab.scene import roles
from asgi_lab.scene.choice import one, titled
from asgi_lab.scene.model import Axis, Group, Lane, Link, Node, Scene
from asgi_lab.spec.machine import GONE, RETURN, Machine, Move
from asgi_lab.spec.states import PROTOCOLS
from asgi_lab.spec.walk import Walked, walk

PLACES: dict[str, dict[str, tuple[int, float]]] = {
    "request": {"coming": (0, 0), "whole": (0, 2), "gone": (0, 4)},
    "response": {
        "waiting": (0, 0), "started": (0, 1), "streaming": (0, 2), "complete": (0, 3),
        "over": (0, 4), "trailers": (1, 2.5),
    },
    "socket": {
        "called": (0, 0), "connecting": (0, 1), "open": (0, 2), "closed": (0, 3), "over": (0, 4),
        "denying": (1, 2), "gone": (1, 3),
    },
    "lifespan": {
        "called": (0, 0), "starting": (0, 1), "running": (0, 2), "stopping": (0, 3),
        "stopped": (0, 4), "over": (0, 5), "failed": (1, 2),
    },
}  # fmt: skip
"""Of each thread and state: its row and its column."""

ROWS = {thread: 1 + max(row for row, _ in places.values()) for thread, places in PLACES.items()}


RARE = ("response.trailers", "socket.denying", "lifespan.failed")
"""States that are drawn only of a conversation that was in them."""


def states(trace: Trace, conn: int | None = None) -> Scene:
    """Lay out one connection's path; without a number, `choose` takes one.

    Raises `ValueError` if there is no such connection.
    """
    found = one(trace, conn)
    machines = PROTOCOLS.get(found[0].type) if found else None
    if found is None or machines is None:
        words = "ASGI has no rules for this connection" if found else "no requests yet"
        return Scene("states", words, words, Axis(0, 1, "step"))
    connection, own = found
    path = walk(own)
    nodes: list[Node] = []
    links: list[Link] = []
    groups: list[Group] = []
    row = 0
    for machine in machines:
        taken = [(n, step) for n, step in enumerate(path, 1) if step.thread == machine.thread]
        wrong = any(step.after is None for _, step in taken)
        rare = any(f"{machine.thread}.{step.after}" in RARE for _, step in taken)
        rows = max(ROWS[machine.thread] if rare or machine.thread == "socket" else 1, 1 + wrong)
        nodes += _nodes(machine, [step for _, step in taken], row)
        links += _links(machine, taken)
        more_nodes, more_links = _breaches(machine, taken, row + rows - 1)
        nodes += more_nodes
        links += more_links
        groups.append(Group(machine.title, machine.thread, row, row + rows - 1))
        row += rows
    broken = [step for step in path if step.after is None]
    return Scene(
        "states",
        titled(connection) + (f": {_told(broken[0])}" if broken else ""),
        alt_of(connection, path),
        Axis(0, max(node.at for node in nodes), "step"),
        tuple(Lane("") for _ in range(row)),
        groups=tuple(groups),
        nodes=tuple(nodes),
        links=tuple(links),
    )


def _nodes(machine: Machine, taken: Sequence[Walked], row: int) -> Iterable[Node]:
    been = {machine.start} | {step.after for step in taken if step.after is not None}
    for state in machine.states:
        lane, at = PLACES[machine.thread][state.name]
        role = roles.BEEN if state.name in been else roles.END if state.end else roles.STATE
        key = f"{machine.thread}.{state.name}"
        if key in RARE and state.name not in been:
            continue
        yield Node(key, state.name, row + lane, at, role, state.meaning)


def _links(machine: Machine, taken: Sequence[tuple[int, Walked]]) -> Iterable[Link]:
    """Yield a link for each pair of states: what was taken, else what may be in plain cases."""
    went: dict[tuple[str, str], list[tuple[int, Walked]]] = defaultdict(list)
    for number, step in taken:
        if step.after is not None:
            went[step.before, step.after].append((number, step))
    may: dict[tuple[str, str], list[Move]] = defaultdict(list)
    rare = [key.partition(".")[2] for key in RARE]
    for move in machine.moves:
        plain = not move.extension and move.when != GONE
        if plain and move.source not in rare and move.target not in rare:
            may[move.source, move.target].append(move)
    for pair in sorted({*may, *went}, key=lambda pair: [_place(machine, name) for name in pair]):
        source, target = (f"{machine.thread}.{name}" for name in pair)
        if pair in went:
            told = list(dict.fromkeys(_said(step) for _, step in went[pair]))
            numbers = ranges([number for number, _ in went[pair]])
            seq = went[pair][0][1].event.seq
            yield Link(source, target, " or ".join(told), roles.TAKEN, numbers, seq)
        else:
            told = list(dict.fromkeys(move.label for move in may[pair]))
            yield Link(source, target, " or ".join(told), roles.MAY)


def _place(machine: Machine, name: str) -> tuple[float, float]:
    return PLACES[machine.thread][name]


def _breaches(
    machine: Machine, taken: Sequence[tuple[int, Walked]], row: int
) -> tuple[list[Node], list[Link]]:
    """Return what was not allowed: for each state and message a dead end, with its rule."""
    wrong: dict[tuple[str, str, str], list[tuple[int, Walked]]] = defaultdict(list)
    for number, step in taken:
        if step.after is None:
            wrong[step.before, _said(step), step.rule].append((number, step))
    nodes, links = [], []
    used: set[float] = set()
    for (before, said, rule), steps in wrong.items():
        at = _place(machine, before)[1]
        while at in used:
            at += 1
        used.add(at)
        key = f"{machine.thread}.{before}.{said}"
        numbers = ranges([number for number, _ in steps])
        nodes.append(Node(key, rule or "?", row, at, roles.ILLEGAL, f"breaks rule {rule}"))
        source = f"{machine.thread}.{before}"
        links.append(Link(source, key, said, roles.ILLEGAL, numbers, steps[0][1].event.seq))
    return nodes, links


def _said(step: Walked) -> str:
    kind = step.event.kind
    if kind in ("return", "raise"):
        return "returns" if kind == RETURN else "raises"
    more = step.event.data.get("more_body") or step.event.data.get("more_trailers")
    return f"{step.event.type}, more" if more is True else step.event.type


def _told(step: Walked) -> str:
    what = {"returns": "returning", "raises": "raising"}.get(_said(step), _said(step))
    return f"{what} is not allowed in state {step.before} (rule {step.rule})"


def ranges(numbers: Sequence[int]) -> str:
    """Return numbers in order, neighbours as ranges: `1, 3–102`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("–".join(map(str, dict.fromkeys(part))) for part in parts)


def alt_of(connection: Connection, path: Sequence[Walked]) -> str:
    """Return the picture in words."""
    words = f"States of {titled(connection)}: {count(len(path), 'step')}."
    broken = [step for step in path if step.after is None]
    if not broken:
        return f"{words} All are allowed."
    return " ".join([words, *dict.fromkeys(f"{_told(step)}." for step in broken)])
