"""A trace in words: every line exact, and nothing in it that a terminal would obey."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_lab.events import Event, Trace
from asgi_lab.message import message
from asgi_lab.plain import clean, duration, shorten, size
from asgi_lab.text import line, trace_lines
from tests.test_measures import MS, START, any_event, events, get, took


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 µs"),
        (812, "812 ns"),
        (1000, "1.00 µs"),
        (812_400, "812 µs"),
        (999_600, "1.00 ms"),
        (12_345_678, "12.3 ms"),
        (1_024_000_000, "1.02 s"),
        (59_960_000_000, "60.0 s"),
        (125_000_000_000, "2 min 5 s"),
        (-3 * MS, "-3.00 ms"),
    ],
)
def test_duration(ns: int, text: str) -> None:
    assert duration(ns) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (1_234_567, "1.23 MB"), (5e12, "5.00 TB")],
)
def test_size(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain – ünïcode 漢", "plain – ünïcode 漢"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("two\r\nlines", r"two\r\nlines"),
        ("\udc8b\udcff", r"\x8b\xff"),
        ("\ud83d", r"\ud83d"),
        ("right\u202eleft", r"right\u202eleft"),
        (404, "404"),
    ],
)
def test_clean(raw: object, text: str) -> None:
    assert clean(raw) == text


def test_shorten() -> None:
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghij", 5) == "abcd…"
    assert shorten("abcdefghij", 7, "middle") == "abc…hij"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            {**START, "headers": [["Content-Type", "text/plain"]]},
            "http.response.start 200 text/plain",
        ),
        (
            {"type": "http.response.body", "body": "hi", "more_body": True},
            'http.response.body "hi" more to come',
        ),
        (
            {"type": "http.response.body", "body": "h" * 256, "length": 5000},
            f'http.response.body "{"h" * 40}…" 5.00 kB',
        ),
        (
            {"type": "http.response.body", "body": "\x1f\udc8b\x08\x00\x00ab"},
            "http.response.body <7 bytes>",
        ),
        ({"type": "http.request", "body": ""}, "http.request (empty)"),
        (
            {"type": "websocket.close", "code": 4001, "reason": "bye\n"},
            r"websocket.close 4001 bye\n",
        ),
        ({"type": "odd\x1b", "colour": "\x07"}, r"odd\x1b colour=\x07"),
        ({"type": None, "headers": 7}, "(no type)"),
    ],
)
def test_message(data: dict[str, Any], text: str) -> None:
    assert message(data) == text


TRACE = [
    *events(
        (0, "scope", get("/slow", query_string="x=1")),
        (0.01, "run"),
        (0.02, "ran", took(0.01)),
        (1, "receive"),
        (13, "received", took(12, type="http.request", body="")),
    ),
    Event(5, 13 * MS, 1, 1, "scope", 1, {"layer": "GZip"}),
    Event(6, 13 * MS, 1, 1, "send", 1, START),
    *events(
        (14, "send", START),
        (14.003, "sent", took(0.003)),
        (15, "send", {"type": "http.response.body", "body": "x"}),
        (35, "sent", took(20)),
        (36, "mark", {"label": "here"}),
        (37, "raise", took(37, error="OSError", message="gone", at="app.py:3 in f")),
    ),
]


def test_compact() -> None:
    assert list(trace_lines(TRACE)) == [
        "      0.000 ms  #1  → app GET /slow?x=1",
        "      0.010 ms  #1  █ ran for 10.0 µs",
        "      1.000 ms  #1  → receive …",
        "     13.000 ms  #1  → received http.request (empty) … waited 12.0 ms",
        "     13.000 ms  #1    → GZip",
        "     13.000 ms  #1    ← send http.response.start 200",
        "     14.000 ms  #1  ← send http.response.start 200",
        '     15.000 ms  #1  ← send http.response.body "x"',
        "     35.000 ms  #1  ← sent … waited 20.0 ms",
        "     36.000 ms  #1  * here",
        "     37.000 ms  #1  × raised OSError: gone at app.py:3 in f after 37.0 ms",
    ]


def test_all_events_have_a_line_each() -> None:
    lines = list(trace_lines(TRACE, compact=False))
    assert len(lines) == len(TRACE)
    assert lines[8] == "     14.003 ms  #1  ← sent … waited 3.00 µs"


def at(layer: int, ms: float, kind: str, data: Any = None) -> Event:
    return Event(0, round(ms * MS), 1, layer, kind, 1, data or {})


def test_what_layers_pass_on_unchanged_has_one_line() -> None:
    body = {"type": "http.response.body", "body": "x"}
    passed = [
        at(2, 1, "send", START),
        at(1, 1.001, "send", START),
        at(0, 1.002, "send", {**START, "status": 404}),
        at(2, 2, "send", body),
        at(1, 2.001, "send", body),
        at(0, 2.002, "send", body),
        at(0, 2.003, "sent", took(0.001)),
        at(1, 2.004, "sent", took(0.003)),
        at(2, 2.005, "sent", took(0.005)),
        at(2, 3, "return", took(3)),
        at(1, 3.001, "return", took(3.001)),
        at(0, 4, "return", took(4)),
    ]
    assert list(trace_lines(passed)) == [
        "      1.000 ms  #1    ← send http.response.start 200  (layers 2 → 1)",
        "      1.002 ms  #1  ← send http.response.start 404",
        '      2.000 ms  #1  ← send http.response.body "x"  (layers 2 → 0)',
        "      3.000 ms  #1    ← returned after 3.00 ms  (layers 2 → 1)",
        "      4.000 ms  #1  ← returned after 4.00 ms",
    ]


def test_str_of_a_trace() -> None:
    assert str(Trace(tuple(TRACE))) == "\n".join(trace_lines(TRACE))
    assert str(Trace()) == ""


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("task", {"name": "worker", "parent": 1}, "+ task 1 born: worker"),
        ("done", took(3, outcome="returned"), "+ task 1 returned after 3.00 ms"),
        ("submit", {"call": "f", "pool": "anyio"}, "▄ submit f to a worker thread"),
        ("work", took(3, thread=1), "▄ worker thread begins … queued 3.00 ms"),
        ("worked", took(3, outcome="ValueError"), "▄ worker thread ValueError after 3.00 ms"),
        ("received", took(3, error="Timeout"), "× receive ended by Timeout after 3.00 ms"),
        ("sent", took(3, error="OSError"), "× send ended by OSError after 3.00 ms"),
        ("return", took(3), "← returned after 3.00 ms"),
        ("cancel", {}, "× was cancelled"),
        ("close", {}, "· the server closed the response"),
        ("drop", {"count": 7}, "! events are missing here count=7"),
        ("new", {"a": "\n"}, r"? a=\n"),
    ],
)  # fmt: skip
def test_each_kind(kind: str, data: dict[str, Any], text: str) -> None:
    assert line(events((0, kind, data))[0]) == text


@settings(deadline=None)
@given(st.lists(any_event, max_size=20), st.booleans())
def test_any_events_print(given: list[Event], compact: bool) -> None:
    for text in trace_lines(given, compact=compact):
        assert text.isprintable()
