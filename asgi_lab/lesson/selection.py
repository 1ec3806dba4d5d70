"""Some events of a trace, chosen by what they are, and what can be expected of them."""

from collections.abc import Iterable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self

from asgi_lab.events import Event
from asgi_lab.plain import duration

if TYPE_CHECKING:
    from asgi_lab.lesson.expectations import Expectation

HELD = "as expected"
"""What a notebook shows of an expectation that holds."""

VERBS = {"send": "is sent", "received": "is received", "return": "happens", "raise": "happens"}


class Selection:
    """Some events of a trace: those of one kind, with these facts. Expect something of them."""

    def __init__(self, whole: "Expectation", kind: str, type_: str, facts: dict[str, Any]) -> None:
        self.whole = whole
        self.kind = kind
        self.type = type_
        self.facts = facts
        self.part = ""
        self.events = [e for e in whole.events if e.kind == kind and self._fits(e)]

    def __len__(self) -> int:
        return len(self.events)

    def once(self, advice: str = "") -> Self:
        """Expect exactly one."""
        return self.times(1, advice)

    def never(self, advice: str = "") -> Self:
        """Expect none."""
        return self.times(0, advice)

    def times(self, number: int, advice: str = "") -> Self:
        """Expect so many."""
        if len(self) != number:
            over = self.events[number] if len(self) > number else self._near()
            wanted = f"{self.verb} {times(number)}" if number else self.verb_never
            self._fail(f"{self} {wanted}", self._found(), over, advice)
        return self

    def at_least(self, number: int, advice: str = "") -> Self:
        """Expect so many, or more."""
        if len(self) < number:
            wanted = f"{self} {self.verb} {times(number)} or more"
            self._fail(wanted, self._found(), self._near(), advice)
        return self

    def before(self, type: str, advice: str = "") -> Self:
        """Expect that the first of these comes before the first message of this type."""
        other = self._first_of(type)
        if other is not None and (not self.events or self.events[0].seq > other.seq):
            shown = f"{type} comes first, at {self._when(other)}"
            self._fail(f"{self} comes before {type}", shown, other, advice)
        return self

    def after(self, type: str, advice: str = "") -> Self:
        """Expect that the first message of this type comes before the first of these."""
        other = self._first_of(type)
        if self.events and (other is None or self.events[0].seq < other.seq):
            first = self.events[0]
            shown = f"{self} comes first, at {self._when(first)}"
            self._fail(f"{self} comes after {type}", shown, first, advice)
        return self

    def then_no(self, type: str, advice: str = "") -> Self:
        """Expect no message of this type after the first of these, on the same connection."""
        for first in self.events[:1]:
            for event in self.whole.events:
                if event.seq > first.seq and event.conn == first.conn and event.type == type:
                    expected = f"no {type} once {self} {self.verb}"
                    shown = f"there is one at {self._when(event)}"
                    self._fail(expected, shown, event, advice)
        return self

    def containing(self, part: str) -> Self:
        """Return those whose body or text contains this."""
        chosen = copy(self)
        chosen.part = part
        chosen.events = [e for e in self.events if part in content(e)]
        return chosen

    def at(self, *seconds: float, advice: str = "") -> Self:
        """Expect these at so many seconds since the first call of the app, one each."""
        begin = min((e.t for e in self.whole.events if e.kind == "scope"), default=0)
        found = [round((e.t - begin) / 1e9, 6) for e in self.events]
        if found != [round(each, 6) for each in seconds]:
            wrong = [e for e, f, s in zip(self.events, found, seconds, strict=False) if f != s]
            wanted = ", ".join(f"{each:g} s" for each in seconds)
            shown = f"at {', '.join(f'{each:g} s' for each in found)}" if found else "never"
            event = wrong[0] if wrong else self._near()
            self._fail(f"{self} {self.verb} at {wanted}", f"it {self.verb} {shown}", event, advice)
        return self

    @property
    def verb(self) -> str:
        """What is said of them."""
        return VERBS[self.kind]

    @property
    def verb_never(self) -> str:
        """What is said of none."""
        return f"is never {self.verb[3:]}" if self.verb.startswith("is ") else f"never {self.verb}"

    def __str__(self) -> str:
        facts = " and ".join(f"{key}={value!r}" for key, value in self.facts.items())
        part = f" with {self.part!r} in it" if self.part else ""
        return f"{self.type or self.kind}{' with ' * bool(facts)}{facts}{part}"

    def __repr__(self) -> str:
        return HELD

    def _fits(self, event: Event) -> bool:
        if self.type and event.type != self.type:
            return False
        return all(fact(event, key) == value for key, value in self.facts.items())

    def _first_of(self, type_: str) -> Event | None:
        events: Iterable[Event] = self.whole.events
        return next((e for e in events if e.type == type_ and e.kind in ("send", "received")), None)

    def _found(self) -> str:
        if not self.events:
            never = "never is" if self.verb.startswith("is ") else self.verb_never
            return f"it {never}{self._others()}"
        whens = [self._when(event) for event in self.events]
        told = ", ".join(whens[:4]) + (", …" if len(whens) > 4 else "")
        return f"it {self.verb} {times(len(self))}: at {told}"

    def _others(self) -> str:
        same = self._same()
        if not same or not self.facts:
            return ""
        told = []
        for key, wanted in self.facts.items():
            values = list(dict.fromkeys(repr(fact(e, key)) for e in same))
            if values != [repr(wanted)]:
                told.append(f"{key}={' or '.join(values[:4])}")
        those = "the one there is has" if len(same) == 1 else f"the {len(same):,} there are have"
        return f": {those} {' and '.join(told)}" if told else ""

    def _same(self) -> list[Event]:
        """Return what is of this type, whatever else is in it."""
        return [e for e in self.whole.events if e.kind == self.kind and e.type == self.type]

    def _near(self) -> Event | None:
        """Return the last of what is almost what was expected."""
        return next(iter(reversed(self.events or self._same())), None)

    def _when(self, event: Event) -> str:
        scopes: Sequence[Event] = [e for e in self.whole.events if e.kind == "scope"]
        begin = next((e.t for e in scopes if e.conn == event.conn), 0)
        return duration(event.t - begin)

    def _fail(self, expected: str, shown: str, event: Event | None, advice: str) -> None:
        self.whole.fail(expected, shown, event or self._last(), advice)

    def _last(self) -> Event | None:
        return self.whole.events[-1] if self.whole.events else None


def times(number: int) -> str:
    """Return how often, in words: `never`, `once`, `3 times`."""
    return {0: "never", 1: "once", 2: "twice"}.get(number) or f"{number:,} times"


def fact(event: Event, key: str) -> Any:
    """Return what a message holds; of `more_body`, what it is where it is left out."""
    return event.data.get(key, False if key == "more_body" else None)


def content(event: Event) -> str:
    """Return what a message carries, as text; empty if it carries nothing."""
    return str(event.data.get("body") or event.data.get("text") or event.data.get("bytes") or "")
