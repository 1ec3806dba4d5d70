"""The gateway keeps PEP 3333: apps that keep it are answered, apps that break it are told how."""

import io
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from asgi_lab.wsgi_server.gateway import answer

Journal = list[tuple[Any, ...]]
PLAIN = [("Content-Type", "text/plain")]


class Memory:
    """An exchange that keeps a journal; its client may leave at a step of it."""

    def __init__(self, method: str = "GET", leaves: str = "") -> None:
        self.environ: dict[str, Any] = {"REQUEST_METHOD": method, "wsgi.input": io.BytesIO()}
        self.environ["QUERY_STRING"] = ""
        setup_testing_defaults(self.environ)
        self.journal: Journal = []
        self.leaves = leaves

    def note(self, *entry: Any) -> None:
        self.journal.append(entry)
        if entry[0] == self.leaves:
            self.leaves = ""
            raise ConnectionResetError("gone")

    def head(self, status: str, headers: Any) -> None:
        self.note("head", status, dict(headers))

    def chunk(self, data: bytes) -> None:
        self.note("chunk", data)

    def end(self, error: BaseException | None = None) -> None:
        self.note("end", *([type(error).__name__, str(error)] if error else []))


def serve(app: Callable[..., Any], **options: Any) -> Journal:
    exchange = Memory(**options)
    exchange.environ["test.journal"] = exchange.journal
    answer(app, exchange)
    return exchange.journal


def responding(
    *chunks: Any, status: Any = "200 OK", headers: Any = PLAIN, body: Any = None
) -> Callable[..., Any]:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, headers)
        return list(chunks) if body is None else body

    return app


def generating(*chunks: bytes, length: str | None = None) -> Callable[..., Iterator[bytes]]:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", length)] if length else [])
        yield from chunks

    return app


class Closing:
    """An iterable of one chunk that notes its own close, and may break."""

    def __init__(self, journal: Journal, breaks: str = "") -> None:
        self.journal, self.breaks = journal, breaks

    def __iter__(self) -> Iterator[bytes]:
        yield b"one"
        if self.breaks == "iter":
            raise LookupError("broken")

    def close(self) -> None:
        self.journal.append(("close",))
        if self.breaks == "close":
            raise LookupError("broken")


def closing(breaks: str = "") -> Callable[..., Closing]:
    def app(environ: Any, start_response: Any) -> Closing:
        start_response("200 OK", PLAIN)
        return Closing(environ["test.journal"], breaks)

    return app


TYPE = {"Content-Type": "text/plain"}
FAILED: Journal = [
    ("head", "500 Internal Server Error", {**TYPE, "Content-Length": "25"}),
    ("chunk", b"500 Internal Server Error"),
    ("end",),
]


# --- what is sent --------------------------------------------------------------------------------


def test_a_single_chunk_has_a_known_length() -> None:
    head = ("head", "200 OK", {**TYPE, "Content-Length": "5"})
    assert serve(responding(b"hello")) == [head, ("chunk", b"hello"), ("end",)]


def test_the_length_of_several_chunks_is_not_known_before() -> None:
    sent = [("chunk", b"a"), ("chunk", b"b"), ("end",)]
    assert serve(responding(b"a", b"b")) == [("head", "200 OK", TYPE), *sent]
    assert serve(generating(b"a", b"", b"b")) == [("head", "200 OK", {}), *sent]


@pytest.mark.parametrize("app", [responding(), responding(b""), responding(b"", b"")])
def test_nothing_is_a_body_of_no_bytes(app: Any) -> None:
    assert serve(app) == [("head", "200 OK", {**TYPE, "Content-Length": "0"}), ("end",)]


def test_the_head_waits_for_a_chunk_that_is_not_empty() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b""
        environ["test.journal"].append(("still here",))
        yield b"a"

    assert serve(app)[:2] == [("still here",), ("head", "200 OK", {})]


def test_each_chunk_is_sent_before_the_next_is_asked_for() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for part in (b"a", b"b"):
            environ["test.journal"].append(("making", part))
            yield part

    a, b = b"a", b"b"
    expected = [("making", a), ("head", "200 OK", {}), ("chunk", a), ("making", b), ("chunk", b)]
    assert serve(app) == [*expected, ("end",)]


def test_write_sends_at_once_and_before_what_is_returned() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"")
        environ["test.journal"].append(("written",))
        write(b"a")
        return [b"b"]

    sent = [("chunk", b""), ("written",), ("chunk", b"a"), ("chunk", b"b"), ("end",)]
    assert serve(app) == [("head", "200 OK", {}), *sent]


