"""The rules, beside the tracer: each call of a layer is checked as it goes, and goes on unchanged.

A call that is never awaited does nothing that could be seen; but Python says so when it throws its
coroutine away, and is asked to tell the door whose coroutine that was.
"""

import asyncio
import sys
import warnings
from collections.abc import Callable
from typing import Any

from asgi_lab.atoms import Facts
from asgi_lab.checked_door import Door
from asgi_lab.lives import Lives
from asgi_lab.recorder import Recorder
from asgi_lab.running import current
from asgi_lab.source import caller
from asgi_lab.spec.machine import RAISE, RETURN
from asgi_lab.spec.step import CANCEL
from asgi_lab.tracer import traced_call
from asgi_lab.types import ASGIApp, Receive, Scope, Send
from asgi_lab.verdicts import Verdicts

Wrap = Callable[[ASGIApp], ASGIApp]


class Checker:
    """Checks all connections of a traced app. `call` stands in the place of `traced_call`."""

    def __init__(self, recorder: Recorder, wrap: Wrap | None, layers: bool) -> None:
        self.recorder = recorder
        self.lives = Lives()
        self._wrap = wrap
        self._layers = layers
        self._verdicts: dict[int, Verdicts] = {}
        follow_unawaited()

    async def call(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, layer: int, facts: Facts
    ) -> Any:
        """Call an app as the given layer of the current connection, traced and checked."""
        recorder, number, _ = current.get()
        if recorder is not self.recorder:
            return await traced_call(app, scope, receive, send, layer, facts)
        door = Door(self._verdicts_of(number, layer), self.lives, app, layer)
        door.opens(scope)
        entered = door.inside(app)
        if self._wrap is not None and not layer:
            entered = self._wrap(entered)
        try:
            result = await traced_call(entered, scope, *door.outside(receive, send), layer, facts)
        except asyncio.CancelledError:
            door.ends(CANCEL)
            raise
        except BaseException as error:
            door.ends(RAISE, error)
            raise
        else:
            door.ends(RETURN)
            return result
        finally:
            if not layer:
                self._verdicts.pop(number, None)
                door.closes()

    def _verdicts_of(self, number: int, layer: int) -> Verdicts:
        if not layer or number not in self._verdicts:
            self._verdicts[number] = Verdicts(self.recorder, number, self._layers)
        return self._verdicts[number]


OURS = ("traced_door.<locals>.traced_send", "traced_door.<locals>.traced_receive")


def follow_unawaited() -> None:
    """Let Python say which call of send or receive it throws away: it warns of each coroutine."""
    original: Any = getattr(warnings, "_warn_unawaited_coroutine", None)
    if original is None or getattr(original, "asgi_lab", False):
        return

    def warn(coro: Any) -> None:
        try:
            if coro.__qualname__ in OURS:
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
    for cell in kept[name].__closure__:
        if type(cell.cell_contents) is Door:
            what = f"a call of {name}() was not awaited"
            cell.cell_contents.miscalled(what, caller(sys._getframe()))
