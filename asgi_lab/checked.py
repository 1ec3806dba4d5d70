"""The rules, beside the tracer: each call of a layer is checked as it goes, and goes on unchanged.

A call that is never awaited does nothing that could be seen; but Python says so when it throws its
coroutine away, and is asked to tell the door whose coroutine that was.
"""

import sys
import warnings
from collections.abc import Awaitable
from typing import Any

from asgi_lab.atoms import Facts
from asgi_lab.checked_door import Door
from asgi_lab.lives import Lives
from asgi_lab.recorder import Recorder
from asgi_lab.running import current, is_door
from asgi_lab.source import caller, defined
from asgi_lab.tracer import traced_call
from asgi_lab.types import ASGIApp, Receive, Scope, Send
from asgi_lab.verdicts import Verdicts


class Checker:
    """Checks all connections of a traced app. `call` stands in the place of `traced_call`."""

    def __init__(self, recorder: Recorder, sliced: bool, layers: bool) -> None:
        self.recorder = recorder
        self.lives = Lives()
        self._sliced = sliced
        self._layers = layers
        follow_unawaited()

    def call(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, layer: int, facts: Facts
    ) -> Awaitable[Any]:
        """Call an app as the given layer of the current connection, traced and checked."""
        recorder, number, _ = current.get()
        if recorder is not self.recorder:
            return traced_call(app, scope, receive, send, layer, facts)
        verdicts = self.lives.open.get(number) if layer else None
        if verdicts is None:
            verdicts = self.lives.open[number] = Verdicts(recorder, number, self._layers)
        door = Door(verdicts, self.lives, app, layer, self._sliced, receive, send)
        door.opens(scope)
        return traced_call(door.enter, scope, door.receive, door.send, layer, facts, door.ends)


def follow_unawaited() -> None:
    """Let Python say which call of send or receive it throws away: it warns of each coroutine."""
    original: Any = getattr(warnings, "_warn_unawaited_coroutine", None)
    if original is None or getattr(original, "asgi_lab", False):
        return

    def warn(coro: Any) -> None:
        try:
            if is_door(coro):
                unawaited(coro)
        except Exception:
            pass  # it was not as it used to be
        original(coro)

    warn.asgi_lab = True  # type: ignore[attr-defined]
    warnings._warn_unawaited_coroutine = warn  # type: ignore[attr-defined]


def unawaited(coro: Any) -> None:
    """Tell the door of a coroutine that it is thrown away, by the code that is at work."""
    kept = coro.cr_frame.f_locals
    name = "send" if "send" in kept else "receive"
    door = kept[name].__self__
    if type(door) is Door:
        at = caller(sys._getframe())
        if not at[1]:  # thrown away with an exception, when the app is gone
            at = defined(door.app)
        door.miscalled(f"a call of {name}() was not awaited", at)
