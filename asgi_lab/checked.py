"""The rules, beside the tracer: each call of a layer is checked as it goes, and goes on unchanged.

    app <- counted calls <- traced door <- checked door <- server, or the layer outside

The checked door lies outside the traced one, so that a finding follows the event that it is about.
The app gets plain functions in front of both: they alone see a call that is never awaited. What is
checked, and what the rules are, is in `asgi_lab.spec`; here is only where things come from.

Nothing here raises: a message that resists being looked at is not looked at.
"""

import asyncio
import inspect
import sys
from asyncio import _get_running_loop
from collections.abc import Awaitable, Callable
from contextlib import suppress
from operator import is_, itemgetter
from types import CoroutineType, FrameType
from typing import Any

from asgi_lab.atoms import Facts, raised_at
from asgi_lab.lives import Lives
from asgi_lab.recorder import Recorder
from asgi_lab.running import current
from asgi_lab.source import caller, defined, is_library, place
from asgi_lab.spec import common
from asgi_lab.spec.case import Case, Finding
from asgi_lab.spec.machine import ASK, RAISE, RECEIVE, RETURN, SEND
from asgi_lab.spec.rules import group
from asgi_lab.spec.step import Findings, answered, opened, step
from asgi_lab.tracer import traced_call
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send
from asgi_lab.verdicts import Place, Verdicts

CANCEL = "cancel"

KEYS = ("type", "scheme", "path", "query_string", "headers", "client", "method")
"""What of a scope is the server's. The rest, and root_path, frameworks change as they route."""

_given = itemgetter(*KEYS)
_given_socket = itemgetter(*KEYS[:-1])

OUTERMOST = ("R2", "R5")
"""Rules of servers that do not bind a middleware: one may undo the client's compression."""

LEFT = ("H19", "H20", "W12", "W13")
"""Rules about what is done after the client has left."""

NOT_KNOWN = Case(None)

Wrap = Callable[[ASGIApp], ASGIApp]


