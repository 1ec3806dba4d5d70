"""Servers started by their own commands, traced: from the start, or while they run."""

import http.client
import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from asgi_lab.files import read_trace
from tests.command import PATIENCE, Command, knocks

ASGI = """
import time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/slow":
        time.sleep(0.5)
    body = b"12345" if scope["path"] != "/wrong" else b"123456"
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""

WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("content-length", "5")])
    return [b"12345"]
"""

SERVERS = {
    "uvicorn": "uvicorn shop:app --port {port}",
    "uvicorn, two workers": "uvicorn shop:app --port {port} --workers 2",
    "uvicorn, a factory": "uvicorn shop:make --factory --port {port}",
    "hypercorn": "hypercorn shop:app --bind 127.0.0.1:{port}",
    "daphne": "daphne shop:app --port {port}",
    "granian": "granian shop:app --interface asgi --port {port}",
    "gunicorn, its own ASGI": "gunicorn shop:app --worker-class asgi --bind 127.0.0.1:{port}",
    "gunicorn, WSGI": "gunicorn wsgi_shop:app --bind 127.0.0.1:{port}",
    "gunicorn, loaded before it forks": "gunicorn wsgi_shop:app --preload --bind 127.0.0.1:{port}",
}

ATTACHED = ["uvicorn", "uvicorn, two workers", "hypercorn", "daphne", "gunicorn, its own ASGI",
            "gunicorn, WSGI"]  # fmt: skip

