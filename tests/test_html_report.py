"""The report as a reader has it: one file, in a real browser."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asgi_lab import get, run
from asgi_lab.events import Event, Trace
from asgi_lab.files import read_trace
from asgi_lab.view.html import html, write_html
from asgi_lab.view.sample import busy_trace, sample_trace
from tests.browser import apart, inked
from tests.traces import blocked_trace

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

MS = 1_000_000


def opened(page: Any, folder: Path, trace: Trace) -> Any:
    """Open the report of a trace from a file, wait until it is all there; return its timeline."""
    file = folder / "report.html"
    write_html(trace, file)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert asked == [file.as_uri()]
    return page.locator("#timeline-view canvas.asgilab-timeline")


def until(page: Any, holds: Callable[[], bool]) -> None:
    """Wait until something holds that no text tells of."""
    for _ in range(1000):
        if holds():
            return
        page.wait_for_timeout(10)
    raise AssertionError("it has not come to that")


def row(number: int) -> dict[str, int]:
    """Return the place of a request's name."""
    return {"x": 60, "y": 26 + 26 * number + 13}


def test_all_pictures_are_drawn(page: Any, tmp_path: Path) -> None:
    opened(page, tmp_path, sample_trace())
    for name in ("timeline", "sequence", "layers", "states", "concurrency"):
        canvas = page.locator(f"#{name}-view canvas.asgilab-timeline")
        assert inked(canvas) > 1000, name
        assert len(canvas.get_attribute("aria-label")) > 20, name


def test_it_says_what_when_where_and_which_versions(page: Any, tmp_path: Path) -> None:
    header = {
        "started": 1_764_000_000_000_000_000,
        "server": "uvicorn 0.54.0",
        "frameworks": ["fastapi 0.165.0"],
        "python": "3.12.1",
        "redacted": True,
    }
    opened(page, tmp_path, Trace(sample_trace().events, header))
    told = page.locator("header").inner_text()
    assert "3 requests in 407 ms" in told
    for words in ("2025-11-24 16:00:00 UTC", "uvicorn 0.54.0", "fastapi 0.165.0", "Python 3.12.1"):
        assert words in told
    assert "GET /blocks" in page.locator("#summary").inner_text()
    assert "KeyError: 'user'" in page.locator("#summary").inner_text()


def test_a_click_on_a_bar_says_what_it_is(page: Any, tmp_path: Path) -> None:
    canvas = opened(page, tmp_path, sample_trace())
    width = canvas.bounding_box()["width"]
    canvas.click(position={"x": width * 0.6, "y": row(1)["y"]})
    told = page.locator("#timeline-view .asgilab-detail").inner_text()
    assert "#2  GET /blocks" in re.sub(r"\xa0", " ", told) or "#2 GET /blocks" in told
    assert "holds loop" in told
    assert "for 301 ms" in told


def test_an_event_is_read_in_full(page: Any, tmp_path: Path) -> None:
    canvas = opened(page, tmp_path, sample_trace())
    canvas.focus()
    canvas.press(".")  # the first event: the first request's scope
    detail = page.locator("#timeline-view .asgilab-detail")
    expect(detail.locator("pre")).to_contain_text("after the trace began")
    assert "→ app GET /waits?for=timer" in detail.inner_text()
    assert "path" in detail.inner_text()
    assert page.locator("#rows tr[aria-selected=true]").inner_text().endswith("timer")
    page.locator("#search").fill("body slept")
    rows = page.locator("#rows tr[data-k]")
    assert rows.count() == 2
    rows.last.click()
    page.wait_for_selector("#words:not([hidden])")
    assert 'http.response.body "slept well"' in page.locator("#words").inner_text()
    assert "slept well" in page.locator("#timeline-view .asgilab-detail").inner_text()


def test_a_click_on_a_name_chooses_a_request(page: Any, tmp_path: Path) -> None:
    canvas = opened(page, tmp_path, sample_trace())
    title = page.locator("#sequence-view .asgilab-title")
    assert title.inner_text() == "#3 GET /cart"  # the last that failed
    canvas.click(position=row(0))
    expect(page.locator("#sequence-view .asgilab-title")).to_contain_text("/waits")
    assert page.locator("#choice").input_value() == "1"
    page.locator("#choice").select_option("2")
    expect(page.locator("#states-view .asgilab-title")).to_contain_text("/blocks")


