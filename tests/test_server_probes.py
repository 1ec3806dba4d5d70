"""Probes of framing over a real socket: what is answered, what reaches the app, what never does.

Each probe is followed by a second request for `/smuggled`. Where a probe is refused or closes the
connection, that one must not be served: a proxy in front may have taken it for part of a body, and
given it to the wrong client (RFC 9112, section 11.2).
"""

import re
from typing import Any

import pytest
from server_tools import answer, ask, both_loops, read_body, run, serving

SECOND = b"GET /smuggled HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def http(*lines: str, start: str = "GET / HTTP/1.1", host: str = "host: x") -> bytes:
    head = [start, *[host] * bool(host), *lines]
    return "".join(f"{line}\r\n" for line in [*head, ""]).encode("latin-1")


POST = "POST / HTTP/1.1"
CHUNKED = "transfer-encoding: chunked"
ZERO = b"0\r\n\r\n"

SERVED: dict[str, tuple[bytes, bytes]] = {  # and so is the second
    "plain": (http(), b""),
    "a body": (http("content-length: 3", start=POST) + b"abc", b"abc"),
    "a body that looks like a request": (
        http(f"content-length: {len(SECOND)}", start=POST) + SECOND, SECOND
    ),
    "a GET with a body": (http("content-length: 3") + b"abc", b"abc"),
    "chunks": (http(CHUNKED, start=POST) + b"3\r\nabc\r\n" + ZERO, b"abc"),
    "chunks, upper case": (http("TRANSFER-ENCODING: CHUNKED", start=POST) + ZERO, b""),
    "a chunk size with zeros": (http(CHUNKED, start=POST) + b"0003\r\nabc\r\n" + ZERO, b"abc"),
    "a chunk size in upper case": (
        http(CHUNKED, start=POST) + b"A\r\n0123456789\r\n" + ZERO, b"0123456789"
    ),
    "a chunk extension": (http(CHUNKED, start=POST) + b'3;a="b;c"\r\nabc\r\n' + ZERO, b"abc"),
    "trailers": (http(CHUNKED, start=POST) + b"0\r\na: b\r\nc: d\r\n\r\n", b""),
    "a length with zeros": (http("content-length: 0003", start=POST) + b"abc", b"abc"),
    "the same length twice": (http(*["content-length: 3"] * 2, start=POST) + b"abc", b"abc"),
    "white space around a value": (http("content-length:\t 3 \t", start=POST) + b"abc", b"abc"),
    "an empty header": (http("a:"), b""),
    "a header beyond ASCII": (http("a: \xe4"), b""),
    "an absolute target": (http(start="GET http://y/ HTTP/1.1"), b""),
    "a long query": (http(start=f"GET /?{'a' * 5000} HTTP/1.1"), b""),
    "HTTP/1.2": (http(start="GET / HTTP/1.2"), b""),
    "an empty line before": (b"\r\n" + http(), b""),
    "100-continue with the body at once": (
        http("content-length: 3", "expect: 100-continue", start=POST) + b"abc", b"abc"
    ),
}  # fmt: skip

LAST: dict[str, tuple[bytes, bytes]] = {  # served, and then the connection closes
    "close": (http("connection: close"), b""),
    "close among others": (http("connection: foo, Close"), b""),
    "HTTP/1.0": (http(start="GET / HTTP/1.0"), b""),
    "HTTP/1.0 without a host": (http(start="GET / HTTP/1.0", host=""), b""),
    "HTTP/1.0 with keep-alive": (http("connection: keep-alive", start="GET / HTTP/1.0"), b""),
    "HTTP/1.0 that asks for a WebSocket": (
        http("connection: upgrade", "upgrade: websocket", start="GET / HTTP/1.0"), b""
    ),
    "HTTP/1.0 with a body": (http("content-length: 3", start="POST / HTTP/1.0") + b"abc", b"abc"),
    "HTTP/1.0 with an expectation": (
        http("content-length: 3", "expect: 100-continue", start="POST / HTTP/1.0") + b"abc", b"abc"
    ),
}  # fmt: skip

