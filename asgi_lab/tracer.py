"""`trace(app)`: stand between a server and an app, and note what passes.

The app is called with the server's own scope, and gets two closures in place of the server's
`receive` and `send`. Each awaits the original directly: the same message objects, exceptions,
cancellations and backpressure go through, and nothing is queued.

The closures are the hot path, a few hundred nanoseconds each. That is why they are plain
`async def` closures (CPython runs an `await` of one coroutine in another without leaving the
interpreter loop), why the two most common messages are unpacked on the spot, and why they append
one flat tuple to a list and leave all else for later.
"""

import asyncio
from asyncio import _get_running_loop
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from asgi_lab.atoms import (
    PREVIEW,
    Facts,
    common_message,
    common_scope,
    freeze_error,
    freeze_message,
    freeze_scope,
)
from asgi_lab.layers import tap_layers
from asgi_lab.recorder import BATCH, Recorder
from asgi_lab.running import current, follow_tasks, slices
from asgi_lab.standin import StandIn
from asgi_lab.threads import follow_threads
from asgi_lab.ticker import Ticker
from asgi_lab.types import ASGIApp, Message, Receive, Scope, Send
from asgi_lab.wire import Wire, arrived

if TYPE_CHECKING:
    from asgi_lab.events import Trace
    from asgi_lab.watchdog import Watch

here = current.get

Ended = Callable[[str, BaseException | None], None] | None


class Tracer(StandIn):
    """An ASGI app that calls another and records what passes; see `asgi_lab.trace`.

    It can stand wherever the app stood: other attributes are the app's own.
    """

    __slots__ = (
        "_call", "_entry", "_limit", "_run", "_threads_followed", "_watch", "app", "recorder",
        "ticker",
    )  # fmt: skip

    def __init__(
        self,
        app: ASGIApp,
        recorder: Recorder,
        *,
        run: bool,
        layers: bool,
        rules: bool = False,
        watchdog: float | None = None,
    ) -> None:
        super().__init__(app)
        self.app = app
        self.recorder = recorder
        self.ticker = Ticker(recorder)
        self._run = run
        self._call: Callable[..., Awaitable[Any]] = traced_call
        if rules:
            from asgi_lab.checked import Checker

            self._call = Checker(recorder, run, layers).call
        entry = tap_layers(app, self._call) if layers else app
        self._entry = sliced(entry) if run and not rules else entry
        self._threads_followed = False
        self._limit = watchdog
        self._watch: Watch | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the app with this very scope, and a traced `receive` and `send`."""
        recorder = self.recorder
        place = (recorder, next(recorder.connections) << 8, next(recorder.tasks))
        self.ticker.start()
        if self._run:
            self._follow()
        if self._limit is not None:
            self._guard(self._limit)
        token = current.set(place)
        wire = arrived.get()
        if wire is not None:
            wire[0].serves(wire[1], recorder, place[1])
        try:
            facts = common_scope(scope) or recorder.keep(freeze_scope(scope))
            return await self._call(self._entry, scope, receive, send, 0, facts)
        finally:
            if wire is not None:
                wire[0].served(wire[1])
            try:
                current.reset(token)
            except ValueError:
                pass  # a server may end this call in another context
            if len(recorder.ring) >= BATCH:
                recorder.drain()

    @property
    def trace(self) -> "Trace":
        """What has been recorded so far."""
        from asgi_lab.files import snapshot

        return snapshot(self.recorder)

    @property
    def asgi_lab_observe(self) -> Wire:
        """Take what a server tells of its wire: `asgi_lab.server` looks for this on its app."""
        return Wire(self.recorder)

    def _follow(self) -> None:
        if not self._threads_followed:
            self._threads_followed = follow_threads()
        loop = _get_running_loop()
        if loop is not None:  # asyncio's: other libraries' tasks cannot be followed
            follow_tasks(loop)

    def _guard(self, limit: float) -> None:
        loop = _get_running_loop()
        if loop is None or (self._watch is not None and self._watch.loop() is loop):
            return
        from asgi_lab.watchdog import watch

        self._watch = watch(self.recorder, loop, limit)
        if self._watch is None:
            self._limit = None


def sliced(app: ASGIApp) -> ASGIApp:
    """Return an app that notes when its coroutine holds the event loop."""

    def call(scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        coro: Any = app(scope, receive, send)
        return slices(coro, *current.get()) if type(coro) is CoroutineType else coro

    return call


async def traced_call(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    layer: int,
    facts: Facts,
    ended: Ended = None,
) -> Any:
    """Call `app` as the given layer of the connection that is current here.

    `ended` is told, last of all, how the call ended: by `return`, `raise` or `cancel`.
    """
    recorder, door, task = current.get()
    if recorder is None:  # the connection is not traced
        return await app(scope, receive, send)
    door += layer
    append, now = recorder.append, recorder.clock
    began = now()
    append((began, "scope", door, task, *facts))
    try:
        result = await app(scope, *traced_door(receive, send, recorder, door))
    except asyncio.CancelledError:
        append((now(), "cancel", door, task, began))
        if ended is not None:
            ended("cancel", None)
        raise
    except BaseException as error:
        append((now(), "raise", door, task, began, *recorder.keep((freeze_error(error),))))
        if ended is not None:
            ended("raise", error)
        raise
    append((now(), "return", door, task, began))
    if ended is not None:
        ended("return", None)
    return result


def traced_door(
    receive: Receive, send: Send, recorder: Recorder, door: int
) -> tuple[Receive, Send]:
    """Return `receive` and `send` so that they note what passes, when, and how long it waited."""
    append, now, keep, ring = recorder.append, recorder.clock, recorder.keep, recorder.ring

    async def traced_receive() -> Message:
        task = here()[2]
        if len(ring) >= BATCH:  # some connections stay
            recorder.drain()
        began = now()
        append((began, "receive", door, task))
        try:
            message = await receive()
        except BaseException as error:
            append((now(), "received", door, task, began, (("error", type(error).__name__),)))
            raise
        facts = common_message(message) or keep(freeze_message(message))
        append((now(), "received", door, task, began, *facts))
        return message

    async def traced_send(message: Message) -> None:
        task = here()[2]
        began = now()
        if (
            type(message) is dict
            and type(kind := message.get("type")) is str
            and kind == "http.response.body"
            and type(body := message.get("body")) is bytes
        ):
            more = message.get("more_body") is True
            append(
                (began, "send", door, task, "http.response.body", "body", body[:PREVIEW],
                 len(body), more)
            )  # fmt: skip
        else:
            facts = common_message(message) or keep(freeze_message(message))
            append((began, "send", door, task, *facts))
        try:
            await send(message)
        except BaseException as error:
            append((now(), "sent", door, task, began, type(error).__name__))
            raise
        append((now(), "sent", door, task, began))

    return traced_receive, traced_send