def shown(canvas: Any) -> tuple[float, float]:
    """Return the stretch of the axis that is in view, in ms."""
    low, high = canvas.evaluate("canvas => [canvas.view.from, canvas.view.to]")
    return low / MS, high / MS


def test_zoom_and_pan_change_what_is_in_view(page: Any, tmp_path: Path) -> None:
    canvas = opened(page, tmp_path, sample_trace())
    whole = shown(canvas)
    page.get_by_role("button", name="zoom in").first.click()
    low, high = shown(canvas)
    assert whole[0] < low < high < whole[1]
    canvas.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    closer = shown(canvas)
    assert low < closer[0] < closer[1] < high
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] * 0.6, box["y"] + 60
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 80, y, steps=4)
    page.mouse.up()
    dragged = shown(canvas)
    assert dragged[0] > closer[0]
    assert dragged[1] - dragged[0] == pytest.approx(closer[1] - closer[0])
    page.get_by_role("button", name="the whole picture").first.click()
    assert shown(canvas) == whole


def test_the_keyboard_does_it_all(page: Any, tmp_path: Path) -> None:
    canvas = opened(page, tmp_path, sample_trace())
    page.locator("#timeline-view").get_by_role("button", name="as text").focus()
    page.keyboard.press("Tab")
    assert canvas.evaluate("canvas => canvas === document.activeElement")
    whole = shown(canvas)
    page.keyboard.press("+")
    page.keyboard.press("+")
    near = shown(canvas)
    page.keyboard.press("ArrowRight")
    assert shown(canvas)[0] > near[0]
    page.keyboard.press("Home")
    assert shown(canvas)[0] == whole[0]
    page.keyboard.press("End")
    assert shown(canvas)[1] == whole[1]
    page.keyboard.press("0")
    assert shown(canvas) == whole
    before = inked(canvas)
    page.keyboard.press(".")
    page.keyboard.press(".")
    live = page.locator("#timeline-view [aria-live=polite].asgilab-hidden")
    expect(live).to_contain_text("app GET /blocks")
    assert inked(canvas) != before  # what is later than the cursor has faded
    page.keyboard.press("Escape")
    assert page.locator("#timeline-view .asgilab-detail").is_hidden()


def test_time_plays_and_pauses(page: Any, tmp_path: Path) -> None:
    canvas = opened(page, tmp_path, sample_trace())
    page.locator("#timeline-view").get_by_role("button", name="play").click()
    until(page, lambda: canvas.evaluate("canvas => canvas.view.cursor") > 10 * MS)
    page.locator("#timeline-view").get_by_role("button", name="pause").click()
    at = canvas.evaluate("canvas => canvas.view.cursor")
    page.locator("#timeline-view").get_by_role("button", name="next event").click()
    assert canvas.evaluate("canvas => canvas.view.cursor") >= at


def test_the_filter_hides_other_requests(page: Any, tmp_path: Path) -> None:
    canvas = opened(page, tmp_path, sample_trace())
    tall = canvas.bounding_box()["height"]
    box = page.locator("#timeline-view input[type=search]")
    count = page.locator("#timeline-view .asgilab-count")
    box.fill("cart raise")  # its path, and what passed in it
    assert count.inner_text() == "1 of 3"
    until(page, lambda: canvas.bounding_box()["height"] < tall)
    canvas.click(position=row(0))
    assert "GET /cart" in page.locator("#timeline-view .asgilab-detail").inner_text()
    box.fill("http.response.start 200")
    assert count.inner_text() == "2 of 3"
    box.fill("nothing like it")
    assert count.inner_text() == "0 of 3"
    box.fill("")
    assert count.inner_text() == ""


def test_each_picture_is_there_as_text(page: Any, tmp_path: Path) -> None:
    opened(page, tmp_path, sample_trace())
    for name, words in {
        "timeline": "held the loop",
        "sequence": "client",
        "layers": "GZipMiddleware",
        "states": "waiting",
        "concurrency": "in flight",
    }.items():
        picture = page.locator(f"#{name}-view")
        button = picture.get_by_role("button", name="as text")
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        assert words in picture.locator(".asgilab-text").inner_text() or name == "timeline"
        assert picture.locator("canvas.asgilab-timeline").is_hidden()
        button.click()
        assert picture.locator("canvas.asgilab-timeline").is_visible()


CORNER = "canvas => [...canvas.getContext('2d').getImageData(2, 2, 1, 1).data].slice(0, 3)"


