"""The models: who waits for whom; and real frameworks on each, bare and traced."""

import contextlib
import logging
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from asgi_lab import trace
from asgi_lab.wsgi_server import Limits, running, serve, sync, threaded

PATIENCE = 30.0
"""Seconds after which a test has failed. Nothing waits so long when all is well."""

MODELS: dict[str, dict[str, int]] = {
    "sync": {},
    "threaded": {"threads": 3},
    "prefork": {"workers": 2},
    "prefork, threaded": {"workers": 2, "threads": 2},
}


class Memory:
    """An exchange that keeps what it is sent."""

    def __init__(self, path: str) -> None:
        self.environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
        self.sent: list[bytes] = []

    def head(self, status: str, headers: Any) -> None:
        self.sent.append(status.encode())

    def chunk(self, data: bytes) -> None:
        self.sent.append(data)

    def end(self, error: BaseException | None = None) -> None:
        self.sent.append(b"end" if error is None else b"cut")


class Line:
    """Exchanges that wait in line; an `Accept` that notes who is served by whom."""

    def __init__(self, *paths: str) -> None:
        self.exchanges = [Memory(path) for path in paths]
        self._rest = iter(self.exchanges)
        self._inside = threading.Lock()

    def __call__(self) -> Memory | None:
        assert self._inside.acquire(blocking=False), "two at the door at once"
        with contextlib.closing(contextlib.ExitStack()) as stack:
            stack.callback(self._inside.release)
            return next(self._rest, None)


def thread_name(environ: Any, start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/exit":
        raise SystemExit
    start_response("200 OK", [])
    return [threading.current_thread().name.encode()]


# --- the models, without sockets -----------------------------------------------------------------


def test_sync_serves_one_after_the_other() -> None:
    line = Line("/a", "/b", "/c")
    sync.serve(line, thread_name)
    name = threading.current_thread().name.encode()
    assert [exchange.sent for exchange in line.exchanges] == 3 * [[b"200 OK", name, b"end"]]


def test_threads_serve_as_many_at_once_as_there_are() -> None:
    all_are_here = threading.Barrier(4)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        all_are_here.wait(PATIENCE)
        return thread_name(environ, start_response)

    line = Line(*(f"/{n}" for n in range(8)))
    threaded.serve(line, app, threads=4)
    names = sorted(exchange.sent[1].decode() for exchange in line.exchanges)
    assert {names.count(name) for name in set(names)} == {2}
    assert sorted(set(names)) == ["worker-1", "worker-2", "worker-3", "worker-4"]


def test_a_worker_that_dies_is_reported_and_the_others_go_on(caplog: Any) -> None:
    line = Line("/exit", *(f"/{n}" for n in range(5)))
    threaded.serve(line, thread_name, threads=2)
    assert line.exchanges[0].sent[0] == b"500 Internal Server Error"
    assert all(exchange.sent[-1] == b"end" for exchange in line.exchanges)
    assert "worker-1 died of SystemExit(); 1 left" in caplog.text


def test_when_no_worker_is_left_that_is_an_error() -> None:
    with pytest.raises(threaded.NoWorkerLeft, match="all 2 workers have died"):
        threaded.serve(Line("/exit", "/exit", "/a"), thread_name, threads=2)
    with pytest.raises(SystemExit):
        sync.serve(Line("/exit", "/a"), thread_name)


# --- the models, over sockets --------------------------------------------------------------------


def meeting(number: int) -> Callable[..., Any]:
    """An app that answers once so many requests are in it."""
    barrier = threading.Barrier(number)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        barrier.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"met"]

    return app


def test_threads_share_one_door() -> None:
    with running(meeting(3), threads=3) as url, ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda _: httpx.get(url).text, range(6))) == 6 * ["met"]


def test_one_worker_never_has_two_at_once() -> None:
    inside = threading.Lock()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        assert inside.acquire(blocking=False)
        start_response("200 OK", [])
        yield b"a"
        yield b"lone"
        inside.release()

    with running(app) as url, ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda _: httpx.get(url).text, range(12))) == 12 * ["alone"]


@pytest.mark.parametrize("model", MODELS)
def test_the_environ_tells_the_model(model: str) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [f"{environ['wsgi.multithread']} {environ['wsgi.multiprocess']}".encode()]

    options = MODELS[model]
    with running(app, **options) as url:
        assert httpx.get(url).text == f"{'threads' in options} {'workers' in options}"


