"""What is noted of broken rules: who broke them, and each once.

A message passes the doors of all layers, and a fault with it. It counts when it reaches the other
side, and then whoever made it is named: an app's fault when the server gets it, and the innermost
layer in which it was seen made it; a server's fault at once, and a layer that shows one which the
layers outside it have not shown has made it itself. So what a middleware mends is none, and what it
merely passes on is not its own.

Of a conversation that has lost its order only the first loss is told: what comes after follows.
Rules that are warnings, and three more, are told of the user's own code only: what a
framework does after the client has left, or with the case of a header, its users cannot change.
"""

from collections.abc import Callable
from typing import Any

from asgi_lab.atoms import atom
from asgi_lab.layers import layer_name, next_name
from asgi_lab.recorder import Recorder
from asgi_lab.spec.case import Finding
from asgi_lab.spec.machine import SEND
from asgi_lab.spec.rules import WARN, rules
from asgi_lab.spec.states import PROTOCOLS

MOST = 64
"""Different findings noted of one connection, and findings that wait for the door of the server."""

Place = tuple[str, bool]
"""A place in the source, and whether that is the user's own."""

Where = Callable[[], Place]
"""Looks up the place: only done if it is needed."""

MILD = {"G6", "H6", "H11", *(rule.id for rule in rules().values() if rule.weight == WARN)}
"""Rules told of the user's own code only. Servers mend H6, and take what is like bytes (H11);
frameworks have reasons to write their names into the scope (G6)."""

LATE = ("G7", "H19", "H20", "W12", "W13")
"""Rules of what is done when it is too late."""

ORDER = {"G1", "G2", "X1"}.union(
    breach.rule
    for machines in PROTOCOLS.values()
    for machine in machines
    for breach in machine.breaches
    if breach.verb == SEND
).difference(LATE)
"""Rules of what is sent when. After one is broken nobody knows where the conversation stands."""

FAMILY = {**dict.fromkeys(ORDER, "order"), **dict.fromkeys(LATE, "late"), "A7": "taken"}
"""Of rules whose breach is followed by more: of each family, the first on a connection is told."""

Key = tuple[str, str]


class Verdicts:
    """The findings of one connection."""

    __slots__ = ("_apps", "_first", "_layers", "_noted", "_recorder", "_shown", "_waiting",
                 "call", "clock", "door", "known_by", "opening")  # fmt: skip

    def __init__(self, recorder: Recorder, door: int, layers: bool) -> None:
        self._recorder = recorder
        self._layers = layers
        self.clock = recorder.clock
        self.door = door
        """Its number, as records have it: that of the outermost door."""
        self._apps: tuple[Any, ...] = ()
        """The apps of its layers."""
        self.call: Any = None
        """The outermost call."""
        self.known_by = (0, 0)
        """The identities of its scope, and of the scope's state; 0 if there is none."""
        self.opening: tuple[Any, Any] | None = None
        """The scope looked at last, and what was known then."""
        self._noted: dict[tuple[str, int, str], tuple[list[int], tuple[Any, ...]]] | None = None

    def enters(self, layer: int, app: Any) -> None:
        """Take note of the app that is called as this layer."""
        known = self._apps
        self._apps = (*known[:layer], app, *known[layer + 1 :])

    def _begin(self) -> None:
        """Make room for findings: most connections have none."""
        if self._noted is None:
            self._noted = {}
            self._waiting: dict[Key, list[tuple[int, str, Place]]] = {}
            """Of faults of inner layers: the layer, what was seen, and where."""
            self._shown: dict[tuple[str, str, int], int] = {}
            """How many faults of a server each layer has shown."""
            self._first: dict[str, tuple[str, int, str]] = {}
            """Of each family, the rule that was broken first: by which layer, and where."""

    def of_app(self, layer: int, finding: Finding, where: Where) -> None:
        """Take note that the app called as this layer broke a rule."""
        self._begin()
        key = (finding.rule, finding.type)
        waiting = self._waiting.setdefault(key, [])
        if layer:
            if len(waiting) < MOST:
                waiting.append((layer, finding.what, where()))
            return
        if not waiting:
            self._note(0, finding, self._side(0), where())
            return
        innermost, what, at = max(waiting, key=lambda one: one[0])
        for passed in {one[0] for one in waiting}:
            waiting.remove(next(one for one in waiting if one[0] == passed))
        self._note(innermost, finding._replace(what=what), self._side(innermost), at)

    def of_server(self, layer: int, finding: Finding, where: Where) -> None:
        """Take note that whoever called this layer broke a server's rule."""
        self._begin()
        key = (finding.rule, finding.type)
        count = self._shown[*key, layer] = self._shown.get((*key, layer), 0) + 1
        if any(self._shown.get((*key, outer), 0) >= count for outer in range(layer)):
            return
        side = (("side", "middleware"), ("who", self._name(layer - 1)))
        told = side if layer else (("side", "server"),)
        self._note(max(layer - 1, 0), finding, told, (where()[0], True))

    def at_once(self, layer: int, finding: Finding, at: Place) -> None:
        """Take note of a fault of an app that no door further out would see."""
        self._note(layer, finding, self._side(layer), at)

    def _side(self, layer: int) -> tuple[tuple[str, str], ...]:
        last = layer >= len(self._apps) - 1
        if last and not (self._layers and next_name(self._apps[layer])):  # it may not be called
            return (("side", "app"),)
        return (("side", "middleware"), ("who", self._name(layer)))

    def _name(self, layer: int) -> str:
        return layer_name(self._apps[layer]) if layer < len(self._apps) else ""

    def _note(
        self, layer: int, finding: Finding, side: tuple[tuple[str, str], ...], where: Place
    ) -> None:
        at, own = where
        if finding.rule in MILD and not own:
            return
        self._begin()
        assert self._noted is not None
        key = (finding.rule, layer, at)
        family = FAMILY.get(finding.rule)
        if family and self._first.setdefault(family, key) != key:
            return
        if key in self._noted:
            self._noted[key][0][0] += 1
            return
        if len(self._noted) >= MOST:
            return
        seen = (("type", finding.type), ("what", finding.what), ("at", at))
        pairs = (("rule", finding.rule), *side, *(pair for pair in seen if pair[1]))
        self._noted[key] = ([1], pairs)
        self._append(layer, pairs)

    def _append(self, layer: int, pairs: tuple[Any, ...]) -> None:
        recorder = self._recorder
        facts = recorder.keep((atom(pairs),))
        recorder.append((recorder.clock(), "finding", self.door + layer, 0, *facts))

    def close(self) -> None:
        """Tell, at the end, how often what came more than once came."""
        for (_, layer, _), ((count,), pairs) in (self._noted or {}).items():
            if count > 1:
                self._append(layer, (*pairs, ("count", count)))
