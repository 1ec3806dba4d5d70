r"""A server of the learner's own, one connection a call: `async def serve(app, reader, writer)`.

    talk_to(serve, app, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")    # real sockets: the bytes that come
    trace = await run_on(serve, app, 20 * [get("/report")])      # virtual time: what has happened

Over real sockets it runs in a thread, with an event loop of its own. So a server that never gives
way holds up neither a notebook nor a check; and whoever waits for it can say at which line it is.
"""

import asyncio
import ctypes
import inspect
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from functools import partial
from types import FrameType
from typing import Any, Self

from asgi_lab.client import SocketDoor, perform
from asgi_lab.client.words import each
from asgi_lab.clock import Real, Virtual, VirtualTimeError, virtual
from asgi_lab.clock.recording import recorder_here
from asgi_lab.clock.where import chain, frame_of, line_of
from asgi_lab.events import Trace
from asgi_lab.experiment.checking import load
from asgi_lab.experiment.doors import is_exact
from asgi_lab.experiment.setup import Done, Setup
from asgi_lab.source import is_library, place

Serve = Callable[[Any, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]
"""Serves one connection, from its first byte to its last: app, reader, writer."""

HOST = "127.0.0.1"

GIVE_WAY = 3.0
"""Seconds after which an event loop that does not take a turn is held by somebody."""

END = 0.5
"""Seconds that a server has to end, before it is ended."""


TURNS = 12
"""Of its loop: one finds bytes, another wakes who waits for them; accepting takes several."""

LOOKS = 20
"""At a thread that holds its loop, to see whether it moves."""


class Enough(SystemExit):
    """Ends a thread that does not end by itself."""


class OwnServer:
    """A server in a thread, on a free port, while this is entered.

    `errors` is what has left `serve` so far, or a task of its own.
    """

    def __init__(self, serve: Serve, app: Any) -> None:
        self.port = 0
        self.errors: list[BaseException] = []
        self._serve, self._app = serve, app
        self._ready: Future[int] = Future()
        self._changed = threading.Condition()
        self._open: dict[asyncio.Task[Any], None] = {}
        self._writers: list[asyncio.StreamWriter] = []
        self._stuck = False
        self._thread = threading.Thread(target=self._run, name="own server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._ready.result()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(0.1 if self._stuck else END)
        for _attempt in range(20):  # one may be caught by a bare `except:`
            if not self._thread.is_alive():
                return
            ident = ctypes.c_ulong(self._thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(Enough))
            self._thread.join(0.1)

    # What is known of it, from outside.

    def gives_way(self, within: float = GIVE_WAY) -> bool:
        """Wait until its event loop has taken all that had come; return False if it does not."""
        for _ in range(TURNS):
            turn = threading.Event()
            self._loop.call_soon_threadsafe(turn.set)
            if not turn.wait(within):
                self._stuck = True
                return False
        return True

    def all_ended(self, within: float) -> bool:
        """Wait until no call of `serve` is under way; return False if one is, after so long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, within)

    def where(self) -> str:
        """Return at which of the learner's lines it is: `it waits at server.py:12 in serve: ...`.

        Of a loop that goes round for ever it is the function: at which line is chance.
        """
        if not self.gives_way():
            return self._held()
        for task in reversed(list(self._open)):
            frames = [frame_of(awaited) for awaited in chain(task.get_coro())]
            own = [f for f in frames if f is not None and not is_library(f.f_code.co_filename)]
            if own:
                return f"it waits at {line_of(own[-1])}"
        return "" if self._open else "no call of serve is under way"

    def _held(self) -> str:
        """Return at which line the thread stands still, or in which function it goes round."""
        looks: set[tuple[str, int]] = set()
        outer = ""
        for _ in range(LOOKS):
            frames = [*own_frames(sys._current_frames().get(self._thread.ident or 0))]
            if frames:
                looks.add((line_of(frames[0]), frames[0].f_lasti))
                outer = place(frames[-1], frames[-1].f_code.co_firstlineno)
            time.sleep(0.01)
        if len(looks) == 1:
            return f"it never gives way: it is at {next(iter(looks))[0]}"
        return f"it never gives way, but goes round and round: {outer}" if outer else ""

    # In its thread.

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Enough:
            pass
        except BaseException as error:
            self.errors.append(error)

    async def _main(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(self._failed)
        server = await asyncio.start_server(self._connected, HOST, 0)
        self._ready.set_result(server.sockets[0].getsockname()[1])
        try:
            await self._end.wait()
        finally:
            server.close()
            for writer in self._writers:  # some `serve` may have left theirs open
                writer.transport.abort()
            for task in self._open:
                task.cancel()
            await asyncio.sleep(0)  # only now are they closed

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: Any = asyncio.current_task()
        self._open[task] = None
        self._writers.append(writer)
        try:
            await called(self._serve, self._app, reader, writer)
        except Exception as error:
            self.errors.append(error)
            writer.close()
        finally:
            with self._changed:
                del self._open[task]
                self._changed.notify_all()

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), Exception):
            self.errors.append(context["exception"])


def own_frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames that are the learner's own, from the innermost to the outermost."""
    while frame is not None:
        if not is_library(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back


async def called(
    serve: Serve, app: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Call `serve` and wait for its end. Raises TypeError if there is nothing to wait for."""
    result = serve(app, reader, writer)
    if not inspect.isawaitable(result):
        raise TypeError(
            "expected `async def serve(app, reader, writer)`; the call has returned "
            f"{type(result).__name__}, which cannot be awaited"
        )
    await result


def talk_to(serve: Serve, app: Any, *pieces: bytes, answers: int = 1) -> bytes:
    """Write these pieces over one connection, each by itself, and return the bytes that come back.

    It ends after so many answers, or when the server hangs up. Raises TimeoutError if it does
    neither within two seconds, and what has left `serve`.
    """
    from asgi_lab.lesson.caller import Caller, Silent

    with OwnServer(serve, app) as server, Caller(server) as caller:
        try:
            for piece in pieces:
                caller.say(piece)
                server.gives_way()
            came = caller.hear(answers)
        except Silent as silent:
            raise TimeoutError(str(silent)) from None
        if server.errors:
            raise server.errors[0]
        return came


async def run_on(
    serve: Serve, app: Any, *clients: Any, clock: Virtual | Real | None = None
) -> Trace:
    """Run an ASGI app against clients on the server `serve(app, reader, writer)`.

    There is no lifespan. Raises TypeError if `app` is no ASGI app, what leaves `serve`, and
    `VirtualTimeError` if clients wait for ever.
    """
    app, interface, target = load(app)
    if interface == "wsgi":
        raise TypeError(f"expected an ASGI app, got {app!r:.80}")
    clock = clock or virtual()
    setup = Setup(app, interface, target, "own", clock)
    done = Done()
    failed: list[BaseException] = []
    writers: list[asyncio.StreamWriter] = []

    async def connected(traced: Any, reader: Any, writer: Any) -> None:
        writers.append(writer)
        try:
            await called(serve, traced, reader, writer)
        except Exception as error:
            failed.append(error)
            writer.close()

    async def whole() -> None:
        done.recorder = recorder_here(on_stop=done.stop)
        traced = setup.traced(done.recorder)
        server = await asyncio.start_server(partial(connected, traced), HOST, 0)
        port = server.sockets[0].getsockname()[1]
        done.begin()
        try:
            door, waiting = SocketDoor(f"http://{HOST}:{port}"), list(each(clients))
            done.results = await perform(door, waiting, timeout=None, on_result=done.note)
        finally:
            server.close()
            for writer in writers:
                writer.transport.close()
        done.exact = is_exact()

    try:
        await clock.wait(whole)
    except VirtualTimeError as error:
        if failed:
            raise failed[0] from None
        error.trace = done.trace(setup)
        raise
    if failed:
        raise failed[0]
    return done.trace(setup)
