"""Diagnoses: silence on healthy apps, every broken rule told, and the same for people and machines.

`test_diagnose_failures` has the failures that people met.
"""

import ast
import asyncio
import json
import os
import re
import signal
import sys
import urllib.request
import xml.etree.ElementTree as ElementTree
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi import FastAPI, WebSocket

from asgi_lab import Trace, after, get, post, run, trace, virtual, ws
from asgi_lab.diagnose import DIAGNOSES, diagnose
from asgi_lab.diagnose.catalogue import CATALOGUE, find
from asgi_lab.diagnose.formats import as_json, everything, github, junit, sarif, uri
from asgi_lab.diagnose.servers import closes, reactions, table
from tests.command import Command
from tests.command import run as run_command
from tests.failures import apps
from tests.failures.table import FAILURES
from tests.misbehaving import http_apps, socket_apps  # noqa: F401 - they fill the table
from tests.misbehaving.apps import APPS
from tests.misbehaving.correct import CORRECT
from tests.misbehaving.table import Case, Proper
from tests.test_spec_apps import app_of

HEALTHY = ["fastapi", "starlette", "quart", "falcon", "litestar", "django"]

CLIENTS = [
    get("/?name=x"),
    post("/items", json={"name": "nut"}),
    post("/items", "no json"),
    get("/thread"),
    get("/stream"),
    get("/parts"),
    get("/background"),
    get("/missing"),
    get("/unknown"),
    get("/fail"),
    get("/stream", hang_up=after(seconds=0.001)),
    get("/", hang_up=after(seconds=0.0)),
]


@pytest.mark.parametrize("framework", HEALTHY)
@pytest.mark.parametrize("server", ["memory", "uvicorn", "lab"])
@pytest.mark.filterwarnings("ignore")  # of Django's, about streams
def test_healthy_apps_get_silence(framework: str, server: str) -> None:
    app = import_module(f"tests.apps.{framework}_app").make()
    sockets = [] if framework == "django" else [ws("/echo", "a", "b")]
    seen = asyncio.run(run(app, CLIENTS, sockets, server=server, clock=virtual()))
    assert seen.diagnose() == (), seen


def called(case: Case) -> Trace:
    """The trace of one call of a case's app."""
    traced = trace(app_of(case))

    async def main() -> None:
        scope = {**case.scope, "state": {}} if "state" in case.scope else dict(case.scope)
        await Proper(case.incoming, refuse=case.refuse).call(traced, scope)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run(main())
    seen: Trace = traced.trace
    return seen


@pytest.mark.parametrize("case", CORRECT, ids=lambda case: case.name)
def test_correct_programs_get_silence(case: Case) -> None:
    found = called(case).diagnose()
    assert [one for one in found if one.severity == "warning"] == []


