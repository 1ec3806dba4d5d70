"""The views as text at fixed widths: exact where a picture is small, robust for any events."""

import io
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from asgi_lab.connection import AWAIT, CLIENT, HOLD, PHASES, SENDING, THREAD, Connection
from asgi_lab.events import Event, Trace
from asgi_lab.loop import SECOND
from asgi_lab.view import terminal
from asgi_lab.view.bars import GLYPHS, axis, cells, legend
from asgi_lab.view.concurrency import chart
from asgi_lab.view.frame import status_line
from asgi_lab.view.live import Live, demo
from asgi_lab.view.plainlines import PLAIN_RATE, plain_line
from asgi_lab.view.rows import layout
from asgi_lab.view.sample import sample_trace
from asgi_lab.view.summary import summary
from asgi_lab.view.table import shared_axes
from asgi_lab.view.terminal import VIEWS, choose, render
from asgi_lab.waiting import blocked, held, holder
from tests.test_measures import MS, REQUEST, any_event, events, get, measured, took

BOOM = events(
    (13, "scope", get("/boom")),
    (13, "run"),
    (43, "ran", took(30)),
    (43, "raise", took(30, error="ValueError", message="no\x1b", at="app.py:7 in f")),
    conn=2,
)
LATER = [event._replace(t=event.t + 43 * MS) for event in REQUEST[10:]]
TRACE = Trace((*REQUEST[:10], *BOOM, *LATER))


