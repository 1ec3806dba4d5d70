"""The file for the Perfetto UI, held against the format: Google's "Trace Event Format"."""

import asyncio
import gzip
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from asgi_lab import Trace, get, run, ws
from asgi_lab.events import Event
from asgi_lab.export.perfetto import write_perfetto
from asgi_lab.samples.fastapi_app import app
from asgi_lab.view.sample import sample_trace

REQUESTS = (get("/fast"), get("/thread"), get("/thread"), get("/stream"), get("/fail"),
            ws("/echo", "a", "b"), get("/blocking"))  # fmt: skip

Entries = list[dict[str, Any]]


def traced(app: Any, *clients: Any, **settings: Any) -> Trace:
    return asyncio.run(run(app, *clients, **settings))


def written(trace: Trace, folder: Path, name: str = "trace.json") -> Entries:
    """Write a trace, hold the file against the format, and return its events."""
    path = folder / name
    write_perfetto(trace, path)
    data = path.read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    assert "\\u" not in text, "half characters and control characters are not for every reader"
    document = json.loads(text)
    entries: Entries = document["traceEvents"]
    validate(entries)
    return entries


FIELDS = {
    "M": {"name", "pid", "tid", "args"},
    "X": {"name", "cat", "pid", "tid", "ts", "dur"},
    "b": {"name", "cat", "id", "pid", "ts"},
    "e": {"name", "cat", "id", "pid", "ts"},
    "n": {"name", "cat", "id", "pid", "ts"},
    "C": {"name", "pid", "ts", "args"},
    "s": {"name", "cat", "id", "pid", "tid", "ts"},
    "t": {"name", "cat", "id", "pid", "tid", "ts"},
    "f": {"name", "cat", "id", "pid", "tid", "ts"},
}
"""What the format asks of each phase."""

METADATA = {"process_name": "name", "process_sort_index": "sort_index", "thread_name": "name",
            "thread_sort_index": "sort_index"}  # fmt: skip


def validate(entries: Entries) -> None:
    for entry in entries:
        missing = FIELDS[entry["ph"]] - set(entry)
        assert not missing, f"{missing} missing in {entry}"
        if entry["ph"] == "M":
            assert set(entry["args"]) == {METADATA[entry["name"]]}
            continue
        nanoseconds = entry["ts"] * 1000
        assert abs(nanoseconds - round(nanoseconds)) < 1e-3, "no fraction of a nanosecond"
        assert entry["ts"] >= 0
    timed = [entry for entry in entries if entry["ph"] != "M"]
    assert timed == sorted(timed, key=lambda entry: entry["ts"])
    named = {(e["pid"], e["tid"]) for e in entries if e["name"] == "thread_name"}
    assert {(e["pid"], e["tid"]) for e in entries if e["ph"] == "X"} == named
    assert {e["pid"] for e in timed} <= {e["pid"] for e in entries if e["name"] == "process_name"}
    validate_asynchronous(timed)
    validate_threads(timed)
    validate_flows(timed)
    for entry in timed:
        if entry["ph"] == "C":
            assert all(type(value) in (int, float) for value in entry["args"].values())


def validate_asynchronous(entries: Entries) -> None:
    """On each track, what begins last ends first, under the same name."""
    stacks: dict[Any, list[str]] = defaultdict(list)
    for entry in entries:
        if entry["ph"] in "be":
            stack = stacks[entry["pid"], entry["cat"], entry["id"]]
            if entry["ph"] == "b":
                stack.append(entry["name"])
            else:
                assert stack, f"{entry} ends what has not begun"
                assert stack.pop() == entry["name"]
    assert not any(stacks.values()), "something never ends"


def validate_threads(entries: Entries) -> None:
    """On each thread, slices lie beside or within one another, and never cross."""
    open_: dict[Any, list[float]] = defaultdict(list)
    for entry in entries:
        if entry["ph"] == "X":
            begin = round(entry["ts"] * 1000)
            end = begin + round(entry["dur"] * 1000)
            stack = open_[entry["pid"], entry["tid"]]
            while stack and stack[-1] <= begin:
                stack.pop()
            assert not stack or end <= stack[-1], f"{entry} crosses another slice"
            stack.append(end)


def validate_flows(entries: Entries) -> None:
    """Each arrow has both ends, in order, each at a slice."""
    slices: dict[Any, list[tuple[int, int]]] = defaultdict(list)
    arrows: dict[Any, str] = defaultdict(str)
    bound: dict[Any, str] = defaultdict(str)
    for entry in entries:
        if entry["ph"] == "X":
            begin = round(entry["ts"] * 1000)
            slices[entry["pid"], entry["tid"]].append((begin, begin + round(entry["dur"] * 1000)))
        elif entry["ph"] in "stf":
            at = round(entry["ts"] * 1000)
            around = slices[entry["pid"], entry["tid"]]
            assert any(begin <= at <= end for begin, end in around), f"{entry} is at no slice"
            assert entry["ph"] != "f" or entry["bp"] == "e"
            arrows[entry["cat"], entry["name"], entry["id"]] += entry["ph"]
        if "bind_id" in entry:
            way = ("in" if entry.get("flow_in") else "") + ("out" if entry.get("flow_out") else "")
            bound[entry["bind_id"]] += f" {way}"
    assert all(points in ("sf", "stf") for points in arrows.values()), dict(arrows)
    for points in bound.values():
        first, *steps, last = points.split()
        assert (first, last) == ("out", "in")
        assert set(steps) <= {"inout"}


