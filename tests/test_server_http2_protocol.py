"""HTTP/2 without sockets: what bytes mean, and what is refused, however they are cut."""

import ast
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import hpack
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

import asgi_lab.server
from asgi_lab.server.failures import InvalidMessage
from asgi_lab.server.http2 import Http2
from asgi_lab.server.http2_events import Broken, Event, GoAway, Reset, Window
from asgi_lab.server.http2_frames import PREFACE, Code
from asgi_lab.server.http2_response import StreamResponse
from asgi_lab.server.request import Body, EndOfBody, Refused, Request

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, UPDATE, CONTINUATION = range(10)
END, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32
WHOLE = END | END_HEADERS

# Bytes, made by hand: no library would make the wrong ones.


def raw(kind: int, flags: int, stream: int, payload: bytes = b"", size: int | None = None) -> bytes:
    """A frame; `size` may lie."""
    length = len(payload) if size is None else size
    return length.to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def block(*fields: tuple[bytes, bytes]) -> bytes:
    """A header block of literals."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in fields)


def _string(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, more = len(text) - 127, bytearray([127])
    while rest >= 128:
        more.append(rest % 128 + 128)
        rest //= 128
    return bytes(more) + bytes([rest]) + text


PSEUDO = {b":method": b"GET", b":scheme": b"http", b":authority": b"x", b":path": b"/"}


def head(*more: tuple[bytes, bytes], without: bytes = b"", **pseudo: bytes) -> bytes:
    """The header block of a request."""
    named = PSEUDO | {f":{name}".encode(): value for name, value in pseudo.items()}
    return block(*((name, value) for name, value in named.items() if name != without), *more)


def request(stream: int = 1, *more: tuple[bytes, bytes], **pseudo: bytes) -> bytes:
    """A request without a body."""
    return raw(HEADERS, WHOLE, stream, head(*more, **pseudo))


def post(stream: int = 1, *more: tuple[bytes, bytes]) -> bytes:
    """A request whose body is to come."""
    return raw(HEADERS, END_HEADERS, stream, head(*more, method=b"POST"))


def settings(*pairs: tuple[int, int]) -> bytes:
    return raw(SETTINGS, 0, 0, b"".join(struct.pack(">HL", *pair) for pair in pairs))


def update(stream: int, size: int) -> bytes:
    return raw(UPDATE, 0, stream, struct.pack(">L", size))


def number(value: int) -> bytes:
    return struct.pack(">L", value)


HELLO = PREFACE + settings()


class Answering:
    """A connection that answers each whole request, and what it has sent."""

    def __init__(self, **options: Any) -> None:
        self.http = Http2(**options)
        self.events: list[tuple[int, Event]] = []
        self.sent = b""
        self.hold = False

    def feed(self, pieces: Iterable[bytes]) -> "Answering":
        for piece in pieces:
            for stream, event in self.http.receive(piece):
                self.events.append((stream, event))
                if isinstance(event, EndOfBody) and not self.hold:
                    self.http.respond(stream, [(b":status", b"200")], end=True)
                    self.http.finish(stream)
                if isinstance(event, Refused):
                    self.http.refuse(stream, event.status, event.reason, [])
            self.sent += self.http.to_send()
        return self

    @property
    def said(self) -> list[str]:
        """What was sent, without what every connection has."""
        words, decoder = [], hpack.Decoder()
        for kind, flags, stream, payload in frames(self.sent):
            if kind == HEADERS:
                status = dict(decoder.decode(payload))[":status"]
                words.append(f"{stream}: {status}" + "." * (flags & END))
            elif kind == RST:
                words.append(f"{stream}: {Code(int.from_bytes(payload)).name}")
            elif kind == GOAWAY:
                words.append(Code(int.from_bytes(payload[4:8])).name)
            elif kind == PING:
                words.append(f"pong {payload.decode()}")
        return words


def frames(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The frames of some bytes: type, flags, stream, payload."""
    while data:
        size = int.from_bytes(data[:3])
        yield data[3], data[4], int.from_bytes(data[5:9]), data[9 : 9 + size]
        data = data[9 + size :]


def each_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


FINE = ["1: 200."]
BAD = ["1: PROTOCOL_ERROR"]
LONG = b"a" * 16_384