@pytest.mark.parametrize("case", APPS, ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_broken_rule_is_told(case: Case) -> None:
    found = everything(called(case))
    assert {one.rule for one in found if one.rule} >= {*case.rules}
    for rule, line in case.marked().items():
        told = next(one for one in found if one.rule == rule)
        assert f":{line} in " in told.at


# --- for people ----------------------------------------------------------------------------------


def test_each_diagnosis_can_be_explained() -> None:
    assert {*CATALOGUE} == {*DIAGNOSES} == {failure.id for failure in FAILURES} | {"SHUTDOWN-HELD"}
    for one in CATALOGUE.values():
        assert re.fullmatch(r"\d\d_[a-z_]+", one.chapter)
        assert one.sources
        for code in (one.before, one.after):
            if "proxy_pass" not in code:
                ast.parse(code)


def test_an_unknown_diagnosis_has_near_ones() -> None:
    assert find("loop_blocked").id == "LOOP-BLOCKED"
    with pytest.raises(KeyError, match="did you mean STREAM-BUFFERED"):
        find("stream-bufered")
    with pytest.raises(KeyError, match="lists them all"):
        find("xyz")


def test_explain(tmp_path: Path) -> None:
    listed = run_command("explain", cwd=tmp_path)
    assert listed.process.returncode == 0
    assert all(name in listed.stdout for name in CATALOGUE)
    assert "keep-alive" in listed.stdout  # what is never seen
    one = run_command("explain", "threadpool-full", cwd=tmp_path)
    assert "THREADPOOL-FULL" in one.stdout
    assert "total_tokens = 100" in one.stdout
    told = json.loads(
        run_command("explain", "AFTER-RESPONSE", "--format", "json", cwd=tmp_path).stdout
    )
    assert told["chapter"] == "08_lifespan_and_background"
    wrong = run_command("explain", "LOOP-BLOKED", cwd=tmp_path)
    assert wrong.process.returncode == 2
    assert "did you mean LOOP-BLOCKED" in wrong.stderr


def seen_of(make: Any, *clients: Any, **settings: Any) -> Trace:
    return asyncio.run(run(make(), *clients, **settings))


def blocked() -> Trace:
    return seen_of(apps.sleeps_in_a_coroutine, 3 * [get("/slow")], get("/fast"))


def test_what_comes_again_is_told_once() -> None:
    (one,) = blocked().diagnose()
    assert one.count == 3
    assert "3 times, 3.00 s in all" in one.sentence
    assert str(one).splitlines()[0].startswith("! LOOP-BLOCKED  Nothing else ran for 1.00 s")
    assert "asgi-lab explain LOOP-BLOCKED" in str(one)
    assert one.chapter == "07_blocking_the_loop"


def test_of_an_empty_trace_nothing_is_said() -> None:
    assert diagnose(Trace()) == ()
    assert "nothing is wrong" in str(diagnose(Trace()))


def test_servers_are_quoted() -> None:
    (one,) = seen_of(apps.forgets_the_start, get("/")).diagnose()
    assert "Uvicorn" in one.cause
    assert table()["measured"]
    assert {row["case"] for row in table()["rows"]} <= {case.name for case in APPS}
    assert reactions("H1").endswith(".")
    assert closes("leaves_the_socket_open")["uvicorn"] == "1006"


@pytest.mark.parametrize("server", ["memory", "uvicorn", "hypercorn"])
def test_an_app_that_knows_requests_alone_is_in_order(server: str) -> None:
    async def adds_up(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        text = b"%d bytes" % len(message["body"])  # of lifespan.startup: KeyError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text})

    async def answers(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    for app in adds_up, answers:
        seen = asyncio.run(run(app, get("/"), server=server))
        told = [one.id for one in seen.diagnose()]
        assert "LIFESPAN-NOT-REACHED" not in told


def test_the_outermost_middleware_is_called_so() -> None:
    class HTTPOnly:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await self.app(scope, receive, send)

    (one,) = asyncio.run(run(HTTPOnly(FastAPI()), get("/"))).diagnose()
    assert one.sentence.startswith(
        "Startup never reached FastAPI: your outermost middleware returned at once"
    )


@pytest.mark.parametrize("method", ["send_text", "receive_text"])
def test_who_talks_before_the_accept_is_told_to_accept(method: str) -> None:
    app = FastAPI()

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await getattr(socket, method)(*(["hello"] if method == "send_text" else []))

    (one,) = asyncio.run(run(app, ws("/chat", "hello"))).diagnose()
    assert one.severity == "warning"
    assert one.remedy.startswith("`await websocket.accept()` comes first")


def test_a_function_that_collects_a_stream_is_told_of_its_own_line() -> None:
    (one,) = seen_of(apps.logs_a_stream_as_a_whole, get("/events")).diagnose()
    assert "response.body_iterator" in one.cause
    assert "response.body_iterator" in one.remedy


def test_chunks_are_counted_and_no_line_is_ours() -> None:
    (one,) = seen_of(apps.counts_without_a_pause, get("/numbers"), get("/health")).diagnose()
    assert "sent 300 chunks without yielding" in one.sentence
    assert "asgi_lab" not in one.at


# --- for machines --------------------------------------------------------------------------------

SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "properties": {
                                                "id": {"type": "string"},
                                                "helpUri": {"type": "string", "format": "uri"},
                                                "shortDescription": {"$ref": "#/$defs/text"},
                                                "fullDescription": {"$ref": "#/$defs/text"},
                                            },
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "message"],
                            "properties": {
                                "message": {"$ref": "#/$defs/text"},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "occurrenceCount": {"type": "integer", "minimum": 1},
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "type": "object",
                                                        "properties": {
                                                            "uri": {
                                                                "type": "string",
                                                                "format": "uri-reference",
                                                                "pattern": "^[^/].*",
                                                            }
                                                        },
                                                    },
                                                    "region": {
                                                        "type": "object",
                                                        "properties": {
                                                            "startLine": {
                                                                "type": "integer",
                                                                "minimum": 1,
                                                            }
                                                        },
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "$defs": {
        "text": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}},
        }
    },
}
"""The essentials of the schema of SARIF 2.1.0."""