def shown(what: RenderableType, width: int = 80) -> list[str]:
    """Return the lines of a renderable, without the blanks at their ends."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().split("\n")[:-1]]


def view(name: str, width: int = 80, conn: int | None = None, trace: Trace = TRACE) -> list[str]:
    return shown(render(name, trace, width=width, conn=conn), width)


def row(*phases: tuple[int, int, str], end: int = 1000, width: int = 10) -> str:
    return "".join(GLYPHS[what][0] if what else "·" for what in cells(phases, 0, end, width))


def test_the_phase_of_most_precedence_that_fills_half_a_cell_wins() -> None:
    assert row((0, 500, HOLD), (500, 1000, AWAIT)) == "█████─────"
    assert row((0, 60, SENDING), (60, 100, AWAIT), (100, 140, CLIENT), (140, 200, AWAIT)) == (
        "═─········"
    )


@pytest.mark.parametrize(
    ("took", "width", "is_shown"),
    [(10, 25, True), (9, 25, False), (10, 200, True), (25, 10, True), (20, 10, False)],
)
def test_a_slice_is_shown_from_one_percent_on(took: int, width: int, is_shown: bool) -> None:
    phases = ((0, 300, AWAIT), (300, 300 + took, HOLD), (300 + took, 1000, AWAIT))
    assert ("█" in row(*phases, width=width)) is is_shown


def test_what_is_shorter_than_a_cell_is_shown_once() -> None:
    assert row((510, 511, AWAIT)) == "·····─····"
    assert row((510, 510, AWAIT)) == "·····─····"


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30), st.integers(1, 200))
def test_cells_of_any_phases(times: list[int], width: int) -> None:
    times = sorted(times)
    phases = list(zip(times, times[1:], itertools.cycle(PHASES), strict=False))
    assert len(cells(phases, 0, 1000, width)) == width
    assert any(cells(phases, 0, 1000, width))


def test_each_shape_is_one_cell_and_like_no_other() -> None:
    glyphs = [glyph for glyph, _, _ in GLYPHS.values()]
    assert len(set(glyphs)) == len(GLYPHS)
    assert all(len(glyph) == 1 for glyph in glyphs)


def test_the_legend_folds() -> None:
    assert [line.plain for line in legend(PHASES, 80)] == [
        "█ holds loop  ╌ loop held by another  ─ awaits  ░ awaits client  ═ awaits send",
        "▄ in thread  ▁ queued  ━ in the app",
    ]


def test_what_awaits_while_another_holds_the_loop_is_said_to_be_blocked() -> None:
    phases = ((0, 600, AWAIT), (600, 700, HOLD), (700, 1000, THREAD))
    slice_ = events((0, "scope", get()), (0, "run"), (0.0005, "ran", took(0.0003)))
    busy = held(measured(slice_), 0, 1000)
    assert [GLYPHS[what][0] for what in cells(phases, 0, 1000, 10, busy)] == list("──╌╌╌─█▄▄▄")


def test_axis() -> None:
    assert axis(100 * MS, 50) == "╷0        ╷20 ms    ╷40 ms    ╷60 ms    ╷80 ms"
    assert axis(1_500_000_000, 24) == "╷0              ╷1 s"
    assert axis(0, 8) == "╷0"


def test_timeline() -> None:
    assert view("timeline") == [
        "    #  method  path       status     total  ╷0         ╷20 ms     ╷40 ms",
        "    1  GET     /slow?x=1  200      64.0 ms  █░█▁▄▄▄╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌───────█═══█",
        "    2  GET     /boom      raised   30.0 ms         █████████████████",
        "█ holds loop  ╌ loop held by another  ─ awaits  ░ awaits client  ═ awaits send",
        "▄ in thread  ▁ queued",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_row_fills_the_screen_and_no_more(width: int) -> None:
    long = events((0, "scope", get("/a" * 100)), (9, "return", took(9)))
    lines = view("timeline", width, trace=Trace(tuple(long)))
    assert len(lines[1]) == width
    assert "…" in lines[1]


def test_narrow_screens_leave_columns_out() -> None:
    assert [c.name for c in layout(200).columns][-3:] == ["total", "in", "out"]
    assert [c.name for c in layout(80).columns] == ["#", "method", "path", "status", "total"]
    assert [c.name for c in layout(39).columns] == ["path", "status", "total"]


def test_sequence_chooses_a_connection_and_says_so() -> None:
    assert view("sequence") == [
        "#2  GET /boom  (the last that failed; --conn N shows another)",
        "",
        "            client     server     app",
        "      0 µs  │┄┄┄┄┄┄┄┄┄►│─────────►│  GET /boom",
        "            │          │          │  ⋮ 30.0 ms",
        "   30.0 ms  │          │◄─────────│  raised ValueError: no\\x1b at app.py:7 in f…",
        "",
        "┄ what the server makes of it (not observed)",
    ]


def test_sequence_of_one() -> None:
    assert view("sequence", conn=1)[3:-2] == [
        "      0 µs  │┄┄┄┄┄┄┄┄┄►│─────────►│  GET /slow?x=1",
        "            │          │          │  ⋮ 4.00 ms",
        '   4.00 ms  │┄┄┄┄┄┄┄┄┄►│─────────►│  http.request "abc" … waited 3.00 ms',
        "            │          │          │  ⋮ 52.0 ms",
        "   56.0 ms  │◄┄┄┄┄┄┄┄┄┄│◄─────────│  http.response.start 200",
        '   57.0 ms  │◄┄┄┄┄┄┄┄┄┄│◄─────────│  http.response.body "hello"',
        "            │          │          │  ⋮ 6.00 ms",
        "   63.0 ms  │          │─────────►│  let go on after 6.00 ms",
        "   64.0 ms  │          │◄─────────│  returned after 21.0 ms",
    ]


def layered() -> Trace:
    """Return a request through one layer that adds a header."""

    def at(number: int, ms: float, kind: str, **data: Any) -> Event:
        return Event(0, round(ms * MS), 1, number, kind, 1, data)

    start = {"type": "http.response.start", "status": 200}
    body = {"type": "http.response.body", "body": "x"}
    return Trace(
        (
            at(0, 0, "scope", **get()),
            at(1, 2, "scope", layer="Outer", path="/"),
            at(1, 4, "send", **start, headers=[["a", "1"]]),
            at(0, 5, "send", **start, headers=[["a", "1"], ["x-time", "1"]]),
            at(1, 6, "send", **body),
            at(0, 6, "send", **body),
            at(1, 8, "return", took=6 * MS),
            at(0, 10, "return", took=10 * MS),
        )
    )


def test_what_a_layer_passes_on_is_one_arrow_and_what_it_changes_is_said() -> None:
    assert view("sequence", 90, trace=layered())[2:-2] == [
        "            client     server     app        Outer",
        "      0 µs  │┄┄┄┄┄┄┄┄┄►│──────────┼─────────►│  GET /",
        "            │          │          │          │  ⋮ 4.00 ms",
        "   4.00 ms  │          │          │◄─────────│  http.response.start 200",
        "            │          │          │          │  ⋮ 1.00 ms",
        "   5.00 ms  │◄┄┄┄┄┄┄┄┄┄│◄─────────│          │  http.response.start 200  +x-time",
        "            │          │          │          │  ⋮ 1.00 ms",
        '   6.00 ms  │◄┄┄┄┄┄┄┄┄┄│◄─────────┼──────────│  http.response.body "x"',
        "            │          │          │          │  ⋮ 2.00 ms",
        "   8.00 ms  │          │◄─────────┼──────────│  returned after 10.0 ms",
    ]


def test_layers() -> None:
    assert view("layers", 72, trace=layered())[2:] == [
        "layer                                 passed",
        "server     ⋮   ⋮   ⋮   ⋮   ⋮   ⋮",
        "app     ▼━━⋮━──⋮───⋮▲──⋮▲──⋮━━━⋮━     200 · 0 in, 2 out, …",
        " Outer     ⋮▼━━⋮▲━━⋮━━━⋮▲━━⋮━  ⋮      200 · 0 in, 2 out, …",
        "",
        "━ in this layer  ─ in one further inside  ▼ a message in  ▲ out",
    ]


def test_events() -> None:
    lines = view("events", conn=2)
    assert lines[0] == "     13.000 ms  #2  → app GET /boom"
    assert lines[-1].startswith("     43.000 ms  #2  × raised ValueError: no\\x1b at app.py:7")


def test_a_chart_shows_the_least_that_is_not_nothing() -> None:
    assert [line.plain for line in chart("in flight", [0, 0.01, 1, 4], "", 4, rows=2)] == [
        "in flight",
        "      4 ┤   █",
        "      0 ┤ ▁▄█",
    ]


def test_summary() -> None:
    lines = shown(summary(measured(TRACE.events), 80, dropped=3, cost=640_000))
    assert lines == [
        "2 requests in 64.0 ms, 2 in flight at most; 3 B in, 5 B out",
        "  status      2xx × 1  no status × 1  (1 ended by an exception)",
        "  latency     longest 64.0 ms (GET /slow)",
        "  event loop  held 53 % of the time, at most 30.0 ms at a stretch, by GET /boom",
        "              (#2)",
        "  threads     1 call in worker threads, at most 1 at once; waited up to 2.00 ms",
        "              for one (#1)",
        "  missing     3 events forgotten for want of room",
        "  tracer      23 events, 1.0 % of the time",
        "",
        "  errors",
        "  1 × ValueError: no\\x1b",
        "      at app.py:7 in f, last in #2",
    ]


def test_choose() -> None:
    assert choose(measured(REQUEST))[1] == "the only one"
    assert choose(measured([]))[0] is None
    quick = events((0, "scope", get()), (1, "return", took(1)), conn=9)
    slowest, why = choose(measured([*REQUEST, *quick]))
    assert (slowest and slowest.conn, why) == (1, "the slowest")


def test_a_wrong_view_or_connection_is_named() -> None:
    with pytest.raises(ValueError, match="unknown view 'time': expected one of timeline, events"):
        render("time", TRACE, width=80)
    with pytest.raises(ValueError, match="no connection 7 in this trace: expected one of 1 to 2"):
        render("events", TRACE, width=80, conn=7)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("width", [80, 200])
def test_an_empty_trace_is_said_to_be_one(name: str, width: int) -> None:
    assert "no " in view(name, width, trace=Trace())[0]


@settings(deadline=None)
@given(st.lists(any_event, max_size=20), st.sampled_from(list(VIEWS)), st.sampled_from([20, 80]))
def test_any_events_are_shown_and_nothing_unprintable(
    given: list[Event], name: str, width: int
) -> None:
    for line in view(name, width, trace=Trace(tuple(given))):
        assert line.isprintable()


def live(terminal: bool, **options: Any) -> tuple[Live, io.StringIO]:
    out = io.StringIO()
    console = Console(
        file=out, width=80, height=24, force_terminal=terminal, color_system=None, _environ={}
    )
    return Live(console, ["tracing app"], **options), out


def test_without_a_terminal_each_request_is_a_plain_line() -> None:
    screen, out = live(terminal=False)
    screen.start()
    screen.feed(TRACE.events[:12])
    screen.log("INFO: \x1b[31mhello\n")
    screen.feed(TRACE.events[12:])
    screen.stop()
    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "tracing app",
        "INFO: \\x1b[31mhello",
        "    0.043 s  GET /boom                       raised  30.0 ms      0 B  ██████████"
        "  ValueError: no\\x1b",
        "    0.064 s  GET /slow?x=1                   200     64.0 ms      5 B  ░▄╌╌╌╌╌──═",
    ]


def test_a_flood_is_counted_instead() -> None:
    screen, out = live(terminal=False)
    for conn in range(1, PLAIN_RATE + 1235):
        screen.feed(events((1, "scope", get()), (2, "return", took(1)), conn=conn))
    screen.stop()
    lines = out.getvalue().splitlines()
    assert len(lines) == PLAIN_RATE + 1
    assert lines[-1] == "         …    1,234 more requests"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_escape_codes_where_none_are_wanted(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    out = io.StringIO()
    screen = Live(Console(file=out, width=80, force_terminal=True), ["tracing app"])
    screen.start()
    screen.feed(TRACE.events)
    screen.stop()
    assert "\x1b" not in out.getvalue()
    assert "GET /slow" in out.getvalue()


def test_a_frame_fits_the_screen_and_shows_what_is_in_flight() -> None:
    screen, _ = live(terminal=True)
    for conn in range(3, 50):
        screen.feed(events((1, "scope", get()), (2, "return", took(1)), conn=conn))
    screen.feed(TRACE.events[:12], dropped=5)
    lines = shown(screen.frame())
    assert len(lines) <= 23
    assert [line.split()[0] for line in lines[1:3]] == ["1", "2"]
    assert "…" in lines[1]
    assert lines[-1].startswith("49 requests · ")
    assert " · 2 in flight · 0 failed · 5 events missed" in lines[-1]


def test_a_frame_of_one_row_and_the_events_of_what_failed() -> None:
    screen, _ = live(terminal=True, rows=1)
    screen.feed(TRACE.events)
    assert shown(screen.frame()) == [
        "    #  method  path       status     total  ╷0       ╷20 ms   ╷40 ms   ╷60 ms",
        "    1  GET     /slow?x=1  200      64.0 ms  █░█▄▄─╌╌╌╌╌╌╌╌╌╌╌╌╌──────█══█",
        "█ holds loop  ╌ loop held by another  ─ awaits  ░ awaits client  ═ awaits send",
        "▄ in thread",
        "",
        "#1  GET /slow?x=1",
        "      0.000 ms  #1  → app GET /slow?x=1",
        "      1.000 ms  #1  → receive …",
        "…",
        "     63.000 ms  #1  ← sent … waited 6.00 ms",
        "     64.000 ms  #1  ← returned after 21.0 ms",
        "",
        "2 requests · 0/s · 0 in flight · 1 failed · loop held 53%, at most 30.0 ms",
    ]


def test_a_plain_line_of_almost_nothing() -> None:
    assert plain_line(Connection(1, 0)) == (
        "    0.000 s  ?                                          0 µs      0 B"
    )


def test_wsgi_holds_its_thread() -> None:
    wsgi = events(
        (0, "scope", {"type": "wsgi", "method": "GET", "path": "/"}),
        (0, "run"),
        (9, "ran", took(9)),
        (9, "return", took(9)),
    )
    assert view("timeline", trace=Trace(tuple(wsgi)))[-1] == "█ holds thread"


def test_a_websocket_shows_the_code_it_was_closed_with() -> None:
    facts = events(
        (0, "scope", {"type": "websocket", "path": "/ws"}),
        (1, "send", {"type": "websocket.accept"}),
        (5, "received", took(4, type="websocket.disconnect", code=1006)),
        (5, "return", took(5)),
    )
    assert "WS      /ws   1006" in view("timeline", trace=Trace(tuple(facts)))[1]


def freeze() -> list[Event]:
    """Return the events of a request that awaits, and of one that holds the loop meanwhile."""
    waits = events((0, "scope", get("/waits")), (0, "run"), (1, "ran", took(1)))
    holds = events((5, "scope", get("/holds")), (5, "run"), conn=2)
    return [*waits, *holds]


def test_who_holds_the_loop_right_now_is_called_out() -> None:
    measures = measured(freeze())
    assert holder(measures, 0) is measures.open[2]
    assert blocked(measures, measures.open[1], 505 * MS) == 500 * MS
    line = status_line(measures, 505 * MS, 80)
    assert line.plain.startswith("LOOP HELD by #2 GET /holds for 500 ms · 2 requests")


def test_who_waited_for_a_held_loop_is_named() -> None:
    later = events((307, "scope", get("/later")), (308, "return", took(1)), conn=3)
    ends = [*events((306, "ran", took(301)), (306, "return", took(301)), conn=2), *later]
    text = " ".join(" ".join(shown(summary(measured([*freeze(), *ends]), 80))).split())
    assert (
        "held 98 % of the time, for 301 ms at a stretch by GET /holds (#2); "
        "meanwhile #1 could not run; #3 got in right after"
    ) in text


def test_requests_in_flight_together_share_an_axis() -> None:
    one, two, apart = Connection(1, 0), Connection(2, 5 * MS), Connection(3, 900 * MS)
    for c, t in ((one, 10), (two, 20), (apart, 901)):
        c.end(t * MS, "returned")
    axes = shared_axes([one, two, apart], 999 * MS)
    assert axes.begins == {1: 0, 2: 0, 3: 900 * MS}
    assert axes.span == 20 * MS


def test_what_has_been_open_for_long_stretches_no_axis() -> None:
    socket, brief = Connection(1, 0), Connection(2, 3600 * SECOND)
    brief.end(3601 * SECOND, "returned")
    third = Connection(3, 3600 * SECOND)
    axes = shared_axes([socket, brief, third], 3601 * SECOND)
    assert axes.span == SECOND
    assert axes.begins == {1: 3600 * SECOND, 2: 3600 * SECOND, 3: 3600 * SECOND}


def test_only_what_matches_has_a_row() -> None:
    screen, _ = live(terminal=True, only=lambda c: c.path == "/boom")
    screen.feed(TRACE.events)
    lines = shown(screen.frame())
    assert "/boom" in lines[1]
    assert not any("/slow" in line for line in lines)
    assert "1 hidden by --filter" in lines[-1]


def test_only_what_matches_has_a_plain_line() -> None:
    screen, out = live(terminal=False, only=lambda c: c.path == "/boom")
    screen.feed(TRACE.events)
    screen.stop()
    assert "/boom" in out.getvalue()
    assert "/slow" not in out.getvalue()


def test_of_many_requests_the_slowest_are_shown() -> None:
    screen, _ = live(terminal=True)
    for conn in range(1, 3000):
        slow = 50 if conn == 2222 else 1
        screen.feed(
            events((conn, "scope", get(f"/{conn}")), (conn + slow, "return", took(slow)), conn=conn)
        )
    lines = shown(screen.frame())
    assert any("/2222" in line for line in lines)
    assert any(line.endswith("slowest of the last 1,000 requests") for line in lines)


def test_the_demos_draw_all_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.demo()
    drawn = capsys.readouterr().out
    assert all(f"{name} ─" in drawn for name in VIEWS)
    assert "meanwhile #1 could not run; #3 got in right after" in " ".join(drawn.split())
    screen = Console(file=io.StringIO(), width=80)
    demo(screen, pace=1000)
    assert isinstance(screen.file, io.StringIO)
    assert "GET /cart raised 2.01 ms" in " ".join(screen.file.getvalue().split())


def test_a_filter_hides_rows_and_not_who_held_the_loop() -> None:
    trace = sample_trace()
    whole = shown(render("timeline", trace, width=100), 100)
    waiting = next(line for line in whole if "╌" in line and "held" not in line)
    number = int(waiting.split()[0])
    alone = shown(render("timeline", trace, width=100, only={number}), 100)
    rows = [line for line in alone if line.split()[:1] == [str(number)]]
    assert len(rows) == 1
    assert "╌" in rows[0]
    assert shown(render("timeline", trace, width=100, only=set())) == ["no request matches"]
