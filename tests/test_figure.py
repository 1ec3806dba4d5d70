"""Figures: every kind of scene as PNG and SVG, as users get them."""

import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from matplotlib import rcParams
from PIL import Image

from asgi_lab.connection import AWAIT, BLOCKED, CLIENT, HOLD, QUEUED, SENDING, THREAD
from asgi_lab.difference import diff
from asgi_lab.scene import roles
from asgi_lab.scene.concurrency import concurrency
from asgi_lab.scene.difference import difference
from asgi_lab.scene.layers import layers
from asgi_lab.scene.model import (
    Area,
    Arrow,
    Axis,
    Box,
    Flag,
    Group,
    Item,
    Items,
    Lane,
    Link,
    Node,
    Note,
    Scene,
    Tick,
)
from asgi_lab.scene.pointing import pointed
from asgi_lab.scene.sequence import sequence
from asgi_lab.scene.states import states
from asgi_lab.scene.timeline import timeline
from asgi_lab.view import figure
from asgi_lab.view.sample import sample_trace

PHASES = (HOLD, BLOCKED, roles.LINE, AWAIT, CLIENT, SENDING, THREAD, QUEUED)
MS = 1_000_000


def many_bars(count: int, lanes: int = 200, share: int = 255) -> Scene:
    items = Items()
    each = count // lanes
    for lane in range(lanes):
        at = lane * 3.0 * MS
        for index in range(each):
            long = (1 + (lane * 7 + index * 13) % 17) * MS
            items.add(at, at + 0.9 * long, lane, PHASES[(index + lane) % len(PHASES)], share=share)
            at += long
    rows = tuple(Lane(f"GET /item/{lane}", conn=lane) for lane in range(lanes))
    return Scene("timeline", f"{count:,} bars", "Many bars.", Axis(0, 1.2e9), rows, items=items)


def flagged() -> Scene:
    """What is wrong: on a long bar, at the edges, in one place, in no lane."""
    items = Items([Item(0, 90, 0, HOLD), Item(40, 41, 1, AWAIT), Item(99, 100, 1, AWAIT)])
    marked = [
        (0, 0, roles.WARNING, "LOOP-BLOCKED"), (0, 0, roles.NOTE, "IN-ITS-WAY"),
        (40, 1, roles.WARNING, "H16"), (100, 1, roles.NOTE, "WS-CLOSE-EXPLAINED"),
        (100, 1, roles.WARNING, ""), (0, -1, roles.WARNING, "LIFESPAN-NOT-REACHED"),
    ]  # fmt: skip
    flags = tuple(
        Flag(at, lane, role, label, "It is wrong.\nwhy   So.", number=number)
        for number, (at, lane, role, label) in enumerate(marked)
    )
    return Scene(
        "timeline", "all that is wrong", "Two lanes.", Axis(0, 100),
        (Lane("GET /a"), Lane("GET /b")), items=items, flags=flags,
    )  # fmt: skip


def compared() -> Scene:
    items = Items([
        Item(0, 100, 0, HOLD), Item(0, 100, 1, roles.LINE), Item(100, 200, 1, HOLD),
        Item(0, 100, 2, AWAIT), Item(0, 100, 3, AWAIT),
    ])  # fmt: skip
    return Scene(
        "comparison", "ASGI is done twice as fast", "Two sides.", Axis(0, 200),
        tuple(Lane("GET /slow", conn=conn) for conn in (1, 2, 1, 2)),
        groups=(Group("Flask", "1 worker", 0, 1), Group("FastAPI", "1 event loop", 2, 3)),
        items=items,
        notes=(Note(50, 1, "waits in line", roles.LINE), Note(50, 2, "nobody waits", AWAIT)),
    )  # fmt: skip


