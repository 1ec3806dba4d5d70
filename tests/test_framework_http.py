"""Requests and responses: what is read when, what is sent when, and clients that leave."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from driver import GONE, Server, http, request

from asgi_lab import after, get, head, pause, post, run
from asgi_lab.client import Result
from asgi_lab.framework import (
    App,
    BackgroundTasks,
    ClientDisconnect,
    EventResponse,
    FileResponse,
    Headers,
    JSONResponse,
    Pairs,
    RedirectResponse,
    Request,
    Response,
    ServerEvent,
    StreamingResponse,
    TextResponse,
    UploadFile,
)
from asgi_lab.framework.receiving import Inbox


def ask(app: Any, *clients: Any, **settings: Any) -> tuple[Result, ...]:
    return asyncio.run(run(app, *clients, **settings)).results


def told(app: Any, scope: Any, *incoming: Any, **behaviour: Any) -> list[Any]:
    """All messages that an app sends, called once."""
    server = Server(incoming, **behaviour)

    async def call() -> None:
        ended = await server.call(app, scope)
        assert ended is None, ended

    asyncio.run(call())
    return server.sent


def test_headers_by_name_in_any_case() -> None:
    headers = Headers([(b"X-A", b"1"), (b"x-b", b"2"), (b"x-a", b"3")])
    assert (headers["x-A"], headers.all("X-a"), len(headers)) == ("1", ["1", "3"], 2)
    assert list(headers) == ["x-a", "x-b"]
    headers["x-a"] = "4"
    headers.add("set-cookie", "a=1")
    headers.add("set-cookie", "b=2")
    del headers["X-B"]
    assert headers.raw == [(b"x-a", b"4"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    headers.vary("origin")
    headers.vary("Origin")
    headers.vary("cookie")
    assert headers["vary"] == "origin, cookie"
    with pytest.raises(KeyError):
        del headers["x-b"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("x a", "1"), ("", "1"), ("x-a", "1\r\nx-b: 2"), ("x-a", "a\0"), ("x-a", "文"), ("文", "1")],
)
def test_no_header_can_be_smuggled_in(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="header"):
        Response(headers={name: value})
    response = TextResponse("")
    for smuggle in (
        lambda: response.set_cookie("a", path="/; domain=evil"),
        lambda: response.set_cookie("a b", "1"),
        lambda: response.set_cookie("a", "1", domain="x\r\ny"),
    ):
        with pytest.raises(ValueError):
            smuggle()


def test_any_text_can_be_a_cookie() -> None:
    value = 'é; "a" = 100%, b\r\n'
    app = App()

    @app.get("/")
    async def page(request: Request) -> Response:
        response = JSONResponse(request.cookies)
        response.set_cookie("a", value)
        return response

    first = ask(app, get("/"))[0]
    pair = dict(first.headers)["set-cookie"].partition(";")[0]
    assert ask(app, get("/", headers={"cookie": f"b=1; {pair}; c"}))[0].json() == {
        "b": "1",
        "a": value,
    }


def test_pairs_keep_all() -> None:
    pairs = Pairs([("a", "1"), ("b", "2"), ("a", "3")])
    assert (pairs["a"], pairs.all("a"), dict(pairs)) == ("3", ["1", "3"], {"a": "3", "b": "2"})
    assert pairs.all("c") == []


def test_a_request_says_where_it_came_from() -> None:
    scope = http("/a b?q=é", headers=[(b"cookie", b"a=1"), (b"cookie", b"b=2")])
    found = Request(scope, Server([]).receive)
    assert found.cookies == {"a": "1", "b": "2"}
    assert found.client == ("127.0.0.1", 5000)
    bare = {"type": "http", "method": "GET", "path": "/é", "headers": []}
    assert Request(bare, Server([]).receive).url == "http://localhost/%C3%A9"


def test_the_body_can_be_streamed_once_or_kept() -> None:
    async def main() -> None:
        whole = Request(
            http(), Server([request(b"ab", True), request(b"", True), request(b"c")]).receive
        )
        assert await whole.body() == b"abc"
        assert await whole.body() == b"abc"
        assert [chunk async for chunk in whole.stream()] == [b"abc"]
        parts = Request(http(), Server([request(b"ab", True), request(b""), GONE]).receive)
        assert [chunk async for chunk in parts.stream()] == [b"ab"]
        with pytest.raises(RuntimeError, match=r"await request.body\(\)"):
            await parts.body()
        cut = Request(http(), Server([request(b"ab", True), GONE]).receive)
        with pytest.raises(ClientDisconnect):
            await cut.body()

    asyncio.run(main())


def test_a_body_that_is_not_what_it_should_be() -> None:
    app = App()

    @app.post("/json")
    async def json_(request: Request) -> Any:
        return JSONResponse(await request.json())

    @app.post("/text")
    async def text(request: Request) -> str:
        return await request.text()

    @app.post("/short")
    async def short(request: Request) -> str:
        return str(len(await request.body(limit=10)))

    @app.post("/form")
    async def form(request: Request) -> str:
        return str(len(await request.form()))

    boundary = {"content-type": "multipart/form-data; boundary=x"}
    urlencoded = {"content-type": "application/x-www-form-urlencoded"}
    part = "--x\r\ncontent-disposition: form-data; name=a\r\n\r\n"
    found = ask(
        app,
        post("/json", "{"),
        post("/json", b"\xff"),
        post("/text", b"\xff"),
        post("/short", 3 * [b"1234"]),
        post("/short", b"1234567890"),
        post("/form", "a=1", headers={"content-type": "text/plain"}),
        post("/form", "a=1", headers={"content-type": "multipart/form-data"}),
        post("/form", "no form", headers=boundary),
        post("/form", f"{part}1", headers=boundary),
        post("/form", "--x\r\nx-a: b\r\n\r\n1\r\n--x--", headers=boundary),
        post("/form", f"{part}{'1' * 1_100_000}\r\n--x--\r\n", headers=boundary),
        post("/form", (part + "\r\n") * 1001 + "--x--\r\n", headers=boundary),
        post("/form", "a=" + "1" * 1_100_000, headers=urlencoded),
        post("/form", "&".join(1001 * ["a=1"]), headers=urlencoded),
        post("/form", f"{part}1\r\n--x--\r\n", headers=boundary),
    )
    statuses = [result.status for result in found]
    assert statuses == [400, 400, 400, 413, 200, 415, *4 * [400], 413, 413, 413, 400, 200]


@pytest.mark.parametrize("found", [None, ModuleType("multipart")], ids=["none", "another"])
def test_a_parser_that_is_missing_is_named(
    found: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "multipart", found)
    app = App()

    @app.post("/")
    async def form(request: Request) -> str:
        return str(len(await request.form()))

    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert ask(app, post("/", "--x--", headers=kind))[0].status == 500
    assert "pip install 'asgi-lab[framework]'" in caplog.text


def test_a_large_file_goes_to_the_disk_and_away(tmp_path: Path) -> None:
    size = 3 * 1024 * 1024
    files: list[UploadFile] = []
    app = App()

    @app.post("/")
    async def upload(request: Request) -> dict[str, Any]:
        file = (await request.form())["f"]
        assert isinstance(file, UploadFile)
        files.append(file)
        await file.seek(size - 2)
        end = await file.read()
        await file.seek(0)
        return {"size": file.size, "end": end.decode(), "kind": file.content_type}

    begin = b'--x\r\ncontent-disposition: form-data; name=f; filename="\xc3\xa9.bin"\r\n\r\n'
    body = begin + b"y" * (size - 1) + b"z\r\n--x--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert ask(app, post("/", body, headers=kind))[0].json() == {
        "size": size, "end": "yz", "kind": "application/octet-stream",
    }  # fmt: skip
    assert (files[0].filename, files[0].file.closed) == ("é.bin", True)


def test_a_response_is_an_app_and_sends_what_the_spec_says() -> None:
    assert told(TextResponse("é", 201, {"X-A": "1"}), http()) == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [
                (b"x-a", b"1"),
                (b"content-length", b"2"),
                (b"content-type", b"text/plain; charset=utf-8"),
            ],
        },
        {"type": "http.response.body", "body": "é".encode()},
    ]
    assert told(TextResponse("é"), http(method="HEAD"))[1] == {
        "type": "http.response.body", "body": b"",
    }  # fmt: skip
    for status in (204, 304):
        assert told(Response(status=status), http())[0]["headers"] == []


def test_what_json_does_not_hold_is_refused() -> None:
    for wrong, error in ((float("nan"), ValueError), ({1, 2}, TypeError)):
        with pytest.raises(error):
            JSONResponse(wrong)
    with pytest.raises(TypeError):
        Response(5)


def test_what_a_handler_returns() -> None:
    app = App()
    results: dict[str, Any] = {
        "text": "é", "dict": {"a": 1}, "list": [1], "none": None, "response": TextResponse("x"),
        "app": RedirectResponse("/text", 303), "strange": object(),
    }  # fmt: skip

    @app.get("/{name}")
    async def page(name: str) -> Any:
        return results[name]

    found = ask(app, [get(f"/{name}") for name in results])
    assert [result.status for result in found] == [200, 200, 200, 204, 200, 303, 500]
    assert [result.text for result in found[:3]] == ["é", '{"a":1}', "[1]"]


def test_a_stream_is_sent_as_it_comes() -> None:
    threads: set[int] = set()

    def blocking() -> Iterator[bytes]:
        for _ in range(2):
            threads.add(threading.get_ident())
            yield b"x"

    async def numbers() -> AsyncIterator[str]:
        for number in range(2):
            await asyncio.sleep(0)
            yield str(number)

    for chunks in (blocking(), numbers()):
        sent = told(StreamingResponse(chunks), http())
        assert [message.get("more_body") for message in sent] == [None, True, True, None]
    assert threads
    assert threading.get_ident() not in threads
    assert not [name for name, _ in told(StreamingResponse([b"x"]), http())[0]["headers"]]
    untouched = numbers()
    assert len(told(StreamingResponse(untouched), http(method="HEAD"))) == 2


class Log(list[str]):
    async def ticks(self, seconds: float = 1.0) -> AsyncIterator[str]:
        try:
            for number in range(1000):
                yield f"{number:>99}\n"
                await asyncio.sleep(seconds)
        finally:
            self.append("closed")


def test_a_stream_ends_when_its_client_leaves() -> None:
    log, app = Log(), App()

    @app.get("/")
    async def stream() -> StreamingResponse:
        return StreamingResponse(log.ticks())

    trace = asyncio.run(run(app, get("/", hang_up=after(seconds=3.5))))
    assert log == ["closed"]
    assert trace.seconds < 4.5
    assert not [event for event in trace if event.kind in ("raise", "cancel")]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_server_may_say_so_in_send(number: int) -> None:
    """Specification 2.4: `send` raises OSError. It is no error of the app (www: "Disconnect")."""
    log, app = Log(), App()

    @app.get("/")
    async def stream() -> StreamingResponse:
        return StreamingResponse(log.ticks(0))

    @app.get("/whole")
    async def whole() -> str:
        return "x"

    sent = told(app, http(), request(), refuse={number: OSError("gone")})
    assert len(sent) == number + 1
    assert log == (["closed"] if number else []), "what was not begun needs no end"
    if number < 2:
        told(app, http("/whole"), request(), refuse={number: OSError("gone")})


def test_the_work_of_a_stream_is_cancelled_in_its_own_task() -> None:
    """What a generator opens it closes in the same task and context: a timeout, a lock, a span."""
    log: list[str] = []
    app = App()

    async def waits() -> AsyncIterator[bytes]:
        yield b"x"
        task = asyncio.current_task()
        try:
            async with asyncio.timeout(1000):
                await asyncio.sleep(500)
        finally:
            log.append("same task" if asyncio.current_task() is task else "another task")

    @app.get("/")
    async def stream() -> StreamingResponse:
        return StreamingResponse(waits())

    ask(app, get("/", hang_up=after(seconds=1)))
    assert log == ["same task"]


def test_a_timeout_of_a_stream_is_not_taken_for_a_client_that_left() -> None:
    app = App()

    async def waits() -> AsyncIterator[bytes]:
        yield b"x"
        async with asyncio.timeout(1):
            await asyncio.sleep(5)

    @app.get("/")
    async def stream() -> StreamingResponse:
        return StreamingResponse(waits())

    trace = asyncio.run(run(app, get("/")))
    assert trace.results[0].error
    assert [e for e in trace if e.kind == "raise" and e.layer == 0]


def test_someone_elses_cancelling_is_passed_on() -> None:
    server = Server([request()])

    async def main() -> None:
        never = asyncio.Event()

        async def waits() -> AsyncIterator[bytes]:
            yield b"x"
            await never.wait()

        call = asyncio.ensure_future(server.call(StreamingResponse(waits()), http()))
        while len(server.sent) < 2:
            await asyncio.sleep(0)
        call.cancel()
        assert isinstance(await call, asyncio.CancelledError)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_an_error_of_receive_is_not_taken_for_a_client_that_left() -> None:
    async def waits() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    server = Server([request(), KeyError("a server's mistake")])
    ended = asyncio.run(server.call(StreamingResponse(waits()), http()))
    assert isinstance(ended, KeyError)


def test_the_request_is_read_while_the_response_is_sent() -> None:
    app = App()

    @app.post("/")
    async def echo(request: Request) -> StreamingResponse:
        async def louder() -> AsyncIterator[bytes]:
            async for chunk in request.stream():
                yield chunk.upper()

        return StreamingResponse(louder())

    chunks: Any = ["one ", pause(1), "two ", pause(1), "three"]
    whole, left = ask(app, post("/", chunks), post("/", chunks, hang_up=after(bytes=8)))
    assert (whole.text, whole.seconds) == ("ONE TWO THREE", pytest.approx(2, abs=0.1))
    assert left.body == b"ONE TWO "


def test_a_request_that_has_come_is_read_though_the_client_stays() -> None:
    """Whoever waits for the client to leave holds up nobody who reads slowly."""
    app = App()

    @app.post("/")
    async def echo(request: Request) -> StreamingResponse:
        async def slowly() -> AsyncIterator[bytes]:
            async for chunk in request.stream():
                await asyncio.sleep(1)
                yield chunk

        return StreamingResponse(slowly())

    pieces: Any = ["one ", pause(0.1), "two ", pause(0.1), "three"]
    whole = ask(app, post("/", pieces))[0]
    assert (whole.text, whole.error) == ("one two three", "")


def test_a_handler_may_wait_for_its_client_to_leave() -> None:
    log, app = Log(), App()

    @app.post("/")
    async def page(request: Request) -> None:
        await request.disconnected()
        log.append("left")
        assert await request.body() == b"all of it"

    trace = asyncio.run(run(app, post("/", "all of it", hang_up=after(seconds=1))))
    assert log == ["left"]
    assert not [event for event in trace if event.kind == "raise" and event.layer == 0]


def test_who_waits_for_the_client_takes_nothing_from_who_reads() -> None:
    async def main() -> None:
        asked: list[int] = []
        messages = [request(b"1", True), request(b"2", True), request(b"3"), GONE]

        async def receive() -> Any:
            asked.append(len(asked))
            await asyncio.sleep(0)
            return messages.pop(0)

        inbox = Inbox(receive)
        assert Inbox.of(inbox) is inbox
        waiting = asyncio.ensure_future(inbox.disconnected())
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(asked) == 1, "it looks one message ahead, and no further"
        bodies = [(await inbox())["body"] for _ in range(3)]
        assert bodies == [b"1", b"2", b"3"]
        await waiting
        assert [await inbox(), await inbox()] == [GONE, GONE]
        assert len(asked) == 4, "nothing is received after http.disconnect"

    asyncio.run(main())


@pytest.mark.parametrize("size", [1, 7])
def test_a_form_may_come_in_pieces_of_any_size(size: int) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
    body = part.format("a", "", "é\r\n--") + part.format("f", '; filename="f"', "--x\r")
    body += part.format("a", "", "") + "--x--\r\nepilogue"
    data = body.encode()

    async def main() -> None:
        pieces = [request(data[at : at + size], True) for at in range(0, len(data), size)]
        headers = [(b"content-type", b'multipart/form-data; boundary="x"')]
        asked = Request(http(method="POST", headers=headers), Server([*pieces, request()]).receive)
        form = await asked.form()
        assert form.all("a") == ["é\r\n--", ""]
        file = form["f"]
        assert isinstance(file, UploadFile)
        assert await file.read() == b"--x\r"
        asked.close()

    asyncio.run(main())


def test_a_file_may_have_any_name() -> None:
    app = App()

    @app.post("/")
    async def upload(request: Request) -> str:
        file = (await request.form())["文"]
        assert isinstance(file, UploadFile)
        return f"{file.filename} {(await file.read()).decode()}"

    form = '--x\r\ncontent-disposition: form-data; name="文"; filename="字.txt"\r\n\r\n!\r\n--x--'
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert ask(app, post("/", form, headers=kind))[0].text == "字.txt !"


def test_events_and_comments_in_between() -> None:
    app = App()

    async def events() -> AsyncIterator[Any]:
        yield ServerEvent("two\nlines", event="e", id="7", retry=100)
        await asyncio.sleep(25)
        yield {"a": 1}
        yield "text"

    @app.get("/")
    async def page() -> EventResponse:
        return EventResponse(events(), keep_alive=10)

    result = ask(app, get("/"))[0]
    assert result.text == (
        "event: e\nid: 7\nretry: 100\ndata: two\ndata: lines\n\n"
        ": keep-alive\n\n: keep-alive\n\n"
        'data: {"a": 1}\n\ndata: text\n\n'
    )
    assert dict(result.headers)["content-type"] == "text/event-stream; charset=utf-8"
    for broken in (ServerEvent("", event="a\nb"), ServerEvent("", id="a\0")):
        with pytest.raises(ValueError, match="one line"):
            broken.encode()


def test_events_end_when_the_client_leaves() -> None:
    log, app = Log(), App()

    @app.get("/")
    async def page() -> EventResponse:
        return EventResponse(log.ticks(), keep_alive=0.3)

    trace = asyncio.run(run(app, get("/", hang_up=after(seconds=5))))
    assert log == ["closed"]
    assert trace.seconds < 7
    assert trace.results[0].text.count(": keep-alive") == 15
    assert not [event for event in trace if event.kind == "raise"]


def test_work_after_a_stream_is_done_though_its_client_left() -> None:
    log, app = Log(), App()

    @app.get("/")
    async def page(after: BackgroundTasks) -> StreamingResponse:
        after.add(log.append, "after")
        own = BackgroundTasks()
        own.add(log.append, "own")
        return StreamingResponse(log.ticks(), background=own)

    ask(app, get("/", hang_up=after(seconds=1)))
    assert log == ["closed", "own", "after"]


def test_a_file_that_shrinks_is_not_sent_as_if_it_were_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 300_000)
    app = App()

    @app.get("/")
    async def file() -> FileResponse:
        return FileResponse(path)

    @app.middleware
    def cutting(inner: Any) -> Any:
        async def cut(scope: Any, receive: Any, send: Any) -> None:
            async def shrink(message: Any) -> None:
                path.write_bytes(b"")
                await send(message)

            await inner(scope, receive, shrink)

        return cut

    result = ask(app, get("/"))[0]
    assert "amid its answer" in result.error


def test_a_file_response_can_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "a é.txt"
    path.write_text("0123456789")
    response = FileResponse(path, filename=path.name)
    tag = dict(told(response, http())[0]["headers"])[b"etag"]
    for headers, status in (([(b"if-none-match", tag)], 304), ([(b"range", b"bytes=2-3")], 206),
                            ([(b"range", b"bytes=10-")], 416), ([], 200)):  # fmt: skip
        sent = told(response, http(headers=headers))
        assert sent[0]["status"] == status
        body = b"".join(message["body"] for message in sent[1:] if "body" in message)
        assert body == {200: b"0123456789", 206: b"23"}.get(status, b"")
    names = dict(told(response, http())[0]["headers"])
    assert names[b"content-disposition"] == b"attachment; filename*=utf-8''a%20%C3%A9.txt"


@pytest.mark.parametrize(
    "ignored",
    [
        "bytes=5-2",
        "bytes=-",
        "bytes=0-1,4-5",
        "lines=0-1",
        "bytes=a-b",
        "nonsense",
        f"bytes={'9' * 5000}-",
    ],
)
def test_a_range_that_is_none_is_ignored(tmp_path: Path, ignored: str) -> None:
    """RFC 9110, section 14.2: the whole file is always an answer."""
    path = tmp_path / "file"
    path.write_text("0123456789")
    sent = told(FileResponse(path), http(headers=[(b"range", ignored.encode())]))
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"0123456789")


def test_a_missing_file_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    app = App()

    @app.get("/")
    async def file() -> FileResponse:
        return FileResponse(tmp_path / "none")

    @app.on_error(FileNotFoundError)
    async def missing(request: Request, error: FileNotFoundError) -> Response:
        return TextResponse("gone", 410)

    assert [result.status for result in ask(app, get("/"), head("/"))] == [410, 410]


def test_json_is_as_short_as_can_be() -> None:
    assert JSONResponse({"é": [1, 2.5, None]}).body == '{"é":[1,2.5,null]}'.encode()
    assert json.loads(JSONResponse("x").body) == "x"
