"""An asyncio event loop in virtual time.

It is asyncio's own `BaseEventLoop`, with another idea of waiting: where a real loop asks the
operating system to wake it, this one parks its thread in the world. There is no selector and no
socket; connections are in memory (see `network`).

Three things are made to depend on order alone: timers due at the same moment fire in the order in
which they were set (asyncio's heap shuffles them); and tasks, futures and asynchronous generators
hash by the order of creation, so that sets of them are walked in that order.
"""

import asyncio
import heapq
import math
import weakref
from asyncio import base_events, events
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from asgi_lab.clock.actor import this_actor
from asgi_lab.clock.errors import Refused
from asgi_lab.clock.world import NS, World


class Timer(events.TimerHandle):
    """A timer that fires after those that were set before it for the same moment."""

    __slots__ = ("at", "order")
    at: int
    order: int

    def __lt__(self, other: Any) -> bool:
        return (self.at, self.order) < (other.at, other.order)


class VirtualTask(asyncio.Task[Any]):
    """A task that hashes by its number."""

    __slots__ = ("number",)

    def __init__(self, coro: Any, *, world: World, name: Any = None, **options: Any) -> None:
        self.number = next(world.tasks)
        super().__init__(coro, name=name or f"Task-{self.number}", **options)

    def __hash__(self) -> int:
        return self.number

    def set_name(self, value: Any) -> None:
        """Name it; Python 3.13.0 to 3.13.2 call this with None for a task that got no name."""
        if value is not None:
            super().set_name(value)


class VirtualFuture(asyncio.Future[Any]):
    """A future that hashes by its number, and knows since when (ns) it is waited for."""

    __slots__ = ("number", "since")

    def __init__(self, *, loop: "VirtualLoop") -> None:
        world = loop.world
        self.number, self.since = next(world.futures), world.now
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class OrderedWeakSet:
    """Walks its members in the order in which they came."""

    def __init__(self) -> None:
        self._numbers = count()
        self._members: dict[int, Any] = {}

    def add(self, member: Any) -> None:
        """Add a member; it may go at any time."""
        key = id(member)
        self._members[key] = weakref.ref(member, lambda _: self._members.pop(key, None))

    def discard(self, member: Any) -> None:
        """Remove a member."""
        self._members.pop(id(member), None)

    def clear(self) -> None:
        """Remove all."""
        self._members.clear()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Any]:
        return iter([m for ref in list(self._members.values()) if (m := ref()) is not None])


_Loop: Any = base_events.BaseEventLoop


class VirtualLoop(_Loop):  # type: ignore[misc]
    """An event loop of a world. `latency` of its connections is the world's, in ns."""

    _scheduled: list[Any]
    _default_executor: Any

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self._selector = self  # `BaseEventLoop` waits by calling `_selector.select(timeout)`
        self._clock_resolution = 1e-9
        self._asyncgens = OrderedWeakSet()
        self._orders = count()
        self._called = False
        self._actor: Any = None
        self.set_task_factory(
            lambda loop, coro, **options: VirtualTask(coro, loop=loop, world=world, **options)
        )

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self.world.now / NS

    def create_future(self) -> VirtualFuture:
        """Make a future."""
        return VirtualFuture(loop=self)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Timer:
        """Call back at a time, rounded to the nearest nanosecond."""
        self._check_closed()
        never = when == math.inf  # as in `anyio.sleep_forever()`
        at = 0 if never else round(when * NS)
        timer = Timer(when if never else at / NS, callback, args, self, context)
        timer.at, timer.order = at, next(self._orders)
        if not never:
            heapq.heappush(self._scheduled, timer)
            timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def select(self, timeout: float | None) -> tuple[()]:
        """Wait until a timer is due or another thread calls; with 0, let others have a turn."""
        actor = self._actor = this_actor()
        assert actor is not None
        actor.loop = self
        if self._called or timeout == 0:
            self._called = False
            self.world.turn(self._scheduled[0].at if self._scheduled else None)
        else:
            self.world.park(None if timeout is None else self._scheduled[0].at, self)
            self._called = False
        return ()

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        """Wake the loop: `call_soon_threadsafe` was called, perhaps by another thread."""
        if self._actor is not None and self._actor is not this_actor():
            self._called = True
            self.world.wake(self._actor, self)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Use a default pool of the same size on every machine."""
        if executor is None and self._default_executor is None:
            self._default_executor = ThreadPoolExecutor(self.world.pool_size, "asyncio")
        return super().run_in_executor(executor, func, *args)

    async def create_server(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Listen in memory."""
        from asgi_lab.clock.network import listen

        self._no_tls(options)
        if options.get("sock") is not None:
            self._refuse("a server on a real socket")
        return listen(self, protocol_factory, host, port)

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Connect in memory."""
        from asgi_lab.clock.network import connect

        self._no_tls(options)
        if options.get("sock") is not None:
            self._refuse("a connection on a real socket")
        return await connect(self, protocol_factory, host, port)

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        """Every name is its own address."""
        name = host.decode() if isinstance(host, bytes) else host
        return [(2, 1, 6, "", (name, port or 0))]

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        """Every address is its own name."""
        return sockaddr[0], str(sockaddr[1])

    def add_signal_handler(self, *_: Any) -> None:
        """Raise NotImplementedError, as on Windows: callers know what to do without."""
        raise NotImplementedError

    def _no_tls(self, options: dict[str, Any]) -> None:
        if options.get("ssl"):
            self._refuse("TLS")

    def _refuse(self, what: str) -> Any:
        text = f"{what} cannot be simulated in virtual time; use the real clock: clock=real()"
        self.world.fail(Refused(text))


REFUSED = {
    "a subprocess": "subprocess_exec subprocess_shell",
    "a real file descriptor": "add_reader add_writer connect_read_pipe connect_write_pipe",
    "a datagram socket": "create_datagram_endpoint",
    "a Unix socket": "create_unix_server create_unix_connection",
    "a real socket": "sock_connect sock_accept sock_recv sock_recv_into sock_sendall sock_sendfile",
}
"""Methods of event loops that need the system, and what they are for."""


def _refused(what: str) -> Callable[..., Any]:
    def refuse(self: VirtualLoop, *_: Any, **__: Any) -> Any:
        self._refuse(what)

    return refuse


for _what, _names in REFUSED.items():
    for _name in _names.split():
        setattr(VirtualLoop, _name, _refused(_what))
