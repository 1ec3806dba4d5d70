"""The course as a site: its pages answer without a kernel, without a network, from a disk."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.browser import inked

pytest_plugins = ("tests.browser",)

pytest.importorskip("nbclient")
pytest.importorskip("jupytext")
pytest.importorskip("matplotlib")

FIRST = """
# %% [markdown]
# # 00 · First <one>
#
# **You need:** nothing. **You build:** nothing. **Time:** a minute.
#
# ## A picture
#
# See [the next](01_second.ipynb#there), [the glossary](glossary.md), `code`, and
# [a file](../exercises/00_first/1_a.py). <script>alert("no")</script>

# %%
import asyncio

from asgi_lab import get, run
from asgi_lab.lesson import predict

# %%
guess = predict("How long?", "1 s", "2 s")
guess


# %%
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await asyncio.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-told", b"all")]})
    await send({"type": "http.response.body", "body": b"</script><b>bold</b>"})


# %%
trace = await run(app, get("/a"), get("/b"))
guess.reveal(f"{trace.seconds:g} s")

# %%
trace.sequence(2)

# %%
trace
"""

SECOND = """
# %% [markdown]
# # 01 · Second
#
# ## There

# %%
print("<b>not bold</b>")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of two chapters and a glossary."""
    course = tmp_path_factory.mktemp("course")
    (course / "notebooks").mkdir()
    (course / "exercises").mkdir()
    (course / "notebooks/00_first.py").write_text(FIRST.lstrip())
    (course / "notebooks/01_second.py").write_text(SECOND.lstrip())
    (course / "notebooks/glossary.md").write_text("# Glossary\n\n## Scope\n\nWhat is known.\n")
    command = [sys.executable, "-m", "asgi_lab.lesson.authoring.site", "--out", "site"]
    made = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert made.stdout.endswith("3 pages: site/index.html\n")
    return Path(course, "site")


def opened(page: Any, site: Path, name: str) -> None:
    page.goto((site / f"{name}.html").as_uri())


def test_pictures_answer_without_a_kernel(page: Any, site: Path) -> None:
    opened(page, site, "00_first")
    view = page.locator(".asgilab").first
    canvas = view.locator("canvas.asgilab-timeline")
    canvas.scroll_into_view_if_needed()
    assert inked(canvas) > 500
    canvas.focus()
    for _ in range(4):
        canvas.press(".")
        if "x-told: all" in view.locator(".asgilab-detail pre").inner_text():
            break
    else:
        raise AssertionError(view.locator(".asgilab-detail pre").inner_text())
    assert page.locator("figure img").count() == 0
    assert page.locator(".asgilab").count() == 2


def test_what_comes_from_a_notebook_is_text(page: Any, site: Path) -> None:
    opened(page, site, "00_first")
    assert page.locator("main b, main script:not([type])").count() == 0
    assert page.locator("h1").inner_text() == "00 · First <one>"
    opened(page, site, "01_second")
    assert page.locator("pre.said").inner_text() == "<b>not bold</b>"


def test_a_prediction_is_made_before_the_trace_speaks(page: Any, site: Path) -> None:
    opened(page, site, "00_first")
    page.get_by_role("radio", name="2 s").check()
    answer = page.get_by_text("The trace says: 1 s.")
    assert not answer.is_visible()
    page.get_by_text("What does the trace say?").click()
    assert answer.is_visible()


def test_its_links_stay_within_the_site(page: Any, site: Path) -> None:
    opened(page, site, "index")
    page.get_by_role("main").get_by_role("link", name="00 · First <one>").click()
    assert page.locator('nav [aria-current="page"]').inner_text() == "00 · First <one>"
    page.get_by_role("link", name="the next").click()
    assert page.url.endswith("/01_second.html#there")
    assert page.locator("#there").count() == 1
    page.get_by_role("link", name="00 · First <one>").last.click()
    page.get_by_role("link", name="the glossary").click()
    assert page.locator("h1").inner_text() == "Glossary"
    opened(page, site, "00_first")
    assert page.get_by_text("a file").evaluate("it => it.tagName") == "SPAN"


def test_light_and_dark(dark_page: Any, site: Path) -> None:
    def paper() -> str:
        return str(dark_page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    opened(dark_page, site, "00_first")
    dark = paper()
    dark_page.locator("#theme").click()
    light = paper()
    assert sum(map(int, light[4:-1].split(","))) > 600 > sum(map(int, dark[4:-1].split(",")))
    dark_page.reload()
    assert paper() == light, "it remembers"


def test_without_scripts_the_images_are_there(chromium: Any, site: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    opened(page, site, "00_first")
    for image in page.locator("figure img").all():
        assert image.is_visible()
        assert len(image.get_attribute("alt") or "") > 20
    context.close()
