"""A graph of states: rounded boxes on a grid, curves between them, the path numbered."""

import math
from collections import defaultdict
from typing import NamedTuple

from matplotlib.path import Path

from asgi_lab.scene.model import Link, Node
from asgi_lab.scene.roles import BEEN, END, ILLEGAL, MAY, TAKEN, meaning
from asgi_lab.view.figure.page import Page

HALF = 1.05
"""Half the height of a box, in em."""

ARC = 2.6
"""How much deeper each curve that passes below others is, in em."""


class Place(NamedTuple):
    """Where a box is: its middle, and half its width, in px."""

    x: float
    y: float
    half: float


def paint(page: Page) -> None:
    """Paint the states of one conversation."""
    page.title()
    page.y += 0.8 * page.em
    arcs = _arcs(page.scene.nodes, page.scene.links)
    rows = _rows(page, arcs)
    places = {node.key: _place(page, node, rows) for node in page.scene.nodes}
    tops = {round(group.first) for group in page.scene.groups}
    hanging = {y for lane, y in enumerate(rows) if lane not in tops}
    for node in page.scene.nodes:
        _box(page, node, places[node.key])
    for link in sorted(page.scene.links, key=lambda link: link.role != MAY):
        source, target = places[link.source], places[link.target]
        if link.source == link.target:
            _loop(page, link, source, source.y in hanging)
        elif (depth := arcs.get((link.source, link.target))) is not None:
            _arc(page, link, source, target, depth)
        else:
            _straight(page, link, source, target)
    _key(page)


def _arcs(nodes: tuple[Node, ...], links: tuple[Link, ...]) -> dict[tuple[str, str], int]:
    """Return which links must pass below a box between their ends, and how deep, from 1."""
    by_key = {node.key: node for node in nodes}
    arcs: dict[tuple[str, str], int] = {}
    levels: dict[float, list[list[tuple[float, float]]]] = defaultdict(list)
    spans = []
    for link in links:
        a, b = by_key[link.source], by_key[link.target]
        low, high = sorted((a.at, b.at))
        between = any(n.lane == a.lane and low < n.at < high for n in nodes)
        if a.lane == b.lane and a is not b and (between or b.at < a.at):
            spans.append((high - low, low, high, a.lane, (link.source, link.target)))
    for _, low, high, lane, key in sorted(spans):
        level = 0
        while level < len(levels[lane]) and any(
            low < until and since < high for since, until in levels[lane][level]
        ):
            level += 1
        levels[lane][level : level + 1] = [
            [*(levels[lane][level] if level < len(levels[lane]) else []), (low, high)]
        ]
        arcs[key] = level + 1
    return arcs


def _rows(page: Page, arcs: dict[tuple[str, str], int]) -> list[float]:
    """Return the middle of each row; write what each group of rows is above it."""
    em, scene = page.em, page.scene
    lane_of = {node.key: node.lane for node in scene.nodes}
    looped = {lane_of[link.source] for link in scene.links if link.source == link.target}
    depth: dict[float, int] = defaultdict(int)
    for (source, _), level in arcs.items():
        depth[lane_of[source]] = max(depth[lane_of[source]], level)
    rows = []
    for lane in range(len(scene.lanes)):
        group = next((group for group in scene.groups if group.first == lane), None)
        if group is not None:
            page.text(page.margin, page.y + 0.5 * em, group.label, size=1.1, bold=True)
            page.y += 1.6 * em
        above = lane in looped and group is not None
        page.y += (5.0 if above else 3.4 if group is not None else 2.6) * em
        rows.append(page.y)
        wrong = any(node.role == ILLEGAL and node.lane == lane for node in scene.nodes)
        page.y += (1.6 + ARC * depth[lane] + (1.0 if depth[lane] else 0)) * em
        page.y += 2.2 * em if wrong else 2.6 * em if lane in looped and not above else 0
    return rows


def _place(page: Page, node: Node, rows: list[float]) -> Place:
    most = max(page.scene.axis.end, 1)
    widest = max(page.measure(n.label, bold=True) for n in page.scene.nodes) / 2 + 0.8 * page.em
    left, right = page.margin + widest + 0.5 * page.em, page.width - page.margin - widest
    half = page.measure(node.label, bold=True) / 2 + 0.8 * page.em
    return Place(left + (right - left) * node.at / most, rows[round(node.lane)], half)


def _box(page: Page, node: Node, place: Place) -> None:
    em, high = page.em, HALF * page.em
    edge = page.colour(ILLEGAL) if node.role == ILLEGAL else page.quiet
    face = page.tint(page.colour(BEEN), 0.55) if node.role == BEEN else page.paper
    page.box(place.x - place.half, place.y - high, place.x + place.half, place.y + high, face, edge,
             line=(0.2 if node.role == BEEN else 0.1) * em, round=0.6 * em, z=3,
             dash="--" if node.role == ILLEGAL else "-")  # fmt: skip
    if node.role == END:
        page.box(place.x - place.half - 0.25 * em, place.y - high - 0.25 * em,
                 place.x + place.half + 0.25 * em, place.y + high + 0.25 * em, "none", edge,
                 line=0.1 * em, round=0.8 * em, z=3)  # fmt: skip
    seen = node.role in (BEEN, ILLEGAL)
    page.text(place.x, place.y, node.label, "" if seen else page.quiet, bold=seen, align="center")
    if node.role == ILLEGAL:
        said = [link.label for link in page.scene.links if link.target == node.key]
        for index, words in enumerate([*said, node.note]):
            page.text(place.x, place.y + (1.9 + 1.25 * index) * em, words, edge, size=0.9,
                      align="center", halo=True)  # fmt: skip


