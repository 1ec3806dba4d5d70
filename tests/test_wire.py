"""What passes below ASGI, on a server that tells."""

import asyncio
import io
from typing import Any

import httpx
from rich.console import Console

from asgi_lab import get, post, run, trace, user, virtual
from asgi_lab.events import Trace
from asgi_lab.measures import Measures
from asgi_lab.server import Server
from asgi_lab.text import on_the_wire, trace_lines
from asgi_lab.view.terminal import render


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    size = 200_000 if scope["path"] == "/large" else 5
    await send({"type": "http.response.body", "body": b"x" * size, "more_body": True})
    await send({"type": "http.response.body"})


def on_lab(*clients: Any, **settings: Any) -> Trace:
    return asyncio.run(run(app, *clients, server="lab", clock=virtual(), **settings))


def wire_of(trace: Trace, path: str) -> list[tuple[Any, ...]]:
    conn = next(e.conn for e in trace if e.kind == "scope" and e.data.get("path") == path)
    wire = [event.data for event in trace if event.kind == "wire" and event.conn == conn]
    return [(data["what"], data.get("event")) for data in wire]


def test_a_request_on_the_wire() -> None:
    trace = on_lab(get("/"))
    told = wire_of(trace, "/")
    assert told[:4] == [
        ("open", None),
        ("bytes in", None),
        ("event", "Request"),
        ("event", "EndOfBody"),
    ]
    assert [what for what, _ in told].count("bytes out") >= 1
    first = next(e for e in trace if e.kind == "wire" and e.data["what"] == "bytes in")
    assert first.data["head"].startswith("GET / HTTP/1.1\nhost: ")
    assert first.data["size"] > len("GET / HTTP/1.1")


def test_each_request_of_a_kept_connection_has_its_own_bytes() -> None:
    trace = on_lab(user(get("/first"), post("/second", b"body")))
    assert ("open", None) in wire_of(trace, "/first")
    for path in ("/first", "/second"):
        told = wire_of(trace, path)
        assert told.count(("event", "Request")) == 1, told
        assert ("bytes in", None) in told
        assert ("bytes out", None) in told
    numbers = {event.data["tcp"] for event in trace if event.kind == "wire"}
    assert len(numbers) == 1


def test_what_an_app_does_after_its_answer_takes_no_bytes_of_the_next_request() -> None:
    async def lingering(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        await asyncio.sleep(10)

    clients = user(get("/first"), get("/second"))
    trace = asyncio.run(run(lingering, clients, server="lab", clock=virtual()))
    for path in ("/first", "/second"):
        told = wire_of(trace, path)
        assert told.count(("event", "Request")) == told.count(("bytes in", None)) == 1, told


async def over_http2(*paths: str) -> Trace:
    """Ask for all at once on one connection, by prior knowledge."""
    traced = trace(app)
    async with (
        Server(traced, lifespan="off", observe=traced.asgi_lab_observe) as server,
        httpx.AsyncClient(http1=False, http2=True, base_url=server.url) as client,
    ):
        await asyncio.gather(*(client.post(path, content=b"body") for path in paths))
    return traced.trace


def test_each_request_of_http2_has_its_own_stream() -> None:
    taken = asyncio.run(over_http2("/a", "/b"))
    streams = set()
    for path in ("/a", "/b"):
        conn = next(e.conn for e in taken if e.kind == "scope" and e.data["path"] == path)
        wire = [e for e in taken if e.kind == "wire" and e.conn == conn]
        stream = {e.data["stream"] for e in wire if "stream" in e.data}
        assert len(stream) == 1, wire
        streams |= stream
        told = [on_the_wire(e) for e in wire if "stream" in e.data]
        number = next(iter(stream))
        for name in ("Request", "Body", "EndOfBody"):
            assert told.count(f"stream {number}: {name}") == 1
        assert any(text.startswith(f"stream {number}: ") and " B out" in text for text in told)
        assert [e.data["what"] for e in wire].count("bytes in") >= 1
    assert streams == {1, 3}
    assert f"stream {min(streams)}: Request" in "\n".join(trace_lines(taken))


def test_a_slow_client_pauses_the_writing() -> None:
    trace = on_lab(get("/large", read_rate=50_000))
    whats = [what for what, _ in wire_of(trace, "/large")]
    assert whats.index("pause writing") < whats.index("resume writing")


def test_secrets_are_masked_and_bodies_not_kept() -> None:
    secret = {"authorization": "Bearer sesame12345", "cookie": "session=sesame12345"}
    request = post("/?token=sesame12345", b"sesame12345", headers=secret)
    assert "sesame" not in "".join(map(str, on_lab(request).filter("kind=wire")))
    bare = on_lab(request, redact=False)
    heads = [e.data["head"] for e in bare if e.kind == "wire" and e.data.get("head")]
    assert "Bearer sesame12345" in heads[0]
    assert not any(head.endswith("sesame12345\n\nsesame12345") for head in heads)


def test_no_other_server_tells() -> None:
    trace = asyncio.run(run(app, get("/"), server="uvicorn", clock=virtual()))
    assert not trace.filter("kind=wire")


def plain(trace: Trace, view: str) -> str:
    console = Console(width=100, color_system=None, record=True, file=io.StringIO())
    console.print(render(view, trace, width=100))
    return console.export_text()


def test_the_views_show_it() -> None:
    trace = on_lab(get("/"))
    lines = "\n".join(trace_lines(trace))
    assert "~ tcp 1: open (" in lines
    assert " in: GET / HTTP/1.1" in lines
    ladder = plain(trace, "sequence")
    assert "HTTP/1.1 200 OK" in ladder
    assert "not observed" not in ladder
    measures = Measures(keep=None)
    measures.feed(trace.events)
    assert measures.wire.connections == 1
    assert measures.wire.bytes_out > measures.wire.bytes_in > 0
    summary = plain(trace, "summary")
    assert "wire        1 connection, " in summary