PROBES: dict[str, tuple[bytes, list[str]]] = {
    # 3.4, the preface
    "a preface of HTTP/1": (b"GET / HTTP/1.1\r\n\r\n", ["PROTOCOL_ERROR"]),
    "a preface that goes wrong": (PREFACE[:-1] + b"x", ["PROTOCOL_ERROR"]),
    "a first frame that is no SETTINGS": (PREFACE + request(), ["PROTOCOL_ERROR"]),
    "a first frame that is an ACK": (PREFACE + raw(SETTINGS, ACK, 0), ["PROTOCOL_ERROR"]),
    # 4.1, the format of frames
    "an unknown frame": (HELLO + raw(0x16, 0, 0, b"hi") + request(), FINE),
    "unknown flags": (HELLO + raw(PING, 0x16, 0, b"12345678"), ["pong 12345678"]),
    "the reserved bit": (HELLO + raw(PING, 0, 2**31, b"12345678"), ["pong 12345678"]),
    # 4.2, the size of frames
    "the longest DATA": (HELLO + post() + raw(DATA, END, 1, LONG), FINE),
    "DATA that is too long": (HELLO + post() + raw(DATA, END, 1, LONG + b"a"),
                              ["FRAME_SIZE_ERROR"]),
    "a long frame of which only the head has come": (HELLO + raw(DATA, 0, 1, b"", 2**24 - 1),
                                                     ["FRAME_SIZE_ERROR"]),
    "HEADERS that are too long": (HELLO + raw(HEADERS, WHOLE, 1, LONG + b"a"),
                                  ["FRAME_SIZE_ERROR"]),
    # 4.3, compression
    "no HPACK": (HELLO + raw(HEADERS, WHOLE, 1, b"\xff\xff\xff"), ["COMPRESSION_ERROR"]),
    "an index of nothing": (HELLO + raw(HEADERS, WHOLE, 1, b"\xbe"), ["COMPRESSION_ERROR"]),
    "a table larger than agreed": (HELLO + raw(HEADERS, WHOLE, 1, b"\x3f\xe1\xff\x03"),
                                   ["COMPRESSION_ERROR"]),
    "PRIORITY in a header block": (
        HELLO + raw(HEADERS, END, 1, head()) + raw(PRIORITY, 0, 1, number(0) + b"a"),
        ["PROTOCOL_ERROR"]),
    "an unknown frame in a header block": (
        HELLO + raw(HEADERS, END, 1, head()) + raw(0x16, 0, 1), ["PROTOCOL_ERROR"]),
    "HEADERS of another stream in a header block": (
        HELLO + raw(HEADERS, END, 1, head()) + request(3), ["PROTOCOL_ERROR"]),
    # 5.1, the states of streams
    "DATA on an idle stream": (HELLO + raw(DATA, END, 1, b"a"), ["PROTOCOL_ERROR"]),
    "RST_STREAM on an idle stream": (HELLO + raw(RST, 0, 1, number(8)), ["PROTOCOL_ERROR"]),
    "WINDOW_UPDATE on an idle stream": (HELLO + update(1, 1), ["PROTOCOL_ERROR"]),
    "CONTINUATION on an idle stream": (HELLO + raw(CONTINUATION, END_HEADERS, 1, head()),
                                       ["PROTOCOL_ERROR"]),
    "PRIORITY on an idle stream": (HELLO + raw(PRIORITY, 0, 3, number(0) + b"a") + request(),
                                   FINE),
    "DATA after the end": (HELLO + request() + raw(DATA, 0, 1, b"a"),
                           [*FINE, "1: STREAM_CLOSED"]),
    "HEADERS after the end": (HELLO + request() + request(), [*FINE, "STREAM_CLOSED"]),
    "WINDOW_UPDATE after the end": (HELLO + request() + update(1, 1), FINE),
    "RST_STREAM after the end": (HELLO + request() + raw(RST, 0, 1, number(8)), FINE),
    "PRIORITY after the end": (HELLO + request() + raw(PRIORITY, 0, 1, number(0) + b"a"), FINE),
    "DATA after RST_STREAM": (
        HELLO + post() + raw(RST, 0, 1, number(8)) + raw(DATA, 0, 1, b"a"),
        ["1: STREAM_CLOSED"]),
    "HEADERS after RST_STREAM": (
        HELLO + post() + raw(RST, 0, 1, number(8)) + request(), ["1: STREAM_CLOSED"]),
    "an even stream": (HELLO + request(2), ["PROTOCOL_ERROR"]),
    "a stream with a smaller number": (HELLO + request(5) + request(3),
                                       ["5: 200.", "PROTOCOL_ERROR"]),
    "stream 0": (HELLO + request(0), ["PROTOCOL_ERROR"]),
    # 5.3, priorities mean nothing any more
    "PRIORITY on itself": (HELLO + raw(PRIORITY, 0, 1, number(1) + b"a"), ["PROTOCOL_ERROR"]),
    "PRIORITY on itself, alone": (HELLO + raw(PRIORITY, 0, 1, number(2**31 + 1) + b"a"),
                                  ["PROTOCOL_ERROR"]),
    "HEADERS with a priority": (
        HELLO + raw(HEADERS, WHOLE | WITH_PRIORITY, 1, number(0) + b"a" + head()), FINE),
    "HEADERS with a priority on themselves": (
        HELLO + raw(HEADERS, WHOLE | WITH_PRIORITY, 1, number(1) + b"a" + head()),
        ["PROTOCOL_ERROR"]),
    # 6.1, DATA
    "DATA on the connection": (HELLO + raw(DATA, 0, 0, b"a"), ["PROTOCOL_ERROR"]),
    "padding": (HELLO + post() + raw(DATA, END | PADDED, 1, b"\2hi\0\0"), FINE),
    "nothing but padding": (HELLO + post() + raw(DATA, END | PADDED, 1, b"\2\0\0"), FINE),
    "padding longer than the frame": (HELLO + post() + raw(DATA, END | PADDED, 1, b"\5hi\0\0"),
                                      ["PROTOCOL_ERROR"]),
    "padding without a length": (HELLO + post() + raw(DATA, END | PADDED, 1),
                                 ["FRAME_SIZE_ERROR"]),
    # 6.2, HEADERS
    "padded HEADERS": (HELLO + raw(HEADERS, WHOLE | PADDED, 1, b"\1" + head() + b"\0"), FINE),
    "HEADERS with too much padding": (HELLO + raw(HEADERS, WHOLE | PADDED, 1, b"\xff" + head()),
                                      ["PROTOCOL_ERROR"]),
    # 6.3 to 6.8
    "a short PRIORITY": (HELLO + raw(PRIORITY, 0, 1, b"a"), ["FRAME_SIZE_ERROR"]),
    "PRIORITY on the connection": (HELLO + raw(PRIORITY, 0, 0, number(1) + b"a"),
                                   ["PROTOCOL_ERROR"]),
    "RST_STREAM on the connection": (HELLO + raw(RST, 0, 0, number(8)), ["PROTOCOL_ERROR"]),
    "a long RST_STREAM": (HELLO + post() + raw(RST, 0, 1, number(8) + b"a"),
                          ["FRAME_SIZE_ERROR"]),
    "SETTINGS on a stream": (HELLO + raw(SETTINGS, 0, 1), ["PROTOCOL_ERROR"]),
    "SETTINGS of odd size": (HELLO + raw(SETTINGS, 0, 0, b"abc"), ["FRAME_SIZE_ERROR"]),
    "an ACK with settings": (HELLO + raw(SETTINGS, ACK, 0, b"\0\1" + number(1)),
                             ["FRAME_SIZE_ERROR"]),
    "an unknown setting": (HELLO + settings((0x99, 2**32 - 1)) + request(), FINE),
    "push neither on nor off": (HELLO + settings((2, 2)), ["PROTOCOL_ERROR"]),
    "a window that is too large": (HELLO + settings((4, 2**31)), ["FLOW_CONTROL_ERROR"]),
    "frames that are too small": (HELLO + settings((5, 16_383)), ["PROTOCOL_ERROR"]),
    "frames that are too large": (HELLO + settings((5, 2**24)), ["PROTOCOL_ERROR"]),
    "a setting twice": (HELLO + settings((4, 100), (4, 1)) + request(), FINE),
    "a table of four gigabytes": (HELLO + settings((1, 2**32 - 1)) + request(), FINE),
    "PUSH_PROMISE": (HELLO + raw(PUSH, END_HEADERS, 1, number(2) + head()), ["PROTOCOL_ERROR"]),
    "PING": (HELLO + raw(PING, 0, 0, b"12345678"), ["pong 12345678"]),
    "PING that answers": (HELLO + raw(PING, ACK, 0, b"12345678"), []),
    "PING on a stream": (HELLO + raw(PING, 0, 1, b"12345678"), ["PROTOCOL_ERROR"]),
    "a short PING": (HELLO + raw(PING, 0, 0, b"1234"), ["FRAME_SIZE_ERROR"]),
    "GOAWAY": (HELLO + raw(GOAWAY, 0, 0, number(0) + number(0)) + request(), FINE),
    "GOAWAY on a stream": (HELLO + raw(GOAWAY, 0, 1, number(0) + number(0)),
                           ["PROTOCOL_ERROR"]),
    "a short GOAWAY": (HELLO + raw(GOAWAY, 0, 0, number(0)), ["FRAME_SIZE_ERROR"]),
    # 6.9, windows
    "a window grows by nothing": (HELLO + update(0, 0), ["PROTOCOL_ERROR"]),
    "a stream's window grows by nothing": (HELLO + post() + update(1, 0), ["PROTOCOL_ERROR"]),
    "a short WINDOW_UPDATE": (HELLO + raw(UPDATE, 0, 0, b"abc"), ["FRAME_SIZE_ERROR"]),
    "a window overflows": (HELLO + update(0, 2**31 - 1), ["FLOW_CONTROL_ERROR"]),
    "a stream's window overflows": (HELLO + post() + update(1, 2**31 - 1),
                                    ["1: FLOW_CONTROL_ERROR"]),
    "settings make a window overflow": (HELLO + post() + update(1, 1)
                                        + settings((4, 2**31 - 1)), ["FLOW_CONTROL_ERROR"]),
    "more than the window": (HELLO + post() + 5 * raw(DATA, 0, 1, LONG),
                             ["FLOW_CONTROL_ERROR"]),
    # 6.10, CONTINUATION
    "CONTINUATION": (
        HELLO + raw(HEADERS, END, 1, head()[:5]) + raw(CONTINUATION, 0, 1, head()[5:9])
        + raw(CONTINUATION, END_HEADERS, 1, head()[9:]), FINE),
    "CONTINUATION with a flag of another frame": (
        HELLO + raw(HEADERS, 0, 1, head()) + raw(CONTINUATION, WHOLE, 1), []),
    "CONTINUATION of nothing": (HELLO + request() + raw(CONTINUATION, END_HEADERS, 1, head()),
                                [*FINE, "PROTOCOL_ERROR"]),
    "CONTINUATION of another stream": (
        HELLO + raw(HEADERS, 0, 1, head()) + raw(CONTINUATION, END_HEADERS, 3), ["PROTOCOL_ERROR"]),
    "CONTINUATION of the connection": (
        HELLO + raw(HEADERS, 0, 1, head()) + raw(CONTINUATION, END_HEADERS, 0), ["PROTOCOL_ERROR"]),
    "DATA before the end of headers": (HELLO + raw(HEADERS, 0, 1, head()) + raw(DATA, 0, 1, b"a"),
                                       ["PROTOCOL_ERROR"]),
    # 8.1, requests
    "a body": (HELLO + post() + raw(DATA, 0, 1, b"he") + raw(DATA, END, 1, b"llo"), FINE),
    "trailers": (HELLO + post() + raw(HEADERS, WHOLE, 1, block((b"a", b"b"))), FINE),
    "trailers that do not end": (
        HELLO + post() + raw(HEADERS, END_HEADERS, 1, block((b"a", b"b"))), ["PROTOCOL_ERROR"]),
    "trailers with a pseudo-field": (
        HELLO + post() + raw(HEADERS, WHOLE, 1, block((b":method", b"GET"))), BAD),
    "trailers in capitals": (HELLO + post() + raw(HEADERS, WHOLE, 1, block((b"A", b"b"))), BAD),
    "the length that was promised": (
        HELLO + post(1, (b"content-length", b"5")) + raw(DATA, END, 1, b"hello"), FINE),
    "more than was promised": (
        HELLO + post(1, (b"content-length", b"4")) + raw(DATA, END, 1, b"hello"), BAD),
    "less than was promised": (
        HELLO + post(1, (b"content-length", b"6")) + raw(DATA, END, 1, b"hello"), BAD),
    "less, in two frames": (
        HELLO + post(1, (b"content-length", b"6"))
        + raw(DATA, 0, 1, b"hello") + raw(DATA, END, 1), BAD),
    "less, with trailers": (
        HELLO + post(1, (b"content-length", b"6"))
        + raw(DATA, 0, 1, b"hello") + raw(HEADERS, WHOLE, 1, block((b"a", b"b"))), BAD),
    "nothing of what was promised": (HELLO + request(1, (b"content-length", b"1")), BAD),
    "a length of 0": (HELLO + request(1, (b"content-length", b"0")), FINE),
    "two lengths": (
        HELLO + post(1, (b"content-length", b"5"), (b"content-length", b"6")), BAD),
    "a length that is none": (HELLO + post(1, (b"content-length", b"+5")), BAD),
    "an endless length": (HELLO + post(1, (b"content-length", b"9" * 40)), BAD),
    # 8.2, fields
    "a name in capitals": (HELLO + request(1, (b"Accept", b"a")), BAD),
    "no name": (HELLO + request(1, (b"", b"a")), BAD),
    "a name with a space": (HELLO + request(1, (b"a b", b"a")), BAD),
    "a name with a colon": (HELLO + request(1, (b"a:b", b"a")), BAD),
    "a name beyond ASCII": (HELLO + request(1, (b"\xe4", b"a")), BAD),
    "a value with a line feed": (HELLO + request(1, (b"a", b"b\nc: d")), BAD),
    "a value with a carriage return": (HELLO + request(1, (b"a", b"b\rc")), BAD),
    "a value with NUL": (HELLO + request(1, (b"a", b"\0")), BAD),
    "a space before a value": (HELLO + request(1, (b"a", b" b")), BAD),
    "a tab after a value": (HELLO + request(1, (b"a", b"b\t")), BAD),
    "an empty value": (HELLO + request(1, (b"a", b"")), FINE),
    "a value beyond ASCII": (HELLO + request(1, (b"a", b"\xe4 \xff")), FINE),
    "connection": (HELLO + request(1, (b"connection", b"close")), BAD),
    "keep-alive": (HELLO + request(1, (b"keep-alive", b"5")), BAD),
    "proxy-connection": (HELLO + request(1, (b"proxy-connection", b"close")), BAD),
    "transfer-encoding": (HELLO + post(1, (b"transfer-encoding", b"chunked")), BAD),
    "upgrade": (HELLO + request(1, (b"upgrade", b"websocket")), BAD),
    "te: trailers": (HELLO + request(1, (b"te", b"trailers")), FINE),
    "te: gzip": (HELLO + request(1, (b"te", b"trailers, gzip")), BAD),
    # 8.3, pseudo-fields
    "an unknown pseudo-field": (HELLO + request(1, test=b"a"), BAD),
    "the pseudo-field of responses": (HELLO + request(1, status=b"200"), BAD),
    "an informational status": (HELLO + request(1, status=b"100"), ["PROTOCOL_ERROR"]),
    "a pseudo-field after the others": (HELLO + request(1, (b"a", b"b"), (b":path", b"/")), BAD),
    "a pseudo-field twice": (HELLO + request(1, (b":path", b"/")), BAD),
    "no method": (HELLO + request(1, without=b":method"), BAD),
    "no scheme": (HELLO + request(1, without=b":scheme"), BAD),
    "no path": (HELLO + request(1, without=b":path"), BAD),
    "an empty path": (HELLO + request(1, path=b""), BAD),
    "an empty scheme": (HELLO + request(1, scheme=b""), BAD),
    "an empty method": (HELLO + request(1, method=b""), BAD),
    "a method with a space": (HELLO + request(1, method=b"GET /"), BAD),
    "a path with a space": (HELLO + request(1, path=b"/ HTTP/1.1"), BAD),
    "a path with a line feed": (HELLO + request(1, path=b"/\n"), BAD),
    "a path beyond ASCII": (HELLO + request(1, path=b"/\xe4"), BAD),
    "a path without a slash": (HELLO + request(1, path=b"a"), BAD),
    "an absolute path": (HELLO + request(1, path=b"http://x/"), BAD),
    "a fragment": (HELLO + request(1, path=b"/#a"), ["1: 400"]),
    "an asterisk": (HELLO + request(1, path=b"*", method=b"OPTIONS"), FINE),
    "an asterisk for GET": (HELLO + request(1, path=b"*"), ["1: 400"]),
    "no host": (HELLO + request(1, without=b":authority"), BAD),
    "host instead of authority": (HELLO + request(1, (b"host", b"x"), without=b":authority"), FINE),
    "host and authority": (HELLO + request(1, (b"host", b"x")), FINE),
    "another host than the authority": (HELLO + request(1, (b"host", b"y")), BAD),
    "two hosts": (HELLO + request(1, (b"host", b"x"), (b"host", b"x")), BAD),
    "an authority with a user": (HELLO + request(1, authority=b"me@x"), ["1: 400"]),
    "an authority with a path": (HELLO + request(1, authority=b"x/y"), ["1: 400"]),
    "CONNECT": (
        HELLO + raw(HEADERS, WHOLE, 1, block((b":method", b"CONNECT"), (b":authority", b"x:1"))),
        ["1: 501"]),
    "CONNECT with a path": (HELLO + request(1, method=b"CONNECT"), BAD),
    "CONNECT without an authority": (
        HELLO + raw(HEADERS, WHOLE, 1, block((b":method", b"CONNECT"))), BAD),
    "an unknown expectation": (HELLO + post(1, (b"expect", b"wonders")), ["1: 417", "1: NO_ERROR"]),
    "no fields at all": (HELLO + raw(HEADERS, WHOLE, 1), BAD),
    # what is wrong with one stream is nothing to another
    "a good request after a bad one": (
        HELLO + request(1, (b"A", b"b")) + request(3), [*BAD, "3: 200."]),
    "a good request after a bad body": (
        HELLO + post(1, (b"content-length", b"1")) + raw(DATA, END, 1, b"hello") + request(3),
        [*BAD, "3: 200."]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "said"), PROBES.values(), ids=PROBES.keys())
