"""Pictures with sliders: turn a knob, and the same experiment is simulated anew, at once.

    async def experiment(requests=20, sleep=1.0):
        return await run(app_that_sleeps(sleep), requests * [get("/")])

    explore(experiment, requests=(1, 50), sleep=(0.0, 2.0, 0.1))

Ready-made ones are in `asgi_lab.lesson.explorables`. An experiment is a function of the sliders'
values that returns what there is to see: what `run` or `compare` return, or a picture of it. Where
no kernel answers, the first picture is shown, as an image and as text.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asgi_lab.events import Trace
from asgi_lab.experiment.comparison import Promise
from asgi_lab.view.display import TEXT, WIDGET, Bundle, Picture, in_kernel, view, without

Experiment = Callable[..., Any]

Range = Sequence[Any]
"""What a slider runs through: `(least, most)`, `(least, most, step)`, or a list to choose from."""

UNITS = {"sleep": "s", "cpu": "s", "every": "s"}
"""Units of values that have the usual names."""


@dataclass(frozen=True)
class Explorable:
    """An experiment, its sliders, and where they stand at first."""

    experiment: Experiment
    sliders: Mapping[str, Range]
    values: Mapping[str, Any]

    def picture(self, **values: Any) -> Picture:
        """Return what there is to see with these values, and else those at first.

        Raises what the experiment raises.
        """
        return pictured(self.experiment(**{**self.values, **values}))

    @property
    def text(self) -> str:
        """The first picture in characters, under the values."""
        return f"{said(self.values)}\n\n{self.picture().text}"

    def widget(self) -> Any:
        """Return the sliders with their picture. Raises ImportError without ipywidgets."""
        from asgi_lab.lesson.sliders import panel

        return panel(self)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> Bundle:
        without_widget = [WIDGET, *(exclude or ())]
        data, about = self.picture()._repr_mimebundle_(include, without_widget)
        data[TEXT] = self.text
        if in_kernel() and (include is None or WIDGET in include) and WIDGET not in (exclude or ()):
            widget = without(ImportError, self.widget)
            data |= view(widget) if widget is not None else {}
        return data, about


def explore(experiment: Experiment, **sliders: Range) -> Explorable:
    """Return an experiment with a slider for each of these parameters of its.

    A slider begins where the parameter's default is, else at its least value. Raises TypeError for
    a parameter that the experiment does not have, ValueError for what is no range.
    """
    known = inspect.signature(experiment).parameters
    values = {}
    for name, choices in sliders.items():
        if name not in known:
            raise TypeError(f"{experiment.__name__} has no parameter {name!r} for a slider")
        check(name, choices)
        default = known[name].default
        values[name] = choices[0] if default is inspect.Parameter.empty else default
    return Explorable(experiment, sliders, values)


def check(name: str, choices: Range) -> None:
    """Raise ValueError for what is no range."""
    if isinstance(choices, list) and choices:
        return
    numbers = isinstance(choices, tuple) and all(isinstance(n, int | float) for n in choices)
    if not (numbers and len(choices) in (2, 3) and choices[0] < choices[1]):
        raise ValueError(
            f"{name}: expected (least, most), (least, most, step) or a list, got {choices!r}"
        )


def pictured(result: Any) -> Picture:
    """Return the picture of what an experiment returned: of a coroutine, of what it comes to."""
    if inspect.iscoroutine(result):
        coroutine = result
        result = Promise(lambda: coroutine).wait()
    if isinstance(result, Trace):
        return result.timeline()
    picture = getattr(result, "picture", result)
    if not isinstance(picture, Picture):
        raise TypeError(
            f"an experiment returns a trace, a comparison or a picture, got {result!r:.80}"
        )
    return picture


def said(values: Mapping[str, Any]) -> str:
    """Return values in words: `workers 4, sleep 1 s`."""
    words = []
    for name, value in values.items():
        digits = f"{value:.3g}" if isinstance(value, float) else str(value)
        words.append(f"{name} {digits} {UNITS.get(name, '')}".rstrip())
    return ", ".join(words)
