"""A row of a table of requests: which columns fit, what stands in them, the bar at the end.

Cells are padded by hand, because a frame of a live view must cost little, and because exact
strings are easy to test.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from asgi_lab.connection import Connection
from asgi_lab.plain import shorten
from asgi_lab.scene import facts
from asgi_lab.view.bars import bar

GAP = "  "
ERROR = "bold #d55e00"
QUIET = "bright_black"


def _style(connection: Connection) -> str:
    if connection.failed:
        return ERROR
    return QUIET if connection.ended is None else ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, its width, and what it says of a connection."""

    name: str
    width: int
    show: Callable[[Connection, int], str]
    """Of a connection, now."""
    right: bool = False


COLUMNS = (
    Column("#", 5, lambda c, now: str(c.conn), right=True),
    Column("method", 6, lambda c, now: facts.method(c)),
    Column("path", 0, lambda c, now: facts.path(c)),
    Column("status", 6, lambda c, now: facts.status(c)),
    Column("first", 8, lambda c, now: facts.first(c), right=True),
    Column("total", 8, facts.total, right=True),
    Column("in", 7, lambda c, now: facts.received(c), right=True),
    Column("out", 7, lambda c, now: facts.sent(c), right=True),
)

OPTIONAL = (("in", 120), ("out", 120), ("first", 96), ("#", 50), ("method", 40))
"""Columns that are left out on a screen narrower than so many cells."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns there are, how wide the path is, and how wide the bar at the end."""

    columns: tuple[Column, ...]
    path: int
    bar: int

    def header(self, axis: str) -> Text:
        """Return the line of headings, with an axis above the bars."""
        cells = [self._fit(column, column.name) for column in self.columns]
        return Text(GAP.join([*cells, axis]).rstrip(), "bold", no_wrap=True)

    def row(self, connection: Connection, cells: Sequence[str], now: int) -> Text:
        """Return one request, with the cells of its bar; in flight until `now`."""
        text = Text(no_wrap=True)
        for column in self.columns:
            style = _style(connection) if column.name in ("status", "total") else ""
            text.append(self._fit(column, column.show(connection, now)), style).append(GAP)
        text.append_text(bar(cells))
        text.rstrip()
        return text

    def _fit(self, column: Column, value: str) -> str:
        width = column.width or self.path
        if cell_len(value) > width:
            value = shorten(value, width, "middle")
        if column.right:
            return value.rjust(width)
        return set_cell_size(value, width)


def layout(width: int, paths: int = 40) -> Layout:
    """Return what fits in `width` cells; `paths` is the length of the longest path."""
    left_out = {name for name, least in OPTIONAL if width < least}
    columns = tuple(column for column in COLUMNS if column.name not in left_out)
    taken = sum(column.width + len(GAP) for column in columns)
    room = max(width - taken, 12)
    wanted = min(max(paths, 4), 60)
    path_width = min(wanted, room * 2 // 5)
    return Layout(columns, path_width, max(room - path_width, 6))
