"""Spans, received over HTTP by a real receiver, which reads them as any collector would."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from asgi_lab import Trace, get, post, run, ws
from asgi_lab.export import ExportError
from asgi_lab.export.otlp import send_otlp
from asgi_lab.samples.fastapi_app import app

SERVER, INTERNAL = Span.SpanKind.SPAN_KIND_SERVER, Span.SpanKind.SPAN_KIND_INTERNAL


class Collector(ThreadingHTTPServer):
    """It takes what is posted; `answers` says how, if not with 200."""

    def __init__(self, status: int = 200, body: bytes = b"", kind: str = "text/plain") -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.answer = (status, body, kind)
        self.requests: list[tuple[str, ExportTraceServiceRequest]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for _, request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def span(self, path: str) -> Span:
        """The SERVER span of a request."""
        return next(s for s in self.spans if attributes(s).get("url.path") == path)


class Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.headers["content-type"] == "application/x-protobuf"
        self.server.requests.append((self.path, ExportTraceServiceRequest.FromString(body)))
        status, answer, kind = self.server.answer
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def collecting(*answer: Any) -> Iterator[Collector]:
    collector = Collector(*answer)
    thread = threading.Thread(target=collector.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield collector
    finally:
        collector.shutdown()
        thread.join()
        collector.server_close()


def traced(*clients: Any, target: Any = app, **settings: Any) -> Trace:
    return asyncio.run(run(target, *clients, **settings))


def sent(trace: Trace, **settings: Any) -> Collector:
    with collecting() as collector:
        assert send_otlp(trace, collector.url, **settings) == len(collector.spans)
    return collector


def attributes(of: Any) -> dict[str, Any]:
    return {item.key: plain(item.value) for item in of.attributes}


def plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [plain(v) for v in value.array_value.values] if kind == "array_value" else getattr(
        value, kind
    )  # fmt: skip


def test_one_span_a_request() -> None:
    trace = traced(get("/fast?a=1&token=x"), get("/nope"))
    collector = sent(trace)
    ((path, request),) = collector.requests
    assert path == "/v1/traces"
    (resource,) = request.resource_spans
    about = attributes(resource.resource)
    assert about["service.name"] == "asgi-lab"
    assert resource.scope_spans[0].scope.name == "asgi-lab"
    span, other = collector.spans
    assert (span.name, span.kind) == ("GET", SERVER)
    known = attributes(span)
    known.pop("asgi_lab.first_byte")
    assert known == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.request.body.size": 0,
        "http.response.body.size": 17,
        "url.path": "/fast",
        "url.query": "a=1&token=[redacted]",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": 8000,
        "client.address": "127.0.0.1",
        "client.port": 50000,
        "network.protocol.name": "http",
        "network.protocol.version": "1.1",
        "user_agent.original": "asgi-lab",
        "asgi_lab.connection": 2,
    }
    assert span.status.code == other.status.code == 0
    assert attributes(other)["http.response.status_code"] == 404
    assert span.trace_id != other.trace_id
    assert not span.parent_span_id


def test_times_are_those_of_the_wall_clock() -> None:
    trace = traced(get("/slow"))
    span = sent(trace).spans[0]
    begin = next(event.t for event in trace if event.kind == "scope" and event.type == "http")
    assert span.start_time_unix_nano == trace.header["started"] + begin
    assert span.end_time_unix_nano - span.start_time_unix_nano == 500_000_000


def test_a_failure() -> None:
    span = sent(traced(get("/fail"))).span("/fail")
    assert attributes(span)["error.type"] == "ValueError"
    assert span.status.code == 2
    assert span.status.message == "ValueError: the sample fails here, on purpose"
    exception = next(event for event in span.events if event.name == "exception")
    assert attributes(exception)["exception.type"] == "ValueError"
    assert attributes(exception)["asgi_lab.at"].startswith("asgi_lab/samples/fastapi_app.py:")


def test_a_stream_is_one_event() -> None:
    async def streams(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 503, "headers": []})
        for _ in range(99):
            await asyncio.sleep(0.01)
            await send({"type": "http.response.body", "body": b"12", "more_body": True})
        await send({"type": "http.response.body", "body": b"12"})

    span = sent(traced(post("/", b"hi"), target=streams)).spans[0]
    assert [event.name for event in span.events] == ["http.response.start", "http.response.body"]
    assert attributes(span.events[1]) == {
        "asgi_lab.messages": 100, "asgi_lab.bytes": 200, "asgi_lab.seconds": 0.98,
    }  # fmt: skip
    assert attributes(span)["error.type"] == "503"


def test_a_websocket() -> None:
    span = sent(traced(ws("/echo", "a", "b"))).span("/echo")
    assert span.name == "websocket"
    known = attributes(span)
    assert known["http.response.status_code"] == 101
    assert known["asgi_lab.close_code"] == 1000
    assert known["network.protocol.name"] == "websocket"
    assert [event.name for event in span.events if "websocket" in event.name] == [
        "websocket.connect", "websocket.accept", "websocket.receive", "websocket.send",
        "websocket.receive", "websocket.send", "websocket.disconnect",
    ]  # fmt: skip


def test_inner_spans_only_where_they_explain_time() -> None:
    spans = sent(traced(get("/slow"), get("/thread"), get("/blocking"))).spans
    by_id = {span.span_id: span for span in spans}
    inner = [
        (span.name, attributes(by_id[span.parent_span_id])["url.path"],
         span.end_time_unix_nano - span.start_time_unix_nano)
        for span in spans
        if span.kind == INTERNAL
    ]  # fmt: skip
    ms = 1_000_000
    assert ("event loop held by another", "/slow", 300 * ms) in inner
    assert ("thread in a thread", "/thread", 600 * ms) in inner  # it queued as long as it took
    assert ("holds the event loop", "/blocking", 300 * ms) in inner
    call = next(span for span in spans if span.name == "thread in a thread")
    assert attributes(call)["asgi_lab.queued"] == 0.3
    holds = next(span for span in spans if span.name == "holds the event loop")
    assert attributes(holds)["asgi_lab.calls"][0].startswith("time.sleep at asgi_lab/samples/")


def test_layers_if_wanted() -> None:
    trace = traced(get("/fast"))
    assert len(sent(trace).spans) == 1
    spans = sent(trace, layers=True).spans
    names = {span.span_id: span.name for span in spans}
    parents = {span.name: names.get(span.parent_span_id) for span in spans}
    assert parents["ServerErrorMiddleware"] == "GET"
    assert parents["APIRouter"] == "AsyncExitStackMiddleware"


def test_it_is_a_child_of_who_called() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    called = sent(traced(get("/fast", headers={"traceparent": parent}))).spans[0]
    assert called.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert called.parent_span_id.hex() == "b7ad6b7169203331"
    broken = sent(traced(get("/fast", headers={"traceparent": "00-nonsense"}))).spans[0]
    assert not broken.parent_span_id


def test_who_sends_twice_has_it_once() -> None:
    trace = traced(get("/fast"), get("/thread"))
    once, twice = sent(trace).spans, sent(trace).spans
    assert once == twice
    assert len({span.span_id for span in once}) == len(once)
    assert sent(traced(get("/slow"))).spans[0].trace_id != once[0].trace_id


def test_the_name_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(traced(get("/fast")).events, {"target": "shop:app", "started": 1, "pid": 7})

    def name(**settings: Any) -> Any:
        resource = sent(trace, **settings).requests[0][1].resource_spans[0].resource
        return attributes(resource)["service.name"]

    assert name() == "shop:app"
    assert name(service="cart") == "cart"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "till")
    assert name() == "till"


def test_wsgi() -> None:
    def hello(environ: Any, start_response: Any) -> list[bytes]:
        start_response("201 Created", [])
        return [b"hi"]

    span = sent(traced(post("/a", b"xyz"), target=hello)).spans[0]
    known = attributes(span)
    assert (span.name, known["http.response.status_code"]) == ("POST", 201)
    assert known["network.protocol.version"] == "1.1"
    assert known["client.port"] == 50000


def test_many_go_in_batches() -> None:
    async def hello(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hi"})

    collector = sent(traced(600 * [get("/fast")], target=hello))
    assert len(collector.spans) == 600
    assert len(collector.requests) == 2


def test_a_path_of_ones_own_is_kept() -> None:
    with collecting() as collector:
        send_otlp(traced(get("/fast")), f"{collector.url}/api/otel/traces")
    assert collector.requests[0][0] == "/api/otel/traces"


REJECTED = ExportTraceServiceResponse()
REJECTED.partial_success.rejected_spans = 1
REJECTED.partial_success.error_message = "too old"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((404, b"", "text/plain"), "/v1/traces answered 404 Not Found"),
        ((401, b"who are you?\n", "text/plain"), "answered 401 Unauthorized: who are you?"),
        ((302, b"", "text/html"), "answered 302 Found"),
        ((500, b"<html>", "text/html"), "answered 500 Internal Server Error"),
        ((200, REJECTED.SerializeToString(), "application/x-protobuf"), "1 span: too old"),
    ],
)
def test_a_collector_that_refuses(
    answer: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with collecting(*answer) as collector, pytest.raises(ExportError) as failure:
        send_otlp(traced(get("/fast")), collector.url)
    assert str(failure.value).startswith(collector.url)
    assert str(failure.value).endswith(message)
    assert not caplog.records


def test_nobody_there(caplog: pytest.LogCaptureFixture) -> None:
    trace = traced(get("/fast"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ExportError) as failure:
        send_otlp(trace, f"http://127.0.0.1:{port}")
    assert str(failure.value) == (
        f"http://127.0.0.1:{port}/v1/traces cannot be reached: Connection refused"
    )
    with pytest.raises(ExportError, match="cannot be reached: Name or service not known"):
        send_otlp(trace, "http://no.such.host.invalid:4318")
    assert not caplog.records


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://x", "http://", "http://x:port", ""])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ExportError, match="expected the URL of a collector"):
        send_otlp(Trace(), url)
