"""Where lanes and the axis of time are on a page."""

from typing import Any

import numpy as np

from asgi_lab.scene.model import FULL
from asgi_lab.view.figure import bars
from asgi_lab.view.figure.page import Floats, Page

FINE = 0.4
"""Lanes of less than so many em are too fine for shapes."""

HEADING = 3.0
"""The height of the heading of a group, in em."""


class Frame:
    """Where lanes are: `left` to `right`, `top` to `bottom`, in px; `middles` of the lanes."""

    def __init__(self, page: Page, left: float) -> None:
        scene = page.scene
        self.page = page
        self.left, self.right = left, page.width - page.margin - 1.5 * page.em
        self.top = page.y
        count = max(len(scene.lanes), 1)
        heading = HEADING * page.em
        room = page.size.height - page.y - heading * len(scene.groups) - 8 * page.em
        highest = 2.6 if count <= 12 else 1.35 if scene.groups and count > 24 else 2.0
        self.pitch = max(min(room / count, highest * page.em), 10 * page.em / count)
        self.look: bars.Look = "plain" if self.pitch < FINE * page.em else "shaped"
        if len(scene.items) and min(scene.items.share) < FULL:
            self.look = "dense"
        shift = np.zeros(count)
        for group in scene.groups:
            shift[group.first :] += heading
        self.middles: Floats = self.top + shift + self.pitch * (np.arange(count) + 0.5)
        self.bottom = float(self.middles[-1]) + self.pitch / 2

    def x(self, at: Any) -> Any:
        """Return where a place on the axis is."""
        axis = self.page.scene.axis
        return self.left + (at - axis.begin) * ((self.right - self.left) / axis.span)

    def rows(self, first: int, last: int) -> tuple[float, float]:
        """Return from where to where some lanes reach."""
        half = self.pitch / 2
        return float(self.middles[first]) - half, float(self.middles[last]) + half
