"""The client against real servers: Uvicorn for apps, a few raw bytes for broken servers."""

import asyncio
import gc
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from asgi_lab.client import Request, Result, drive, parse_header, parse_request, wait_ready
from asgi_lab.client.result import KEPT
from asgi_lab.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextmanager
def serving(app: ASGIApp, host: str = "127.0.0.1") -> Iterator[str]:
    """Uvicorn in a thread, on a socket that already listens: nobody has to wait for it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        config = uvicorn.Config(app, lifespan="off", ws="wsproto", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            port = listener.getsockname()[1]
            yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join()


@asynccontextmanager
async def raw(handler: Handler) -> AsyncIterator[str]:
    """A server that says whatever bytes it likes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def all_of(base: str, *requests: Request | str, **options: object) -> list[Result]:
    results: list[Result] = []
    parsed = [r if isinstance(r, Request) else parse_request(r) for r in requests]
    await drive(base, parsed, on_result=results.append, **options)  # type: ignore[arg-type]
    return results


def fetch(base: str, *requests: Request | str, **options: object) -> list[Result]:
    async def main() -> list[Result]:
        results = await all_of(base, *requests, **options)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return results

    results = asyncio.run(main())
    gc.collect()  # a leaked socket would warn here, and a warning is an error
    return results


async def respond(send: Send, body: bytes = b"", status: int = 200, more: bool = False) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def read_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


# ---- reading what a person wrote ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("GET /x", Request("GET", "/x")),
        ("/x?a=1", Request("GET", "/x?a=1")),
        ("  delete   /x ", Request("DELETE", "/x")),
        ("GET /a/../b//c;d", Request("GET", "/a/../b//c;d")),
        ('GET /café/%20?q="', Request("GET", "/caf%C3%A9/%20?q=%22")),
        ("POST /x", Request("POST", "/x")),
        (
            'POST /x {"a": [1, 2]}',
            Request("POST", "/x", (("content-type", "application/json"),), b'{"a": [1, 2]}'),
        ),
        (
            "POST /x a=b&c=",
            Request(
                "POST", "/x", (("content-type", "application/x-www-form-urlencoded"),), b"a=b&c="
            ),
        ),
        (
            "PUT /x  two  words ",
            Request("PUT", "/x", (("content-type", "text/plain; charset=utf-8"),), b"two  words"),
        ),
        ("WS /chat", Request("WS", "/chat")),
        ("ws /chat hello you", Request("WS", "/chat", messages=("hello you",))),
        ("WS /chat a | b|c |  | d", Request("WS", "/chat", messages=("a", "b|c", "", "d"))),
    ],
)
def test_a_request_as_a_person_writes_it(text: str, request_: Request) -> None:
    assert parse_request(text) == request_


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["METHOD /path", "GET /items", "got ''"]),
        ("GTE /x", ["'GTE /x'", "did you mean GET?"]),
        ("PSOT /x {}", ["did you mean POST?"]),
        ("KNIT /x", ["METHOD /path", "PATCH"]),
        ("GET", ["after GET", '"/"', "''"]),
        ("GET x", ["beginning with", "'x'"]),
        ("POST http://a/b", ["beginning with", "'http://a/b'"]),
        ("/x body", ["a method", '"POST /x body"']),
        ("GET /x#top", ["#", "never sent"]),
        ("POST /x @no-such-file", ["@no-such-file", "No such file"]),
    ],
)
def test_nonsense_is_told_what_was_expected(text: str, words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        parse_request(text)
    for word in words:
        assert word in str(caught.value)


def test_a_body_comes_from_a_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a picture.png").write_bytes(b"\x89PNG\xff")
    request = parse_request("POST /x @a picture.png")
    assert request.body == b"\x89PNG\xff"
    assert request.headers == (("content-type", "application/octet-stream"),)


@pytest.mark.parametrize("body", ["NaN", "[" * 100_000, "a=b&", "a=b c", "=b"])
def test_what_only_resembles_json_or_a_form_is_text(body: str) -> None:
    assert parse_request(f"POST /x {body}").headers[0][1].startswith("text/plain")


def test_a_given_content_type_wins() -> None:
    given = (("Content-Type", "application/vnd.x+json"), ("x-key", "1"))
    assert parse_request("POST /x {}", given).headers == given


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("x-key: 1", ("x-key", "1")),
        ("X-Key:a:b ", ("X-Key", "a:b")),
        ("empty:", ("empty", "")),
    ],
)
def test_a_header(text: str, header: tuple[str, str]) -> None:
    assert parse_header(text) == header


