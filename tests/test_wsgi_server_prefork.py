"""The command and its processes: how they start, share the work, die, are replaced and stop."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from command import Command, wait_gone

from tests.test_wsgi_server_http import GET, POST, Client

APP = """
import os, threading

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/exit":
        raise SystemExit(7)
    if path == "/forever":
        print("in forever", flush=True)
        threading.Event().wait()
    if path == "/fds":
        text = str(sorted(os.readlink(f"/proc/self/fd/{fd}").partition(":")[0]
                          for fd in os.listdir("/proc/self/fd")
                          if os.path.exists(f"/proc/self/fd/{fd}")))
    else:
        text = str(os.getpid())
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode() + body]
"""

IMPATIENT = """
import logging, sys
from app import app
from asgi_lab.wsgi_server import Limits, serve
logging.basicConfig(level="INFO", format="%(message)s")
workers, threads = map(int, sys.argv[1:])
serve(app, workers=workers, threads=threads, limits=Limits(grace=1))
"""
MODULE = ("-m", "asgi_lab.wsgi_server")
MODELS = {"sync": (1, 1), "threaded": (1, 3), "prefork": (2, 1), "prefork, threaded": (2, 3)}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "impatient.py").write_text(IMPATIENT)
    return tmp_path


def start(cwd: Path, workers: int = 1, threads: int = 1, app: str = "app:app") -> Command:
    options = ["--port", 0, "--workers", workers, "--threads", threads]
    return Command(*options, app, cwd=cwd, start=MODULE)


def uploading(url: str) -> Client:
    """A client whose request is in the app, which waits for the rest of its body."""
    client = Client(url).say(POST + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\n")
    assert client.head()[0] == 100
    return client


def pid_of(worker: Client) -> int:
    """Let an upload end; the worker answers who it is."""
    status, body = worker.say(b"!").answer()
    assert (status, body[-1:]) == (200, b"!")
    return int(body[:-1])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_inside_when_a_signal_comes_is_served(
    here: Path, model: str, number: signal.Signals
) -> None:
    workers, threads = MODELS[model]
    with start(here, workers, threads) as command:
        with uploading(command.url) as client:
            command.signal(number, group=number == signal.SIGINT)  # as Ctrl-C does
            if workers > 1:
                command.wait_for("stopping: 2 workers finish what they have")
            pid_of(client)
            assert client.rest() == b""
        assert command.finish() == 0
    assert "stopped" in command.stderr
    assert "Traceback" not in command.stderr


def test_processes_serve_at_the_same_time(here: Path) -> None:
    with start(here, workers=2) as command:
        url = command.url
        with uploading(url) as one, uploading(url) as two:
            pids = {pid_of(one), pid_of(two)}
        assert len(pids) == 2
        assert command.process.pid not in pids


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "exit status 7"])
def test_a_worker_that_dies_is_replaced(here: Path, how: str) -> None:
    with start(here, workers=2) as command:
        url = command.url
        with uploading(url) as other:  # so that one worker is left for the rest
            died = int(httpx.get(url).text)
            fds = httpx.get(f"{url}/fds").text
            if how.startswith("SIG"):
                os.kill(died, getattr(signal, how))
            else:
                assert httpx.get(f"{url}/exit").status_code == 500
            ended = "exit status 0" if how == "SIGTERM" else how
            command.wait_for(rf"worker \d \(pid {died}\) has died: {ended}; another one")
            replaced = int(command.wait_for(r"worker \d \(pid (\d+)\) is ready")[1])
            assert not Path(f"/proc/{died}").exists()  # no zombie
            assert int(httpx.get(url).text) == replaced
            assert httpx.get(f"{url}/fds").text == fds  # as many, and of the same kinds
            assert pid_of(other) not in (died, replaced)


def test_no_worker_outlives_its_supervisor(here: Path) -> None:
    with start(here, workers=2) as command:
        url = command.url
        with uploading(url) as one, uploading(url) as two:
            command.process.kill()
            pids = {pid_of(one), pid_of(two)}  # they finish what they have
        wait_gone(pids)


def test_an_app_that_cannot_be_loaded(here: Path) -> None:
    with start(here, workers=2, app="nowhere:app") as command:
        assert command.finish() == 1
    assert "ModuleNotFoundError: No module named 'nowhere'" in command.stderr
    assert "worker 1 (pid" in command.stderr
    assert "ended before it could serve: exit status 1" in command.stderr


def test_a_port_that_is_taken(here: Path) -> None:
    with start(here) as command:
        port = command.url.rpartition(":")[2]
        with Command("--port", port, "app:app", cwd=here, start=MODULE) as second:
            assert second.finish() == 2
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in second.stderr


@pytest.mark.parametrize("model", MODELS)
def test_an_app_that_does_not_end_is_interrupted(here: Path, model: str) -> None:
    with Command(*MODELS[model], cwd=here, start=("impatient.py",)) as command:
        with Client(command.url) as client:
            client.say(GET.replace(b"/ ", b"/forever "))
            command.wait_for("in forever")
            command.signal(signal.SIGTERM)
            client.rest()
        code = command.finish()
    if model.startswith("prefork"):
        assert code == 0
        assert command.stderr.count("has not ended: it is killed") == 1
    else:
        assert code == 128 + signal.SIGTERM
        assert "time is up after 1 s; requests cut off: 1" in command.stderr


def test_what_the_app_plans_for_its_end_happens(here: Path) -> None:
    (here / "planned.py").write_text(
        "import atexit, os\nfrom app import app\natexit.register(print, 'ended', flush=True)\n"
    )
    with start(here, workers=2, app="planned:app") as command:
        httpx.get(command.url)
        command.signal(signal.SIGTERM)
        assert command.finish() == 0
    assert command.stdout.count("ended") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_is_left_open(here: Path) -> None:
    def rounds(url: str, number: int) -> Any:
        for _ in range(number):
            httpx.get(url)
            httpx.post(url, content=b"x")
        return httpx.get(f"{url}/fds").text

    with start(here, threads=2) as command:
        url = command.url
        assert rounds(url, 3) == rounds(url, 30)
