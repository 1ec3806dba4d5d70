"""Predictions: a question with a few answers, told right or wrong by a trace, not by us.

    guess = predict("How long do 20 requests of 1 s take on 4 workers?", "1 s", "5 s", "20 s")
    ...
    guess.reveal(f"{trace.seconds:g} s")

In a notebook it is a row of buttons; without a kernel (and in exported pages) it is text.
"""

from collections.abc import Sequence
from typing import Any


class Revealed(str):
    """What turned out, shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Prediction:
    """A question; what was chosen, if anything, and what turned out."""

    def __init__(self, question: str, choices: Sequence[str]) -> None:
        self.question = question
        self.choices = tuple(choices)
        self.chosen: str | None = None

    def choose(self, choice: str) -> None:
        """Choose an answer. Raises ValueError if it is none of them."""
        if choice not in self.choices:
            raise ValueError(f"choose one of {', '.join(map(repr, self.choices))}, got {choice!r}")
        self.chosen = choice

    def reveal(self, answer: str) -> "Revealed":
        """Return what turned out, beside what was predicted.

        Raises ValueError if the answer is none of the choices: then the question is wrong.
        """
        if answer not in self.choices:
            raise ValueError(f"the trace says {answer!r}, which is none of {self.choices}")
        told = f"The trace says: {answer}."
        if self.chosen is None:
            return Revealed(told)
        if self.chosen == answer:
            return Revealed(f"{told} As you predicted.")
        return Revealed(f"{told} You predicted {self.chosen}: look at the picture, and see why.")

    def __str__(self) -> str:
        lines = [f"{number}. {choice}" for number, choice in enumerate(self.choices, 1)]
        return "\n".join([f"Predict: {self.question}", *(f"   {line}" for line in lines)])

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> Any:
        from asgi_lab.view.display import TEXT, in_kernel, view, without

        data: dict[str, Any] = {TEXT: str(self)}
        if in_kernel() and (widget := without(ImportError, self._widget)) is not None:
            data |= view(widget)
        return data, {}

    def _widget(self) -> Any:
        import ipywidgets  # type: ignore[import-untyped]

        buttons = ipywidgets.ToggleButtons(options=self.choices, value=None)
        buttons.observe(lambda change: self.choose(change["new"]), names="value")
        label = ipywidgets.Label(f"Predict: {self.question}")
        return ipywidgets.VBox([label, buttons])


def predict(question: str, *choices: str) -> Prediction:
    """Ask a question, before the run that answers it."""
    return Prediction(question, choices)