@pytest.mark.parametrize("text", ["x-key", ": 1", "x key: 1", "x-key : 1", "a: b\r\nc: d", "a: \0"])
def test_not_a_header(text: str) -> None:
    with pytest.raises(ValueError, match="header"):
        parse_header(text)


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, asgi_lab.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"httpx", "wsproto", "h11"} & set(done.stdout.split())


# ---- HTTP --------------------------------------------------------------------------------------


def test_words_stay_words_whatever_has_been_loaded() -> None:
    script = """
import pkgutil, types
import asgi_lab.client as client
for module in pkgutil.iter_modules(client.__path__, "asgi_lab.client."):
    __import__(module.name)
print([name for name in client.__all__ if isinstance(getattr(client, name), types.ModuleType)])
"""
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


def test_post_echo_with_path_headers_and_body() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await respond(send, await read_body(receive), 201)

    request = parse_request('POST /a/../b?q=é {"a": 1}', [("x-key", "1"), ("x-key", "ü")])
    with serving(app) as base:
        (result,) = fetch(base, request)
    assert (result.status, result.received, result.error) == (201, 8, "")
    assert 0 < (result.first_byte or 0) <= result.seconds
    assert (seen[0]["raw_path"], seen[0]["query_string"]) == (b"/a/../b", b"q=%C3%A9")
    assert [v for k, v in seen[0]["headers"] if k == b"x-key"] == [b"1", "ü".encode()]
    names = {k for k, _ in seen[0]["headers"]}
    assert b"content-type" in names
    assert b"accept-encoding" not in names


def test_a_stream_is_counted_to_its_end() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"a" * 10, more=True)
        for _ in range(5):
            await send({"type": "http.response.body", "body": b"b" * 100_000, "more_body": True})
        await send({"type": "http.response.body"})

    with serving(app) as base:
        (result,) = fetch(base, "GET /")
    assert (result.status, result.received, result.error) == (200, 500_010, "")


def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    cookies: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        cookies.extend(v for k, v in scope["headers"] if k == b"cookie")
        headers = [(b"location", b"/elsewhere"), (b"set-cookie", b"a=b")]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body"})

    with serving(app) as base:
        results = fetch(base, "GET /", "HEAD /")
    assert [r.status for r in results] == [302, 302]
    assert cookies == []


def test_the_list_is_repeated_in_order_on_one_connection() -> None:
    seen: list[tuple[str, int]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["path"], scope["client"][1]))
        await respond(send)

    with serving(app) as base:
        fetch(base, "/a", "/b", count=3)
    assert [path for path, _ in seen] == ["/a", "/b"] * 3
    assert len({port for _, port in seen}) == 1


def test_so_many_at_once_and_no_more() -> None:
    running = most = 0
    together = asyncio.Barrier(4)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await together.wait()  # passes only when four are here
        running -= 1
        await respond(send, b"ok")

    with serving(app) as base:
        tally = asyncio.run(drive(base, [parse_request("/")], count=12, concurrency=4))
    assert most == 4
    assert (tally.done, tally.failed, tally.statuses, tally.received) == (12, 0, {200: 12}, 24)


def test_an_ipv6_server() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await respond(send)

    try:
        with serving(app, "::1") as base:
            results = fetch(base, "/", "WS /")
    except OSError:
        pytest.skip("no IPv6 here")
    assert [(r.status, r.error) for r in results] == [(200, ""), (403, "")]


def test_an_app_that_raises_before_and_amid_its_answer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/amid":
            await respond(send, b"half", more=True)
        raise RuntimeError("on purpose")

    with serving(app) as base:
        before, amid = fetch(base, "/before", "/amid")
    assert (before.status, before.error) == (500, "")
    assert (amid.status, amid.received) == (200, 4)
    assert amid.error == "server closed the connection amid its answer"


