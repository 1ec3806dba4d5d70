"""An exercise: what a learner's file has to define, and the checks that it has to pass."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Test = Callable[..., Any]
"""A function of what the exercise asks for (by name) that raises `Failed`; it may be async."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name is a sentence about the app, which holds or does not."""

    name: str
    test: Test

    @property
    def needs(self) -> tuple[str, ...]:
        """The names that it takes of the learner's file."""
        return tuple(inspect.signature(self.test).parameters)


@dataclass(slots=True)
class Exercise:
    """One exercise, `chapter/name`. Checks are added by `@exercise.check("it answers")`.

    `hints` say more and more. The task itself is told in the learner's file.
    """

    slug: str
    title: str
    hints: tuple[str, ...]
    checks: list[Check] = field(default_factory=list)

    @property
    def chapter(self) -> str:
        """The slug of its chapter."""
        return self.slug.partition("/")[0]

    @property
    def name(self) -> str:
        """Its own name."""
        return self.slug.partition("/")[2]

    def check(self, name: str) -> Callable[[Test], Test]:
        """Return a decorator that adds a function as a check."""

        def add(test: Test) -> Test:
            self.checks.append(Check(name, test))
            return test

        return add

    @property
    def needs(self) -> tuple[str, ...]:
        """All names that it takes of the learner's file, in order."""
        return tuple(dict.fromkeys(name for check in self.checks for name in check.needs))