def test_probes(data: bytes, said: list[str]) -> None:
    whole, cut = Answering().feed([data]), Answering().feed(each_byte(data))
    assert whole.said == said
    assert cut.said == said
    ended = any(": " not in word and not word.startswith("pong") for word in said)
    assert whole.http.broken == cut.http.broken == ended
    if ended:
        assert isinstance(whole.events[-1][1], Broken)
        assert whole.feed([request(99)]).said == said  # nothing is read any more


# What a request becomes.


def only_request(data: bytes) -> Request:
    [found] = [event for _, event in Answering().feed([HELLO + data]).events
               if isinstance(event, Request)]  # fmt: skip
    return found


def test_a_request_says_what_http_1_would_say() -> None:
    found = only_request(
        request(1, (b"b", b"1"), (b"a", b"2"), (b"b", b"3"), path=b"/a%20b?c=d", authority=b"x:80")
    )
    assert found == Request(
        b"GET", b"/a%20b?c=d", [(b"host", b"x:80"), (b"b", b"1"), (b"a", b"2"), (b"b", b"3")], b"2"
    )


def test_the_host_comes_first_wherever_it_stood() -> None:
    found = only_request(request(1, (b"a", b"b"), (b"host", b"x")))
    assert found.headers == [(b"host", b"x"), (b"a", b"b")]