@pytest.mark.parametrize(
    ("started", "status", "error"),
    [(False, None, "no answer within 0.05 s"), (True, 200, "answer unfinished after 0.05 s")],
)
def test_an_app_that_never_finishes(started: bool, status: int | None, error: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await respond(send, b"x", more=True)
        while (await receive())["type"] != "http.disconnect":
            pass

    with serving(app) as base:
        (result,) = fetch(base, "/", timeout=0.05)
    assert (result.status, result.error) == (status, error)


@pytest.mark.parametrize("request_", ["GET /", "WS / hello"])
def test_nobody_listens(request_: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    (result,) = fetch(base, request_)
    assert (result.status, result.first_byte, result.error) == (None, None, "connection refused")


@pytest.mark.parametrize(
    ("request_", "answer", "status", "error"),
    [
        ("/", b"", None, "server closed the connection without answering"),
        ("/", b"SSH-2.0-OpenSSH\r\n\r\n", None, "illegal status line"),
        (
            "/",
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi",
            200,
            "amid its answer",
        ),
        ("WS /", b"", None, "server closed the connection without answering the handshake"),
        ("WS /", b"SSH-2.0-OpenSSH\r\n\r\n", None, "Bad HTTP message"),
        ("WS /", b"HTTP/1.1 404 No\r\ncontent-length: 9\r\n\r\nhi", 404, "amid its answer"),
        ("WS /", b"HTTP/1.1 404 No\r\n\r\nto the end", 404, ""),
        ("WS /", b"HTTP/1.1 101 Yes\r\n\r\n", None, "upgrade"),
    ],
)
def test_a_broken_server(request_: str, answer: bytes, status: int | None, error: str) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer)

    async def main() -> Result:
        async with raw(handler) as base:
            return (await all_of(base, request_, timeout=10))[0]

    result = asyncio.run(main())
    assert result.status == status
    assert error.lower() in result.error.lower()
    assert bool(error) == bool(result.error)


@pytest.mark.parametrize("request_", ["GET /", "WS /"])
def test_a_reset(request_: str) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        linger = b"\1\0\0\0\0\0\0\0"  # on, for 0 seconds: close by reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async def main() -> Result:
        async with raw(handler) as base:
            return (await all_of(base, request_))[0]

    assert asyncio.run(main()).error == "connection reset by peer"


@pytest.mark.parametrize(
    "fields",
    [("GET", "é"), ("GET", "x"), ("KNIT", "/"), ("GET", "/", (("x", "a\nb"),)), ("GET", "/a b")],
)
def test_a_request_that_cannot_be_written_cannot_be_made(fields: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"got|unknown method"):
        Request(*fields)


# ---- WebSocket ---------------------------------------------------------------------------------


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4001, "reason": "as you wish"})
            return
        echoed = {k: v for k, v in message.items() if k in ("text", "bytes")}
        await send({"type": "websocket.send", **echoed})


def test_an_echo_then_quiet_then_we_close() -> None:
    request = Request("WS", "/", messages=("héllo", b"\0\xff", ""))
    with serving(echo) as base:
        (result,) = fetch(base, request, quiet=0.2)
    assert (result.status, result.close_code, result.error) == (101, 1000, "")
    assert result.messages == ("héllo", b"\0\xff", "")
    assert result.received == 8


def test_the_server_closes_with_its_own_code() -> None:
    with serving(echo) as base:
        (result,) = fetch(base, "WS / one | bye", quiet=30)
    assert (result.messages, result.close_code, result.error) == (("one",), 4001, "")


def test_a_refused_websocket_is_a_403_and_no_failure() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close"})

    with serving(app) as base:
        (result,) = fetch(base, "WS /")
    assert (result.status, result.close_code, result.error) == (403, None, "")


def test_a_refusal_with_a_body() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"not you"})

    with serving(app) as base:
        (result,) = fetch(base, "WS /")
    assert (result.status, result.received, result.error) == (401, 7, "")


def test_the_handshake_carries_path_headers_and_subprotocols() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send({"type": "websocket.accept", "subprotocol": "b"})
        await send({"type": "websocket.close"})

    headers = [("x-key", "1"), ("Host", "example.org"), ("Sec-WebSocket-Protocol", "a, b")]
    with serving(app) as base:
        (result,) = fetch(base, parse_request("WS /chat?room=1", headers))
    assert (result.close_code, result.error) == (1000, "")
    assert (seen[0]["path"], seen[0]["query_string"]) == ("/chat", b"room=1")
    assert seen[0]["subprotocols"] == ["a", "b"]
    assert {(b"x-key", b"1"), (b"host", b"example.org")} <= set(seen[0]["headers"])


def test_more_than_all_buffers_hold_is_echoed_without_blocking() -> None:
    big = b"x" * 4_000_000
    with serving(echo) as base:
        (result,) = fetch(base, Request("WS", "/", messages=(big, big, big, "bye")), quiet=30)
    assert (result.received, result.close_code, result.error) == (12_000_000, 4001, "")
    assert sum(map(len, result.messages)) < KEPT + 200_000  # the rest is only counted


def test_an_app_that_raises_amid_a_conversation() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hi"})
        raise RuntimeError("on purpose")

    with serving(app) as base:
        (result,) = fetch(base, "WS /", quiet=30)
    assert (result.status, result.messages, result.close_code) == (101, ("hi",), 1006)
    assert result.error == "server closed the connection without a close frame"


