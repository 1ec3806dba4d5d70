"""A trace, shown in a notebook: an image and a text at least, and the same each time."""

import asyncio
import re
import sys
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from asgi_lab import compare, get, post, run
from asgi_lab.events import Trace
from asgi_lab.view.display import Picture
from asgi_lab.view.sample import sample_trace
from asgi_lab.view.terminal import render
from tests.experiments import EXPERIMENTS, sleepy, sleepy_wsgi

PNG_BEGINS = b"\x89PNG\r\n\x1a\n"


def bundle(thing: Any, **asked: Any) -> dict[str, Any]:
    data: dict[str, Any] = thing._repr_mimebundle_(**asked)[0]
    return data


def pictures(trace: Trace, conn: int = 1) -> dict[str, Picture]:
    return {
        "timeline": trace.timeline(),
        "sequence": trace.sequence(conn),
        "layers": trace.layers(conn),
        "states": trace.states(conn),
        "concurrency": trace.concurrency(),
        "summary": trace.summary(),
    }


def test_a_trace_shows_its_timeline() -> None:
    pytest.importorskip("matplotlib")
    trace = sample_trace()
    data, about = trace._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png"}  # a widget only where a kernel answers
    assert data["text/plain"].splitlines()[0].split()[:3] == ["#", "method", "path"]
    assert "GET     /blocks" in data["text/plain"]
    assert b64decode(data["image/png"]).startswith(PNG_BEGINS)
    assert "GET /blocks (#2) held the loop for 301 ms" in about["image/png"]["alt"]


def test_each_picture_prints_as_the_terminals_view() -> None:
    from rich.console import Console

    for name, picture in pictures(sample_trace()).items():
        console = Console(width=100, color_system=None, force_terminal=False, highlight=False)
        conn = 1 if name in ("sequence", "layers", "states") else None
        with console.capture() as capture:
            console.print(render(name, sample_trace(), width=100, conn=conn), soft_wrap=True)
        lines = [line.rstrip() for line in capture.get().rstrip().splitlines()]
        assert str(picture).splitlines() == lines
        assert repr(picture) == str(picture)
        assert bundle(picture)["text/plain"] == str(picture)


def test_of_a_trace_itself_print_prints_events() -> None:
    assert str(sample_trace()).splitlines()[0].endswith("→ app GET /waits?for=timer")


def test_the_same_trace_is_shown_by_the_same_bytes() -> None:
    experiment = EXPERIMENTS["fastapi, four threads"]
    first, second = (asyncio.run(experiment.run()) for _ in range(2))
    again = {name: bundle(picture) for name, picture in pictures(second, 2).items()}
    assert {name: bundle(picture) for name, picture in pictures(first, 2).items()} == again
    for data in again.values():
        assert not re.search(r"0x[0-9a-f]{6}", data["text/plain"])


def test_only_what_is_asked_for_is_made() -> None:
    assert set(bundle(sample_trace(), include=["text/plain"])) == {"text/plain"}
    assert set(bundle(sample_trace(), exclude=["image/png"])) == {"text/plain"}


def test_without_matplotlib_there_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("asgi_lab.view.figure")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert set(bundle(sample_trace())) == {"text/plain"}
    with pytest.raises(ImportError, match="pip install 'asgi-lab\\[notebooks\\]'"):
        sample_trace().timeline().png()


def test_a_picture_of_one_connection_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no connection 99 in this trace: expected one of 1 to 3"):
        sample_trace().sequence(99)


def test_pictures_are_saved_by_their_name(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = sample_trace().timeline()
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "a.svg", size="projector")
    picture.save(str(tmp_path / "a.txt"))
    assert (tmp_path / "a.png").read_bytes() == picture.png()
    assert "<svg" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.txt").read_text() == f"{picture}\n"
    with pytest.raises(ValueError, match=r"ends in \.png, \.svg or \.txt, got 'a\.gif'"):
        picture.save("a.gif")
    with pytest.raises(ValueError, match="there is text, and no picture"):
        sample_trace().summary().png()


def test_a_comparison_is_shown_without_being_awaited() -> None:
    pytest.importorskip("matplotlib")
    promise = compare(sleepy_wsgi(), sleepy(), 4 * [get("/")], workers=2)
    data = bundle(promise)
    assert set(data) == {"text/plain", "image/png"}
    assert "times as fast" in data["text/plain"]
    assert data == bundle(promise.wait())
    assert str(promise.picture) == data["text/plain"]


def test_nothing_yet_is_a_picture_too() -> None:
    assert str(Trace().timeline()) == "no requests yet"
    for picture in (Trace().timeline(), Trace().sequence(), Trace().concurrency()):
        assert bundle(picture)["text/plain"]


def test_a_timeline_marks_what_is_wrong_with_requests() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        if message["body"]:  # a lifespan has none: it knows of requests alone
            time.sleep(0.5)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    fine = asyncio.run(run(app, get("/")))
    assert fine.timeline().laid().flags == ()
    slow = asyncio.run(run(app, post("/", b"x"), get("/")))
    assert [flag.label for flag in slow.timeline().laid().flags] == ["LOOP-BLOCKED"]
    assert "Marked: LOOP-BLOCKED (warning)." in slow.timeline().laid().alt