needs_remote_exec = pytest.mark.skipif(
    not hasattr(sys, "remote_exec"), reason="attaching needs Python 3.14 (sys.remote_exec)"
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(f"{ASGI}\ndef make():\n    return app\n")
    (tmp_path / "wsgi_shop.py").write_text(WSGI)
    return tmp_path


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def serve(name: str, folder: Path, port: int, **env: str) -> Command:
    """Start a server by its own command, and wait until it answers."""
    module, *arguments = SERVERS[name].format(port=port).split()
    server = Command(*arguments, cwd=folder, start=("-m", module), **env)
    for _ in knocks(PATIENCE):
        try:
            ask(port)
            return server
        except OSError:
            if server.process.poll() is not None:
                break
    server.process.kill()
    raise AssertionError(f"{name} does not serve: {server.finish()} {server.stderr}")


def ask(port: int, path: str = "/") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.parametrize("name", SERVERS)
def test_a_variable_lets_an_unchanged_command_trace_what_it_serves(
    shop: Path, port: int, name: str
) -> None:
    with serve(name, shop, port, ASGI_LAB_TRACE="1") as server:
        assert ask(port) == b"12345"
        server.process.send_signal(signal.SIGTERM)
        server.finish()
    assert "] traces what this process serves" in server.stderr
    assert "what was traced:" in server.stderr
    assert "status      2xx × " in server.stderr
    assert "asgi-lab: " not in server.stderr  # no trouble


def test_it_says_what_is_wrong_as_it_happens_and_at_the_end(shop: Path, port: int) -> None:
    with serve("uvicorn", shop, port, ASGI_LAB_TRACE="1") as server:
        ask(port, "/slow")
        with pytest.raises(http.client.HTTPException):
            ask(port, "/wrong")
        server.wait_for("(held the loop|H16 broken)")
        server.wait_for("(held the loop|H16 broken)")
        server.process.send_signal(signal.SIGINT)
        server.finish()
    live, _, end = server.stderr.partition("what was traced:")
    assert re.search("time.sleep held the loop for .*, at shop.py:12 in app", live)
    assert re.search("H16 broken by the app: .*, at shop.py:16 in app", live)
    assert "! LOOP-BLOCKED  Nothing else ran for" in end
    assert "asgi-lab rules H16" in end


def test_a_server_that_sigterm_would_have_killed_is_killed_by_it(shop: Path, port: int) -> None:
    codes = {}
    for value in ("0", "1"):
        with serve("uvicorn", shop, port, ASGI_LAB_TRACE=value) as server:
            server.process.send_signal(signal.SIGTERM)
            codes[value] = server.finish()
    assert codes["1"] == codes["0"]


def test_what_is_traced_can_be_kept(shop: Path, port: int) -> None:
    with serve("uvicorn", shop, port, ASGI_LAB_TRACE="1", ASGI_LAB_RECORD="trace.jsonl") as server:
        ask(port, "/?x=1")
        server.process.send_signal(signal.SIGINT)
        server.finish()
    trace = read_trace(shop / "trace.jsonl")
    assert "/" in [event.data.get("path") for event in trace.filter("kind=scope type=http")]


@pytest.mark.parametrize("value", ["", "0"])
def test_without_the_variable_nothing_is_loaded(shop: Path, value: str) -> None:
    script = "import sys; print(*[name for name in sys.modules if name.startswith('asgi_lab')])"
    with Command(cwd=shop, start=("-c", script), ASGI_LAB_TRACE=value) as python:
        python.finish()
    assert python.stdout.strip() == ""


def test_with_it_a_program_that_serves_nothing_is_left_alone(shop: Path) -> None:
    script = "import sys; print([name for name in sys.modules if name == 'asgi_lab.api'])"
    with Command(cwd=shop, start=("-c", script), ASGI_LAB_TRACE="1") as python:
        python.finish()
    assert (python.stdout, python.stderr) == ("[]\n", "")


@pytest.mark.skipif(hasattr(sys, "remote_exec"), reason="this Python can be attached to")
def test_an_older_python_says_what_to_do_instead(shop: Path) -> None:
    with Command("attach", os.getpid(), cwd=shop) as attach:
        assert attach.finish() == 2
    assert "needs Python 3.14 or newer" in attach.stderr
    assert "ASGI_LAB_TRACE=1" in attach.stderr


@needs_remote_exec
@pytest.mark.parametrize("name", ATTACHED)
def test_attaching_traces_what_comes_and_detaching_leaves_all_as_it_was(
    shop: Path, port: int, name: str
) -> None:
    with serve(name, shop, port) as server:
        with Command("attach", server.process.pid, "--view", "events", cwd=shop) as attach:
            attach.wait_for("asgi-lab is attached to process")
            wsgi = "WSGI" in name
            while not any("→ app GET /" in line for line in attach.stdout.splitlines()):
                assert ask(port) == b"12345"  # workers may be asked in turns
            attach.process.send_signal(signal.SIGINT)
            assert attach.finish() == 0
        assert "2xx × " in attach.stdout
        assert ask(port) == b"12345"
        server.process.send_signal(signal.SIGTERM)
        server.finish()
    assert "asgi-lab" not in server.stdout + server.stderr
    assert wsgi or "→ app GET /" in attach.stdout


@needs_remote_exec
def test_a_command_that_is_killed_leaves_all_as_it_was(shop: Path, port: int) -> None:
    with serve("uvicorn", shop, port) as server:
        with Command("attach", server.process.pid, cwd=shop) as attach:
            attach.wait_for("asgi-lab is attached to process")
            attach.process.kill()
        for _ in range(3):
            assert ask(port) == b"12345"
        with Command("attach", server.process.pid, "-r", "x", cwd=shop) as wrong:
            assert wrong.finish() == 2  # no such option: attaching sends no requests
        server.process.send_signal(signal.SIGINT)
        server.finish()
    assert "Traceback" not in server.stderr


@needs_remote_exec
def test_what_cannot_be_attached_to_is_told_in_one_line(shop: Path) -> None:
    script = "import time\nwhile True: time.sleep(0.1)"
    with Command(cwd=shop, start=("-c", script)) as python:
        with Command("attach", python.process.pid, cwd=shop) as attach:
            assert attach.finish() == 2
        assert "no server was found in it" in attach.stderr
    with Command("attach", 2**22 - 1, cwd=shop) as attach:
        assert attach.finish() == 2
    assert "there is no process" in attach.stderr
