"""Every server that is supported, with real requests: what each passes on is recorded, and kept."""

import asyncio
import contextlib
import http.client
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from command import Command, events_of, requests_of, run, run_trace, wait_gone

from asgi_lab.adapters.servers import SERVERS, Options, ServerError
from asgi_lab.client import Result, drive, parse_request

ASGI = """
import os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": message["type"] + ".complete"})
    elif scope["type"] == "websocket":
        await echo(receive, send)
    else:
        await respond(scope["path"], receive, send)

async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})

async def respond(path, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    if path == "/boom":
        raise RuntimeError("boom")
    status = 404 if path == "/missing" else 200
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if path == "/stream":
        for part in (b"one ", b"two ", b"three"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
    text = {"/upload": str(size), "/stream": "", "/pid": str(os.getpid())}.get(path, path)
    await send({"type": "http.response.body", "body": text.encode()})
"""

WSGI = """
def application(environ, start_response):
    path = environ["PATH_INFO"]
    known = map(int, filter(None, [environ.get("CONTENT_LENGTH")]))
    size = len(environ["wsgi.input"].read(*known)) if path == "/upload" else 0
    if path == "/boom":
        raise RuntimeError("boom")
    status = "404 Not Found" if path == "/missing" else "200 OK"
    start_response(status, [("Content-Type", "text/plain")])
    if path == "/stream":
        return iter([b"one ", b"two ", b"three"])
    return [(str(size) if path == "/upload" else path).encode()]
"""

ON_ASGI = {
    "uvicorn-h11-asyncio": ["--http", "h11", "--loop", "asyncio"],
    "uvicorn-httptools-uvloop": ["--http", "httptools", "--loop", "uvloop"],
    "hypercorn": ["--server", "hypercorn"],
    "hypercorn-uvloop": ["--server", "hypercorn", "--loop", "uvloop"],
    "daphne": ["--server", "daphne"],
    "granian": ["--server", "granian"],
    "gunicorn-asgi": ["--server", "gunicorn"],
    "lab": ["--server", "lab"],
    "lab-uvloop": ["--server", "lab", "--loop", "uvloop"],
}
ON_WSGI = {
    "gunicorn": [],
    "granian-wsgi": ["--server", "granian"],
    "lab-wsgi": ["--server", "lab"],
}
REQUESTS = [
    ("/hello", 200, b"/hello"),
    ("/upload", 200, b"100000"),
    ("/stream", 200, b"one two three"),
    ("/missing", 404, b"/missing"),
    ("/boom", 500, None),
]


def each(arguments: dict[str, list[str]]) -> Any:
    return pytest.mark.parametrize("arguments", arguments.values(), ids=arguments.keys())


