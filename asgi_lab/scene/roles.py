"""What things in a picture mean. A scene has roles and no colours; `asgi_lab.view.theme` has those.

The phases of a connection (`asgi_lab.connection.PHASES`) are roles, too.
"""

from asgi_lab.connection import APP, AWAIT, BLOCKED, CLIENT, HOLD, QUEUED, SENDING, THREAD

LINE = "line"
"""A request that has been sent, and that no app has been called for."""

# Messages and calls: marks on a lane of time, arrows between lanes of a conversation.
CALL = "call"
IN = "in"
OUT = "out"
RETURN = "return"
RAISE = "raise"
CANCEL = "cancel"
UNSEEN = "unseen"
"""What must have crossed the wire, though nobody observed it."""
WIRE_IN = "wire-in"
WIRE_OUT = "wire-out"
PAUSE = "pause"
"""Writing or reading had to wait for the other side."""
FINDING = "finding"
MARK = "mark"

# Stretches of time and space.
STALL = "stall"
"""The loop was held while others could not run."""
MANY = "many"
"""Many messages of one kind, told as one."""
OWN = "own"
"""In this layer itself."""
INNER = "inner"
"""In a layer further inside."""
IN_FLIGHT = "in-flight"
LIFE = "life"
"""Between startup and shutdown: requests are served."""
AFTER = "after"
"""The response is complete, and the app goes on."""

# States of a conversation.
STATE = "state"
END = "end"
BEEN = "been"
"""A state that this conversation was in."""
MAY = "may"
"""A step that the specification allows."""
TAKEN = "taken"
ILLEGAL = "illegal"

# What is wrong (`asgi_lab.diagnose`): flags on a timeline.
WARNING = "warning"
NOTE = "note"

# Two traces beside each other.
SAME = "same"
CHANGED = "changed"
ONLY_A = "only-a"
ONLY_B = "only-b"

MEANINGS = {
    HOLD: "holds loop",
    BLOCKED: "loop held by another",
    LINE: "waits in line",
    AWAIT: "awaits",
    CLIENT: "awaits client",
    SENDING: "awaits send",
    THREAD: "in thread",
    QUEUED: "queued",
    APP: "in the app",
    OWN: "in this layer",
    INNER: "in one further inside",
    IN_FLIGHT: "in flight",
    CALL: "the app is called",
    IN: "receive: a message in",
    OUT: "send: a message out",
    RETURN: "returns",
    RAISE: "raises",
    CANCEL: "is cancelled",
    UNSEEN: "what the server makes of it (not observed)",
    WIRE_IN: "bytes in",
    WIRE_OUT: "bytes out",
    PAUSE: "writing or reading pauses",
    FINDING: "a broken rule",
    MARK: "your own mark",
    STALL: "the loop is held, and others wait",
    MANY: "many messages",
    STATE: "a state",
    END: "an end",
    BEEN: "was in this state",
    MAY: "the specification allows it",
    TAKEN: "this conversation's path",
    ILLEGAL: "not allowed",
    SAME: "the same on both sides",
    CHANGED: "changed",
    ONLY_A: "only in the first",
    ONLY_B: "only in the second",
    LIFE: "open: between startup and shutdown",
    AFTER: "after the response",
    WARNING: "something is wrong here",
    NOTE: "something to know of",
}
"""Every role, with what a legend says of it, in the order in which legends list them."""

ROLES = tuple(MEANINGS)
CODES = {role: code for code, role in enumerate(ROLES)}
"""The number of each role in the columns of a scene."""


def meaning(role: str, held: str = "loop") -> str:
    """Return what a legend says of a role. `held` is what a running app holds: loop or thread."""
    return MEANINGS[role].replace("loop", held) if role in (HOLD, BLOCKED) else MEANINGS[role]
