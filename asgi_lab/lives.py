"""What the rules say of several connections together: lifespan and requests of one server."""

from typing import Any, Protocol

from asgi_lab.spec.case import Case, Finding
from asgi_lab.spec.rules import group

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
        self._open: dict[int, tuple[Call, int, int]] = {}
        """Connections under way: the call, and the identities of its scope and of its state."""
        self._scopes: set[int] = set()
        self._states: set[int] = set()
        self.asked: tuple[Any, Any] = (None, None)
        """When an app asked last, and might: the case before, and after."""
        self.latest: tuple[Any, int, Any, int] = (None, 0, None, 0)
        """Of the message looked at last, in which nothing was wrong: the case before, its identity,
        the case after, and the layer. All are read and written at once: there may be threads."""
        self._told: set[tuple[str, str]] = set()
        """What has been said of scopes: a server's are all alike, so once is enough."""

    def is_news(self, finding: Finding) -> bool:
        """Return whether this is to be told: of a scope, each thing is told once."""
        if group(finding.rule) != "S" and finding.rule != "G8":
            return True
        known = finding[:2] in self._told
        self._told.add(finding[:2])
        return not known

    def begins(self, call: Call, scope: Any, loop: Any) -> tuple[Finding, ...]:
        """Take note of a call; return which rules of servers that breaks."""
        standing = call.case.standing
        if standing is None:
            return ()
        if standing.protocol == "lifespan":
            again = any(life.loop is loop for life in self._lives)
            self._lives.append(Life(call, scope, loop))
            what = "a lifespan begins while another is under way in this event loop"
            return (Finding("L-2", what),) if again else ()
        state = scope.get("state")
        scopes, states = self._scopes, self._states
        early = self._early(loop) if self._lives else ()
        found: tuple[Finding, ...] = ()
        if (
            early
            or id(scope) in scopes
            or (state is not None and (self._lives or id(state) in states))
        ):
            found = (*early, *self._shared(scope))
        self._open[id(call)] = (call, id(scope), id(state))
        scopes.add(id(scope))
        if state is not None:
            states.add(id(state))
        return found

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

    def _shared(self, scope: Any) -> tuple[Finding, ...]:
        if id(scope) in self._scopes:
            return (Finding("R7", "the scope is that of another connection"),)
        state = scope.get("state")
        if state is not None and any(state is life.state for life in self._lives):
            return (Finding("S12", "state is the lifespan's own, not a copy"),)
        if id(state) in self._states:
            return (Finding("S12", "state is that of another connection"),)
        return ()

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
        _, scope, state = self._open.pop(id(call), (None, 0, 0))
        self._scopes.discard(scope)
        self._states.discard(state)
        if self._lives and call.case.type == "lifespan":
            self._lives = [life for life in self._lives if life.call is not call]


def finished(case: Case) -> bool:
    """Return whether a conversation needs its connection no more."""
    return case.standing is None or case.standing.lost or not {*DONE}.isdisjoint(case.standing.at)
