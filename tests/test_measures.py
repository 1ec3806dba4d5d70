"""Measures are a fold: what they say of a few hand-made events, and of any events at all."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_lab.concurrency import concurrency
from asgi_lab.connection import (
    APP,
    AWAIT,
    CLIENT,
    HOLD,
    MAX_PHASES,
    QUEUED,
    SENDING,
    THREAD,
)
from asgi_lab.events import Event, decode
from asgi_lab.histogram import Histogram
from asgi_lab.loop import SECOND
from asgi_lab.measures import MAX_ROUTES, Measures
from asgi_lab.message import payload_size
from asgi_lab.recorder import KINDS, Recorder
from asgi_lab.tracer import Tracer
from asgi_lab.waiting import holder

MS = 1_000_000
Short = tuple[Any, ...]


def events(*facts: Short, conn: int = 1) -> list[Event]:
    """Make events of `(ms, kind, data)`; `(ms, kind)` if there is no data."""
    return [
        Event(seq, round(ms * MS), conn, 0, kind, 1, data[0] if data else {})
        for seq, (ms, kind, *data) in enumerate(facts)
    ]


def measured(given: Sequence[Event], keep: int | None = None) -> Measures:
    measures = Measures(keep=keep)
    measures.feed(given)
    return measures


def get(path: str = "/", **data: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "headers": [], **data}


def took(ms: float, **data: Any) -> dict[str, Any]:
    return {"took": round(ms * MS), **data}


START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": "hello"}

REQUEST = events(
    (0, "scope", get("/slow", query_string="x=1")),
    (0, "run"),
    (1, "receive"),
    (1, "ran", took(1)),
    (4, "run"),
    (4, "received", took(3, type="http.request", body="abc")),
    (5, "submit", {"call": "f", "pool": "anyio"}),
    (5, "ran", took(1)),
    (7, "work", took(2, thread=1)),
    (12, "worked", took(5, outcome="returned")),
    (13, "run"),
    (13, "send", START),
    (13, "sent", took(0)),
    (14, "send", BODY),
    (14, "ran", took(1)),
    (20, "run"),
    (20, "sent", took(6)),
    (21, "ran", took(1)),
    (21, "return", took(21)),
)


def test_a_request() -> None:
    measures = measured(REQUEST)
    (c,) = measures.connections
    assert (c.type, c.method, c.path, c.route) == ("http", "GET", "/slow?x=1", "GET /slow")
    assert (c.status, c.outcome, c.total) == (200, "returned", 21 * MS)
    assert (c.first_byte, c.started, c.ended) == (14 * MS, 0, 21 * MS)
    assert (c.bytes_in, c.bytes_out, c.messages_in, c.messages_out) == (3, 5, 1, 2)


def test_phases_follow_each_other_by_precedence() -> None:
    (c,) = measured(REQUEST).connections
    assert [(a // MS, b // MS, what) for a, b, what in c.phases] == [
        (0, 1, HOLD),
        (1, 4, CLIENT),
        (4, 5, HOLD),
        (5, 7, QUEUED),
        (7, 12, THREAD),
        (12, 13, AWAIT),
        (13, 14, HOLD),
        (14, 20, SENDING),
        (20, 21, HOLD),
    ]
    assert sum(c.spent.values()) == c.total


@pytest.mark.parametrize("size", [1, 2, 5, 19])
def test_feeding_in_batches_changes_nothing(size: int) -> None:
    measures = Measures()
    for at in range(0, len(REQUEST), size):
        measures.feed(REQUEST[at : at + size])
    assert measures.connections == measured(REQUEST).connections


def test_without_run_slices_nobody_claims_to_know() -> None:
    (c,) = measured([e for e in REQUEST if e.kind not in ("run", "ran")]).connections
    assert set(c.spent) == {APP, CLIENT, QUEUED, THREAD, SENDING}


def test_listening_for_a_hang_up_is_no_waiting_for_the_client() -> None:
    (c,) = measured(
        events(
            (0, "scope", get()),
            (0, "run"),
            (1, "receive"),
            (1, "received", took(0, type="http.request", body="")),
            (2, "receive"),
            (2, "ran", took(2)),
            (5, "run"),
            (5, "send", START),
            (5, "sent", took(0)),
            (6, "ran", took(1)),
            (9, "received", took(7, type="http.disconnect")),
            (9, "return", took(9)),
        )
    ).connections
    assert [what for *_, what in c.phases] == [HOLD, CLIENT, HOLD, AWAIT]


def test_in_flight_is_closed_at_now_and_stays_open() -> None:
    measures = measured(REQUEST[:4])
    (c,) = measures.connections
    assert (c.total, c.outcome, measures.in_flight) == (None, "", 1)
    assert c.phases_until(9 * MS)[-1] == (1 * MS, 9 * MS, CLIENT)
    measures.feed(REQUEST[4:])
    assert (measures.in_flight, c.phases_until(99 * MS)) == (0, c.phases)


def test_phases_are_bounded_and_their_sums_exact() -> None:
    facts: list[Short] = [(0, "scope", {"type": "websocket", "path": "/"})]
    for n in range(2000):
        facts += [(2 * n, "run"), (2 * n + 1, "ran", took(1))]
    (c,) = measured(events(*facts)).connections
    assert len(c.phases) <= MAX_PHASES
    assert c.spent == {HOLD: 2000 * MS, AWAIT: 1999 * MS}
    assert all(a[1] == b[0] for a, b in zip(c.phases, c.phases[1:], strict=False))


def test_an_error_keeps_its_line_and_is_counted() -> None:
    raised = took(1, error="ValueError", message="no", at="app.py:7 in f")
    measures = Measures()
    for conn in (1, 2):
        measures.feed(events((0, "scope", get()), (1, "raise", raised), conn=conn))
    (failure,) = measures.failures.values()
    assert (failure.error, failure.message, failure.at) == ("ValueError", "no", "app.py:7 in f")
    assert (failure.count, failure.conn, measures.outcomes["raised"]) == (2, 2, 2)
    assert measures.statuses == {"no status": 2}
    assert measures.connections[0].failed


def test_websocket() -> None:
    accepted = measured(
        events(
            (0, "scope", {"type": "websocket", "path": "/ws"}),
            (1, "send", {"type": "websocket.accept"}),
            (2, "received", took(0, type="websocket.receive", text="hé")),
            (3, "received", took(0, type="websocket.disconnect", code=1001)),
            (3, "return", took(3)),
        )
    )
    (c,) = accepted.connections
    assert (c.status, c.code, c.first_byte, c.bytes_in) == (101, 1001, MS, 3)
    assert accepted.codes == {1001: 1}
    refused = measured(
        events(
            (0, "scope", {"type": "websocket", "path": "/ws"}),
            (1, "send", {"type": "websocket.close", "code": 4000}),
        )
    )
    assert (refused.connections[0].status, refused.connections[0].code) == (403, 4000)


@pytest.mark.parametrize(
    ("facts", "startup", "message"),
    [
        (((7, "send", {"type": "lifespan.startup.complete"}),), "ok", ""),
        (
            ((7, "send", {"type": "lifespan.startup.failed", "message": "no db"}),),
            "failed",
            "no db",
        ),
        (((7, "raise", took(7, error="KeyError", message="x")),), "unsupported", "KeyError: x"),
        ((), "", ""),
    ],
)
def test_lifespan(facts: Iterable[Short], startup: str, message: str) -> None:
    asked = (2, "received", took(0, type="lifespan.startup"))
    measures = measured(events((0, "scope", {"type": "lifespan"}), asked, *facts))
    assert (measures.lifespan.startup, measures.lifespan.message) == (startup, message)
    assert measures.lifespan.startup_took == (5 * MS if startup in ("ok", "failed") else 0)
    assert (measures.requests, measures.in_flight, measures.failures) == (0, 0, {})


def test_threads_and_the_longest_hold() -> None:
    measures = measured(REQUEST)
    threads = measures.threads
    assert (threads.calls, threads.most_busy, threads.longest_queue) == (1, 1, 2 * MS)
    assert (measures.loops.longest.took, measures.loops.longest.route, measures.loops.held) == (
        MS,
        "GET /slow",
        4 * MS,
    )
    assert measures.utilisation == pytest.approx(4 / 21)


def test_a_long_hold_is_spread_over_its_seconds() -> None:
    measures = measured(
        events((0, "scope", get()), (500, "run"), (2600, "ran", took(2100)), (2600, "return"))
    )
    assert dict(measures.loops.held_in) == {2: 600 * MS, 1: SECOND, 0: 500 * MS}
    assert dict(measures.ended_in) == {2: 1}
    assert measures.rate(3 * SECOND, 3) == pytest.approx(1 / 3)


def test_wsgi_holds_a_thread_and_not_the_loop() -> None:
    facts = (
        (0, "scope", {"type": "wsgi", "method": "GET", "path": "/"}),
        (0, "run"),
        (1, "send", {"type": "wsgi.start_response", "status": 404, "headers": []}),
        (2, "ran", took(2)),
        (3, "send", {"type": "wsgi.chunk", "body": "x"}),
        (3, "return", took(3)),
    )
    measures = measured(events(*facts))
    (c,) = measures.connections
    assert (c.status, c.bytes_out, c.spent[HOLD]) == (404, 1, 2 * MS)
    assert (measures.loops.held, measures.statuses) == (0, {"4xx": 1})


def test_what_is_kept_is_bounded_and_what_is_forgotten_does_not_return() -> None:
    measures = Measures(keep=10)
    for conn in range(1, MAX_ROUTES + 100):
        measures.feed(events((conn, "scope", get(f"/{conn}")), (conn, "return"), conn=conn))
    measures.feed(events((999, "run"), (999, "ran", took(1)), conn=3))
    assert (len(measures.finished), len(measures.open)) == (10, 0)
    assert len(measures.routes) == MAX_ROUTES + 1
    assert measures.routes["other"].count == 99
    assert measures.requests == MAX_ROUTES + 99


def test_a_trace_that_begins_in_the_middle() -> None:
    (c,) = measured(REQUEST[8:]).connections
    assert (c.type, c.started, c.status, c.outcome) == ("", 7 * MS, 200, "returned")


def test_after_a_gap_only_what_shows_itself_is_in_flight() -> None:
    measures = Measures()
    measures.feed(events((0, "scope", get()), (0, "run")))
    measures.feed(events((0, "scope", get("/other")), (0, "run"), conn=2))
    measures.gap()
    assert (measures.in_flight, holder(measures, 0)) == (0, None)
    measures.feed(events((5, "send", START), conn=2))
    (c,) = measures.open.values()
    assert (c.path, c.status, c.started, measures.in_flight) == ("/other", 200, 0, 1)


def test_quantiles_are_within_a_percent() -> None:
    histogram = Histogram()
    for n in range(1, 1001):
        histogram.add(n * 1000)
    assert histogram.quantile(0.5) == pytest.approx(500_000, rel=0.01)
    assert histogram.quantile(0.99) == pytest.approx(990_000, rel=0.01)
    assert (histogram.quantile(1), histogram.longest) == (1_000_000, 1_000_000)
    assert Histogram().quantile(0.5) == 0


@pytest.mark.parametrize(
    ("data", "size"),
    [
        ({"body": "abc"}, 3),
        ({"body": "abc", "length": 1000}, 1000),
        ({"bytes": "\udcff\udc8b"}, 2),
        ({"text": "é"}, 2),
        ({"text": "\ud83d"}, 3),
        ({"body": 7}, 0),
        ({}, 0),
    ],
)
def test_payload_size(data: dict[str, Any], size: int) -> None:
    assert payload_size(data) == size


def test_concurrency() -> None:
    facts = events((0, "scope", get()), (0, "run"), (10, "ran", took(10)), (40, "return", took(40)))
    late = events((10, "scope", get()), (20, "return", took(10)), conn=2)
    bins = concurrency(measured([*facts, *late]).connections, 4, 0, 40 * MS)
    assert [b.in_flight for b in bins] == [1, 2, 1, 1]
    assert [b.most for b in bins] == [1, 2, 2, 1]
    assert [b.holding for b in bins] == [1, 0, 0, 0]
    assert [(b.begin // MS, b.end // MS) for b in bins] == [(0, 10), (10, 20), (20, 30), (30, 40)]


odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
odd |= st.lists(st.text(max_size=3), max_size=3)
NAMES = ("type", "took", "status", "path", "method", "body", "length", "headers", "code", "error")
keys = st.sampled_from([*NAMES, "at", "pid", "layer", "more_body"])
any_event = st.builds(
    Event,
    seq=st.just(0),
    t=st.integers(0, 2**62),
    conn=st.integers(0, 3),
    layer=st.integers(0, 1),
    kind=st.sampled_from([*KINDS, "new"]),
    task=st.integers(0, 2),
    data=st.dictionaries(keys, odd, max_size=4),
)


@settings(deadline=None)
@given(st.lists(any_event, max_size=30))
def test_nothing_that_a_broken_app_does_raises(given: list[Event]) -> None:
    measures = measured(given)
    for c in measures.connections:
        assert c.phases_until(measures.last) is not None
    concurrency(measures.connections, 5, 0, max(measures.last, 1))


def test_a_real_app() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    async def receive() -> Any:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        await asyncio.sleep(0)

    recorder = Recorder()
    tracer = Tracer(app, recorder, run=True, layers=True)
    asyncio.run(tracer(get("/real"), receive, send))
    tracer.ticker.stop()
    records = recorder.read()[1]
    measures = measured([decode(r, i, recorder.origin) for i, r in enumerate(records)])
    (c,) = measures.connections
    assert (c.path, c.status, c.bytes_out, c.outcome) == ("/real", 200, 5, "returned")
    assert {HOLD, CLIENT, SENDING} <= set(c.spent)