def test_the_headers_are_those_of_the_call() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        headers = [("X-A", "1")]
        start_response("200 OK", headers)
        headers.append(("X-B", "2"))
        return [b"a", b"b"]

    assert serve(app)[0] == ("head", "200 OK", {"X-A": "1"})


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not")]
)
@pytest.mark.parametrize("chunks", [(), (b"body",)])
def test_what_has_no_body_is_sent_without(method: str, status: str, chunks: Any) -> None:
    journal = serve(responding(*chunks, status=status), method=method)
    assert journal[0] == ("head", status, TYPE)
    assert set(journal[1:]) <= {("chunk", b""), ("end",)}


def test_head_may_tell_the_length_of_what_get_would_send() -> None:
    app = responding(headers=[("Content-Length", "9000")])
    assert serve(app, method="HEAD") == [("head", "200 OK", {"Content-Length": "9000"}), ("end",)]


# --- close ---------------------------------------------------------------------------------------


def test_close_follows_the_last_chunk() -> None:
    expected = [("head", "200 OK", TYPE), ("chunk", b"one"), ("end",), ("close",)]
    assert serve(closing()) == expected


def test_close_follows_an_error() -> None:
    journal = serve(closing("iter"))
    assert journal[1:] == [("chunk", b"one"), ("close",), ("end", "LookupError", "broken")]


@pytest.mark.parametrize("step", ["head", "chunk"])
def test_close_follows_when_the_client_leaves(step: str, caplog: Any) -> None:
    journal = serve(closing(), leaves=step)
    assert journal[-2:] == [("close",), ("end", "ClientError", "the client left (gone)")]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_client_may_leave_at_the_very_end() -> None:
    journal = serve(closing(), leaves="end")
    assert journal[-3:] == [("end",), ("close",), ("end", "ClientError", "the client left (gone)")]


def test_a_close_that_breaks_does_not_spoil_the_answer(caplog: Any) -> None:
    assert serve(closing("close"))[-2:] == [("end",), ("close",)]
    assert "LookupError: broken" in caplog.text


# --- errors --------------------------------------------------------------------------------------


def test_an_app_that_raises_is_answered_500(caplog: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("X-Lost", "yes")])
        raise LookupError("broken")

    assert serve(app) == FAILED
    assert "GET '/': the app failed" in caplog.text
    assert "LookupError: broken" in caplog.text
    assert caplog.text.count("  File ") == 1  # the app's own frame, and no other


def test_a_client_that_leaves_an_app_that_raised() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise LookupError("broken")

    assert serve(app, leaves="head")[-1] == ("end", "ClientError", "the client left (gone)")


def test_an_error_may_replace_a_head_that_was_not_sent() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            raise LookupError("broken")
        except LookupError:
            start_response("503 Busy", [], sys.exc_info())
        return [b"sorry"]

    assert serve(app)[0] == ("head", "503 Busy", {"Content-Length": "5"})


