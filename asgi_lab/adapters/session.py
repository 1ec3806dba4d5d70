"""One run of `asgi-lab trace`: a server process, a collector, and whoever watches.

    with Session(order, watcher) as session:    # the server is up, or SessionError says why not
        session.drive(requests) or session.wait()
    session.trace                               # after the server has ended

Everything that is recorded goes through the session's one recorder; the watcher and the file are
its followers, and get the same events.
"""

import asyncio
import json
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Protocol

from asgi_lab.adapters.collector import Collector
from asgi_lab.adapters.hosting import VARIABLE
from asgi_lab.adapters.process import ServerProcess, free_port
from asgi_lab.adapters.servers import SERVERS, Options, Server, ServerError, choose_server
from asgi_lab.client import Request, Result, drive
from asgi_lab.events import Event, Trace, decode
from asgi_lab.files import snapshot
from asgi_lab.interface import Interface
from asgi_lab.recorder import LIMIT, Record, Recorder
from asgi_lab.ticker import Ticker

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
"""Addresses that mean every interface, and where to reach a server that listens on them."""


class SessionError(Exception):
    """The app cannot be served; the message is for the user. `code` is the exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Order:
    """What to trace, and how."""

    target: str
    app_dir: str = "."
    factory: bool = False
    server: str | None = None
    options: Options = field(default_factory=Options)
    layers: bool = True
    redact: bool = True
    max_events: int = LIMIT
    record: Path | None = None


class Watcher(Protocol):
    """Whoever watches a session live. Both are called from other threads."""

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events, and how many have been lost in all."""

    def log(self, line: str) -> None:
        """Take a line that the server or the app printed."""


class Session:
    """A target served and traced, from `__enter__` to `__exit__`."""

    def __init__(self, order: Order, watcher: Watcher) -> None:
        port = free_port(order.options.host, order.options.port)
        self.order = replace(order, options=replace(order.options, port=port))
        self.watcher = watcher
        self.recorder = Recorder(limit=order.max_events, redact=False)  # masked where it was noted
        self.collector = Collector(self.recorder, secrets.token_bytes(16), self._on_report)
        self.server: Server = SERVERS[order.server or "uvicorn"]
        self.ticker = Ticker(self.recorder, watcher.log)
        self._report: tuple[str, str] | None = None
        self._reported = threading.Event()
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """Where the server can be reached from here."""
        host = ANY_ADDRESS.get(self.order.options.host, self.order.options.host)
        return f"http://{replace(self.order.options, host=host).bind}"

    @property
    def server_name(self) -> str:
        """The server and its version."""
        name = self.server.name
        return name if self.server.module else f"{name} {version(name)}"

    @property
    def lost(self) -> int:
        """Events that are missing: dropped in the app's process, or forgotten in this one."""
        return self.collector.lost + self.recorder.dropped

    @property
    def trace(self) -> Trace:
        """What has been recorded so far; after the end, all of it."""
        taken = snapshot(self.recorder)
        return replace(taken, header={**taken.header, **self._header()}, dropped=self.lost)

    def __enter__(self) -> "Session":
        if self.order.record is not None:
            self.ticker.record(self.order.record, self._header)
        self.ticker.follow(Feed(self))
        try:
            self._start("asgi" if "asgi" in self.server.serves else "wsgi")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def drive(self, requests: Sequence[Request], count: int, concurrency: int) -> Counter[str]:
        """Send the requests over real sockets, and wait for their results.

        Returns how often each error was met on the client's side.
        """
        errors: Counter[str] = Counter()

        def note(result: Result) -> None:
            if result.error:
                errors[f"{result.request}: {result.error}"] += 1

        asyncio.run(drive(self.url, requests, count=count, concurrency=concurrency, on_result=note))
        return errors

    def wait(self) -> None:
        """Wait until the server ends by itself. Raises `SessionError` if it fails."""
        assert self._process is not None
        while self._process.exit_code is None:
            self._reported.wait(0.2)
            self._check_report()
        raise SessionError(self._ended(), 1)

    def close(self) -> None:
        """End the server politely, and take in all that was recorded."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        self.collector.finish(timeout=5.0)
        self.ticker.stop()

    def _start(self, interface: Interface) -> None:
        self.server.check(self.order.options)
        argv = self.server.argv(self.order.options, interface)
        self._process = ServerProcess(argv, self._environ(interface), self.watcher.log)
        self.ticker.start()
        try:
            self._wait_ready()
        except _OtherInterface as other:
            self._restart(other.interface)

    def _restart(self, interface: Interface) -> None:
        """The app speaks another interface than was assumed: serve it by another server."""
        assert self._process is not None
        self._process.stop(1.0)
        try:
            self.server = choose_server(self.order.server, interface)
        except ServerError as error:
            raise SessionError(f"{self.order.target}: {error}") from None
        self._report = None
        self._reported.clear()
        self._start(interface)

    def _environ(self, interface: Interface) -> dict[str, str]:
        order = self.order
        hosted = {
            "target": order.target,
            "app_dir": order.app_dir,
            "factory": order.factory,
            "serves": interface,
            "layers": order.layers,
            "redact": order.redact,
            "max_events": order.max_events,
            "address": self.collector.address,
            "key": self.collector.key.hex(),
        }
        return {VARIABLE: json.dumps(hosted)}

    def _wait_ready(self) -> None:
        """Knock until the server accepts connections, or has said why it will not."""
        options = self.order.options
        address = (ANY_ADDRESS.get(options.host, options.host), options.port)
        pause = 0.01
        while True:
            self._check_report()
            assert self._process is not None
            if self._process.exit_code is not None:
                self._reported.wait(0.5)
                self._check_report()
                raise SessionError(self._ended(), 1)
            try:
                socket.create_connection(address, timeout=1.0).close()
            except OSError:
                time.sleep(pause)
                pause = min(pause * 1.5, 0.1)
            else:
                break

    def _check_report(self) -> None:
        if self._report is None:
            return
        kind, text = self._report
        if kind == "interface":
            raise _OtherInterface("wsgi" if text == "wsgi" else "asgi")
        raise SessionError(text)

    def _on_report(self, kind: str, text: str) -> None:
        self._report = (kind, text)
        self._reported.set()

    def _ended(self) -> str:
        assert self._process is not None
        code = self._process.exit_code
        how = f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}"
        return f"{self.server.name} {how}; what it said is above"

    def _header(self) -> dict[str, object]:
        told = self.collector.header
        known: dict[str, object] = {
            key: told[key] for key in ("python", "frameworks", "pid") if key in told
        }
        name, _, number = self.server_name.partition(" ")
        return {
            **known,
            "target": self.order.target,
            "server": f"{name} {number}".strip(),
            "redacted": self.order.redact,
        }


class _OtherInterface(Exception):
    def __init__(self, interface: Interface) -> None:
        super().__init__(interface)
        self.interface = interface


class Feed:
    """A follower (see `asgi_lab.ticker`) that hands a session's events to its watcher."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def write(self, first: int, records: list[Record]) -> None:
        """Hand over the events of these records."""
        origin = self._session.recorder.origin
        events = [decode(record, first + i, origin) for i, record in enumerate(records)]
        self._session.watcher.feed(events, self._session.lost)

    def close(self) -> None:
        """Nothing to close."""
