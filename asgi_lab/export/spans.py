"""A trace as OpenTelemetry's spans, under the names of its semantic conventions for HTTP.

One SERVER span a request. Its messages are span events, a stream of a hundred chunks one of them.
INTERNAL spans stand only where they explain time: a call in a worker thread, the event loop held
for long, by this request or by another; and layers, if they are wanted. A request that came with a
`traceparent` is a child of that span (W3C Trace Context).
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
)

from asgi_lab import __version__
from asgi_lab.connection import BLOCKED, HOLD
from asgi_lab.events import Event, Trace
from asgi_lab.export.exchanges import Exchange, address, began, exchanges, folded
from asgi_lab.message import header, number
from asgi_lab.plain import clean
from asgi_lab.scene.phases import NOBODY, Holds, holds_of, joined
from asgi_lab.scene.stalls import LONG

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY")
SCOPE = InstrumentationScope("asgi-lab", __version__)
Values = dict[str, Any]


def spans_of(trace: Trace, service: str, layers: bool = False) -> list[ReadableSpan]:
    """Return the spans of a trace, at the times of its wall clock.

    The same trace has the same identifiers each time: who sends it twice has it once.
    """
    every, measures = exchanges(trace)
    holds = holds_of(measures)
    resources: dict[int, Resource] = {}
    started = number(trace.header.get("started"))
    seed = f"{started}/{trace.digest}"
    found: list[ReadableSpan] = []
    for exchange in every:
        c = exchange.connection
        pid = c.pid or number(trace.header.get("pid"))
        if pid not in resources:
            resources[pid] = resource_of(service, pid, trace)
        own = NOBODY if c.type == "wsgi" else holds.get(c.pid, NOBODY)
        spans = Spans(exchange, measures.last, resources[pid], started, seed)
        found.append(spans.server())
        found += spans.threads()
        found += spans.held(own)
        found += spans.layers() if layers else ()
    return found


def resource_of(service: str, pid: int, trace: Trace) -> Resource:
    """Return who speaks: the service, its process and its Python, and what the environment adds."""
    return Resource.create(
        {
            "service.name": service,
            "process.pid": pid,
            "process.runtime.name": "cpython",
            "process.runtime.version": str(trace.header.get("python") or ""),
            "asgi_lab.server": str(trace.header.get("server") or ""),
        }
    )


class Spans:
    """The spans of one request."""

    def __init__(
        self, exchange: Exchange, last: int, resource: Resource, started: int, seed: str
    ) -> None:
        """Take a request of a trace that began at `started` (ns since 1970) and ends at `last`."""
        self._exchange = exchange
        self._last = last
        self._resource = resource
        self._began = started
        self._seed = f"{seed}/{exchange.connection.conn}"
        self._count = 0
        parent = header(exchange.scope.get("headers"), "traceparent")
        known = get_current_span(extract({"traceparent": parent})).get_span_context()
        self._parent = known if known.is_valid else None
        self._trace_id = known.trace_id if known.is_valid else self._number(16)
        self._context = self._identified()

    def server(self) -> ReadableSpan:
        """Return the span of the request itself."""
        c, attributes = self._exchange.connection, attributes_of(self._exchange)
        failed = error_type(self._exchange)
        if failed:
            attributes["error.type"] = failed
        if c.ended is None:
            attributes["asgi_lab.in_flight"] = True
        status = Status(StatusCode.ERROR, clean(c.error) or None) if failed else Status()
        return ReadableSpan(
            name_of(self._exchange),
            context=self._context,
            parent=self._parent,
            resource=self._resource,
            attributes=fitting(attributes),
            events=list(self._events()),
            kind=SpanKind.SERVER,
            status=status,
            start_time=self._at(c.started),
            end_time=self._at(c.until(self._last)),
            instrumentation_scope=SCOPE,
        )

    def threads(self) -> Iterator[ReadableSpan]:
        """Yield a span for each call in a worker thread, from when it was handed over."""
        handed: dict[tuple[int, int], list[Event]] = {}
        begun: dict[tuple[int, int], list[tuple[Event, Values]]] = {}
        for event in self._exchange.others:
            key = (event.task, began(event))
            if event.kind == "submit":
                handed.setdefault(key, []).append(event)
            elif event.kind == "work" and handed.get(key):
                waited = number(event.data.get("took")) / 1e9
                values: Values = {"thread.id": number(event.data.get("thread"))}
                values["asgi_lab.queued"] = waited
                begun.setdefault((event.task, event.t), []).append((handed[key].pop(0), values))
            elif event.kind == "worked" and begun.get(key):
                submit, values = begun[key].pop(0)
                name = clean(submit.data.get("call") or "a call")
                values["asgi_lab.outcome"] = clean(event.data.get("outcome"))
                yield self._child(f"{name} in a thread", submit.t, event.t, values)

    def held(self, holds: Holds) -> Iterator[ReadableSpan]:
        """Yield a span for each long stretch in which this request, or another, held the loop."""
        if self._exchange.connection.type == "wsgi":
            return
        blocks = [event for event in self._exchange.others if event.kind == "block"]
        for begin, end, what in joined(
            holds.cut(self._exchange.connection.phases_until(self._last))
        ):
            if end - begin < LONG:
                continue
            if what == BLOCKED:
                yield self._child("event loop held by another", begin, end, {})
            elif what == HOLD:
                calls = [
                    clean(f"{block.data.get('call')} at {block.data.get('at')}")
                    for block in blocks
                    if begin <= began(block) < end
                ]
                values = {"asgi_lab.calls": calls} if calls else {}
                yield self._child("holds the event loop", begin, end, values)

    def layers(self) -> Iterator[ReadableSpan]:
        """Yield a span for each layer, one within the other."""
        open_: dict[int, tuple[Event, SpanContext]] = {}
        for event in self._exchange.others:
            if event.kind == "scope":
                open_[event.layer] = (event, self._identified())
            elif event.kind in ("return", "raise", "cancel") and event.layer in open_:
                scope, context = open_.pop(event.layer)
                outer = open_.get(event.layer - 1)
                name = clean(scope.data.get("layer") or f"layer {event.layer}")
                values: Values = {"asgi_lab.layer": event.layer, "asgi_lab.outcome": event.kind}
                inside = outer[1] if outer else self._context
                yield self._child(name, scope.t, event.t, values, context, inside)

    def _events(self) -> Iterator[SpanEvent]:
        told: list[tuple[int, str, Values]] = []
        for run in folded(self._exchange.messages):
            values: Values = {"asgi_lab.messages": run.count}
            if run.size:
                values["asgi_lab.bytes"] = run.size
            if run.count > 1:
                values["asgi_lab.seconds"] = (run.last.t - run.first.t) / 1e9
            for key in ("status", "code"):
                if number(run.first.data.get(key)):
                    values[f"asgi_lab.{key}"] = run.first.data[key]
            told.append((run.first.t, clean(run.type), values))
        for event in self._exchange.others:
            if event.layer == 0 and event.kind == "raise":
                told.append((event.t, "exception", exception_of(event)))
            elif event.kind in ("finding", "mark"):
                words = {f"asgi_lab.{key}": clean(value) for key, value in event.data.items()}
                told.append((event.t, event.kind, words))
        for t, name, values in sorted(told, key=lambda one: one[0]):
            yield SpanEvent(name, fitting(values), self._at(t))

    def _child(
        self,
        name: str,
        begin: int,
        end: int,
        values: Values,
        context: SpanContext | None = None,
        parent: SpanContext | None = None,
    ) -> ReadableSpan:
        return ReadableSpan(
            name,
            context=context or self._identified(),
            parent=parent or self._context,
            resource=self._resource,
            attributes=fitting(values),
            kind=SpanKind.INTERNAL,
            start_time=self._at(begin),
            end_time=self._at(end),
            instrumentation_scope=SCOPE,
        )

    def _at(self, t: int) -> int:
        """Return a time of the trace as nanoseconds since 1970."""
        return self._began + t

    def _identified(self) -> SpanContext:
        sampled = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(self._trace_id, self._number(8), is_remote=False, trace_flags=sampled)

    def _number(self, size: int) -> int:
        """Return the next identifier of this request: so many bytes, never 0."""
        self._count += 1
        digest = hashlib.sha256(f"{self._seed}/{self._count}".encode()).digest()
        return int.from_bytes(digest[:size], "big") or 1


def name_of(exchange: Exchange) -> str:
    """Return a span's name: the method. A path is no name, for there are as many as clients like.

    Which route it was, a trace does not know.
    """
    c = exchange.connection
    if c.type == "websocket":
        return "websocket"
    return c.method if c.method in METHODS else "HTTP"


def attributes_of(exchange: Exchange) -> Values:
    """Return what the conventions have names for."""
    c, scope = exchange.connection, exchange.scope
    headers = scope.get("headers")
    method = "GET" if c.type == "websocket" else c.method
    server, client = exchange.host, address(scope.get("client"))
    values = {
        "http.request.method": method if method in METHODS else "_OTHER",
        "http.request.method_original": None if method in METHODS else clean(method),
        "http.response.status_code": c.status,
        "http.request.body.size": c.bytes_in if c.type != "websocket" else None,
        "http.response.body.size": c.bytes_out if c.type != "websocket" else None,
        "url.path": clean(scope.get("path") or c.path.partition("?")[0]),
        "url.query": clean(scope.get("query_string") or ""),
        "url.scheme": scope.get("scheme") or ("ws" if c.type == "websocket" else "http"),
        "server.address": clean(server[0]),
        "server.port": server[1],
        "client.address": clean(client[0]),
        "client.port": client[1],
        "network.protocol.name": "websocket" if c.type == "websocket" else "http",
        "network.protocol.version": exchange.version if c.type != "websocket" else None,
        "user_agent.original": clean(header(headers, "user-agent")),
        "asgi_lab.connection": c.conn,
        "asgi_lab.close_code": c.code,
        "asgi_lab.first_byte": None if c.first_byte is None else (c.first_byte - c.started) / 1e9,
    }
    return {key: value for key, value in values.items() if value not in (None, "")}


def error_type(exchange: Exchange) -> str:
    """Return what went wrong, as the conventions want it: an exception's name, or a status."""
    c = exchange.connection
    if c.outcome == "raised":
        return clean(c.error.partition(":")[0])
    if c.outcome == "cancelled":
        return "CancelledError"
    return str(c.status) if (c.status or 0) >= 500 else ""


def exception_of(event: Event) -> Values:
    """Return an exception as the conventions name its parts."""
    values = {
        "exception.type": clean(event.data.get("error") or "an error"),
        "exception.message": clean(event.data.get("message") or ""),
        "asgi_lab.at": clean(event.data.get("at") or ""),
    }
    return {key: value for key, value in values.items() if value}


def fitting(values: Values) -> Values:
    """Return what the protocol has room for: it knows no whole number of more than 64 bits."""
    return {
        key: value
        for key, value in values.items()
        if not isinstance(value, int) or value.bit_length() < 64
    }
