"""What a live page is told: all there is for who has come, and then only what is new.

As server-sent events, one line of JSON each: `scene` (a whole one) or `delta`, `lines` (of events),
`wrong` (what is wrong, and what to do), `summary` (the tables, and the requests to choose from),
`end`.
"""

import json
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from asgi_lab.diagnose import diagnose
from asgi_lab.events import Event, Trace
from asgi_lab.framework import ServerEvent
from asgi_lab.scene import Scene, facts, payload
from asgi_lab.scene.flags import spots_of
from asgi_lab.scene.live import Delta, LiveTimeline
from asgi_lab.view.diagnosed import cards
from asgi_lab.view.html import row_of
from asgi_lab.view.summary import headline
from asgi_lab.view.tables import Broken, summary_tables

KEPT = 100_000
"""Events that can be looked at; the oldest are forgotten."""

LINES = 2_000
"""Lines of events at a time: of a flood, the last."""

FIRST = 5_000
"""Lines for who has just come."""

CHOICE = 200
"""Requests to choose from: the last."""

PAUSE = 2.0
"""Seconds, at least, between two looks for what is wrong."""

SHARE = 20
"""So many times as long as such a look takes is the pause after it."""

LAG = 0.25
"""Seconds without events after which time is known to have gone on without any."""


class News:
    """What has happened. `feed` and `end` may be called from any thread."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._timeline = LiveTimeline()
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._broken = Broken()
        self._rows: deque[str] = deque(maxlen=LINES)
        self._total = 0
        self._ended = ""
        self._wrong = ""
        self._untold = False
        self._known = 0
        """Of so many events in all it is known what is wrong."""
        self._look = 0.0
        self._fed = time.monotonic()
        self._lock = threading.Lock()

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events, and how many have been lost in all."""
        with self._lock:
            self._timeline.feed(events, dropped)
            self._events.extend(events)
            self._broken.feed(events)
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

    @property
    def due(self) -> bool:
        """Whether it is time to look for what is wrong: there is news, and the pause is over."""
        return self._known != self._total and (self._ended != "" or time.monotonic() >= self._look)

    def diagnose(self, header: Mapping[str, Any]) -> None:
        """Look for what is wrong, in the events that are known; it may take a while."""
        with self._lock:
            events, total = tuple(self._events), self._total
        begun = time.monotonic()
        found = diagnose(Trace(events, header))
        spots = spots_of(events, found)
        ended = time.monotonic()
        with self._lock:
            self._known = total
            self._look = ended + max(PAUSE, SHARE * (ended - begun))
            self._timeline.mark(spots)
            wrong = cards(found)
            self._untold = self._untold or wrong != self._wrong
            self._wrong = wrong

    def first(self) -> list[ServerEvent]:
        """Return what somebody needs who has just come. A whole scene follows, for everybody."""
        with self._lock:
            self._timeline.restart()
            rows = list(map(row_of, list(self._events)[-FIRST:]))
            lines = {"lines": rows, "anew": True, "total": self._total}
            return [told("lines", lines), told("wrong", {"cards": self._wrong}), self._summary()]

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
            ended = self._ended and self._known == self._total  # else there is more to be told
            if self._untold or ended:
                self._untold = False
                news.append(told("wrong", {"cards": self._wrong}))
            if summary or ended:
                news.append(self._summary())
            if ended:
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
            "findings": self._broken.table(),
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
