"""The module that paints scenes in a browser, by itself: what grows, folds, and is asked."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import asgi_lab.view
from asgi_lab.events import Event
from asgi_lab.scene import Scene, payload
from asgi_lab.scene.live import Delta, LiveTimeline
from asgi_lab.scene.model import Axis, Group, Items, Lane, Note
from asgi_lab.scene.timeline import timeline
from asgi_lab.view import theme
from asgi_lab.view.sample import busy_trace, sample_trace
from tests.browser import inked

MODULE = Path(asgi_lab.view.__file__).parent / "static" / "timeline.js"
MS = 1_000_000


@pytest.fixture
def lab(page: Any) -> Iterator[Any]:
    """A page that has the module, and nothing else."""
    page.set_content("<!doctype html><body></body>")
    script = f"{MODULE.read_text()}\nObject.assign(window, {{ mount, module: {{ render }} }});"
    page.add_script_tag(content=script, type="module")
    page.wait_for_function("() => Boolean(window.mount)")
    return page


def given(scene: Scene) -> dict[str, Any]:
    """Return what a browser takes."""
    return {"theme": theme.as_json(), "scene": payload.as_json(scene)}


def mount(page: Any, scene: Scene) -> Any:
    page.evaluate(
        "given => { window.told = []; window.view = mount(document.body, given, {"
        "  describe: (seq) => Promise.resolve(`words of ${seq}`),"
        "  onSelect: (seq) => told.push(seq) }); }",
        given(scene),
    )
    return page.locator("canvas.asgilab-timeline")


def append(page: Any, new: Delta) -> None:
    delta = {**payload.delta(new), "items": b64encode(payload.columns(new.items)).decode()}
    page.evaluate("delta => view.append(delta)", delta)


HELD = """() => {
  const { columns: c, scene } = view;
  return Array.from({ length: c.count }, (_, i) => [
    c.lane[i], c.begin[i], c.end[i], c.role[i], scene.texts[c.label[i]], c.event[i],
    c.fold[i] < 0 ? "" : scene.texts[c.label[c.fold[i]]]].join("|")).sort();
}"""


def test_what_grows_by_deltas_is_in_the_end_the_whole(lab: Any) -> None:
    trace = busy_trace(3000)
    live = LiveTimeline()
    live.feed(trace.events[:500])
    first = live.update()
    assert isinstance(first, Scene)
    mount(lab, first)
    for start in range(500, len(trace), 400):
        live.feed(trace.events[start : start + 400])
        new = live.update()
        if isinstance(new, Scene):
            lab.evaluate("given => view.update(given)", given(new))
        elif new is not None:
            append(lab, new)
    new = live.update(settle=True)
    assert new is None or isinstance(new, Delta)
    if new is not None:
        append(lab, new)
    grown = lab.evaluate(HELD)
    in_view = lab.evaluate("() => [view.from, view.to]")
    whole = timeline(trace)
    lab.evaluate("given => view.update(given)", given(whole))
    assert grown == lab.evaluate(HELD)
    assert in_view == [whole.axis.begin, whole.axis.end]  # all of it stayed in view


def test_a_reader_who_looks_closer_is_not_moved(lab: Any) -> None:
    events = sample_trace().events
    live = LiveTimeline()
    live.feed(events[:12])
    scene = live.update()
    assert isinstance(scene, Scene)
    mount(lab, scene)
    lab.evaluate("() => view.zoom(0.25)")
    before = lab.evaluate("() => [view.from, view.to]")
    live.feed(events[12:])
    new = live.update()
    if isinstance(new, Scene):
        lab.evaluate("given => view.update(given)", given(new))
    else:
        assert new is not None
        append(lab, new)
    assert lab.evaluate("() => [view.from, view.to]") == before


def streaming() -> Scene:
    """Return a request that sends a hundred chunks within a tenth of its time."""
    events = [Event(0, 0, 1, 0, "scope", 1, {"type": "http", "method": "GET", "path": "/feed"})]
    for number in range(100):
        chunk = {"type": "http.response.body", "body": "x" * 10, "more_body": True}
        events.append(Event(number + 1, (100 + number) * MS // 10, 1, 0, "send", 1, chunk))
    events.append(Event(101, 200 * MS, 1, 0, "return", 1, {"took": 200 * MS}))
    return timeline(sample_trace().of(events))


def test_many_messages_are_one_until_there_is_room(lab: Any) -> None:
    canvas = mount(lab, streaming())
    hint = "x => { const h = view.painter.hit(x, 39); return h && view.hintOf(h); }"
    where = "() => view.painter.x(15e6)"
    assert "100 × http.response.body, 1.00 kB" in lab.evaluate(hint, lab.evaluate(where))
    lab.evaluate("() => view.lookAt(14.5e6, 15.6e6)")
    assert "http.response.body 10 B" in lab.evaluate(hint, lab.evaluate(where))
    canvas.click(position={"x": lab.evaluate(where), "y": 39})
    assert lab.evaluate("() => told") == [51]
    lab.wait_for_function(
        "() => document.querySelector('.asgilab-detail pre').textContent === 'words of 51'"
    )


def test_an_event_is_selected_from_outside(lab: Any) -> None:
    mount(lab, streaming())
    lab.evaluate("() => view.lookAt(0, 5e6)")
    lab.evaluate("() => view.select(51)")
    low, high = lab.evaluate("() => [view.from, view.to]")
    assert low <= 15 * MS <= high  # it has come into view
    assert lab.evaluate("() => told") == []  # nobody need be told of it
    lab.evaluate("() => view.select(-1)")
    assert lab.locator(".asgilab-detail").is_hidden()


def test_notes_and_groups_are_drawn(lab: Any) -> None:
    items = Items()
    items.add(0, 5, 0, "line")
    items.add(5, 9, 0, "hold")
    items.add(0, 2, 1, "await")
    scene = Scene(
        "comparison", "two sides", "Two sides.", Axis(0, 10), (Lane("GET /"), Lane("GET /")),
        groups=(Group("a", "1 worker", 0, 0), Group("b", "1 loop", 1, 1)), items=items,
    )  # fmt: skip
    canvas = mount(lab, scene)
    without = inked(canvas)
    lab.evaluate("() => view.destroy()")
    assert canvas.count() == 0
    noted = Scene(**{name: getattr(scene, name) for name in scene.__slots__} | {
        "notes": (Note(2.5, 0, "waits for a worker", "line"),)
    })  # fmt: skip
    canvas = mount(lab, noted)
    assert inked(canvas) != without
    legend = lab.locator(".asgilab-legend li").all_inner_texts()
    assert legend == ["holds loop", "waits in line", "awaits"]


def test_two_fingers_zoom(lab: Any) -> None:
    mount(lab, streaming())
    low, high = lab.evaluate(
        """() => {
        const point = (type, id, x) => view.canvas.dispatchEvent(new PointerEvent(type, {
          pointerId: id, pointerType: "touch", bubbles: true, clientX: x,
          clientY: view.canvas.getBoundingClientRect().top + 40 }));
        point("pointerdown", 7, 600); point("pointerdown", 8, 700);
        point("pointermove", 8, 900); point("pointerup", 7, 600); point("pointerup", 8, 900);
        return [view.from, view.to];
        }"""
    )
    assert 0 < low < high < 200 * MS


def test_a_screen_with_fine_pixels_gets_them(chromium: Any) -> None:
    page = chromium.new_page(viewport={"width": 800, "height": 600}, device_scale_factor=2)
    page.set_content("<!doctype html><body></body>")
    script = f"{MODULE.read_text()}\nObject.assign(window, {{ mount }});"
    page.add_script_tag(content=script, type="module")
    page.wait_for_function("() => Boolean(window.mount)")
    canvas = mount(page, streaming())
    width, shown = canvas.evaluate("canvas => [canvas.width, canvas.clientWidth]")
    page.close()
    assert width == 2 * shown
