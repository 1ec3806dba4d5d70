"""A picture that answers, in a notebook: zoom, filter, click an event to read it.

    TraceWidget(timeline(trace), trace)
    TraceWidget.follow(app)      # of a traced app that serves meanwhile: it grows as requests come

The browser's part is `static/timeline.js`; here is only its state. Items travel as columns of bytes
(`asgi_lab.scene.payload`), and of a running trace only what is new.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from asgi_lab.events import Trace, decode, decode_all
from asgi_lab.recorder import Record, Recorder
from asgi_lab.scene import Scene, payload
from asgi_lab.scene.live import MOST, Delta, LiveTimeline
from asgi_lab.ticker import Ticker
from asgi_lab.view.theme import as_json
from asgi_lab.view.words import words

STATIC = Path(__file__).parent / "static"

Describe = Callable[[int], str]
"""Returns the words of the event of a number; empty if it is not known."""


class TraceWidget(anywidget.AnyWidget):
    """One scene on a canvas. `selected` is the number of an event (-1: none), `detail` its words.

    Without a trace, an event that is clicked has no words but its label.
    """

    _esm = STATIC / "timeline.js"
    payload = traitlets.Dict().tag(sync=True)
    items = traitlets.Bytes(b"").tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    detail = traitlets.Unicode("").tag(sync=True)

    def __init__(self, scene: Scene, trace: Trace | None = None) -> None:
        self._describe = describe(trace)
        self._following: Following | None = None
        self._shown = 0
        super().__init__(**self._state_of(scene))

    @classmethod
    def follow(cls, app: Any, most: int = MOST) -> "TraceWidget":
        """Return the timeline of a traced app, which grows as requests come, until it is closed.

        `most` bounds its lanes; of more requests the last are shown. Raises TypeError for an app
        that is not traced.
        """
        recorder, ticker = getattr(app, "recorder", None), getattr(app, "ticker", None)
        if not isinstance(recorder, Recorder) or not isinstance(ticker, Ticker):
            raise TypeError(f"expected a traced app, as trace(app) returns it, got {app!r:.80}")
        following = Following(recorder, most)
        widget = cls(following.scene())
        widget._describe = following.describe
        widget._following = following
        following.widget = widget
        ticker.follow(following)
        ticker.start()
        following.leave = lambda: ticker.unfollow(following)
        return widget

    def show(self, scene: Scene, trace: Trace | None = None) -> None:
        """Show another scene in its place."""
        self._describe = describe(trace)
        self._set(scene, selected=-1, detail="")

    def close(self) -> None:
        """Show nothing more; follow nothing more."""
        following, self._following = self._following, None
        if following is not None:
            following.leave()
        super().close()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return what a browser needs; to one that asks for all, all that has come so far."""
        if key is None and self._following is not None:
            self._following.again()
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        return state

    def _repr_mimebundle_(self, **asked: Any) -> Any:
        bundle = super()._repr_mimebundle_(**asked)
        if bundle is None:
            return None
        data, about = bundle if isinstance(bundle, tuple) else (bundle, {})
        words = self.payload["scene"]["alt"]
        return {**data, "text/plain": words}, about

    def _set(self, scene: Scene, **more: Any) -> None:
        with self.hold_sync():
            for name, value in (self._state_of(scene) | more).items():
                setattr(self, name, value)

    def _state_of(self, scene: Scene) -> dict[str, Any]:
        self._shown += 1  # so that no two are equal: a browser is told only of what has changed
        header = {"theme": as_json(), "scene": payload.header(scene), "shown": self._shown}
        return {"payload": header, "items": payload.columns(scene.items)}

    def _grow(self, new: Scene | Delta) -> None:
        if isinstance(new, Scene):
            self._set(new)
        else:
            self.send({"append": payload.delta(new)}, [payload.columns(new.items)])

    @traitlets.observe("selected", "detail")  # a browser empties `detail` when it selects
    def _selected(self, change: Any) -> None:
        self.detail = self._describe(self.selected) if self.selected >= 0 else ""


def describe(trace: Trace | None) -> Describe:
    """Return what tells the words of a trace's events."""
    numbers: dict[int, int] = {}

    def told(seq: int) -> str:
        if trace is None:
            return ""
        if not numbers:
            numbers.update((event.seq, place) for place, event in enumerate(trace.events))
        return words(trace.events[numbers[seq]]) if seq in numbers else ""

    return told


class Following:
    """A follower (see `asgi_lab.ticker`) that hands what is new to a widget.

    It is fed by the ticker's thread, while the kernel's asks for words.
    """

    def __init__(self, recorder: Recorder, most: int) -> None:
        self.widget: TraceWidget | None = None
        self.leave: Callable[[], object] = int
        self._recorder = recorder
        self._live = LiveTimeline(most)
        self._lock = threading.Lock()
        self._next = self._missed = 0

    def write(self, first: int, records: list[Record]) -> None:
        """Take records, and show them."""
        with self._lock:
            self._missed += first - self._next
            self._next = first + len(records)
            events = decode_all(records, first, self._recorder.origin, layers=False)
            self._live.feed(events, self._missed)
            self._show(settle=False)

    def close(self) -> None:
        """Show the last of it."""
        with self._lock:
            self._show(settle=True)

    def again(self) -> None:
        """Show it all anew: somebody has come who knows nothing of it."""
        with self._lock:
            self._live.restart()
            self._show(settle=False)

    def scene(self) -> Scene:
        """Return what there is to see before anything has come."""
        scene = self._live.update()
        assert isinstance(scene, Scene)
        return scene

    def describe(self, seq: int) -> str:
        """Return the words of an event, as long as the recorder knows it."""
        first, records = self._recorder.read(seq, 1)
        return words(decode(records[0], seq, self._recorder.origin)) if first == seq else ""

    def _show(self, settle: bool) -> None:
        new = self._live.update(settle=settle)
        if new is not None and self.widget is not None:
            self.widget._grow(new)