@pytest.mark.parametrize("model", ["sync", "threaded"])
def test_who_is_inside_when_it_stops_is_served(model: str) -> None:
    stop, ports = threading.Event(), queue.SimpleQueue[int]()
    inside, go_on = threading.Event(), threading.Event()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        inside.set()
        assert go_on.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"done"]

    options: dict[str, Any] = {**MODELS[model], "ready": ports.put, "stop": stop}
    with ThreadPoolExecutor(2) as pool:
        server = pool.submit(serve, app, **options)
        port = ports.get(timeout=PATIENCE)
        client = pool.submit(httpx.get, f"http://127.0.0.1:{port}", timeout=PATIENCE)
        assert inside.wait(PATIENCE)
        stop.set()
        go_on.set()
        assert client.result().text == "done"
        server.result()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_who_does_not_finish_in_time_is_cut_off(caplog: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        while True:
            yield bytes(100_000)

    def read_all() -> None:
        with httpx.stream("GET", urls.get(timeout=PATIENCE)) as response:
            for data in response.iter_raw():
                if data:
                    reading.set()

    urls, reading = queue.SimpleQueue[str](), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with running(app, limits=Limits(grace=0.05)) as url:
            client = pool.submit(read_all)
            urls.put(url)
            assert reading.wait(PATIENCE)
        assert isinstance(client.exception(), httpx.TransportError)
    assert "time is up after 0.05 s; requests cut off: 1" in caplog.text


def test_what_keeps_it_from_serving_is_raised() -> None:
    with (
        running(thread_name) as url,
        pytest.raises(OSError),
        running(thread_name, port=urlsplit(url).port),
    ):
        raise AssertionError("it served")


def test_ipv6() -> None:
    with running(thread_name, host="::1", threads=2) as url:
        assert url.startswith("http://[::1]:")
        assert httpx.get(url).text.startswith("worker-")


# --- frameworks ----------------------------------------------------------------------------------

EXPECTED = {
    "flask": {"/?name=x": "hello x", "/parts": "abc", "/file": "content"},
    "bottle": {"/?name=x": "hello x", "/parts": "abc"},
    "django": {"/?name=x": "hello x", "/parts": "abc"},
}


@pytest.mark.parametrize("traced", [False, True], ids=["bare", "traced"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("framework", EXPECTED)
def test_a_framework_runs_on_every_model(framework: str, model: str, traced: bool) -> None:
    app = import_module(f"tests.apps.{framework}_app").make_wsgi()
    served = running(trace(app) if traced else app, **MODELS[model])
    with served as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        for path, text in EXPECTED[framework].items():
            assert client.get(path).text == text
        assert client.head("/?name=x").status_code in (200, 405)
        assert client.post("/items", content=b"b").text in ("b", '{"body": "b"}')
        # Only Flask reads a body of unknown length; it knows `wsgi.input_terminated`.
        chunked = client.post("/items", content=iter([b"bo", b"dy"])).text
        assert chunked == {"flask": "body", "bottle": "", "django": '{"body": ""}'}[framework]
        assert client.get("/unknown").status_code == 404
        assert client.get("/fail").status_code == 500
        assert client.get("/?name=y").text == "hello y"


# --- traced --------------------------------------------------------------------------------------


def test_a_trace_shows_each_step() -> None:
    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            yield b"b"

        def close(self) -> None:
            pass

    def app(environ: Any, start_response: Any) -> Body:
        start_response("200 OK", [])
        return Body()

    traced = trace(app)
    with running(traced) as url:
        assert httpx.get(f"{url}/x").text == "ab"
    steps = [(e.kind, e.type) for e in traced.trace if e.kind not in ("run", "ran")]
    chunk = [("send", "wsgi.chunk"), ("sent", "")]
    start = [("send", "wsgi.start_response"), ("sent", "")]
    end = [("close", ""), ("return", "")]
    assert [(kind, "" if kind == "sent" else type) for kind, type in steps] == [
        ("scope", "wsgi"), *start, *chunk, *chunk, *end
    ]  # fmt: skip


def test_a_trace_shows_a_client_that_is_slow() -> None:
    back = threading.Event()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield bytes(64_000_000)  # more than any buffer on the way
        back.set()

    traced = trace(app)
    with running(traced) as url, httpx.stream("GET", url, timeout=PATIENCE) as response:
        assert [e.kind for e in traced.trace][-2:] == ["ran", "send"]  # and not yet sent
        assert not back.is_set()
        assert sum(map(len, response.iter_raw())) == 64_000_000
        assert back.wait(PATIENCE)
        sent = [e for e in traced.trace.filter("kind=sent") if e.data.get("took")]
    assert len(sent) == 2


def test_a_worker_that_is_told_nothing_says_nothing(caplog: Any) -> None:
    with caplog.at_level(logging.WARNING), running(thread_name, threads=2) as url:
        httpx.get(url)
    assert not [record for record in caplog.records if record.name.startswith("asgi_lab")]
