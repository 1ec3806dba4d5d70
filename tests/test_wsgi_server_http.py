"""The same server over real sockets: what comes in as an environ, and what goes out as bytes."""

import contextlib
import logging
import queue
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit
from wsgiref.validate import validator

import httpx
import pytest

from asgi_lab.wsgi_server import Limits, running

PATIENCE = 30.0
"""Seconds after which a test has failed. Nothing waits so long when all is well."""

PLAIN = [("Content-Type", "text/plain")]
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: test\r\n"


class Client(contextlib.closing[socket.socket]):
    """A client that says just these bytes, in just these pieces."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        name = (address.hostname or "", address.port or 0)
        self.sock = socket.create_connection(name, PATIENCE)
        self.lines = self.sock.makefile("rb")
        super().__init__(self.sock)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.sock.close()

    def say(self, data: bytes) -> "Client":
        self.sock.sendall(data)
        return self

    def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer."""
        status = int(self.lines.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self.lines.readline().strip().decode():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return status, headers

    def answer(self) -> tuple[int, bytes]:
        """The next answer, which has a Content-Length."""
        status, headers = self.head()
        return status, self.lines.read(int(headers["content-length"]))

    def rest(self) -> bytes:
        """All until the server closes."""
        return self.lines.read()


def ask(url: str, data: bytes) -> bytes:
    """All that is answered to one client until the connection is closed."""
    with Client(url) as client:
        return bytes(client.say(data).rest())


def echo(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answers method, path and body, each read as the path says."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", PLAIN)
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode() + body]


@pytest.fixture(scope="module")
def echoing() -> Iterator[str]:
    with running(echo, limits=Limits(head=2000, body=100)) as url:
        yield url


@contextlib.contextmanager
def seen(url_of: Any = running) -> Iterator[Any]:
    """A server that keeps the environ it was asked with."""
    kept: list[dict[str, Any]] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        kept.append(environ)
        start_response("200 OK", PLAIN)
        return [b"ok"]

    with url_of(app) as url:
        yield url, kept


# --- what comes in -------------------------------------------------------------------------------


