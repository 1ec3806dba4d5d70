"""`python -m bench.notebook`: from a trace of 100,000 events in a kernel to its picture in a cell.

In a real JupyterLab, in headless Chromium, painted in software: how long the scene takes to be laid
out, to be turned into columns and sent, and until it is seen, all by the clock on the wall.
"""

import json
import tempfile
from pathlib import Path
from statistics import median

from bench.browser import EVENTS
from tests.browser import FLAGS, executable
from tests.test_notebook_browser import lab, nbformat, opened, run_all

ROUNDS = 7

SETUP = f"""
import asyncio, json, time
from dataclasses import replace
from asgi_lab.scene.timeline import timeline
from asgi_lab.view.sample import busy_trace, sample_trace
from asgi_lab.view.widget import TraceWidget

trace = busy_trace({EVENTS})
widget = TraceWidget(timeline(sample_trace()))
widget
"""

MEASURE = f"""
await asyncio.sleep(2)
times = []
for round in range({ROUNDS}):
    begun = time.time()
    scene = replace(timeline(trace), title=f"round {{round}}")
    laid = time.time()
    widget.show(scene, trace)
    times.append((begun * 1e3, laid * 1e3, time.time() * 1e3))
    await asyncio.sleep(1.5)
print(json.dumps([times, len(widget.items)]))
"""

WATCH = """() => {
  window.seen = {};
  const look = () => {
    const title = document.querySelector(".asgilab-title")?.textContent;
    if (title && !(title in window.seen)) {
      window.seen[title] = 0;
      requestAnimationFrame(() => requestAnimationFrame(() => {
        document.querySelector("canvas.asgilab-timeline").getContext("2d").getImageData(0, 0, 1, 1);
        window.seen[title] = Date.now();
      }));
    }
    requestAnimationFrame(look);
  };
  look();
}"""
"""Notes when each picture is there, which its title tells: painted, and read back."""


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    path = executable()
    if path is None:
        raise SystemExit("there is no chromium here; install it: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        notebook = Path(folder) / "notebooks/bench.ipynb"
        notebook.parent.mkdir()
        cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in (SETUP, MEASURE)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), notebook)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        with lab(notebook, Path(folder) / "own") as address:
            page = browser.new_page(viewport={"width": 1300, "height": 1200})
            panel = opened(page, address)
            page.evaluate(WATCH)
            run_all(page, panel)
            told = panel.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output").inner_text()
            seen = page.evaluate("window.seen")
            page.goto("about:blank")
        browser.close()
    report(*json.loads(told), seen)


def report(times: list[list[float]], size: int, seen: dict[str, float]) -> None:
    """Print the median of each part; the first round is not counted."""
    parts = [
        (laid - begun, sent - laid, seen[f"round {n}"] - sent, seen[f"round {n}"] - laid)
        for n, (begun, laid, sent) in enumerate(times)
    ]
    laid, sent, drawn, both = (median(part) for part in zip(*parts[1:], strict=True))
    print(f"{EVENTS:,} events, {size / 1e6:.1f} MB of columns")
    print(f"  the scene laid out          {laid:6.0f} ms")
    print(f"  columns made, and sent      {sent:6.0f} ms")
    print(f"  received, and drawn         {drawn:6.0f} ms")
    print(f"  from a scene to its picture {both:6.0f} ms   goal 300")


if __name__ == "__main__":
    main()