REFUSED: dict[str, tuple[bytes, int]] = {
    "two lengths": (http("content-length: 3", "content-length: 4", start=POST) + b"abc", 400),
    "two lengths in one": (http("content-length: 3, 4", start=POST) + b"abc", 400),
    "a negative length": (http("content-length: -3", start=POST), 400),
    "a signed length": (http("content-length: +3", start=POST) + b"abc", 400),
    "a length with a space": (http("content-length: 1 0", start=POST) + b"abc", 400),
    "a hexadecimal length": (http("content-length: 0x3", start=POST) + b"abc", 400),
    "a length with an underscore": (http("content-length: 1_0", start=POST) + b"a" * 10, 400),
    "a length in other digits": (http("content-length: \xb3", start=POST) + b"abc", 400),
    "no length at all": (http("content-length:", start=POST), 400),
    "length and chunks": (http("content-length: 3", CHUNKED, start=POST) + ZERO, 400),
    "chunks and length": (http(CHUNKED, "content-length: 3", start=POST) + ZERO, 400),
    "chunks in HTTP/1.0": (http(CHUNKED, start="POST / HTTP/1.0") + ZERO, 400),
    "identity": (http("transfer-encoding: identity", start=POST), 400),
    "gzip": (http("transfer-encoding: gzip", start=POST), 400),
    "gzip, chunked": (http("transfer-encoding: gzip, chunked", start=POST) + ZERO, 501),
    "chunked, identity": (http("transfer-encoding: chunked, identity", start=POST) + ZERO, 400),
    "chunked twice": (http(CHUNKED, CHUNKED, start=POST) + ZERO, 400),
    "xchunked": (http("transfer-encoding: xchunked", start=POST) + ZERO, 400),
    "chunked;": (http("transfer-encoding: chunked;a=b", start=POST) + ZERO, 400),
    "a folded chunked": (http("transfer-encoding:\r\n chunked, a", start=POST) + ZERO, 400),
    "no coding": (http("transfer-encoding:", "content-length: 3", start=POST) + b"abc", 400),
    "chunked and a comma": (http("transfer-encoding: chunked,", start=POST) + ZERO, 400),
    "a comma and chunked": (http("transfer-encoding: , chunked", start=POST) + ZERO, 400),
    "a space before the colon": (http("transfer-encoding : chunked", start=POST) + ZERO, 400),
    "a tab before the colon": (http("content-length\t: 3", start=POST) + b"abc", 400),
    "a bad chunk size": (http(CHUNKED, start=POST) + b"g\r\nabc\r\n" + ZERO, 400),
    "a signed chunk size": (http(CHUNKED, start=POST) + b"+3\r\nabc\r\n" + ZERO, 400),
    "a chunk size 0x3": (http(CHUNKED, start=POST) + b"0x3\r\nabc\r\n" + ZERO, 400),
    "a chunk size with spaces before": (http(CHUNKED, start=POST) + b" 3\r\nabc\r\n" + ZERO, 400),
    "an overflowing chunk size": (
        http(CHUNKED, start=POST) + b"10000000000000000000003\r\nabc\r\n" + ZERO, 400
    ),
    "a chunk that is too long": (http(CHUNKED, start=POST) + b"2\r\nabc\r\n" + ZERO, 400),
    "a chunk ended by LF": (http(CHUNKED, start=POST) + b"3\r\nabc\n" + ZERO, 400),
    "a chunk size ended by LF": (http(CHUNKED, start=POST) + b"3\nabc\r\n" + ZERO, 400),
    "LF in a chunk extension": (http(CHUNKED, start=POST) + b"3;\n\r\nabc\r\n" + ZERO, 400),
    "a chunk extension without a name": (http(CHUNKED, start=POST) + b"3;\r\nabc\r\n" + ZERO, 400),
    "a chunk extension that is none": (
        http(CHUNKED, start=POST) + b"3;a[=b\r\nabc\r\n" + ZERO, 400
    ),
    "NUL in a chunk extension": (http(CHUNKED, start=POST) + b"3;a\0\r\nabc\r\n" + ZERO, 400),
    "CR in a chunk extension": (http(CHUNKED, start=POST) + b"3;a\rb\r\nabc\r\n" + ZERO, 400),
    "a chunk extension too long": (
        http(CHUNKED, start=POST) + b"3;" + b"a" * 70_000 + b"\r\nabc\r\n" + ZERO, 431
    ),
    "a space behind a chunk size": (http(CHUNKED, start=POST) + b"3 \r\nabc\r\n" + ZERO, 400),
    "trailers ended by LF": (http(CHUNKED, start=POST) + b"0\r\na: b\r\n\n", 400),
    "CR in a header": (http("a: b\rcontent-length: 3", start=POST), 400),
    "NUL in a header": (http("a: \0b"), 400),
    "a control character in a header": (http("a: \7b"), 400),
    "DEL in a header": (http("a: \x7fb"), 400),
    "a folded header": (http("a: b\r\n\tc"), 400),
    "a header without a colon": (http("nonsense"), 400),
    "a header without a name": (http(": nonsense"), 400),
    "a header name beyond ASCII": (http("\xe4: b"), 400),
    "a header name with a space": (http("a b: c"), 400),
    "LF alone": (http().replace(b"\r\n", b"\n"), 400),
    "LF after the request line": (http().replace(b"1.1\r\n", b"1.1\n"), 400),
    "no host": (http(host=""), 400),
    "an empty host": (http(host="host:"), 400),
    "two hosts": (http("host: y"), 400),
    "the same host twice": (http("host: x"), 400),
    "a host with a path": (http(host="host: x/y"), 400),
    "a host with a space": (http(host="host: x y"), 400),
    "a host list": (http(host="host: x, y"), 400),
    "a method in lower case beyond letters": (http(start="g@t / HTTP/1.1"), 400),
    "no method": (http(start="/ HTTP/1.1"), 400),
    "no target": (http(start="GET HTTP/1.1"), 400),
    "no version": (http(start="GET /"), 400),
    "another protocol": (http(start="GET / HTTQ/1.1"), 400),
    "HTTP/2.0": (http(start="GET / HTTP/2.0"), 505),
    "HTTP/0.9 by name": (http(start="GET / HTTP/0.9"), 505),
    "a tab between": (http(start="GET\t/ HTTP/1.1"), 400),
    "two spaces between": (http(start="GET  / HTTP/1.1"), 400),
    "a space after": (http(start="GET / HTTP/1.1 "), 400),
    "a target with a space": (http(start="GET /a b HTTP/1.1"), 400),
    "a target with a NUL": (http(start="GET /\0 HTTP/1.1"), 400),
    "a relative target": (http(start="GET a HTTP/1.1"), 400),
    "an unknown scheme": (http(start="GET gopher://x/ HTTP/1.1"), 400),
    "no host in the target": (http(start="GET http:///a HTTP/1.1"), 400),
    "half a host in the target": (http(start="GET http://[x/ HTTP/1.1"), 400),
    "a user in the target": (http(start="GET http://u@x/ HTTP/1.1"), 400),
    "a fragment in the target": (http(start="GET http://x/#a HTTP/1.1"), 400),
    "a target for CONNECT": (http(start="CONNECT x:1 HTTP/1.1"), 501),
    "an unknown expectation": (http("expect: 200-maybe"), 417),
    "a method too long": (http(start=f"{'G' * 70_000} / HTTP/1.1"), 400),
    "a line too long": (http(start=f"GET /{'a' * 70_000} HTTP/1.1"), 414),
    "headers too long": (http(*["a: " + "b" * 1000] * 70), 431),
    "too many headers": (http(*["a: b"] * 20_000), 431),
}  # fmt: skip


