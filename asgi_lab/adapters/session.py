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
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

from asgi_lab.adapters.collector import Collector
from asgi_lab.adapters.feed import Feed
from asgi_lab.adapters.hosting import VARIABLE
from asgi_lab.adapters.order import Order, SessionError, Watcher
from asgi_lab.adapters.process import PATIENCE, ServerProcess, answers, free_port, reachable
from asgi_lab.adapters.servers import SERVERS, Server, ServerError, choose_server
from asgi_lab.client import Request, Result, drive
from asgi_lab.events import Trace
from asgi_lab.files import FileWriter, snapshot
from asgi_lab.interface import Interface
from asgi_lab.recorder import Recorder
from asgi_lab.ticker import Ticker

HASTE = 1.0
"""Seconds that a server may take to finish when nobody waits for its answers."""

STOP = "the server was asked to stop"
"""The label of a mark in the trace; `asgi_lab.diagnose` looks for it."""

WAITING = "waiting for open requests to end; Ctrl-C ends them now"


class Session:
    """A target served and traced, from `__enter__` to `__exit__`."""

    def __init__(self, order: Order, watcher: Watcher) -> None:
        port = free_port(order.options.host, order.options.port)
        self.order = replace(order, options=replace(order.options, port=port))
        self.watcher = watcher
        self.recorder = Recorder(limit=order.max_events, redact=False)  # masked where it was noted
        self.collector = Collector(self.recorder, secrets.token_bytes(16), self._on_report)
        self.server: Server = SERVERS[order.server or "uvicorn"]
        self.ticker = Ticker(self.recorder, self._say)
        self._file: FileWriter | None = None
        if order.record is not None:
            self._file = FileWriter(order.record, self.recorder, self.header)
        self.errors = Counter[str]()
        """How often each error was met on the client's side, while driving."""
        self._driven = False
        self._report: tuple[str, str] | None = None
        self._reported = threading.Event()
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """Where the server can be reached from here."""
        options = self.order.options
        return f"http://{replace(options, host=reachable(options.host)).bind}"

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
        return replace(taken, header={**taken.header, **self.header()}, dropped=self.lost)

    @property
    def recorded(self) -> Path | None:
        """The file that holds the whole trace, if there is one."""
        if self._file is None or self._file.failed or not self.recorder.total:
            return None
        return self._file.path

    def __enter__(self) -> "Session":
        if self._file is not None:
            self.ticker.follow(self._file)
        self.ticker.follow(Feed(self.collector, self.watcher))
        try:
            self._start("asgi" if "asgi" in self.server.serves else "wsgi")
        except BaseException:
            self.close(HASTE)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        driven = self._driven and isinstance(error, KeyboardInterrupt)  # no client is left
        self.close(HASTE if driven else PATIENCE)

    def drive(self, requests: Sequence[Request], count: int, concurrency: int) -> None:
        """Send the requests over real sockets, and wait for their results.

        Raises `SessionError` if the server ends meanwhile.
        """
        assert self._process is not None
        process = self._process
        self._driven = True

        def note(result: Result) -> None:
            if result.error:
                self.errors[f"{result.request}: {result.error}"] += 1
                if process.exit_code is not None:
                    raise SessionError(self._ended(), 1)

        asyncio.run(drive(self.url, requests, count=count, concurrency=concurrency, on_result=note))
        if self.errors and process.ends_within(0.5):
            raise SessionError(self._ended(), 1)

    def wait(self) -> None:
        """Wait until the server ends by itself, and raise `SessionError`.

        A server that reloads may be told of changes that cannot be served: the next one may be.
        """
        assert self._process is not None
        reloads = self.order.options.reload_dir is not None
        while self._process.exit_code is None:
            self._reported.wait(0.2)
            if reloads and self._report is not None:
                self._say(self._report[1])
                self._forget_report()
            self._check_report()
        raise SessionError(self._ended(), 1)

    def close(self, patience: float = PATIENCE) -> None:
        """End the server politely, and take in all that was recorded."""
        if self._process is not None:
            asked = self.recorder.clock()
            self._process.stop(patience, lambda: self._waits(asked))
            self._process = None
        with suppress(KeyboardInterrupt):
            self.collector.finish(timeout=5.0)
        self.ticker.stop()

    def _waits(self, asked: int) -> None:
        """Say that the server waits, and note when it was asked to stop: it waits for requests."""
        self.recorder.append((asked, "mark", 0, 0, STOP))
        self._say(WAITING)

    def _start(self, interface: Interface) -> None:
        try:
            argv = self.server.argv(self.order.options, interface)
        except ServerError as error:
            raise SessionError(str(error)) from None
        self._process = ServerProcess(argv, self._environ(interface), self.watcher.log)
        self.ticker.start()
        try:
            self._wait_ready()
        except _OtherInterface as other:
            self._restart(other.interface)

    def _restart(self, interface: Interface) -> None:
        """Serve the app by another server: it speaks another interface than was assumed."""
        assert self._process is not None
        self._process.stop(1.0)
        try:
            self.server = choose_server(self.order.server, interface)
        except ServerError as error:
            raise SessionError(f"{self.order.target}: {error}") from None
        self._forget_report()
        self._start(interface)

    def _environ(self, interface: Interface) -> dict[str, str]:
        order = self.order
        hosted = {
            "target": order.target,
            "app_dir": order.app_dir,
            "factory": order.factory,
            "serves": interface,
            "layers": order.layers,
            "rules": order.rules,
            "watchdog": order.watchdog,
            "redact": order.redact,
            "max_events": order.max_events,
            "reload": order.options.reload_dir is not None,
            "address": self.collector.address,
            "key": self.collector.key.hex(),
        }
        return {VARIABLE: json.dumps(hosted)}

    def _wait_ready(self) -> None:
        """Knock until the server accepts connections, or has said why it will not.

        Some listen before they have imported the app, and lose a signal that comes before; so each
        worker is waited for, too.
        """
        assert self._process is not None
        options, pause = self.order.options, 0.01
        while True:
            self._check_report()
            if self._process.exit_code is not None:
                self._reported.wait(0.5)
                self._check_report()
                raise SessionError(self._ended(), 1)
            if self.collector.processes >= options.workers and answers(options.host, options.port):
                break
            pause = min(pause * 1.5, 0.1)
            self.collector.changed.wait(pause)
            self.collector.changed.clear()

    def _check_report(self) -> None:
        if self._report is None:
            return
        kind, text = self._report
        if kind == "interface":
            raise _OtherInterface("wsgi" if text == "wsgi" else "asgi")
        raise SessionError(text)

    def _say(self, message: str) -> None:
        for line in f"asgi-lab: {message}".splitlines():
            self.watcher.log(line)

    def _forget_report(self) -> None:
        self._report = None
        self._reported.clear()

    def _on_report(self, kind: str, text: str) -> None:
        self._report = (kind, text)
        self._reported.set()

    def _ended(self) -> str:
        assert self._process is not None
        code = self._process.exit_code
        how = f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}"
        return f"{self.server.name} {how}; what it said is above"

    def header(self) -> dict[str, object]:
        """Return what is known of the recording: versions, target, server."""
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
