"""`asgi-lab serve`: our own server, as a user starts it."""

import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.command import Command, run

ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        if FAILS:
            return await send({"type": "lifespan.startup.failed", "message": "no database"})
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("shut down", flush=True)
        return await send({"type": "lifespan.shutdown.complete"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})

FAILS = False
"""
WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"hi"]
"""


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(ASGI)
    (tmp_path / "old.py").write_text(WSGI)
    (tmp_path / "down.py").write_text(ASGI.replace("FAILS = False", "FAILS = True"))
    return tmp_path


@pytest.mark.parametrize(
    ("target", "options", "answer"),
    [
        ("main:app", (), b"/x"),
        ("main.py", ("--loop", "uvloop"), b"/x"),
        ("old", (), b"hi"),
        ("old:app", ("--workers", "2", "--threads", "2"), b"hi"),
    ],
)
def test_it_serves_until_it_is_interrupted(
    apps: Path, target: str, options: tuple[str, ...], answer: bytes
) -> None:
    with Command("serve", target, "--port", "0", *options, cwd=apps) as command:
        url = command.wait_for(r"http://127\.0\.0\.1:\d+").group()
        with urllib.request.urlopen(f"{url}/x") as response:
            assert response.read() == answer
        command.signal(signal.SIGINT)
        assert command.finish() == 0, command.stderr
    assert ("shut down" in command.stdout) == target.startswith("main")
    assert "Traceback" not in command.stderr


def test_an_app_that_does_not_start(apps: Path) -> None:
    command = run("serve", "down:app", "--port", "0", cwd=apps)
    assert command.process.returncode == 1
    assert "the app did not start: no database" in command.stderr
    assert "Traceback" not in command.stderr


def test_what_it_cannot_do(apps: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        wrong = {
            ("main:app", "--port", port): "cannot listen on 127.0.0.1: ",
            ("main:app", "--workers", "2"): "the app speaks ASGI: --workers is for a WSGI app",
            ("old:app", "--loop", "uvloop"): "the app speaks WSGI: --loop is for an ASGI app",
            ("nowhere:app",): "no module named 'nowhere'",
            ("main:ap",): "main has no attribute 'ap'",
        }
        for arguments, message in wrong.items():
            command = run("serve", *arguments, cwd=apps)
            assert command.process.returncode == 2, command.stderr
            assert message in command.stderr
            assert "Traceback" not in command.stderr
