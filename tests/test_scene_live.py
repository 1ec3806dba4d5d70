"""The live timeline: whoever applies its deltas has the scene of the whole trace."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_lab.events import Event, Trace
from asgi_lab.scene import payload
from asgi_lab.scene.flags import spots_of
from asgi_lab.scene.live import LONG, Delta, LiveTimeline
from asgi_lab.scene.model import NONE, Item, Items, Scene
from asgi_lab.scene.timeline import timeline
from asgi_lab.view.sample import sample_trace
from tests.experiments import EXPERIMENTS
from tests.traces import blocked_trace

MS = 1_000_000


def apply(scene: Scene | None, new: Scene | Delta | None) -> Scene | None:
    """Do with a delta what a browser does."""
    if new is None or isinstance(new, Scene):
        return new or scene
    assert scene is not None
    lanes = dict(enumerate(scene.lanes)) | dict(new.lanes)
    kept = [(n, item) for n, item in enumerate(scene.items) if item.lane not in new.replace]
    moved = {n: place for place, (n, _) in enumerate(kept)}
    items = [item._replace(fold=moved.get(item.fold, NONE)) for _, item in kept]
    items += [
        item._replace(fold=item.fold + len(kept) if item.fold != NONE else NONE)
        for item in new.items
    ]
    return replace(
        scene,
        axis=new.axis,
        lanes=tuple(lanes[n] for n in range(len(lanes))),
        texts=(*scene.texts, *new.texts),
        items=Items(items),
        boxes=new.boxes,
        flags=scene.flags if new.flags is None else new.flags,
        title=new.title,
        alt=new.alt,
    )


def told(scene: Scene) -> object:
    """Return all that a scene shows, whatever the order of its items and the numbers of texts."""
    items = scene.items

    def whole(item: Item) -> tuple[object, ...]:
        fold = items[item.fold] if item.fold != NONE else None
        own = item._replace(label=0, fold=0)
        return (own, scene.text(item), fold and (fold.begin, fold.role, scene.text(fold)))

    order = sorted(map(whole, items), key=repr)
    return order, replace(scene, items=Items(), texts=())


def grown(events: Sequence[Event], cuts: Sequence[int], most: int = 500) -> Scene:
    live, scene = LiveTimeline(most), None
    for begin, end in pairwise((0, *sorted(cuts), len(events))):
        live.feed(events[begin:end])
        scene = apply(scene, live.update())
    scene = apply(scene, live.update(settle=True))
    assert scene is not None
    return scene


RUNS = (
    "raw, mixed", "raw, stream", "raw, hang up", "raw, slow reader", "raw, websocket",
    "raw, a task", "fastapi, four threads", "fastapi, blocking", "wsgi, poisson",
    "lab, websocket", "lab, users",
)  # fmt: skip
TRACES = [sample_trace(), *(asyncio.run(EXPERIMENTS[name].run()) for name in RUNS)]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whoever_applies_all_deltas_has_the_scene_of_the_trace(data: st.DataObject) -> None:
    trace = data.draw(st.sampled_from(TRACES))
    cuts = data.draw(st.lists(st.integers(0, len(trace)), max_size=12))
    assert told(grown(trace.events, cuts)) == told(timeline(trace))


def test_what_is_wrong_is_marked_once_it_is_known() -> None:
    trace = blocked_trace()
    found = trace.diagnose()
    live = LiveTimeline()
    live.feed(trace.events)
    scene = apply(None, live.update())
    live.mark(spots_of(trace.events, found))
    new = live.update()
    assert isinstance(new, Delta)
    assert found
    assert [flag.label for flag in new.flags or ()] == [one.name for one in found]
    scene = apply(scene, new)
    assert scene is not None
    assert told(scene) == told(timeline(trace, diagnoses=found))
    live.feed(trace.events[-1:])
    again = live.update()
    assert isinstance(again, Delta)
    assert again.flags is None  # as they were
    live.restart()
    whole = live.update()
    assert isinstance(whole, Scene)
    assert whole.flags == scene.flags


def test_event_by_event() -> None:
    trace = TRACES[1]
    assert told(grown(trace.events, range(len(trace)))) == told(timeline(trace))


def chatter(marks: int, end: bool = True) -> Trace:
    """Return a WebSocket that says much, and a request beside it that blocks now and then."""
    events = [(0, 1, "scope", {"type": "websocket", "path": "/feed"})]
    said = {"type": "websocket.send", "text": "tick"}
    events += [(n * MS, 1, "send", said) for n in range(1, marks + 1)]
    events += [(n * MS + MS // 2, 1, "sent", {"took": MS // 2}) for n in range(1, marks + 1)]
    events += [(7 * MS, 2, "scope", {"type": "http", "method": "GET", "path": "/b"})]
    if end:
        events += [((marks + 2) * MS, 1, "return", {})]
    ordered = sorted(events, key=lambda fact: fact[0])
    return Trace(
        tuple(
            Event(n, t, conn, 0, kind, 0, data) for n, (t, conn, kind, data) in enumerate(ordered)
        )
    )


def test_a_long_lane_grows_by_what_is_new() -> None:
    trace = chatter(3 * LONG, end=False)
    live = LiveTimeline()
    live.feed(trace.events[:-300])
    whole = live.update()
    live.feed(trace.events[-300:])
    new = live.update()
    assert isinstance(whole, Scene)
    assert isinstance(new, Delta)
    assert new.replace == (1,)  # the other, which goes on, too
    assert 150 <= len(new.items) < 500 < len(whole.items)


def test_a_long_lane_is_whole_in_the_end() -> None:
    for end in (True, False):
        trace = chatter(3 * LONG, end)
        assert told(grown(trace.events, range(2500, len(trace), 97))) == told(timeline(trace))


def test_nothing_new_is_no_delta() -> None:
    live = LiveTimeline()
    first = live.update()
    assert isinstance(first, Scene)
    assert first.title == "no requests yet"
    assert live.update() is None
    trace = sample_trace()
    live.feed(trace.events)
    assert isinstance(live.update(), Scene)
    assert live.update() is None
    assert live.update(trace.events[-1].t + 5 * MS) is None  # none is in flight


def test_time_goes_on_for_what_is_in_flight() -> None:
    live = LiveTimeline()
    live.feed(sample_trace().events[:3])
    live.update()
    new = live.update(200 * MS)
    assert new is not None
    assert new.axis.end == 200 * MS


def test_who_comes_later_gets_it_all() -> None:
    live = LiveTimeline()
    live.feed(sample_trace().events)
    live.update()
    live.restart()
    assert live.update() == timeline(sample_trace())


def test_of_more_requests_than_lanes_the_last_are_shown() -> None:
    events = []
    for n in range(25):
        scope = {"type": "http", "method": "GET", "path": f"/{n}"}
        events += [Event(2 * n, n * MS, n + 1, 0, "scope", 0, scope)]
        events += [Event(2 * n + 1, n * MS + 7, n + 1, 0, "return", 0, {"took": 7})]
    for cuts in ((), range(50), (3, 30)):
        scene = grown(events, cuts, most=10)
        assert scene.lanes[-1].label == "GET /24"
        assert len(scene.lanes) <= 10
        shown = {lane.conn for lane in scene.lanes}
        assert told(scene) == told(timeline(Trace(tuple(events)), only=shown))


def test_events_that_were_lost_end_nothing() -> None:
    trace = sample_trace()
    live = LiveTimeline()
    live.feed(trace.events[:5])
    live.feed(trace.events[-3:], dropped=20)
    assert live.update() is not None


def test_a_delta_for_a_browser() -> None:
    live, trace = LiveTimeline(), sample_trace()
    live.feed(trace.events[:-4])
    live.update()
    live.feed(trace.events[-4:])
    new = live.update()
    assert isinstance(new, Delta)
    header = payload.delta(new)
    assert header["count"] == len(new.items)
    assert len(payload.columns(new.items)) == 34 * len(new.items)
    assert [lane["label"] for _, lane in header["lanes"]] == ["GET /waits?for=timer"]
    assert header["replace"] == [0]
