"""HTTP/2 on the lab server, over real sockets: what apps are told, what becomes of answers."""

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import httpx
import pytest
from server_tools import (
    Client,
    answer,
    both_loops,
    connected,
    get,
    logged,
    read_body,
    run,
    serving,
    until_told,
)
from test_server_http import certificates
from test_server_http2_protocol import GOAWAY, HELLO, PING, RST, frames, raw, request

from asgi_lab.server import ClientDisconnected, Limits, Server
from asgi_lab.server.failures import InvalidMessage
from asgi_lab.server.http2_frames import PREFACE, Code
from asgi_lab.server.request import Request


class Talk:
    """A client of h2 on a connection; what it has heard of each stream, and of the connection."""

    def __init__(self, client: Client) -> None:
        self.socket = client
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.heard: dict[int, list[Any]] = {}
        self.order: list[int] = []
        self.greedy = True  # makes room for whatever it has read
        self.flush()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.socket.send(data)

    def ask(
        self, path: str = "/", *headers: tuple[str, str], method: str = "GET", end: bool = True
    ) -> int:  # fmt: skip
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "http"), (":authority", "x"), (":path", path)]
        self.h2.send_headers(stream, [*pseudo, *headers], end_stream=end)
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, end: bool = False) -> None:
        self.h2.send_data(stream, data, end_stream=end)
        self.flush()

    def reset(self, stream: int) -> None:
        self.h2.reset_stream(stream, Code.CANCEL)
        self.flush()

    async def read(self) -> bool:
        """Read once; return whether there was anything."""
        data = await self.socket.reader.read(65_536)
        for event in self.h2.receive_data(data) if data else ():
            stream = getattr(event, "stream_id", None) or 0
            self.heard.setdefault(stream, []).append(event)
            if isinstance(event, h2.events.DataReceived):
                self.order.append(stream)
                if self.greedy and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        self.flush()
        return bool(data)

    async def until(self, stream: int, *kinds: type) -> Any:
        """The first event of this kind on this stream."""
        while True:
            for event in self.heard.get(stream, []):
                if isinstance(event, kinds):
                    return event
            assert await self.read(), self.heard

    async def response(self, stream: int) -> tuple[int, bytes]:
        """The whole response; a status of 0 if the stream was reset before."""
        await self.until(stream, h2.events.StreamEnded, h2.events.StreamReset)
        return self.status(stream), self.body(stream)

    def status(self, stream: int) -> int:
        heads = [e for e in self.heard[stream] if isinstance(e, h2.events.ResponseReceived)]
        return int(dict(heads[0].headers)[":status"]) if heads else 0

    def body(self, stream: int) -> bytes:
        events = self.heard.get(stream, [])
        return b"".join(e.data for e in events if isinstance(e, h2.events.DataReceived))

    async def code(self, stream: int) -> int:
        """With which code the stream was reset."""
        return int((await self.until(stream, h2.events.StreamReset)).error_code)

    async def gone(self) -> int:
        """With which code the server goes away."""
        return int((await self.until(0, h2.events.ConnectionTerminated)).error_code)


@asynccontextmanager
async def talking(server: Server) -> AsyncIterator[Talk]:
    async with connected(server) as client:
        yield Talk(client)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, await read_body(receive))


async def greet(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, scope["path"].encode())


def talk(app: Any, do: Any, loop: str = "asyncio", **options: Any) -> Any:
    """Serve the app, and talk to it; what the server's observer was told, and the talk."""

    async def main() -> Any:
        async with serving(app, **options) as (server, told), talking(server) as one:
            await do(one)
            return told

    return run(main(), loop)


# Which HTTP.


@both_loops
def test_httpx_over_tls(loop: str, tmp_path: Path) -> None:
    server_side, client_side = certificates(tmp_path)
    server_side.set_alpn_protocols(["h2", "http/1.1"])
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    async def main() -> None:
        async with serving(app, port=0, ssl=server_side) as (server, _):
            url = f"https://localhost:{server.port}/a?b"
            async with httpx.AsyncClient(http2=True, verify=client_side) as client:
                bodies = [bytes([65 + i]) * 100_000 for i in range(20)]
                answers = await asyncio.gather(*(client.post(url, content=b) for b in bodies))
            assert [each.content for each in answers] == bodies
            assert {each.http_version for each in answers} == {"HTTP/2"}

    run(main(), loop)
    assert {(s["http_version"], s["scheme"], s["path"]) for s in scopes} == {("2", "https", "/a")}
    assert len({scope["client"] for scope in scopes}) == 1  # all on one connection


