"""Trace files: what is read is what was in memory, and a broken file says how it is broken."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_lab import Event, Trace, trace
from asgi_lab.atoms import freeze_message, freeze_scope
from asgi_lab.events import decode
from asgi_lab.files import (
    FORMAT,
    FileWriter,
    TraceFileError,
    decode_line,
    encode_event,
    encode_records,
    read_trace,
    snapshot,
)
from asgi_lab.recorder import KINDS, Record, Recorder
from tests.driver import http, observe, request, websocket

# --- what an app may say -------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=300),
    st.binary(max_size=300),
    st.builds(object),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=9), st.integers()), inner, max_size=4),
        st.sets(st.integers(), max_size=2),
    ),
    max_leaves=8,
)
headers = st.one_of(
    st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), max_size=4),
    st.lists(st.lists(values, max_size=3), max_size=3),
    values,
)
types = st.one_of(
    st.sampled_from(
        ["http.request", "http.response.start", "http.response.body", "http.response.trailers",
         "websocket.receive", "websocket.send", "websocket.close", "lifespan.startup.failed"]
    ),
    values,
)  # fmt: skip
messages = st.one_of(
    st.fixed_dictionaries(
        {"type": types},
        optional={
            "body": values, "text": values, "bytes": values, "more_body": values,
            "status": values, "headers": headers, "x": values, "code": st.integers(),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("http.response.start"), "status": st.integers(), "headers": headers}
    ),
    values,
)  # fmt: skip
scopes = st.builds(
    lambda scope, changes, gone: {
        key: value for key, value in {**scope, **changes}.items() if key not in gone
    },
    st.sampled_from([http("/a?b=c"), websocket("/%20")]),
    st.dictionaries(st.sampled_from(sorted(websocket())), values, max_size=4),
    st.sets(st.sampled_from(sorted(websocket())), max_size=3),
)
texts = st.text(max_size=20)
many = settings(deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """Records of every kind, of what apps may say."""
    began = draw(st.integers(0, 10**15))
    now = began + draw(st.integers(0, 10**12))
    of = Recorder(redact=draw(st.booleans()))
    pairs = (("error", draw(texts)), ("message", draw(texts)))
    facts: dict[str, list[tuple[Any, ...]]] = {
        "scope": [of.keep(freeze_scope(draw(scopes))), of.keep(((("layer", draw(texts)),),))],
        "receive": [()],
        "received": [(began, *of.keep(freeze_message(draw(messages)))), (began, pairs)],
        "send": [of.keep(freeze_message(draw(messages)))],
        "sent": [(began,), (began, draw(texts))],
        "return": [(began,)],
        "raise": [(began, *of.keep((pairs,)))],
        "cancel": [(began,)],
        "run": [()],
        "ran": [(began,)],
        "block": [(began, (("call", draw(texts)), ("at", "app.py:1 in app")))],
        "task": [((("name", draw(texts)), ("parent", 1)),)],
        "done": [(began, draw(texts))],
        "submit": [((("call", draw(texts)), ("pool", "anyio")),)],
        "work": [(began, draw(st.integers(0, 2**60)))],
        "worked": [(began, draw(texts))],
        "wire": [((("what", draw(texts)), ("tcp", 1), ("size", 9)),)],
        "close": [()],
        "finding": [of.keep(((("rule", "H1"), ("what", draw(texts)), ("count", 2)),))],
        "mark": [(draw(texts),)],
        "drop": [],
    }
    assert set(facts) == set(KINDS)
    door, task = draw(st.integers(0, 2**30)), draw(st.integers(0, 2**30))
    return [(now, kind, door, task, *fact) for kind, several in facts.items() for fact in several]


@many
@given(records())
def test_a_record_is_written_as_its_event_is(batch: list[Record]) -> None:
    lines = list(encode_records(batch, origin=5))
    events = [decode(record, seq, 5) for seq, record in enumerate(batch)]
    assert lines == [encode_event(event) for event in events]
    assert [decode_line(line, seq) for seq, line in enumerate(lines)] == events
    assert all(line.isascii() and line.count("\n") == 1 for line in lines)


@many
@given(batch=records())
def test_memory_and_file_are_equal(batch: list[Record], tmp_path_factory: Any) -> None:
    recorder = Recorder()
    for record in batch:
        recorder.append(record)
    before = snapshot(recorder)
    recorder.drain()
    recorder.compress()
    assert snapshot(recorder).events == before.events
    path = tmp_path_factory.mktemp("files") / "trace.jsonl.gz"
    write(recorder, path)
    found = read_trace(path)
    assert found.events == before.events
    assert {**found.header} == {**before.header}


@many
@given(received=messages, sent=messages, scope=scopes)
def test_whatever_an_app_says_can_be_kept(received: Any, sent: Any, scope: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(sent)

    traced = trace(app)
    assert observe(traced, scope, [received]) == observe(app, scope, [received])
    found = traced.trace
    lines = [encode_event(event) for event in found]
    assert [decode_line(line, event.seq) for line, event in zip(lines, found, strict=True)] == [
        *found
    ]
    traced.recorder.drain()
    assert traced.trace == found


def write(recorder: Recorder, path: Path, **header: Any) -> Path:
    """Write all that a recorder holds."""
    writer = FileWriter(path, recorder, lambda: header)
    writer.write(*recorder.read())
    writer.close()
    return path


def a_recorder(count: int = 3) -> Recorder:
    recorder = Recorder()
    for n in range(count):
        recorder.append((recorder.origin + n, "mark", 0, 0, f"mark {n}"))
    return recorder


def marks(found: Trace) -> list[str]:
    return [event.data["label"] for event in found if event.kind == "mark"]


# --- bytes that are no text ----------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", bytes(range(256)), b"\xed\xa0\x80", b"\xc3"])
def test_bytes_that_are_no_text_are_not_lost(data: bytes, tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(data, data)]})
        await send({"type": "http.response.body", "body": data})

    traced = trace(app, record=tmp_path / "t.jsonl")
    observe(traced, http())
    traced.ticker.stop()
    found = read_trace(tmp_path / "t.jsonl")
    assert found.events == traced.trace.events
    body = next(e.data["body"] for e in found if e.type == "http.response.body")
    assert body.encode("utf-8", "surrogateescape") == data


# --- broken files --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
def test_a_torn_end_is_skipped_and_reported(name: str, tmp_path: Path) -> None:
    """Whatever the length at which a crash cut the file: no error, and nothing made up."""
    path = write(a_recorder(20), tmp_path / name)
    data = path.read_bytes()
    seen = set()
    for length in range(len(data) - 1, 0, -1):
        path.write_bytes(data[:length])
        try:
            found = read_trace(path)
        except TraceFileError:
            continue  # not even the header is left
        assert marks(found) == [f"mark {n}" for n in range(len(found))]
        assert "torn" in found.header or data[length - 1 :][:1] == b"\n"
        seen.add(len(found))
    assert 19 in seen
    if name == "t.jsonl":
        assert seen == set(range(20))


def test_a_file_without_its_last_newline_is_read_whole_but_for_that_line(tmp_path: Path) -> None:
    path = write(a_recorder(), tmp_path / "t.jsonl")
    path.write_bytes(path.read_bytes()[:-3])
    found = read_trace(path)
    assert (marks(found), found.header["torn"]) == (["mark 0", "mark 1"], [str(path)])


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"7",
        b'[0,"mark",0,0]',
        b'[0,"mark",0,0,0,7]',
        b'["0","mark",0,0,0]',
        b'[0,7,0,0,0]',
        b'[0.5,"mark",0,0,0]',
        b'[true,"mark",0,0,0]',
        b'[0,"mark",0,0,0,{},1]',
        b"",
    ],
)  # fmt: skip
def test_a_corrupt_line_is_named(line: bytes, tmp_path: Path) -> None:
    path = write(a_recorder(), tmp_path / "t.jsonl")
    lines = path.read_bytes().split(b"\n")
    lines[2] = line
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(TraceFileError, match=r"t\.jsonl is corrupt at line 3: "):
        read_trace(path)


def test_damage_in_a_compressed_file_leaves_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.gz"
    recorder = Recorder()
    for n in range(5000):
        recorder.append((recorder.origin + n, "mark", 0, 0, f"mark {n * 7919}"))
    write(recorder, path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = b"\xff" * 64
    path.write_bytes(data)
    found = read_trace(path)
    assert found.header["torn"] == [str(path)]
    assert 1000 < len(found) < 5000
    assert marks(found) == [f"mark {n * 7919}" for n in range(len(found))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: not a trace"),
        (b"\n", "not a trace"),
        (b"hello\nworld\n", "is not a trace: expected a first line like"),
        (b"[1]\n", "is not a trace: expected a first line like"),
        (b'{"a": 1}\n', "is not a trace: expected a first line like"),
        (b'{"asgi_lab": "x"}\n', "written in format"),
        (b"\xff\xfe\n", "is not a trace: it is not text"),
        (b"\x1f\x8b", "is empty: not a trace"),
        (b"\x1f\x8bhello", "is empty: not a trace"),
        (gzip.compress(b"hello\n", mtime=0), "is not a trace: expected a first line like"),
        (json.dumps({"asgi_lab": FORMAT + 1}).encode() + b"\n", "Upgrade: pip install -U asgi-lab"),
    ],
)
def test_what_is_no_trace_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    with pytest.raises(TraceFileError) as raised:
        read_trace(path)
    assert str(path) in str(raised.value)
    assert message in str(raised.value)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_trace(tmp_path / "missing.jsonl")


def test_a_header_alone_is_an_empty_trace(tmp_path: Path) -> None:
    path = write(Recorder(), tmp_path / "t.jsonl")
    found = read_trace(path)
    assert (len(found), found.dropped, found.header["pid"]) == (0, 0, os.getpid())


def test_keys_that_a_later_version_adds_are_kept(tmp_path: Path) -> None:
    path = write(a_recorder(1), tmp_path / "t.jsonl", later="yes")
    with path.open("a") as file:
        file.write('[9,"a later kind",1,0,0,{"x":[1]}]\n')
    found = read_trace(path)
    assert found.header["later"] == "yes"
    assert found[-1] == Event(1, 9, 1, 0, "a later kind", 0, {"x": [1]})


# --- drops ---------------------------------------------------------------------------------------


def test_a_slow_writer_says_what_it_missed(tmp_path: Path) -> None:
    recorder = Recorder(limit=10)
    writer = FileWriter(tmp_path / "t.jsonl", recorder)
    for n in range(25):
        recorder.append((recorder.origin + n, "mark", 0, 0, f"mark {n}"))
    writer.write(*recorder.read())
    writer.close()
    found = read_trace(tmp_path / "t.jsonl")
    assert found.dropped == 15
    assert found[0].kind == "drop"
    assert marks(found) == [f"mark {n}" for n in range(15, 25)]


# --- several files -------------------------------------------------------------------------------


def test_two_files_are_one_trace(tmp_path: Path) -> None:
    """One time axis, one numbering in order of arrival, and each connection says its process."""

    def recorded(started: int, pid: int, t: int) -> Path:
        recorder = Recorder()
        recorder.started, recorder.origin = started, 0
        recorder.append((t, "scope", 1 << 8, 1, *freeze_scope(http(f"/{pid}"))))
        recorder.append((t + 1, "task", 1 << 8, 2, (("name", "child"), ("parent", 1))))
        recorder.append((t + 2, "return", 1 << 8, 1, t))
        return write(recorder, tmp_path / f"{pid}.jsonl", pid=pid)

    late, early = recorded(10_000, 11, 5), recorded(9_000, 22, 500)
    found = read_trace(late, early)
    assert [(e.t, e.conn, e.task, e.kind) for e in found] == [
        (500, 1, 1, "scope"),
        (501, 1, 2, "task"),
        (502, 1, 1, "return"),
        (1005, 2, 3, "scope"),
        (1006, 2, 4, "task"),
        (1007, 2, 3, "return"),
    ]
    assert [e.data["pid"] for e in found if e.kind == "scope"] == [22, 11]
    assert [e.data["parent"] for e in found if e.kind == "task"] == [1, 3]
    assert [e.seq for e in found] == list(range(6))
    assert (found.header["started"], found.header["merged"]) == (9_000, 2)


def test_a_merged_trace_names_its_torn_files(tmp_path: Path) -> None:
    whole, torn = (write(a_recorder(), tmp_path / name) for name in ("a.jsonl", "b.jsonl"))
    torn.write_bytes(torn.read_bytes()[:-4])
    found = read_trace(whole, torn)
    assert found.header["torn"] == [str(torn)]
    assert len(found) == 5


# --- recording -----------------------------------------------------------------------------------


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.mark.parametrize("path", ["/dev/full", "missing/t.jsonl", "."])
def test_a_file_that_cannot_be_written_is_one_warning(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if path == "/dev/full" and not Path(path).exists():
        pytest.skip("no /dev/full on this system")
    monkeypatch.chdir(tmp_path)
    traced = trace(hello, record=path)
    expected = observe(hello, http())
    for _ in range(3):
        assert observe(traced, http()) == expected
        traced.ticker.tick()
    assert len([e for e in traced.trace if e.kind == "return"]) == 3
    said = capsys.readouterr().err
    assert said.count("asgi-lab: ") == 1
    assert path in said
    assert "tracing goes on in memory" in said


def test_a_pipe_can_be_recorded_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    recorder = a_recorder()
    write(recorder, pipe)
    said, _ = reader.communicate()
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(said)
    assert read_trace(copy).events == snapshot(recorder).events


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASGI_LAB_RECORD", str(tmp_path / "t.jsonl.gz"))
    traced = trace(hello)
    observe(traced, http())
    traced.ticker.stop()
    assert read_trace(tmp_path / "t.jsonl.gz").events == traced.trace.events


def test_a_file_is_written_anew_and_grows(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("old\n")
    traced = trace(hello, record=path)
    lengths = []
    for _ in range(2):
        observe(traced, http())
        traced.ticker.tick()
        lengths.append(len(read_trace(path)))
    traced.ticker.stop()
    assert lengths == [len(traced.trace) // 2, len(traced.trace)]


SCRIPT = """
import asyncio, sys
from asgi_lab import trace

