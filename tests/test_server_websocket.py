"""WebSocket without sockets: frames byte by byte, and the handshake (RFC 6455, RFC 7692)."""

import zlib
from collections.abc import Iterator

import pytest

from asgi_lab.server.http11 import Http11
from asgi_lab.server.request import Request
from asgi_lab.server.websocket import (
    Broken,
    Closed,
    Event,
    Message,
    Ping,
    Pong,
    WebSocket,
    agree,
    check_handshake,
)

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame as a client sends it: masked."""
    masked = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([fin << 7 | rsv << 4 | opcode]) + length + MASK + masked


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def each_cut(data: bytes) -> Iterator[Iterator[bytes]]:
    yield iter([data])
    yield from (iter([data[:at], data[at:]]) for at in range(1, min(len(data), 300)))
    yield (data[at : at + 1] for at in range(len(data)))


def read(websocket: WebSocket, pieces: Iterator[bytes]) -> list[Event]:
    found = [event for piece in pieces for event in websocket.receive(piece)]
    return [Broken(event.code, "") if isinstance(event, Broken) else event for event in found]


EURO = "€".encode()
AFTER = frame(TEXT, b"after")
BAD_LENGTH = b"\x81\xfe\x00\x05" + MASK  # five bytes, with a length of two bytes

FRAMES: dict[str, tuple[bytes, list[Event]]] = {
    "text": (frame(TEXT, EURO), [Message("€")]),
    "binary": (frame(BINARY, b"\xff"), [Message(b"\xff")]),
    "empty text": (frame(TEXT), [Message("")]),
    "empty binary": (frame(BINARY), [Message(b"")]),
    "126 bytes": (frame(BINARY, b"x" * 126), [Message(b"x" * 126)]),
    "65,536 bytes": (frame(BINARY, b"x" * 65_536), [Message(b"x" * 65_536)]),
    "two messages": (frame(TEXT, b"a") + frame(BINARY, b"b"), [Message("a"), Message(b"b")]),
    "fragments": (
        frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", fin=False)
        + frame(CONTINUATION, b"c"),
        [Message("abc")],
    ),
    "empty fragments": (
        frame(BINARY, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 3
        + frame(CONTINUATION, b"c"),
        [Message(b"c")],
    ),
    "a character in two fragments": (
        frame(TEXT, EURO[:1], fin=False) + frame(CONTINUATION, EURO[1:]), [Message("€")]
    ),
    "a ping between fragments": (
        frame(TEXT, b"a", fin=False) + frame(PING, b"?") + frame(CONTINUATION, b"b"),
        [Ping(b"?"), Message("ab")],
    ),
    "a long ping": (frame(PING, b"x" * 125), [Ping(b"x" * 125)]),
    "a pong": (frame(PONG, b"!"), [Pong(b"!")]),
    "a close": (close(1000, b"bye") + AFTER, [Closed(1000, "bye")]),
    "a close without a code": (frame(CLOSE) + AFTER, [Closed(1005, "")]),
    "a close of one's own": (close(4999), [Closed(4999, "")]),
    "a message and a close": (frame(TEXT, b"a") + close(1001), [Message("a"), Closed(1001, "")]),
    "a close between fragments": (frame(TEXT, b"a", fin=False) + close(1000), [Closed(1000, "")]),
    # What no client may send.
    "no mask": (b"\x81\x01a", [Broken(1002, "")]),
    "a reserved bit": (frame(TEXT, b"a", rsv=4), [Broken(1002, "")]),
    "another reserved bit": (frame(TEXT, b"a", rsv=1), [Broken(1002, "")]),
    "a reserved opcode": (frame(3, b"a"), [Broken(1002, "")]),
    "a reserved control opcode": (frame(11, b"a"), [Broken(1002, "")]),
    "a fragmented ping": (frame(PING, b"a", fin=False), [Broken(1002, "")]),
    "too long a ping": (frame(PING, b"x" * 126), [Broken(1002, "")]),
    "a wasteful length": (BAD_LENGTH, [Broken(1002, "")]),
    "a continuation of nothing": (frame(CONTINUATION, b"a"), [Broken(1002, "")]),
    "a text within a text": (
        frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), [Broken(1002, "")]
    ),
    "no UTF-8": (frame(TEXT, b"\xff"), [Broken(1007, "")]),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), [Broken(1007, "")]),
    "beyond Unicode": (frame(TEXT, b"\xf4\x90\x80\x80"), [Broken(1007, "")]),
    "half a character": (frame(TEXT, EURO[:2]), [Broken(1007, "")]),
    "half a character in fragments": (
        frame(TEXT, EURO[:2], fin=False) + frame(CONTINUATION, b"a"), [Broken(1007, "")]
    ),
    "a close of one byte": (frame(CLOSE, b"\x03"), [Broken(1002, "")]),
    "a close code too low": (close(999), [Broken(1002, "")]),
    "a close code never sent": (close(1005), [Broken(1002, "")]),
    "another never sent": (close(1006), [Broken(1002, "")]),
    "a close code that is no code": (close(5000), [Broken(1002, "")]),
    "a close reason that is no UTF-8": (close(1000, b"\xff"), [Broken(1007, "")]),
    "nothing after": (b"\x81\x01a" + AFTER, [Broken(1002, "")]),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_the_same_events_for_every_way_of_cutting_the_bytes(name: str) -> None:
    data, events = FRAMES[name]
    for pieces in each_cut(data):
        assert read(WebSocket(), pieces) == events


@pytest.mark.parametrize(
    "data",
    [
        frame(BINARY, b"x" * 11),
        frame(TEXT, "€€€€".encode()),
        frame(TEXT, b"x" * 6, fin=False) + frame(CONTINUATION, b"x" * 5),
        b"\x82\xff" + (1 << 40).to_bytes(8, "big") + MASK + b"x" * 11,
    ],
)
def test_a_message_has_a_limit(data: bytes) -> None:
    for pieces in each_cut(data):
        assert read(WebSocket(max_message=10), pieces) == [Broken(1009, "")]
    fits = frame(TEXT, b"x" * 6, fin=False) + frame(CONTINUATION, b"x" * 4)
    assert read(WebSocket(max_message=10), iter([fits, fits])) == 2 * [Message("x" * 10)]


def squeeze(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def deflating(offer: str = "permessage-deflate", **options: int) -> WebSocket:
    _, deflate = agree(handshake(**{"sec-websocket-extensions": offer}))
    assert deflate is not None
    return WebSocket(deflate, **options)


def test_compressed_messages() -> None:
    packed = squeeze(b"hello" * 100)
    data = frame(TEXT, packed[:4], fin=False, rsv=4) + frame(CONTINUATION, packed[4:])
    for pieces in each_cut(data + frame(TEXT, b"plain")):
        assert read(deflating(), pieces) == [Message("hello" * 100), Message("plain")]
    for broken in (frame(TEXT, b"\xff\xff", rsv=4), frame(PING, b"", rsv=4)):
        [event] = read(deflating(), iter([broken]))
        assert isinstance(event, Broken)


def test_a_few_compressed_bytes_cannot_stand_for_many() -> None:
    bomb = frame(BINARY, squeeze(bytes(50_000_000)), rsv=4)
    assert len(bomb) < 60_000
    websocket = deflating(max_message=1_000_000)
    assert read(websocket, iter([bomb])) == [Broken(1009, "")]


def test_what_is_sent() -> None:
    assert WebSocket().message("€") == b"\x81\x03" + EURO
    assert WebSocket().message(b"x" * 126) == b"\x82\x7e\x00\x7e" + b"x" * 126
    assert WebSocket().ping(b"?") + WebSocket().pong(b"!") == b"\x89\x01?\x8a\x01!"
    assert WebSocket().close(1000) == b"\x88\x02\x03\xe8"
    assert WebSocket().close(3000, "bye") == b"\x88\x05\x0b\xb8bye"
    packed = deflating().message("hello" * 100)
    assert packed[0] == 0xC1
    assert zlib.decompressobj(-15).decompress(packed[2:]) == b"hello" * 100


def test_the_answers_to_close() -> None:
    for data, answer in (
        (close(1000, b"bye"), b"\x88\x05\x03\xe8bye"),
        (frame(CLOSE), b"\x88\x00"),
    ):
        websocket = WebSocket()
        for event in websocket.receive(data):
            assert isinstance(event, Closed)
            assert websocket.close(event.code, event.reason) == answer


def test_a_ping_is_answered_before_what_follows_is_read() -> None:
    websocket, answers = WebSocket(), []
    for event in websocket.receive(frame(PING, b"?") + close(1000)):
        match event:
            case Ping(payload=payload):
                answers.append(websocket.pong(payload))
            case Closed(code=code):
                answers.append(websocket.close(code))
    assert answers == [b"\x8a\x01?", b"\x88\x02\x03\xe8"]


# The handshake.


def handshake(**changes: str | None) -> Request:
    headers: dict[str, str | None] = {
        "host": "x",
        "upgrade": "websocket",
        "connection": "keep-alive, Upgrade",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
        **changes,
    }
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
    [request, *_] = Http11().receive(f"GET /chat HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
    assert isinstance(request, Request)
    return request


def test_the_example_of_the_rfc() -> None:
    headers, deflate = agree(handshake(), "chat")
    assert deflate is None
    assert dict(headers) == {
        b"upgrade": b"websocket",
        b"connection": b"Upgrade",
        b"sec-websocket-accept": b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"sec-websocket-protocol": b"chat",
    }


@pytest.mark.parametrize(
    ("changes", "upgrades", "status"),
    [
        ({}, True, None),
        ({"upgrade": "WebSocket", "connection": "UPGRADE"}, True, None),
        ({"upgrade": "h2c"}, False, None),
        ({"upgrade": None}, False, None),
        ({"connection": "keep-alive"}, False, None),
        ({"sec-websocket-version": None}, True, 400),
        ({"sec-websocket-version": "8"}, True, 426),
        ({"sec-websocket-key": None}, True, 400),
        ({"sec-websocket-key": "short"}, True, 400),
        ({"sec-websocket-key": "c2hvcnQ="}, True, 400),
        ({"sec-websocket-key": "!" * 24}, True, 400),
        ({"content-length": "5"}, True, 400),
        ({"content-length": "0"}, True, None),
        ({"transfer-encoding": "chunked"}, True, 400),
    ],
)
def test_which_handshakes_are_right(
    changes: dict[str, str | None], upgrades: bool, status: int | None
) -> None:
    request = handshake(**changes)
    assert request.upgrades is upgrades
    if upgrades:
        wrong = check_handshake(request)
        assert (wrong and wrong[0].status) == status
        if status == 426 and wrong:
            assert wrong[1] == [(b"sec-websocket-version", b"13")]


def test_a_post_asks_for_no_websocket() -> None:
    [request, *_] = Http11().receive(
        b"POST / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    )
    assert isinstance(request, Request)
    assert not request.upgrades


NAME = "permessage-deflate"


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (NAME, NAME),
        (f"{NAME}; client_max_window_bits", f"{NAME}; client_max_window_bits=15"),
        (f"{NAME}; server_max_window_bits=10", f"{NAME}; server_max_window_bits=10"),
        (f"{NAME}; server_no_context_takeover", f"{NAME}; server_no_context_takeover"),
        (f"{NAME}; server_max_window_bits=8, {NAME}", NAME),
        (f"{NAME}; server_max_window_bits=8", None),
        (f"{NAME}; server_max_window_bits", None),
        (f"{NAME}; server_max_window_bits=ten", None),
        (f"{NAME}; server_max_window_bits=99", None),
        (f"{NAME}; unheard_of", None),
        (f"{NAME}; client_max_window_bits; client_max_window_bits=9", None),
        ("x-webkit-deflate-frame", None),
        ("", None),
    ],
)
def test_which_compression_is_agreed_on(offer: str, answer: str | None) -> None:
    headers, deflate = agree(handshake(**{"sec-websocket-extensions": offer}))
    agreed = dict(headers).get(b"sec-websocket-extensions")
    assert (agreed and agreed.decode()) == answer
    assert (deflate is None) == (answer is None)
