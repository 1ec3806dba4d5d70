"""Traces that nobody recorded so: whatever stands in a file, exports and diffs make do with it."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from asgi_lab import Trace, diff, get, post, run, ws
from asgi_lab.difference import as_json
from asgi_lab.export.har import archive
from asgi_lab.export.perfetto import document
from asgi_lab.export.spans import spans_of
from asgi_lab.samples.fastapi_app import app
from asgi_lab.scene.difference import difference
from asgi_lab.view.difference import as_text

JUNK = (None, "x", -5, 3.5, True, [], ["a"], [["a", "b"], 3], {}, {"a": 1}, "\ud800\udcff", 10**30)


@pytest.fixture(scope="module")
def whole() -> Trace:
    requests = (
        get("/fast"),
        post("/thread", b"x"),
        get("/blocking"),
        get("/fail"),
        ws("/echo", "a"),
    )
    return asyncio.run(run(app, *requests, post("/fast", b"x"), ws("/echo", "a")))


def broken(trace: Trace, seed: int) -> Trace:
    """The trace with events missing, and values that are something else."""
    chance = random.Random(seed)
    events = []
    for event in trace:
        data = dict(event.data)
        if data and chance.random() < 0.15:
            data[chance.choice(list(data))] = chance.choice(JUNK)
        if chance.random() > 0.03:
            events.append(event._replace(data=data))
    return trace.of(events)


def compared(trace: Trace) -> Any:
    found = diff(trace, trace[::2])
    return as_text(found).encode(), json.dumps(as_json(found)), difference(found)


@pytest.mark.parametrize(
    "export",
    [
        lambda trace: json.loads(document(trace).encode()),
        lambda trace: json.dumps(archive(trace)),
        lambda trace: encode_spans(spans_of(trace, "x", layers=True)).SerializeToString(),
        compared,
    ],
    ids=["perfetto", "har", "otlp", "diff"],
)
def test_whatever_stands_there(
    whole: Trace, export: Callable[[Trace], Any], caplog: pytest.LogCaptureFixture
) -> None:
    for seed in range(10):
        assert export(broken(whole, seed))
    assert not caplog.records