def test_cookies_are_joined() -> None:
    found = only_request(request(1, (b"cookie", b"a=b"), (b"x", b"y"), (b"cookie", b"c=d")))
    assert found.headers[1:] == [(b"x", b"y"), (b"cookie", b"a=b; c=d")]


def test_events_of_a_body_and_of_padding() -> None:
    data = HELLO + post() + raw(DATA, PADDED, 1, b"\2hi\0\0") + raw(DATA, 0, 1)
    data += raw(HEADERS, WHOLE, 1, block((b"a", b"b")))
    events = [event for stream, event in Answering().feed([data]).events if stream]
    assert [type(event) for event in events] == [Request, Body, EndOfBody]
    assert events[1] == Body(b"hi")


def test_the_same_events_however_they_are_cut() -> None:
    data = HELLO + post() + request(3) + raw(DATA, END, 1, b"hello") + update(0, 5)
    data += raw(GOAWAY, 0, 0, number(0) + number(2)) + post(5) + raw(RST, 0, 5, number(8))
    whole = Answering().feed([data])
    assert whole.events == Answering().feed(each_byte(data)).events
    assert (0, GoAway(2)) in whole.events
    assert whole.events[-1] == (5, Reset(Code.CANCEL, True))
    for at in range(1, len(data), 7):
        assert Answering().feed([data[:at], data[at:]]).events == whole.events


