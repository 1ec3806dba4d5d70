"""What the rules say of several connections together: lifespan and requests of one server."""

from typing import Any, Protocol

from asgi_lab.spec.case import Case, Finding
from asgi_lab.spec.rules import group

DONE = ("complete", "closed", "gone", "over")
"""States of a conversation in which the server may shut down."""


class Call(Protocol):
    """One call of the app, as far as it matters here."""

    case: Case


class Connection(Protocol):
    """One connection, as far as it matters here."""

    door: int
    call: Any
    known_by: tuple[int, int]


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
        self.open: dict[int, Any] = {}
        """Connections under way, by their numbers."""
        self._known: set[int] = set()
        """The identities of their scopes, and of the states of these."""
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

    def begins(
        self, connection: Connection, call: Call, scope: Any, loop: Any
    ) -> tuple[Finding, ...]:
        """Take note of a call; return which rules of servers that breaks."""
        connection.call = call
        standing = call.case.standing
        if standing is None:
            return ()
        if standing.protocol == "lifespan":
            again = any(life.loop is loop for life in self._lives)
            self._lives.append(Life(call, scope, loop))
            what = "a lifespan begins while another is under way in this event loop"
            return (Finding("L-2", what),) if again else ()
        state = scope.get("state")
        shared = None if state is None else id(state)
        found: tuple[Finding, ...] = ()
        if self._lives or id(scope) in self._known or shared in self._known:
            found = (*self._early(loop), *self._shared(scope))
        connection.known_by = (id(scope), shared or 0)
        self._known.update(connection.known_by)
        return found

    def _early(self, loop: Any) -> list[Finding]:
        if not self._lives:
            return []
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
        if id(scope) in self._known:
            return (Finding("R7", "the scope is that of another connection"),)
        state = scope.get("state")
        if state is not None and any(state is life.state for life in self._lives):
            return (Finding("S12", "state is the lifespan's own, not a copy"),)
        if state is not None and id(state) in self._known:
            return (Finding("S12", "state is that of another connection"),)
        return ()

    def hears(self, case: Case) -> tuple[Finding, ...]:
        """Take note that a lifespan was told something; return which rules that breaks."""
        if case.stands != "stopping":
            return ()
        calls = [connection.call for connection in self.open.values() if connection.call]
        number = len([call for call in calls if not finished(call.case)])
        if not number:
            return ()
        are = "a connection is" if number == 1 else f"{number} connections are"
        return (Finding("L-5", f"lifespan.shutdown while {are} open"),)

    def ends(self, connection: Connection) -> None:
        """Take note that a connection is over."""
        self.open.pop(connection.door, None)
        self._known.difference_update(connection.known_by)
        if self._lives:
            self._lives = [life for life in self._lives if life.call is not connection.call]
        connection.call = None  # which leads to the connection: a cycle


def finished(case: Case) -> bool:
    """Return whether a conversation needs its connection no more; a lifespan has none."""
    if case.standing is None or case.type == "lifespan":
        return True
    return case.standing.lost or not {*DONE}.isdisjoint(case.standing.at)
