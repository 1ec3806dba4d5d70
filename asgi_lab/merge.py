"""Connections and tasks of several processes, numbered as one.

Each process counts from 1. In a merged trace a connection gets the next number when it is first
seen, so that the numbers follow the order of arrival.
"""

from collections import deque
from collections.abc import Iterator

from asgi_lab.recorder import Record

KEPT = 20_000
"""Numbers of tasks, and of connections that have ended, remembered for each process."""

MOST = 10 * KEPT
"""Numbers of connections remembered at most, because the end of some may be missing."""

ENDS = frozenset({"return", "raise", "cancel"})
SCOPES = ENDS | {"scope"}


class Numbering:
    """One process's numbers in the merged trace. `conns` and `tasks` are shared by all processes.

    0, which stands for none, stays 0.
    """

    def __init__(self, conns: Iterator[int], tasks: Iterator[int]) -> None:
        self._next_conn, self._next_task = conns, tasks
        self._conns: dict[int, int] = {0: 0}
        self._tasks: dict[int, int] = {0: 0}
        self._oldest_tasks: deque[int] = deque()
        self._ended: deque[int] = deque()
        """Connections, in the order in which they ended."""

    def conn(self, number: int) -> int:
        """Return the merged number of this process's connection `number`."""
        known = self._conns.get(number)
        if known is not None:
            return known
        if len(self._conns) > MOST:
            del self._conns[next(key for key in self._conns if key)]
        self._conns[number] = new = next(self._next_conn)
        return new

    def task(self, number: int) -> int:
        """Return the merged number of this process's task `number`."""
        known = self._tasks.get(number)
        if known is not None:
            return known
        self._oldest_tasks.append(number)
        if len(self._oldest_tasks) > KEPT:
            del self._tasks[self._oldest_tasks.popleft()]
        self._tasks[number] = new = next(self._next_task)
        return new

    def records(self, records: list[Record], pid: int) -> list[Record]:
        """Return records with merged numbers; those that begin a connection say its `pid`."""
        conns, tasks = self._conns, self._tasks
        merged = []
        for record in records:
            _, kind, door, task = record[:4]
            number = door >> 8
            conn = conns[number] if number in conns else self.conn(number)
            if kind == "task" or (not door & 255 and kind in SCOPES):
                merged.append(self.record(record, pid))
            elif conn == number and (task == tasks.get(task) or task == self.task(task)):
                merged.append(record)
            else:
                merged.append((*record[:2], conn << 8 | door & 255, self.task(task), *record[4:]))
        return merged

    def record(self, record: Record, pid: int) -> Record:
        """Return a record with merged numbers; the one that begins a connection says its `pid`."""
        t, kind, door, task, *facts = record
        conn = self.conn(door >> 8)
        if kind in ENDS and not door & 255:
            self._end(door >> 8)
        if kind == "scope" and not door & 255:
            if len(facts) == 2:
                facts[-1] = (*facts[-1], ("pid", pid))
            else:
                facts.append(pid)
        elif kind == "task":
            facts[-1] = tuple((k, self.task(v) if k == "parent" else v) for k, v in facts[-1])
        return (t, kind, conn << 8 | door & 255, self.task(task), *facts)

    def _end(self, number: int) -> None:
        """Remember the number of a connection for a while only: little comes after its end."""
        self._ended.append(number)
        if len(self._ended) > KEPT:
            self._conns.pop(self._ended.popleft(), None)