def test_a_client_that_wants_http_1_over_tls(tmp_path: Path) -> None:
    server_side, client_side = certificates(tmp_path)
    server_side.set_alpn_protocols(["h2", "http/1.1"])

    async def main() -> None:
        async with serving(greet, port=0, ssl=server_side) as (server, _):
            async with httpx.AsyncClient(verify=client_side) as client:
                found = await client.get(f"https://localhost:{server.port}/a")
            assert (found.http_version, found.text) == ("HTTP/1.1", "/a")

    run(main())


@both_loops
def test_httpx_with_prior_knowledge(loop: str) -> None:
    async def main() -> None:
        async with serving(echo, port=0) as (server, told):
            async with httpx.AsyncClient(http1=False, http2=True) as client:
                for size in (0, 1, 65_535, 65_536, 1_000_000):
                    found = await client.post(server.url, content=b"a" * size)
                    assert (found.http_version, len(found.content)) == ("HTTP/2", size)
            assert [name for _, name, _ in told].count("open") == 1

    run(main(), loop)


CURL = shutil.which("curl")


@pytest.mark.skipif(CURL is None, reason="no curl")
def test_curl_with_prior_knowledge() -> None:
    async def main() -> None:
        assert CURL is not None
        async with serving(echo, port=0) as (server, _):
            args = ["-s", "-i", "-m", "20", "-d", "hello", f"{server.url}/"]
            for option, version in [("--http2-prior-knowledge", b"2"), ("--http1.1", b"1.1"),
                                    ("--http2", b"1.1")]:  # fmt: skip
                process = await asyncio.create_subprocess_exec(
                    CURL, option, *args, stdout=asyncio.subprocess.PIPE
                )
                out, _ = await process.communicate()
                if process.returncode in (1, 2):
                    pytest.skip("this curl knows no HTTP/2")
                assert out.startswith(b"HTTP/" + version + b" 200")
                assert out.endswith(b"hello")

    run(main())


@both_loops
def test_a_preface_byte_by_byte(loop: str) -> None:
    async def main() -> bytes:
        async with serving(greet) as (server, _), connected(server) as client:
            for byte in HELLO + request():
                client.send(bytes([byte]))
                await asyncio.sleep(0)
            data = b""
            while b"/" not in [payload for _, _, _, payload in frames(data)]:
                data += await client.reader.read(1000)
            return data

    assert run(main(), loop)


@pytest.mark.parametrize("data", [b"P", PREFACE[:18], PREFACE[:-1]])
def test_a_preface_that_stops(data: bytes) -> None:
    async def main() -> bytes:
        limits = Limits(head_seconds=3)
        async with serving(greet, limits=limits) as (server, _), connected(server) as client:
            client.send(data)
            return await client.read()

    assert run(main(), "jumping").startswith(b"HTTP/1.1 ")


def test_other_methods_that_begin_like_the_preface() -> None:
    async def main() -> None:
        async with serving(greet) as (server, _), connected(server) as client:
            client.send(b"P")
            await asyncio.sleep(0)
            client.send(get("/a", "content-length: 0", method="POST")[1:])
            assert (await client.read()).endswith(b"/a")

    run(main())


def test_without_h2_the_log_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from asgi_lab.server import http2_opening

    assert http2_opening.protocols() == ["h2", "http/1.1"]
    monkeypatch.setattr(http2_opening, "find_spec", lambda name: None)
    assert http2_opening.protocols() == ["http/1.1"]

    async def main() -> bytes:
        async with serving(greet) as (server, _), connected(server) as client:
            client.send(HELLO)
            return await client.read()

    assert run(main()).startswith(b"HTTP/1.1 505 ")
    [line] = logged(caplog)
    assert "pip install 'asgi-lab[http2]'" in line


def test_h2_is_imported_only_where_it_is_needed() -> None:
    import subprocess

    script = "import sys, asgi_lab.server; print('h2' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"