# Limits.


def test_headers_that_are_too_long_are_answered_431() -> None:
    one = Answering(max_head=1000).feed([HELLO + request(1, (b"a", b"b" * 990)) + request(3)])
    assert one.said == ["1: 431", "3: 200."]


def test_headers_that_are_far_too_long_end_the_connection() -> None:
    sent = raw(HEADERS, 0, 1, head()) + raw(CONTINUATION, 0, 1, b"\0\1a\1b" * 600)
    one = Answering(max_head=1000).feed([HELLO + sent])
    assert one.said == ["ENHANCE_YOUR_CALM"]
    # A few bytes that unpack to many: the same field over and over, from the table.
    bomb = head() + b"\x40\1a" + _string(b"b" * 500) + 100 * b"\xbe"
    one = Answering(max_head=1000).feed([HELLO + raw(HEADERS, WHOLE, 1, bomb)])
    assert one.said == ["ENHANCE_YOUR_CALM"]


def test_bodies_that_are_too_long_are_answered_413() -> None:
    told = HELLO + post(1, (b"content-length", b"6")) + request(3)
    assert Answering(max_body=5).feed([told]).said == ["1: 413", "1: NO_ERROR", "3: 200."]
    untold = HELLO + post() + raw(DATA, 0, 1, b"123") + raw(DATA, 0, 1, b"456") + request(3)
    assert Answering(max_body=5).feed([untold]).said == ["1: 413", "1: NO_ERROR", "3: 200."]
    enough = HELLO + post() + raw(DATA, END, 1, b"12345")
    assert Answering(max_body=5).feed([enough]).said == FINE


