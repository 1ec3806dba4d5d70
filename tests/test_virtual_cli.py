"""`asgi-lab trace --virtual` and `asgi-lab compare`, as a user types them."""

import json
import re
from pathlib import Path

import pytest

from tests.command import run

ASGI = """
import asyncio, time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        message = await receive()
        if FAILS:
            return await send({"type": "lifespan.startup.failed", "message": "no database"})
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    if scope["path"] == "/dead":
        await asyncio.Event().wait()
    if scope["path"] == "/block":
        time.sleep(1)
    await asyncio.sleep(1)
    print("answering", scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})

FAILS = False
"""
WSGI = """
import time

def app(environ, start_response):
    time.sleep(1)
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
"""


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    (tmp_path / "fast.py").write_text(ASGI)
    (tmp_path / "slow.py").write_text(WSGI)
    (tmp_path / "down.py").write_text(ASGI.replace("FAILS = False", "FAILS = True"))
    return tmp_path


def test_virtual_shows_the_timeline_and_says_how_long_it_took(apps: Path) -> None:
    command = run("trace", "fast:app", "--virtual", "-r", "GET /", "-n", "3", "-c", "3", cwd=apps)
    assert command.process.returncode == 0
    assert command.stdout.count("GET     /") == 3
    assert re.search(r"virtual time: 1 s, digest [0-9a-f]{16}\n$", command.stdout)
    assert command.stdout.count("answering /\n") == 3
    assert command.stderr == ""


def test_virtual_is_the_same_each_time(apps: Path) -> None:
    arguments = ("trace", "slow:app", "--virtual", "-r", "GET /", "-n", "20", "-c", "20")
    first, second = (run(*arguments, "--workers", "4", cwd=apps).stdout for _ in range(2))
    assert first == second
    assert "virtual time: 5 s" in first


def test_virtual_keeps_a_trace_that_show_shows(apps: Path) -> None:
    arguments = ("--virtual", "-r", "GET /block", "--record", "kept.jsonl", "--format", "json")
    traced = json.loads(run("trace", "fast:app", *arguments, cwd=apps).stdout.partition("\n")[2])
    shown = json.loads(run("show", "kept.jsonl", "--format", "json", cwd=apps).stdout)
    assert shown["events"] == traced["events"]
    assert shown["header"]["exact"] is True
    block = next(event for event in shown["events"] if event["kind"] == "block")
    assert block["data"]["at"] == "fast.py:15 in app"


def test_virtual_explains_a_deadlock_and_keeps_what_came_before(apps: Path) -> None:
    command = run("trace", "fast:app", "--virtual", "-r", "GET /dead", cwd=apps)
    assert command.process.returncode == 1
    assert "Deadlock: at 0 s of virtual time nothing can run any more" in command.stderr
    assert (
        "an event that nobody sets, at fast.py:13 in app: await asyncio.Event()" in command.stderr
    )
    assert "/dead" in command.stdout
    assert "Traceback" not in command.stderr


def test_virtual_says_why_an_app_does_not_start(apps: Path) -> None:
    command = run("trace", "down:app", "--virtual", "-r", "GET /", cwd=apps)
    assert command.process.returncode == 1
    assert "the app's startup failed: no database" in command.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], 'give some, such as -r "GET /"'),
        (["-r", "GET /", "--server", "granian"], "granian has real sockets"),
        (["-r", "GET /", "--reload"], "--reload is for a real server"),
        (["-r", "GET /", "--workers", "2"], "in memory an ASGI app has one event loop"),
        (["-r", "GTE /"], "did you mean GET?"),
        (["-r", "GET /", "--record", "no/such/folder.jsonl"], "cannot write no/such/folder.jsonl"),
    ],
)
def test_virtual_says_what_it_cannot_do(apps: Path, arguments: list[str], message: str) -> None:
    command = run("trace", "fast:app", "--virtual", *arguments, cwd=apps)
    assert command.process.returncode == 2
    assert message in command.stderr
    assert "Traceback" not in command.stderr


def test_threads_belong_to_virtual(apps: Path) -> None:
    command = run("trace", "slow:app", "--threads", "4", "-r", "GET /", cwd=apps)
    assert command.process.returncode == 2
    assert "--threads goes with --virtual" in command.stderr


def test_compare_draws_both_on_one_axis_and_says_what_came_out(apps: Path) -> None:
    requests = ("-r", "GET /", "-n", "20", "--workers", "4")
    command = run("compare", "slow:app", "fast:app", *requests, cwd=apps)
    assert command.process.returncode == 0
    assert "slow:app   4 workers   5 s" in command.stdout
    assert command.stdout.count("GET / ×4") == 5
    assert "fast:app   1 event loop   1 s" in command.stdout
    assert "fast:app is done 5 times as fast: 1 s against 5 s for 20 requests." in command.stdout


def test_compare_as_json(apps: Path) -> None:
    requests = ("-r", "GET /", "-n", "3", "-c", "1", "--format", "json")
    out = run("compare", "slow:app", "slow:app", *requests, cwd=apps).stdout
    report = json.loads(out)
    assert (report["a"]["seconds"], report["ratio"], report["faster"]) == (3.0, 1.0, None)
    assert report["a"]["digest"] == report["b"]["digest"]
    assert [request["started"] for request in report["b"]["requests"]] == [0, 1, 2]


def test_compare_on_two_real_servers(apps: Path) -> None:
    servers = ("--server", "uvicorn", "--server", "lab", "-r", "GET /", "-n", "3")
    command = run("compare", "fast:app", "fast:app", *servers, cwd=apps)
    assert command.process.returncode == 0, command.stderr
    assert "fast:app on uvicorn" in command.stdout
    assert "Both take about as long" in command.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fast:app", "none:app", "-r", "GET /"], "no module named 'none'"),
        (["fast:app", "slow:app", "-r", "GET"], "expected a path"),
        (["fast:app", "slow:app", "-r", "GET /", "--server", "granian", "--threads", "2"], "lab"),
        (["fast:app", "slow:app"], "Missing option '-r'"),
    ],
)
def test_compare_says_what_it_cannot_do(apps: Path, arguments: list[str], message: str) -> None:
    command = run("compare", *arguments, cwd=apps)
    assert command.process.returncode == 2
    assert message in command.stderr
    assert "Traceback" not in command.stderr


def test_compare_does_not_praise_an_app_that_fails(apps: Path) -> None:
    (apps / "boom.py").write_text(
        "async def app(scope, receive, send):\n    raise ValueError('no')\n"
    )
    command = run("compare", "boom:app", "fast:app", "-r", "GET /", "-n", "3", cwd=apps)
    assert "3 of 3 requests failed on boom:app (status 500)." in command.stdout
    assert "times as fast" not in command.stdout
