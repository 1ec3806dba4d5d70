"""An explorable as widgets: a row a slider, and below them the picture, which follows."""

from html import escape
from typing import Any

import ipywidgets  # type: ignore[import-untyped]

from asgi_lab.lesson.explorable import UNITS, Explorable, Range

WIDE = {"description_width": "11em"}


def panel(explorable: Explorable) -> ipywidgets.VBox:
    """Return the sliders over the picture.

    What an experiment raises for some values is told between them, and the picture stays.
    """
    sliders = {
        name: slider(name, choices, explorable.values[name])
        for name, choices in explorable.sliders.items()
    }
    picture = explorable.picture().widget()
    trouble = ipywidgets.HTML(layout={"display": "none"})

    def redraw(change: Any) -> None:
        try:
            now = explorable.picture(**{name: each.value for name, each in sliders.items()})
        except Exception as error:  # of whatever the experiment is made of
            trouble.value = f"<b>{escape(type(error).__name__)}</b>: {escape(str(error))}"
            trouble.layout.display = ""
            return
        trouble.layout.display = "none"
        picture.show(now.laid(), now.trace)

    for each in sliders.values():
        each.observe(redraw, "value")
    return ipywidgets.VBox([*sliders.values(), trouble, picture])


def slider(name: str, choices: Range, value: Any) -> Any:
    """Return the widget for one parameter."""
    unit = UNITS.get(name)
    given = {
        "description": f"{name.replace('_', ' ')} ({unit})" if unit else name.replace("_", " "),
        "value": value,
        "style": WIDE,
        "layout": {"width": "36em"},
    }
    if isinstance(choices, list):
        return ipywidgets.Dropdown(options=choices, **given)
    least, most, *step = choices
    if all(type(number) is int for number in (*choices, value)):
        return ipywidgets.IntSlider(min=least, max=most, step=step[0] if step else 1, **given)
    fine = step[0] if step else (most - least) / 20
    return ipywidgets.FloatSlider(min=least, max=most, step=fine, readout_format=".2f", **given)