def test_dark_for_who_prefers_it_and_for_who_asks(dark_page: Any, tmp_path: Path) -> None:
    canvas = opened(dark_page, tmp_path, sample_trace())
    assert canvas.evaluate(CORNER) == [27, 27, 27]
    assert dark_page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == (
        "rgb(27, 27, 27)"
    )
    dark_page.get_by_role("button", name="light / dark").click()
    expect(dark_page.locator("#timeline-view .asgilab")).to_have_attribute("data-mode", "light")
    canvas.evaluate("canvas => canvas.view.paint()")
    assert canvas.evaluate(CORNER) == [255, 255, 255]


def test_the_trace_is_in_the_page_to_be_saved(page: Any, tmp_path: Path) -> None:
    trace = sample_trace()
    opened(page, tmp_path, trace)
    with page.expect_download() as download:
        page.get_by_role("button", name="save the trace").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert read_trace(file).events == trace.events


HOSTILE = (
    "</script><script>document.title='gone'</script>",
    "<img src=x onerror=\"document.title='gone'\">",
    "{{script}}<!--<script>",
    "'\"><svg onload=document.title='gone'>",
    "‮\x1b[31m\x00\udcff",
)


def hostile_trace() -> Trace:
    """Return a trace whose every word comes from somebody who means harm."""
    events: list[Event] = []

    def add(conn: int, kind: str, **data: Any) -> None:
        events.append(Event(len(events), len(events) * MS, conn, 0, kind, 1, data))

    for conn, evil in enumerate(HOSTILE, 1):
        scope = {"type": "http", "method": evil, "path": f"/{evil}", "query_string": evil}
        add(conn, "scope", **scope, headers=[[evil, evil]], client=[evil, 1])
        add(conn, "finding", rule=evil, what=evil, at=evil, side="app")
        add(conn, "mark", label=evil)
        add(conn, "send", type="http.response.start", status=200, headers=[["content-type", evil]])
        add(conn, "send", type="http.response.body", body=evil)
        add(conn, "raise", error=evil, message=evil, at=evil, took=5 * MS)
    return Trace(tuple(events), {"server": evil, "frameworks": list(HOSTILE), "python": HOSTILE[0]})


def test_what_apps_and_clients_say_is_text_never_markup(page: Any, tmp_path: Path) -> None:
    trace = hostile_trace()
    canvas = opened(page, tmp_path, trace)
    assert page.locator("img, svg[onload], body script:not([type])").count() == 0
    for conn in range(1, len(HOSTILE) + 1):
        page.locator("#choice").select_option(str(conn))
    canvas.focus()
    for _ in range(8):
        canvas.press(".")
    canvas.hover(position=row(1))
    rows = page.locator("#rows tr[data-k]")
    for index in range(8):
        rows.nth(index).click()
    for button in page.get_by_role("button", name="as text").all():
        button.click()
    assert page.title() != "gone"
    assert page.locator("img, svg[onload], body script:not([type])").count() == 0
    assert "<img src=x" in page.locator("#rows").inner_text()


def test_nothing_can_be_fetched_and_no_other_script_run() -> None:
    text = html(hostile_trace())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy[1].partition("style-src")[0]
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert text.count("<script") == text.count("</script>")


def flag_at(canvas: Any, number: int = 0) -> dict[str, float]:
    """Return the middle of a flag that is painted."""
    box = canvas.evaluate("(canvas, n) => canvas.view.painter.flags[n].box", number)
    return {"x": (box[0] + box[2]) / 2, "y": (box[1] + box[3]) / 2}


def test_what_is_wrong_stands_first_and_leads_to_where_it_shows(page: Any, tmp_path: Path) -> None:
    canvas = opened(page, tmp_path, blocked_trace())
    card = page.locator("#diagnoses li")
    told = card.inner_text()
    assert re.sub(r"\n+", "\n", told).startswith(
        "LOOP-BLOCKED\nNothing else ran for 301 ms: GET /blocks (#2) held"
    )
    assert "asgi-lab explain LOOP-BLOCKED" in told
    top = page.locator("#diagnoses").bounding_box()["y"]
    assert top < page.locator("#timeline-view").bounding_box()["y"]
    detail = page.locator("#timeline-view .asgilab-detail")
    assert detail.is_hidden()
    before = inked(canvas)
    card.get_by_role("button", name="warning LOOP-BLOCKED: show it in the timeline").press("Enter")
    expect(detail).to_contain_text("LOOP-BLOCKED: Nothing else ran for 301 ms")
    expect(card).to_have_attribute("aria-current", "true")
    assert "why" in detail.inner_text()
    until(page, lambda: inked(canvas) != before)
    expect(page.locator("#sequence-view .asgilab-title")).to_contain_text("/blocks")
    expect(page.locator("#rows tr[aria-selected=true]")).to_have_count(1)
    canvas.press("Escape")
    expect(card).not_to_have_attribute("aria-current", "true")
    assert detail.is_hidden()


