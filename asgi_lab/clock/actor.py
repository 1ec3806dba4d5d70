"""Who acts in a world: threads, and the interpreters they share."""

from typing import TYPE_CHECKING, Any

from asgi_lab.clock import genuine as real

if TYPE_CHECKING:
    from asgi_lab.clock.world import World

RUNNING, READY, PARKED, HELD, DONE = "running", "ready", "parked", "held", "done"
"""What an actor is at; `HELD`: it could run, but another thread of its interpreter computes."""


class Process:
    """One interpreter: of its threads only one computes at a time. `holder` does, until then."""

    __slots__ = ("holder", "number", "until")

    def __init__(self, number: int) -> None:
        self.number = number
        self.holder: Actor | None = None
        self.until = 0


class Actor:
    """A thread of a world. It runs only while it holds the baton."""

    __slots__ = (
        "early", "gate", "ident", "joiners", "loop", "name", "number", "process", "seized",
        "since", "state", "turn", "waits_on", "woken", "world",
    )  # fmt: skip

    def __init__(self, number: int, name: str, world: "World", process: Process) -> None:
        self.number, self.name, self.world, self.process = number, name, world, process
        self.gate = real.allocate_lock()
        self.gate.acquire()
        self.state = PARKED
        self.waits_on: object = None
        self.since = 0
        self.turn = 0
        """Counts the waits, so that a timer of an earlier one is known to be stale."""
        self.woken = self.early = self.seized = False
        self.ident = 0
        self.loop: Any = None
        self.joiners: list[Actor] = []


_here = real.Local()


def this_actor() -> Actor | None:
    """Return the actor that the calling thread is, or None outside of any world."""
    return getattr(_here, "actor", None)


def set_actor(actor: Actor | None) -> None:
    """Say which actor the calling thread is."""
    _here.actor = actor
