"""`python -m asgi_lab.server`: a process that serves, says why it cannot, and ends well."""

import http.client
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

APP = """
import asyncio
from contextlib import asynccontextmanager

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        print(await receive(), flush=True)
        await send({"type": "lifespan.startup.complete"})
        print(await receive(), flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"].endswith("/slow"):
        print("slow", flush=True)
        await asyncio.sleep(0.5)
    if scope["path"].endswith("/forever"):
        print("forever", flush=True)
        await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": scope["root_path"].encode()})

async def failing(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})

class inner:
    app = app

text = "no app"
"""


@contextmanager
def command(tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "main.py").write_text(APP)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "asgi_lab.server", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(stream: Any, pattern: str) -> str:
    for line in stream:
        if found := re.search(pattern, line):
            return found[1] if found.groups() else found[0]
    raise AssertionError(f"the process ended without saying {pattern}")


def fetch(port: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    connection.request("GET", path)
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serving_until_a_signal(tmp_path: Path, loop: str, number: int) -> None:
    arguments = ("main:inner.app", "--port", "0", "--loop", loop, "--root-path", "/api")
    with command(tmp_path, *arguments) as process:
        port = wait_for(process.stderr, r"listening on http://127.0.0.1:(\d+)")
        assert fetch(port, "/") == (200, b"/api")
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
        connection.request("GET", "/slow")
        wait_for(process.stdout, "slow")
        process.send_signal(number)
        assert connection.getresponse().read() == b"/api"
        connection.close()
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "lifespan.shutdown" in out


def test_a_second_signal_waits_for_nothing(tmp_path: Path) -> None:
    with command(tmp_path, "main:app", "--port", "0", "--shutdown-seconds", "1000") as process:
        port = wait_for(process.stderr, r"listening on http://127.0.0.1:(\d+)")
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as client:
            client.sendall(b"GET /forever HTTP/1.1\r\nhost: x\r\n\r\n")
            wait_for(process.stdout, "forever")
            process.send_signal(signal.SIGTERM)
            wait_for(process.stderr, "ending")
            process.send_signal(signal.SIGTERM)
            _, error = process.communicate(timeout=20)
            assert process.returncode == 0
            assert "Traceback" not in error


def test_ctrl_c_that_a_supervisor_passes_on_is_one_wish(tmp_path: Path) -> None:
    with command(tmp_path, "main:app", "--port", "0", "--root-path", "/api") as process:
        port = wait_for(process.stderr, r"listening on http://127.0.0.1:(\d+)")
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
        connection.request("GET", "/slow")
        wait_for(process.stdout, "slow")
        process.send_signal(signal.SIGINT)
        wait_for(process.stderr, "ending")
        process.send_signal(signal.SIGTERM)
        assert connection.getresponse().read() == b"/api"
        connection.close()
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a_unix_socket_and_quiet(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with command(tmp_path, "main:app", "--uds", path, "--log-level", "warning") as process:
        wait_for(process.stdout, "lifespan.startup")
        with socket.socket(socket.AF_UNIX) as client:
            while True:
                try:
                    client.connect(path)
                    break
                except OSError:
                    continue
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=20)
        assert (process.returncode, error) == (0, "")
    assert not Path(path).exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["main"], 2, "expected MODULE:APP, as in main:app, got 'main'"),
        (["mian:app"], 2, "no module named 'mian' in ."),
        (["main:missing"], 2, "main has no attribute 'missing'"),
        (["main:text"], 2, "main:text is no app: str is not callable"),
        (["broken:app"], 2, "cannot import broken:\nTraceback (most recent call last):\n  File"),
        (["main:failing"], 1, "the app did not start: no database"),
        (["main:app", "--host", "256.0.0.1"], 2, "cannot serve: "),
        (["main:app", "--trust", "nonsense"], 2, "cannot serve: 'nonsense' does not appear to be"),
        (["main:app", "--certificate", "none.pem"], 2, "cannot serve: "),
    ],
)
def test_what_cannot_be_served(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with command(tmp_path, "--port", "0", *arguments) as process:
        _, error = process.communicate(timeout=20)
        assert said in error
        assert "Usage:" not in error
        assert process.returncode == code


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with command(tmp_path, "main:app", "--port", port) as process:
            _, error = process.communicate(timeout=20)
            assert "in use" in error
            assert process.returncode == 2