def test_a_mark_in_the_picture_says_what_is_wrong(page: Any, tmp_path: Path) -> None:
    canvas = opened(page, tmp_path, blocked_trace())
    place = flag_at(canvas)
    canvas.hover(position=place)
    expect(page.locator("#timeline-view .asgilab-tip")).to_contain_text("Nothing else ran for 301")
    canvas.click(position=place)
    detail = page.locator("#timeline-view .asgilab-detail")
    expect(detail).to_contain_text("asgi-lab explain LOOP-BLOCKED")
    expect(page.locator("#diagnoses li")).to_have_attribute("aria-current", "true")
    canvas.press("Escape")
    canvas.press("!")
    expect(detail).to_contain_text("asgi-lab explain LOOP-BLOCKED")
    page.locator("#timeline-view").get_by_role("button", name="next of what is wrong").click()
    expect(detail).to_contain_text("asgi-lab explain LOOP-BLOCKED")
    assert "something is wrong here" in page.locator("#timeline-view .asgilab-legend").inner_text()
    assert "LOOP-BLOCKED" in canvas.get_attribute("aria-label")


def test_a_healthy_app_gets_one_quiet_line(page: Any, tmp_path: Path) -> None:
    healthy = sample_trace()
    canvas = opened(page, tmp_path, healthy.of(e for e in healthy if e.conn == 1))
    assert page.locator("#diagnoses").inner_text().startswith("Nothing is wrong that can be seen")
    assert page.locator("#diagnoses li, #diagnoses h2").count() == 0
    assert page.locator("#timeline-view").get_by_role("button", name="next of what").count() == 0
    assert "Marked" not in canvas.get_attribute("aria-label")


def test_findings_are_listed_with_what_to_do(page: Any, tmp_path: Path) -> None:
    async def careless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b""})

    trace = apart(lambda: asyncio.run(run(careless, 3 * [get("/twice")])))
    opened(page, tmp_path, trace)
    told = page.locator(".findings").inner_text()
    assert "http.response.start" in told
    twice = page.locator(".findings tr", has_text="http.response.start is sent once")
    assert twice.inner_text().split("\t")[-2:] == ["3", "#2"]  # how often, and where first
    button = page.locator(".findings button").first
    button.click()
    assert f"#{page.locator('#choice').input_value()}" == button.inner_text()


def test_a_hundred_thousand_events_in_five_megabytes(page: Any, tmp_path: Path) -> None:
    trace = busy_trace(100_000)
    canvas = opened(page, tmp_path, trace)
    assert (tmp_path / "report.html").stat().st_size < 5_000_000
    assert inked(canvas) > 1000
    assert page.locator("#choice option").count() == 50
    assert "50 that failed or took longest" in page.locator("#choice-why").inner_text()
    page.locator("#search").fill("#4000 send")
    found = page.locator("#found").inner_text()
    assert re.match(r"\d of 100,\d{3} events", found) or re.match(r"\d+ of 100,000 events", found)
    for _ in range(12):
        page.locator("#timeline-view").get_by_role("button", name="taller rows").click()
    box = page.locator("#timeline-view input[type=search]")
    box.fill("#4000")
    canvas.click(position=row(0))
    assert "#4000" in page.locator("#timeline-view .asgilab-detail").inner_text()


@pytest.mark.parametrize("trace", [Trace(), Trace(sample_trace().events[:1])])
def test_little_is_shown_too(page: Any, tmp_path: Path, trace: Trace) -> None:
    opened(page, tmp_path, trace)
    assert page.locator("h1").inner_text()


def test_the_same_trace_gives_the_same_page() -> None:
    assert html(sample_trace()) == html(sample_trace())
    assert "<title>Friday" in html(sample_trace(), title="Friday <morning>")