# What an app is told.


@both_loops
def test_a_scope(loop: str) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await answer(send)

    async def do(one: Talk) -> None:
        stream = one.ask("/caf%C3%A9?x=%20", ("a", "1"), ("cookie", "b=c"), ("a", "2"))
        assert await one.response(stream) == (200, b"ok")

    talk(app, do, loop, port=0)
    [scope] = scopes
    assert scope.pop("client")[0] == scope.pop("server")[0] == "127.0.0.1"
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "2",
        "method": "GET",
        "scheme": "http",
        "path": "/café",
        "raw_path": b"/caf%C3%A9",
        "query_string": b"x=%20",
        "root_path": "",
        "headers": [(b"host", b"x"), (b"a", b"1"), (b"cookie", b"b=c"), (b"a", b"2")],
        "extensions": {},
    }


def test_a_body_part_by_part() -> None:
    messages: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        messages.append(await receive())
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        messages.append(await receive())
        await send({"type": "http.response.body", "body": b"2"})
        messages.append(await receive())

    async def do(one: Talk) -> None:
        stream = one.ask(method="POST", end=False)
        one.send(stream, b"a")
        await one.until(stream, h2.events.DataReceived)
        one.send(stream, b"b", end=True)
        assert await one.response(stream) == (200, b"12")

    talk(app, do)
    assert messages == [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": False},
        {"type": "http.disconnect"},
    ]


@both_loops
def test_an_app_that_does_not_receive_holds_its_client_and_no_other(loop: str) -> None:
    taken = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await taken.wait()
        await answer(send, str(len(await read_body(receive))).encode())

    async def do(one: Talk) -> None:
        slow = one.ask("/slow", method="POST", end=False)
        await one.until(0, h2.events.RemoteSettingsChanged)
        sent = 0
        while room := min(10_000, one.h2.local_flow_control_window(slow)):
            one.send(slow, room * b"a")
            sent += room
        assert sent == 65_536
        quick = one.ask("/quick", method="POST", end=False)
        for _ in range(6):
            one.send(quick, 10_000 * b"b")
        one.send(quick, b"", end=True)
        assert await one.response(quick) == (200, b"60000")
        assert one.h2.local_flow_control_window(slow) == 0
        taken.set()
        while not one.h2.local_flow_control_window(slow):
            await one.read()
        one.send(slow, b"c", end=True)
        assert await one.response(slow) == (200, b"65537")

    talk(app, do, loop)


# What becomes of answers.


async def stream_out(scope: Any, receive: Any, send: Any) -> None:
    size, count = map(int, scope["path"][1:].split("x"))
    await send({"type": "http.response.start", "status": 200})
    for _ in range(count):
        await send({"type": "http.response.body", "body": b"x" * size, "more_body": True})
    await send({"type": "http.response.body"})


@both_loops
def test_many_streams_at_once(loop: str) -> None:
    async def do(one: Talk) -> None:
        streams = [one.ask(f"/{size}x10") for size in range(1, 50_000, 1_000)]
        bodies = [len((await one.response(stream))[1]) for stream in streams]
        assert bodies == [10 * size for size in range(1, 50_000, 1_000)]

    talk(stream_out, do, loop)


@both_loops
def test_streams_take_turns_frame_by_frame(loop: str) -> None:
    async def do(one: Talk) -> None:
        one.greedy = False
        one.h2.increment_flow_control_window(2**30)
        one.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**30})
        one.flush()
        streams = [one.ask("/2000000x1"), one.ask("/2000000x1")]
        short = one.ask("/1000x1")
        for stream in (*streams, short):
            await one.response(stream)
        order = one.order[10:]
        switches = sum(a != b for a, b in pairwise(order))
        assert switches > len(order) // 2
        assert one.order.index(short) < 30  # it need not wait for the long ones

    talk(stream_out, do, loop)


