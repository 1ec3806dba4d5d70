"""What a live page is told: all there is for who has come, and then only what is new.

As server-sent events, one line of JSON each: `scene` (a whole one) or `delta`, `lines` (of events),
`summary` (the tables, and the requests to choose from), `end`.
"""

import json
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from typing import Any

from asgi_lab.events import Event
from asgi_lab.framework import ServerEvent
from asgi_lab.scene import Scene, facts, payload
from asgi_lab.scene.live import Delta, LiveTimeline
from asgi_lab.view.html import findings_table, row_of, summary_tables
from asgi_lab.view.summary import headline

KEPT = 100_000
"""Events that can be looked at; the oldest are forgotten."""

BROKEN = 1_000
"""Broken rules that are told; the oldest are forgotten."""

LINES = 2_000
"""Lines of events at a time: of a flood, the last."""

FIRST = 5_000
"""Lines for who has just come."""

CHOICE = 200
"""Requests to choose from: the last."""

LAG = 0.25
"""Seconds without events after which time is known to have gone on without any."""


class News:
    """What has happened. `feed` and `end` may be called from any thread."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._timeline = LiveTimeline()
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._broken: deque[Event] = deque(maxlen=BROKEN)
        self._rows: deque[str] = deque(maxlen=LINES)
        self._total = 0
        self._ended = ""
        self._fed = time.monotonic()
        self._lock = threading.Lock()

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events, and how many have been lost in all."""
        with self._lock:
            self._timeline.feed(events, dropped)
            self._events.extend(events)
            self._broken.extend(event for event in events if event.kind == "finding")
            self._rows.extend(map(row_of, events[-LINES:]))
            self._total += len(events)
            self._fed = time.monotonic()

    def end(self, words: str) -> None:
        """Take note that nothing more will come."""
        self._ended = self._ended or words

    def known(self) -> Sequence[Event]:
        """Return the events that are known, the last ones."""
        with self._lock:
            return list(self._events)

    def first(self) -> list[ServerEvent]:
        """Return what somebody needs who has just come. A whole scene follows, for everybody."""
        with self._lock:
            self._timeline.restart()
            rows = list(map(row_of, list(self._events)[-FIRST:]))
            lines = {"lines": rows, "anew": True, "total": self._total}
            return [told("lines", lines), self._summary()]

    def new(self, summary: bool) -> list[ServerEvent]:
        """Return what is new since the last call; with a summary, if so wanted."""
        with self._lock:
            idle = 0.0 if self._ended else max(time.monotonic() - self._fed - LAG, 0.0)
            now = self._timeline.measures.last + round(idle * 1e9)
            scene = self._timeline.update(now, settle=bool(self._ended))
            rows = list(self._rows)
            self._rows.clear()
            news = [as_event(scene)] if scene is not None else []
            if rows:
                news.append(told("lines", {"lines": rows, "total": self._total}))
            if summary or self._ended:
                news.append(self._summary())
            if self._ended:
                news.append(told("end", {"words": self._ended}))
            return news

    def _summary(self) -> ServerEvent:
        measures = self._timeline.measures
        last = [c for c in measures.connections if c.type != "lifespan"][-CHOICE:]
        now = measures.last
        labels = [
            [c.conn, f"#{c.conn}  {facts.name(c)}  {facts.status(c)}  {facts.total(c, now)}"]
            for c in last
        ]
        said = {
            "title": headline(measures).plain,
            "about": self._title,
            "summary": summary_tables(measures),
            "findings": findings_table(tuple(self._broken)),
            "requests": labels,
        }
        return told("summary", said)


def told(name: str, data: Any) -> ServerEvent:
    """Return a server-sent event of one line of JSON."""
    return ServerEvent(json.dumps(data, separators=(",", ":")), event=name)


def as_event(new: Scene | Delta) -> ServerEvent:
    """Return a scene, or what is new in it, as a server-sent event."""
    if isinstance(new, Scene):
        whole = payload.as_json(new)
        return told("scene", {"items": whole.pop("items"), "scene": whole})
    columns = b64encode(payload.columns(new.items)).decode()
    return told("delta", {**payload.delta(new), "items": columns})
