"""The command line as a whole: what goes where, how wide, with what exit code."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from command import PATIENCE, Command, environ, events_of, requests_of, run, run_trace

APP = """
import sys

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": message["type"] + ".complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        if scope["path"] == "/refused":
            await send({"type": "websocket.close", "code": 4001})
            return
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"] * 2})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    print("said on stdout", flush=True)
    print("said on stderr", file=sys.stderr, flush=True)
    headers = dict(scope["headers"])
    if scope["path"] == "/short":
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-length", b"10")]})
        raise RuntimeError("half an answer")
    answer = headers.get(b"content-type", b"") + b"|" + headers.get(b"x-key", b"") + b"|" + body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-answer", answer)]})
    await send({"type": "http.response.body", "body": answer})
"""

ESCAPE = "\x1b"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APP)
    return tmp_path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recorded trace, `kept.jsonl`; nothing is written to it."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "main.py").write_text(APP)
    options = ["-r", "GET /a", "-r", "GET /b", "-r", "WS /c hi", "--record", "kept.jsonl", "-q"]
    assert run("trace", "main:app", *options, cwd=folder).process.returncode == 0
    return folder


def test_help_imports_little(tmp_path: Path) -> None:
    heavy = {"rich", "httpx", "asyncio", "uvicorn", "h11", "wsproto", "concurrent", "ssl", "json"}
    code = "import sys\nfrom asgi_lab.cli import main\nsys.argv = ['asgi-lab', *sys.argv[1:]]\n"
    code += "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)\n"
    for arguments in (["--help"], ["trace", "--help"], ["--version"]):
        command = run(*arguments, cwd=tmp_path, start=["-c", code])
        assert command.process.returncode == 0
        assert not heavy & set(command.stderr.split())


def test_both_ways_to_start_it_are_one(tmp_path: Path) -> None:
    module = run("--help", cwd=tmp_path).stdout
    assert module.startswith("Usage: asgi-lab [OPTIONS] COMMAND [ARGS]...")
    script = Path(sys.executable).with_name("asgi-lab")
    if script.exists():
        found = subprocess.run([script, "--help"], env=environ(), capture_output=True, text=True)
        assert found.stdout == module


def test_drive(here: Path) -> None:
    (here / "body.txt").write_text("from a file")
    requests = ["GET /", 'POST /json {"a": 1}', "POST /text hello", "PUT /file @body.txt"]
    requests += ["WS /chat one | two", "WS /refused hi"]
    options = [option for request in requests for option in ("-r", request)]
    report = run_trace("main:app", *options, "-H", "X-Key: 7", cwd=here)
    assert requests_of(report) == [
        ("/", 200, "returned"),
        ("/json", 200, "returned"),
        ("/text", 200, "returned"),
        ("/file", 200, "returned"),
        ("/chat", 101, "returned"),
        ("/refused", 403, "returned"),
    ]

    def answer(path: str) -> str:
        return next(e["data"]["body"] for e in events_of(report, path) if "body" in e["data"]
                    and e["kind"] == "send")  # fmt: skip

    assert answer("/") == "|7|"
    assert answer("/json") == 'application/json|7|{"a": 1}'
    assert answer("/text").endswith("|7|hello")
    assert answer("/file").endswith("|7|from a file")
    said = [e["data"].get("text") for e in events_of(report, "/chat") if e["kind"] == "send"]
    assert said[:3] == [None, "oneone", "twotwo"]


def test_counts(here: Path) -> None:
    options = ["-r", "GET /a", "-r", "GET /b", "-n", 20, "-c", 5]
    report = run_trace("main:app", *options, cwd=here)
    paths = [path for path, _, _ in requests_of(report)]
    assert (paths.count("/a"), paths.count("/b")) == (20, 20)
    assert report["summary"]["requests"] == 40


def test_a_failure_of_the_client_is_reported(here: Path) -> None:
    command = run("trace", "main:app", "-r", "GET /short", "-n", 3, cwd=here)
    assert command.process.returncode == 0
    assert re.search(r"^asgi-lab: 3 × GET /short: \w+", command.stderr, re.M)
    assert "RuntimeError: half an answer" in command.stdout


def test_json_and_nothing_else(here: Path) -> None:
    command = run("trace", "main:app", "-r", "GET /x", "--format", "json", cwd=here)
    assert requests_of(json.loads(command.stdout)) == [("/x", 200, "returned")]
    assert "said on stdout\n" in command.stderr
    assert "said on stderr\n" in command.stderr
    assert "asgi-lab traces main:app on uvicorn" in command.stderr


def test_quiet(here: Path) -> None:
    command = run("trace", "main:app", "-r", "GET /x", "--quiet", cwd=here)
    assert command.stdout.startswith("1 request in ")
    assert sorted(command.stderr.split("\n")) == ["", "said on stderr", "said on stdout"]


@pytest.mark.parametrize("view", ["timeline", "events", "sequence", "layers", "concurrency"])
def test_every_view_live_and_again(here: Path, view: str) -> None:
    options = ["-r", "GET /x", "--view", view, "--record", "kept.jsonl"]
    command = run("trace", "main:app", *options, cwd=here)
    assert command.process.returncode == 0
    shown = run("show", "kept.jsonl", "--view", view, cwd=here)
    assert shown.process.returncode == 0
    assert shown.stdout.strip() in command.stdout


def test_show_says_what_the_run_said(here: Path) -> None:
    """The summary too, but for what tracing cost, which is only known in the end."""
    options = ["-r", "GET /x", "-n", 5, "--view", "summary", "--record", "kept.jsonl"]
    lines = run("trace", "main:app", *options, cwd=here).stdout.partition("\n\n")[2].splitlines()
    shown = run("show", "kept.jsonl", "--view", "summary", cwd=here).stdout.splitlines()
    without = [line for line in lines if not line.startswith("  tracer")]
    assert [line for line in shown if not line.startswith("  tracer")] == without


def test_filters(here: Path) -> None:
    options = ["-r", "GET /a", "-r", "GET /b", "--filter", "path=/b"]
    assert requests_of(run_trace("main:app", *options, cwd=here)) == [("/b", 200, "returned")]
    events = run("trace", "main:app", *options, "--view", "events", cwd=here).stdout
    assert "/b" in events
    assert "/a" not in events


@pytest.mark.parametrize("columns", [80, 200])
def test_widths(kept: Path, columns: int) -> None:
    for view in ("timeline", "sequence", "layers", "concurrency", "summary"):
        shown = run("show", "kept.jsonl", "--view", view, cwd=kept, COLUMNS=str(columns)).stdout
        assert shown
        assert max(map(len, shown.splitlines())) <= columns
    live = run("trace", "main", "-r", "GET /a", cwd=kept, COLUMNS=str(columns))
    assert live.process.returncode == 0


def test_no_escape_codes_where_there_is_no_terminal(here: Path) -> None:
    command = run("trace", "main", "-r", "GET /x", "--record", "kept.jsonl", cwd=here)
    shown = run("show", "kept.jsonl", cwd=here)
    assert ESCAPE not in command.stdout + command.stderr + shown.stdout


def on_terminal(here: Path, *arguments: str, **env: str) -> str:
    """Run the command on a terminal of its own; return all that came to be seen there."""
    ours, theirs = pty.openpty()
    start = [sys.executable, "-m", "asgi_lab", *arguments]
    process = subprocess.Popen(
        start, cwd=here, env=environ(**env), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 10_000)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    return seen.decode()


def test_on_a_terminal(here: Path) -> None:
    seen = on_terminal(here, "trace", "main", "-r", "GET /x", LINES="40", COLUMNS="100")
    assert ESCAPE in seen
    assert "1 request in" in seen
    plain = on_terminal(here, "trace", "main", "-r", "GET /x", NO_COLOR="1", COLUMNS="100")
    assert ESCAPE not in plain
    assert "1 request in" in plain


@pytest.mark.parametrize(
    "arguments",
    [
        "trace main -r 'GET /x' -n 100000 --view events | head -n 5",
        "trace main -r 'GET /x' -n 100000 2>&1 | head -n 5",
        "show big.jsonl --view events | head -n 5",
        "show big.jsonl --format json | head -c 100",
    ],
)
def test_a_reader_that_has_seen_enough(here: Path, arguments: str) -> None:
    """It ends, with no complaint."""
    if "big" in arguments:
        options = ["-r", "GET /x", "-n", 300, "--record", "big.jsonl", "-q"]
        run("trace", "main", *options, cwd=here)
    shell = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m asgi_lab {arguments}; echo ${{PIPESTATUS[0]}}"],
        cwd=here, env=environ(), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert "Traceback" not in shell.stderr + shell.stdout
    assert "Broken pipe" not in shell.stderr + shell.stdout
    assert shell.stdout.endswith("0\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_to_a_full_disk(kept: Path) -> None:
    command = f"{sys.executable} -m asgi_lab show kept.jsonl > /dev/full"
    shell = subprocess.run(
        ["bash", "-c", command], cwd=kept, env=environ(), capture_output=True, text=True
    )
    assert shell.stderr == "asgi-lab: cannot write the output: No space left on device\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-r", "FOO"], 'expected METHOD /path, such as "GET /items"'),
        (["-r", "GET nopath"], 'after GET expected a path beginning with "/"'),
        (["-r", "POST /x @nofile"], 'cannot read the body "@nofile": No such file or directory'),
        (["-r", "GET /", "-H", "bad"], "expected a header such as \"x-key: 1\", got 'bad'"),
        (["-r", "GET /", "--filter", "((x"], "filter: expected a term like path=/slow"),
        (["--record", "no/such/folder.jsonl"], "cannot write no/such/folder.jsonl: No such file"),
        (["--record", "."], "File '.' is a directory"),
        (["--view", "nonsense"], "'nonsense' is not one of"),
        (["--port", "70000"], "70000 is not in the range"),
        (["--server", "nginx"], "'nginx' is not one of 'uvicorn'"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid:8000: "),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1:8000: "),
    ],
)
def test_usage(here: Path, options: list[str], message: str) -> None:
    command = run("trace", "main:app", *options, cwd=here)
    assert command.process.returncode == 2
    assert message in command.stderr
    assert "Traceback" not in command.stderr
    assert command.stdout == ""
    assert sorted(path.name for path in here.iterdir()) == ["main.py"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_record_without_permission(here: Path) -> None:
    (here / "kept.jsonl").touch(mode=0o400)
    command = run("trace", "main:app", "--record", "kept.jsonl", cwd=here)
    assert command.process.returncode == 2
    assert command.stderr == "asgi-lab: cannot write kept.jsonl: Permission denied\n"


def test_a_busy_port(here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = run("trace", "main:app", "--port", port, cwd=here)
    assert command.process.returncode == 2
    assert command.stderr == (
        f"asgi-lab: cannot listen on 127.0.0.1:{port}: Address already in use; "
        "choose another with --port, or --port 0 for a free one\n"
    )


def test_a_connection_that_is_not_there(here: Path) -> None:
    """What was recorded is summed up all the same."""
    options = ["-r", "GET /", "--view", "sequence", "--conn", 99]
    command = run("trace", "main:app", *options, cwd=here)
    assert command.process.returncode == 2
    assert "asgi-lab: no connection 99 in this trace: expected one of 1 to 2" in command.stderr
    assert "1 request in" in command.stdout


def test_files_that_are_no_traces(kept: Path, tmp_path: Path) -> None:
    whole = (kept / "kept.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    files = {
        "empty": (b"", "empty.jsonl is empty: not a trace"),
        "newer": (b'{"asgi_lab": 99}\n', "was written in format 99; this asgi-lab reads up to"),
        "other": (b'{"a": 1}\n', "other.jsonl is not a trace: expected a first line like"),
        "corrupt": (b"".join([*lines[:4], b"oops\n", *lines[4:]]), "is corrupt at line 5: "),
        "binary": (bytes(range(128, 256)) * 4, "binary.jsonl is not a trace: it is not text"),
        "missing": (None, "cannot read missing.jsonl: No such file or directory"),
    }
    for name, (content, message) in files.items():
        if content is not None:
            (tmp_path / f"{name}.jsonl").write_bytes(content)
        command = run("show", f"{name}.jsonl", cwd=tmp_path)
        assert command.process.returncode == 2
        assert message in command.stderr
        assert command.stderr.count("\n") == 1
        assert command.stdout == ""
    (tmp_path / "torn.jsonl").write_bytes(whole[:-20])
    command = run("show", "torn.jsonl", cwd=tmp_path)
    assert command.process.returncode == 0
    assert "torn.jsonl ends in the middle of a line: its last event is missing" in command.stderr


def test_a_plain_server_records_by_the_environment(here: Path) -> None:
    """`ASGI_LAB_RECORD=file uvicorn main:traced`: written at the latest when it ends."""
    source = "from asgi_lab import trace\nimport main\ntraced = trace(main.app)\n"
    (here / "traced.py").write_text(source)
    start = ["-m", "uvicorn", "traced:traced", "--port", "0"]
    with Command(cwd=here, start=start, ASGI_LAB_RECORD="kept.jsonl") as server:
        port = int(server.wait_for(r"running on http://127.0.0.1:(\d+)")[1])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.sendall(b"GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            while sock.recv(1000):
                pass
        server.process.terminate()
        server.finish()
    shown = run("show", "kept.jsonl", "--format", "json", cwd=here)
    assert requests_of(json.loads(shown.stdout)) == [("/plain", 200, "returned")]


def test_gzip(here: Path) -> None:
    run("trace", "main", "-r", "GET /x", "--record", "kept.jsonl.gz", cwd=here)
    shown = run("show", "kept.jsonl.gz", "--format", "json", cwd=here)
    assert requests_of(json.loads(shown.stdout)) == [("/x", 200, "returned")]


def test_bytes_that_are_no_text(here: Path) -> None:
    """A path of any bytes is shown, whatever the terminal can show."""
    options = ["--port", 0, "--view", "events"]
    with Command("trace", "main", *options, cwd=here, PYTHONIOENCODING="ascii") as command:
        host, _, port = command.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock:
            sock.sendall(b"POST /%ff HTTP/1.1\r\nHost: x\r\nX-Key: \xff\xfe\r\n"
                         b"Content-Length: 3\r\nConnection: close\r\n\r\n\xff\xfe\xfd")  # fmt: skip
            while sock.recv(1000):
                pass
        command.process.terminate()
        assert command.finish() == 0
    assert "1 request in" in command.stdout
