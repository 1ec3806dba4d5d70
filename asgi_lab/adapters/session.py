"""One run of `asgi-lab trace`: a server process, a collector, and whoever watches.

    with Session(order, watcher) as session:    # the server is up, or SessionError says why not
        session.drive(requests) or session.wait()
    session.trace                               # after the server has ended

The server is a process of its own (see `asgi_lab.adapters.process`).
"""

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from types import TracebackType

from asgi_lab.adapters.hosting import VARIABLE
from asgi_lab.adapters.order import Order, SessionError, Watcher
from asgi_lab.adapters.process import PATIENCE, ServerProcess, answers, free_port, reachable
from asgi_lab.adapters.reception import Reception
from asgi_lab.adapters.servers import SERVERS, Server, ServerError, choose_server
from asgi_lab.client import Request, Result, drive
from asgi_lab.interface import Interface

HASTE = 1.0
"""Seconds that a server may take to finish when nobody waits for its answers."""

STOP = "the server was asked to stop"
"""The label of a mark in the trace; `asgi_lab.diagnose` looks for it."""

ENDED = "the server has ended"
"""And of one that comes then: what is still open by now was cut off."""

WAITING = "waiting for open requests to end; Ctrl-C ends them now"


class Session(Reception):
    """A target served and traced, from `__enter__` to `__exit__`."""

    def __init__(self, order: Order, watcher: Watcher) -> None:
        port = free_port(order.options.host, order.options.port)
        super().__init__(watcher, self._on_report, max_events=order.max_events, record=order.record)
        self.order = replace(order, options=replace(order.options, port=port))
        self.server: Server = SERVERS[order.server or "uvicorn"]
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

    def __enter__(self) -> "Session":
        self.open()
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
                self.say(self._report[1])
                self._forget_report()
            self._check_report()
        raise SessionError(self._ended(), 1)

    def close(self, patience: float = PATIENCE) -> None:
        """End the server politely, and take in all that was recorded."""
        if self._process is not None:
            asked = self.recorder.clock()
            waited: list[int] = []
            self._process.stop(patience, lambda: waited.append(self._waits(asked)))
            self._process = None
            if waited:
                self.recorder.append((self.recorder.clock(), "mark", 0, 0, ENDED))
        self.finish()

    def _waits(self, asked: int) -> int:
        """Say that the server waits, and note when it was asked to stop: it waits for requests."""
        self.recorder.append((asked, "mark", 0, 0, STOP))
        self.say(WAITING)
        return asked

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
            **order.elsewhere,
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
        """Return what is known of the target and its server."""
        name, _, number = self.server_name.partition(" ")
        return {
            **super().header(),
            "target": self.order.target,
            "server": f"{name} {number}".strip(),
            "redacted": self.order.redact,
        }


class _OtherInterface(Exception):
    def __init__(self, interface: Interface) -> None:
        super().__init__(interface)
        self.interface = interface