def test_an_error_that_comes_too_late_is_raised_again(caplog: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        try:
            raise LookupError("broken")
        except LookupError:
            start_response("503 Busy", [], sys.exc_info())
        yield b"never"

    cut = [("head", "200 OK", {}), ("chunk", b"a"), ("end", "LookupError", "broken")]
    assert serve(app) == cut
    assert "LookupError: broken" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_ends_a_program_goes_on_once_the_client_is_answered(error: BaseException) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise error

    exchange = Memory()
    with pytest.raises(type(error)):
        answer(app, exchange)
    assert exchange.journal == FAILED


def never_starts(environ: Any, start_response: Any) -> Iterable[bytes]:
    return []


def starts_too_late(environ: Any, start_response: Any) -> Iterator[bytes]:
    yield b"a"
    start_response("200 OK", [])


def starts_twice(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def writes_text(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])("text")
    return []


def swallows(environ: Any, start_response: Any) -> Iterable[bytes]:
    try:
        start_response("200", [])
    except Exception:
        start_response("200 OK", [])
    return [b"fine"]


def header(name: Any, value: Any) -> Callable[..., Any]:
    return responding(b"a", headers=[(name, value)])


def lengths(*values: str) -> Callable[..., Any]:
    return responding(b"abc", headers=[("Content-Length", value) for value in values])


BROKEN: list[tuple[Callable[..., Any], str]] = [
    (never_starts, "it never called start_response"),
    (starts_too_late, "it yielded a chunk before it called start_response"),
    (starts_twice, "it called start_response twice, the second time without exc_info"),
    (writes_text, "it gave a chunk of type str; bytes are wanted: encode it"),
    (responding("text"), "it gave a chunk of type str; bytes are wanted: encode it"),
    (responding(1), "it gave a chunk of type int; bytes are wanted"),
    (responding(body=b"hello"), "it returned b'hello'; an iterable of bytes is wanted: [body]"),
    (responding(body="hello"), "it returned 'hello'; an iterable of bytes is wanted: [body]"),
    (lambda *_: None, "it returned None; an iterable of bytes is wanted: [body]"),
    (responding(status=200), "its status is 200; a str such as '404 Not Found' is wanted"),
    (responding(status="200"), "its status is '200'; a str such as '404 Not Found' is wanted"),
    (responding(status="100 Go"), "its status is '100 Go'; a str such as"),
    (responding(status="200 O\nK"), r"its status is '200 O\nK'; a str such as"),
    (responding(status="200 ☺"), "its status is '200 ☺'; a str such as"),
    (responding(headers=()), "its headers are a tuple; a list is wanted"),
    (responding(headers={"a": "b"}), "its headers are a dict; a list is wanted"),
    (responding(headers=["ab"]), "one of its headers is 'ab'; a tuple of two str is wanted"),
    (header(b"X", "1"), "one of its headers is (b'X', '1'); a tuple of two str is wanted"),
    (header("X", 1), "one of its headers is ('X', 1); a tuple of two str is wanted"),
    (header("X:", "1"), "'X:' is not the name of a header"),
    (header("", "1"), "'' is not the name of a header"),
    (header("X", "1\r\nY: 2"), r"the header X is '1\r\nY: 2': no line ends, and latin-1 only"),
    (header("X", "☺"), "the header X is '☺': no line ends, and latin-1 only"),
    (header("Connection", "close"), "the header Connection is for the server alone to send"),
    (header("transfer-encoding", "chunked"), "the header transfer-encoding is for the server"),
    (lengths("many"), "its Content-Length is many; one number is wanted"),
    (lengths("3", "4"), "its Content-Length is 3 and 4; one number is wanted"),
    (responding(headers=[("Content-Length", "3")]), "it promised 3 bytes (Content-Length), and"),
]


@pytest.mark.parametrize(("app", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_an_app_that_breaks_the_pep_is_told_how(app: Any, message: str, caplog: Any) -> None:
    assert serve(app) == FAILED
    assert f"BrokenApp: {message}" in caplog.text


def test_the_app_is_told_where_it_broke_the_pep() -> None:
    assert serve(swallows)[1] == ("chunk", b"fine")


@pytest.mark.parametrize("app", [lengths("3"), lengths("3", "3"), header("Content-Length", "1")])
def test_a_promise_that_is_kept(app: Any) -> None:
    assert serve(app)[-1] == ("end",)


def test_a_promise_that_is_not_kept_cuts_the_answer() -> None:
    journal = serve(generating(b"a", length="3"))
    message = "it promised 3 bytes (Content-Length), and sent 1"
    assert journal[1:] == [("chunk", b"a"), ("end", "BrokenApp", message)]


def test_no_more_is_sent_than_was_promised(caplog: Any) -> None:
    journal = serve(generating(b"a", b"bcd", b"e", length="3"))
    message = "it sent more than the 3 bytes it promised (Content-Length)"
    assert journal[1:] == [("chunk", b"a"), ("chunk", b"bc"), ("end", "BrokenApp", message)]
    assert message in caplog.text


def test_nothing_can_be_written_after_the_end(caplog: Any) -> None:
    class Late(list[bytes]):
        write: Any

        def close(self) -> None:
            self.write(b"late")

    def app(environ: Any, start_response: Any) -> Late:
        body = Late([b"a"])
        body.write = start_response("200 OK", [])
        return body

    assert serve(app)[1:] == [("chunk", b"a"), ("end",)]
    assert "BrokenApp: it called write after the end of the answer" in caplog.text


# --- an independent judge ------------------------------------------------------------------------


def test_the_gateway_passes_python_s_own_validator(caplog: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"a"
        yield b"b"

    journal = serve(validator(app))
    assert journal == [("head", "200 OK", TYPE), ("chunk", b"a"), ("chunk", b"b"), ("end",)]
    assert not caplog.records