def _straight(page: Page, link: Link, source: Place, target: Place) -> None:
    em, high = page.em, HALF * page.em
    if source.y == target.y:
        way = 1 if target.x > source.x else -1
        start = (source.x + way * (source.half + 0.15 * em), source.y)
        end = (target.x - way * (target.half + 0.3 * em), target.y)
        room = abs(end[0] - start[0]) + 0.6 * em
        at = ((start[0] + end[0]) / 2, source.y)
        _line(page, link, [start, end])
        _words(page, link, at[0], at[1] - 0.7 * em - (0.5 * em if link.steps else 0), room, up=True)
    else:
        way = 1 if target.y > source.y else -1
        start = (source.x, source.y + way * (high + 0.15 * em))
        end = (target.x, target.y - way * (high + 0.3 * em))
        at = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        _line(page, link, [start, end])
        if link.role == TAKEN:  # what else may be is told by its line alone: they are many
            page.text(at[0] + 1.4 * em, at[1], link.label, page.ink, size=0.85, halo=True)
    _number(page, link, *at)


def _arc(page: Page, link: Link, source: Place, target: Place, depth: int) -> None:
    em, high = page.em, HALF * page.em
    way = 1 if target.x > source.x else -1
    low = source.y + high + ARC * em * depth
    start = (source.x + way * 0.5 * em, source.y + high + 0.15 * em)
    end = (target.x - way * 0.5 * em, target.y + high + 0.3 * em)
    pull = low + (low - start[1]) / 3
    _line(page, link, [start, (start[0] + way * em, pull), (end[0] - way * em, pull), end])
    x = (start[0] + end[0]) / 2
    _words(page, link, x, low + (0.9 if link.steps else 0.2) * em, abs(end[0] - start[0]), up=False)
    _number(page, link, x, low)


def _loop(page: Page, link: Link, place: Place, below: bool) -> None:
    em, way = page.em, 1 if below else -1
    edge = place.y + way * HALF * em
    start = (place.x - 0.9 * em, edge + way * 0.15 * em)
    end = (place.x + 0.9 * em, edge + way * 0.3 * em)
    far = edge + way * 2.3 * em
    _line(page, link, [start, (start[0] - em, far), (end[0] + em, far), end])
    _words(page, link, place.x, edge + way * 2.7 * em, 14 * em, up=not below)
    _number(page, link, place.x, edge + way * 1.6 * em)


def _line(page: Page, link: Link, points: list[tuple[float, float]]) -> None:
    """Draw a line, straight (two points) or curved (four), with its head."""
    em, colour = page.em, page.colour(link.role)
    (bx, by), (x, y) = points[-2:]
    long = math.hypot(x - bx, y - by) or 1.0
    ux, uy = (x - bx) / long, (y - by) / long
    points = [*points[:-1], (x - 0.5 * em * ux, y - 0.5 * em * uy)]
    codes = [Path.MOVETO, *([Path.LINETO] if len(points) == 2 else 3 * [Path.CURVE4])]
    width = {TAKEN: 0.24, ILLEGAL: 0.24}.get(link.role, 0.1) * em
    dash = (0, (3, 2)) if link.role == ILLEGAL else "-"
    page.curve(Path(points, codes), colour, width, dash, z=2 if link.role == MAY else 3.5)
    page.head(x, y, ux, uy, colour, (0.75 if link.role == MAY else 0.9) * em)


def _words(page: Page, link: Link, x: float, y: float, room: float, *, up: bool) -> None:
    """Write what a link is called in lines that end (or begin) at y."""
    if page.size.brief and link.role == MAY:
        return
    em, size = page.em, 0.85
    lines = [
        line.replace(" .", ".")
        for line in page.wrap(link.label.replace(".", " ."), max(room, 5 * em), size)
    ]
    for index, line in enumerate(lines):
        row = index - len(lines) + 1 if up else index
        page.text(x, y + (row - (0.3 if up else -0.6)) * 1.1 * em, line, _colour(page, link),
                  size=size, align="center", halo=True)  # fmt: skip


def _colour(page: Page, link: Link) -> str:
    return page.ink if link.role == TAKEN else page.quiet


def _number(page: Page, link: Link, x: float, y: float) -> None:
    """Write which steps went this way, on a disc; of one that was not allowed, a cross beside."""
    if not link.steps:
        return
    em, colour = page.em, page.colour(link.role)
    half = max(page.measure(link.steps, 0.85, bold=True) / 2 + 0.4 * em, 0.8 * em)
    page.box(x - half, y - 0.8 * em, x + half, y + 0.8 * em, colour, page.paper,
             line=0.1 * em, round=0.75 * em, z=4.5)  # fmt: skip
    page.text(x, y, link.steps, page.paper, size=0.85, bold=True, align="center")
    if link.role == ILLEGAL:
        page.marks(x - half - 0.8 * em, y, "x", colour, 1.1 * em, z=5)


def _key(page: Page) -> None:
    """Write what lines mean."""
    em = page.em
    page.y += 0.8 * em
    x = page.margin
    for role in (role for role in page.scene.roles if role in (TAKEN, MAY, ILLEGAL)):
        words = meaning(role)
        link = Link("", "", "", role, "1" if role != MAY else "")
        _line(page, link, [(x, page.y), (x + 4.4 * em, page.y)])
        _number(page, link, x + 2.3 * em, page.y)
        page.text(x + 5.0 * em, page.y, words, page.quiet, size=0.9)
        x += 5.0 * em + page.measure(words, 0.9) + 1.8 * em
    page.y += 0.9 * em
