"""One call of one layer, checked as it goes: what passes its door, and what the rules say of that.

    app <- traced door <- checked door <- server, or the layer outside

The checked door lies outside the traced one, so that a finding follows the event that it is about.
What is checked, and what the rules are, is in `asgi_lab.spec`; here is only where things come from.

Nothing here raises: a message that resists being looked at is not looked at.
"""

import asyncio
import re
import sys
from asyncio import _get_running_loop
from collections.abc import Awaitable, Callable
from contextlib import suppress
from operator import is_, itemgetter
from types import CoroutineType, FrameType
from typing import Any

from asgi_lab.atoms import raised_at
from asgi_lab.lives import Lives
from asgi_lab.running import TaskSlices, current, slices
from asgi_lab.source import caller, defined, is_library, place
from asgi_lab.spec import common
from asgi_lab.spec.case import Case, Finding
from asgi_lab.spec.machine import ASK, RAISE, RECEIVE, RETURN, SEND
from asgi_lab.spec.rules import group
from asgi_lab.spec.step import CANCEL, Findings, answered, opened, step
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send
from asgi_lab.verdicts import Place, Verdicts

KEYS = ("type", "scheme", "path", "query_string", "headers", "client", "method")
"""What of a scope is the server's. The rest, and root_path, frameworks change as they route."""

HEADERS = KEYS.index("headers")

_given = itemgetter(*KEYS)
_given_socket = itemgetter(*KEYS[:-1])

OUTERMOST = ("R2", "R5")
"""Rules of servers that do not bind a middleware: one may undo the client's compression."""

LEFT = ("H19", "H20", "W12", "W13")
"""Rules about what is done after the client has left."""

AGAIN = ("H20", "W13")
"""Those of asking again: who makes a new task for that has seen what the last one brought."""

NOT_KNOWN = Case(None)

WRONG_CALL = re.compile(r"traced_door\.<locals>\.traced_(send|receive)\(\) .*argument")
"""What Python says of a call of ours with the wrong number of arguments."""


def looks(method: Any) -> Any:
    """Make a method that looks at what passes: whatever it raises is not the app's business."""

    def looking(self: "Door", *given: Any) -> Any:
        if self.blind:
            return ()
        try:
            return method(self, *given)
        except Exception:
            self.blind = True
            return ()

    return looking


