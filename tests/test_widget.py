"""The widget's state, as a browser gets it; and a traced app that is followed while it serves."""

import asyncio
from typing import Any

import pytest

from asgi_lab import get, run, trace
from asgi_lab.scene import payload
from asgi_lab.scene.timeline import timeline
from asgi_lab.view.sample import sample_trace
from asgi_lab.view.words import words
from tests.experiments import answer, sleepy

pytest.importorskip("anywidget")

from asgi_lab.view.widget import TraceWidget


def test_a_widget_holds_a_scene() -> None:
    scene = timeline(sample_trace())
    widget = TraceWidget(scene)
    assert widget.payload["scene"] == payload.header(scene)
    assert widget.items == payload.columns(scene.items)
    assert {style["role"] for style in widget.payload["theme"]["roles"]} >= set(scene.roles)
    assert "export default" in str(widget._esm)


def test_who_selects_an_event_can_read_it() -> None:
    recorded = sample_trace()
    widget = recorded.timeline().widget()
    said = next(e for e in recorded if e.kind == "send" and not e.layer)
    widget.selected = said.seq
    assert widget.detail == words(said)
    assert "http.response.start 200 text/plain" in widget.detail
    assert "vary: accept-encoding" in widget.detail
    widget.set_state({"detail": ""})  # as a browser does when it is selected again
    assert widget.detail == words(said)
    widget.selected = -1
    assert widget.detail == ""
    widget.selected = 10_000
    assert widget.detail == ""


def test_another_scene_takes_its_place() -> None:
    widget = sample_trace().timeline().widget()
    widget.selected = 3
    before = widget.payload
    widget.show(sample_trace().timeline().laid())
    assert (widget.selected, widget.detail) == (-1, "")
    assert widget.payload != before  # so that the browser is told, though all looks the same
    assert widget.payload["scene"] == before["scene"]


class Browser:
    """Takes what a widget tells its browser."""

    def __init__(self, widget: TraceWidget) -> None:
        self.widget = widget
        self.appended: list[dict[str, Any]] = []
        widget.send = self._take  # type: ignore[method-assign]

    def _take(self, content: dict[str, Any], buffers: Any = None) -> None:
        assert len(buffers[0]) == 34 * content["append"]["count"]
        self.appended.append(content["append"])

    @property
    def lanes(self) -> int:
        return len(self.widget.payload["scene"].get("lanes", ()))


async def call(app: Any) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        """Send it nowhere."""

    await app({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)


def traced() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send)

    app = trace(app)
    app.ticker.by_hand = True  # ticks when told to
    return app


def test_a_running_trace_is_followed() -> None:
    app = traced()
    widget = TraceWidget.follow(app)
    browser = Browser(widget)
    assert widget.payload["scene"]["title"] == "no requests yet"
    asyncio.run(call(app))
    app.ticker.tick()
    assert browser.lanes == 1
    asyncio.run(call(app))
    app.ticker.tick()
    assert browser.lanes + len(browser.appended) >= 2  # anew, or by what is new
    app.ticker.tick()
    widget.selected = app.trace.filter("kind=scope")[0].seq
    assert "→ app GET /" in widget.detail
    widget.close()
    asyncio.run(call(app))
    app.ticker.tick()
    assert browser.lanes + len(browser.appended) <= 2


def test_a_browser_that_comes_later_gets_all() -> None:
    app = traced()
    widget = TraceWidget.follow(app)
    browser = Browser(widget)
    for _ in range(5):
        asyncio.run(call(app))
        app.ticker.tick()
    state = widget.get_state()
    assert len(state["payload"]["scene"]["lanes"]) == 5
    assert browser.lanes == 5
    widget.close()


def test_only_traced_apps_are_followed() -> None:
    with pytest.raises(TypeError, match=r"expected a traced app, as trace\(app\) returns it"):
        TraceWidget.follow(object())


def test_words_of_any_event_print() -> None:
    recorded = asyncio.run(run(sleepy(), get("/?q=\x1b[31m", headers={"x-a": "1"})))
    for event in recorded:
        told = words(event)
        assert told.replace("\n", "").isprintable()
        assert f"#{event.conn}, " in told
