"""Clients that come to WSGI workers without a wire, and that the wire makes no difference."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from asgi_lab.client import (
    Clients,
    Door,
    Result,
    SocketDoor,
    after,
    get,
    head,
    pause,
    perform,
    post,
    user,
    ws,
)
from asgi_lab.clock import virtual
from asgi_lab.memory import WSGIDoor
from asgi_lab.types import Environ, StartResponse, WSGIApp
from asgi_lab.wsgi_server import running, threaded

MIB = 1 << 20


def done(app: WSGIApp, clients: Clients, threads: int = 1, port: int = 80) -> tuple[Result, ...]:
    """The results of a workload on so many workers, in virtual time."""

    async def main() -> tuple[Result, ...]:
        waiting: queue.Queue[Any] = queue.Queue()
        serving = threading.Thread(target=threaded.serve, args=(waiting.get, app, threads))
        serving.start()
        try:
            return await perform(WSGIDoor(waiting.put, port=port), clients)
        finally:
            for _ in range(threads):
                waiting.put(None)
            await asyncio.to_thread(serving.join)

    return virtual().run(main)


def times(results: tuple[Result, ...]) -> list[tuple[float, float]]:
    return [(result.started, result.ended) for result in results]


def answer(
    start: StartResponse, *body: bytes, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    start("200 OK", list(headers))
    return list(body)


def sleeping(seconds: float) -> WSGIApp:
    def app(environ: Environ, start: StartResponse) -> list[bytes]:
        import time

        time.sleep(seconds)
        return answer(start, b"ok")

    return app


def test_workers_and_a_line() -> None:
    ends = [result.ended for result in done(sleeping(1), 5 * [get("/")], threads=2)]
    assert ends == [1, 1, 2, 2, 3]


def test_the_environ_is_that_of_the_real_server() -> None:
    def app(environ: Environ, start: StartResponse) -> list[bytes]:
        hidden = ("wsgi.errors", "wsgi.input", "REMOTE_PORT")
        shown = {key: value for key, value in environ.items() if key not in hidden}
        seen.append({**shown, "body": environ["wsgi.input"].read()})
        return answer(start, b"x")

    seen: list[Environ] = []
    clients = [
        get("/caf%C3%A9/a?q=%20", headers=[("X-Key", "1"), ("X-Key", "2"), ("Cookie", "a=b")]),
        post("/", json={"a": "é"}),
        post("/", [b"a", pause(0.02), b"b"]),
        head("/"),
    ]
    with serving(app) as door:
        asyncio.run(perform(door, clients, concurrency=1))
        port = door.port
    real, seen[:] = list(seen), []
    in_memory = WSGIDoor(lambda exchange: threaded.serve(iter([exchange, None]).__next__, app, 1),
                         port=port, settings={"wsgi.multithread": False})  # fmt: skip
    clients[2] = post("/", [b"a", b"b"])  # who serves within `put` cannot wait for a client
    asyncio.run(perform(in_memory, clients, concurrency=1))
    assert seen == real


@contextmanager
def serving(app: WSGIApp) -> Any:
    """The real server, in a thread, on a free port."""
    with running(app) as url:
        yield SocketDoor(url)


CASES: dict[str, tuple[Callable[[Environ, StartResponse], Any], Any]] = {}


def case(*clients: Any) -> Callable[[Any], Any]:
    def named(app: Any) -> Any:
        CASES[app.__name__] = (app, clients)
        return app

    return named


@case(get("/"), head("/"), user(get("/"), get("/")))
def plain(environ: Environ, start: StartResponse) -> Any:
    return answer(start, b"hello", headers=[("Content-Type", "text/plain"), ("X", "é")])


@case(get("/"), get("/", hang_up=after(bytes=4)), get("/", read_rate=1000))
def stream(environ: Environ, start: StartResponse) -> Any:
    start("200 OK", [])
    yield from (b"abc", b"", b"defg", b"h" * 100)


@case(post("/", b"x" * 300_000), post("/", [b"a", pause(0.02), b"b\nc", pause(0.02)]))
def lines(environ: Environ, start: StartResponse) -> Any:
    sizes = [len(line) for line in environ["wsgi.input"]]
    return answer(start, repr(sizes).encode())


@case(get("/"))
def raises(environ: Environ, start: StartResponse) -> Any:
    raise KeyError("on purpose")


@case(get("/"))
def raises_amid(environ: Environ, start: StartResponse) -> Any:
    start("200 OK", [])
    yield b"abc"
    raise KeyError("on purpose")


@case(get("/"))
def no_content(environ: Environ, start: StartResponse) -> Any:
    start("204 No Content", [])
    return []


@pytest.mark.parametrize("name", CASES)
def test_clients_see_the_same_as_over_a_socket(name: str) -> None:
    app, clients = CASES[name]

    def seen(results: tuple[Result, ...]) -> list[Result]:
        return [
            replace(r, headers=tuple(h for h in r.headers if h[0] != "date"),
                    seconds=0, started=0, first_byte=None)
            for r in results
        ]  # fmt: skip

    with serving(app) as door:
        over_sockets = asyncio.run(perform(door, clients, concurrency=1))
    assert seen(done(app, clients)) == seen(over_sockets)


def test_a_slow_client_holds_its_worker() -> None:
    """It is free when the rest of the answer fits between it and the client: 64 KiB."""
    app_ended: list[float] = []

    def app(environ: Environ, start: StartResponse) -> Any:
        import time

        began = time.monotonic()
        start("200 OK", [])
        for _ in range(10):
            yield b"x" * 10_000
        app_ended.append(round(time.monotonic() - began, 3))

    slow, next_one = done(app, [get("/", read_rate=10_000), get("/")])
    assert slow.ended == 10
    assert app_ended[0] == pytest.approx((100_000 - 65_536) / 10_000, abs=0.11)
    assert next_one.ended == pytest.approx(app_ended[0], abs=0.001)


def test_a_client_that_leaves_frees_its_worker_and_closes_the_answer() -> None:
    class Endless:
        closed = False

        def __iter__(self) -> "Endless":
            return self

        def __next__(self) -> bytes:
            return b"x" * 50_000

        def close(self) -> None:
            self.closed = True

    body = Endless()

    def app(environ: Environ, start: StartResponse) -> Any:
        start("200 OK", [])
        return body if environ["PATH_INFO"] == "/endless" else [b"ok"]

    gone, served = done(app, [get("/endless", read_rate=1, hang_up=after(seconds=5)), get("/")])
    assert (gone.hung_up, gone.error, gone.ended) == (True, "", 5)
    assert (served.text, served.ended) == ("ok", 5)
    assert body.closed


def test_a_client_that_leaves_amid_its_request() -> None:
    raised: list[str] = []

    def app(environ: Environ, start: StartResponse) -> Any:
        try:
            environ["wsgi.input"].read()
        except ConnectionError as error:
            raised.append(str(error))
            raise
        return answer(start)

    (result,) = done(app, post("/", [b"a", pause(9), b"b"], hang_up=after(seconds=1)))
    assert (result.hung_up, result.ended) == (True, 1)
    assert raised == ["it hung up amid its request"]


def test_a_body_waits_until_the_worker_reads() -> None:
    def app(environ: Environ, start: StartResponse) -> Any:
        return answer(start, str(len(environ["wsgi.input"].read())).encode())

    (result,) = done(app, post("/", [b"x" * MIB, pause(1), b"x" * MIB]))
    assert (result.text, result.ended) == (str(2 * MIB), 1)


def test_wsgi_has_no_websockets() -> None:
    (result,) = done(sleeping(0), ws("/"))
    assert (result.status, result.error) == (None, "WSGI has no WebSockets")


@pytest.mark.parametrize("framework", ["flask", "bottle", "django"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_frameworks_do_not_notice(framework: str) -> None:
    make = import_module(f"tests.apps.{framework}_app").make_wsgi
    clients = [get("/?name=x"), get("/parts"), get("/stream"), get("/fail"), get("/unknown")]

    def seen(door: Door) -> list[tuple[Any, ...]]:
        results = asyncio.run(perform(door, clients, concurrency=1))
        return [(r.status, r.body, r.error) for r in results]

    with serving(make()) as door:
        over_sockets = seen(door)
    results = done(make(), clients, threads=2, port=door.port)
    assert [(r.status, r.body, r.error) for r in results] == over_sockets
