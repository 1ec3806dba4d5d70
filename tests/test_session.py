"""How a run ends: by Ctrl-C and other signals, by a server that dies, by a disk that is full."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from command import PATIENCE, Command, knocks, requests_of, run, wait_gone

from asgi_lab.adapters.order import Order
from asgi_lab.adapters.servers import Options
from asgi_lab.adapters.session import Session
from asgi_lab.client import parse_request
from asgi_lab.events import Event
from asgi_lab.files import read_trace

APP = """
import asyncio, os, signal

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    path = scope["path"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if path == "/slow":
        print("slow has begun", flush=True)
        await asyncio.sleep(1)
    if path == "/endless":
        while True:
            await send({"type": "http.response.body", "body": b"data: x\\n\\n", "more_body": True})
            await asyncio.sleep(0.01)
    if path == "/kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/leave":
        os._exit(7)
    body = f"{os.getpid()} {os.getpgid(0)}".encode()
    await send({"type": "http.response.body", "body": body})

async def lifespan(receive, send):
    while True:
        message = await receive()
        if os.environ.get("FAILS") and message["type"] == "lifespan.startup":
            if os.environ["FAILS"] == "politely":
                text = "no database"
                await send({"type": "lifespan.startup.failed", "message": text})
                return
            raise RuntimeError("no database")
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
"""

SERVERS = ["uvicorn", "hypercorn", "granian", "gunicorn"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APP)
    return tmp_path


def get(url: str, path: str = "/") -> list[int]:
    """The pids that the app answers with: its process, and the server's first."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return [int(pid) for pid in connection.getresponse().read().split()]


@contextlib.contextmanager
def streaming(url: str) -> Iterator[socket.socket]:
    """An endless stream, of which the first part has come."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        sock.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"data: x" not in sock.recv(1000):
            pass
        yield sock


def serve(here: Path, *options: object, **env: str) -> Command:
    arguments = ["--port", 0, "--format", "json", "--record", "kept.jsonl", *options]
    return Command("trace", "main:app", *arguments, cwd=here, **env)


def assert_kept(here: Path, command: Command) -> list[tuple[str, int | None, str]]:
    """See that what was shown is what was kept; return the requests."""
    report = json.loads(command.stdout)
    shown = json.loads(run("show", "kept.jsonl", "--format", "json", cwd=here).stdout)
    assert shown["connections"] == report["connections"]
    assert shown["events"] == report["events"]
    assert "the trace is in kept.jsonl; to see it again: asgi-lab show kept.jsonl" in command.stderr
    return requests_of(report)


def wait_for_text(path: Path, text: str) -> None:
    """Wait until a text is in a file that another process writes."""
    for _ in knocks(PATIENCE):
        if path.exists() and text in path.read_text():
            return
    raise AssertionError(f"{path} never held {text}")


@pytest.mark.parametrize("group", [False, True], ids=["command", "group"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_serving(here: Path, number: signal.Signals, group: bool) -> None:
    with serve(here) as command:
        pids = get(command.url)
        command.signal(number, group=group)
        assert command.finish() == 0, command.stderr
    assert assert_kept(here, command) == [("/", 200, "returned")]
    assert json.loads(command.stdout)["summary"]["lifespan"]["shutdown"] == "ok"
    wait_gone(pids)


@pytest.mark.parametrize("server", SERVERS)
def test_ctrl_c_with_workers(here: Path, server: str) -> None:
    with serve(here, "--server", server, "--workers", 2) as command:
        pids = get(command.url)
        command.signal(signal.SIGINT)
        assert command.finish() == 0, command.stderr
    assert assert_kept(here, command) == [("/", 200, "returned")]
    wait_gone(pids)


def test_ctrl_c_during_a_request_lets_it_finish(here: Path) -> None:
    with serve(here) as command, socket.socket() as sock:
        host, _, port = command.url.removeprefix("http://").partition(":")
        sock.connect((host, int(port)))
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        command.wait_for("slow has begun")
        command.signal(signal.SIGINT)
        assert command.finish() == 0, command.stderr
        assert b"200 OK" in sock.recv(1000)
    assert assert_kept(here, command) == [("/slow", 200, "returned")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_driving(here: Path, number: signal.Signals, code: int) -> None:
    with serve(here, "-r", "GET /", "-r", "GET /endless") as command:
        command.wait_for("asgi-lab traces")
        wait_for_text(here / "kept.jsonl", "/endless")
        command.signal(number)
        assert command.finish() == code, command.stderr
    assert assert_kept(here, command)[:1] == [("/", 200, "returned")]


@pytest.mark.parametrize("server", SERVERS)
def test_ctrl_c_twice_ends_an_endless_stream(here: Path, server: str) -> None:
    with serve(here, "--server", server) as command:
        url = command.url
        pids = get(url)
        with streaming(url):
            command.signal(signal.SIGINT)
            command.wait_for("waiting for open requests to end; Ctrl-C ends them now")
            command.signal(signal.SIGINT)
            assert command.finish() == 0, command.stderr
    requests = assert_kept(here, command)
    assert [path for path, _, _ in requests] == ["/", "/endless"]
    wait_gone(pids)


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_a_killed_command_leaves_no_server(here: Path, server: str) -> None:
    with serve(here, "--server", server, "--workers", 2) as command:
        pids = get(command.url)
        wait_for_text(here / "kept.jsonl", '"return"')
        command.signal(signal.SIGKILL)
        wait_gone(pids)
    shown = run("show", "kept.jsonl", "--format", "json", cwd=here)
    assert shown.process.returncode == 0
    assert requests_of(json.loads(shown.stdout)) == [("/", 200, "returned")]


def test_ctrl_c_while_the_app_is_imported(tmp_path: Path) -> None:
    """An import that never ends can be left, and leaves nothing behind."""
    source = "import os, threading\nprint('pid', os.getpid(), flush=True)\n"
    (tmp_path / "main.py").write_text(source + "threading.Event().wait()\n")
    with serve(tmp_path) as command:
        pid = int(command.wait_for(r"^pid (\d+)")[1])
        command.signal(signal.SIGINT)
        assert command.finish() == 0, command.stderr
    wait_gone([pid])
    assert not (tmp_path / "kept.jsonl").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::1", "localhost"])
def test_hosts(here: Path, host: str) -> None:
    with serve(here, "-r", "GET /", "--host", host) as command:
        assert command.finish() == 0, command.stderr
    assert assert_kept(here, command) == [("/", 200, "returned")]


def test_a_killed_server_is_told(here: Path) -> None:
    with serve(here) as command:
        url = command.url
        process, first = get(url)
        wait_for_text(here / "kept.jsonl", '"return"')
        os.kill(first, signal.SIGKILL)
        assert command.finish() == 1
        wait_gone([process])
    assert assert_kept(here, command) == [("/", 200, "returned")]
    assert command.stderr.endswith("uvicorn was killed by signal 9; what it said is above\n")


def test_a_server_that_dies_while_driving(here: Path) -> None:
    """What was recorded in its last tenth of a second is lost with it."""
    requests = ["-r", "GET /slow", "-r", "GET /leave", "-r", "GET /never", "-n", 1000]
    with serve(here, *requests) as command:
        assert command.finish() == 1
    assert [path for path, _, _ in assert_kept(here, command)][:1] == ["/slow"]
    assert "asgi-lab: 1 × GET /leave: " in command.stderr
    assert command.stderr.endswith("uvicorn ended with code 7; what it said is above\n")


@pytest.mark.parametrize("server", SERVERS)
def test_a_startup_that_fails(here: Path, server: str) -> None:
    with serve(here, "-r", "GET /", "--server", server, FAILS="politely") as command:
        assert command.finish() == 1
    assert assert_kept(here, command) == []
    lifespan = json.loads(command.stdout)["summary"]["lifespan"]
    assert (lifespan["startup"], lifespan["message"]) == ("failed", "no database")
    assert "no database" in command.stderr.partition("the trace is in")[0]
    assert re.search(
        rf"asgi-lab: {server} ended with code \d; what it said is above$", command.stderr
    )


def test_a_startup_that_raises(here: Path) -> None:
    """Servers take it for an app without lifespan, as the spec says; unless told otherwise."""
    with serve(here, "-r", "GET /", FAILS="by raising") as command:
        assert command.finish() == 0
    assert assert_kept(here, command) == [("/", 200, "returned")]
    assert json.loads(command.stdout)["summary"]["lifespan"]["startup"] == "unsupported"
    with serve(here, "-r", "GET /", "--", "--lifespan", "on", FAILS="by raising") as command:
        assert command.finish() == 1
    assert "RuntimeError: no database\n" in command.stderr
    assert '    raise RuntimeError("no database")\n' in command.stderr
    assert command.stderr.endswith("uvicorn ended with code 3; what it said is above\n")
    assert assert_kept(here, command) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk(here: Path) -> None:
    options = ["-r", "GET /", "-n", 50, "--record", "/dev/full"]
    command = run("trace", "main:app", *options, cwd=here)
    assert command.process.returncode == 0
    warning = "asgi-lab: cannot write /dev/full: No space left on device; tracing goes on in memory"
    assert command.stderr.splitlines() == [warning]
    assert "50 requests in" in command.stdout


def test_a_disk_that_fills_up(here: Path) -> None:
    """What was written until then can be shown; what is missing is said."""
    options = "-r 'GET /' -n 500 --record kept.jsonl"
    command = Command(
        "-c",
        f"ulimit -f 16; exec {sys.executable} -m asgi_lab trace main:app {options}",
        cwd=here,
        program="bash",
        start=(),
    )
    assert command.finish() == 0
    warning = "asgi-lab: cannot write kept.jsonl: File too large; tracing goes on in memory"
    assert command.stderr.splitlines() == [warning]
    assert "500 requests in" in command.stdout
    shown = run("show", "kept.jsonl", "--format", "json", cwd=here)
    assert shown.process.returncode == 0
    assert "kept.jsonl ends in the middle of a line" in shown.stderr
    assert 0 < len(requests_of(json.loads(shown.stdout))) < 500


class Faulty:
    """A watcher that cannot show anything."""

    layers = True

    def __init__(self) -> None:
        self.lines: list[str] = []

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        raise RuntimeError("the screen is broken")

    def log(self, line: str) -> None:
        self.lines.append(line)


def test_a_faulty_watcher_disturbs_nothing(here: Path) -> None:
    watcher = Faulty()
    order = Order(
        "main:app", app_dir=str(here), options=Options(port=0), record=here / "kept.jsonl"
    )
    with Session(order, watcher) as session:
        session.drive([parse_request("GET /")], count=20, concurrency=2)
    assert watcher.lines == ["asgi-lab: the screen is broken; tracing goes on in memory"]
    assert session.errors == {}
    kept = read_trace(here / "kept.jsonl")
    assert kept.events == session.trace.events
    assert sum(event.kind == "scope" and not event.layer for event in kept) == 21
