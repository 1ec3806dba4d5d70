"""What the rules say of several connections together: lifespan and requests of one server."""

from typing import Any, Protocol

from asgi_lab.spec.case import Case, Finding

DONE = ("complete", "closed", "gone", "over")
"""States of a conversation in which the server may shut down."""


class Call(Protocol):
    """One call of the app, as far as it matters here."""

    case: Case


class Life:
    """A lifespan that is under way."""

    def __init__(self, call: Call, scope: Any, loop: Any) -> None:
        self.call = call
        self.loop = loop
        self.state = scope.get("state")


class Lives:
    """The lifespans and connections under way of one traced app."""

    def __init__(self) -> None:
        self._lives: list[Life] = []
        self._open: dict[int, tuple[Call, Any, Any]] = {}
        """Connections under way: the call, its scope, and the scope's state."""

    def begins(self, call: Call, scope: Any, loop: Any) -> tuple[Finding, ...]:
        """Take note of a call; return which rules of servers that breaks."""
        if call.case.type == "lifespan":
            again = any(life.loop is loop for life in self._lives)
            self._lives.append(Life(call, scope, loop))
            what = "a lifespan begins while another is under way in this event loop"
            return (Finding("L-2", what),) if again else ()
        if call.case.standing is None:
            return ()
        found = [*self._early(loop), *self._shared(scope)]
        self._open[id(call)] = (call, scope, scope.get("state"))
        return tuple(found)

    def _early(self, loop: Any) -> list[Finding]:
        own = [life for life in self._lives if life.loop is loop]
        if not own:
            other = [life for life in self._lives if life.call.case.stands == "running"]
            elsewhere = other and all(life.loop is not None for life in other)
            what = "the request runs in another event loop than the lifespan"
            return [Finding("L-2", what)] if elsewhere and not other[0].loop.is_closed() else []
        stands = own[-1].call.case.stands
        if stands in ("called", "starting"):
            return [Finding("L-1", "the app is called before it has answered lifespan.startup")]
        if stands == "failed":
            return [Finding("L-3", "the app is called after lifespan.startup.failed")]
        return []

    def _shared(self, scope: Any) -> list[Finding]:
        found = []
        others = list(self._open.values())
        if any(scope is other for _, other, _ in others):
            found.append(Finding("R7", "the scope is that of another connection"))
            return found
        state = scope.get("state")
        if state is None:
            return found
        if any(state is life.state for life in self._lives):
            found.append(Finding("S12", "state is the lifespan's own, not a copy"))
        elif any(state is other for _, _, other in others):
            found.append(Finding("S12", "state is that of another connection"))
        return found

    def hears(self, call: Call) -> tuple[Finding, ...]:
        """Take note that a lifespan was told something; return which rules that breaks."""
        if call.case.stands != "stopping":
            return ()
        under_way = [c for c, _, _ in self._open.values() if not finished(c.case)]
        if not under_way:
            return ()
        what = f"lifespan.shutdown while {len(under_way)} connections are open"
        return (Finding("L-5", what.replace("1 connections are", "a connection is")),)

    def ends(self, call: Call) -> None:
        """Take note that a call is over."""
        self._open.pop(id(call), None)
        self._lives = [life for life in self._lives if life.call is not call]


def finished(case: Case) -> bool:
    """Return whether a conversation needs its connection no more."""
    return case.standing is None or case.standing.lost or not {*DONE}.isdisjoint(case.standing.at)
