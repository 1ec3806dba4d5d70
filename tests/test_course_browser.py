"""The course as a learner has it: JupyterLab opens a chapter, runs all of it, and widgets answer.

Here one chapter; `make course-browser` opens them all.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asgi_lab.lesson.copying import copy_course
from asgi_lab.view.display import PNG
from tests.answers import COURSE
from tests.browser import inked

pytest_plugins = ("tests.browser",)

labs = pytest.importorskip("tests.test_notebook_browser")
nbformat = pytest.importorskip("nbformat")

CHAPTERS = [path.stem for path in sorted((COURSE / "notebooks").glob("[0-9]*.ipynb"))]
OPENED = CHAPTERS if os.environ.get("ASGI_LAB_CHAPTERS") == "all" else CHAPTERS[:1]

PATIENCE = 180_000
"""Milliseconds that a chapter may take: far more than it needs."""

SHOTS = os.environ.get("ASGI_LAB_SHOTS")
"""A folder for a picture of each chapter, to be looked at."""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's copy."""
    place: Path = tmp_path_factory.mktemp("learner") / "course"
    copy_course(place)
    return place


@pytest.fixture(scope="module")
def address(course: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where one JupyterLab has them all; NAME stands for the notebook."""
    own = tmp_path_factory.mktemp("lab")
    settings = own / "SETTINGS_DIR/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"windowingMode": "none"}')  # all cells are there, seen or not
    with labs.lab(course / "NAME", own) as where:
        yield where


def chapter(name: str) -> Any:
    return nbformat.read(COURSE / "notebooks" / f"{name}.ipynb", as_version=4)


def pictures(name: str) -> int:
    """Return how many pictures a chapter has."""
    cells = [cell for cell in chapter(name).cells if cell.cell_type == "code"]
    return sum(PNG in output.get("data", {}) for cell in cells for output in cell.outputs)


@pytest.mark.parametrize("name", OPENED)
def test_a_chapter_runs_and_its_widgets_answer(page: Any, address: str, name: str) -> None:
    panel = labs.opened(page, address.replace("NAME", f"notebooks/{name}.ipynb"))
    expect = labs.expect
    labs.api.expect.set_options(timeout=PATIENCE)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).first.click()
    last = panel.locator(".jp-CodeCell").last.locator(".jp-InputPrompt")
    labs.api.expect(last).to_have_text(re.compile(r"^\[\d+\]:$"), timeout=PATIENCE)
    errors = panel.locator('[data-mime-type="application/vnd.jupyter.error"]')
    assert errors.all_inner_texts() == []
    assert panel.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0
    views = panel.locator(".asgilab")
    expect(views).to_have_count(pictures(name))
    for view in views.all():
        canvas = view.locator("canvas.asgilab-timeline")
        canvas.scroll_into_view_if_needed()
        assert inked(canvas) > 500, view.locator(".asgilab-title").inner_text()
    for view in [view for view in views.all() if has_events(view)][:1]:
        answers(view)
    for buttons in panel.locator(".widget-toggle-buttons").all():
        chooses(buttons)
    for panels in panel.locator(".widget-vbox:has(.noUi-handle)").all():
        turns(page, panels)
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    page.goto("about:blank")


def has_events(view: Any) -> bool:
    """Return whether a picture is of a trace, whose events have words."""
    canvas = view.locator("canvas.asgilab-timeline")
    return bool(canvas.evaluate("canvas => canvas.view.columns.event.some((seq) => seq >= 0)"))


def answers(view: Any) -> None:
    """The next event's words come from the kernel."""
    canvas = view.locator("canvas.asgilab-timeline")
    canvas.focus()
    canvas.press(".")
    labs.expect(view.locator(".asgilab-detail pre")).not_to_be_empty()


def chooses(buttons: Any) -> None:
    """A prediction remembers what was chosen."""
    first = buttons.locator("button").first
    first.click()
    labs.expect(first).to_have_class(re.compile("mod-active"))


def turns(page: Any, panel: Any) -> None:
    """Sliders draw their picture anew: the kernel has simulated it."""
    canvas = panel.locator("canvas").first
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    for handle in panel.locator(".noUi-handle").all():
        handle.focus()
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([canvas, before]) => canvas.toDataURL() !== before",
        arg=[canvas.element_handle(), before],
        timeout=PATIENCE,
    )