async def app(scope, receive, send):
    await send({"type": "http.response.body", "body": scope["path"].encode()})

async def send(message): ...

traced = trace(app)
asyncio.run(traced({"type": "http", "path": sys.argv[1]}, None, send))
traced.ticker.tick()
print("written", flush=True)
sys.stdin.read()
"""


def test_two_processes_with_one_file_name_write_two_files(tmp_path: Path) -> None:
    """The second finds the file taken; both files together are the whole trace."""
    environment = {**os.environ, "ASGI_LAB_RECORD": str(tmp_path / "t.jsonl")}
    running = []
    for name in ("/first", "/second"):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        running.append(process)
    for process in running:
        process.communicate("")
    first, second = tmp_path / "t.jsonl", tmp_path / f"t-{running[1].pid}.jsonl"
    assert sorted(tmp_path.iterdir()) == sorted([first, second])
    found = read_trace(first, second)
    paths = {e.data["pid"]: e.data["path"] for e in found if e.kind == "scope" and not e.layer}
    assert paths == {running[0].pid: "/first", running[1].pid: "/second"}


def test_a_process_that_just_ends_loses_nothing(tmp_path: Path) -> None:
    script = SCRIPT.replace("traced.ticker.tick()\n", "")
    subprocess.run(
        [sys.executable, "-c", script, "/x"],
        env={**os.environ, "ASGI_LAB_RECORD": str(tmp_path / "t.jsonl.gz")},
        input="",
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    found = read_trace(tmp_path / "t.jsonl.gz")
    assert found[-1].kind == "return"
    assert "torn" not in found.header


def test_requests_are_told_apart_when_read_back(tmp_path: Path) -> None:
    traced = trace(hello, record=tmp_path / "t.jsonl")

    async def main() -> None:
        async def send(message: Any) -> None:
            await asyncio.sleep(0)

        await asyncio.gather(*(traced(http(f"/{n}"), None, send) for n in range(5)))

    asyncio.run(main())
    observe(traced, http(), [request()])
    traced.ticker.stop()
    found = read_trace(tmp_path / "t.jsonl")
    assert {e.conn for e in found} == {1, 2, 3, 4, 5, 6}
    assert [e.t for e in found] == sorted(e.t for e in found)