def test_a_refusal_of_head_has_no_words() -> None:
    assert Answering().feed([HELLO + request(1, method=b"HEAD", path=b"/#")]).said == ["1: 400."]


def test_a_refusal_needs_no_room() -> None:
    data = HELLO + settings((4, 0)) + request(1, path=b"/#")
    one = Answering().feed([data])
    assert one.said == ["1: 400."]
    [block_sent] = [payload for kind, _, _, payload in frames(one.sent) if kind == HEADERS]
    assert "content-length" not in dict(hpack.Decoder().decode(block_sent))  # as there is no body


FLOODS: dict[str, Callable[[int], bytes]] = {
    "pings": lambda n: raw(PING, 0, 0, b"12345678"),
    "settings": lambda n: settings(),
    "unknown frames": lambda n: raw(99, 0, 0),
    "priorities": lambda n: raw(PRIORITY, 0, 1, number(0) + b"a"),
    "requests that are taken back": lambda n: post(2 * n + 3) + raw(RST, 0, 2 * n + 3, number(8)),
    "requests that are none": lambda n: request(2 * n + 3, (b"A", b"")),
    "resets that the server is made to send": (
        lambda n: post(2 * n + 3) + update(2 * n + 3, 2**31 - 1)
    ),
    "empty frames": lambda n: raw(DATA, 0, 1),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_ends_the_connection(flood: Callable[[int], bytes]) -> None:
    now = 0.0
    one = Answering(allowance=100, clock=lambda: now)
    one.feed([HELLO, post(), *map(flood, range(98))])
    assert not one.http.broken
    one.feed(map(flood, range(98, 110)))
    assert one.http.broken
    assert one.said[-1] == "ENHANCE_YOUR_CALM"


def test_an_allowance_comes_back_in_time() -> None:
    now = 0.0

    def clock() -> float:
        return now

    one = Answering(allowance=100, clock=clock).feed([HELLO])
    for _ in range(100):
        one.feed(4 * [raw(PING, 0, 0, b"12345678")])
        now += 0.5
    assert not one.http.broken
    one.feed(400 * [raw(PING, 0, 0, b"12345678")])
    assert one.http.broken


def test_what_asks_for_something_is_no_flood() -> None:
    one = Answering(allowance=10).feed([HELLO, post()])
    one.feed(500 * [raw(DATA, 0, 1, b"a") + update(0, 1)])
    one.feed(request(stream) for stream in range(3, 1003, 2))
    assert not one.http.broken


def test_headers_in_crumbs_end_the_connection() -> None:
    crumbs = [raw(HEADERS, 0, 1, head()), *100 * [raw(CONTINUATION, 0, 1)]]
    assert Answering().feed([HELLO, *crumbs]).said == ["ENHANCE_YOUR_CALM"]


def test_no_more_of_what_was_sent_is_remembered_than_we_want() -> None:
    one = Answering().feed([HELLO + settings((1, 2**32 - 1))])
    for stream in range(1, 2001, 2):
        one.hold = True
        one.feed([request(stream)])
        one.http.respond(stream, [(b":status", b"200"), (b"x", b"%d" % stream * 100)], end=True)
        one.http.finish(stream)
    held: Any = one.http
    assert held._h2.encoder.header_table._current_size <= 4096


# The other side is h2, too.


class Pair:
    """A client of h2, and what it is told."""

    def __init__(self, **options: Any) -> None:
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.client.initiate_connection()
        self.http = Http2(**options)
        self.events: list[tuple[int, Event]] = []
        self.heard: list[h2.events.Event] = []

    def exchange(self) -> list[tuple[int, Event]]:
        """Carry bytes to and fro until nobody has more to say."""
        new: list[tuple[int, Event]] = []
        while True:
            there = self.client.data_to_send()
            new += self.http.receive(there)
            back = self.http.to_send()
            self.heard += self.client.receive_data(back)
            if not there and not back:
                self.events += new
                return new

    def ask(self, stream: int, method: str = "GET", end: bool = True) -> None:
        pseudo = {":method": method, ":scheme": "http", ":authority": "x", ":path": "/"}
        self.client.send_headers(stream, list(pseudo.items()), end_stream=end)


def test_a_response_to_h2() -> None:
    pair = Pair()
    pair.ask(1)
    pair.exchange()
    pair.http.respond(1, [(b":status", b"200"), (b"a", b"b")])
    pair.http.send(1, b"hello", end=True)
    pair.http.finish(1)
    pair.exchange()
    kinds = [type(event).__name__ for event in pair.heard]
    assert kinds[-3:] == ["ResponseReceived", "DataReceived", "StreamEnded"]


def test_a_body_comes_as_fast_as_it_is_taken() -> None:
    pair = Pair(window=100_000)
    pair.ask(1, "POST", end=False)
    pair.exchange()
    came = 0
    for _ in range(10):
        while room := min(16_384, pair.client.local_flow_control_window(1)):
            pair.client.send_data(1, room * b"a")
            came += room
        assert pair.client.local_flow_control_window(1) == 0
        pair.exchange()
        pair.http.taken(1)
        pair.exchange()
    assert came == 10 * 100_000


def test_what_is_not_taken_keeps_no_other_stream_waiting() -> None:
    pair = Pair(window=65_535, max_streams=10)
    for stream in range(1, 21, 2):
        pair.ask(stream, "POST", end=False)
        pair.exchange()
        while room := min(16_384, pair.client.local_flow_control_window(stream)):
            pair.client.send_data(stream, room * b"a")
        pair.exchange()
    sizes = dict.fromkeys(range(1, 21, 2), 0)
    for stream, event in pair.events:
        sizes[stream] = sizes.get(stream, 0) + (len(event.data) if isinstance(event, Body) else 0)
    sizes.pop(0)
    assert set(sizes.values()) == {65_535}


def test_bytes_of_streams_that_end_early_are_given_back() -> None:
    pair = Pair(window=65_535, max_streams=2)
    for stream in range(1, 201, 2):
        pair.ask(stream, "POST", end=False)
        pair.exchange()
        while room := min(16_384, pair.client.local_flow_control_window(stream)):
            pair.client.send_data(stream, room * b"a")
        pair.http.respond(stream, [(b":status", b"200")], end=True)
        pair.http.finish(stream)  # before the body has come
        pair.exchange()
    assert pair.client.outbound_flow_control_window > 50_000


def test_there_is_room_for_what_both_windows_and_a_frame_hold() -> None:
    pair = Pair()
    pair.ask(1)
    pair.ask(3)
    pair.exchange()
    for stream in (1, 3):
        pair.http.respond(stream, [(b":status", b"200")])
    sizes = []
    while room := pair.http.room(1):
        sizes.append(room)
        pair.http.send(1, room * b"a")
    assert sizes == [16_384, 16_384, 16_384, 16_383]
    assert pair.http.room(3) == 0  # that of the connection
    pair.exchange()
    pair.client.increment_flow_control_window(10)
    assert (0, Window()) in pair.exchange()
    assert (pair.http.room(1), pair.http.room(3)) == (0, 10)
    pair.client.increment_flow_control_window(5, 1)
    assert (1, Window()) in pair.exchange()
    assert pair.http.room(1) == 5
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 3})
    assert (0, Window()) in pair.exchange()
    assert (pair.http.room(1), pair.http.room(3)) == (0, 3)