def tracks(entries: Entries) -> set[str]:
    """The tracks, by name: threads, and the first slice of each asynchronous one."""
    named = {e["args"]["name"] for e in entries if e["name"] == "thread_name"}
    first: dict[Any, str] = {}
    for entry in entries:
        if entry["ph"] == "b":
            first.setdefault((entry["cat"], entry["id"]), entry["name"])
    return named | set(first.values())


def test_a_whole_trace(tmp_path: Path) -> None:
    entries = written(traced(app, *REQUESTS), tmp_path)
    assert tracks(entries) >= {"event loop", "worker thread 1", "worker thread 2", "#1 (lifespan)",
                               "#2 GET /fast", "#8 GET /blocking", "#2 layers"}  # fmt: skip
    loop = next(e for e in entries if e.get("dur") == 300_000 and e["cat"] == "loop")
    assert loop["name"] == "#8 GET /blocking"
    block = next(e for e in entries if e.get("cat") == "block")
    assert block["name"].startswith("time.sleep at asgi_lab/samples/fastapi_app.py:")
    request = next(e for e in entries if e["name"] == "#6 GET /fail" and e["ph"] == "b")
    assert request["args"]["status"] == 500
    assert request["args"]["error"] == "ValueError: the sample fails here, on purpose"
    phases = {e["name"] for e in entries if e["ph"] == "b" and e["cat"] == "request"}
    assert phases >= {"loop held by another", "queued", "in thread", "awaits"}
    said = [e["name"] for e in entries if e["ph"] == "n" and e["id"] == "0x7"]
    assert said[1:4] == ["websocket.connect", "websocket.accept", "websocket.receive 1 B"]


def test_arrows_to_threads_and_back(tmp_path: Path) -> None:
    entries = written(traced(app, get("/thread")), tmp_path)
    arrow = [e for e in entries if e["ph"] in "stf"][:3]
    names = {e["tid"]: e["args"]["name"] for e in entries if e["name"] == "thread_name"}
    assert [(e["ph"], names[e["tid"]]) for e in arrow] == [
        ("s", "event loop"), ("t", "worker thread 1"), ("f", "event loop"),
    ]  # fmt: skip
    assert round(arrow[2]["ts"] - arrow[1]["ts"]) == 300_000


def test_calls_that_begin_at_once_in_one_task(tmp_path: Path) -> None:
    """In virtual time several begin in the same nanosecond: each in its thread."""

    async def gathers(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        for _ in range(2):
            await asyncio.gather(*(asyncio.to_thread(time.sleep, n / 10) for n in (3, 1, 2)))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    entries = written(traced(gathers, get("/"), get("/")), tmp_path)
    calls = [e for e in entries if e.get("cat") == "thread" and e["ph"] == "X"]
    assert sorted(round(e["dur"]) for e in calls) == 4 * [100_000] + 4 * [200_000] + 4 * [300_000]


def test_counters(tmp_path: Path) -> None:
    entries = written(traced(app, *3 * [get("/slow")], get("/blocking")), tmp_path)
    flights = [e["args"]["requests"] for e in entries if e["name"] == "in flight"]
    assert max(flights) == 4
    assert flights[-1] == 0
    held = [e["args"]["percent"] for e in entries if e["name"] == "loop held"]
    assert max(held) == 100
    assert held[-1] == 0


def test_arrows_from_send_to_the_wire(tmp_path: Path) -> None:
    """Of a server that tells of its wire: on the real clock, with real sockets."""
    trace = traced(app, get("/fast"), ws("/echo", "a"), server="lab")
    entries = written(trace, tmp_path)
    assert {"tcp 1", "tcp 2"} <= tracks(entries)
    answer = next(e for e in entries if "B out: HTTP/1.1 200 OK" in e["name"])
    chain = [e["name"].split()[0] for e in entries if e.get("bind_id") == answer["bind_id"]]
    assert chain[:2] == ["http.response.start", "http.response.body"]
    assert answer["flow_in"] is True


def test_wsgi_holds_threads(tmp_path: Path) -> None:
    def slow(environ: Any, start_response: Any) -> list[bytes]:
        time.sleep(1)
        start_response("200 OK", [])
        return [b"hi"]

    entries = written(traced(slow, *4 * [get("/")], workers=1, threads=2), tmp_path)
    assert {"server thread 1", "server thread 2"} <= tracks(entries)
    assert "event loop" not in tracks(entries)
    assert "holds thread" in {e["name"] for e in entries}


def test_many_messages_in_one_moment_are_one(tmp_path: Path) -> None:
    async def streams(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": b"12", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    entries = written(traced(streams, get("/")), tmp_path)
    names = [e["name"] for e in entries if e["ph"] == "n"]
    assert "101 × http.response.body, 200 B" in names


def test_what_is_still_under_way_ends_with_the_trace(tmp_path: Path) -> None:
    whole = traced(app, *REQUESTS)
    for count in (0, 1, 30, len(whole) // 2, len(whole) - 3):
        written(whole[:count], tmp_path)
        written(whole[count:], tmp_path)


def test_compressed(tmp_path: Path) -> None:
    assert written(sample_trace(), tmp_path, "trace.json.gz") == written(sample_trace(), tmp_path)


def test_texts_that_readers_cannot_stand(tmp_path: Path) -> None:
    scope = {"type": "http", "method": "GET", "path": "/\udcff\n\x1b/🦄"}
    trace = Trace((Event(0, 1, 1, 0, "scope", 1, scope), Event(1, 5, 1, 0, "return", 1, {})))
    assert r"#1 GET /\xff\n\x1b/🦄" in tracks(written(trace, tmp_path))


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write_perfetto(sample_trace(), tmp_path / "no" / "such.json")