def test_sarif() -> None:
    for seen in (blocked(), seen_of(apps.sends_headers_of_text, get("/")), Trace()):
        log = json.loads(sarif(seen))
        jsonschema.validate(log, SARIF)
        (one,) = log["runs"]
        rules = one["tool"]["driver"]["rules"]
        for result in one["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    results = json.loads(sarif(blocked()))["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["LOOP-BLOCKED"]
    where = results[0]["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "tests/failures/apps.py"


def test_github_annotations() -> None:
    (line,) = github(blocked()).splitlines()
    assert re.match(
        r"::warning file=tests/failures/apps\.py,line=\d+,title=asgi-lab LOOP-BLOCKED::", line
    )
    note = github(seen_of(apps.refuses_with_a_code, ws("/chat", "x")))
    assert note.startswith("::notice title=asgi-lab WS-CLOSE-EXPLAINED::")


def test_junit() -> None:
    suites = ElementTree.fromstring(junit(seen_of(apps.forgets_the_start, get("/"))))
    (suite,) = suites
    cases = list(suite.iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert "H1" in failed
    assert suite.get("failures") == str(len(failed))
    assert suite.get("tests") == str(len(cases))


BREACH, HELD = apps.forgets_the_start, apps.sleeps_in_a_coroutine


@pytest.mark.parametrize(("make", "client", "name"), [
    (BREACH, get("/"), "H1"), (HELD, get("/slow"), "LOOP-BLOCKED"),
])  # fmt: skip
def test_every_format_has_file_and_line(make: Any, client: Any, name: str) -> None:
    trace = seen_of(make, client)
    whole = as_json(trace)
    found = [*whole["diagnoses"], *whole["findings"]]
    known = next(one for one in found if name in (one["id"], one["rule"]))
    file, line = known["file"], known["line"]
    assert (file, line > 0) == ("tests/failures/apps.py", True)
    (result,) = (r for r in json.loads(sarif(trace))["runs"][0]["results"] if r["ruleId"] == name)
    physical = result["locations"][0]["physicalLocation"]
    assert (physical["artifactLocation"]["uri"], physical["region"]["startLine"]) == (file, line)
    (case,) = (c for c in ElementTree.fromstring(junit(trace)).iter("testcase")
               if c.get("name") == name)  # fmt: skip
    assert (case.get("file"), case.get("line")) == (file, str(line))
    assert f"{file}:{line} in" in "".join(case.itertext())
    assert f"file={file},line={line},title=asgi-lab {name}::" in github(trace)


def test_paths_in_sarif_are_references() -> None:
    assert uri("my app/views.py") == "my%20app/views.py"
    assert uri("/srv/app/main.py") == "file:///srv/app/main.py"


# --- on the command line -------------------------------------------------------------------------

MAIN = """
import asyncio, time
from contextlib import suppress

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/slow":
        time.sleep(0.4)
    while scope["path"] == "/events":
        await send({"type": "http.response.body", "body": b"data", "more_body": True})
        await asyncio.sleep(0.05)
    if scope["path"] != "/open":
        await send({"type": "http.response.body", "body": b"hello"})
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(MAIN)
    return tmp_path


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_real_server_names_request_and_line(project: Path, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    given = ("main:app", "--loop", loop, "-r", "GET /slow", "-r", "GET /", "-c", "2")
    seen = run_command("trace", *given, cwd=project)
    assert seen.process.returncode == 0, seen.stderr
    assert seen.stdout.count("! LOOP-BLOCKED") == 1
    told = " ".join(seen.stdout.split())
    assert re.search(
        r"GET /slow \(#\d\) held the event loop in time.sleep\(\), at main.py:14", told
    )
    assert re.search(r"^! #\d time.sleep held the loop", seen.stdout, re.M)  # as it happened
    assert "seen on uvicorn " in seen.stdout


@pytest.mark.parametrize(
    ("path", "code", "words"), [("/", 0, ""), ("/slow", 1, "LOOP-BLOCKED"), ("/open", 1, "H10")]
)
def test_strict_decides_the_exit_code(project: Path, path: str, code: int, words: str) -> None:
    given = ("main:app", "--virtual", "-r", f"GET {path}")
    strict = run_command("trace", *given, "--strict", cwd=project)
    assert strict.process.returncode == code, strict.stdout + strict.stderr
    assert words in strict.stderr
    lax = run_command("trace", *given, "--record", "a.jsonl", cwd=project)
    assert lax.process.returncode == 0
    again = run_command("show", "a.jsonl", "--strict", "--format", "junit", cwd=project)
    assert again.process.returncode == code
    assert ("<failure" in again.stdout) == bool(code)


def test_the_report_has_diagnoses_and_a_filter_chooses(project: Path) -> None:
    given = ("main:app", "--virtual", "-r", "GET /slow", "-r", "GET /", "--format", "json")
    whole = json.loads(run_command("trace", *given, cwd=project).stdout)
    assert [one["id"] for one in whole["diagnoses"]] == ["LOOP-BLOCKED"]
    assert whole["diagnoses"][0]["chapter"] == "07_blocking_the_loop"
    other = run_command("trace", *given, "--filter", "path=/none", cwd=project)
    assert json.loads(other.stdout)["diagnoses"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_who_holds_the_exit(project: Path) -> None:
    with (
        Command("trace", "main:app", "--port", "0", cwd=project) as command,
        urllib.request.urlopen(command.url + "/events") as answer,
    ):
        assert answer.read(4) == b"data"
        os.kill(command.process.pid, signal.SIGINT)
        command.wait_for("waiting for open requests")
        os.kill(command.process.pid, signal.SIGINT)
        command.finish()
    told = " ".join(command.stdout.split())
    assert "! SHUTDOWN-HELD The exit was held for" in told
    assert "1 open request: GET /events (#2); none of them receives" in told
    assert "LOOP-BLOCKED" not in told