def test_what_a_client_is_told_at_first() -> None:
    pair = Pair(window=100_000, max_streams=7, max_head=5_000)
    pair.exchange()
    told = pair.client.remote_settings
    assert told.initial_window_size == 100_000
    assert told.max_concurrent_streams == 7
    assert told.max_header_list_size == 5_000
    assert pair.client.outbound_flow_control_window == 700_000


def test_going_away_lets_a_stream_end() -> None:
    one = Answering()
    one.hold = True
    one.feed([HELLO + request()])
    one.http.go_away(Code.NO_ERROR, "bye")
    one.http.respond(1, [(b":status", b"200")], end=True)
    one.http.finish(1)
    one.sent += one.http.to_send()
    assert one.said == ["NO_ERROR", "1: 200."]


@given(st.lists(st.binary(max_size=30) | st.sampled_from([
    request(), post(), post(3), raw(DATA, END, 1, b"hi"), settings((4, 0)), update(0, 100),
    raw(RST, 0, 1, number(8)), raw(HEADERS, 0, 5, head()), raw(CONTINUATION, 4, 5, b""),
]), max_size=12))  # fmt: skip
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    one = Answering().feed([HELLO, *pieces])
    again = Answering().feed([HELLO + b"".join(pieces)])
    same = [(stream, type(event)) for stream, event in again.events]
    assert [(stream, type(event)) for stream, event in one.events] == same


