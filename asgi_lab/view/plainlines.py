"""Requests as plain lines, one as each ends: what is seen live where there is no terminal."""

from collections.abc import Sequence

from rich.console import Console

from asgi_lab.connection import Connection
from asgi_lab.loop import SECOND
from asgi_lab.measures import Measures
from asgi_lab.plain import clean, count, duration, size
from asgi_lab.scene.facts import method, path, status
from asgi_lab.view.bars import GLYPHS, Busy, cells
from asgi_lab.waiting import held

PLAIN_RATE = 200
"""Plain lines a second; of more requests, a line says how many."""

BAR = 10


class PlainLines:
    """A line for each request that ends; beyond `PLAIN_RATE` a second, how many more."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._second = -1
        self._shown = 0
        self._skipped = 0

    def show(self, ended: Sequence[Connection], measures: Measures) -> None:
        """Print these, unless it has been too many in this second of the trace."""
        lines: list[str] = []
        for connection in ended:
            second = (connection.ended or 0) // SECOND
            if second != self._second:
                lines += self._counter()
                self._second, self._shown = second, 0
            self._shown += 1
            if self._shown <= PLAIN_RATE or connection.failed:
                busy = held(measures, connection.pid, measures.last)
                lines.append(plain_line(connection, busy))
            else:
                self._skipped += 1
        self._write(lines)

    def tell(self, alarms: Sequence[str]) -> None:
        """Print what has gone wrong."""
        self._write(alarms)

    def rest(self) -> None:
        """Print how many more there were."""
        self._write(self._counter())

    def _counter(self) -> list[str]:
        skipped, self._skipped = self._skipped, 0
        return [f"{'…':>10}    {count(skipped, 'more request')}"] if skipped else []

    def _write(self, lines: Sequence[str]) -> None:
        if lines:
            self.console.out("\n".join(lines), highlight=False)


def plain_line(connection: Connection, busy: Busy | None = None) -> str:
    """Return one request on one line, as it ended: `   12.345 s  GET /slow  200  1.02 s ...`."""
    ended = (connection.ended or connection.started) / SECOND
    begin, end = connection.started, connection.ended or connection.started
    row = cells(connection.phases, begin, max(end, begin + 1), BAR, busy)
    bar = "".join(GLYPHS[what][0] if what else " " for what in row)
    target = f"{method(connection)} {path(connection)}".strip()
    took = duration(connection.total or 0)
    line = f"{ended:>9.3f} s  {target:<30}  {status(connection):<6}  {took:>7}"
    line += f"  {size(connection.bytes_out):>7}  {bar}"
    if connection.outcome == "raised":
        line += f"  {clean(connection.error)}"
    return line.rstrip()
