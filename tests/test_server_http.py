"""HTTP on the lab server, over real sockets: what an app is told, what becomes of its answers."""

import asyncio
import logging
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

import pytest
from server_tools import answer, ask, both_loops, connected, get, logged, read_body, run, serving

from asgi_lab.server import ClientDisconnected, Limits
from asgi_lab.server.failures import InvalidMessage

OK = b"HTTP/1.1 200 OK\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, await read_body(receive))


def body_of(response: bytes) -> bytes:
    return response.partition(b"\r\n\r\n")[2]


def scope_of(request: bytes, loop: str = "asyncio", **options: Any) -> Any:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await answer(send)

    async def main() -> None:
        async with serving(app, **options) as (server, _):
            assert (await ask(server, request)).startswith(OK)

    run(main(), loop)
    [scope] = scopes
    return scope


@both_loops
def test_a_scope(loop: str) -> None:
    request = get("/caf%C3%A9/a%2Fb?x=%20&y", "B: 1", "a: 2", "b: 3")
    scope = scope_of(request, loop, port=0)
    client, server = scope.pop("client"), scope.pop("server")
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/café/a/b",
        "raw_path": b"/caf%C3%A9/a%2Fb",
        "query_string": b"x=%20&y",
        "root_path": "",
        "headers": [
            (b"host", b"x"), (b"b", b"1"), (b"a", b"2"), (b"b", b"3"), (b"connection", b"close")
        ],
        "extensions": {},
    }  # fmt: skip
    assert (client[0], server[0]) == ("127.0.0.1", "127.0.0.1")
    assert isinstance(client[1], int)
    assert isinstance(server[1], int)