def probe(data: bytes, loop: str) -> tuple[list[int], list[tuple[str, bytes]]]:
    """Statuses that came back, and path and body of what reached the app."""
    reached: list[tuple[str, bytes]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await read_body(receive)
        except EOFError:
            return
        reached.append((scope["path"], body))
        await answer(send)

    async def main() -> bytes:
        async with serving(app, port=0) as (server, _):
            return await ask(server, data)

    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", run(main(), loop))
    return [int(status) for status in statuses if status != b"100"], reached


@pytest.mark.parametrize("name", SERVED)
@both_loops
def test_what_is_served(name: str, loop: str) -> None:
    data, body = SERVED[name]
    assert probe(data + SECOND, loop) == ([200, 200], [("/", body), ("/smuggled", b"")])


@pytest.mark.parametrize("name", LAST)
@both_loops
def test_what_is_served_and_closes(name: str, loop: str) -> None:
    data, body = LAST[name]
    assert probe(data + SECOND, loop) == ([200], [("/", body)])


@pytest.mark.parametrize("name", REFUSED)
@both_loops
def test_what_is_refused(name: str, loop: str) -> None:
    data, status = REFUSED[name]
    assert probe(data + SECOND, loop) == ([status], [])


@both_loops
def test_http_0_9_is_refused_at_its_only_line(loop: str) -> None:
    assert probe(b"GET /\r\n", loop) == ([400], [])