@both_loops
def test_a_client_that_makes_little_room_starves_no_stream(loop: str) -> None:
    async def do(one: Talk) -> None:
        one.greedy = False
        one.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**30})
        streams = [one.ask("/200000x1") for _ in range(10)]
        room, before = 65_535, {}
        for _ in range(41):
            while sum(len(one.body(stream)) for stream in streams) < room:
                await one.read()
            sizes = {stream: len(one.body(stream)) for stream in streams}
            before = before or sizes
            one.h2.increment_flow_control_window(16_384)
            one.flush()
            room += 16_384
        gained = [sizes[stream] - before[stream] for stream in streams]
        assert sum(gained) == 40 * 16_384
        assert max(gained) - min(gained) <= 16_384

    talk(stream_out, do, loop)


def test_send_waits_for_the_client_to_make_room() -> None:
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        for size in range(10):
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
            sent.append(size)
        await send({"type": "http.response.body"})

    async def do(one: Talk) -> None:
        one.greedy = False
        stream = one.ask()
        while len(one.body(stream)) < 65_535:
            await one.read()
        assert len(sent) == 6
        other = one.ask()  # has room of its own, but the connection has none
        await one.until(other, h2.events.ResponseReceived)
        assert one.body(other) == b""
        one.greedy = True
        one.h2.acknowledge_received_data(65_535, stream)
        one.flush()
        for each in (stream, other):
            assert len((await one.response(each))[1]) == 100_000

    talk(app, do)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_head_has_no_body(method: str) -> None:
    async def do(one: Talk) -> None:
        stream = one.ask("/abc", method=method)
        assert await one.response(stream) == (200, b"/abc" if method == "GET" else b"")
        head = await one.until(stream, h2.events.ResponseReceived)
        assert dict(head.headers)["content-length"] == "4"

    talk(greet, do)


@pytest.mark.parametrize(
    ("acts", "status", "code"),
    [
        ("x", 500, None), ("", 500, None), ("s", 500, None), ("sx", 500, None),
        ("sbx", 200, Code.INTERNAL_ERROR), ("sb", 200, Code.INTERNAL_ERROR),
        ("sbex", 200, None), ("b", 500, None), ("ss", 500, None), ("sbs", 200, Code.INTERNAL_ERROR),
        ("c", 500, None),
    ],
)  # fmt: skip
def test_what_an_app_leaves_undone(
    acts: str, status: int, code: Code | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/":
            await answer(send)
            return
        for act in acts:
            if act == "x":
                raise LookupError("broken")
            if act == "c":
                raise asyncio.CancelledError
            if act == "s":
                await send({"type": "http.response.start", "status": 200})
            else:
                more = act == "b"
                await send({"type": "http.response.body", "body": b"a", "more_body": more})

    async def do(one: Talk) -> None:
        stream = one.ask()
        assert (await one.response(stream))[0] == status
        resets = [e for e in one.heard[stream] if isinstance(e, h2.events.StreamReset)]
        assert [e.error_code for e in resets] == ([code] if code else [])
        assert await one.response(one.ask("/fine")) == (200, b"ok")  # the connection lives on

    talk(app, do)
    assert len(logged(caplog)) == 1


def test_an_invalid_message_is_raised_into_the_app() -> None:
    raised: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in [
            {"type": "http.response.start", "status": 101},
            {"type": "http.response.start"},
            {"type": "http.response.start", "status": 200, "headers": [(b":status", b"200")]},
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]},
            {"type": "http.response.body", "body": b"abc"},
            {"type": "http.response.body", "body": b"a"},
            {"type": "http.response.body", "body": b"ab"},
        ]:
            try:
                await send(message)
            except InvalidMessage as error:
                raised.append(str(error))

    async def do(one: Talk) -> None:
        assert await one.response(one.ask()) == (200, b"ab")

    talk(app, do)
    assert len(raised) == 5


def test_an_answer_before_the_end_of_the_request() -> None:
    async def do(one: Talk) -> None:
        stream = one.ask("/early", method="POST", end=False)
        assert await one.response(stream) == (200, b"/early")
        assert await one.code(stream) == Code.NO_ERROR
        assert await one.response(one.ask("/next")) == (200, b"/next")

    talk(greet, do)


def test_headers_of_more_than_a_frame() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"ok", 200, (b"a", b"b" * 40_000))

    async def do(one: Talk) -> None:
        one.h2.decoder.max_header_list_size = 100_000
        stream = one.ask()
        assert await one.response(stream) == (200, b"ok")
        head = await one.until(stream, h2.events.ResponseReceived)
        assert dict(head.headers)["a"] == "b" * 40_000

    talk(app, do)