def test_scopes_of_other_requests() -> None:
    assert scope_of(b"get / HTTP/1.0\r\n\r\n")["http_version"] == "1.0"
    assert scope_of(b"get / HTTP/1.0\r\n\r\n")["method"] == "GET"
    absolute = scope_of(b"GET http://real/p?q HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert (absolute["path"], absolute["raw_path"]) == ("/p", b"/p")
    assert absolute["query_string"] == b"q"
    assert absolute["headers"][0] == (b"host", b"real")
    assert scope_of(get("*", method="OPTIONS"))["path"] == "*"
    assert scope_of(get("/a"), root_path="/api/")["path"] == "/api/a"
    assert scope_of(get("/a"), root_path="/api/")["root_path"] == "/api"
    bare = scope_of(b"GET HTTP://real?q HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert (bare["path"], bare["query_string"], bare["headers"][0][1]) == ("/", b"q", b"real")
    on_socket = scope_of(get())
    assert on_socket["client"] is None
    assert on_socket["server"][1] is None


@pytest.mark.parametrize(
    ("trusted", "headers", "client", "scheme"),
    [
        ([], ["x-forwarded-for: 9.9.9.9", "x-forwarded-proto: https"], "127.0.0.1", "http"),
        (["127.0.0.0/8"], ["x-forwarded-for: 9.9.9.9"], "9.9.9.9", "http"),
        (["127.0.0.1"], ["x-forwarded-for: 6.6.6.6, 9.9.9.9"], "9.9.9.9", "http"),
        (["127.0.0.1", "9.9.9.9"], ["x-forwarded-for: 8.8.8.8, 9.9.9.9"], "8.8.8.8", "http"),
        (["*"], ["x-forwarded-for: 8.8.8.8, 9.9.9.9"], "8.8.8.8", "http"),
        (["127.0.0.1"], ["x-forwarded-proto: https"], "127.0.0.1", "https"),
        (["127.0.0.1"], ["x-forwarded-proto: gopher"], "127.0.0.1", "http"),
        (["10.0.0.0/8"], ["x-forwarded-for: 9.9.9.9"], "127.0.0.1", "http"),
    ],
)
def test_a_proxy_is_believed_only_if_it_is_trusted(
    trusted: list[str], headers: list[str], client: str, scheme: str
) -> None:
    scope = scope_of(get("/", *headers), port=0, proxies=trusted)
    assert (scope["client"][0], scope["scheme"]) == (client, scheme)


@both_loops
def test_requests_one_after_another_and_pipelined(loop: str) -> None:
    async def main() -> None:
        async with serving(echo, port=0) as (server, told), connected(server) as client:
            for text in (b"one", b"two"):
                client.send(get("/", f"content-length: {len(text)}", close=False) + text)
                assert await client.response() == (200, text)
            one = get("/", "content-length: 1", close=False) + b"1"
            two = get("/", "transfer-encoding: chunked", close=False) + b"1\r\n2\r\n0\r\n\r\n"
            client.send(one + two + one + get())
            assert [(await client.response())[1] for _ in range(4)] == [b"1", b"2", b"1", b""]
            assert await client.read() == b""
        assert [number for number, name, _ in told if name == "open"] == [1]

    run(main(), loop)


def test_headers_of_a_response() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        own = [(b"server", b"mine")] if scope["path"] == "/own" else []
        await answer(send, b"ok", 200, (b"b", b"1"), (b"a", b"2"), (b"b", b"3"), *own)

    async def main() -> None:
        async with serving(app) as (server, _):
            head = (await ask(server, get())).partition(b"\r\n\r\n")[0].split(b"\r\n")
            assert head[:5] == [OK.strip(), b"content-length: 2", b"b: 1", b"a: 2", b"b: 3"]
            assert head[5].startswith(b"date: ")
            assert head[6:] == [b"server: asgi-lab", b"connection: close"]
            own = await ask(server, get("/own"))
            assert own.count(b"server: ") == 1
        async with serving(app, date_header=False, server_header=False) as (server, _):
            assert b"b: 3\r\nconnection: close\r\n\r\n" in await ask(server, get())

    run(main())


def test_head_has_no_body() -> None:
    async def main() -> None:
        async with serving(echo) as (server, _):
            response = await ask(server, get(method="HEAD"))
            assert b"content-length: 0\r\n" in response
            assert body_of(response) == b""

    run(main())


def test_a_response_of_unknown_length_is_chunked() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        for part in (b"a", b"", b"bc"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
        await send({"type": "http.response.body", "body": b"ignored"})

    async def main() -> None:
        async with serving(app) as (server, _):
            response = await ask(server, get())
            assert body_of(response) == b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
            assert body_of(await ask(server, b"GET / HTTP/1.0\r\n\r\n")) == b"abc"

    run(main())


def test_the_head_waits_for_the_body() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        assert not [name for _, name, _ in told if name == "bytes out"]
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        assert [name for _, name, _ in told if name == "bytes out"]
        await send({"type": "http.response.body"})

    told: Any = []

    async def main() -> None:
        nonlocal told
        async with serving(app) as (server, told):
            assert (await ask(server, get())).startswith(OK)

    run(main())


def test_continue_is_asked_for_when_the_app_wants_the_body() -> None:
    expecting = get("/", "content-length: 5", "expect: 100-continue", close=False)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive) if scope["path"] == "/" else b"no"
        await answer(send, body)

    async def main() -> None:
        async with serving(app) as (server, _):
            async with connected(server) as client:
                client.send(expecting)
                assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                client.send(b"hello")
                assert await client.response() == (200, b"hello")
            # An app that answers at once never asks, and the connection ends: the body may
            # come or not.
            response = await ask(server, expecting.replace(b" / ", b" /no "))
            assert response.startswith(OK)
            assert b"\r\nconnection: close\r\n" in response.lower()

    run(main())


def test_a_body_that_nobody_reads_does_not_harm_the_next_request() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, scope["path"].encode())

    async def main() -> None:
        async with serving(app) as (server, _), connected(server) as client:
            client.send(get("/1", "content-length: 200000", close=False))
            assert await client.response() == (200, b"/1")
            client.send(b"x" * 200_000 + get("/2", close=False))
            assert await client.response() == (200, b"/2")

    run(main())


def test_receive_after_the_body() -> None:
    """It waits until the response is complete or the client has gone, and then says so forever."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await receive())
        waiting = asyncio.create_task(receive())
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "more_body": True})
        assert not waiting.done()
        await send({"type": "http.response.body"})
        seen.extend([await waiting, await receive(), await receive()])

    async def main() -> None:
        async with serving(app) as (server, _):
            await ask(server, get())

    run(main())
    request = {"type": "http.request", "body": b"", "more_body": False}
    assert seen == [request, *3 * [{"type": "http.disconnect"}]]


@both_loops
def test_a_client_that_goes(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    """`receive` says so; `send` raises an OSError, which is no failure of the app."""
    seen: list[Any] = []
    gone = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        while (message := await receive())["type"] == "http.request":
            pass
        seen.extend([message, await receive()])
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                await asyncio.sleep(0)
        except OSError as error:
            seen.append(type(error))
            raise
        finally:
            gone.set()

    async def main() -> None:
        async with serving(app, port=0) as (server, _):
            async with connected(server) as client:
                client.send(get())
                await client.until(b"x")
                client.reset()
            await gone.wait()

    run(main(), loop)
    assert seen == [*2 * [{"type": "http.disconnect"}], ClientDisconnected]
    assert logged(caplog) == []


def hang_up_on(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(get("/stream"))
        client.recv(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST


@both_loops
def test_an_app_that_only_sends_hears_of_a_client_that_has_gone(loop: str) -> None:
    """The loop does not run unless `send` waits: that the client has gone is to be told there."""
    part = {"type": "http.response.body", "body": b"x" * 1000, "more_body": True}
    raised: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        try:
            for _ in range(300_000):
                await send(part)
        except OSError as error:
            raised.append(type(error))
            raise

    async def main() -> None:
        async with serving(app, port=0) as (server, _):
            await asyncio.to_thread(hang_up_on, server.port)

    run(main(), loop)
    assert raised == [ClientDisconnected]


@both_loops
def test_a_client_that_sends_no_more_still_gets_its_answer(loop: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        assert await receive() == {"type": "http.disconnect"}
        await answer(send, body)

    async def main() -> None:
        async with serving(app) as (server, _), connected(server) as client:
            client.send(get("/", "content-length: 2", close=False) + b"hi")
            client.writer.write_eof()
            assert body_of(await client.read()) == b"hi"

    run(main(), loop)


def test_an_upload_that_breaks_off() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(EOFError):
            await read_body(receive)
        seen.append(await receive())

    async def main() -> None:
        async with serving(app) as (server, _), connected(server) as client:
            client.send(get("/", "content-length: 99") + b"hi")
            client.writer.write_eof()
            await client.read()

    run(main())
    assert seen == [{"type": "http.disconnect"}]


# Flow.


@both_loops
def test_reading_pauses_while_the_app_does_not_take_the_body(loop: str) -> None:
    size, take = 3_000_000, asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await take.wait()
        await answer(send, str(len(await read_body(receive))).encode())

    async def main() -> None:
        paused = asyncio.Event()
        read = 0

        def observe(_: int, name: str, data: Any, stream: int) -> None:
            nonlocal read
            read += len(data) if name == "bytes in" else 0
            if name == "pause reading":
                paused.set()

        async with (
            serving(app, port=0, observe=observe) as (server, _),
            connected(server) as client,
        ):
            client.send(get("/", f"content-length: {size}") + b"x" * size)
            await paused.wait()
            assert read < size
            take.set()
            assert body_of(await client.read()) == str(size).encode()
            assert read > size

    run(main(), loop)


@both_loops
def test_send_waits_while_the_client_does_not_read(loop: str) -> None:
    sent = 0
    count = 300

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200})
        for _ in range(count):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            sent += 1
        await send({"type": "http.response.body"})

    async def main() -> None:
        paused = asyncio.Event()

        def observe(_: int, name: str, data: Any, stream: int) -> None:
            if name == "pause writing":
                paused.set()

        async with (
            serving(app, port=0, observe=observe) as (server, _),
            connected(server) as client,
        ):
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            await paused.wait()
            assert sent < count
            assert len(body_of(await client.read())) == count * 65_536

    run(main(), loop)


# What an app does wrong.


async def start(send: Any, length: int | None = None) -> None:
    headers = [] if length is None else [(b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def part(send: Any, body: bytes = b"part") -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def wrong(path: str) -> Any:
    async def raises_at_once(receive: Any, send: Any) -> None:
        raise LookupError("broken")

    async def raises_after_the_body(receive: Any, send: Any) -> None:
        await read_body(receive)
        raise LookupError("broken")

    async def raises_after_start(receive: Any, send: Any) -> None:
        await start(send)
        raise LookupError("broken")

    async def raises_in_the_middle(receive: Any, send: Any) -> None:
        await start(send)
        await part(send)
        raise LookupError("broken")

    async def raises_at_the_end(receive: Any, send: Any) -> None:
        await answer(send)
        raise LookupError("broken")

    async def exits(receive: Any, send: Any) -> None:
        raise SystemExit(3)

    async def cancels(receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    async def returns_at_once(receive: Any, send: Any) -> None: ...

    async def returns_after_start(receive: Any, send: Any) -> None:
        await start(send)

    async def returns_in_the_middle(receive: Any, send: Any) -> None:
        await start(send)
        await part(send)

    async def sends_too_much(receive: Any, send: Any) -> None:
        await start(send, 2)
        await part(send)

    async def sends_too_much_later(receive: Any, send: Any) -> None:
        await start(send, 5)
        await part(send)
        await part(send)

    async def sends_too_little(receive: Any, send: Any) -> None:
        await start(send, 5)
        await part(send)
        await send({"type": "http.response.body"})

    return locals()[path.strip("/")]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("raises_at_once", 500, "GET /raises_at_once raised\n"),
        ("raises_after_the_body", 500, "raised\n"),
        ("raises_after_start", 500, "raised\n"),
        ("raises_in_the_middle", None, "raised\n"),
        ("raises_at_the_end", 200, "raised\n"),
        ("exits", 500, "SystemExit: 3"),
        ("cancels", 500, "CancelledError"),
        ("returns_at_once", 500, "GET /returns_at_once returned without a response"),
        ("returns_after_start", 500, "returned without completing its response"),
        ("returns_in_the_middle", None, "returned without completing its response"),
        ("sends_too_much", 500, "2 bytes longer than Content-Length says"),
        ("sends_too_much_later", None, "3 bytes longer than Content-Length says"),
        ("sends_too_little", None, "1 bytes shorter than Content-Length says"),
    ],
)
@both_loops
def test_an_app_that_fails(
    loop: str, path: str, status: int | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets an honest answer or a broken one, never one that looks complete."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/fine":
            await answer(send)
        else:
            await wrong(scope["path"])(receive, send)

    async def main() -> None:
        async with serving(app, port=0) as (server, _):
            response = await ask(server, get(f"/{path}"))
            if status is None:
                assert response.startswith(OK)
                assert body_of(response) in (b"4\r\npart\r\n", b"part")
            else:
                assert response.startswith(f"HTTP/1.1 {status} ".encode())
            old = await ask(server, f"GET /{path} HTTP/1.0\r\n\r\n".encode()) if status else b""
            assert old.startswith(f"HTTP/1.1 {status} ".encode() if status else b"")
            assert (await ask(server, get("/fine"))).startswith(OK)

    run(main(), loop)
    assert said in logged(caplog)[0]
    if "LookupError" in (text := logged(caplog)[0]):
        assert text.splitlines()[1] == "Traceback (most recent call last):"
        assert "asgi_lab/server" not in text
        assert text.endswith("LookupError: broken")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"type": "http.response.body"}], "expected http.response.start, got 'http.response.bod"),
        ([{"type": "nonsense"}], "expected http.response.start, got 'nonsense'"),
        ([{}], "got None"),
        ([{"type": "http.response.start"}], "expected a status"),
        ([{"type": "http.response.start", "status": True}], "expected a final status"),
        ([{"type": "http.response.start", "status": 200, "headers": [("a", "b")]}], "of bytes"),
        ([{"type": "http.response.start", "status": 200, "headers": 5}], "pairs of bytes"),
        ([{"type": "http.response.start", "status": 200, "headers": [(b"a\n", b"")]}], "a header"),
        (2 * [{"type": "http.response.start", "status": 200}], "expected http.response.body"),
        (
            [
                {"type": "http.response.start", "status": 200},
                {"type": "http.response.body", "body": "text"},
            ],
            "expected a body of bytes, got str",
        ),
    ],
)
def test_what_may_not_be_sent_raises_and_may_be_mended(messages: Any, said: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        *fine, broken = messages
        for message in fine:
            await send(message)
        with pytest.raises(InvalidMessage, match=said):
            await send(broken)
        if not fine:
            await send({"type": "http.response.start", "status": 200, "extra": "ignored"})
        await send({"type": "http.response.body", "body": b"mended", "extra": "ignored"})

    async def main() -> None:
        async with serving(app) as (server, _):
            assert (await ask(server, get())).endswith(b"6\r\nmended\r\n0\r\n\r\n")

    run(main())


def test_what_is_refused_gets_an_answer_and_a_close() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("it must not come this far")

    async def main() -> None:
        async with serving(app, limits=Limits(head=100, body=10)) as (server, _):
            for data, status in (
                (b"nonsense\r\n", 400),
                (get("/" + 100 * "a"), 414),
                (get("/", "a: " + 100 * "b"), 431),
                (get("/", "content-length: 11"), 413),
                (get("/", "transfer-encoding: gzip, chunked"), 501),
            ):
                response = await ask(server, data + b"x" * 100_000)
                assert response.startswith(f"HTTP/1.1 {status} ".encode())
                assert b"\r\nconnection: close\r\n" in response.lower()

    run(main())


def test_a_head_may_be_longer_than_what_is_read_ahead() -> None:
    async def main() -> None:
        async with serving(echo, limits=Limits(head=300_000, unread=1000)) as (server, _):
            assert (await ask(server, get("/", "a: " + 200_000 * "b"))).startswith(OK)

    run(main())


def test_a_body_that_becomes_too_long_or_wrong() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        seen.append(message["type"])
        with pytest.raises(ClientDisconnected):
            await answer(send)

    async def main() -> None:
        head = get("/", "transfer-encoding: chunked")
        async with serving(app, limits=Limits(body=10)) as (server, _):
            assert (await ask(server, head + b"b\r\nhello world\r\n")).startswith(b"HTTP/1.1 413")
            assert (await ask(server, head + b"b\r\nhello\r\nxyz\r\n")).startswith(b"HTTP/1.1 4")

    run(main())
    assert seen == 2 * ["http.disconnect"]


# TLS, and observing.


@both_loops
def test_tls(loop: str, tmp_path: Path) -> None:
    server_side, client_side = certificates(tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, scope["scheme"].encode() + await read_body(receive))

    async def main() -> None:
        async with serving(app, port=0, ssl=server_side) as (server, _):
            assert server.url.startswith("https://")
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", server.port, ssl=client_side, server_hostname="localhost"
            )
            writer.write(get("/", "content-length: 100000") + b"x" * 100_000)
            assert body_of(await reader.read()) == b"https" + b"x" * 100_000
            writer.close()
            await writer.wait_closed()
            plain, plain_writer = await asyncio.open_connection("127.0.0.1", server.port)
            plain_writer.write(get())
            assert not (await plain.read()).startswith(b"HTTP/1.1 2")
            plain_writer.close()
            await plain_writer.wait_closed()

    run(main(), loop)


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts for a server and its client, with a certificate made for this test."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    both = certificate.public_bytes(encoding) + key.private_bytes(encoding, private, plain)
    (folder / "both.pem").write_bytes(both)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "both.pem")
    client = ssl.create_default_context(cadata=certificate.public_bytes(encoding).decode())
    return server, client


def test_what_an_observer_is_told() -> None:
    async def main() -> Any:
        async with serving(echo) as (server, told):
            await ask(server, get("/", "content-length: 2") + b"hi")
        return told

    told = run(main())
    assert {number for number, _, _ in told} == {1}
    names = [name for _, name, _ in told]
    assert names == [
        "open", "bytes in", "event", "event", "event", "app", "bytes out", "end of bytes in",
        "close",
    ]  # fmt: skip
    events = [type(data).__name__ for _, name, data in told if name == "event"]
    assert events == ["Request", "Body", "EndOfBody"]


def test_an_observer_that_raises_is_told_no_more(caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def observe(*facts: Any) -> None:
        calls.append(facts)
        raise ValueError("a faulty observer")

    async def main() -> None:
        async with serving(echo, observe=observe) as (server, _):
            assert (await ask(server, get())).startswith(OK)

    run(main())
    assert len(calls) == 1
    assert "observer" in caplog.text


def test_a_refusal_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(echo) as (server, _):
            await ask(server, b"nonsense\r\n")

    with caplog.at_level(logging.INFO, "asgi_lab.server"):
        run(main())
    assert "refused with 400: expected a request line" in caplog.text
    assert logged(caplog) == []


@both_loops
def test_a_client_that_goes_at_any_byte(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = get("/", "transfer-encoding: chunked", close=False) + b"2\r\nhi\r\n0\r\n\r\n"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await answer(send, await read_body(receive))
        except EOFError:
            pass

    async def main() -> None:
        async with serving(app, port=0) as (server, told):
            for at in range(len(whole)):
                async with connected(server) as client:
                    client.send(whole[:at])
                    if at % 2:
                        client.reset()
                    else:
                        client.writer.write_eof()
                        assert not (await client.read()).startswith(OK)
            assert (await ask(server, get())).startswith(OK)
        names = [name for _, name, _ in told]
        assert names.count("open") == names.count("close") > 0

    run(main(), loop)
    assert logged(caplog) == []


def test_an_access_is_one_line_whatever_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(echo) as (server, _):
            await ask(server, get("/a%0Ab"))

    with caplog.at_level(logging.INFO, "asgi_lab.server"):
        run(main())
    assert caplog.messages == ["GET /a%0Ab: 200"]