def send(url: str, path: str) -> tuple[int, bytes]:
    """Send a request; a chunked upload does not say beforehand how long it is."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        if path == "/upload":
            parts = [b"x" * 50_000] * 2
            connection.request("POST", path, body=iter(parts))
        else:
            connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def speak(url: str, text: str) -> Result:
    results: list[Result] = []
    request = parse_request(f"WS /echo {text}")
    asyncio.run(drive(url, [request], quiet=0.2, on_result=results.append))
    return results[0]


def serve(tmp_path: Path, target: str, arguments: list[str], websocket: bool) -> dict[str, Any]:
    """Trace all requests; return the report, having seen that the file says the same."""
    more = ["--port", "0", "--format", "json", "--record", "kept.jsonl"]
    with Command("trace", target, *arguments, *more, cwd=tmp_path) as command:
        url = command.url
        for path, status, body in REQUESTS:
            answer = send(url, path)
            assert answer[0] == status
            assert body in (None, answer[1])
        if websocket:
            assert speak(url, "hello").messages == ("HELLO",)
        command.signal(signal.SIGINT)
        assert command.finish() == 0, command.stderr
    report: dict[str, Any] = json.loads(command.stdout)
    wait_gone({c["pid"] for c in report["connections"]})
    shown = json.loads(run("show", "kept.jsonl", "--format", "json", cwd=tmp_path).stdout)
    for part in ("summary", "connections", "events", "dropped"):
        assert shown[part] == report[part]
    assert "RuntimeError: boom" in command.stderr
    return report


@each(ON_ASGI)
def test_asgi(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "main.py").write_text(ASGI)
    report = serve(tmp_path, "main:app", arguments, websocket=True)
    assert requests_of(report) == [
        ("/hello", 200, "returned"),
        ("/upload", 200, "returned"),
        ("/stream", 200, "returned"),
        ("/missing", 404, "returned"),
        ("/boom", None, "raised"),
        ("/echo", 101, "returned"),
    ]
    received = [e["data"] for e in events_of(report, "/upload") if e["kind"] == "received"]
    assert sum(d.get("length", len(d.get("body", ""))) for d in received) == 100_000
    sent = [e["data"].get("body") for e in events_of(report, "/stream") if e["kind"] == "send"]
    assert sent == [None, "one ", "two ", "three", ""]
    name = arguments[1] if "--server" in arguments else "uvicorn"
    assert report["header"]["server"].split()[0] == name
    lifespans = [c["outcome"] for c in report["connections"] if c["type"] == "lifespan"]
    assert lifespans == ([] if "daphne" in arguments else ["returned"])


@each(ON_WSGI)
def test_wsgi(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "main.py").write_text(WSGI)
    report = serve(tmp_path, "main", arguments, websocket=False)
    assert requests_of(report) == [
        ("/hello", 200, "returned"),
        ("/upload", 200, "returned"),
        ("/stream", 200, "returned"),
        ("/missing", 404, "returned"),
        ("/boom", None, "raised"),
    ]
    assert {c["type"] for c in report["connections"]} == {"wsgi"}
    sent = [e["data"].get("body") for e in events_of(report, "/stream") if e["kind"] == "send"]
    assert sent == [None, "one ", "two ", "three"]


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "granian", "gunicorn"])
def test_workers(tmp_path: Path, server: str) -> None:
    """Ask until both workers have answered; each answers in its turn, or by chance."""
    (tmp_path / "main.py").write_text(ASGI)
    arguments = ["--server", server, "--workers", 2, "--port", 0, "--format", "json"]
    with Command("trace", "main:app", *arguments, "--record", "w.jsonl", cwd=tmp_path) as command:
        url, pids, asked = command.url, set[int](), 0
        while len(pids) < 2:
            assert asked < 2000, "one worker answers all"
            pids |= set(ask_at_once(url, 8))
            asked += 8
        command.signal(signal.SIGINT)
        assert command.finish() == 0, command.stderr
    report = json.loads(command.stdout)
    connections = report["connections"]
    assert {c["pid"] for c in connections} >= pids
    assert len({c["conn"] for c in connections}) == len(connections)
    assert report["summary"]["requests"] == asked
    assert [e["t"] for e in report["events"]] == sorted(e["t"] for e in report["events"])
    assert min(e["t"] for e in report["events"]) >= 0
    wait_gone({c["pid"] for c in connections})
    shown = json.loads(run("show", "w.jsonl", "--format", "json", cwd=tmp_path).stdout)
    assert shown["connections"] == connections
    table = run("show", "w.jsonl", "--view", "events", cwd=tmp_path).stdout
    assert all(str(pid) in table for pid in pids)


def ask_at_once(url: str, count: int) -> list[int]:
    """Open connections, then ask on each: a worker that is busy leaves some to the other."""
    address = url.removeprefix("http://")
    with contextlib.ExitStack() as stack:
        connections = [http.client.HTTPConnection(address, timeout=20) for _ in range(count)]
        for connection in connections:
            stack.callback(connection.close)
            connection.request("GET", "/pid")
        return [int(connection.getresponse().read()) for connection in connections]


@pytest.mark.parametrize("server", ["uvicorn", "lab"])
def test_reload(tmp_path: Path, server: str) -> None:
    """A change restarts the server; one that cannot be imported is told, and mended by the next."""
    main = tmp_path / "main.py"
    main.write_text(ASGI)
    arguments = ["--server", server, "--reload", "--port", "0", "--format", "json"]
    with Command("trace", "main:app", *arguments, cwd=tmp_path) as command:
        url = command.url
        first = int(send(url, "/pid")[1])
        broken = "import nothing_of_the_kind\n" + ASGI
        failed = "asgi-lab: main failed while it was imported"
        main.write_text(broken)
        command.wait_for(failed)
        command.wait_for("No module named 'nothing_of_the_kind'")
        mended = ASGI + "\nprint('mended')\n"
        main.write_text(mended)
        command.wait_for("^mended")
        second = int(send(url, "/pid")[1])
        command.signal(signal.SIGINT)
        assert command.finish() == 0, command.stderr
    report = json.loads(command.stdout)
    assert first != second
    assert [c["pid"] for c in report["connections"] if c["path"]] == [first, second]
    wait_gone([first, second])


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("main:app", ["--server", "lab", "--workers", "2"], "lab serves an ASGI app in one proc"),
        ("old", ["--server", "lab", "--loop", "uvloop"], "a WSGI app has no event loop"),
        ("old", ["--server", "lab", "--reload"], "lab traces a WSGI app as it is: leave --reload"),
        ("old", ["--server", "uvicorn"], "speaks WSGI, and uvicorn serves ASGI: use --server gran"),
        ("main:app", ["--server", "daphne", "--workers", "2"], "daphne has no --workers; uvicorn"),
        ("main:app", ["--server", "hypercorn", "--reload"], "hypercorn has no --reload; uvicorn"),
    ],
)
def test_what_a_server_cannot_do(
    tmp_path: Path, target: str, arguments: list[str], message: str
) -> None:
    (tmp_path / "main.py").write_text(ASGI)
    (tmp_path / "old.py").write_text(WSGI)
    command = run("trace", target, *arguments, "-r", "GET /", cwd=tmp_path)
    assert command.process.returncode == 2
    assert message in command.stderr
    assert command.stdout == ""


@pytest.mark.parametrize("name", [name for name in SERVERS if name != "lab"])
def test_a_missing_server_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("asgi_lab.adapters.servers.find_spec", lambda _: None)
    with pytest.raises(ServerError, match=f"{name} is not installed: pip install {name}"):
        SERVERS[name].check(Options())


def test_wsgi_needs_nothing_installed(tmp_path: Path) -> None:
    """Without Gunicorn, our own server is taken."""
    (tmp_path / "main.py").write_text(WSGI)
    code = "import sys; sys.modules['gunicorn'] = None; from asgi_lab.cli import main; main()"
    report = run_trace("main", "-r", "GET /hello", cwd=tmp_path, start=["-c", code])
    assert report["header"]["server"] == "lab"
    assert requests_of(report) == [("/hello", 200, "returned")]