def accept(handshake: bytes) -> bytes:
    """The reply to a handshake, as RFC 6455, section 4.2.2 has it."""
    from base64 import b64encode
    from hashlib import sha1

    lines = dict(line.split(b": ", 1) for line in handshake.splitlines()[1:] if line)
    key = {k.lower(): v for k, v in lines.items()}[b"sec-websocket-key"]
    token = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    upgrade = b"HTTP/1.1 101 Yes\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    return upgrade + b"sec-websocket-accept: " + token + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("frames", "messages", "code", "error"),
    [
        (b"\x81\x02hi", ("hi",), 1006, "without a close frame"),
        (b"\x01\x02he\x80\x03llo\x88\x02\x03\xe9", ("hello",), 1001, ""),
        (b"\x82\x01a\x88\x00", (b"a",), 1005, ""),
        (b"\x82\x00\x88\x00", (b"",), 1005, ""),
        (b"\x81\x01\xff", (), None, "broke the websocket protocol"),
        (b"\xf1\x00", (), None, "reserved"),
    ],
)
def test_frames(frames: bytes, messages: tuple[object, ...], code: int | None, error: str) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accept(await head(reader)) + frames)  # all at once: nothing after 101 is lost

    async def main() -> Result:
        async with raw(handler) as base:
            return (await all_of(base, "WS /", quiet=30))[0]

    result = asyncio.run(main())
    assert (result.status, result.messages, result.close_code) == (101, messages, code)
    assert error in result.error.lower()
    assert bool(error) == bool(result.error)


def test_a_ping_is_answered() -> None:
    pongs: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accept(await head(reader)) + b"\x89\x03abc")
        first, length, *mask = await reader.readexactly(6)
        masked = await reader.readexactly(length & 0x7F)
        pongs.append(bytes([first]) + bytes(b ^ mask[i % 4] for i, b in enumerate(masked)))
        writer.write(b"\x88\x00")
        await reader.read()

    async def main() -> Result:
        async with raw(handler) as base:
            return (await all_of(base, "WS /", quiet=30))[0]

    assert asyncio.run(main()).close_code == 1005
    assert pongs == [b"\x8aabc"]


def test_a_server_that_never_agrees_to_close() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accept(await head(reader)))
        await reader.read()

    async def main() -> Result:
        async with raw(handler) as base:
            return (await all_of(base, "WS /", quiet=0.01, timeout=0.1))[0]

    result = asyncio.run(main())
    assert (result.status, result.close_code) == (101, None)
    assert result.error == "answer unfinished after 0.1 s"


# ---- the drive ---------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", ["GET /", "WS /"])
def test_cancelling_closes_every_connection_and_leaves_no_task(request_: str) -> None:
    async def main() -> None:
        arrived, gone = asyncio.Barrier(4), asyncio.Barrier(4)

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await head(reader)
            await arrived.wait()
            with suppress(ConnectionResetError):  # which is how a client vanishes
                assert await reader.read() == b""
            await gone.wait()

        async with raw(handler) as base:
            before = asyncio.all_tasks()
            driving = asyncio.create_task(drive(base, [parse_request(request_)] * 9, concurrency=3))
            await arrived.wait()
            driving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await driving
            await gone.wait()
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == before

    asyncio.run(main())
    gc.collect()


def test_what_the_callback_raises_ends_the_drive() -> None:
    def full(result: Result) -> None:
        raise BufferError("enough")

    with serving(echo) as base, pytest.raises(BufferError, match="enough"):
        asyncio.run(
            drive(base, [parse_request("WS / bye")], count=50, concurrency=5, on_result=full)
        )


def test_no_requests_are_soon_done() -> None:
    tally = asyncio.run(drive("http://127.0.0.1:1", []))
    assert (tally.done, tally.failed, tally.statuses) == (0, 0, {})


@pytest.mark.parametrize(
    "url", ["127.0.0.1:80", "https://a", "http://", "http://a:b", "http://a/x"]
)
def test_a_base_url_that_makes_no_sense(url: str) -> None:
    with pytest.raises(ValueError, match="expected a base URL"):
        asyncio.run(drive(url, []))


def test_numbers_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        asyncio.run(drive("http://127.0.0.1:1", [], concurrency=0))


def test_ready_when_the_port_opens() -> None:
    async def main() -> tuple[bool, bool]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        closed = await wait_ready("127.0.0.1", port, 0.02)
        waiting = asyncio.create_task(wait_ready("127.0.0.1", port, 10))
        with socket.create_server(("127.0.0.1", port)):
            return closed, await waiting

    assert asyncio.run(main()) == (False, True)
    gc.collect()
