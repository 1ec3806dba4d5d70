"""The states in the terminal: each thread of a conversation as a path, and what it could have done.

The response goes out
● waiting    nothing has been sent
1  http.response.start → started
"""

from rich.console import Group
from rich.text import Text

from asgi_lab.events import Trace
from asgi_lab.plain import shorten
from asgi_lab.scene import roles
from asgi_lab.scene.model import Link, Node, Scene
from asgi_lab.scene.states import states
from asgi_lab.view.rows import ERROR, QUIET
from asgi_lab.view.theme import STYLES, terminal_style


def states_view(trace: Trace, conn: int | None, width: int) -> Group:
    """Draw one connection's path through the states of its protocol."""
    scene = states(trace, conn)
    if not scene.nodes:
        return Group(Text(scene.title))
    lines: list[Text] = []
    for group in scene.groups:
        lines.append(Text(group.label, "bold"))
        within = [n for n in scene.nodes if group.first <= n.lane <= group.last]
        for node in within:
            if node.role != roles.ILLEGAL:
                lines += _state(scene, node, width)
        lines.append(Text())
    been, here, wrong = (STYLES[r].glyph for r in (roles.BEEN, roles.STATE, roles.ILLEGAL))
    words = f"{been} was in this state  {here} was not  {wrong} not allowed"
    return Group(*lines, Text(f"{words}  numbers: the order of the steps"))


def _state(scene: Scene, node: Node, width: int) -> list[Text]:
    """Return a state, and the steps that lead out of it."""
    style = terminal_style(node.role) if node.role == roles.BEEN else QUIET
    head = Text(f"  {STYLES[node.role].glyph} ", style, no_wrap=True)
    head.append(f"{node.label:<11}", "bold" if node.role == roles.BEEN else QUIET)
    head.append(shorten(node.note, max(width - 16, 8)), QUIET)
    labels = {each.key: each.label for each in scene.nodes}
    return [head, *(_step(link, labels, width) for link in scene.links if link.source == node.key)]


def _step(link: Link, labels: dict[str, str], width: int) -> Text:
    number = shorten(link.steps, 9) or " "
    where = "again" if link.source == link.target else labels[link.target]
    if link.role == roles.ILLEGAL:
        glyph = STYLES[roles.ILLEGAL].glyph
        words, style = f"{link.label} {glyph} breaks rule {where}", ERROR
    else:
        words, style = f"{link.label} → {where}", "" if link.role == roles.TAKEN else QUIET
    return Text(shorten(f"    {number:>9}  {words}", width), style, no_wrap=True)
