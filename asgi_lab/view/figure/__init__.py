"""A scene as PNG or SVG, by matplotlib: for a notebook's cell, for a projector, light and dark.

    png(timeline(trace))                          what a cell shows, about 900 pixels wide
    save(comparison(c), "wsgi.svg", size="projector", theme="dark")

The same scene gives the same bytes. A picture says in words what it shows, to who cannot see it:
an SVG in its <title> and <desc>, a PNG in its text. matplotlib is imported when it is needed, and
its pyplot not at all.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asgi_lab.scene.model import Scene

if TYPE_CHECKING:
    from asgi_lab.view.figure.page import Page

Size = Literal["cell", "projector"]
Theme = Literal["light", "dark"]

NOT_INSTALLED = "figures need matplotlib: pip install 'asgi-lab[notebooks]'"


class Missing(ImportError):
    """Matplotlib is not installed."""


def png(scene: Scene, *, size: Size = "cell", theme: Theme = "light") -> bytes:
    """Return a picture in pixels. Raises `Missing` without matplotlib, `ValueError` of no size."""
    with _painted(scene, size, theme) as page:
        return page.png()


def svg(scene: Scene, *, size: Size = "cell", theme: Theme = "light") -> str:
    """Return a picture as SVG. Raises what `png` does."""
    with _painted(scene, size, theme) as page:
        return page.svg()


def save(scene: Scene, path: str | Path, *, size: Size = "cell", theme: Theme = "light") -> None:
    """Write a picture; the name ends in `.png` or `.svg`. Raises `OSError`, and what `png` does."""
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".png":
        path.write_bytes(png(scene, size=size, theme=theme))
    elif kind == ".svg":
        path.write_text(svg(scene, size=size, theme=theme), encoding="utf-8")
    else:
        raise ValueError(f"a figure's name ends in .png or .svg, got {str(path)!r}")


@contextmanager
def _painted(scene: Scene, size: str, theme: str) -> "Iterator[Page]":
    for name, given, known in (
        ("size", size, ("cell", "projector")),
        ("theme", theme, ("light", "dark")),
    ):
        if given not in known:
            raise ValueError(f"unknown {name} {given!r}: expected {known[0]} or {known[1]}")
    page_module = _imported()
    painter = import_module(f"asgi_lab.view.figure.{kind_of(scene)}")
    with page_module.plainly():
        page = page_module.Page(scene, size, theme)
        if scene.lanes:
            painter.paint(page)
        else:
            page.title()  # there is nothing to see, and it says so
        yield page


def kind_of(scene: Scene) -> str:
    """Return which module paints a scene: what it is made of decides."""
    if scene.nodes:
        return "graph"
    if scene.areas:
        return "curves"
    if scene.axis.unit == "step":
        return "ladder" if scene.flow == "down" or not scene.boxes else "rings"
    return "lanes"


def _imported() -> Any:
    """Import matplotlib, without its words about fonts that it looks for the first time."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return import_module("asgi_lab.view.figure.page")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("matplotlib", "numpy", "PIL"):
            raise
        raise Missing(NOT_INSTALLED, name=error.name) from None
    finally:
        logger.setLevel(level)
