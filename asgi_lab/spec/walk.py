"""Following a conversation through its tables: the pure step, and a walk along a trace.

>>> standing, step = go(begin("http"), "send", "http.response.body", {})
>>> step
Step(before='waiting', after=None, rule='H1', thread='response')
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from asgi_lab.events import Event
from asgi_lab.spec.machine import ASK, GONE, RAISE, RECEIVE, RETURN, SEND
from asgi_lab.spec.states import PROTOCOLS, when


class Standing(NamedTuple):
    """Where a conversation stands: a state of each of its threads, and two things it remembers."""

    protocol: str
    at: tuple[str, ...]
    promised: bool = False
    """Whether the response began with `trailers=True`."""
    lost: bool = False
    """Whether a send failed because the connection is closed."""
    asked: bool = False
    """Whether the app has called receive() yet."""
    early: bool = False
    """Whether it has accepted while that call was still waiting for websocket.connect."""

    @property
    def gone(self) -> bool:
        """Whether the client has left, as far as the app can know."""
        return self.lost or "gone" in self.at


class Step(NamedTuple):
    """What one happening did: `after` is None, and `rule` named, if it was no move."""

    before: str
    after: str | None
    rule: str
    thread: str


def begin(protocol: str) -> Standing:
    """Return where a conversation begins. Raises `KeyError` for a protocol not known."""
    return Standing(protocol, tuple(machine.start for machine in PROTOCOLS[protocol]))


def go(
    standing: Standing, verb: str, kind: str, message: Mapping[str, Any]
) -> tuple[Standing, Step]:
    """Return where a happening leads. What is no move leaves the conversation where it stands.

    An app that receives in one task and sends in another may accept while its first receive() is
    under way: then websocket.connect counts as received, and comes late.
    """
    protocol, at, promised, lost, asked, early = standing
    machines = PROTOCOLS[protocol]
    index = 0 if verb in machines[0].verbs else len(machines) - 1
    machine, before = machines[index], at[index]
    if verb == ASK:
        return (standing if asked else standing._replace(asked=True)), Step(before, before, "", "")
    if kind == "websocket.connect" and early:
        return standing._replace(early=False), Step(before, before, "", machine.thread)
    if kind == "websocket.accept" and before == "called" and asked:
        before, early = "connecting", True
    if verb in (RETURN, RAISE):
        qualifier = GONE if standing.gone else ""
    else:
        qualifier = when(kind, message, promised)
    after = machine.targets.get((before, verb, kind, qualifier))
    if after is None and qualifier == GONE:
        after = machine.targets.get((before, verb, kind, ""))
    if after is None:
        return standing, Step(before, None, machine.breach(before, verb, kind), machine.thread)
    if kind == "http.response.start":
        promised = message.get("trailers") is True
    if after != before or promised is not standing.promised:
        at = (*at[:index], after, *at[index + 1 :])
        standing = Standing(protocol, at, promised, lost, asked, early)
    return standing, Step(before, after, "", machine.thread)


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
    standing: Standing | None = None
    steps: list[Walked] = []
    for event in events:
        if event.layer:
            continue
        if event.kind == "scope":
            standing = begin(event.type) if event.type in PROTOCOLS else None
        elif standing is None:
            continue
        elif event.kind == "receive":
            standing = go(standing, ASK, "", {})[0]
        elif event.kind == "sent" and is_closed(str(event.data.get("error") or "")):
            standing = standing._replace(lost=True)
        elif event.kind in VERBS and not (event.kind == "received" and not event.type):
            verb = VERBS[event.kind]
            kind = event.type if verb in (SEND, RECEIVE) else ""
            standing, step = go(standing, verb, kind, event.data)
            steps.append(Walked(event, *step))
    return steps


def is_closed(error: str) -> bool:
    """Return whether an exception of this name out of send() says that the client is gone."""
    return error in CLOSED or "Disconnect" in error or "Closed" in error


CLOSED = ("OSError", "ConnectionError", "BrokenPipeError", "ConnectionResetError",
          "ConnectionAbortedError", "TimeoutError")  # fmt: skip