def test_send_waits_for_the_socket() -> None:
    """A client that makes room for everything, and reads nothing."""

    async def do(one: Talk) -> None:
        one.greedy = False
        one.h2.increment_flow_control_window(2**30)
        one.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**30})
        one.flush()
        streams = [one.ask("/1000000x10") for _ in range(3)]
        for stream in streams:
            assert len((await one.response(stream))[1]) == 10_000_000

    told = talk(stream_out, do)
    names = [name for _, name, _ in told]
    assert names.count("pause writing") == names.count("resume writing") > 0


# Clients that go.


@both_loops
def test_a_client_that_has_said_all_still_hears_the_answer(loop: str) -> None:
    ready = asyncio.Event()

    async def do(one: Talk) -> None:
        one.greedy = False
        streams = [one.ask("/100x10"), one.ask("/100x10")]
        await one.until(0, h2.events.SettingsAcknowledged)
        one.socket.writer.write_eof()
        ready.set()
        for stream in streams:
            assert len((await one.response(stream))[1]) == 1000
        assert await one.gone() == Code.NO_ERROR

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await ready.wait()
        await stream_out(scope, receive, send)

    talk(app, do, loop)


@both_loops
def test_a_reset_is_a_disconnect_of_one_stream(loop: str, caplog: Any) -> None:
    seen: list[str] = []
    told = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/other":
            await told.wait()
            await answer(send)
            return
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await receive()
        seen.append((await receive())["type"])
        with pytest.raises(ClientDisconnected):
            await send({"type": "http.response.body", "body": b"b"})
        seen.append((await receive())["type"])
        told.set()

    async def do(one: Talk) -> None:
        other, stream = one.ask("/other"), one.ask("/")
        await one.until(stream, h2.events.DataReceived)
        one.reset(stream)
        assert await one.response(other) == (200, b"ok")

    talk(app, do, loop)
    assert seen == ["http.disconnect", "http.disconnect"]
    assert logged(caplog) == []


