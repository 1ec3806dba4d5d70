"""No secret leaves the process: not to memory, not to a file, not to a screen."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_lab import trace
from asgi_lab.atoms import PREVIEW
from asgi_lab.redact import MASK, is_secret, mask, mask_text
from tests.driver import CONNECT, http, observe, request, text, websocket

S = "s3cr3tVALUE"
"""The secret: it must be nowhere."""

HEADERS = [
    (b"authorization", f"Bearer {S}".encode()),
    (b"Authorization", f"Basic {S}".encode()),
    (b"authorization", S.encode()),
    (b"proxy-authorization", f"Digest username=x, response={S}".encode()),
    (b"cookie", f"a={S}; session={S}".encode()),
    (b"cookie", f"{S}".encode()),
    (b"set-cookie", f"sid={S}; Path=/; HttpOnly".encode()),
    (b"x-api-key", S.encode()),
    (b"x-auth-token", S.encode()),
    (b"x-csrftoken", S.encode()),
    (b"x-amz-security-token", S.encode()),
    (b"referer", f"https://x.test/?a=1&token={S}".encode()),
    (b"location", f"/callback?code={S}&state=7".encode()),
    (b"location", f"https://user:{S}@x.test/".encode()),
    ("authorization", f"Bearer {S}"),
    ["authorization", f"Bearer {S}".encode()],
    (b"authorization", bytearray(S.encode())),
    (b"x-token", [S]),
]
PATHS = [f"/?token={S}", f"/?a=b&api_key={S}", f"/;session={S}", f"/?access%5Ftoken={S}"]
BODIES = [
    f'{{"password": "{S}"}}',
    f'{{"user": {{"apiKey":"{S}"}}, "n": 1}}',
    f'{{"tokens": 3, "token" : "{S}',
    f"{{'secret': '{S}'}}",
    f'{{"password": 1234, "pin": "{S}"}}',
    f'"{{\\"password\\": \\"{S}\\"}}"',
    f"user=me&password={S}&x=y",
    f"password={S}",
    f'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{S}\r\n--b--',
    f"see https://me:{S}@x.test/path",
    f"Authorization: Bearer {S}",
]


def everything(traced: Any, path: Path) -> str:
    """All that a trace and its file hold, as text."""
    traced.ticker.stop()
    found = traced.trace
    held = str([(e.kind, dict(e.data)) for e in found])
    return held + str(found) + path.read_text() + str(traced.recorder.read())


def app_of(*messages: Any, error: str = "") -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for message in messages:
            await send(message)
        if error:
            raise ValueError(error)

    return app


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.jsonl"


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_headers_are_masked_in_both_directions(header: Any, path: Path) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [header]}
    more = {"type": "http.response.trailers", "headers": [header], "more_trailers": False}
    traced = trace(app_of(start, more), record=path)
    for _ in range(2):  # the second time, headers may be known already
        observe(traced, http(headers=[header]), [request()])
    assert S not in everything(traced, path)


@pytest.mark.parametrize("url", PATHS)
def test_queries_and_paths_are_masked(url: str, path: Path) -> None:
    class Middleware:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, *args: Any) -> None:
            await self.app(*args)

    traced = trace(Middleware(app_of()), record=path)
    observe(traced, http(url), [request()])
    observe(traced, websocket(url), [CONNECT])
    assert S not in everything(traced, path)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("drained", [False, True])
def test_bodies_messages_and_errors_are_masked(body: str, drained: bool, path: Path) -> None:
    data = body.encode()
    sent: list[Any] = [
        {"type": "http.response.body", "body": data},
        {"type": "http.response.body", "body": bytearray(data)},
        {"type": "websocket.send", "text": body},
        {"type": "websocket.send", "bytes": data},
        {"type": "lifespan.startup.failed", "message": body},
        {"type": "x", "deep": {"a": [body, {"password": S}]}},
    ]
    traced = trace(app_of(*sent, error=body), record=path)
    observe(traced, http(), [request(data)])
    observe(traced, websocket(), [text(body)])
    if drained:
        traced.recorder.drain()
        traced.recorder.compress()
    assert S not in everything(traced, path)


def test_what_one_debugs_with_stays() -> None:
    assert mask_text("a=b&author=me&max_tokens=7") == "a=b&author=me&max_tokens=7"
    assert mask_text('{"status": "ok", "keys": [1]}') == '{"status": "ok", "keys": [1]}'
    headers = [(b"cookie", b"a=1; b=2"), (b"authorization", b"Bearer xyz"), (b"accept", b"*/*")]
    traced = trace(app_of())
    observe(traced, http(headers=headers), [request()])
    kept = dict(traced.trace[0].data["headers"])
    assert kept["cookie"] == f"a={MASK}; b={MASK}"
    assert kept["authorization"] == f"Bearer {MASK}"
    assert kept["accept"] == "*/*"


def test_without_redaction_everything_stays(path: Path) -> None:
    traced = trace(app_of(), redact=False, record=path)
    observe(traced, http(f"/?token={S}", headers=[(b"cookie", f"a={S}".encode())]), [request()])
    held = everything(traced, path)
    assert held.count(S) >= 4
    assert MASK not in held
    observe(trace(app_of()), http(headers=[(b"cookie", f"a={S}".encode())]), [request()])


def test_the_message_itself_is_not_touched() -> None:
    message = {"type": "http.response.start", "status": 200, "headers": [[b"cookie", S.encode()]]}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return request()

    asyncio.run(trace(app_of(message))(http(), receive, send))
    assert sent[0] is message
    assert message["headers"] == [[b"cookie", S.encode()]]


@pytest.mark.parametrize("position", range(PREVIEW - 40, PREVIEW + 1))
def test_a_secret_at_the_end_of_the_preview_is_masked(position: int, path: Path) -> None:
    """The body is cut before it is masked: the cut may fall anywhere."""
    body = b'{"x": "' + b"x" * position + b'", "password": "' + S.encode() + b'"}'
    traced = trace(app_of({"type": "http.response.body", "body": body}), record=path)
    observe(traced, http(), [request()])
    held = everything(traced, path)
    assert S[:2] not in held


@given(st.text())
def test_masking_never_fails_and_masks_once(anything: str) -> None:
    for value in (anything, anything.encode("utf-8", "surrogatepass"), (anything,), {anything: 1}):
        mask(value)
    once = mask_text(f"password={S}&{anything}")
    assert mask_text(once) == once or MASK in once


@given(st.sampled_from(["password", "api_key", "accessToken", "X-Auth-Token", "csrf"]), st.text())
def test_a_secret_in_json_is_masked_whatever_it_is(key: str, secret: str) -> None:
    import json

    body = json.dumps({"a": 1, key: secret + S, "z": 2})
    assert S not in mask_text(body)
    assert mask_text(body).endswith('"z": 2}')


@pytest.mark.parametrize(
    ("key", "secret"),
    [("token", True), ("Token", True), ("accessToken", True), ("API-KEY", True), ("pwd", True),
     ("sessionid", True), ("code", True), ("x_signature", True), ("author", False), ("key", False),
     ("keyboard", False), ("tokens_used", False), ("status_code", False), ("passenger", False),
     ("design", False), ("", False), ("%", False)],
)  # fmt: skip
def test_which_keys_are_secret(key: str, secret: bool) -> None:
    assert is_secret(key) is secret
