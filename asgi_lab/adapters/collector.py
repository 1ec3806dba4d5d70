"""What the traced processes tell the command: records, as they come, over a local socket.

Each process of the server connects once and sends its header, then batches of records. The
collector numbers them as one trace and appends them to the command's own recorder, from which the
terminal, the file and the summary read. `multiprocessing.connection` authenticates both sides and
finds the best local transport.
"""

import itertools
import marshal
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from asgi_lab.files import header_of
from asgi_lab.merge import Numbering
from asgi_lab.recorder import Record, Recorder


class Sender:
    """The traced process's side: a follower (see `asgi_lab.ticker`) that sends what it gets."""

    def __init__(self, address: str, key: bytes, recorder: Recorder) -> None:
        self._address, self._key = address, key
        self._recorder = recorder
        self._connection: Connection | None = None
        self._pid = 0

    def connect(self) -> None:
        """Say that this process is there, and when its trace begins."""
        self._connection = Client(self._address, authkey=self._key)
        self._pid = os.getpid()
        self._send("header", header_of(self._recorder), self._recorder.origin)

    def write(self, first: int, records: list[Record]) -> None:
        """Send records. Waits if the command is slow to read; the app does not."""
        if self._pid != os.getpid():  # forked: the connection is the parent's
            self.connect()
        self._send("records", first, records, self._recorder.cost)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    def _send(self, *message: Any) -> None:
        assert self._connection is not None
        self._connection.send_bytes(marshal.dumps(message))


def report(address: str, key: bytes, kind: str, text: str) -> None:
    """Tell the command why this process cannot serve, before it exits."""
    with Client(address, authkey=key) as connection:
        connection.send_bytes(marshal.dumps((kind, text)))


class Collector:
    """The command's side. `on_report(kind, text)` is called when a process cannot serve."""

    def __init__(
        self, recorder: Recorder, key: bytes, on_report: Callable[[str, str], None]
    ) -> None:
        self.recorder = recorder
        self.key = key
        self.header: dict[str, Any] = {}
        self.changed = threading.Event()
        """Set when another process has imported the app."""
        self.lost = 0
        """Records that a process dropped before they could be sent."""
        self._costs: dict[int, int] = {}
        self._origins: dict[int, int] = {}
        """When each process began to trace; its records cannot be older."""
        self._on_report = on_report
        self._listener = Listener(authkey=key)
        self._numbers = (itertools.count(1), itertools.count(1))
        self._readers: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._open = True
        threading.Thread(target=self._accept, name="asgi-lab collector", daemon=True).start()

    @property
    def address(self) -> str:
        """Where the processes connect to."""
        return str(self._listener.address)

    @property
    def processes(self) -> int:
        """How many processes have imported the app so far."""
        return len(self._origins)

    @property
    def pids(self) -> set[int]:
        """The processes that have said that they trace."""
        return set(self._origins)

    @property
    def cost(self) -> int:
        """Nanoseconds that the processes spent draining their rings."""
        return sum(self._costs.values())

    def finish(self, timeout: float) -> None:
        """Take in what is still under way, once the processes have ended; seconds at most."""
        with self._lock:
            readers = list(self._readers)
        for reader in readers:
            reader.join(timeout)
        self._open = False
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            try:
                connection = self._listener.accept()
            except Exception:  # closed; or a stranger, or a process that died as it connected
                continue
            reader = threading.Thread(target=self._read, args=(connection,), daemon=True)
            with self._lock:
                reader.start()
                self._readers.append(reader)

    def _read(self, connection: Connection) -> None:
        numbering, pid, expected = Numbering(*self._numbers), 0, 0
        try:
            while True:
                kind, *rest = marshal.loads(connection.recv_bytes())
                if kind == "header":
                    pid = rest[0]["pid"]
                    self._begin(*rest)
                elif kind == "records":
                    first, records, cost = rest
                    self._costs[pid] = cost
                    self.lost += first - expected
                    expected = first + len(records)
                    self._append(numbering.records(records, pid), pid)
                else:
                    self._on_report(kind, rest[0])
        except (EOFError, OSError):
            connection.close()

    def _begin(self, header: dict[str, Any], origin: int) -> None:
        with self._lock:
            self.header = self.header or header
            self._origins[header["pid"]] = origin
            self.changed.set()

    def _append(self, records: list[Record], pid: int) -> None:
        with self._lock:
            if not self.recorder.total and records:
                others = [origin for other, origin in self._origins.items() if other != pid]
                self.recorder.begin_at(min([records[0][0], *others]))
            self.recorder.ring.extend(records)
            self.recorder.drain(1)