BLOCKS = [head(), head(method=b"POST"), block((b"a", b"b")), block((b":status", b"100")),
          head((b"content-length", b"3")), b"\xbe"]  # fmt: skip
FRAMES = st.builds(
    raw,
    st.sampled_from([0, 0, 1, 1, 1, 2, 3, 4, 6, 7, 8, 9, 10]),
    st.sampled_from([0, 1, 4, 5, 8, 13, 32, 37, 45]),
    st.sampled_from([0, 1, 1, 3, 3, 5, 2]),
    st.sampled_from([*BLOCKS, *(number(1) + b"a" + each for each in BLOCKS), number(1), number(7),
                     2 * number(0), b"", b"\0\4" + number(9), b"\2abc"]),
)  # fmt: skip


@settings_of_hypothesis(max_examples=300, deadline=None)
@given(st.lists(FRAMES, max_size=15))
def test_no_frames_raise(pieces: list[bytes]) -> None:
    one = Answering(max_head=300, max_body=5).feed([HELLO, *pieces])
    if one.http.broken:
        assert ": " not in one.said[-1]


# Responses.


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (100, []), (101, []), (199, []), (1000, []), (True, []), ("200", []), (None, []),
        (200, [(b":status", b"200")]), (200, [(b"a b", b"")]), (200, [(b"", b"")]),
        (200, [(b"a", b"b\r\nc: d")]), (200, [(b"a", b"\0")]), (200, [(b"content-length", b"x")]),
        (200, [(b"content-length", b"1"), (b"content-length", b"2")]),
    ],
)  # fmt: skip
def test_what_is_no_response(status: Any, headers: Any) -> None:
    with pytest.raises(InvalidMessage):
        StreamResponse(b"GET").start(status, headers)


def test_what_is_made_of_a_head() -> None:
    response = StreamResponse(b"GET")
    response.start(200, [
        (b"X-Up", b" a "), (b"Connection", b"close"), (b"Transfer-Encoding", b"chunked"),
        (b"set-cookie", b"a"), (b"set-cookie", b"b"),
    ])  # fmt: skip
    assert response.head == [
        (b":status", b"200"), (b"x-up", b"a"), (b"set-cookie", b"a"), (b"set-cookie", b"b")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "status", "length", "parts", "sent"),
    [
        (b"GET", 200, None, [b"a", b"", b"b"], b"ab"),
        (b"GET", 200, b"2", [b"a", b"b"], b"ab"),
        (b"HEAD", 200, b"2", [b""], b""),
        (b"HEAD", 200, b"2", [b"ab"], b""),
        (b"GET", 304, b"2", [b""], b""),
        (b"GET", 204, b"2", [b""], b""),
    ],
)
def test_bodies(
    method: bytes, status: int, length: bytes | None, parts: list[bytes], sent: bytes
) -> None:
    response = StreamResponse(method)
    response.start(status, [(b"content-length", length)] if length else [])
    pieces = [response.body(part, more=True) for part in parts[:-1]]
    assert b"".join([*pieces, response.body(parts[-1])]) == sent


@pytest.mark.parametrize("parts", [[b"abc"], [b"a"], [b"a", b"bc"], [b"a", b""]])
def test_bodies_of_another_length(parts: list[bytes]) -> None:
    response = StreamResponse(b"GET")
    response.start(200, [(b"content-length", b"2")])
    for part in parts[:-1]:
        response.body(part, more=True)
    with pytest.raises(InvalidMessage, match="than Content-Length says"):
        response.body(parts[-1])


# Reading it.

FOLDER = Path(asgi_lab.server.__file__).parent
PURE = ["http2", "http2_allowance", "http2_events", "http2_frames", "http2_request",
        "http2_response", "http2_state"]  # fmt: skip


@pytest.mark.parametrize("name", PURE)
def test_the_protocol_needs_no_event_loop(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import)
                for alias in node.names}  # fmt: skip
    assert "asyncio" not in modules
    ours = {(module or "").rpartition(".")[2] for module in modules
            if (module or "").startswith("asgi_lab.")}  # fmt: skip
    assert ours <= {*PURE, "request", "response", "failures"}
