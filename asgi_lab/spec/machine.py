"""What a conversation's table is made of: states, moves, and the rules that all else breaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

SEND, RECEIVE, RETURN, RAISE = "send", "receive", "return", "raise"
"""The verbs. The app sends, returns and raises; what it receives, the server says."""

ASK = "ask"
"""The app calls receive(): no move, but worth remembering."""

GONE = "client gone"
"""When a call ends: the client had left, and nobody waits for an answer any more."""


class State(NamedTuple):
    """Where a conversation stands; `end` if it may rest there for good."""

    name: str
    meaning: str
    end: bool = False


class Move(NamedTuple):
    """What may happen in a state, and where that leads.

    `when` tells messages of one type apart: `more` (`more_body=True`), `last`, `trailers next` (the
    last body, trailers were promised), or `client gone`. `extension` is what a server must offer.
    """

    source: str
    verb: str
    type: str
    when: str
    target: str
    extension: str = ""

    @property
    def speaker(self) -> str:
        """Who does it: `app` or `server`."""
        return "server" if self.verb == RECEIVE else "app"

    @property
    def label(self) -> str:
        """What to write at the arrow: `http.response.body, more`, `returns, client gone`."""
        what = self.type or f"{self.verb}s"
        return f"{what}, {self.when}" if self.when else what


class Breach(NamedTuple):
    """The rule broken by what is no move. `*` stands for any; the first that fits counts."""

    source: str
    verb: str
    type: str
    rule: str


@dataclass(frozen=True)
class Machine:
    """One thread of a conversation."""

    protocol: str
    thread: str
    title: str
    states: tuple[State, ...]
    moves: tuple[Move, ...]
    breaches: tuple[Breach, ...]

    @property
    def start(self) -> str:
        """The state in which it begins: the first."""
        return self.states[0].name

    @cached_property
    def verbs(self) -> frozenset[str]:
        """The verbs that move it."""
        return frozenset(move.verb for move in self.moves)

    @cached_property
    def targets(self) -> Mapping[tuple[str, str, str, str], str]:
        """Of each move, by all but its target, the target."""
        return {move[:4]: move.target for move in self.moves}

    def state(self, name: str) -> State:
        """Return the state of this name. Raises `KeyError`."""
        return {state.name: state for state in self.states}[name]

    def breach(self, source: str, verb: str, kind: str) -> str:
        """Return the rule that is broken by what is no move."""
        for breach in self.breaches:
            given = zip(breach[:3], (source, verb, kind), strict=True)
            if all(wanted in ("*", found) for wanted, found in given):
                return breach.rule
        return ""


def moves(verb: str, *rows: tuple[str, str, str, str], extension: str = "") -> tuple[Move, ...]:
    """Return a move per row; several sources in one row are separated by spaces."""
    return tuple(
        Move(source, verb, kind, when, target or source, extension)
        for sources, kind, when, target in rows
        for source in sources.split()
    )


def breaches(verb: str, *rows: tuple[str, str, str]) -> tuple[Breach, ...]:
    """Return a breach per source and type; several in one row are separated by spaces."""
    return tuple(
        Breach(source, verb, kind, rule)
        for sources, kinds, rule in rows
        for source in sources.split()
        for kind in kinds.split() or [""]
    )