def scenes() -> dict[str, tuple[Scene, tuple[str, ...]]]:
    """Each kind of scene, with words that are to be read in it."""
    trace = sample_trace()
    lanes = (Lane("client"), Lane("server"), Lane("app"))
    arrows = (
        Arrow(0, 1, 2, roles.CALL, "GET /"), Arrow(0, 0, 1, roles.UNSEEN),
        Arrow(1, 2, 1, roles.OUT, "http.response.start 200"), Arrow(2, 2, 1, roles.RAISE, "raised"),
    )  # fmt: skip
    ticks = (Tick(0, "0 µs"), Tick(1, "1.25 ms"), Tick(2, "1.30 ms"))
    nodes = (
        Node("a", "waiting", 0, 0, roles.BEEN), Node("b", "started", 0, 1, roles.STATE),
        Node("c", "complete", 0, 2, roles.END), Node("x", "H12", 1, 0, roles.ILLEGAL, "breaks it"),
    )  # fmt: skip
    links = (
        Link("a", "b", "http.response.start", roles.MAY), Link("a", "c", "skips", roles.TAKEN, "2"),
        Link("a", "a", "stays", roles.TAKEN, "1"), Link("c", "b", "returns", roles.MAY),
        Link("a", "x", "too early", roles.ILLEGAL, "3"),
    )  # fmt: skip
    area = Area(0, (0, 50, 100), (3, 1), roles.IN_FLIGHT, 3, "requests")
    return {
        "timeline": (
            timeline(trace),
            ("GET /blocks", "held the loop for 301 ms", "200 ms", "holds loop", "raises"),
        ),
        "flagged": (
            flagged(),
            (
                "LOOP-BLOCKED",
                "H16",
                "WS-CLOSE-EXPLAINED",
                "LIFESPAN-NOT-REACHED",
                "something is wrong here",
                "something to know of",
            ),
        ),
        "density": (many_bars(400, 20, share=128), ("GET /item/7", "awaits", "1 s")),
        "comparison": (
            compared(),
            ("ASGI is done twice as fast", "Flask", "1 worker", "waits in line", "all done after"),
        ),
        "sequence": (
            Scene(
                "sequence",
                "#1 GET /",
                "It.",
                Axis(0, 2, "step", ticks=ticks),
                lanes,
                "down",
                arrows=arrows,
                notes=(Note(0.5, -1, "⋮ 1.25 ms"), Note(2, 2, "a finding")),
            ),
            ("client", "server", "GET /", "http.response.start 200", "1.25 ms", "⋮ 1.25 ms"),
        ),
        "real sequence": (sequence(trace), ("GET /cart", "raised KeyError")),
        "layers": (layers(trace, 1), ("GZipMiddleware", "server", "GET /waits?for=timer")),
        "concurrency": (concurrency(trace), ("in flight", "event loop held", "100 %")),
        "curve": (
            Scene(
                "concurrency",
                "up to 3",
                "A curve.",
                Axis(0, 100),
                (Lane("busy", "most"),),
                areas=(area,),
            ),
            ("up to 3", "busy", "most"),
        ),
        "states": (
            Scene(
                "states",
                "#1: too early",
                "States.",
                Axis(0, 2, "step"),
                (Lane(""), Lane("")),
                groups=(Group("The response", "", 0, 1),),
                nodes=nodes,
                links=links,
            ),
            ("The response", "waiting", "stays", "too early", "breaks it", "not allowed"),
        ),
        "difference": (
            difference(diff(trace, trace.of(event for event in trace.events if event.conn != 3))),
            ("GET /cart", "only A has GET /cart", "time since each request began", "total"),
        ),
        "pointed": (
            pointed(
                timeline(trace),
                next(e.seq for e in trace.events if e.kind == "raise" and not e.layer),
            ),
            ("▲ here",),
        ),
        "pointed sequence": (pointed(sequence(trace, 3), trace.events[-1].seq), ("▲ here",)),
        "real states": (states(trace, 1), ("The response goes out", "http.response.start")),
        "empty": (Scene("timeline", "no requests yet", "Nothing.", Axis(0, 1)), ("no requests",)),
        "empty steps": (Scene("layers", "no layers", "No.", Axis(0, 1, "step")), ("no layers",)),
        "long names": (
            Scene(
                "timeline",
                "long " * 60,
                "Long.",
                Axis(0, 9 * MS),
                (Lane("GET /" + "x" * 500),),
                items=Items([Item(0, 5 * MS, 0, HOLD)]),
                boxes=(Box(0, 5 * MS, 0, 0, roles.STALL, "held"),),
            ),
            ("long long", "loop held 5.00 ms"),
        ),
    }


KINDS = list(scenes())


