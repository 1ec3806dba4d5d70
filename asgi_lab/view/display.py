"""How a trace shows itself in a notebook: as a widget, as an image, and as text, all in one.

A front end takes the best that it can: JupyterLab the widget, with a kernel behind it; GitHub,
nbviewer, exported HTML and a clone that nobody has trusted yet the image; a terminal the text.
The same trace gives the same image and the same text, to the byte.
"""

import os
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import RenderableType

from asgi_lab.diagnose import Diagnosis
from asgi_lab.events import Trace
from asgi_lab.scene import Scene
from asgi_lab.scene.comparison import Compared, comparison
from asgi_lab.scene.concurrency import concurrency
from asgi_lab.scene.layers import layers
from asgi_lab.scene.sequence import sequence
from asgi_lab.scene.states import states
from asgi_lab.scene.timeline import timeline
from asgi_lab.view.comparison import comparison_view
from asgi_lab.view.plaintext import WIDTH, plaintext
from asgi_lab.view.terminal import render

if TYPE_CHECKING:
    from asgi_lab.view.widget import TraceWidget

LANES = 500
"""Requests up to which each has a lane in a widget; of more, each lane speaks for several."""

ROWS = 40
"""The same for an image, which cannot be scrolled."""

STATIC = "ASGI_LAB_STATIC"
"""An environment variable: pictures without widgets, where outputs outlive their kernel."""

SCENES = "ASGI_LAB_SCENES"
"""An environment variable: pictures with all that a page needs to draw them, without a kernel."""

SCENE = "application/vnd.asgi-lab.scene+json"
WIDGET, PNG, TEXT = "application/vnd.jupyter.widget-view+json", "image/png", "text/plain"

Bundle = tuple[dict[str, Any], dict[str, Any]]
"""What a front end chooses from, by type; and what is to be known about each."""

Size = Literal["cell", "projector"]


@dataclass(frozen=True)
class Picture:
    """One picture of a trace. A notebook shows it, `print` prints it as text.

    `layout(rows)` lays it out in at most so many lanes; None where there is only text.
    """

    say: Callable[[], RenderableType] = field(repr=False)
    layout: Callable[[int | None], Scene] | None = field(default=None, repr=False)
    trace: Trace = field(default=Trace(), repr=False)

    @cached_property
    def scene(self) -> Scene | None:
        """What there is to see, and where, in full (see `asgi_lab.scene.model`)."""
        return self.layout(None) if self.layout is not None else None

    @cached_property
    def text(self) -> str:
        """The picture in characters."""
        return plaintext(self.say())

    def png(self, *, size: Size = "cell", theme: Literal["light", "dark"] = "light") -> bytes:
        """Return the picture in pixels. Raises ImportError without matplotlib."""
        from asgi_lab.view.figure import png

        return png(self._image, size=size, theme=theme)

    def svg(self, *, size: Size = "cell", theme: Literal["light", "dark"] = "light") -> str:
        """Return the picture as SVG. Raises ImportError without matplotlib."""
        from asgi_lab.view.figure import svg

        return svg(self._image, size=size, theme=theme)

    def widget(self) -> "TraceWidget":
        """Return the picture as a widget. Raises ImportError without anywidget."""
        from asgi_lab.view.widget import TraceWidget

        return TraceWidget(self.laid(), self.trace)

    def laid(self, rows: int = LANES) -> Scene:
        """Return the scene in at most so many lanes. Raises ValueError where there is only text."""
        if self.layout is None:
            raise ValueError("of this there is text, and no picture")
        return self.layout(rows)

    def save(self, path: str | Path, *, size: Size = "cell") -> None:
        """Write the picture to a file: `.png`, `.svg`, `.txt`. Raises ValueError for another."""
        path = Path(path)
        kind = path.suffix.lower()
        if kind == ".png":
            path.write_bytes(self.png(size=size))
        elif kind == ".svg":
            path.write_text(self.svg(size=size), encoding="utf-8")
        elif kind == ".txt":
            path.write_text(self.text + "\n", encoding="utf-8")
        else:
            raise ValueError(f"a picture's name ends in .png, .svg or .txt, got {str(path)!r}")

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> Bundle:
        def asked(kind: str) -> bool:
            return (include is None or kind in include) and kind not in (exclude or ())

        data: dict[str, Any] = {TEXT: self.text}
        about: dict[str, Any] = {}
        if self.layout is not None and asked(PNG) and (image := without(ImportError, self.png)):
            data[PNG], about[PNG] = b64encode(image).decode(), {"alt": self._image.alt}
        if self.layout is not None and asked(WIDGET) and in_kernel():
            widget = without(ImportError, self.widget)
            data |= view(widget) if widget is not None else {}
        if self.layout is not None and SCENES in os.environ:
            data[SCENE] = drawable(self.laid(), self.trace)
        return data, about

    @cached_property
    def _image(self) -> Scene:
        return self.laid(ROWS)


def without(missing: type[Exception], make: Callable[[], Any]) -> Any:
    """Return what is made, or None if something is missing that it needs."""
    try:
        return make()
    except missing:
        return None


def drawable(scene: Scene, trace: Trace) -> dict[str, Any]:
    """Return a scene as `static/timeline.js` draws it, and the words of the events in it."""
    from asgi_lab.scene import payload
    from asgi_lab.view.words import words

    shown = {*scene.items.event, *(arrow.event for arrow in scene.arrows)}
    told = {event.seq: words(event) for event in trace if event.seq in shown}
    return {"scene": payload.as_json(scene), "words": told}


def view(widget: Any) -> dict[str, Any]:
    """Return the view of a widget, as part of a bundle."""
    model = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {WIDGET: model}


def in_kernel() -> bool:
    """Return whether this runs in a kernel that a front end can talk to."""
    if STATIC in os.environ:
        return False
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None) is not None


def of_trace(trace: Trace, name: str, conn: int | None = None) -> Picture:
    """Return a picture of a trace by its name, which is that of a view of the terminal.

    Raises ValueError if there is no such connection.
    """

    def say() -> RenderableType:
        return render(name, trace, width=WIDTH, conn=conn)

    if name == "summary":
        return Picture(say)
    if name == "timeline":
        found = cache(lambda: marked(trace))
        return Picture(say, lambda rows: timeline(trace, rows=rows, diagnoses=found()), trace)
    scene = concurrency(trace) if name == "concurrency" else OF_ONE[name](trace, conn)
    return Picture(say, lambda rows: scene, trace)


def marked(trace: Trace) -> Sequence[Diagnosis]:
    """Return the diagnoses that a timeline marks: none of a lifespan, which has no lane.

    Many an app in a notebook is a mere function that knows of none.
    """
    return [one for one in trace.diagnose() if one.request != "lifespan"]


OF_ONE: dict[str, Callable[[Trace, int | None], Scene]] = {
    "sequence": sequence,
    "layers": layers,
    "states": states,
}
"""Pictures of one connection."""


def of_comparison(compared: Compared) -> Picture:
    """Return the picture of a comparison."""
    return Picture(
        lambda: comparison_view(compared, WIDTH), lambda rows: comparison(compared, rows=rows)
    )
