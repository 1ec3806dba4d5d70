"""Following a conversation through its tables, live or in a trace.

>>> Follower("http").go("send", "http.response.body")
Step(before='waiting', after=None, rule='H1', thread='response')
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from asgi_lab.events import Event
from asgi_lab.spec.machine import GONE, RAISE, RECEIVE, RETURN, SEND
from asgi_lab.spec.states import PROTOCOLS, when


class Step(NamedTuple):
    """What one happening did: `after` is None, and `rule` named, if it was no move."""

    before: str
    after: str | None
    rule: str
    thread: str


class Follower:
    """Stands in the states of one conversation, and goes where its happenings lead.

    What is no move leaves it where it stands.
    """

    def __init__(self, protocol: str) -> None:
        """Begin a conversation. Raises `KeyError` if the protocol is not known."""
        self.machines = PROTOCOLS[protocol]
        self.at = {machine.thread: machine.start for machine in self.machines}
        self._promised = self._lost = False

    def go(self, verb: str, kind: str = "", message: Mapping[str, Any] | None = None) -> Step:
        """Take the next happening; return what it did."""
        machine = next(m for m in self.machines if verb in m.verbs)
        before = self.at[machine.thread]
        given = message or {}
        if kind == "http.response.start":
            self._promised = given.get("trailers") is True
        if verb in (RETURN, RAISE):
            qualifier = GONE if self._lost or "gone" in self.at.values() else ""
        else:
            qualifier = when(kind, given, self._promised)
        after = machine.targets.get((before, verb, kind, qualifier))
        if after is None:
            return Step(before, None, machine.breach(before, verb, kind), machine.thread)
        self.at[machine.thread] = after
        return Step(before, after, "", machine.thread)

    def lose(self) -> None:
        """Take note that a send failed because the connection is closed."""
        self._lost = True


class Walked(NamedTuple):
    """One event of a trace that moved a conversation, or should not have been (`after` is None)."""

    event: Event
    before: str
    after: str | None
    rule: str
    thread: str


VERBS = {"send": SEND, "received": RECEIVE, "return": RETURN, "raise": RAISE}
"""Kinds of events that say something, and the verb that they are."""


def walk(events: Iterable[Event]) -> list[Walked]:
    """Follow the conversation of one connection's events, as the server saw it (layer 0).

    Events that say nothing are left out; so is everything of a protocol that is not known.
    """
    follower: Follower | None = None
    steps: list[Walked] = []
    for event in events:
        if event.layer:
            continue
        if event.kind == "scope":
            follower = Follower(event.type) if event.type in PROTOCOLS else None
        elif follower is None:
            continue
        elif event.kind == "sent" and is_closed(str(event.data.get("error") or "")):
            follower.lose()
        elif event.kind in VERBS and not (event.kind == "received" and not event.type):
            verb = VERBS[event.kind]
            kind = event.type if verb in (SEND, RECEIVE) else ""
            steps.append(Walked(event, *follower.go(verb, kind, event.data)))
    return steps


def is_closed(error: str) -> bool:
    """Return whether an exception of this name out of send() says that the client is gone."""
    return error in CLOSED or "Disconnect" in error or "Closed" in error


CLOSED = ("OSError", "ConnectionError", "BrokenPipeError", "ConnectionResetError",
          "ConnectionAbortedError", "TimeoutError")  # fmt: skip
