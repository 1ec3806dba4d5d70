"""A trace as real spans to a real collector: OTLP over HTTP, with OpenTelemetry's own exporter.

    send_otlp(trace, "http://localhost:4318")

The road for whoever outgrows one machine: what asgi-lab saw of a request stands in Jaeger, Tempo or
what else there is, beside the spans of the services that called it. Needs `asgi-lab[otel]`.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from asgi_lab.events import Trace
from asgi_lab.export import ExportError
from asgi_lab.plain import clean, count, shorten

PATH = "/v1/traces"
BATCH = 512
"""Spans sent at a time."""

TIMEOUT = 10.0
"""Seconds for each batch."""

GRPC = 4317


def send_otlp(trace: Trace, url: str, *, service: str | None = None, layers: bool = False) -> int:
    """Send a trace to a collector; return how many spans it took.

    `url` is the collector's: without a path, `/v1/traces` is added. `service` is the name under
    which they appear: by default `OTEL_SERVICE_NAME`, or the target that was traced. `layers` sends
    a span a middleware, too. Headers and certificates are those of the `OTEL_EXPORTER_OTLP_...`
    variables. Raises `ExportError` if the packages are missing, or the collector does not take it.
    """
    endpoint = endpoint_of(url)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        from asgi_lab.export.spans import spans_of
    except ImportError as error:
        raise ExportError(
            f"sending spans needs OpenTelemetry's packages ({error}): pip install 'asgi-lab[otel]'"
        ) from None
    spans = spans_of(trace, service or service_of(trace), layers)
    session = watched_session()
    with quiet():
        exporter: Any = OTLPSpanExporter(endpoint, timeout=TIMEOUT, session=session)
        try:
            for start in range(0, len(spans), BATCH):
                send(exporter, spans[start : start + BATCH], session, endpoint, start)
        finally:
            exporter.shutdown()
    return len(spans)


def send(exporter: Any, batch: list[Any], session: Any, endpoint: str, before: int) -> None:
    """Send one batch. Raises `ExportError` if it did not arrive."""
    session.trouble = ""
    try:
        exporter.export(batch)
    except Unreached:
        pass
    if session.trouble:
        arrived = f" ({count(before, 'span')} arrived before)" if before else ""
        raise ExportError(f"{endpoint} {session.trouble}{arrived}")


def endpoint_of(url: str) -> str:
    """Return where spans are to be posted. Raises `ExportError` if that is no URL."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ExportError(
            "expected the URL of a collector for OTLP over HTTP, such as http://localhost:4318, "
            f"got {url!r}"
        )
    return url if parts.path.strip("/") else parts._replace(path=PATH).geturl()


def service_of(trace: Trace) -> str:
    """Return the name of what was traced: `main:app`."""
    named = os.environ.get("OTEL_SERVICE_NAME") or trace.header.get("target")
    return clean(named or "asgi-lab")


class Unreached(Exception):
    """Nobody answered. The exporter takes it for final, and does not try for ten seconds more."""


def watched_session() -> Any:
    """Return an HTTP session that remembers in `trouble` why a batch did not arrive."""
    import requests

    class Watched(requests.Session):
        trouble = ""

        def request(self, method: Any, url: Any, *args: Any, **named: Any) -> Any:
            try:
                response = super().request(method, url, *args, **named)
            except requests.RequestException as error:
                self.trouble = f"cannot be reached: {reason(error)}{hint(str(url))}"
                raise Unreached(self.trouble) from error
            self.trouble = refusal(response)
            return response

    return Watched()


def refusal(response: Any) -> str:
    """Return why a collector did not take all; empty if it did."""
    if not 200 <= response.status_code < 300:
        said = shorten(clean(response.text.strip()), 200) if is_text(response) else ""
        reason = f"{response.status_code} {clean(response.reason or '')}".strip()
        return f"answered {reason}{f': {said}' if said else ''}"
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceResponse,
    )

    try:
        partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    except Exception:  # an answer in JSON, or none that it should give: it took them
        return ""
    if not partial.rejected_spans:
        return ""
    why = clean(partial.error_message)
    return f"rejected {count(partial.rejected_spans, 'span')}{f': {why}' if why else ''}"


def is_text(response: Any) -> bool:
    """Return whether an answer is for people."""
    return str(response.headers.get("content-type", "")).startswith(
        ("text/plain", "application/js")
    )


def reason(error: BaseException) -> str:
    """Return what is at the bottom of a chain of errors: `Connection refused`."""
    inner: Any = error
    while True:
        following = getattr(inner, "reason", None) or inner.__cause__ or inner.__context__
        if not isinstance(following, BaseException):
            break
        inner = following
    return clean(getattr(inner, "strerror", None) or inner)


def hint(url: str) -> str:
    """Return what to do, for those who took the wrong port."""
    if urlsplit(url).port == GRPC:
        return f" ({GRPC} is the port for gRPC; OTLP over HTTP is at 4318)"
    return ""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporter from logging what is said in one message here."""
    loggers = [
        logging.getLogger(f"opentelemetry.exporter.otlp.{name}")
        for name in ("proto.http.trace_exporter", "common.http")
    ]
    were = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was in zip(loggers, were, strict=True):
            logger.disabled = was