class Checker:
    """Checks all connections of a traced app. `call` stands in the place of `traced_call`."""

    def __init__(self, recorder: Recorder, wrap: Wrap | None, layers: bool) -> None:
        self.recorder = recorder
        self.lives = Lives()
        self._wrap = wrap
        self._layers = layers
        self._verdicts: dict[int, Verdicts] = {}
        self.told: set[tuple[str, str]] = set()
        """What has been said of scopes: a server's are all alike, so once is enough."""

    async def call(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, layer: int, facts: Facts
    ) -> Any:
        """Call an app as the given layer of the current connection, traced and checked."""
        recorder, number, _ = current.get()
        if recorder is not self.recorder:
            return await traced_call(app, scope, receive, send, layer, facts)
        door = Door(self._verdicts_of(number, layer), self, app, layer)
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

    def is_news(self, finding: Finding) -> bool:
        """Return whether this is to be told: of a scope, each thing is told once."""
        if group(finding.rule) != "S" and finding.rule != "G8":
            return True
        known = finding[:2] in self.told
        self.told.add(finding[:2])
        return not known


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

    def __init__(self, verdicts: Verdicts, checker: Checker, app: ASGIApp, layer: int) -> None:
        self.verdicts = verdicts
        self.checker = checker
        self.lives = checker.lives
        self.layer = layer
        self.app = app
        self.case = NOT_KNOWN
        self.scope: Any = None
        self._given: tuple[Any, ...] = ()
        self._opening: Findings = ()
        self.blind = False
        """Whether something resisted being looked at: from then on nothing is known for sure."""
        verdicts.apps[layer] = app
        self._calls: list[tuple[FrameType, int]] = []
        """Calls of send and receive that have not begun: who made them, at which instruction."""
        self._frame: FrameType | None = None
        self._told_in = 0
        """The task that was told that the client has left."""

    # --- what passes

    @looks
    def opens(self, scope: Any) -> None:
        """Take the scope."""
        self.case, findings = opened(scope)
        if type(scope) is dict:
            self.scope, self._given = scope, given(scope)
        if not self.layer:
            findings += self.lives.begins(self, scope, _get_running_loop())
            if hasattr(self.app, "legacy"):
                findings += (Finding("G8", "the app takes the scope alone, as in ASGI 2"),)
        self._opening = tuple(filter(self.checker.is_news, findings))

    @looks
    def _begins(self) -> None:
        """Tell what was wrong from the beginning, now that the call has been noted."""
        if self._opening:
            app = getattr(self.app, "legacy", self.app)
            self._tell(self._opening, lambda: defined(app))

    @looks
    def sends(self, message: Any) -> Findings:
        """Take a message of the app; return which rules it breaks."""
        self.case, findings = step(self.case, SEND, message)
        if findings:
            findings = self._knowing(findings)
            self._tell(findings, lambda: caller(sys._getframe()))
        return findings

    @looks
    def sent(self, message: Any, error: BaseException | None, faults: Findings) -> None:
        """Take note of how the server, or the layer outside, took a message."""
        self.case, findings = answered(self.case, message, error, faults)
        if findings and not self.layer:
            self._tell(findings, lambda: caller(sys._getframe()))

    @looks
    def asks(self) -> None:
        """Take note that the app asks for a message."""
        self.case, findings = step(self.case, ASK)
        if findings:
            self._tell(self._knowing(findings), lambda: caller(sys._getframe()))

    @looks
    def receives(self, message: Any) -> None:
        """Take a message for the app."""
        self.case, findings = step(self.case, RECEIVE, message)
        if self.case.heard == "gone":
            self._told_in = task()
        if not self.layer and self.case.type == "lifespan":
            findings += self.lives.hears(self)
        if findings:
            self._tell(findings, lambda: caller(sys._getframe()))

    @looks
    def ends(self, verb: str, error: BaseException | None = None) -> None:
        """Take note of how the call ended."""
        frame, self._frame = self._frame, None
        calls, self._calls = self._calls, []
        for by, instruction in calls if verb != CANCEL else ():
            self._broken(Finding("G5", "a call of send() or receive() was not awaited"),
                         (place(by, line_of(by, instruction)), True))  # fmt: skip
        stopping = self.case.type == "lifespan" and self.case.stands == "stopping"
        self.case, findings = step(self.case, verb, error)
        if verb == CANCEL and stopping and not self.layer:
            what = "the app was cancelled before it had answered lifespan.shutdown"
            findings += (Finding("L-5", what),)
        self._tell(findings, lambda: (raised_at(error) if error else place_of(frame), True))
        if self.scope is not None:
            before, after = self._given, given(self.scope)
            if not all(map(is_, before, after)) and before != after:
                now = zip(KEYS, before, after, strict=False)
                key = next(key for key, old, new in now if old != new)
                finding = Finding("G6", f"scope['{key}'] was changed in place")
                self._tell((finding,), lambda: defined(self.app))
        self.scope, self._given = None, ()

    def closes(self) -> None:
        """Take note that the connection is over."""
        with suppress(Exception):
            self.verdicts.close()
        self.lives.ends(self)

    def _knowing(self, findings: Findings) -> Findings:
        """Leave out what a task did that could not know that another was told of the end."""
        knows = self._told_in in (0, task())
        return tuple(f for f in findings if knows or f.rule not in LEFT)

    def _broken(self, finding: Finding, at: Place) -> None:
        self.case = self.case.marked(broken=True)
        self.verdicts.at_once(self.layer, finding, at)

    def _tell(self, findings: Findings, where: Callable[[], Place]) -> None:
        for finding in findings:
            if group(finding.rule) in ("G", "H", "W", "L", "X"):
                self.verdicts.of_app(self.layer, finding, where)
            elif not self.layer or finding.rule not in OUTERMOST:
                self.verdicts.of_server(self.layer, finding, where)

    # --- where it passes

    def outside(self, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """Return `receive` and `send` so that what passes is checked."""
        calls = self._calls

        async def checked_receive() -> Message:
            if calls:
                calls.pop()
            known = common.asked(self.case)
            if known is None:
                self.asks()
            else:
                self.case = known
            message = await receive()
            known = common.received(self.case, message)
            if known is None:
                self.receives(message)
            else:
                self.case = known
            return message

        async def checked_send(message: Message) -> None:
            if calls:
                calls.pop()
            faults: Findings = ()
            known = common.sent(self.case, message)
            if known is None:
                faults = self.sends(message)
            else:
                self.case = known
            try:
                await send(message)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self.sent(message, error, faults)
                raise
            if faults:
                self.sent(message, None, faults)

        return checked_receive, checked_send

    def inside(self, app: ASGIApp) -> ASGIApp:
        """Return the app so that calls which are never awaited are seen, and where it returned."""

        def entered(scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
            self._begins()
            coro = app(scope, *self._counted(receive, send))
            if type(coro) is CoroutineType:
                self._frame = coro.cr_frame
            return coro

        return entered

    def _counted(self, receive: Receive, send: Send) -> tuple[Receive, Send]:
        note = self._calls.append

        def traced_receive() -> Any:
            frame = sys._getframe(1)
            note((frame, frame.f_lasti))
            return receive()

        def traced_send(*message: Any, **named: Any) -> Any:
            frame = sys._getframe(1)
            if len(message) != 1 or named:
                self._wrong_call(len(message) + len(named), frame)
                return send(*message, **named)
            note((frame, frame.f_lasti))
            return send(*message)

        return coroutine_function(traced_receive), coroutine_function(traced_send)

    @looks
    def _wrong_call(self, count: int, frame: FrameType) -> None:
        what = f"send() was called with {count} arguments"
        if count == 1:
            what = "send() was called with its message as a keyword"
        self._broken(Finding("G5", what), (place(frame, frame.f_lineno), True))


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


def task() -> int:
    """Return a number for the task that is at work; 0 if that is none of asyncio's."""
    try:
        return id(asyncio.current_task())
    except RuntimeError:
        return 0


def coroutine_function(function: Any) -> Any:
    """Mark a plain function as one that returns a coroutine, for those who ask before they call."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


def place_of(frame: FrameType | None) -> str:
    """Return where a call ended, if that was in the user's code."""
    if frame is None or is_library(frame.f_code.co_filename):
        return ""
    return place(frame, frame.f_lineno)


def line_of(frame: FrameType, instruction: int) -> int:
    """Return the line of an instruction, given in bytes of the frame's code."""
    lines = frame.f_code.co_lines()
    found = (line for start, end, line in lines if start <= instruction < end and line)
    return next(found, frame.f_code.co_firstlineno)
