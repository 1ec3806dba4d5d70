"""Connections and tasks of several processes, numbered as one.

Each process counts from 1. In a merged trace a connection gets the next number when it is first
seen, so that the numbers follow the order of arrival.
"""

from collections.abc import Iterator

from asgi_lab.recorder import Record

KEPT = 20_000
"""Numbers remembered for each process; the oldest are forgotten first."""


class Numbering:
    """One process's numbers in the merged trace. `conns` and `tasks` are shared by all processes.

    0, which stands for none, stays 0.
    """

    def __init__(self, conns: Iterator[int], tasks: Iterator[int]) -> None:
        self._next_conn, self._next_task = conns, tasks
        self._conns: dict[int, int] = {0: 0}
        self._tasks: dict[int, int] = {0: 0}

    def conn(self, number: int) -> int:
        """Return the merged number of this process's connection `number`."""
        return self._conns.get(number) or _new(self._conns, number, self._next_conn)

    def task(self, number: int) -> int:
        """Return the merged number of this process's task `number`."""
        return self._tasks.get(number) or _new(self._tasks, number, self._next_task)

    def records(self, records: list[Record], pid: int) -> list[Record]:
        """Return records with merged numbers; those that begin a connection say its `pid`."""
        conns, tasks = self._conns, self._tasks
        merged = []
        for record in records:
            _, kind, door, task = record[:4]
            conn = conns.get(door >> 8) or self.conn(door >> 8)
            if kind == "task" or (kind == "scope" and not door & 255):
                merged.append(self.record(record, pid))
            elif conn == door >> 8 and (task == tasks.get(task) or task == self.task(task)):
                merged.append(record)
            else:
                merged.append((*record[:2], conn << 8 | door & 255, self.task(task), *record[4:]))
        return merged

    def record(self, record: Record, pid: int) -> Record:
        """Return a record with merged numbers; the one that begins a connection says its `pid`."""
        t, kind, door, task, *facts = record
        if kind == "scope" and not door & 255:
            if len(facts) == 2:
                facts[-1] = (*facts[-1], ("pid", pid))
            else:
                facts.append(pid)
        elif kind == "task":
            facts[-1] = tuple((k, self.task(v) if k == "parent" else v) for k, v in facts[-1])
        return (t, kind, self.conn(door >> 8) << 8 | door & 255, self.task(task), *facts)


def _new(numbers: dict[int, int], number: int, counter: Iterator[int]) -> int:
    if number == 0:
        return 0
    if len(numbers) > KEPT:
        del numbers[next(key for key in numbers if key)]
    numbers[number] = merged = next(counter)
    return merged
