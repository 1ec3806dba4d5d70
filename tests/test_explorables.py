"""Pictures with sliders: the first one as text and image, others at once, mistakes told."""

from typing import Any

import pytest

from asgi_lab import get, run
from asgi_lab.events import Trace
from asgi_lab.lesson import explore, explore_blocking, explore_workers
from asgi_lab.lesson.explorables import KINDS, awaits


def test_the_first_picture_is_shown_where_no_kernel_answers() -> None:
    pytest.importorskip("matplotlib")
    for explorable in (explore_workers(), explore_blocking()):
        data, about = explorable._repr_mimebundle_()
        assert set(data) == {"text/plain", "image/png"}
        assert data["text/plain"] == str(explorable) == explorable.text
        assert about["image/png"]["alt"]
        assert data == explorable._repr_mimebundle_()[0]


def test_workers_against_one_loop() -> None:
    explorable = explore_workers()
    assert str(explorable).splitlines()[0] == (
        "workers 4, requests 12, every 0 s, sleep 1 s, cpu 0 s"
    )
    assert "ASGI is done 3 times as fast: 1 s against 3 s" in str(explorable)
    more = explorable.picture(workers=12)
    assert "Both take 1 s for 12 requests." in more.text


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        ("await asyncio.sleep", "500 ms"),
        ("time.sleep in async def", "2 s"),
        ("time.sleep in a thread", "1 s"),
        ("time.sleep in WSGI", "1 s"),
    ],
)
def test_each_way_to_wait(kind: str, seconds: str) -> None:
    assert kind in KINDS
    said = explore_blocking().picture(kind=kind, workers=2, requests=4, every=0.0, sleep=0.5)
    assert said.text.splitlines()[0].startswith(kind)
    assert said.text.splitlines()[0].endswith(seconds)


def test_computing_helps_nobody_on_one_loop() -> None:
    said = explore_workers().picture(workers=1, requests=10, sleep=0.0, cpu=0.1)
    assert "Both take 1 s for 10 requests." in said.text


async def experiment(requests: int = 3, sleep: float = 1.0) -> Trace:
    return await run(awaits(sleep, 0.0), requests * [get("/")])


def test_an_experiment_of_ones_own() -> None:
    explorable = explore(experiment, requests=(1, 5), sleep=(0.0, 2.0, 0.5))
    assert explorable.values == {"requests": 3, "sleep": 1.0}
    assert explorable.picture().text.count("GET") == 3
    assert explorable.picture(requests=5).text.count("GET") == 5


def test_mistakes_are_told() -> None:
    with pytest.raises(TypeError, match="experiment has no parameter 'nap' for a slider"):
        explore(experiment, nap=(0, 1))
    with pytest.raises(ValueError, match=r"sleep: expected \(least, most\), .*, got \(2, 1\)"):
        explore(experiment, sleep=(2, 1))
    with pytest.raises(TypeError, match="an experiment returns a trace, a comparison or a picture"):
        explore(lambda n: n, n=[1]).picture()


def sliders_of(panel: Any) -> dict[str, Any]:
    return {child.description.partition(" (")[0]: child for child in panel.children[:-2]}


def test_a_slider_redraws() -> None:
    pytest.importorskip("anywidget")
    panel = explore(experiment, requests=(1, 5), sleep=(0.0, 2.0)).widget()
    sliders, picture, trouble = sliders_of(panel), panel.children[-1], panel.children[-2]
    assert len(picture.payload["scene"]["lanes"]) == 3
    sliders["requests"].value = 5
    assert len(picture.payload["scene"]["lanes"]) == 5
    picture.selected = 12
    assert picture.detail
    sliders["sleep"].value = 0.5
    assert (picture.selected, picture.detail) == (-1, "")
    assert trouble.layout.display == "none"


def test_what_cannot_be_is_told_above_the_picture_that_stays() -> None:
    pytest.importorskip("anywidget")

    def picky(n: int = 1) -> Any:
        if n > 2:
            raise ValueError("n is <at most> 2")
        return experiment(n)

    panel = explore(picky, n=(1, 5)).widget()
    sliders, picture, trouble = sliders_of(panel), panel.children[-1], panel.children[-2]
    sliders["n"].value = 4
    assert trouble.value == "<b>ValueError</b>: n is &lt;at most&gt; 2"
    assert len(picture.payload["scene"]["lanes"]) == 1
    sliders["n"].value = 2
    assert trouble.layout.display == "none"
    assert len(picture.payload["scene"]["lanes"]) == 2