@both_loops
def test_a_reset_ends_a_send_that_waits_for_room(loop: str, caplog: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/fine":
            await answer(send)
            return
        await send({"type": "http.response.start", "status": 200})
        try:
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        except OSError as error:
            seen.append(error)
            raise

    async def do(one: Talk) -> None:
        one.greedy = False
        stream = one.ask()
        while len(one.body(stream)) < 65_535:
            await one.read()
        one.reset(stream)
        one.h2.increment_flow_control_window(1000)
        assert await one.response(one.ask("/fine")) == (200, b"ok")

    talk(app, do, loop)
    assert [type(each) for each in seen] == [ClientDisconnected]
    assert logged(caplog) == []


@both_loops
@pytest.mark.parametrize("how", ["close", "reset", "eof"])
def test_a_client_that_vanishes(loop: str, how: str, caplog: Any) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        seen.append(message["type"])

    async def main() -> None:
        async with serving(app) as (server, told), talking(server) as one:
            for _ in range(5):
                one.send(one.ask(method="POST", end=False), b"half")
            while len([1 for _, name, _ in told if name == "app"]) < 5:
                await asyncio.sleep(0.001)
            if how == "eof":
                one.socket.writer.write_eof()
            elif how == "reset":
                one.socket.reset()
            else:
                one.socket.writer.close()
            while len(seen) < 5:
                await asyncio.sleep(0.001)

    run(main(), loop)
    assert seen == 5 * ["http.disconnect"]
    assert logged(caplog) == []


def test_a_malformed_request_ends_its_stream_only() -> None:
    async def do(one: Talk) -> None:
        good = one.ask("/good", method="POST", end=False)
        bad = one.ask("/bad", ("te", "trailers"), method="G T")
        assert await one.code(bad) == Code.PROTOCOL_ERROR
        one.send(good, b"", end=True)
        assert await one.response(good) == (200, b"")

    talk(echo, do)


def test_a_connection_error_ends_all(caplog: Any) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        seen.append((await receive())["type"])

    async def do(one: Talk) -> None:
        one.ask()
        one.socket.send(raw(PING, 0, 0, b"short"))
        assert await one.gone() == Code.FRAME_SIZE_ERROR
        while await one.read():
            pass

    talk(app, do)
    assert seen == ["http.disconnect"]


# Limits and time.


def test_one_request_too_many_is_refused() -> None:
    ready = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await ready.wait()
        await answer(send)

    async def do(one: Talk) -> None:
        streams = [one.ask() for _ in range(5)]
        assert await one.code(streams[4]) == Code.REFUSED_STREAM
        assert await one.code(streams[3]) == Code.REFUSED_STREAM
        ready.set()
        assert [await one.response(each) for each in streams[:3]] == 3 * [(200, b"ok")]
        assert await one.response(one.ask()) == (200, b"ok")

    talk(app, do, limits=Limits(streams=3))


def test_requests_that_are_taken_back_count_while_the_app_is_at_them() -> None:
    running, most = 0, 0
    ready = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await ready.wait()
        running -= 1
        await answer(send)

    async def do(one: Talk) -> None:
        for _ in range(50):
            one.reset(one.ask())
            await asyncio.sleep(0)
        last = one.ask()
        assert await one.code(last) == Code.REFUSED_STREAM
        ready.set()
        await asyncio.sleep(0.01)
        assert await one.response(one.ask()) == (200, b"ok")

    talk(app, do, limits=Limits(streams=10))
    assert most == 10


def test_an_answer_that_outlives_its_app() -> None:
    """A task of the app goes on to send when the app has returned, and the client goes."""
    tasks: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/fine":
            await answer(send)
            return
        await send({"type": "http.response.start", "status": 200})
        rest = {"type": "http.response.body", "body": b"x" * 100_000}
        tasks.append(asyncio.create_task(send(rest)))
        await asyncio.sleep(0)

    async def do(one: Talk) -> None:
        one.greedy = False
        for _ in range(5):
            stream = one.ask()
            room = one.h2.remote_flow_control_window(stream)
            while len(one.body(stream)) < room:
                await one.read()
            one.reset(stream)
            one.h2.increment_flow_control_window(65_535)
            one.flush()
            assert await one.response(one.ask("/fine")) == (200, b"ok")
        await asyncio.gather(*tasks)

    talk(app, do, limits=Limits(streams=2))


def test_a_flood_ends_the_connection() -> None:
    async def do(one: Talk) -> None:
        one.socket.send(2_000 * raw(PING, 0, 0, b"12345678"))
        assert await one.gone() == Code.ENHANCE_YOUR_CALM

    talk(greet, do)


def test_limits_that_are_answered() -> None:
    async def do(one: Talk) -> None:
        assert (await one.response(one.ask("/", ("a", "b" * 3000))))[0] == 431
        stream = one.ask("/", ("content-length", "11"), method="POST", end=False)
        assert (await one.response(stream))[0] == 413
        stream = one.ask("/", method="POST", end=False)
        one.send(stream, b"12345678901")
        assert (await one.response(stream))[0] == 413
        assert (await one.response(one.ask("/a")))[0] == 200

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        await answer(send)

    talk(app, do, limits=Limits(head=2000, body=10))


def waiting(do: Any, app: Any = echo, **limits: Any) -> Any:
    """Talk in a loop whose time jumps; what timed out."""
    told = talk(app, do, "jumping", limits=Limits(**limits))
    return [what for _, name, what in told if name == "time out"]


def test_an_idle_connection_is_closed() -> None:
    async def do(one: Talk) -> None:
        assert await one.response(one.ask()) == (200, b"")
        assert await one.gone() == Code.NO_ERROR

    assert waiting(do) == ["the next request"]


def test_a_connection_without_a_request_is_closed() -> None:
    async def do(one: Talk) -> None:
        assert await one.gone() == Code.NO_ERROR

    assert waiting(do) == ["a request"]


def test_a_header_block_without_end() -> None:
    async def do(one: Talk) -> None:
        stream = one.ask(method="POST", end=False)
        await one.until(0, h2.events.SettingsAcknowledged)
        one.socket.send(raw(1, 0, stream + 2, b""))
        assert await one.gone() == Code.ENHANCE_YOUR_CALM

    assert "a request" in waiting(do, body_seconds=None)


def test_a_body_that_does_not_come_is_answered_408() -> None:
    async def do(one: Talk) -> None:
        stream = one.ask(method="POST", end=False)
        assert (await one.response(stream))[0] == 408
        assert await one.code(stream) == Code.NO_ERROR

    assert waiting(do)[0] == "the body"


def test_a_client_that_makes_no_room_loses_its_stream() -> None:
    async def do(one: Talk) -> None:
        one.greedy = False
        stream = one.ask("/70000x1")
        assert await one.code(stream) == Code.CANCEL

    assert waiting(do, stream_out)[0] == "the client to make room"


# The end.


@both_loops
def test_a_shutdown_lets_streams_finish(loop: str) -> None:
    ready = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await ready.wait()
        await answer(send)

    async def main() -> None:
        async with serving(app) as (server, told), talking(server) as one:
            first = one.ask()
            await until_told(told, "app")
            stopping = asyncio.create_task(server.stop())
            data = b""
            while GOAWAY not in [kind for kind, *_ in frames(data)]:
                data += await one.socket.reader.read(1000)
            one.socket.send(request(first + 2))  # too late
            while RST not in [kind for kind, *_ in frames(data)]:
                data += await one.socket.reader.read(1000)
            ready.set()
            data += await one.socket.read()
            one.socket.writer.close()
            await stopping
            ends = [(kind, stream) for kind, flags, stream, _ in frames(data) if kind in (0, 3)]
            assert sorted(ends) == [(0, first), (3, first + 2)]

    run(main(), loop)


def test_an_idle_connection_ends_at_once() -> None:
    async def main() -> None:
        async with serving(greet) as (server, _), talking(server) as one:
            await one.response(one.ask())
            await server.stop()
            assert await one.gone() == Code.NO_ERROR

    run(main())


def test_an_app_that_does_not_end_is_cancelled(caplog: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        async with serving(app, shutdown_seconds=5) as (server, told), talking(server) as one:
            one.ask("/a")
            one.ask("/b")
            while [name for _, name, _ in told].count("app") < 2:
                await asyncio.sleep(0.001)

    run(main(), "jumping")
    assert [line.partition(" was")[0] for line in logged(caplog)] == ["GET /a", "GET /b"]


def test_an_app_that_gives_up_sending_its_end() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        try:
            async with asyncio.timeout(1):
                await send({"type": "http.response.body", "body": b"x" * 100_000})
        except TimeoutError:
            pass

    async def do(one: Talk) -> None:
        one.greedy = False
        assert await one.code(one.ask()) == Code.INTERNAL_ERROR

    waiting(do, app)


def test_an_observer_learns_the_stream() -> None:
    told: list[Any] = []

    async def do(one: Talk) -> None:
        streams = [one.ask("/a"), one.ask("/b")]
        assert [await one.response(stream) for stream in streams] == [(200, b"/a"), (200, b"/b")]

    talk(greet, do, observe=lambda *facts: told.append(facts))
    for name, kind in (("event", Request), ("app", type(None)), ("bytes out", bytes)):
        found = {stream for _, each, data, stream in told if each == name and type(data) is kind}
        assert found - {0} == {1, 3}
    assert {stream for _, name, _, stream in told if name in ("open", "bytes in", "close")} == {0}


def test_what_an_observer_is_told(caplog: Any) -> None:
    caplog.set_level(logging.INFO, "asgi_lab.server")

    async def do(one: Talk) -> None:
        stream = one.ask("/a", method="POST", end=False)
        one.send(stream, b"hi", end=True)
        assert await one.response(stream) == (200, b"hi")

    told = talk(echo, do)
    assert {number for number, *_ in told} == {1}
    names = [name for _, name, _ in told]
    assert names[0] == "open"
    assert names.index("bytes in") < names.index("event") < names.index("app")
    assert names.index("app") < len(names) - 1 - names[::-1].index("bytes out")
    assert names[-1] == "close"
    events = [type(data).__name__ for _, name, data in told if name == "event"]
    assert [name for name in events if name not in ("Window",)] == ["Request", "Body", "EndOfBody"]
    assert "POST /a: 200" in caplog.messages
    assert PREFACE in b"".join(data for _, name, data in told if name == "bytes in")