def words_of(svg: str) -> str:
    """All that an SVG says, as one text."""
    return " ".join(text for text in ElementTree.fromstring(svg).itertext() if text.strip())


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["cell", "projector"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_scene_is_painted_and_says_its_words(kind: str, size: Any, theme: Any) -> None:
    scene, words = scenes()[kind]
    image = Image.open(io.BytesIO(figure.png(scene, size=size, theme=theme)))
    assert image.width == {"cell": 900, "projector": 1920}[size]
    said = words_of(figure.svg(scene, size=size, theme=theme))
    for word in words:
        assert word in said


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_painted_over_the_edge(kind: str) -> None:
    """All around the picture there is a margin of paper."""
    scene, _ = scenes()[kind]
    image = Image.open(io.BytesIO(figure.png(scene))).convert("RGB")
    wide, high = image.size
    for strip in ((0, 0, wide, 6), (0, 0, 6, high), (wide - 6, 0, wide, high),
                  (0, high - 6, wide, high)):  # fmt: skip
        assert image.crop(strip).getcolors() == [((strip[2] - strip[0]) * (strip[3] - strip[1]),
                                                  (255, 255, 255))]  # fmt: skip


@pytest.mark.parametrize("kind", ["timeline", "comparison", "layers", "real states"])
def test_the_same_scene_gives_the_same_bytes(kind: str) -> None:
    scene = scenes()[kind][0]
    again = scenes()[kind][0]
    assert figure.png(scene) == figure.png(again)
    assert figure.svg(scene) == figure.svg(again)


def test_ten_thousand_bars_make_small_files() -> None:
    scene = many_bars(10_000)
    assert len(figure.png(scene)) < 200_000
    assert len(figure.svg(scene)) < 300_000


def test_pictures_are_told_in_words() -> None:
    scene = timeline(sample_trace())
    svg = figure.svg(scene)
    assert f"<title>{scene.title}</title>" in svg
    assert f"<desc>{scene.alt}</desc>" in svg
    assert re.match(r'<svg [^>]*role="img"', svg)
    image = Image.open(io.BytesIO(figure.png(scene)))
    assert image.info["Description"] == scene.alt


def test_what_others_wrote_is_only_text() -> None:
    name = "GET /<script>$x^2$ & \x1b[31m \ue000 中"
    scene = Scene("timeline", name, name, Axis(0, 1), (Lane(name),))
    said = words_of(figure.svg(scene))
    assert "<script>$x^2$ & \\x1b[31m" in said
    assert figure.png(scene)


def test_shapes_are_told_apart_without_colour() -> None:
    """Each phase has a pattern of its own: no two look the same in grey."""
    grey = set()
    for role in PHASES:
        items = Items([Item(0, 90, 0, role)])
        scene = Scene("timeline", "one", "One.", Axis(0, 100), (Lane("GET /"),), items=items)
        image = Image.open(io.BytesIO(figure.png(scene))).convert("L")
        ink = image.crop((120, 45, 700, 160)).point(lambda value: 0 if value < 230 else 255)
        grey.add(ink.tobytes())
    assert len(grey) == len(PHASES)


def test_files_by_their_name(tmp_path: Path) -> None:
    scene = compared()
    figure.save(scene, tmp_path / "a.png", theme="dark")
    figure.save(scene, tmp_path / "a.svg", size="projector")
    assert (tmp_path / "a.png").read_bytes() == figure.png(scene, theme="dark")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == figure.svg(scene, size="projector")
    with pytest.raises(ValueError, match=r"ends in \.png or \.svg, got .*a\.gif"):
        figure.save(scene, tmp_path / "a.gif")
    with pytest.raises(ValueError, match="unknown size 'wall': expected cell or projector"):
        figure.png(scene, size="wall")  # type: ignore[arg-type]


def test_a_notebooks_own_settings_stay_and_do_not_matter() -> None:
    before = figure.png(compared())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(rcParams, "font.size", 40.0)
        patch.setitem(rcParams, "text.color", "red")
        assert figure.png(compared()) == before
        assert rcParams["font.size"] == 40.0


def test_matplotlib_comes_when_needed_without_pyplot() -> None:
    script = """
import sys
from asgi_lab.scene.timeline import timeline
from asgi_lab.view import figure
from asgi_lab.view.sample import sample_trace
assert "matplotlib" not in sys.modules
figure.png(timeline(sample_trace()))
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_matplotlib_one_message_says_what_to_install() -> None:
    script = """
import sys
sys.modules["matplotlib"] = None
from asgi_lab.view import figure
from asgi_lab.scene.model import Axis, Scene
try:
    figure.png(Scene("timeline", "", "", Axis(0, 1)))
except ImportError as error:
    print(error)
"""
    said = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert said == "figures need matplotlib: pip install 'asgi-lab[notebooks]'\n"