def test_the_environ_says_what_the_request_said() -> None:
    with seen() as (url, kept):
        headers = [("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1"), ("cookie", "b=2")]
        httpx.post(
            f"{url}/caf%C3%A9/%2Fa?q=%C3%A9&r", content=b"{}", headers=[*headers, ("x_y", "z")]
        )
    environ = kept[0]
    address = urlsplit(url)
    wanted = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/café//a".encode().decode("latin-1"),
        "QUERY_STRING": "q=%C3%A9&r",
        "REQUEST_URI": "/caf%C3%A9/%2Fa?q=%C3%A9&r",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(address.port),
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": "2",
        "HTTP_HOST": address.netloc,
        "HTTP_X_A": "1,2",
        "HTTP_COOKIE": "a=1; b=2",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    assert {key: environ.get(key) for key in wanted} == wanted
    assert (
        not {"HTTP_X_Y", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH", "CONTENT_TYPE"}
        & environ.keys()
    )
    assert type(environ) is dict


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("//a", "//a", ""),
        ("/a?", "/a", ""),
        ("http://other/a?b", "/a", "b"),
        ("http://other", "/", ""),
        ("*", "", ""),
        ("/a%00%ff", "/a\x00\xff", ""),
    ],
)
def test_any_form_of_target(target: str, path: str, query: str) -> None:
    with seen() as (url, kept), Client(url) as client:
        client.say(f"OPTIONS {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode()).answer()
    assert (kept[0]["PATH_INFO"], kept[0]["QUERY_STRING"]) == (path, query)


@pytest.mark.parametrize("cut", range(1, len(GET), 5))
def test_a_request_may_come_in_pieces(echoing: str, cut: int) -> None:
    with Client(echoing) as client, Client(echoing) as other:
        client.say(GET[:cut])
        assert other.say(GET).answer() == (200, b"GET / ")  # and holds nobody up meanwhile
        assert client.say(GET[cut:]).answer() == (200, b"GET / ")


def test_a_body_of_known_length_or_in_chunks(echoing: str) -> None:
    assert httpx.post(echoing, content=b"body").text == "POST / body"
    assert httpx.post(echoing, content=iter([b"bo", b"dy"])).text == "POST / body"
    assert httpx.post(echoing, content=b"").text == "POST / "


def test_the_body_is_a_stream_that_ends() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        parts = [body.read(2), body.readline(), body.readline(2), *body.readlines(), body.read(5)]
        start_response("200 OK", PLAIN)
        return [repr(parts).encode()]

    with running(app) as url:
        text = httpx.post(url, content=iter([b"ab", b"c\nde", b"f\ng\n", b"h"])).text
    assert text == repr([b"ab", b"c\n", b"de", b"f\n", b"g\n", b"h", b""])


def test_an_app_hears_a_chunk_before_the_next_is_sent() -> None:
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        for line in environ["wsgi.input"]:
            heard.put(line)
        start_response("200 OK", PLAIN)
        return [b"ok"]

    def content() -> Iterator[bytes]:
        for line in (b"one\n", b"two\n"):
            yield line
            assert heard.get(timeout=PATIENCE) == line

    with running(app) as url:
        assert httpx.post(url, content=content(), timeout=PATIENCE).text == "ok"


def test_a_client_is_told_to_go_on_when_the_app_reads() -> None:
    reads = threading.Event()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        assert reads.wait(PATIENCE)
        body = environ["wsgi.input"].read()
        start_response("200 OK", PLAIN)
        return [body]

    with running(app) as url, Client(url) as client:
        client.say(POST + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.sock.recv(1)
        client.sock.settimeout(PATIENCE)
        reads.set()
        assert client.head()[0] == 100
        assert client.say(b"body").answer() == (200, b"body")


def test_a_client_is_not_told_to_go_on_when_the_app_does_not_read() -> None:
    with seen() as (url, _):
        answer = ask(url, POST + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in answer.lower()


# --- what is refused -----------------------------------------------------------------------------

CHUNKED = b"Transfer-Encoding: chunked\r\n"
REFUSED = {
    "nonsense": (b"nonsense\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "no path": (b"GET nowhere HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    "bad path": (b"GET http://[ HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    "bad header": (b"GET / HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n", 400),
    "half a request": (b"GET / HTTP/1.1\r\nHost", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12", 400),
    "length and chunks": (POST + b"Content-Length: 1\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "bad chunk": (POST + CHUNKED + b"\r\nzz\r\n", 400),
    "too long": (POST + b"Content-Length: 101\r\n\r\n" + b"x" * 101, 413),
    "too long in chunks": (POST + CHUNKED + b"\r\n60\r\n" + b"x" * 96 + b"\r\n5\r\nxxxxx\r\n", 413),
    "long head": (b"GET / HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 9000, 431),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "connect": (b"CONNECT test:80 HTTP/1.1\r\nHost: test\r\n\r\n", 501),
    "version": (b"GET / HTTP/1.2\r\nHost: test\r\n\r\n", 505),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_served_is_refused_politely(echoing: str, case: str, caplog: Any) -> None:
    request, status = REFUSED[case]
    with Client(echoing) as client:
        client.say(request)
        if status in (400, 431):
            client.sock.shutdown(socket.SHUT_WR)
        got, headers = client.head()
        assert (got, headers["connection"]) == (status, "close")
        assert client.rest()  # why, and then the end, without a reset
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert httpx.get(echoing).text == "GET / "


def test_a_client_that_does_not_stop_when_refused_holds_nobody_up(echoing: str) -> None:
    served = threading.Event()

    def flood() -> None:
        with Client(echoing) as client, contextlib.suppress(ConnectionError):
            client.say(b"nonsense\r\n\r\n")
            refused.set()
            while not served.is_set():
                client.say(bytes(100_000))

    refused = threading.Event()
    thread = threading.Thread(target=flood)
    thread.start()
    assert refused.wait(PATIENCE)
    assert httpx.get(echoing, timeout=PATIENCE).text == "GET / "
    served.set()
    thread.join()


# --- what goes out -------------------------------------------------------------------------------


def streaming(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"one"
    yield b"two"
    if environ["PATH_INFO"] == "/cut":
        raise LookupError("broken")


def test_an_answer_of_unknown_length_goes_in_chunks() -> None:
    with running(streaming) as url, Client(url) as client:
        status, headers = client.say(GET).head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        assert client.lines.read(21) == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
        assert client.say(GET).head()[0] == 200


def test_to_a_client_of_1_0_it_goes_until_the_end() -> None:
    with running(streaming) as url:
        head, _, body = ask(url, b"GET / HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert body == b"onetwo"
    assert b"chunked" not in head


def test_an_answer_that_is_cut_off_does_not_look_whole() -> None:
    with running(streaming) as url:
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{url}/cut")
        with pytest.raises(ConnectionResetError):
            ask(url, b"GET /cut HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Same")]
)
def test_what_has_no_body_has_none_on_the_wire(method: str, status: str) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, [("Content-Length", "4")])
        return [b"body"]

    with running(app) as url, Client(url) as client:
        for _ in range(2):  # a stray body would be taken for the second answer
            client.say(GET.replace(b"GET", method.encode()))
            got, headers = client.head()
            assert got == int(status[:3])
            assert headers.get("content-length") == (None if got == 204 else "4")


def test_headers_go_out_as_they_are() -> None:
    sent = [("X-A", "1"), ("X-A", "2"), ("Set-Cookie", "a=\xe9"), ("X-Space", " x "), ("Date", "D")]

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("299 Fine, really", sent)
        return [b""]

    with running(app) as url:
        raw = ask(url, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    lines = raw.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 299 Fine, really"
    expected = [b"X-A: 1", b"X-A: 2", b"Set-Cookie: a=\xe9", b"X-Space: x", b"Date: D"]
    assert lines[1:7] == [*expected, b"Content-Length: 0"]


# --- the connection ------------------------------------------------------------------------------


def test_a_connection_is_kept(echoing: str) -> None:
    with Client(echoing) as client:
        for _ in range(3):
            assert client.say(GET).answer() == (200, b"GET / ")


def test_requests_may_come_before_they_are_answered(echoing: str) -> None:
    post = POST + b"Content-Length: 4\r\n\r\nbody"
    with Client(echoing) as client:
        client.say(3 * (GET + post))
        answers = [client.answer()[1] for _ in range(6)]
    assert answers == 3 * [b"GET / ", b"POST / body"]


def test_a_body_that_nobody_read_is_not_the_next_request() -> None:
    with seen() as (url, kept), Client(url) as client:
        client.say(POST + b"Content-Length: 4\r\n\r\nbody" + GET)
        assert [client.answer(), client.answer()] == 2 * [(200, b"ok")]
    assert [environ["REQUEST_METHOD"] for environ in kept] == ["POST", "GET"]


def test_a_body_is_not_read_beyond_its_request() -> None:
    late: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    class Body(list[bytes]):
        input: Any

        def close(self) -> None:
            late.put(self.input.read())

    def app(environ: Any, start_response: Any) -> Body:
        body = Body([b"ok"])
        body.input = environ["wsgi.input"]
        start_response("200 OK", PLAIN)
        return body

    post = POST + b"Content-Length: 4\r\n\r\nbody"
    with running(app) as url, Client(url) as client:
        client.say(2 * post)
        assert [client.answer(), client.answer()] == 2 * [(200, b"ok")]
        assert late.get(timeout=PATIENCE) == b""


def test_a_client_that_still_uploads_can_read_the_answer() -> None:
    with seen() as (url, _), Client(url) as client:
        client.say(POST + b"Content-Length: 10000000\r\n\r\n" + bytes(1000))
        assert client.answer() == (200, b"ok")
        client.say(bytes(9_999_000) + GET)
        assert client.answer() == (200, b"ok")


def test_a_client_with_nothing_to_say_is_sent_away() -> None:
    with running(echo, limits=Limits(keep_alive=0.3)) as url:
        assert ask(url, b"") == b""
        assert ask(url, b"GET / HT") == b""
        assert ask(url, GET).endswith(b"GET / ")


def test_who_asks_while_the_worker_is_busy_is_not_sent_away() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/busy":
            environ["wsgi.input"].read()
            time.sleep(0.8)  # longer than a client may wait
        start_response("200 OK", PLAIN)
        return [b"ok"]

    busy = POST.replace(b"/ ", b"/busy ") + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    server = running(app, limits=Limits(keep_alive=0.5))
    with server as url, Client(url) as client, Client(url) as kept:
        assert kept.say(GET).answer() == (200, b"ok")
        assert client.say(busy).head()[0] == 100
        kept.say(GET)
        assert client.say(b"!").answer() == (200, b"ok")
        assert kept.answer() == (200, b"ok")


def test_clients_that_wait_hold_no_worker(echoing: str) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Client(echoing)) for _ in range(20)]
        idle[0].say(GET).answer()
        assert httpx.get(echoing).text == "GET / "


# --- clients that leave, or are slow -------------------------------------------------------------


def test_a_client_that_leaves_in_the_middle_of_its_upload(caplog: Any) -> None:
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            environ["wsgi.input"].read()
        except Exception as error:
            ended.put(error)
            raise
        start_response("200 OK", PLAIN)
        return [b"ok"]

    with running(app) as url:
        with Client(url) as client:
            client.say(POST + b"Content-Length: 10\r\n\r\nfour")
        assert isinstance(ended.get(timeout=PATIENCE), ConnectionError)
        assert ask(url, GET.replace(b"1.1", b"1.0")).endswith(b"ok")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_client_that_leaves_in_the_middle_of_the_answer(caplog: Any) -> None:
    closed = threading.Event()

    class Endless:
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield bytes(100_000)

        def close(self) -> None:
            closed.set()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return Endless()

    with running(app) as url, caplog.at_level(logging.INFO, "asgi_lab"):
        with Client(url) as client:
            client.say(GET).head()
        assert closed.wait(PATIENCE)
    assert "GET '/': the client left" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_slow_client_slows_the_app_and_a_dead_one_is_given_up() -> None:
    made: list[int] = []
    closed = threading.Event()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        try:
            for number in range(1000):
                made.append(number)
                yield bytes(100_000)
        finally:
            closed.set()

    with running(app, limits=Limits(patience=0.2)) as url, Client(url) as client:
        client.say(GET).head()  # and reads no more
        assert closed.wait(PATIENCE)
    assert len(made) < 1000


# --- independent judges --------------------------------------------------------------------------


def test_the_server_passes_python_s_own_validator(caplog: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        body = environ["wsgi.input"].read(3)
        start_response("200 OK", PLAIN)
        yield body
        yield environ["wsgi.input"].readline()

    with running(validator(app)) as url:
        assert httpx.post(f"{url}/a?b", content=b"a body").text == "a body"
        assert httpx.get(url).text == ""
        assert httpx.options(url).status_code == 200
    assert not [record for record in caplog.records if record.name.startswith("asgi_lab")]
