"""How each role looks: a colour on light and on dark, a shape, a glyph. All colours are here.

The colours are those of Okabe and Ito, told apart by the colour-blind; and because they are not
enough (a projector, a grey print), each role has a shape or a pattern of its own, too.
"""

from dataclasses import asdict, dataclass
from typing import Any

from asgi_lab.connection import APP, AWAIT, BLOCKED, CLIENT, HOLD, QUEUED, SENDING, THREAD
from asgi_lab.scene import roles


@dataclass(frozen=True, slots=True)
class Style:
    """How one role looks.

    `shape` of a bar: solid, hatched, outlined, thin, dashed, half, low, dotted; of a mark: bar,
    right, left, square, cross, diamond, star, tick, triangle, circle; of an arrow: line, dashed,
    bold. `height` is the part of its lane that a bar takes. `terminal` is what a terminal is told,
    if it is not the colour on light.
    """

    light: str
    dark: str
    shape: str
    glyph: str = " "
    height: float = 1.0
    terminal: str = ""


ORANGE, SKY, GREEN, BLUE = "#e69f00", "#56b4e9", "#009e73", "#0072b2"
RED, PINK, GREY, FAINT = "#d55e00", "#cc79a7", "#767676", "#b0b0b0"

STYLES = {
    HOLD: Style(ORANGE, "#f0b323", "solid", "█", 0.8),
    BLOCKED: Style(ORANGE, "#f0b323", "dashed", "╌", 0.3),
    roles.LINE: Style("#8a8a8a", "#9a9a9a", "dotted", "·", 0.5, "bright_black"),
    AWAIT: Style("#555555", "#bdbdbd", "thin", "─", 0.14, "bright_black"),
    CLIENT: Style("#999999", "#8a8a8a", "hatched", "░", 0.5, "#999999"),
    SENDING: Style(PINK, "#e09ac0", "outlined", "═", 0.5),
    THREAD: Style(SKY, SKY, "half", "▄", 0.6),
    QUEUED: Style(SKY, SKY, "low", "▁", 0.25),
    APP: Style("#999999", "#8a8a8a", "thin", "━", 0.25, "#999999"),
    roles.OWN: Style(SKY, "#2f6f96", "solid", "━"),
    roles.INNER: Style("#dceffa", "#1d3a4c", "solid", "─"),
    roles.IN_FLIGHT: Style("#999999", "#8a8a8a", "solid", "█"),
    roles.CALL: Style(BLUE, SKY, "bar", "┃"),
    roles.IN: Style(BLUE, SKY, "right", "►"),
    roles.OUT: Style(GREEN, "#2fc79a", "left", "◄"),
    roles.RETURN: Style("#555555", "#bdbdbd", "square", "■", terminal="bright_black"),
    roles.RAISE: Style(RED, "#ff7b2e", "cross", "×", terminal=f"bold {RED}"),
    roles.CANCEL: Style(RED, "#ff7b2e", "cross", "×", terminal=f"bold {RED}"),
    roles.UNSEEN: Style("#999999", "#8a8a8a", "dashed", "┄", terminal="bright_black"),
    roles.WIRE_IN: Style(GREY, "#9a9a9a", "tick", "╷", terminal="bright_black"),
    roles.WIRE_OUT: Style(GREY, "#9a9a9a", "tick", "╵", terminal="bright_black"),
    roles.PAUSE: Style(PINK, "#e09ac0", "diamond", "◆"),
    roles.FINDING: Style(RED, "#ff7b2e", "star", "!", terminal=f"bold {RED}"),
    roles.MARK: Style("#000000", "#ffffff", "diamond", "*", terminal="bold"),
    roles.STALL: Style("#f9d9c6", "#4a2410", "solid", "▒"),
    roles.MANY: Style(GREEN, "#2fc79a", "solid", "≡", 0.22),
    roles.STATE: Style("#ffffff", "#1b1b1b", "outlined", "○"),
    roles.END: Style("#ffffff", "#1b1b1b", "outlined", "◎"),
    roles.BEEN: Style(SKY, "#2f6f96", "solid", "●"),
    roles.MAY: Style(FAINT, "#666666", "line", "─", terminal="bright_black"),
    roles.TAKEN: Style(BLUE, SKY, "bold", "━"),
    roles.ILLEGAL: Style(RED, "#ff7b2e", "dashed", "✗", terminal=f"bold {RED}"),
    roles.SAME: Style("#999999", "#8a8a8a", "tick", "─", terminal="bright_black"),
    roles.CHANGED: Style(ORANGE, "#f0b323", "square", "~"),
    roles.ONLY_A: Style(BLUE, SKY, "cross", "-"),
    roles.ONLY_B: Style(GREEN, "#2fc79a", "diamond", "+"),
    roles.LIFE: Style("#b5e0d3", "#1f5546", "solid", "▒", 0.8),
    roles.AFTER: Style(BLUE, SKY, "outlined", "▯", 0.6),
    roles.WARNING: Style(RED, "#ff7b2e", "triangle", "!", terminal=f"bold {RED}"),
    roles.NOTE: Style(BLUE, SKY, "circle", "i", terminal="bold"),
}
"""Every role's style (a test holds that none is missing)."""

PAPER = {"light": "#ffffff", "dark": "#1b1b1b"}
INK = {"light": "#1a1a1a", "dark": "#ececec"}
QUIET = {"light": "#5c5c5c", "dark": "#a9a9a9"}
"""Words that are not the first to be read."""
GRID = {"light": "#dddddd", "dark": "#3a3a3a"}


def terminal_style(role: str) -> str:
    """Return what a terminal is told."""
    style = STYLES[role]
    return style.terminal or style.light


def as_json() -> dict[str, Any]:
    """Return the theme for a browser: roles by number, with their words."""
    return {
        "roles": [
            {"role": role, "meaning": roles.MEANINGS[role], **asdict(STYLES[role])}
            for role in roles.ROLES
        ],
        "paper": PAPER,
        "ink": INK,
        "quiet": QUIET,
        "grid": GRID,
    }
