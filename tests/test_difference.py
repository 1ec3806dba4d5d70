"""Two traces side by side: what differs, in words."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from asgi_lab import Trace, diff, expect, get, post, run, ws
from asgi_lab.cli import main
from asgi_lab.difference import Difference, as_json
from asgi_lab.events import Event
from asgi_lab.files import write_trace
from asgi_lab.samples.fastapi_app import app
from asgi_lab.scene.difference import difference as scene_of
from asgi_lab.view.difference import alignment_view, as_text

OK = [(b"content-type", b"text/plain")]
MS = 1_000_000


def traced(target: Any, *clients: Any, **settings: Any) -> Trace:
    return asyncio.run(run(target, *clients, **settings))


def answers(
    *chunks: bytes, status: int = 200, headers: Any = OK, waits: float = 0, works: float = 0
) -> Any:
    """An app that waits, holds the loop, and answers."""

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await asyncio.sleep(waits)
        time.sleep(works)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return answering


class Middleware:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def words(a: Any, b: Any, *clients: Any) -> tuple[str, ...]:
    """What differs in the request that both apps got."""
    difference = diff(traced(a, *(clients or [get("/")])), traced(b, *(clients or [get("/")])))
    (pair,) = [pair for pair in difference.pairs if not pair.lifespan]
    return pair.words


def test_the_same_twice() -> None:
    clients = (get("/slow"), get("/thread"), get("/stream"), get("/fail"), ws("/echo", "a", "b"))
    difference = diff(traced(app, *clients), traced(app, *clients))
    assert difference.same
    assert difference.verdict().startswith("No difference: 5 requests, ")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (answers(b"x"), answers(b"x", status=500), ["status 200 → 500"]),
        (
            answers(b"x"),
            answers(b"x", headers=[*OK, (b"vary", b"accept")]),
            ["header +vary"],
        ),
        (answers(b"x"), answers(b"x", headers=[]), ["header -content-type"]),
        (
            answers(b"x"),
            answers(b"x", headers=[(b"content-type", b"text/html")]),
            ["header content-type: text/plain → text/html"],
        ),
        (answers(b"ab"), answers(b"ax"), ['body "ab" → "ax"']),
        (answers(b"ab"), answers(b"abc"), ["body 2 B → 3 B"]),
        (answers(b"ab", b"c"), answers(b"a", b"bc"), ["body in pieces of other sizes"]),
        (answers(b"x"), answers(b"x", b"", b"", b""), ["B sends 3 more http.response.body"]),
        (
            answers(b"1", b"2", b"3"),
            answers(b"1"),
            ["A sends 2 more http.response.body (1 B)", "body 3 B → 1 B"],
        ),
        (answers(b"x"), Middleware(answers(b"x")), ["layer answers.answering only in B"]),
        (
            answers(b"x"),
            answers(b"x", headers=[(b"Content-Type", b"text/plain")]),
            ["only in B the app breaks rule H6: header b'Content-Type' is not lowercase"],
        ),
    ],
)
def test_messages(a: Any, b: Any, expected: list[str]) -> None:
    assert words(a, b) == tuple(expected)


def test_dates_and_names_of_requests_say_nothing() -> None:
    sides = [answers(headers=[(b"date", day), (b"x-request-id", day)]) for day in (b"Mon", b"Tue")]
    assert words(*sides) == ()


def test_bodies_whose_end_is_not_kept() -> None:
    """A trace has the first 256 bytes of a message: what is known is compared."""
    long = b"x" * 1000
    assert words(answers(long + b"a"), answers(long + b"b")) == ()
    assert words(answers(long), answers(long + b"b")) == ("body 1,000 B → 1,001 B",)


def test_errors() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("user")

    found = words(answers(b"x"), fails)
    assert found[0].startswith("returned → raised KeyError: 'user' at test_difference.py:")
    assert any(told.startswith("only A sends http.response.start 200") for told in found)


def test_websockets() -> None:
    def talks(code: int, reply: str) -> Any:
        async def talking(scope: Any, receive: Any, send: Any) -> None:
            assert scope["type"] == "websocket"
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            await send({"type": "websocket.send", "text": reply})
            await send({"type": "websocket.close", "code": code})

        return talking

    client = ws("/chat", "hi", expect())
    assert words(talks(1000, "a"), talks(4000, "b"), client) == (
        "websocket.send text a → b",
        "websocket.close code 1000 → 4000",
    )


def test_what_only_one_receives() -> None:
    async def listens(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": OK})
        await send({"type": "http.response.body", "body": b"x"})

    found = words(answers(b"x"), listens, post("/", b"hello"))
    assert 'only B receives http.request "hello"' in found


def test_times_in_virtual_time_are_exact() -> None:
    found = words(answers(b"x", waits=0.012), answers(b"x", waits=1))
    assert found == ("first byte after 1.00 s instead of 12.0 ms",)
    assert words(answers(waits=1), answers(waits=1.000001)) == (
        "takes 1,000,001,000 ns instead of 1,000,000,000 ns",
    )


def test_who_holds_the_loop() -> None:
    found = words(answers(b"x", works=0.3), answers(b"x", waits=0.3))
    assert found == ("A holds the loop for 300 ms; B does not",)
    found = words(answers(b"x", works=0.3), answers(b"x", works=0.2))
    assert "holds the loop for 200 ms instead of 300 ms" in found


def test_who_waits_for_whom() -> None:
    a = traced(app, get("/slow"), get("/blocking"))
    b = traced(app, get("/slow"), get("/fast"))
    difference = diff(a, b)
    told = {pair.label: pair.words for pair in difference.pairs}
    assert told["GET /slow"] == ("A cannot run for 300 ms, for another holds the loop; B can",)
    assert told["GET /blocking"] == ("only A has GET /blocking",)
    assert told["GET /fast"] == ("only B has GET /fast",)
    assert difference.verdict() == (
        "3 of 3 requests differ: only A has GET /blocking; and 2 differences more."
    )


def real(total: float, held: float = 0.1, path: str = "/") -> Trace:
    """A trace of one request on the real clock; in ms."""
    scope = {"type": "http", "method": "GET", "path": path}
    ns, slice_ = round(total * MS), round(held * MS)
    facts: list[tuple[int, str, dict[str, Any]]] = [
        (0, "scope", scope), (0, "run", {}), (slice_, "ran", {"took": slice_}),
        (ns, "send", {"type": "http.response.body", "body": "x"}), (ns, "return", {"took": ns}),
    ]  # fmt: skip
    return Trace(tuple(Event(i, t, 1, 0, kind, 1, data) for i, (t, kind, data) in enumerate(facts)))


def test_times_on_the_real_clock_only_if_they_matter() -> None:
    assert diff(real(10), real(15)).same
    assert diff(real(100), real(130)).same
    assert diff(real(0.1), real(3)).same
    assert diff(real(12), real(1000)).pairs[0].words == (
        "first byte after 1.00 s instead of 12.0 ms",
    )
    assert diff(real(400), real(400, held=300)).pairs[0].words == (
        "B holds the loop for 300 ms; A does not",
    )
    assert diff(real(10), real(15)).verdict() == (
        "No difference that matters: 1 request, 3 events each."
    )


def test_requests_find_their_like_in_whatever_order() -> None:
    a = traced(app, get("/fast?n=1"), get("/slow"), get("/fast?n=2"))
    b = traced(app, get("/slow"), get("/fast?n=2"), get("/fast?n=1"), get("/fast?n=3"))
    difference = diff(a, b)
    found = {pair.label: (pair.a and pair.a.conn, pair.b and pair.b.conn)
             for pair in difference.pairs}  # fmt: skip
    assert found == {"(lifespan)": (1, 1), "GET /fast?n=1": (2, 4), "GET /slow": (3, 2),
                     "GET /fast?n=2": (4, 3), "GET /fast?n=3": (None, 5)}  # fmt: skip
    changed = diff(traced(app, get("/fast?n=1")), traced(app, get("/fast?n=7")))
    assert changed.different[0].words == ("scope query_string n=1 → n=7",)


def test_wsgi_and_asgi_say_the_same() -> None:
    def hello(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": OK})
        await send({"type": "http.response.body", "body": b"x"})

    found = words(hello, asgi)
    assert found[0].startswith("scope type wsgi → http")
    assert all(told.startswith("scope ") for told in found)


def test_two_real_servers() -> None:
    a, b = (traced(answers(b"x"), get("/a"), server=name) for name in ("uvicorn", "hypercorn"))
    changes = [change for pair in diff(a, b).different for change in pair.changes]
    told = [change.words for change in changes if change.about != "time"]
    assert told
    assert all("scope" in one or "request header" in one for one in told), told


def test_those_that_differ_alike_are_told_together() -> None:
    a, b = (traced(answers(status=status), 20 * [get("/")], get("/x")) for status in (200, 500))
    difference = diff(a, b)
    assert difference.verdict() == "21 of 21 requests differ: status 200 → 500 (21 of them)."
    assert [len(pairs) for pairs, _ in difference.groups] == [20, 1]
    assert "GET / ×20   A #2, #3, #4, #5 …" in as_text(difference)


def test_long_conversations_are_compared_at_once() -> None:
    """Twenty thousand chunks: neither the square of that, nor so many words."""

    def streamed(count: int) -> Trace:
        scope = {"type": "http", "method": "GET", "path": "/"}
        chunk = {"type": "http.response.body", "body": "x", "more_body": True}
        facts = [("scope", scope), *count * [("send", chunk)], ("return", {"took": 1})]
        return Trace(tuple(Event(i, i, 1, 0, kind, 1, d) for i, (kind, d) in enumerate(facts)))

    difference = diff(streamed(20_000), streamed(20_003))
    assert difference.pairs[0].words == (
        "B sends 3 more http.response.body (3 B)", "body 20,000 B → 20,003 B",
    )  # fmt: skip


def test_nothing_at_all() -> None:
    assert diff(Trace(), Trace()).verdict() == "Neither trace has a request."
    assert diff(Trace(), real(1)).pairs[0].words == ("only B has GET /",)


# Views


def aligned(difference: Difference, width: int = 100) -> str:
    from rich.console import Console

    console = Console(width=width, color_system=None, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(alignment_view(difference, difference.different[0], width))
    return capture.get()


def test_text() -> None:
    a, b = traced(answers(b"x"), get("/")), traced(answers(b"x", status=500), get("/"))
    assert str(diff(a, b)).splitlines() == [
        "1 of 1 request differs: status 200 → 500 (GET /).",
        "",
        "GET /   A #2, B #2",
        "  ~ status 200 → 500",
    ]


def test_side_by_side() -> None:
    chunks = 10 * [b"x"]
    a = traced(answers(*chunks), get("/"))
    b = traced(answers(*chunks, b"y", status=500, waits=1), get("/"))
    lines = [" ".join(line.split()) for line in aligned(diff(a, b)).splitlines()]
    chunk = '← http.response.body "x" more to come'
    assert lines == [
        "GET / A #2, B #2",
        "",
        "A B",
        "0 µs → app GET / 0 µs → app GET /",
        "~ 0 µs ← http.response.start 200 text/plain 1.00 s ← http.response.start 500 text/plain",
        "status 200 → 500",
        *3 * [f"0 µs {chunk} 1.00 s {chunk}"],
        "⋮ 8 more",
        "+ 1.00 s ← http.response.body (empty)",
        "0 µs ← returned 1.00 s ← returned",
        "",
        "in all",
        "~ B sends 1 more http.response.body",
        "~ first byte after 1.00 s instead of 0 µs",
        "~ body 10 B → 11 B",
        "",
        "~ differs - only in A + only in B",
    ]
    assert all(len(line) <= 80 for line in aligned(diff(a, b), 80).splitlines())


def test_scene() -> None:
    a = traced(answers(b"x"), get("/"), get("/same"))
    b = traced(answers(b"x", status=500, waits=1), get("/"), get("/b"))
    difference = diff(a, b)
    scene = scene_of(difference)
    assert scene.title == difference.verdict()
    assert [(group.label, group.first, group.last) for group in scene.groups] == [
        ("GET /", 0, 1), ("GET /same", 2, 2), ("GET /b", 3, 3),
    ]  # fmt: skip
    assert scene.groups[0].detail == "status 200 → 500; first byte after 1.00 s instead of 0 µs"
    assert [lane.label for lane in scene.lanes] == ["A", "B", "A", "B"]
    assert scene.axis.end == 1_000_000_000
    roles = [item.role for item in scene.items if item.lane == 1 and item.begin == item.end]
    assert roles == ["same", "changed", "same", "same", "same"]
    changed = next(item for item in scene.items if item.role == "changed" and item.lane == 1)
    assert scene.text(changed) == "← http.response.start 500 text/plain  (status 200 → 500)"
    assert "GET /same: only A has GET /same." in scene.alt
    assert len(scene_of(difference, conn=2).lanes) == 2
    with pytest.raises(ValueError, match="neither trace has a connection 99"):
        scene_of(difference, conn=99)


def test_json() -> None:
    difference = diff(traced(answers(b"x"), get("/")), traced(answers(status=500), get("/")))
    told = json.loads(json.dumps(as_json(difference)))
    assert told["same"] is False
    (request,) = [r for r in told["requests"] if r["request"] == "GET /"]
    assert request["differences"][0] == {"about": "status", "words": "status 200 → 500"}
    assert [event["role"] for event in request["events"]] == [
        "same", "changed", "same", "only-a", "same",
    ]  # fmt: skip


# The command


def command(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["diff", *map(str, arguments)])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    for name, status in (("a", 200), ("b", 500)):
        trace = traced(answers(b"x", status=status), get("/"), get("/other"))
        write_trace(trace, tmp_path / f"{name}.jsonl")
    return tmp_path / "a.jsonl", tmp_path / "b.jsonl"


def test_exit_codes_are_those_of_diff(files: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = files
    assert command(a, a).exit_code == 0
    assert command(a, b).exit_code == 1
    for bad in (tmp_path / "missing.jsonl", Path(__file__)):
        result = command(a, bad)
        assert result.exit_code == 2
        assert result.stderr.startswith("asgi-lab: ")
        assert result.stderr.count("\n") == 1
    assert command(a, b, "--conn", 99).exit_code == 2
    assert command(a).exit_code == 2


def test_what_the_command_says(files: tuple[Path, Path]) -> None:
    a, b = files
    said = command(a, b).stdout
    assert said.splitlines()[0].startswith("A  ")
    assert "2 of 2 requests differ: status 200 → 500 (2 of them)." in said
    one = command(a, b, "--view", "sequence", "--conn", 3)
    assert one.stdout.count("http.response.start") == 2
    assert "GET /other" in one.stdout
    first = command(a, b, "--view", "sequence")
    assert "--conn N shows another" in first.stderr
    told = json.loads(command(a, b, "--format", "json").stdout)
    assert told["verdict"] == "2 of 2 requests differ: status 200 → 500 (2 of them)."
