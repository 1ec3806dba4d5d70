"""A notebook in JupyterLab, in a real browser: pictures are drawn, and answer."""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asgi_lab.scene.roles import OUT
from asgi_lab.view.display import WIDGET
from asgi_lab.view.theme import STYLES

pytest_plugins = ("tests.browser",)

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
pytest.importorskip("anywidget", reason="anywidget is not installed")

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

PATIENCE = 60.0
"""Seconds that a step may take: far more than it needs."""


def expect(locator: Any) -> Any:
    """Return what waits patiently until something holds."""
    api.expect.set_options(timeout=PATIENCE * 1000)
    return api.expect(locator)


CELLS = (
    """
import asyncio, time
from asgi_lab import cpu, get, run, trace

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    await asyncio.sleep(0.1)
    if scope["path"] == "/blocks":
        time.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-told", b"all")]})
    await send({"type": "http.response.body", "body": b"well slept"})

t = await run(app, get("/a"), get("/blocks"), get("/c"), get("/d"))
t
""",
    "t.sequence(conn=2)",
    """
from asgi_lab.lesson import explore_workers
explore_workers()
""",
    """
from asgi_lab.view.widget import TraceWidget
served = trace(app)
live = TraceWidget.follow(served)
live
""",
    """
async def ask(path):
    async def receive():
        await asyncio.sleep(3600)
    async def send(message):
        pass
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
             "path": path, "query_string": b"", "headers": []}
    await served(scope, receive, send)

await asyncio.gather(*(ask(f"/live{n}") for n in range(3)))
print("served")
""",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook that nobody has run."""
    path: Path = tmp_path_factory.mktemp("made") / "made.ipynb"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip(), id=f"c{n}") for n, cell in enumerate(CELLS)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}},
    )
    nbformat.write(notebook, path)
    return path


@contextmanager
def lab(notebook: Path, own: Path) -> Iterator[str]:
    """Serve a notebook by a JupyterLab whose settings and trust are in `own`; yield its address."""
    kept = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    places = {f"JUPYTER_{name}": own / name for name in kept}
    places |= {f"JUPYTERLAB_{name}": own / name for name in ("SETTINGS_DIR", "WORKSPACES_DIR")}
    places["IPYTHONDIR"] = own / "ipython"
    settings = own / "SETTINGS_DIR/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    (own / "CONFIG_DIR").mkdir()
    (own / "CONFIG_DIR/jupyter_lab_config.py").write_text(
        "c.LabApp.news_url = None\n"
        "c.LabApp.check_for_updates_class = 'jupyterlab.NeverCheckForUpdate'\n"
    )
    port, token = free_port(), secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={notebook.parent}"),
    ]
    environ = {**os.environ, **{name: str(path) for name, path in places.items()}}
    with (own / "log").open("w") as log:
        server = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server, own / "log")
            name = notebook.name
            yield f"http://127.0.0.1:{port}/lab/workspaces/test/tree/{name}?reset&token={token}"
        finally:
            server.terminate()
            server.wait(20)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page of its own. JupyterLab may warn (that it is slow here); nothing is an error."""
    from tests.browser import OUTSIDE

    context = chromium.new_context(viewport={"width": 1300, "height": 2400})
    errors: list[str] = []

    def refuse(route: Any) -> None:
        errors.append(route.request.url)
        route.abort()

    context.route(OUTSIDE, refuse)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: said.type == "error" and errors.append(said.text))
    yield page
    context.close()
    assert errors == []


def opened(page: Any, address: str) -> Any:
    """Open the notebook; return its panel once its kernel is there."""
    page.goto(address)
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    kernel = panel.locator(".jp-Toolbar-kernelName")  # there is none yet when it is first "idle"
    expect(kernel).to_have_text("Python 3 (ipykernel)")
    idle = panel.locator(".jp-Notebook-ExecutionIndicator")
    expect(idle).to_have_attribute("data-status", "idle")
    return panel


