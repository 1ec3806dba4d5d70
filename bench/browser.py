"""`python -m bench.browser`: what a timeline of 100,000 events costs in a real browser.

From the bytes of its items to the picture, and each frame while panning: in headless Chromium,
painted in software, as on a machine without a graphics card. A frame is asked for its pixels, so
that it has been painted indeed. The medians of five rounds, from the least to the most.
"""

import json
import tempfile
from base64 import b64encode
from pathlib import Path
from statistics import median
from typing import Any

import asgi_lab.view
from asgi_lab.scene import Scene, payload
from asgi_lab.scene.timeline import timeline
from asgi_lab.view import theme
from asgi_lab.view.html import html
from asgi_lab.view.sample import busy_trace
from tests.browser import FLAGS, executable

EVENTS = 100_000
FRAMES = 60
ROUNDS = 5
SIZE = {"width": 1920, "height": 1080}

MODULE = Path(asgi_lab.view.__file__).parent / "static" / "timeline.js"

MEASURE = """({ scene, theme, items, frames }) => {
  const bytes = bytesOf(items);
  const begun = performance.now();
  const view = mount(document.body, { theme, scene, items: bytes });
  const shown = () => view.ctx.getImageData(0, 0, 1, 1);
  view.paint();
  shown();
  const drawn = performance.now() - begun;
  const panned = (zoom) => {
    view.reset();
    view.zoom(zoom);
    view.pan(-1e9);
    return Array.from({ length: frames }, () => {
      const before = performance.now();
      view.pan(0.02);
      view.paint();
      shown();
      return performance.now() - before;
    });
  };
  const found = { drawn, all: panned(0.9), some: panned(0.2) };
  view.zoomRows(40);
  found.rows = panned(0.05);
  view.destroy();
  return found;
}"""


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    path = executable()
    if path is None:
        raise SystemExit("there is no chromium here; install it: apt-get install chromium")
    trace = busy_trace(EVENTS)
    scene = timeline(trace)
    print(f"{len(trace):,} events: {len(scene.items):,} items in {len(scene.lanes):,} lanes")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for ratio in (1, 2):
            page = browser.new_page(viewport=SIZE, device_scale_factor=ratio)
            rounds = [measured(page, scene) for _ in range(ROUNDS)]
            page.close()
            print(f"\n{SIZE['width']} x {SIZE['height']}, pixels a point: {ratio}")
            drawn = sorted(r["drawn"] for r in rounds)
            print(f"  from bytes to drawn   {drawn[0]:6.0f} to {drawn[-1]:.0f} ms   goal 300")
            for name, what in (("all", "all"), ("some", "a fifth"), ("rows", "tall rows")):
                times = sorted(median(r[name]) for r in rounds)
                print(f"  a frame, {what:12} {times[0]:6.1f} to {times[-1]:.1f} ms   goal 50")
        report(browser, html(trace))
        browser.close()


def measured(page: Any, scene: Scene) -> Any:
    """Mount the scene on an empty page, and return the milliseconds of everything."""
    page.set_content("<!doctype html><body></body>")
    script = f"{MODULE.read_text()}\nObject.assign(window, {{ mount, bytesOf }});"
    page.add_script_tag(content=script, type="module")
    page.wait_for_function("Boolean(window.mount)")
    given = {
        "scene": payload.header(scene),
        "theme": theme.as_json(),
        "items": b64encode(payload.columns(scene.items)).decode(),
        "frames": FRAMES,
    }
    return page.evaluate(MEASURE, json.loads(json.dumps(given)))


def report(browser: Any, text: str) -> None:
    """Open the whole report from a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(text, encoding="utf-8")
        page = browser.new_page(viewport=SIZE)
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]")
        drawn = page.evaluate("document.documentElement.dataset.drawn")
        page.close()
    print(f"\nthe report: {len(text) / 1e6:.2f} MB (goal 5); its timeline drawn after {drawn} ms")


if __name__ == "__main__":
    main()
