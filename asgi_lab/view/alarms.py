"""What goes wrong while it is watched: each thing once, with a count."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from asgi_lab.events import Event
from asgi_lab.message import number
from asgi_lab.plain import shorten
from asgi_lab.text import line
from asgi_lab.view.rows import ERROR

MOST = 100
"""Different alarms that are kept; those that come later are not told live."""


@dataclass(slots=True)
class Alarm:
    """One thing that went wrong: how it was told first, and how often it came."""

    text: str
    count: int = 0


class Alarms:
    """Broken rules, and lines that hold the loop, as they come."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Alarm] = {}
        self._last: tuple[object, ...] = ()

    def feed(self, events: Sequence[Event]) -> list[str]:
        """Take the next events; return what has not been told before."""
        told = []
        for event in events:
            if event.kind not in ("finding", "block"):
                continue
            data = event.data
            key = (event.kind, data.get("rule"), data.get("at"), data.get("call"))
            alarm = self._known.get(key)
            if alarm is None:
                if len(self._known) >= MOST:
                    continue
                of = f"#{event.conn} " if event.conn else ""
                alarm = self._known[key] = Alarm(f"! {of}{line(event).lstrip('!█ ')}")
                told.append(alarm.text)
            again = event.kind == "block" and self._last == (*key, event.conn, event.began)
            if "count" in data:  # the sum, at the end of a connection
                alarm.count += max(number(data["count"]) - 1, 0)
            elif not again:  # a block that goes on is told again
                alarm.count += 1
            self._last = (*key, event.conn, event.began)
        return told

    def lines(self, width: int, most: int) -> list[Text]:
        """Return the last of them, a line each, and how many more there are."""
        if not self._known or most < 1:
            return []
        alarms = list(self._known.values())
        shown = alarms[-most:] if len(alarms) <= most else alarms[-(most - 1) :] if most > 1 else []
        texts = [f"{a.text} × {a.count:,}" if a.count > 1 else a.text for a in shown]
        if len(shown) < len(alarms):
            texts.insert(0, f"! {len(alarms) - len(shown):,} more; the summary tells all")
        return [Text(shorten(text, width), ERROR, no_wrap=True) for text in texts]
