"""Scenes as data: what there is to see, and where, before anybody has drawn it."""

import asyncio
import time
from collections.abc import Iterable
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_lab import compare, every, expect, get, post, run, ws
from asgi_lab.events import Trace
from asgi_lab.measures import Measures
from asgi_lab.scene.axis import ticks
from asgi_lab.scene.comparison import comparison
from asgi_lab.scene.concurrency import concurrency
from asgi_lab.scene.layers import layers
from asgi_lab.scene.model import Axis, Item, Items, Scene
from asgi_lab.scene.payload import as_json, columns, header
from asgi_lab.scene.roles import MEANINGS, ROLES
from asgi_lab.scene.sequence import sequence
from asgi_lab.scene.states import PLACES, ranges, states
from asgi_lab.scene.timeline import timeline
from asgi_lab.spec.states import PROTOCOLS
from asgi_lab.view.sample import sample_trace
from asgi_lab.view.theme import STYLES
from tests.test_measures import any_event

MS = 1_000_000
SECOND = 1000 * MS
START = {"type": "http.response.start", "status": 200, "headers": []}


def traced(app: Any, *clients: Any, **settings: Any) -> Trace:
    return asyncio.run(run(app, *clients, **settings))


def bars(scene: Scene) -> list[tuple[int, str, float, float]]:
    """The items that last: lane, role, begin and end in milliseconds since the axis began."""
    begin = scene.axis.begin
    return [
        (item.lane, item.role, (item.begin - begin) / MS, (item.end - begin) / MS)
        for item in scene.items
        if item.end > item.begin
    ]


