"""What runs in a process that is attached to: its apps are replaced by traced ones, and put back.

It works in a thread of its own: the process's main thread, which has other things to do, is held
only while that thread is started (see `asgi_lab.attach.attachment`).
"""

from typing import Any

from asgi_lab.adapters.collector import Sender, report
from asgi_lab.api import trace
from asgi_lab.attach.places import Spot, living
from asgi_lab.interface import interface_of
from asgi_lab.recorder import Record, Recorder
from asgi_lab.standin import StandIn
from asgi_lab.watchdog import forget

NOTHING = "no server was found in it that has an app (or its app is traced already)"

Order = dict[str, Any]
"""What the command wants: `address` and `key` of its collector, and options of `trace`."""


class Attached:
    """The apps of this process, traced for one command: from `begin` to `end`."""

    def __init__(self, order: Order) -> None:
        self._recorder = Recorder(limit=order["max_events"], redact=order["redact"])
        self._sender = Sender(order["address"], bytes.fromhex(order["key"]), self._recorder)
        self._order = order
        self._before: list[tuple[Spot, Any, Any]] = []
        self._ticker: Any = None

    def begin(self) -> int:
        """Trace what is served here; return how many apps that is."""
        seen: dict[int, Any] = {}
        for spot in list(living()):
            app = spot.app
            if isinstance(app, StandIn) or interface_of(app) is None:
                continue
            traced = seen.get(id(app)) or self._traced(app)
            seen[id(app)] = traced
            self._before.append((spot, app, traced))
        if self._before:
            self._sender.connect()
            self._ticker = self._before[0][2].ticker
            self._ticker.follow(self)
            self._ticker.start()
            for spot, _, traced in self._before:
                spot.put(traced)
        return len(seen)

    def _traced(self, app: Any) -> Any:
        wishes = {name: self._order[name] for name in ("layers", "rules", "watchdog")}
        return trace(app, recorder=self._recorder, record=None, **wishes)

    def write(self, first: int, records: list[Record]) -> None:
        """Send records; if the command is gone, put everything back."""
        try:
            self._sender.write(first, records)
        except OSError:
            self.restore()
            raise

    def close(self) -> None:
        """Hang up."""
        self._sender.close()

    def end(self) -> None:
        """Put everything back as it was, and send the rest."""
        self.restore()
        if self._ticker is not None:
            self._ticker.stop()

    def restore(self) -> None:
        """Put the apps back. Calls that are under way go on, traced."""
        for spot, app, traced in self._before:
            if spot.app is traced:
                spot.put(app)
        self._before.clear()
        forget(self._recorder)


_attached: dict[str, Attached] = {}
"""What goes on here, by the address of the command."""


def attach(order: Order) -> None:
    """Trace what this process serves, as a command wants it, and tell it if that cannot be."""
    address, key = order["address"], bytes.fromhex(order["key"])
    try:
        attached = Attached(order)
        if attached.begin():
            _attached[address] = attached
        else:
            report(address, key, "nothing", NOTHING)
    except Exception as error:
        report(address, key, "failed", f"{type(error).__name__}: {error}")


def detach(address: str) -> None:
    """Put back what was there before a command came."""
    attached = _attached.pop(address, None)
    if attached is not None:
        attached.end()