class Door:
    """One call of one layer: what is known of it, and how its app is asked and answered."""

    __slots__ = ("_frame", "_given", "_many", "_opening", "_receive", "_send", "_sliced", "_told",
                 "app", "blind", "case", "here", "layer", "lives", "scope", "verdicts")  # fmt: skip

    def __init__(
        self, verdicts: Verdicts, lives: Lives, app: ASGIApp, layer: int, sliced: bool,
        receive: Receive, send: Send,
    ) -> None:  # fmt: skip
        self.verdicts = verdicts
        self.lives = lives
        self.app = app
        self.layer = layer
        self.here = verdicts.door + layer
        self.case = NOT_KNOWN
        self.scope: Any = None
        self.blind = False
        """Whether something resisted being looked at: from then on nothing is known for sure."""
        self._sliced = sliced
        self._receive, self._send = receive, send
        self._given: tuple[Any, ...] = ()
        self._many = 0
        """How many headers the scope had."""
        self._opening: Findings = ()
        self._frame: FrameType | None = None
        self._told = (0, 0, 0)
        """The task that was told that the client has left, the one that made it, and when."""
        verdicts.enters(layer, app)

    # --- what passes

    @looks
    def opens(self, scope: Any) -> None:
        """Take the scope. One that the layer outside has been given, too, has been looked at."""
        opening = self.verdicts.opening
        if type(scope) is dict:
            self.scope, self._given = scope, given(scope)
            headers = self._given[HEADERS]
            self._many = len(headers) if type(headers) is list else 0
            if self.layer and opening is not None and opening[0] is scope:
                self.case = opening[1]
                return
        self.case, findings = opened(scope)
        self.verdicts.opening = (scope, self.case)
        if not self.layer:
            findings += self.lives.begins(self.verdicts, self, scope, _get_running_loop())
            if hasattr(self.app, "legacy"):
                findings += (Finding("G8", "the app takes the scope alone, as in ASGI 2"),)
        self._opening = tuple(filter(self.lives.is_news, findings))

    @looks
    def _begins(self) -> None:
        """Tell what was wrong from the beginning, now that the call has been noted."""
        app = getattr(self.app, "legacy", self.app)
        self._tell(self._opening, lambda: defined(app))

    @looks
    def sends(self, message: Any) -> Findings:
        """Take a message of the app; return which rules it breaks."""
        self.case, findings = step(self.case, SEND, message)
        if findings:
            findings = self._knowing(findings)
            self._tell(findings, self._place)
        return findings

    @looks
    def sent(self, message: Any, error: BaseException | None, faults: Findings) -> None:
        """Take note of how the server, or the layer outside, took a message."""
        self.case, findings = answered(self.case, message, error, faults)
        if findings and not self.layer:
            self._tell(findings, self._place)

    @looks
    def asks(self) -> None:
        """Take note that the app asks for a message."""
        self.case, findings = step(self.case, ASK)
        if findings:
            self._tell(self._knowing(findings), self._place)

    @looks
    def receives(self, message: Any) -> None:
        """Take a message for the app."""
        self.case, findings = step(self.case, RECEIVE, message)
        if self.case.heard == "gone":
            self._told = (*task()[:2], self.verdicts.clock())
        if not self.layer and self.case.type == "lifespan":
            findings += self.lives.hears(self.case)
        if findings:
            self._tell(findings, self._place)

    def ends(self, verb: str, error: BaseException | None = None) -> None:
        """Take note that the call ended, and how."""
        self._ends(verb, error)
        if not self.layer:
            with suppress(Exception):
                self.verdicts.close()
            self.lives.ends(self.verdicts)

    @looks
    def _ends(self, verb: str, error: BaseException | None) -> None:
        frame, self._frame = self._frame, None
        if verb == RETURN and (known := common.returned(self.case)) is not None:
            self.case = known
            self._leaves()
            return
        if verb == RAISE and (wrong := wrong_call(error)):
            self.miscalled(wrong, (raised_at(error) if error else "", True))
        stopping = self.case.type == "lifespan" and self.case.stands == "stopping"
        self.case, findings = step(self.case, verb, error)
        if verb == CANCEL and stopping and not self.layer:
            what = "the app was cancelled before it had answered lifespan.shutdown"
            findings += (Finding("L-5", what),)
        self._tell(findings, lambda: (raised_at(error) if error else place_of(frame), True))
        self._leaves()

    def _leaves(self) -> None:
        """Look whether the scope is as it was."""
        if self.scope is not None:
            before, after = self._given, given(self.scope)
            headers = before[HEADERS]
            key = ""
            if type(headers) is list and len(headers) != self._many:
                key = "headers"
            elif not all(map(is_, before, after)) and before != after:
                now = zip(KEYS, before, after, strict=False)
                key = next(key for key, old, new in now if old != new)
            if key:
                finding = Finding("G6", f"scope['{key}'] was changed in place")
                self._tell((finding,), lambda: defined(self.app))
        self.scope, self._given = None, ()

    def _knowing(self, findings: Findings) -> Findings:
        """Leave out what a task did that could not know that another was told of the end."""
        own, maker, since = task()
        told, told_by, told_at = self._told
        knows = told in (0, own) or (told == maker and since > told_at)
        asks_again = told_by == maker and since > told_at
        return tuple(
            f for f in findings if knows or f.rule not in LEFT or (asks_again and f.rule in AGAIN)
        )

    @looks
    def miscalled(self, what: str, at: Place) -> None:
        """Take note of a call of send or receive that is none: what follows from it is no news."""
        self.case = self.case.marked(broken=True, misled=True)
        self.verdicts.at_once(self.layer, Finding("G5", what), at)

    def _place(self) -> Place:
        """Return where the app is at work; or where it begins, if that is in another thread."""
        at = caller(sys._getframe())
        return at if at[0] else defined(self.app)

    def _tell(self, findings: Findings, where: Callable[[], Place]) -> None:
        for finding in findings:
            if group(finding.rule) in ("G", "H", "W", "L", "X"):
                self.verdicts.of_app(self.layer, finding, where)
            elif not self.layer or finding.rule not in OUTERMOST:
                self.verdicts.of_server(self.layer, finding, where)

    # --- where it passes. What has passed the layer before this one, in the same case, leads to the
    # same case here: it is known by its identity, for as long as it is on its way.

    async def receive(self) -> Message:
        """Receive from outside, and check what comes."""
        shared, case = self.lives, self.case
        before, after = shared.asked
        if before is case:
            self.case = after
        elif (known := common.asked(case)) is None:
            self.asks()
        else:
            self.case = known
            shared.asked = (case, known)
        message = await self._receive()
        case, here = self.case, self.here
        before, passed, after, by = shared.latest
        if before is case and passed == id(message) and here & ~255 <= by < here:
            self.case = after
        elif (known := common.received(case, message)) is None:
            self.receives(message)
        else:
            self.case = known
            shared.latest = (case, id(message), known, here)
        return message

    async def send(self, message: Message) -> None:
        """Check a message, and send it outwards."""
        faults: Findings = ()
        shared, case, here = self.lives, self.case, self.here
        before, passed, after, by = shared.latest
        if before is case and passed == id(message) and here < by <= here | 255:
            self.case = after
        elif (known := common.sent(case, message)) is None:
            faults = self.sends(message)
        else:
            self.case = known
            shared.latest = (case, id(message), known, here)
        try:
            await self._send(message)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.sent(message, error, faults)
            raise
        if faults:
            self.sent(message, None, faults)

    def enter(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        """Call the app, and keep its frame: that tells the line where it returned."""
        if self._opening:
            self._begins()
        coro: Any = self.app(scope, receive, send)
        if type(coro) is CoroutineType:
            self._frame = coro.cr_frame
            if not self.layer and self._sliced:
                return slices(coro, *current.get())
        return coro  # type: ignore[no-any-return]


def given(scope: Any) -> tuple[Any, ...]:
    """Return what the server gave, or as much of it as is there in a scope of another kind."""
    try:
        return _given(scope)  # type: ignore[no-any-return]
    except KeyError:
        pass
    try:
        return _given_socket(scope)  # type: ignore[no-any-return]
    except KeyError:
        return tuple(map(scope.get, KEYS))


def task() -> tuple[int, int, int]:
    """Return a number for the task that is at work; 0 if that is none of asyncio's.

    A task of nothing but a call of ours, as `wait_for` makes it, is at work for the one that made
    it: the second number is that one's, the third is when.
    """
    try:
        own = asyncio.current_task()
    except RuntimeError:
        return 0, 0, 0
    coro: Any = own.get_coro() if own is not None else None
    if type(coro) is TaskSlices and coro.made_by:
        return id(own), coro.made_by, coro.began
    return id(own), 0, 0


def place_of(frame: FrameType | None) -> str:
    """Return where a call ended, if that was in the user's code."""
    if frame is None or is_library(frame.f_code.co_filename):
        return ""
    return place(frame, frame.f_lineno)


def wrong_call(error: BaseException | None) -> str:
    """Say whether an exception comes from a call of send or receive with wrong arguments."""
    found = WRONG_CALL.search(str(error)) if isinstance(error, TypeError) else None
    if found is None:
        return ""
    needs = "takes one message" if found[1] == "send" else "takes no argument"
    return f"{found[1]}() {needs}, and was called otherwise"
