"""The live page: for this machine and who knows the address; all there is, then what is new."""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from asgi_lab.commands.ui import WithPage
from asgi_lab.commands.watch import Silent
from asgi_lab.events import Event
from asgi_lab.files import read_trace
from asgi_lab.scene import payload
from asgi_lab.scene.timeline import timeline
from asgi_lab.view.live_page import LivePage
from asgi_lab.view.words import words
from tests.traces import blocked_trace

pytest_plugins = ("tests.browser",)

EVENTS = blocked_trace().events
SOME = next(place for place, event in enumerate(EVENTS) if event.conn == 3)
"""Events before the third request comes."""


@pytest.fixture
def live() -> Iterator[LivePage]:
    page = LivePage("main:app <b>")
    page.start()
    yield page
    page.close()


class Stream:
    """What one browser is told, event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def until(self, *names: str) -> dict[str, Any]:
        """Return the data of the next event of one of these names."""
        patience = time.monotonic() + 60  # there is a line each second
        for line in self._lines:
            if line.removeprefix("event: ") in names:
                data: dict[str, Any] = json.loads(next(self._lines).removeprefix("data: "))
                return data
            assert time.monotonic() < patience, f"nothing was told of {names}"
        raise AssertionError(f"the stream has ended without {names}")

    def lanes(self) -> dict[int, str]:
        """Return the lanes that are told of next: all of a scene, or those of a delta."""
        new = self.until("scene", "delta")
        lanes = enumerate(new["scene"]["lanes"]) if "scene" in new else new["lanes"]
        return {place: lane["label"] for place, lane in lanes}


def listen(page: LivePage) -> Any:
    return httpx.stream("GET", f"{page.url}live", timeout=20)


def test_only_who_knows_the_address_gets_in(live: LivePage) -> None:
    assert live.url.startswith("http://127.0.0.1:")
    root = live.url.rsplit("/", 2)[0]
    for wrong in ("/", "/live", "/x/", f"{live.url.removeprefix(root)[:-2]}/live"):
        assert httpx.get(f"{root}{wrong}").status_code == 403
    assert httpx.get(live.url).status_code == 200
    assert httpx.get(f"{live.url}nothing").status_code == 404


def test_only_by_our_own_name(live: LivePage) -> None:
    port = httpx.URL(live.url).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1"):
        assert httpx.get(live.url, headers={"host": host}).status_code == 403
    assert httpx.get(live.url, headers={"host": f"localhost:{port}"}).status_code == 200


def test_the_page_has_all_it_needs_and_may_ask_only_us(live: LivePage) -> None:
    page = httpx.get(live.url)
    assert "connect-src 'self'" in page.text
    assert "main:app &lt;b&gt;" in page.text
    assert "{{" not in page.text
    assert page.headers["referrer-policy"] == "no-referrer"


def test_all_there_is_and_then_what_is_new(live: LivePage) -> None:
    live.feed(EVENTS[:SOME])
    with listen(live) as answer:
        stream = Stream(answer)
        lines = stream.until("lines")
        assert (len(lines["lines"]), lines["anew"], lines["total"]) == (SOME, True, SOME)
        assert "3 requests" not in stream.until("summary")["title"]
        assert stream.lanes() == {0: "GET /waits?for=timer", 1: "GET /blocks"}
        live.feed(EVENTS[SOME:])
        while 2 not in (lanes := stream.lanes()):
            assert lanes  # time goes on for what is in flight
        assert lanes[2] == "GET /cart"
        assert "KeyError" in stream.until("summary")["summary"]


def test_what_is_wrong_is_told_as_soon_as_it_is_known(live: LivePage) -> None:
    with listen(live) as answer:
        stream = Stream(answer)
        assert stream.until("wrong") == {"cards": ""}  # nothing has happened yet
        live.header = lambda: {"server": "uvicorn 0.54.0"}
        live.feed(EVENTS)
        assert "Nothing else ran for 301 ms" in stream.until("wrong")["cards"]
        live.end("the server has ended")
        assert "LOOP-BLOCKED" in stream.until("wrong")["cards"]
    with listen(live) as answer:
        stream = Stream(answer)
        (flag,) = stream.until("scene")["scene"]["flags"]
        assert (flag["label"], flag["lane"]) == ("LOOP-BLOCKED", 1)


def test_broken_rules_are_told_once_each_with_a_count(live: LivePage) -> None:
    facts = {"rule": "H6", "side": "app", "what": "not lowercase", "at": "shop.py:2 in app"}
    last = EVENTS[-1]
    broken = [
        Event(last.seq + n + 1, last.t, 3, 0, "finding", 0, facts | more)
        for n, more in enumerate([{}, {"count": 4}])
    ]
    live.feed([*EVENTS, *broken])
    live.feed([last._replace(seq=last.seq + 3, conn=1, kind="finding", data=facts)])
    with listen(live) as answer:
        findings = Stream(answer).until("summary")["findings"]
    assert findings.count("shop.py:2 in app") == 1
    assert "<td>5<td>" in findings


def test_who_comes_later_gets_all(live: LivePage) -> None:
    live.feed(EVENTS)
    with listen(live) as first, listen(live) as second:
        scenes = [Stream(answer).until("scene") for answer in (first, second)]
    trace = blocked_trace()
    whole = payload.as_json(timeline(trace, diagnoses=trace.diagnose()))
    for scene in scenes:
        assert scene["items"] == whole["items"]
        assert scene["scene"]["title"] == whole["title"]


def test_one_request_and_one_event(live: LivePage) -> None:
    live.feed(EVENTS)
    pictures = httpx.get(f"{live.url}request/3").json()
    assert set(pictures) == {"sequence", "layers", "states"}
    assert httpx.get(f"{live.url}request/99").status_code == 404
    assert httpx.get(f"{live.url}event/7").text == words(EVENTS[7])
    assert "forgotten" in httpx.get(f"{live.url}event/777").text
    assert httpx.get(f"{live.url}concurrency").json()["scene"]["areas"]


def test_the_trace_can_be_saved_and_shown_again(live: LivePage, tmp_path: Path) -> None:
    live.feed(EVENTS)
    saved = httpx.get(f"{live.url}trace.jsonl.gz")
    (tmp_path / "trace.jsonl").write_bytes(gzip.decompress(saved.content))
    assert read_trace(tmp_path / "trace.jsonl").events == EVENTS


def test_the_end_is_told(live: LivePage) -> None:
    with listen(live) as answer:
        stream = Stream(answer)
        live.feed(EVENTS)
        live.end("the server has ended")
        assert stream.until("end") == {"words": "the server has ended"}
    with listen(live) as answer:
        stream = Stream(answer)
        assert stream.until("scene")["scene"]["lanes"]
        live.close()
        assert stream.until("end") == {"words": "the server has ended"}


class Watcher(Silent):
    def __init__(self, layers: bool) -> None:
        super().__init__()
        self.layers = layers
        self.fed: list[Event] = []
        self.said: list[str] = []

    def begin(self, title: str) -> None:
        self.said.append(title)

    def feed(self, events: Any, dropped: int = 0) -> None:
        self.fed += events

    def log(self, line: str) -> None:
        self.said.append(line)

    def end(self) -> None:
        self.said.append("end")


@pytest.mark.parametrize("layers", [False, True])
def test_beside_a_watcher(layers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    inner = Watcher(layers)
    watcher = WithPage(inner, "main:app")
    watcher.begin("asgi-lab traces main:app")
    watcher.feed(EVENTS)
    watcher.log("said the app")
    assert "→ app GET /blocks" in httpx.get(f"{watcher.page.url}event/4").text
    watcher.end()
    watcher.close()
    where = f"asgi-lab: live page at {watcher.page.url}"
    assert inner.said == ["asgi-lab traces main:app", where, "said the app", "end"]
    assert inner.fed == [event for event in EVENTS if layers or not event.layer]
    assert opened == []  # there is no screen


def test_in_a_browser(page: Any, live: LivePage) -> None:
    live.feed(EVENTS[:SOME])
    page.goto(live.url)
    page.wait_for_selector("html[data-ready]")
    title = page.locator("#timeline-view .asgilab-title")
    assert title.inner_text().endswith("1 request could not run")
    live.feed(EVENTS[SOME:])
    page.locator("#timeline-view", has_text="2 requests could not run").wait_for()
    page.locator("#rows tr[data-k]", has_text="raised KeyError").last.click()
    page.locator("#words", has_text="#3, 354 ms after the trace began").wait_for()
    page.locator("#choice").select_option("3")
    page.locator("#sequence-view .asgilab-title", has_text="#3").wait_for()
    card = page.locator("#diagnoses li", has_text="Nothing else ran for 301 ms")
    card.click()
    page.locator("#timeline-view .asgilab-detail", has_text="explain LOOP-BLOCKED").wait_for()
    assert card.get_attribute("aria-current") == "true"
    page.locator("#concurrency").scroll_into_view_if_needed()
    page.locator("#concurrency-view canvas").first.wait_for()
    live.end("the server has ended")
    page.wait_for_selector("html[data-ended]")
    assert page.locator("#state").inner_text() == "the server has ended"
