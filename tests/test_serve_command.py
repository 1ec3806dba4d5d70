"""`asgi-lab serve`: our own server, as a user starts it."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asgi_lab.server.reload import changes
from tests.command import Command, run, wait_gone

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


@contextmanager
def reloading(apps: Path, *arguments: str) -> Iterator[Command]:
    """The command with --reload; should a test fail, its server is killed as well."""
    with Command("serve", *arguments, "--port", "0", "--reload", cwd=apps) as command:
        try:
            yield command
        finally:
            if command.process.poll() is None:
                command.signal(signal.SIGKILL, group=True)


def fetch(url: str, path: str = "/x") -> bytes:
    with urllib.request.urlopen(url + path, timeout=20) as response:
        return bytes(response.read())


@pytest.mark.parametrize(("name", "answer"), [("main", b"/x"), ("old", b"hi")])
def test_a_change_is_served_and_a_broken_one_waited_out(
    apps: Path, name: str, answer: bytes
) -> None:
    file = apps / f"{name}.py"
    good = file.read_text()
    with reloading(apps, f"{name}:app") as command:
        url = command.wait_for(r"http://127\.0\.0\.1:\d+").group()
        assert fetch(url) == answer
        file.write_text("def (\n" + good)
        command.wait_for("SyntaxError")
        command.wait_for("the server has ended: waiting for the next change")
        waiting = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
        waiting.request("GET", "/x")  # nobody is turned away meanwhile
        file.write_text(good.replace('scope["path"].encode()', 'b"new"').replace("hi", "ho"))
        assert waiting.getresponse().read() == (b"new" if name == "main" else b"ho")
        waiting.close()
        assert command.stderr.count("SyntaxError") == 1
        command.signal(signal.SIGINT, group=True)
        assert command.finish() == 0, command.stderr
    assert "Traceback" not in command.stderr
    assert ("shut down" in command.stdout) == (name == "main")


def test_a_held_loop_and_an_open_stream_do_not_keep_the_old_code(apps: Path) -> None:
    held = ASGI.replace(
        "FAILS = False",
        """
import os, time
FAILS, plain = False, app

async def app(scope, receive, send):
    if scope["type"] == "http" and scope["path"] == "/held":
        print("held", os.getpid(), flush=True)
        time.sleep(1000)
    await plain(scope, receive, send)
""",
    )
    (apps / "main.py").write_text(held)
    with reloading(apps, "main:app", "--shutdown-seconds", "0") as command:
        url = command.wait_for(r"http://127\.0\.0\.1:\d+").group()
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
            client.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
            old = int(command.wait_for(r"held (\d+)")[1])
            (apps / "main.py").write_text(ASGI)
            command.wait_for("the server did not end within 5 s: killed")
            assert fetch(url) == b"/x"
        command.signal(signal.SIGTERM)  # as a supervisor of the supervisor would
        assert command.finish() == 0, command.stderr
    wait_gone([old])


@pytest.mark.parametrize("installed", [True, False], ids=["watchfiles", "looking ourselves"])
def test_which_changes_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr("asgi_lab.server.reload.find_spec", lambda name: installed)
    monkeypatch.chdir(tmp_path)
    for folder in ("shop", ".venv/lib", "node_modules"):
        (tmp_path / folder).mkdir(parents=True)
    ended = threading.Event()
    watched = changes(["."], ended)
    assert next(watched) == []
    (tmp_path / "notes.txt").write_text("no code")
    (tmp_path / "node_modules/a.py").write_text("not ours")
    (tmp_path / ".venv/lib/a.py").write_text("not ours")
    (tmp_path / "shop/views.py").write_text("ours")
    assert next(found for found in watched if found) == ["shop/views.py"]
    (tmp_path / "shop/views.py").unlink()
    assert next(found for found in watched if found) == ["shop/views.py"]
    ended.set()
    assert list(watched) == []


def test_what_cannot_be_served_anew(apps: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        wrong = {
            ("--port", port): "cannot listen on 127.0.0.1: ",
            ("--uds", "s"): "--reload goes with a port, not with --uds",
            ("--app-dir", "nowhere"): "no such folder: nowhere",
        }
        for arguments, message in wrong.items():
            command = run("serve", "main:app", "--reload", *arguments, cwd=apps)
            assert command.process.returncode == 2, command.stderr
            assert message in command.stderr
            assert "Traceback" not in command.stderr


def test_an_open_socket_is_served(apps: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        number = listener.fileno()
        arguments = ["-m", "asgi_lab", "serve", "main:app", "--fd", str(number)]
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=apps,
            pass_fds=[number],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert fetch(url) == b"/x"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
    assert f"listening on {url}" in said


def test_a_socket_that_is_not_open(apps: Path) -> None:
    command = run("serve", "main:app", "--fd", "99", cwd=apps)
    assert command.process.returncode == 2
    assert "cannot listen on socket 99: Bad file descriptor" in command.stderr