def run_all(page: Any, panel: Any) -> None:
    """Run all cells to their end."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).first.click()
    last = panel.locator(".jp-CodeCell").last.locator(".jp-InputPrompt")
    expect(last).to_have_text(re.compile(r"^\[\d+\]:$"))
    expect(panel.locator('[data-mime-type="application/vnd.jupyter.error"]')).to_have_count(0)


PLACE = """(canvas, [red, green, blue]) => {
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  for (let i = 0; i < data.length; i += 4)
    if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) {
      const ratio = width / canvas.clientWidth;
      return [((i / 4) % width) / ratio, Math.floor(i / 4 / width) / ratio];
    }
}"""


def click(canvas: Any, role: str) -> None:
    """Click the first mark of a role: where its colour is."""
    colour = STYLES[role].light
    x, y = canvas.evaluate(PLACE, [int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    canvas.click(position={"x": x + 1, "y": y + 2})


def test_pictures_in_jupyterlab(page: Any, made: Path, tmp_path: Path) -> None:
    from tests.browser import inked

    with lab(made, tmp_path) as address:
        panel = opened(page, address)
        run_all(page, panel)
        views = panel.locator(".asgilab")
        expect(views).to_have_count(4)
        for n in range(4):
            assert inked(views.nth(n).locator("canvas.asgilab-timeline")) > 500
        asks_the_timeline(views.nth(0))
        turns_a_knob(page, panel, views.nth(2))
        expect(views.nth(3).locator(".asgilab-title")).to_have_text(re.compile("^3 requests in "))
        page.keyboard.press("Control+s")
        expect(page.locator(".jp-mod-dirty")).to_have_count(0)
        page.screenshot(path=tmp_path / "seen.png")
        page.goto("about:blank")


def asks_the_timeline(view: Any) -> None:
    title = view.locator(".asgilab-title")
    expect(title).to_have_text(
        "GET /blocks (#3) held the loop for 300 ms; 2 requests could not run"
    )
    canvas = view.locator("canvas.asgilab-timeline")
    click(canvas, OUT)
    words = view.locator(".asgilab-detail pre")
    expect(words).to_contain_text("← send http.response.start 200")  # the kernel has answered
    expect(words).to_contain_text("x-told: all")
    canvas.press(".")
    expect(words).to_contain_text('← send http.response.body "well slept"')
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    canvas.press("+")
    assert canvas.evaluate("canvas => canvas.toDataURL()") != before
    view.get_by_role("searchbox").fill("blocks")
    expect(view.locator(".asgilab-count")).to_have_text("1 of 4")


def turns_a_knob(page: Any, panel: Any, view: Any) -> None:
    title = view.locator(".asgilab-title")
    expect(title).to_have_text("ASGI is done 3 times as fast: 1 s against 3 s for 12 requests.")
    panel.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("ASGI is done 2 times as fast: 1 s against 2 s for 12 requests.")


def test_a_saved_notebook_needs_no_kernel(page: Any, made: Path, tmp_path: Path) -> None:
    """As the one before left it: its pictures are there in HTML, and where nobody trusts it."""
    outputs = [cell.outputs for cell in nbformat.read(made, 4).cells]
    if not any(outputs):
        pytest.skip("the notebook has not been run")
    data = outputs[0][0].data
    assert {"image/png", "text/plain", WIDGET} <= set(data)
    exporter = pytest.importorskip("nbconvert").HTMLExporter
    html, _ = exporter().from_filename(str(made))
    assert html.count('src="data:image/png;base64,') == 3
    html, _ = exporter(template_name="classic").from_filename(str(made))  # the one that says alt
    assert 'alt="Timeline of 4 requests over 400 ms. GET /blocks' in html
    with lab(made, tmp_path) as address:
        panel = opened(page, address)
        cells = panel.locator(".jp-CodeCell")
        for n in range(3):
            image = cells.nth(n).locator(".jp-RenderedImage img")
            expect(image).to_be_visible()
            assert image.evaluate("image => image.naturalWidth") > 400
        page.screenshot(path=tmp_path / "seen.png")
        page.goto("about:blank")
