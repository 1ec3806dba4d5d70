"""HTTP/1.1 without sockets: what bytes mean, and what is refused, however they are cut."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_lab.server.failures import InvalidMessage
from asgi_lab.server.http11 import Http11
from asgi_lab.server.request import Body, EndOfBody, Event, Headers, Refused, Request

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


def with_length(length: object, body: bytes = b"") -> bytes:
    return f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n".encode() + body


def line(target: str, method: str = "GET", host: str = "x") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()


def header(text: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nhost: x\r\n" + text + b"\r\n\r\n"


def read(http: Http11, pieces: Iterator[bytes]) -> list[Event]:
    """All events of some bytes, with bodies joined: where they are cut is the only difference."""
    events: list[Event] = []
    for piece in pieces:
        for event in http.receive(piece):
            if isinstance(event, Body) and events and isinstance(events[-1], Body):
                event = Body(events.pop().data + event.data)
            if isinstance(event, Refused):
                event = Refused(event.status, "")  # the words may quote what has come
            events.append(event)
    return events


def each_cut(data: bytes) -> Iterator[Iterator[bytes]]:
    """Some bytes in one piece, in two, cut at every place, and byte by byte."""
    yield iter([data])
    yield from (iter([data[:at], data[at:]]) for at in range(1, len(data)))
    yield (data[at : at + 1] for at in range(len(data)))


READ = {
    "no body": (GET, "GET / .", b""),
    "a body of known length": (with_length(5, b"hello"), "POST / + .", b"hello"),
    "an empty body": (with_length(0), "POST / .", b""),
    "chunks": (CHUNKED + b"3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\n\r\n", "POST / + .", b"hello"),
    "every kind of chunk extension": (
        CHUNKED + b'3;a;b=c ;\td\t= "e;\\"\xff"\r\nhel\r\n02\r\nlo\r\n0;f\r\n\r\n',
        "POST / + .",
        b"hello",
    ),
    "chunks and trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nx: y\r\n\r\n", "POST / + .", b"hello"),
    "an unfinished body": (with_length(9, b"hello"), "POST / +", b"hello"),
    "empty lines before": (b"\r\n\r\n" + GET, "GET / .", b""),
    "the same length twice": (with_length("5, 5", b"hello"), "POST / + .", b"hello"),
    "an absolute target": (line("http://h/p?q"), "GET http://h/p?q .", b""),
    "an asterisk": (line("*", "OPTIONS"), "OPTIONS * .", b""),
    "HTTP/1.0 without a host": (b"GET / HTTP/1.0\r\n\r\n", "GET / .", b""),
    "an IPv6 host": (line("/", host="[::1]:80"), "GET / .", b""),
    "an unknown method": (line("/", "BREW"), "BREW / .", b""),
    "part of a head": (GET[:-3], "", b""),
    # What must not be served.
    "HTTP/0.9": (b"GET /\r\n", "400", b""),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505", b""),
    "TLS": (b"\x16\x03\x01\x00", "400", b""),
    "a space before": (b" " + GET, "400", b""),
    "LF alone": (GET.replace(b"\r\n", b"\n"), "400", b""),
    "LF alone after a header": (GET.replace(b"x\r\n", b"x\n"), "400", b""),
    "LF alone at the end": (GET[:-2] + b"\n", "400", b""),
    "CR alone": (header(b"a: b\rc: d"), "400", b""),
    "NUL": (header(b"a: b\0"), "400", b""),
    "a space before the colon": (header(b"content-length : 5"), "400", b""),
    "no colon": (header(b"hello"), "400", b""),
    "no name": (header(b": hello"), "400", b""),
    "a folded header": (header(b"a: b\r\n c"), "400", b""),
    "a control character": (header(b"a: b\x07"), "400", b""),
    "folding of the first header": (b"GET / HTTP/1.1\r\n a: b\r\nhost: x\r\n\r\n", "400", b""),
    "two spaces": (b"GET  / HTTP/1.1\r\nhost: x\r\n\r\n", "400", b""),
    "a lower-case version": (b"GET / http/1.1\r\nhost: x\r\n\r\n", "400", b""),
    "a long version": (b"GET / HTTP/1.10\r\nhost: x\r\n\r\n", "400", b""),
    "a method with a slash": (line("/", "GE/T"), "400", b""),
    "a target beyond ASCII": (b"GET /\xc3\xa4 HTTP/1.1\r\nhost: x\r\n\r\n", "400", b""),
    "a fragment": (line("/#top"), "400", b""),
    "no path": (line("index.html"), "400", b""),
    "an asterisk for GET": (line("*"), "400", b""),
    "CONNECT": (line("x:443", "CONNECT"), "501", b""),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", "400", b""),
    "two hosts": (header(b"host: y"), "400", b""),
    "an empty host": (line("/", host=""), "400", b""),
    "a port without a host": (line("/", host=":80"), "400", b""),
    "a host that is none": (line("/", host="a/b"), "400", b""),
    "a host with a user": (line("/", host="a@b"), "400", b""),
    "two lengths": (header(b"content-length: 5\r\ncontent-length: 6"), "400", b""),
    "two lengths in one": (with_length("5, 6"), "400", b""),
    "a negative length": (with_length(-1), "400", b""),
    "a signed length": (with_length("+5"), "400", b""),
    "a hexadecimal length": (with_length("0x5"), "400", b""),
    "an empty length": (with_length(""), "400", b""),
    "an endless length": (with_length("9" * 40), "400", b""),
    "length and chunks": (
        header(b"content-length: 5\r\ntransfer-encoding: chunked"), "400", b""
    ),
    "chunks in HTTP/1.0": (CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0"), "400", b""),
    "gzip": (header(b"transfer-encoding: gzip"), "400", b""),
    "identity": (header(b"transfer-encoding: identity"), "400", b""),
    "no coding": (header(b"transfer-encoding:"), "400", b""),
    "an empty coding before": (header(b"transfer-encoding: , chunked"), "400", b""),
    "an empty coding behind": (header(b"transfer-encoding: chunked,"), "400", b""),
    "a coding with a parameter": (header(b"transfer-encoding: chunked;a=b"), "400", b""),
    "chunked, gzip": (header(b"transfer-encoding: chunked, gzip"), "400", b""),
    "gzip, chunked": (header(b"transfer-encoding: gzip, chunked"), "501", b""),
    "chunked, chunked": (header(b"transfer-encoding: chunked, chunked"), "400", b""),
    "chunked twice": (
        header(b"transfer-encoding: chunked\r\ntransfer-encoding: chunked"), "400", b""
    ),
    "a quoted chunked": (header(b'transfer-encoding: "chunked"'), "400", b""),
    "a chunked with a tab": (header(b"transfer-encoding: \x0bchunked"), "400", b""),
    "an unknown expectation": (header(b"expect: wonders"), "417", b""),
    "a chunk size that is none": (CHUNKED + b"xyz\r\n", "POST / 400", b""),
    "an empty chunk size": (CHUNKED + b"\r\n", "POST / 400", b""),
    "a negative chunk size": (CHUNKED + b"-1\r\n", "POST / 400", b""),
    "a chunk size 0x5": (CHUNKED + b"0x5\r\n", "POST / 400", b""),
    "a chunk size with _": (CHUNKED + b"1_0\r\n", "POST / 400", b""),
    "a chunk extension without a name": (CHUNKED + b"2;\r\nhi\r\n", "POST / 400", b""),
    "a chunk extension that is none": (CHUNKED + b"2;a[=b\r\nhi\r\n", "POST / 400", b""),
    "a chunk extension without a value": (CHUNKED + b"2;a=\r\nhi\r\n", "POST / 400", b""),
    "an open quote in a chunk extension": (CHUNKED + b'2;a="b\r\nhi\r\n', "POST / 400", b""),
    "NUL in a chunk extension": (CHUNKED + b"2;a\0\r\nhi\r\n", "POST / 400", b""),
    "CR alone in a chunk extension": (CHUNKED + b"2;a\rb\r\nhi\r\n", "POST / 400", b""),
    "a space behind a chunk size": (CHUNKED + b"2 \r\nhi\r\n", "POST / 400", b""),
    "LF alone behind a chunk": (CHUNKED + b"2\r\nhi\n", "POST / + 400", b"hi"),
    "an endless chunk size": (CHUNKED + b"f" * 21 + b"\r\n", "POST / 400", b""),
    "a chunk longer than said": (CHUNKED + b"2\r\nhello\r\n", "POST / + 400", b"he"),
    "LF alone in a chunk's extension": (CHUNKED + b"2;\nxx\r\nhi\r\n", "POST / 400", b""),
    "LF alone behind the trailers": (CHUNKED + b"0\r\na: b\r\n\n", "POST / 400", b""),
    "LF alone in the trailers": (CHUNKED + b"0\r\na: b\n\r\n", "POST / 400", b""),
    "a folded trailer": (CHUNKED + b"0\r\na: b\r\n c\r\n\r\n", "POST / 400", b""),
    "a bad trailer": (CHUNKED + b"0\r\nx y\r\n\r\n", "POST / 400", b""),
}  # fmt: skip


def tell(event: Event) -> str:
    match event:
        case Request(method=method, target=target):
            return f"{method.decode()} {target.decode()}"
        case Refused(status=status):
            return str(status)
    return "+" if isinstance(event, Body) else "."


@pytest.mark.parametrize("name", READ)
def test_the_same_events_for_every_way_of_cutting_the_bytes(name: str) -> None:
    data, story, body = READ[name]
    whole = read(Http11(), iter([data]))
    assert " ".join(map(tell, whole)) == story
    assert b"".join(event.data for event in whole if isinstance(event, Body)) == body
    for pieces in each_cut(data):
        assert read(Http11(), pieces) == whole


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_bytes_give_events_and_no_exception(noise: bytes, at: int) -> None:
    data = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
    spoiled = data[:at] + noise + data[at + len(noise) :]
    whole = read(Http11(), iter([spoiled]))
    assert whole == read(Http11(), (spoiled[i : i + 1] for i in range(len(spoiled))))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * 200 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        (header(b"a: " + b"b" * 200), 431),
        (header(b"\r\n".join(b"a: b" for _ in range(40))), 431),
        (b"GET /" + b"a" * 200, 414),
        (b"BAD\r\n" + b"a" * 200, 400),
        (b"G" * 200 + b" / HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (CHUNKED + b"5;" + b"x" * 400, 431),
        (CHUNKED + b"1;" + b"x" * 100 + b"\r\na\r\n0\r\n\r\n", 431),
        (CHUNKED + b"1;abcdefghi\r\na\r\n" * 11, 431),
        (CHUNKED + b"0\r\n" + b"abcdef: ghi\r\n" * 11 + b"\r\n", 431),
    ],
)
def test_a_head_has_a_limit_that_no_cutting_evades(data: bytes, status: int) -> None:
    for pieces in each_cut(data):
        last = read(Http11(max_head=100), pieces)[-1]
        assert isinstance(last, Refused)
        assert last.status == status


@pytest.mark.parametrize("data", [with_length(5, b"hello"), CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"])
def test_a_body_has_a_limit(data: bytes) -> None:
    for pieces in each_cut(data):
        assert read(Http11(max_body=5), pieces)[-1] == EndOfBody()
    for pieces in each_cut(data):
        last = read(Http11(max_body=4), pieces)[-1]
        assert isinstance(last, Refused)
        assert last.status == 413


def test_headers_come_in_order_lowercase_and_with_duplicates() -> None:
    [request, _] = Http11().receive(header(b"B: 1\r\nA: 2\r\nb:\t3 \r\nc:"))
    assert isinstance(request, Request)
    expected = [(b"host", b"x"), (b"b", b"1"), (b"a", b"2"), (b"b", b"3"), (b"c", b"")]
    assert request.headers == expected


def test_nothing_is_read_after_what_was_refused() -> None:
    http = Http11()
    assert [tell(event) for event in http.receive(b"BAD\r\n" + GET)] == ["400"]
    assert http.receive(GET) == []


def test_pipelined_requests_wait_until_it_is_their_turn() -> None:
    data = GET + with_length(2, b"hi") + CHUNKED + b"2\r\nho\r\n0\r\n\r\n" + GET
    for pieces in each_cut(data):
        http = Http11()
        story = [tell(event) for event in read(http, pieces)]
        assert story == ["GET /", "."]
        while http.keeps_alive or not http.idle:
            http.start(200, [(b"content-length", b"0")])
            http.body(b"")
            assert http.keeps_alive
            story += [tell(event) for event in http.next_request()]
            if http.idle:
                break
        assert story == ["GET /", ".", "POST /", "+", ".", "POST /", "+", ".", "GET /", "."]


def respond(request: bytes, headers: Headers, *parts: bytes) -> bytes:
    http = Http11()
    http.receive(request)
    http.start(200, headers)
    last = len(parts) - 1
    return b"".join(http.body(part, more=at < last) for at, part in enumerate(parts))


OK = b"HTTP/1.1 200 OK\r\n"
FIVE = (b"content-length", b"5")
OLD = b"GET / HTTP/1.0\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")


@pytest.mark.parametrize(
    ("request_", "headers", "parts", "head", "body"),
    [
        (GET, [FIVE], [b"hello"], b"content-length: 5\r\n", b"hello"),
        (GET, [FIVE], [b"he", b"", b"llo"], b"content-length: 5\r\n", b"hello"),
        (GET, [], [b"he", b"llo"], b"transfer-encoding: chunked\r\n",
         b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        (GET, [(b"transfer-encoding", b"gzip"), FIVE], [b"hello"], b"content-length: 5\r\n",
         b"hello"),
        (OLD, [], [b"he", b"llo"], b"connection: close\r\n", b"hello"),
        (OLD, [FIVE], [b"hello"], b"content-length: 5\r\nconnection: close\r\n", b"hello"),
        (HEAD, [FIVE], [b"hello"], b"content-length: 5\r\n", b""),
        (HEAD, [], [b"he", b"llo"], b"transfer-encoding: chunked\r\n", b""),
        (HEAD, [FIVE], [b""], b"content-length: 5\r\n", b""),
    ],
)  # fmt: skip
def test_how_a_response_is_framed(
    request_: bytes,
    headers: Headers,
    parts: list[bytes],
    head: bytes,
    body: bytes,
) -> None:
    assert respond(request_, headers, *parts) == OK + head + b"\r\n" + body


def test_a_status_that_has_no_phrase() -> None:
    http = Http11()
    http.receive(GET)
    http.start(299, [])
    assert http.body(b"").startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize(("status", "length"), [(204, b""), (304, b"content-length: 5\r\n")])
def test_a_status_without_a_body(status: int, length: bytes) -> None:
    http = Http11()
    http.receive(GET)
    http.start(status, [FIVE])
    with pytest.raises(InvalidMessage, match="longer"):
        http.body(b"hello")
    assert http.body(b"").split(b"\r\n", 1)[1] == length + b"\r\n"
    assert http.keeps_alive


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (100, [], "expected a final status, 200 to 999, got 100"),
        (True, [], "got True"),
        ("200", [], "got '200'"),
        (200, [(b"a b", b"c")], "expected a header, got b'a b'"),
        (200, [(b"a", b"b\r\nc: d")], "expected a header, got b'a'"),
        (200, [(b"content-length", b"five")], "expected one Content-Length"),
        (200, [FIVE, (b"content-length", b"6")], "expected one Content-Length"),
    ],
)
def test_a_response_that_cannot_be(status: int, headers: Headers, message: str) -> None:
    http = Http11()
    http.receive(GET)
    with pytest.raises(InvalidMessage, match=re.escape(message)):
        http.start(status, headers)
    assert http.can_respond
    assert http.refuse(500, "broken", []).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")


def test_a_body_that_differs_from_its_length_is_not_sent() -> None:
    http = Http11()
    http.receive(GET)
    http.start(200, [FIVE])
    for wrong, more in ((b"hello!", True), (b"hello!", False), (b"hell", False)):
        with pytest.raises(InvalidMessage, match=r"1 bytes (longer|shorter) than"):
            http.body(wrong, more)
    assert http.can_respond
    assert http.body(b"hello").endswith(b"hello")


def test_continue_is_asked_for_once() -> None:
    http = Http11()
    http.receive(with_length(5)[:-2] + b"expect: 100-Continue\r\n\r\n")
    assert http.awaits_continue
    assert http.continue_() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not http.awaits_continue
    assert http.receive(b"hello") == [Body(b"hello"), EndOfBody()]


@pytest.mark.parametrize(
    ("request_", "headers", "kept"),
    [
        (GET, [], True),
        (OLD, [], False),
        (header(b"connection: close"), [], False),
        (GET, [(b"connection", b"close")], False),
    ],
)
def test_when_a_connection_is_kept(request_: bytes, headers: Headers, kept: bool) -> None:
    http = Http11()
    http.receive(request_)
    http.start(200, headers)
    http.body(b"")
    assert http.keeps_alive is kept
