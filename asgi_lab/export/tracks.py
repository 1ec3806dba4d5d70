"""The tracks of a picture in Perfetto, and the trace events that make them.

A thread's track is known by its `tid`, an asynchronous one by `cat` and `id`. Numbers of threads
are unique over all processes, for a reader takes them for the operating system's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from asgi_lab.measures import Measures
from asgi_lab.message import number
from asgi_lab.plain import clean

Entry = dict[str, Any]
"""One trace event, as JSON holds it. `ts` and `dur` are microseconds, with all nanoseconds."""

LOOP = "event loop"


class Tracks:
    """Which process a connection is in, and the numbers and names of threads."""

    def __init__(self, header: Mapping[str, Any], measures: Measures) -> None:
        self._server = clean(header.get("server") or "asgi-lab")
        self._own = number(header.get("pid")) or 1
        self._pids = {c.conn: self.known(c.pid) for c in measures.connections}
        self._next = max([self._own, *self._pids.values()]) + 1
        self._threads: dict[tuple[int, str, int], int] = {}
        self._used: dict[int, dict[int, str]] = {}
        for pid in dict.fromkeys(self._pids.values()):
            self._used.setdefault(pid, {})

    def known(self, pid: int) -> int:
        """Return a process's number: of a trace of one process, that of its header."""
        return pid or self._own

    def pid(self, conn: int) -> int:
        """Return the process of a connection."""
        return self._pids.get(conn, self._own)

    def loop(self, pid: int) -> Entry:
        """Return where the event loop of a process is drawn: in its main thread."""
        self._used.setdefault(pid, {})[pid] = LOOP
        return {"pid": pid, "tid": pid}

    def thread(self, pid: int, kind: str, ident: int) -> Entry:
        """Return where a thread is drawn; `ident` is what the trace calls it."""
        key = (pid, kind, ident)
        if key not in self._threads:
            names = self._used.setdefault(pid, {})
            count = sum(name.startswith(kind) for name in names.values())
            self._threads[key], self._next = self._next, self._next + 1
            names[self._threads[key]] = f"{kind} {count + 1}"
        return {"pid": pid, "tid": self._threads[key]}

    def names(self) -> Iterator[Entry]:
        """Yield what names the processes and threads, and puts them in order."""
        for order, (pid, threads) in enumerate(self._used.items()):
            process = f"{self._server} (process {pid})"
            yield _named("process_name", pid, pid, name=process)
            yield _named("process_sort_index", pid, pid, sort_index=order)
            for index, (tid, name) in enumerate(threads.items()):
                yield _named("thread_name", pid, tid, name=name)
                yield _named("thread_sort_index", pid, tid, sort_index=index)


def _named(what: str, pid: int, tid: int, **args: Any) -> Entry:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": args}


def opened(
    t: int, name: str, where: Mapping[str, Any], args: Mapping[str, Any] | None = None
) -> Entry:
    """Return the begin of an asynchronous slice."""
    return {"ph": "b", "name": name, **where, "ts": t / 1000, "args": dict(args or {})}


def closed(t: int, name: str, where: Mapping[str, Any]) -> Entry:
    """Return its end."""
    return {"ph": "e", "name": name, **where, "ts": t / 1000}


def instant(
    t: int,
    name: str,
    where: Mapping[str, Any],
    args: Mapping[str, Any],
    flow: tuple[int, bool, bool] | None = None,
) -> Entry:
    """Return an instant on an asynchronous track, with its arrow: a number, in, and out."""
    entry = {"ph": "n", "name": name, **where, "ts": t / 1000, "args": dict(args)}
    if flow is not None:
        bind, comes_in, goes_out = flow
        entry["bind_id"] = f"0x{bind:x}"
        entry.update({"flow_in": True} if comes_in else {})
        entry.update({"flow_out": True} if goes_out else {})
    return entry


def lasting(t: int, took: int, name: str, cat: str, where: Mapping[str, Any]) -> Entry:
    """Return a slice on a thread's track."""
    return {"ph": "X", "name": name, "cat": cat, **where, "ts": t / 1000, "dur": took / 1000}


def arrow(ph: str, t: int, flow: int, where: Mapping[str, Any]) -> Entry:
    """Return a point of an arrow between threads: its begin `s`, a step `t`, or its end `f`.

    It belongs to the slice that is open there.
    """
    end = {"bp": "e"} if ph == "f" else {}
    return {"ph": ph, "name": "call in a thread", "cat": "thread", "id": flow, **end, **where,
            "ts": t / 1000}  # fmt: skip
