"""The filter language: what each term selects, and what it says of a term it cannot read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_lab.events import Event, Trace
from asgi_lab.filters import CONNECTION_KEYS, EVENT_KEYS, Stream, compile_filter
from tests.test_measures import REQUEST, any_event, events, get, took

FAILED = events(
    (30, "scope", {**get("/boom"), "method": "POST", "pid": 7}),
    (31, "send", {"type": "http.response.start", "status": 500, "headers": []}),
    (32, "raise", took(2, error="ValueError")),
    conn=2,
)
OPEN = [
    *events((40, "scope", {"type": "websocket", "path": "/ws"}), conn=3),
    Event(1, 41, 3, 1, "scope", 1, {"layer": "GZipMiddleware"}),
    Event(2, 42, 3, 1, "receive", 1, {}),
]
ALL = [*REQUEST, *FAILED, *OPEN]


@pytest.mark.parametrize(
    ("expression", "connections"),
    [
        ("", {1, 2, 3}),
        ("path=/slow", {1}),
        ("path=/slow?x=1", {1}),
        ("path=/*o*", {1, 2}),
        ("path!=/slow", {2, 3}),
        ("path~oo", {2}),
        ("status=200", {1}),
        ("status>=400", {2}),
        ("status=5xx", {2}),
        ("status!=200", {2, 3}),
        ("outcome=raised", {2}),
        ("outcome=open", {3}),
        ("total>2ms", {1}),
        ("total<=2000us", {2}),
        ("scope=websocket", {3}),
        ("method=P*", {2}),
        ("pid=7", {2}),
        ("conn>=2 conn<3", {2}),
        ("path='/slow' status=200", {1}),
        ("path=/slow status=500", set()),
    ],
)
def test_terms_about_connections_select_all_their_events(
    expression: str, connections: set[int]
) -> None:
    selected = compile_filter(expression).select(ALL)
    assert selected == [event for event in ALL if event.conn in connections]


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("kind=send", 3),
        ("kind=sen*", 5),
        ("kind!=send", len(ALL) - 3),
        ("kind=send conn=1", 2),
        ("type=http.response.body", 1),
        ("type~response", 3),
        ("took>=5ms", 3),
        ("layer=1", 2),
        ("layer>0", 2),
        ("layer=GZip*", 2),
        ("layer~Middle", 2),
        ("layer!=GZipMiddleware", len(ALL) - 2),
        ("task=1", len(ALL)),
        ('type="a b"', 0),
    ],
)
def test_terms_about_events(expression: str, count: int) -> None:
    assert len(compile_filter(expression).select(ALL)) == count


def test_a_stream_selects_of_what_it_knows_by_then() -> None:
    stream = Stream(compile_filter("status=200 kind=sen*"))
    assert stream.select(REQUEST[:11]) == []
    assert [event.kind for event in stream.select(REQUEST[11:])] == ["send", "sent", "send", "sent"]
    assert stream.select(FAILED) == []


def test_a_stream_knows_the_names_of_layers() -> None:
    stream = Stream(compile_filter("layer=GZip*"))
    assert [len(stream.select([event])) for event in OPEN] == [0, 1, 1]


def test_a_trace_filters() -> None:
    assert [event.kind for event in Trace(tuple(ALL)).filter("conn=2")] == [
        "scope",
        "send",
        "raise",
    ]


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("paht=/x", "unknown key 'paht' in 'paht=/x'; did you mean 'path'?"),
        ("zz=1", "expected one of kind, type, layer, task, took, rule, side, conn"),
        ("slow", "expected a term like path=/slow or took>100ms, got 'slow'"),
        ("took>100", "expected a duration like 100ms, 1.5s or 20us, got '100' in 'took>100'"),
        ("took~3", "'took~3' asks whether a duration contains something"),
        ("path>3", "expected = or != or ~ with a text, got '>' in 'path>3'"),
        ("conn=one", "expected a whole number, got 'one' in 'conn=one'"),
        ("path='/a", "a quote is opened and not closed"),
    ],
)
def test_a_bad_term_is_explained(expression: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        compile_filter(expression)
    assert complaint in str(caught.value)


@settings(deadline=None)
@given(
    st.lists(any_event, max_size=15),
    st.sampled_from([*EVENT_KEYS, *CONNECTION_KEYS]),
    st.sampled_from(["=1", "=*", "!=1", "~1", ">=1ms", "<3", "=x*"]),
)
def test_any_events_filter(given: list[Event], key: str, rest: str) -> None:
    try:
        compiled = compile_filter(key + rest)
    except ValueError:
        return
    assert set(map(id, compiled.select(given))) <= set(map(id, given))
