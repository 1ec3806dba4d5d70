"""Curves: small multiples on one axis of time, each with its own scale and unit."""

import numpy as np

from asgi_lab.plain import duration, size
from asgi_lab.scene.axis import ticks
from asgi_lab.scene.model import Area
from asgi_lab.view.figure.page import Page
from asgi_lab.view.theme import STYLES

HIGH = 6.5
"""The height of a curve, in em."""


def paint(page: Page) -> None:
    """Paint the areas of a scene, one below the other."""
    scene, em = page.scene, page.em
    page.title()
    page.y += 0.6 * em
    left, right = page.margin + 5.5 * em, page.width - page.margin - 1.5 * em
    scale = (right - left) / scene.axis.span
    marks = ticks(scene.axis, max(int((right - left) / (7.5 * em)), 2))
    room = (page.size.height - page.y - 4 * em) / len(scene.areas) - 2.6 * em
    high = max(min(HIGH * em, room), 3 * em)
    for area in scene.areas:
        lane = scene.lanes[area.lane]
        page.text(left, page.y + 0.6 * em, lane.label, size=1.1, bold=True)
        x = left + page.measure(lane.label, 1.1, bold=True) + 0.8 * em
        page.text(x, page.y + 0.6 * em, lane.detail or area.unit, page.quiet)
        top = page.y + 1.8 * em
        bottom = top + high
        for tick in marks:
            x = left + (tick.at - scene.axis.begin) * scale
            page.strokes(x, top, x, bottom, page.grid, max(0.07 * em, 1), z=0.6)
        _curve(page, area, (left, top, right, bottom))
        page.y = bottom + 1.1 * em
    for tick in marks:
        x = left + (tick.at - scene.axis.begin) * scale
        page.text(x, page.y - 0.2 * em, tick.label, size=0.95, align="center")
    words = "time since the first request"
    page.text((left + right) / 2, page.y + 1.2 * em, words, page.quiet, size=0.9, align="center")
    page.y += 1.6 * em


def _curve(page: Page, area: Area, place: tuple[float, float, float, float]) -> None:
    """Paint one curve and its scale: nothing below, the most above."""
    scene, em = page.scene, page.em
    left, top, right, bottom = place
    x = left + (np.array(area.edges) - scene.axis.begin) * ((right - left) / scene.axis.span)
    y = bottom - np.array(area.values) * ((bottom - top) / (area.top or 1))
    colour = page.colour(area.role)
    solid = STYLES[area.role].shape in ("solid", "half")
    page.boxes(x[:-1], y, x[1:], np.full(len(y), bottom), page.tint(colour, 0.9 if solid else 0.35))
    steps_x, steps_y = np.repeat(x, 2)[1:-1], np.repeat(y, 2)
    page.outline(steps_x, steps_y, page.tint(page.ink, 0.75), 0.09 * em)
    for value, at in ((0.0, bottom), (area.top, top)):
        page.strokes(left, at, right, at, page.quiet if at == bottom else page.grid, 0.08 * em)
        page.text(left - 0.6 * em, at, _said(value, area.unit), page.quiet, size=0.95,
                  align="right")  # fmt: skip


def _said(value: float, unit: str) -> str:
    """Return a value as a scale says it."""
    if unit.startswith("%"):
        return f"{value:.0f} %"
    if unit.startswith("B"):
        return size(value)
    if unit == "ns":
        return duration(value)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
