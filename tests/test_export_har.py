"""The HTTP archive, held against HAR 1.2 as a schema."""

import asyncio
import gzip
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from asgi_lab import Trace, expect, get, post, run, ws
from asgi_lab.events import Event
from asgi_lab.export.har import write_har
from asgi_lab.samples.fastapi_app import app
from asgi_lab.view.sample import sample_trace


def record(required: str, optional: str = "", **special: Any) -> dict[str, Any]:
    """A schema of an object: `name:type`, and what has a schema of its own."""
    properties: dict[str, Any] = {"comment": {"type": "string"}}
    names = []
    for word in (*required.split(), *optional.split()):
        name, _, kind = word.partition(":")
        properties[name] = special.get(name, {"type": kind or "string"})
        names.append(name)
    needed = names[: len(required.split())]
    return {"type": "object", "required": needed, "properties": properties,
            "patternProperties": {"^_": {}}, "additionalProperties": False}  # fmt: skip


def some(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


TIME = {"type": "number", "minimum": 0}
MAYBE = {"type": "number", "minimum": -1}
PAIR = record("name value")
COOKIE = record("name value", "path domain expires httpOnly:boolean secure:boolean")
MESSAGE = record("type time:number opcode:integer data", type={"enum": ["send", "receive"]})
REQUEST = record(
    "method url httpVersion cookies headers queryString headersSize:integer bodySize:integer",
    "postData",
    url={"type": "string", "format": "uri", "pattern": r"^[a-z]+://[^\s\[\]\"<>\\^`{|}]+$"},
    cookies=some(COOKIE),
    headers=some(PAIR),
    queryString=some(PAIR),
    postData=record("mimeType", "text params:array"),
)
RESPONSE = record(
    "status:integer statusText httpVersion cookies headers content redirectURL "
    "headersSize:integer bodySize:integer",
    cookies=some(COOKIE),
    headers=some(PAIR),
    content=record("size:integer mimeType", "compression:integer text encoding"),
)
TIMINGS = record(
    "send wait receive", "blocked dns connect ssl",
    send=TIME, wait=TIME, receive=TIME, blocked=MAYBE, dns=MAYBE, connect=MAYBE, ssl=MAYBE,
)  # fmt: skip
ENTRY = record(
    "startedDateTime time request response cache timings",
    "pageref serverIPAddress connection _webSocketMessages",
    startedDateTime={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$"},
    time=TIME,
    request=REQUEST,
    response=RESPONSE,
    cache=record("", "beforeRequest:object afterRequest:object"),
    timings=TIMINGS,
    serverIPAddress={"type": "string", "format": "ipv4"},
    _webSocketMessages=some(MESSAGE),
)
LOG = record(
    "version creator entries", "browser:object pages:array",
    version={"const": "1.2"}, creator=record("name version"), entries=some(ENTRY),
)  # fmt: skip
HAR = record("log", log=LOG)
"""HAR 1.2, section by section; names with an underscore are for whoever wants more."""


def archived(trace: Trace, folder: Path, name: str = "trace.har") -> list[dict[str, Any]]:
    path = folder / name
    write_har(trace, path)
    data = path.read_bytes()
    archive = json.loads(gzip.decompress(data) if name.endswith(".gz") else data)
    jsonschema.validate(archive, HAR, format_checker=jsonschema.FormatChecker())
    entries: list[dict[str, Any]] = archive["log"]["entries"]
    for entry in entries:
        known = [value for value in entry["timings"].values() if value >= 0]
        assert entry["time"] == pytest.approx(sum(known), abs=1e-6)
    dates = [entry["startedDateTime"] for entry in entries]
    assert dates == sorted(dates)
    return entries


def traced(*clients: Any, target: Any = app, **settings: Any) -> Trace:
    return asyncio.run(run(target, *clients, **settings))


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body, after a second, in two pieces, the second a second later."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await asyncio.sleep(1)
    headers = [(b"content-type", b"text/x"), (b"set-cookie", b"id=7; Path=/"), (b"location", b"/y")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await asyncio.sleep(2)
    await send({"type": "http.response.body", "body": b"."})
    await asyncio.sleep(4)  # what comes after the answer is not the client's


def test_a_request_and_its_answer(tmp_path: Path) -> None:
    sent = {"cookie": "a=1; b=2", "authorization": "Bearer abcdefgh", "content-type": "text/y"}
    request = post("/x?a=1&token=t&b=", b"hello", headers=sent)
    (entry,) = archived(traced(request, target=echo), tmp_path)
    asked, answer = entry["request"], entry["response"]
    assert entry["startedDateTime"] == "2025-01-01T00:00:00.000000Z"
    assert asked["url"] == "http://127.0.0.1:8000/x?a=1&token=%5Bredacted%5D&b="
    assert (asked["method"], asked["httpVersion"], asked["bodySize"]) == ("POST", "HTTP/1.1", 5)
    assert asked["queryString"] == [
        {"name": "a", "value": "1"}, {"name": "token", "value": "[redacted]"},
        {"name": "b", "value": ""},
    ]  # fmt: skip
    assert {"name": "authorization", "value": "Bearer [redacted]"} in asked["headers"]
    assert asked["cookies"] == [
        {"name": "a", "value": "[redacted]"}, {"name": "b", "value": "[redacted]"},
    ]  # fmt: skip
    assert asked["postData"] == {"mimeType": "text/y", "text": "hello"}
    assert (answer["status"], answer["statusText"]) == (201, "Created")
    assert answer["content"] == {"size": 6, "mimeType": "text/x", "text": "hello."}
    assert answer["cookies"] == [{"name": "id", "value": "[redacted]"}]
    assert answer["redirectURL"] == "/y"
    assert entry["timings"] == {
        "blocked": -1, "dns": -1, "connect": -1, "ssl": -1,
        "send": 0, "wait": 1000, "receive": 2000,
    }  # fmt: skip
    assert (entry["serverIPAddress"], entry["connection"]) == ("127.0.0.1", "50000")


def test_bodies_as_far_as_they_are_known(tmp_path: Path) -> None:
    (entry,) = archived(traced(post("/", b"x" * 1000), target=echo), tmp_path)
    assert entry["request"]["postData"]["text"] == "x" * 256
    assert entry["request"]["postData"]["comment"] == (
        "the first 256 bytes of 1,000: a trace keeps no more"
    )
    content = entry["response"]["content"]
    assert (content["size"], content["text"]) == (1001, "x" * 256)
    assert "of 1,001" in content["comment"]


def test_bodies_that_are_no_text(tmp_path: Path) -> None:
    (entry,) = archived(traced(post("/", bytes(range(256))), target=echo), tmp_path)
    content = entry["response"]["content"]
    assert content["encoding"] == "base64"
    assert b64decode(content["text"]) == bytes(range(256)) + b"."


def test_a_websocket(tmp_path: Path) -> None:
    async def talks(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await asyncio.sleep(1)
        await send({"type": "websocket.send", "bytes": b"\xff\x00"})
        await send({"type": "websocket.close", "code": 4000})

    (entry,) = archived(traced(ws("/chat", "hi", expect(b"\xff\x00")), target=talks), tmp_path)
    assert entry["request"]["url"] == "ws://127.0.0.1:8000/chat"
    assert entry["response"]["status"] == 101
    assert entry["_resourceType"] == "websocket"
    assert entry["_webSocketMessages"] == [
        {"type": "send", "time": 1735689600.0, "opcode": 1, "data": "hi"},
        {"type": "receive", "time": 1735689601.0, "opcode": 2, "data": "/wA="},
    ]
    assert "closed with 4000" in entry["comment"]


def test_what_went_wrong(tmp_path: Path) -> None:
    entries = archived(traced(get("/fail"), get("/nope")), tmp_path)
    assert [entry["response"]["status"] for entry in entries] == [500, 404]
    assert "the app raised ValueError: the sample fails here" in entries[0]["comment"]


@pytest.mark.parametrize("cut", [3, 5, 8])
def test_what_is_still_in_flight(tmp_path: Path, cut: int) -> None:
    entry, *_ = archived(sample_trace()[:cut], tmp_path)
    assert "still in flight" in entry["comment"]
    assert entry["response"]["status"] == 0


def test_wsgi(tmp_path: Path) -> None:
    def hello(environ: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no"]

    (entry,) = archived(traced(get("/a b?x=1"), target=hello), tmp_path)
    assert entry["request"]["url"] == "http://127.0.0.1:8000/a%20b?x=1"
    assert entry["response"]["content"]["text"] == "no"


def test_addresses_of_any_bytes(tmp_path: Path) -> None:
    scope = {"type": "http", "method": "GET", "path": "/\udcff é[x]", "query_string": "a=\udcff|"}
    trace = Trace((Event(0, 1, 1, 0, "scope", 1, scope), Event(1, 5, 1, 0, "return", 1, {})))
    (entry,) = archived(trace, tmp_path)
    assert entry["request"]["url"] == "http://localhost/%FF%20%C3%A9%5Bx%5D?a=%FF%7C"


def test_real_servers(tmp_path: Path) -> None:
    entries = archived(traced(get("/fast"), ws("/echo", "a"), server="uvicorn"), tmp_path)
    assert {entry["response"]["status"] for entry in entries} == {200, 101}


def test_compressed(tmp_path: Path) -> None:
    assert archived(sample_trace(), tmp_path, "x.har.gz") == archived(sample_trace(), tmp_path)