def marks(scene: Scene, lane: int) -> list[tuple[str, str]]:
    return [
        (item.role, scene.text(item))
        for item in scene.items
        if item.lane == lane and item.end == item.begin
    ]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Waits, blocks, or streams, as the path says."""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    what = scope["path"].strip("/")
    if what == "slow":
        await asyncio.sleep(1)
    elif what == "block":
        time.sleep(0.3)
    await send(START)
    if what == "chunks":
        for _ in range(100):
            await send({"type": "http.response.body", "body": b"0123456789", "more_body": True})
            await asyncio.sleep(0.001)
    await send({"type": "http.response.body", "body": b"done"})


# --- the timeline --------------------------------------------------------------------------------


def test_a_lane_a_request_and_who_holds_the_loop_blocks_the_others() -> None:
    scene = timeline(traced(app, get("/slow"), get("/block")))
    assert [lane.label for lane in scene.lanes] == ["GET /slow", "GET /block"]
    assert bars(scene) == [
        (0, "blocked", 0, 300),
        (0, "await", 300, 1000),
        (1, "hold", 0, 300),
    ]
    assert scene.title == "GET /block (#3) held the loop for 300 ms; 1 request could not run"
    (stall,) = scene.boxes
    assert (stall.lane, stall.until, stall.end - stall.begin) == (0, 1, 300 * MS)


def flags(scene: Scene) -> list[tuple[str, str, int, float]]:
    """What is marked as wrong: role, name, lane, and when in milliseconds since the axis began."""
    begin = scene.axis.begin
    return [(f.role, f.label, f.lane, (f.at - begin) / MS) for f in scene.flags]


def test_what_is_wrong_is_marked_where_it_shows() -> None:
    trace = traced(app, get("/slow"), get("/block"))
    (found,) = trace.diagnose()
    scene = timeline(trace, diagnoses=[found])
    assert flags(scene) == [("warning", "LOOP-BLOCKED", 1, 0)]
    (flag,) = scene.flags
    sentence, *rest = flag.text.splitlines()
    assert sentence == found.sentence
    assert [line.split()[0] for line in rest] == ["why", "do", "more"]
    assert set(flag.lanes) == {0, 1}  # who held it, and who waited
    assert flag.event in found.events
    assert scene.alt == f"{timeline(trace).alt} Marked: LOOP-BLOCKED (warning)."
    assert timeline(trace).flags == ()
    assert "flags" not in header(timeline(trace))


def test_what_is_wrong_elsewhere_is_marked_for_who_suffers_it_or_below_all() -> None:
    async def fails_to_start(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            raise OSError("no database")
        await app(scope, receive, send)

    trace = traced(fails_to_start, get("/slow"), get("/block"))
    scene = timeline(trace, diagnoses=trace.diagnose())
    assert ("warning", "LIFESPAN-NOT-REACHED", -1, 0) in flags(scene)
    only = timeline(trace, only={trace.results and 2}, diagnoses=trace.diagnose())
    assert all(flag.lane < 1 for flag in only.flags)


def test_many_that_share_a_lane_are_marked_in_it() -> None:
    trace = traced(app, 100 * [get("/slow")], get("/block"))
    scene = timeline(trace, rows=10, diagnoses=trace.diagnose())
    ((_, name, lane, _),) = flags(scene)
    assert (name, lane) == ("LOOP-BLOCKED", len(scene.lanes) - 1)


def test_messages_are_marks_that_know_their_event() -> None:
    trace = traced(app, get("/slow"))
    scene = timeline(trace)
    assert marks(scene, 0) == [
        ("call", "scope"),
        ("out", "http.response.start 200"),
        ("out", "http.response.body 4 B"),
        ("return", "return"),
    ]
    told = [item for item in scene.items if item.role == "out"]
    assert [trace[item.event].type for item in told] == [
        "http.response.start",
        "http.response.body",
    ]


def test_a_hundred_chunks_are_one_bar_with_a_count_when_seen_beside_a_long_request() -> None:
    scene = timeline(traced(app, get("/chunks"), get("/slow")))
    (many,) = [item for item in scene.items if item.role == "many"]
    assert scene.text(many) == "101 × http.response.body, 1.00 kB"
    members = [item for item in scene.items if item.fold >= 0]
    assert len(members) == 101
    assert {scene.items[item.fold].role for item in members} == {"many"}


def test_chunks_far_from_one_another_are_told_one_by_one() -> None:
    scene = timeline(traced(app, get("/chunks")))
    assert "many" in scene.roles  # 100 in 100 ms are close
    few = timeline(traced(app, *[get("/slow")] * 3))
    assert "many" not in few.roles


def test_ten_thousand_requests_keep_their_shape_in_forty_lanes() -> None:
    def wsgi(environ: Any, start: Any) -> list[bytes]:
        time.sleep(1)
        start("200 OK", [])
        return [b"x"]

    trace = traced(wsgi, 400 * [get("/")], workers=4)
    scene = timeline(trace, rows=40)
    assert len(scene.lanes) == 40
    assert (scene.lanes[0].label, scene.lanes[0].detail) == ("#1 to #10", "×10")
    begins = [min(item.begin for item in scene.items if item.lane == lane) for lane in range(40)]
    assert begins == sorted(begins)  # a staircase
    assert len(scene.items) < 2000
    assert {item.role for item in scene.items} == {"hold"}
    assert all(0 < item.share <= 255 for item in scene.items)


def test_what_is_chosen_is_shown_and_measured_on_all() -> None:
    trace = traced(app, get("/slow"), get("/block"))
    (slow, _) = [event.conn for event in trace if event.kind == "scope" and event.type == "http"]
    scene = timeline(trace, only={slow})
    assert bars(scene)[0] == (0, "blocked", 0, 300)


def test_of_no_requests_there_is_a_scene_that_says_so() -> None:
    for lay_out in (timeline, sequence, layers, concurrency, states):
        scene = lay_out(Trace())
        assert scene.title == "no requests yet"
        assert scene.alt == "No requests yet." or scene.alt == "no requests yet"


# --- one connection ------------------------------------------------------------------------------


def arrows(scene: Scene) -> list[tuple[str, str, str, str]]:
    names = [lane.label for lane in scene.lanes]
    return [
        (names[arrow.source], names[arrow.target], arrow.role, arrow.label)
        for arrow in scene.arrows
        if arrow.role != "unseen"
    ]


def test_sequence() -> None:
    scene = sequence(traced(app, get("/slow")))
    assert scene.flow == "down"
    assert [lane.label for lane in scene.lanes] == ["client", "server", "app"]
    assert arrows(scene) == [
        ("server", "app", "call", "GET /slow"),
        ("app", "server", "out", "http.response.start 200"),
        ("app", "server", "out", 'http.response.body "done"'),
        ("app", "server", "return", "returned after 1.00 s"),
    ]
    assert [(note.at, note.text) for note in scene.notes] == [(0.5, "⋮ 1.00 s")]
    assert [tick.label for tick in scene.axis.ticks] == ["0 µs", "1.00 s", "1.00 s", "1.00 s"]


def test_a_hundred_chunks_are_three_arrows() -> None:
    told = [label for *_, label in arrows(sequence(traced(app, get("/chunks"))))]
    assert told[2:5] == [
        'http.response.body "0123456789" more to come',
        "… 99 × http.response.body, 990 B over 98.0 ms",
        'http.response.body "done"',
    ]


def test_on_the_lab_server_the_wire_is_seen_and_nothing_is_guessed() -> None:
    scene = sequence(traced(app, get("/"), server="lab"))
    assert {"wire-in", "wire-out"} <= set(scene.roles)
    assert "unseen" not in scene.roles


def test_no_such_connection_is_an_error_that_says_which_there_are() -> None:
    trace = traced(app, get("/"))
    for lay_out in (sequence, layers, states):
        with pytest.raises(ValueError, match=r"no connection 99 .* expected one of 1 to 2"):
            lay_out(trace, 99)


def test_layers_are_nested_boxes_left_in_the_reverse_order() -> None:
    class Outer:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    scene = layers(traced(Outer(app), get("/")))
    assert [lane.label for lane in scene.lanes] == ["server", "app", "app"]
    outer, inner = scene.boxes
    assert outer.begin < inner.begin < inner.end < outer.end
    assert (outer.lane, inner.lane, outer.until, inner.until) == (1, 2, 2, 2)


def test_the_states_of_a_healthy_response_and_of_one_that_breaks_a_rule() -> None:
    def path(scene: Scene) -> list[tuple[str, str, str]]:
        return [
            (link.steps, link.label, link.target)
            for link in scene.links
            if link.role in ("taken", "illegal")
        ]

    assert path(states(traced(app, get("/chunks")))) == [
        ("1", "http.response.start", "response.started"),
        ("2", "http.response.body, more", "response.streaming"),
        ("3–101", "http.response.body, more", "response.streaming"),
        ("102", "http.response.body", "response.complete"),
        ("103", "returns", "response.over"),
    ]

    async def bad(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"x"})

    scene = states(traced(bad, get("/")))
    assert path(scene)[0] == ("1", "http.response.body", "response.waiting.http.response.body")
    assert "rule H1" in scene.title
    assert next(n.label for n in scene.nodes if n.role == "illegal") == "H1"


@pytest.mark.parametrize(
    ("numbers", "told"), [([1], "1"), ([1, 2, 3, 7], "1–3, 7"), ([], ""), ([2, 4], "2, 4")]
)
def test_ranges(numbers: list[int], told: str) -> None:
    assert ranges(numbers) == told


def test_every_state_of_the_tables_has_a_place() -> None:
    for machine in chain.from_iterable(PROTOCOLS.values()):
        assert set(PLACES[machine.thread]) == {state.name for state in machine.states}


def test_a_websocket_has_its_own_states() -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"]})
        await send({"type": "websocket.close"})

    scene = states(traced(echo, ws("/", "hi", expect("hi"))))
    been = [node.label for node in scene.nodes if node.role == "been"]
    assert been == ["called", "connecting", "open", "closed", "over"]


# --- curves, comparisons -------------------------------------------------------------------------


def test_concurrency() -> None:
    scene = concurrency(traced(app, get("/slow"), get("/block")), bins=10)
    flying, held = scene.areas
    assert [lane.label for lane in scene.lanes] == ["in flight", "event loop held"]
    assert flying.values == (2, 2, 2, 2, 1, 1, 1, 1, 1, 1)
    assert held.values == (100, 100, 100, 0, 0, 0, 0, 0, 0, 0)
    assert held.top == 100


def test_a_comparison_says_who_waits_and_why_in_the_picture() -> None:
    def wsgi(environ: Any, start: Any) -> list[bytes]:
        time.sleep(1)
        start("200 OK", [])
        return [b"x"]

    result = compare(wsgi, app, 6 * [get("/slow")], workers=2, names=("wsgi", "asgi")).wait()
    scene = comparison(result)
    assert scene.title == "asgi is done 3 times as fast: 1 s against 3 s for 6 requests."
    assert [(g.label, g.detail, g.first, g.last) for g in scene.groups] == [
        ("wsgi", "2 workers · 3 s", 0, 5),
        ("asgi", "1 event loop · 1 s", 6, 11),
    ]
    assert [(note.lane, note.text) for note in scene.notes] == [
        (5, "waits in line: all workers are busy"),
        (6, "all 6 at the same time: nobody waits in line"),
    ]
    line = [bar for bar in bars(scene) if bar[1] == "line"]
    assert [(lane, end) for lane, _, _, end in line] == [
        (2, 1000), (3, 1000), (4, 2000), (5, 2000)
    ]  # fmt: skip
    assert len(comparison(result, rows=2).lanes) == 4


# --- what all scenes have ------------------------------------------------------------------------


def every_scene(trace: Trace) -> Iterable[Scene]:
    yield timeline(trace)
    yield timeline(trace, rows=2, diagnoses=trace.diagnose())
    yield concurrency(trace)
    measures = Measures(keep=None)
    measures.feed(trace.events)
    for c in [connection.conn for connection in measures.connections]:
        for lay_out in (sequence, layers, states):
            yield lay_out(trace, c)


def check(scene: Scene) -> None:
    """Raise if anything lies outside of its picture, or means nothing."""
    assert scene.title
    assert scene.alt
    lanes = len(scene.lanes)
    for item in scene.items:
        assert 0 <= item.lane < lanes
        assert scene.axis.begin <= item.begin <= item.end <= scene.axis.end
        assert item.role in MEANINGS
        assert item.fold < len(scene.items)
    for flag in scene.flags:
        assert -1 <= flag.lane < lanes
        assert scene.axis.begin <= flag.at <= scene.axis.end
        assert all(0 <= lane < lanes for lane in flag.lanes)
    for arrow in scene.arrows:
        assert 0 <= arrow.source < lanes
        assert 0 <= arrow.target < lanes
    for box in scene.boxes:
        assert 0 <= box.lane <= box.until < lanes
        assert box.begin <= box.end
    keys = {node.key for node in scene.nodes}
    assert len(keys) == len(scene.nodes)
    assert all({link.source, link.target} <= keys for link in scene.links)
    assert len(columns(scene.items)) == 34 * len(scene.items)
    assert header(scene)["count"] == len(scene.items)


def test_every_scene_of_a_real_run_is_in_its_picture() -> None:
    clients = [get("/slow"), get("/block"), get("/chunks"), post("/", b"x")]
    for scene in every_scene(traced(app, every(0.1, clients))):
        check(scene)
    for scene in every_scene(sample_trace()):
        check(scene)


@given(st.lists(any_event, max_size=60))
@settings(deadline=None, max_examples=60)
def test_every_scene_of_any_events(some: list[Any]) -> None:
    for scene in every_scene(Trace(tuple(sorted(some, key=lambda event: event.t)))):
        assert scene.title
        as_json(scene)


def test_every_role_has_a_style_and_no_two_look_alike() -> None:
    assert set(STYLES) == set(ROLES)
    bars_drawn = [(s.shape, s.light, s.height) for r, s in STYLES.items() if s.shape != "line"]
    phases = [STYLES[role] for role in ROLES[:9]]
    assert len({(s.shape, s.height) for s in phases}) == len(phases)  # without any colour
    assert bars_drawn


def test_ticks_are_round_and_say_their_unit() -> None:
    told = [(tick.at, tick.label) for tick in ticks(Axis(500, 500 + 800 * MS), 5)]
    assert told == [(500 + t * MS, f"{t} ms" if t else "0") for t in (0, 200, 400, 600, 800)]


def test_items_are_a_sequence() -> None:
    items = Items([Item(0, 1, 0, "hold"), Item(1, 2, 1, "await", 3, 4, 5, 6)])
    assert items[1] == Item(1, 2, 1, "await", 3, 4, 5, 6)
    assert list(items[:1]) == [Item(0, 1, 0, "hold")]
    assert items == Items(list(items))
