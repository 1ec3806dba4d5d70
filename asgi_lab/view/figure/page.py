"""A sheet of paper: words, boxes, strokes and marks at places in pixels, counted from top left.

All of matplotlib that the figures need is in this module. Lengths are in `em`, the height of a
line's letters, so that a picture for a projector is the one for a cell, enlarged.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import nlargest
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from asgi_lab.scene.model import Scene
from asgi_lab.view import theme as look
from asgi_lab.view.figure.letters import FONT, printable, shorten, width_of
from asgi_lab.view.figure.packing import packed, told

Floats = np.ndarray[Any, np.dtype[np.float64]]

DPI = 96
POINT = 72 / DPI
"""Points in a pixel."""

MANY = 2_500
"""So many shapes are a picture within an SVG, not a path each."""

CROWD = 2.9
"""What is painted below this is in that picture: bars and marks, but no words."""


@dataclass(frozen=True, slots=True)
class Size:
    """`width`, letters and the `height` to keep within, in px; and whether to say less."""

    width: int
    em: float
    height: int
    brief: bool


SIZES = {
    "cell": Size(900, 12.5, 1000, False),
    "projector": Size(1920, 27.0, 1080, True),
}


class Page:
    """What is painted on. `y` is how far down it is full."""

    def __init__(self, scene: Scene, size: str, theme: str) -> None:
        self.scene, self.size, self.theme = scene, SIZES[size], theme
        self.width, self.em = self.size.width, self.size.em
        self.paper, self.ink = look.PAPER[theme], look.INK[theme]
        self.quiet, self.grid = look.QUIET[theme], look.GRID[theme]
        self.margin = 1.6 * self.em
        self.shapes = 0
        self.y = 1.2 * self.em
        self.figure = Figure(figsize=(1, 1), dpi=DPI, facecolor=self.paper)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()

    def colour(self, role: str) -> str:
        """Return the colour of a role on this paper."""
        style = look.STYLES[role]
        return style.dark if self.theme == "dark" else style.light

    def tint(self, colour: str, part: float) -> tuple[float, float, float]:
        """Return a colour thinned: `part` of it, the rest paper."""
        one, other = to_rgb(colour), to_rgb(self.paper)
        red, green, blue = (part * a + (1 - part) * b for a, b in zip(one, other, strict=True))
        return red, green, blue

    # Words

    def measure(self, words: str, size: float = 1.0, bold: bool = False) -> float:
        """Return how wide words are, in px; `size` in em."""
        return width_of(printable(words), bold) * size * self.em

    def widest(self, texts: Iterable[str]) -> float:
        """Return how wide the widest of many texts is, in px, from those of most letters."""
        longest = nlargest(8, set(texts), key=lambda text: (len(text), text))
        return max(map(self.measure, longest), default=0.0)

    def fit(self, words: str, room: float, size: float = 1.0, bold: bool = False) -> str:
        """Return words, shortened in the middle to fit into `room` px; empty if nothing fits."""
        words = printable(words)
        if self.measure(words, size, bold) <= room:
            return words
        low, high = 0, len(words)
        while low < high:
            some = (low + high + 1) // 2
            if self.measure(shorten(words, some), size, bold) <= room:
                low = some
            else:
                high = some - 1
        return shorten(words, low) if low > 2 else ""

    def wrap(self, words: str, room: float, size: float = 1.0, bold: bool = False) -> list[str]:
        """Return words in lines of at most `room` px."""
        lines: list[str] = []
        for word in printable(words).split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.measure(longer, size, bold) <= room:
                lines[-1] = longer
            else:
                lines.append(self.fit(word, room, size, bold))
        return lines

    def text(
        self,
        x: float,
        y: float,
        words: str,
        colour: Any = "",
        *,
        size: float = 1.0,
        bold: bool = False,
        align: str = "left",
        halo: bool = False,
    ) -> None:
        """Write a line whose letters have their middle at `y`; `halo` keeps lines out of it."""
        if not (words := printable(words)):
            return
        if halo:
            wide = self.measure(words, size, bold) + 0.4 * self.em
            left = (
                x
                - {"left": 0.2 * self.em, "center": wide / 2, "right": wide - 0.2 * self.em}[align]
            )
            half = 0.72 * size * self.em
            self.box(left, y - half, left + wide, y + half, self.paper, z=3)
        self.axes.text(
            x, y + 0.36 * size * self.em, words,
            color=colour or self.ink, fontsize=size * self.em * POINT, ha=align, va="baseline",
            fontfamily=FONT, fontweight="bold" if bold else "normal", parse_math=False, zorder=6,
        )  # fmt: skip

    def tag(
        self, x: float, y: float, words: str, *, size: float = 1.0, upright: bool = False
    ) -> None:
        """Write a line on paper of its own from x on, around y; `upright` it runs from down up."""
        wide, high = self.measure(words, size) + 0.5 * self.em, 1.28 * size * self.em
        right = x + (high if upright else wide)
        half = (wide if upright else high) / 2
        self.box(x, y - half, right, y + half, self.paper, round=0.3 * self.em, z=3)
        if not upright:
            self.text(x + 0.25 * self.em, y, words, size=size)
            return
        self.axes.text(
            x + high / 2 + 0.36 * size * self.em, y, printable(words), color=self.ink,
            fontsize=size * self.em * POINT, rotation=90, rotation_mode="anchor", ha="center",
            va="baseline", fontfamily=FONT, parse_math=False, zorder=6,
        )  # fmt: skip

    # Shapes

    def box(
        self, left: float, top: float, right: float, bottom: float, face: Any = "none",
        edge: Any = "none", *, line: float = 1.0, round: float = 0.0, z: float = 1, dash: Any = "-",
    ) -> None:  # fmt: skip
        """Draw one box; `line` and `round` (its corners) in px."""
        style = f"round,pad=0,rounding_size={round}" if round else "square,pad=0"
        self.axes.add_artist(
            FancyBboxPatch(
                (left, top), right - left, bottom - top, boxstyle=style, facecolor=face,
                edgecolor=edge, linewidth=line * POINT, zorder=z, linestyle=dash,
            )
        )  # fmt: skip

    def boxes(
        self, left: Floats, top: Floats, right: Floats, bottom: Floats, face: Any = "none",
        edge: Any = "none", *, line: float = 1.0, hatch: str = "", z: float = 2,
    ) -> None:  # fmt: skip
        """Draw many boxes of a kind as one path."""
        self.shapes += len(left)
        corners = np.empty((len(left), 5, 2))
        corners[:, (0, 3, 4), 0], corners[:, (1, 2), 0] = left[:, None], right[:, None]
        corners[:, (0, 1, 4), 1], corners[:, (2, 3), 1] = top[:, None], bottom[:, None]
        one = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
        path = Path(corners.reshape(-1, 2), np.tile(one, len(left)).astype(Path.code_type))
        self.axes.add_artist(
            PathPatch(
                path, facecolor=face, edgecolor=edge, linewidth=line * POINT, hatch=hatch or None,
                hatch_linewidth=max(0.1 * self.em, 1) * POINT, zorder=z,
            )
        )  # fmt: skip

    def strokes(
        self, x0: Any, y0: Any, x1: Any, y1: Any, colour: Any, width: float = 1.0, *,
        dash: Any = "-", z: float = 2, cap: Literal["butt", "round"] = "butt",
    ) -> None:  # fmt: skip
        """Draw many lines as one path; `width` in px."""
        x0, y0, x1, y1 = np.broadcast_arrays(np.atleast_1d(x0), y0, x1, y1)
        self.shapes += len(x0)
        gap = np.full(len(x0), np.nan)
        self.axes.add_artist(
            Line2D(
                np.stack([x0, x1, gap], 1).ravel(), np.stack([y0, y1, gap], 1).ravel(),
                color=colour, linewidth=width * POINT, linestyle=dash, dash_capstyle=cap,
                solid_capstyle=cap, zorder=z,
            )
        )  # fmt: skip

    def marks(self, x: Any, y: Any, shape: str, colour: Any, size: float, z: float = 2.8) -> None:
        """Draw marks of one shape, `size` px across, edged in paper so that they stand out."""
        self.shapes += np.size(x)
        bare = shape in ("x", "|")
        self.axes.add_artist(
            Line2D(
                np.atleast_1d(x), np.atleast_1d(y), linestyle="none", marker=shape, zorder=z,
                markersize=size * POINT, markerfacecolor=colour,
                markeredgecolor=colour if bare else self.paper,
                markeredgewidth=(0.2 if bare else 0.08) * self.em * POINT,
            )
        )  # fmt: skip

    def outline(self, x: Floats, y: Floats, colour: Any, width: float, z: float = 3) -> None:
        """Draw one line through many points; `width` in px."""
        self.axes.add_artist(Line2D(x, y, color=colour, linewidth=width * POINT, zorder=z))

    def curve(self, path: Path, colour: Any, width: float, dash: Any = "-", z: float = 2) -> None:
        """Draw a curve."""
        self.axes.add_artist(
            PathPatch(
                path, facecolor="none", edgecolor=colour, linewidth=width * POINT, linestyle=dash,
                zorder=z,
            )
        )  # fmt: skip

    def arrow(
        self, x0: float, y0: float, x1: float, y1: float, colour: Any, *,
        dash: Any = "-", width: float = 0.17,
    ) -> None:  # fmt: skip
        """Draw a straight arrow; `width` in em."""
        long = float(np.hypot(x1 - x0, y1 - y0)) or 1.0
        ux, uy = (x1 - x0) / long, (y1 - y0) / long
        self.strokes(
            x0, y0, x1 - ux * 0.5 * self.em, y1 - uy * 0.5 * self.em, colour, width * self.em,
            dash=dash,
        )  # fmt: skip
        self.head(x1, y1, ux, uy, colour, 0.75 * self.em)

    def head(self, x: float, y: float, ux: float, uy: float, colour: Any, size: float) -> None:
        """Draw the head of an arrow: its point at x, y, looking along the unit vector ux, uy."""
        bx, by = x - size * ux, y - size * uy
        half = 0.5 * size
        points = [
            (x, y), (bx - half * uy, by + half * ux), (bx + half * uy, by - half * ux), (x, y),
        ]  # fmt: skip
        self.axes.add_artist(
            PathPatch(Path(points, closed=True), facecolor=colour, edgecolor="none", zorder=4)
        )

    # Parts that all pictures have

    def title(self) -> None:
        """Write what the picture says."""
        for line in self.wrap(self.scene.title, self.width - 2 * self.margin, 1.4, bold=True)[:3]:
            self.text(self.margin, self.y + 0.9 * self.em, line, size=1.4, bold=True)
            self.y += 1.9 * self.em
        self.y += 0.6 * self.em

    # The end

    def _finish(self) -> None:
        height = max(round(self.y + 0.8 * self.em), 1)
        self.figure.set_size_inches(self.width / DPI, height / DPI)
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(height, 0)

    def png(self) -> bytes:
        """Return the page as PNG; its title and its description are in it."""
        self._finish()
        canvas: Any = FigureCanvasAgg(self.figure)
        canvas.draw()
        said = PngInfo()
        said.add_itxt("Title", self.scene.title)
        said.add_itxt("Description", self.scene.alt)
        return packed(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"), said)

    def svg(self) -> str:
        """Return the page as SVG, with title and description for who listens."""
        self._finish()
        self.figure.set_dpi(1.5 * DPI)  # of what is too much for paths
        self.axes.set_rasterization_zorder(CROWD if self.shapes > MANY else None)
        file = io.StringIO()
        FigureCanvasSVG(self.figure).print_figure(file, format="svg", metadata={"Date": None})
        return told(file.getvalue(), printable(self.scene.title), printable(self.scene.alt))


SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "asgi-lab",
    "svg.image_inline": True,
    "path.simplify": False,
    "font.family": [FONT],
}


@contextmanager
def plainly() -> Iterator[None]:
    """Have matplotlib as it comes, whatever a notebook has set, and set it back."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield
