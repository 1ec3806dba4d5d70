"""A row of a table of requests: which columns fit, what stands in them, the bar at the end.

Cells are padded by hand, because a frame of a live view must cost little, and because exact
strings are easy to test.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from asgi_lab.connection import Connection
from asgi_lab.plain import clean, duration, shorten, size
from asgi_lab.view.bars import bar

GAP = "  "
ERROR = "bold #d55e00"
QUIET = "bright_black"


def status(connection: Connection) -> str:
    """Return how it went, in at most seven characters: `200`, `500 !`, `raised`."""
    code = "" if connection.status is None else str(connection.status)
    if connection.type == "lifespan":
        ok = connection.outcome == "returned" and not connection.error
        return connection.outcome and ("ok" if ok else "failed")
    if connection.outcome == "raised":
        return f"{code} !" if code else "raised"
    if connection.outcome == "cancelled":
        return f"{code} cut" if code else "cut"
    if connection.code is not None and connection.type == "websocket":
        return f"{code if connection.status == 403 else connection.code}"
    return code if code or connection.ended is None else "none"


def total(connection: Connection, now: int) -> str:
    """Return how long it took, or how long it has been in flight: `12.3 ms…`."""
    if connection.total is not None:
        return duration(connection.total)
    minutes, min_, _ = duration(max(now - connection.started, 0)).partition(" min")
    return f"{minutes}{min_}…"


def _first(connection: Connection) -> str:
    at = connection.first_byte
    return "" if at is None else duration(at - connection.started)


def _style(connection: Connection) -> str:
    if connection.failed:
        return ERROR
    return QUIET if connection.ended is None else ""


def method(connection: Connection) -> str:
    """Return the method, or the type of what has none."""
    if connection.type == "lifespan":
        return ""
    return clean(connection.method or connection.type or "?")


def path(connection: Connection) -> str:
    """Return the path with its query, clean."""
    return clean(connection.path) if connection.type != "lifespan" else "(lifespan)"


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
    Column("method", 6, lambda c, now: method(c)),
    Column("path", 0, lambda c, now: path(c)),
    Column("status", 6, lambda c, now: status(c)),
    Column("first", 8, lambda c, now: _first(c), right=True),
    Column("total", 8, lambda c, now: total(c, now), right=True),
    Column("in", 7, lambda c, now: size(c.bytes_in) if c.bytes_in else "", right=True),
    Column("out", 7, lambda c, now: size(c.bytes_out) if c.bytes_out else "", right=True),
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
