"""Pictures of a lesson's own that are made of lanes of time: as text, as an image, as a widget."""

from collections.abc import Callable

from rich.console import Group
from rich.text import Text

from asgi_lab.plain import shorten
from asgi_lab.scene.model import Scene
from asgi_lab.view.bars import axis, bar, cells, legend
from asgi_lab.view.display import Picture
from asgi_lab.view.plaintext import WIDTH, plaintext
from asgi_lab.view.rows import QUIET

LABEL = 24
"""Cells for the name of a lane, at most."""

MOST = 8
"""Lanes that a check shows, at most."""


def picture_of(layout: Callable[[], Scene]) -> Picture:
    """Return a picture that is laid out when it is first looked at."""
    made: list[Scene] = []

    def scene() -> Scene:
        if not made:
            made.append(layout())
        return made[0]

    return Picture(lambda: lanes_view(scene()), lambda rows: scene())


def lanes_view(scene: Scene, width: int = WIDTH) -> Group:
    """Draw lanes in characters: a row each, with the labels of its bars, over one axis."""
    return Group(Text(scene.title, "bold"), Text(), *lines_of(scene, width))


def lines_of(scene: Scene, width: int, most: int | None = None) -> list[Text]:
    """Return the rows of lanes, `most` of them, their axis, and what the shapes mean."""
    label = min(max((len(lane.label) for lane in scene.lanes), default=0), LABEL)
    room = max(width - label - 2, 10)
    begin, end = round(scene.axis.begin), round(scene.axis.end)
    used: set[str] = set()
    lines = []
    for number, lane in enumerate(scene.lanes[:most]):
        own = [item for item in scene.items if item.lane == number]
        row = cells([(round(i.begin), round(i.end), i.role) for i in own], begin, end, room)
        used.update(row)
        line = Text(f"{shorten(lane.label, label):{label}}  ", no_wrap=True)
        line.append_text(bar(lettered(row, scene, number, room)))
        line.rstrip()
        lines.append(line)
    if len(scene.lanes) > len(lines):
        lines.append(Text(f"… and {len(scene.lanes) - len(lines)} more", QUIET))
    lines.append(Text(" " * (label + 2) + axis(round(scene.axis.span), room), no_wrap=True))
    return [*lines, *legend(used, width, scene.held)]


def as_text(picture: Picture, width: int = 84) -> str:
    """Return the lanes of a picture as text, without its title: what a check shows."""
    scene = picture.scene
    if scene is None:
        return ""
    return plaintext(Group(*lines_of(scene, width, MOST)), width)


def lettered(row: list[str], scene: Scene, lane: int, room: int) -> list[str]:
    """Return cells with the labels of a lane's bars at the beginning of each, where they fit."""
    row = list(row)
    for item in scene.items:
        words = scene.text(item)
        first = round((item.begin - scene.axis.begin) * room / scene.axis.span)
        last = round((item.end - scene.axis.begin) * room / scene.axis.span)
        if item.lane == lane and words and len(words) < last - first:
            row[first : first + len(words)] = words
    return row
