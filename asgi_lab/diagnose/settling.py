"""Causes stay, consequences go: who mends the one is rid of the other, and need not read of it.

A body that is waited for twice also holds the exit; a message out of order also ends a WebSocket.
Each diagnosis tells of what it sees; here those are left out that another explains.
"""

from collections.abc import Iterator, Sequence

from asgi_lab.diagnose.diagnosis import NOTE, WARNING, Diagnosis
from asgi_lab.spec.rules import find

BETTER_TOLD: dict[str, tuple[str, ...]] = {
    "H15": (),  # an exception left the app: the summary names it, with its line
    "W10": ("WS-CLOSE-EXPLAINED",),
    "W9": ("WS-CLOSE-EXPLAINED",),
    "L1": ("LIFESPAN-NOT-REACHED",),
    "H14": ("BODY-ALREADY-READ",),
    "H19": ("STREAM-NOT-STOPPING", "DISCONNECT-IGNORED", "STREAM-BUFFERED"),
    "H20": ("STREAM-NOT-STOPPING", "DISCONNECT-IGNORED"),
    "W12": ("STREAM-NOT-STOPPING",),
    "W13": ("STREAM-NOT-STOPPING",),
}
"""Rules whose breach another diagnosis of the same connection explains better, and which."""

STATE = ("G2", "H1", "H2", "H10", "H12", "H13", "W1", "W3", "W4", "W9")
"""Rules about the order of messages: after one breach the next ones follow."""

STUCK = (
    "AFTER-RESPONSE",
    "BODY-ALREADY-READ",
    "DISCONNECT-IGNORED",
    "LOOP-BLOCKED",
    "STREAM-NOT-STOPPING",
    "THREADPOOL-FULL",
)
"""What keeps a request from ever ending."""


def settled(found: Sequence[Diagnosis]) -> Iterator[Diagnosis]:
    """Yield the diagnoses that no other explains, and that are the user's to mend."""
    for one in found:
        if not (fault_of_server(one) or knows_no_lifespan(one) or told_better(one, found)):
            causes = [other for other in found if other is not one and causes_it(other, one)]
            if not causes or not covered(one, causes):
                yield one


def fault_of_server(one: Diagnosis) -> bool:
    """Return whether a server breaks a rule, and no app can help it: reports for machines tell."""
    return bool(one.rule) and find(one.rule).breaker == "server"


def knows_no_lifespan(one: Diagnosis) -> bool:
    """Return whether an app answers the lifespan as if it were a request.

    It should raise (G4). But what it sends is refused, and servers go on without a lifespan.
    """
    return one.rule == "G2" and one.request == "lifespan"


def told_better(one: Diagnosis, found: Sequence[Diagnosis]) -> bool:
    """Return whether a breach of a rule is what another diagnosis tells in its own words."""
    better = BETTER_TOLD.get(one.rule)
    if better is None:
        return False
    return better == () or any(
        other.id in better and not set(one.conns).isdisjoint(other.conns) for other in found
    )


def covered(one: Diagnosis, causes: Sequence[Diagnosis]) -> bool:
    """Return whether the causes account for each connection that it tells of."""
    return bool(one.conns) and {*one.conns} <= {conn for cause in causes for conn in cause.conns}


def causes_it(cause: Diagnosis, one: Diagnosis) -> bool:
    """Return whether, on the same connections, the one comes of the other."""
    broken = cause.rule and cause.rule not in BETTER_TOLD and not fault_of_server(cause)
    if one.id == "WS-CLOSE-EXPLAINED":
        out_of_order = broken and cause.severity == WARNING
        return bool(out_of_order) or (one.severity == NOTE and cause.id == "LOOP-BLOCKED")
    if one.id == "SHUTDOWN-HELD":
        return cause.id in STUCK
    if one.rule in STATE:
        return bool(broken) and cause.layer == one.layer and cause.events < one.events
    return False
