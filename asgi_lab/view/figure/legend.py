"""What the shapes mean: only those that occur, in a row below the picture."""

from collections.abc import Callable, Iterable
from typing import Any

from asgi_lab.scene.roles import CALL, IN, MANY, OUT, STALL, meaning
from asgi_lab.view.figure import bars
from asgi_lab.view.figure.page import Page
from asgi_lab.view.theme import STYLES

Swatch = Callable[[Page, str, float, float, float], None]
"""Paints a sample of a role: at x, so wide, at y."""


def legend(page: Page, roles: Iterable[str], swatch: Swatch) -> None:
    """Write the legend of some roles at the foot of the page."""
    page.y += 1.0 * page.em
    x, wide, size = page.margin, 2.2 * page.em, 0.9
    for role in roles:
        words = meaning(role, page.scene.held)
        room = wide + 0.5 * page.em + page.measure(words, size)
        if x > page.margin and x + room > page.width - page.margin:
            x, page.y = page.margin, page.y + 1.9 * page.em
        swatch(page, role, x, wide, page.y)
        page.text(x + wide + 0.5 * page.em, page.y, words, page.quiet, size=size)
        x += room + 1.8 * page.em
    page.y += 0.9 * page.em


def bar_in(look: bars.Look) -> Swatch:
    """Return what paints a sample of a bar, a mark or a band."""

    def bar(page: Page, role: str, x: float, wide: float, y: float) -> None:
        if STYLES[role].shape in bars.MARKS:
            bars.mark(page, role, x + wide / 2, y, 0.7 * page.em)
        elif role == STALL:
            page.box(x, y - 0.6 * page.em, x + wide, y + 0.6 * page.em, page.colour(role))
        else:
            bars.paint(page, role, bars.one(x, x + wide, y), 1.3 * page.em, look)

    return bar


def arrow(page: Page, role: str, x: float, wide: float, y: float) -> None:
    """Paint a sample of an arrow."""
    page.arrow(x, y, x + wide, y, page.colour(role), dash=dash_of(role))


ALIKE = {CALL: IN, MANY: OUT}
"""Arrows that look like others, and need no word of their own beside them."""


def apart(roles: Iterable[str]) -> list[str]:
    """Return the roles whose arrows can be told apart."""
    roles = list(roles)
    return [role for role in roles if ALIKE.get(role) not in roles]


def dash_of(role: str) -> Any:
    """Return how the line of a role is broken, as matplotlib says it."""
    return (0, (2.5, 1.6)) if STYLES[role].shape == "dashed" else "-"
