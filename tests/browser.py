"""A real browser for tests: Chromium, by Playwright. Where there is none, they skip by name.

    def test_it(page):
        page.goto(...)

While a page is open, this thread has a running event loop (Playwright's own): whoever needs
`asyncio.run` meanwhile says `apart(asyncio.run, ...)`.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

Result = TypeVar("Result")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip

OUTSIDE = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1|localhost)")

SIZE = {"width": 1280, "height": 900}


def executable() -> str | None:
    """Return the path of a Chromium or a Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def apart(call: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a thread of its own, where no event loop runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, *arguments).result()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser, for the tests of a module."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = executable()
    if path is None:
        pytest.skip("there is no chromium here; install it: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page of its own. In the end there was no error, and nobody was asked but this machine."""
    yield from opened(chromium)


@pytest.fixture
def dark_page(chromium: Any) -> Iterator[Any]:
    """A page for a reader who prefers dark."""
    yield from opened(chromium, color_scheme="dark")


def opened(browser: Any, **settings: Any) -> Iterator[Any]:
    """Open a page, and look back in the end."""
    context = browser.new_context(viewport=SIZE, **settings)
    outside: list[str] = []
    errors: list[str] = []

    def refuse(route: Any) -> None:
        outside.append(route.request.url)
        route.abort()

    context.route(OUTSIDE, refuse)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: said.type == "error" and errors.append(said.text))
    yield page
    context.close()
    assert (errors, outside) == ([], [])


INKED = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let inked = 0;
  for (let i = 4; i < data.length; i += 4)
    if (data[i] !== data[0] || data[i + 1] !== data[1] || data[i + 2] !== data[2]) inked++;
  return inked;
}"""


def inked(canvas: Any) -> int:
    """Return how many pixels of a canvas have another colour than its corner: what is drawn."""
    return int(canvas.evaluate(INKED))
