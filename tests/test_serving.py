"""`serve_here`: a server beside the notebook; on a hub, its link leads through the proxy."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asgi_lab.adapters.process import free_port
from asgi_lab.lesson import expect, serve_here
from asgi_lab.lesson.serving import Served
from tests.command import PATIENCE, knocks


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError
    told = {"path": scope["path"], "query": scope["query_string"].decode()}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


def wsgi(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps({"path": environ["PATH_INFO"], "query": environ["QUERY_STRING"]}).encode()]


def ask(url: str, **headers: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return json.load(answer)


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTERHUB_SERVICE_PREFIX", "ASGI_LAB_PROXY", "ASGI_LAB_STATIC"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("server", ["lab", "uvicorn"])
def test_it_serves_until_it_is_stopped(server: str) -> None:
    served = serve_here(app, server=server)
    assert str(served) == f"serving at http://127.0.0.1:{served.port}/"
    assert ask(f"{served.url}/hello?x=1") == {"path": "/hello", "query": "x=1"}
    expect(served.trace, path="/hello").sends("http.response.start", status=200).once()
    served.stop()
    with pytest.raises(urllib.error.URLError):
        ask(f"{served.url}/again")
    served.stop()
    assert str(served) == "stopped"


def test_a_wsgi_app_is_served_too() -> None:
    with serve_here(wsgi) as served:
        assert ask(f"{served.url}/hello?x=1") == {"path": "/hello", "query": "x=1"}
        assert any(event.kind == "scope" for event in served.trace)


def test_it_answers_while_a_cell_is_busy() -> None:
    """It has a loop of its own: that of the notebook may be held."""
    with serve_here(app) as served:

        async def cell() -> Any:
            return ask(f"{served.url}/")  # blocks this loop until it is answered

        assert asyncio.run(cell())["path"] == "/"


def test_a_fixed_port_is_free_again_afterwards() -> None:
    port = free_port("127.0.0.1", 0)
    for _ in range(2):
        with serve_here(app, port=port) as served:
            assert served.port == port
            with pytest.raises(OSError):
                serve_here(app, port=port)


async def broken(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})


@pytest.mark.parametrize("server", ["lab", "uvicorn"])
def test_an_app_that_does_not_start_is_told(server: str) -> None:
    with pytest.raises(Exception, match=r"lifespan failed|no database"):
        serve_here(broken, server=server)


def test_what_is_no_app_or_no_server_is_told() -> None:
    with pytest.raises(TypeError, match="expected an ASGI or WSGI app, got int"):
        serve_here(3)
    with pytest.raises(ValueError, match="server is one of lab, uvicorn, got 'apache'"):
        serve_here(app, server="apache")


def test_a_notebook_shows_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(None, 4321, lambda: None)
    data, _ = served._repr_mimebundle_()
    assert 'href="http://127.0.0.1:4321/"' in data["text/html"]
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert served.link == "/user/ada/proxy/4321/"
    monkeypatch.setenv("ASGI_LAB_PROXY", "https://here.example/{port}/")
    assert served.link == "https://here.example/4321/"
    monkeypatch.setenv("ASGI_LAB_STATIC", "1")
    data, _ = served._repr_mimebundle_()
    assert data == {"text/plain": "serving at http://127.0.0.1:PORT/"}, "the same on each machine"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """A Jupyter server as a hub starts it for a learner; yields its address, with a token."""
    pytest.importorskip("jupyter_server_proxy", reason="jupyter-server-proxy is not installed")
    port, log = free_port("127.0.0.1", 0), tmp_path / "log"
    command = [
        *(sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=secret", "--ServerApp.base_url=/user/ada/"),
        f"--ServerApp.root_dir={tmp_path}",
    ]
    kept = {f"JUPYTER_{n}": str(tmp_path / n) for n in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")}
    with log.open("w") as file:
        server = subprocess.Popen(command, env={**os.environ, **kept}, stdout=file, stderr=file)
        try:
            base = f"http://127.0.0.1:{port}"
            for _ in knocks(PATIENCE):
                assert server.poll() is None, log.read_text()
                try:
                    ask(f"{base}/user/ada/api/status?token=secret")
                    break
                except urllib.error.URLError:
                    continue
            yield base
        finally:
            server.terminate()
            server.wait(20)


def test_the_link_on_a_hub_leads_there(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    with serve_here(app) as served:
        address = f"{hub}{served.link}hello?x=1"
        assert ask(address, Authorization="token secret") == {"path": "/hello", "query": "x=1"}
        with urllib.request.urlopen(address) as stranger:
            assert "/user/ada/login" in stranger.url
        assert len(served.trace.filter("kind=scope path=/hello")) == 1


def test_a_stream_that_is_open_does_not_hold_up_the_end() -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.Event().wait()

    served = serve_here(endless)
    with urllib.request.urlopen(served.url) as answer:
        assert answer.read(1) == b"x"
        begun = time.monotonic()
        served.stop()
        assert time.monotonic() - begun < PATIENCE
