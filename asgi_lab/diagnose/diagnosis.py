"""A diagnosis: what is wrong, for whom, where, why, and what to do about it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["warning", "note"]

WARNING: Severity = "warning"
"""It harms: requests wait, fail, or never end."""
NOTE: Severity = "note"
"""It explains, or costs something; it may well be meant."""

PLACE = re.compile(r"(?P<file>.+):(?P<line>\d+)(?: in (?P<function>.*))?$")

SIGNS = {WARNING: "!", NOTE: "·"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that is wrong, told once however often it came. `str()` is for people."""

    id: str
    severity: Severity
    sentence: str
    """What happened, in plain words and figures."""
    cause: str
    remedy: str
    conns: tuple[int, ...] = ()
    """The connections concerned, the worst first."""
    events: tuple[int, ...] = ()
    """The numbers (`Event.seq`) of the events that show it."""
    request: str = ""
    """The request that did it: `GET /slow`."""
    layer: str = ""
    """The middleware that did it, if it was one."""
    at: str = ""
    """Where in the source: `app.py:7 in slow`."""
    rule: str = ""
    """The rule of ASGI that was broken, for `asgi-lab rules`."""
    count: int = 1
    """How often it came."""

    @property
    def chapter(self) -> str:
        """The chapter of the course that teaches it, by its slug."""
        from asgi_lab.diagnose.catalogue import CATALOGUE

        return CATALOGUE[self.id].chapter

    @property
    def name(self) -> str:
        """What it is called for short: the rule that was broken, or its id."""
        return self.rule or self.id

    @property
    def place(self) -> tuple[str, int] | None:
        """File and line, if they are known: not of a cell of a notebook."""
        found = PLACE.match(self.at)
        if found is None or not found["file"].endswith(".py"):
            return None
        return found["file"], int(found["line"])

    @property
    def more(self) -> str:
        """The command that tells more."""
        return f"asgi-lab rules {self.rule}" if self.rule else f"asgi-lab explain {self.id}"

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield what stands below the sentence: where, if that does not say so, and the rest."""
        if self.at and self.at not in self.sentence:
            yield "at", self.at
        yield "why", self.cause
        yield "do", self.remedy
        yield "more", self.more

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it; `file` and `line` are null if nobody knows."""
        file, line = self.place or (None, None)
        return {**asdict(self), "file": file, "line": line, "chapter": self.chapter}

    def __str__(self) -> str:
        return "\n".join(told(self))


class Diagnoses(tuple[Diagnosis, ...]):
    """What was found of a trace, the worst first. `str()` is for people; empty is good news."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n\n".join(map(str, self)) or "nothing is wrong that can be seen from here"

    __repr__ = __str__


def told(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield a diagnosis line by line: what, where, what to do, where to read on."""
    yield f"{SIGNS[diagnosis.severity]} {diagnosis.id}  {diagnosis.sentence}"
    for name, text in diagnosis.rows():
        yield f"    {name:<6}{text}"


def worst_first(found: Iterable[Diagnosis]) -> Diagnoses:
    """Return diagnoses in the order in which they are to be read."""
    return Diagnoses(sorted(found, key=lambda one: (one.severity != WARNING, -one.count)))
