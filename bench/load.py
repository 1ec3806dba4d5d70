"""A closed-loop load generator: each connection asks, waits for the whole answer, asks again.

Requests are bytes made beforehand and answers are only counted, so that one Python thread, on a
CPU of its own, can saturate a Python server on another. An answer has come when as many bytes as
the first one had have come: nothing in these answers changes its length.

    python -m bench.load 8000            # what can be reached at http://127.0.0.1:8000/
"""

import selectors
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench.apps import HELLO

CONNECTIONS = 32
PATIENCE = 10
"""Seconds after which a server that does not answer is given up."""


class Exchange(NamedTuple):
    """What is sent, and how the answer to it ends; before that, once a connection, a handshake."""

    ask: bytes
    end: bytes
    opening: bytes = b""


def get(path: str, end: bytes) -> Exchange:
    """Return a GET, as a browser-like client would send it on a connection it keeps."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
    return Exchange(head.encode(), end)


# RFC 6455: a handshake with the sample key; then text frames, from the client masked with zeros
WS_OPENING = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
EXCHANGES = {
    "hello": get("/", HELLO),
    "stream": get("/stream", b"\r\n0\r\n\r\n"),
    "websocket": Exchange(
        bytes([0x81, 0x80 | len(HELLO), 0, 0, 0, 0]) + HELLO,
        bytes([0x81, len(HELLO)]) + HELLO,
        WS_OPENING,
    ),
}


class Sample(NamedTuple):
    """Answers per second, and the latency in seconds that 99 of 100 do not exceed."""

    rate: float
    p99: float


def measure(port: int, exchange: Exchange, seconds: float, rate: float = 0) -> Sample:
    """Load the server for a while: as fast as it can, or at `rate` requests a second.

    At a rate, latency counts from when a request was due, not from when it could be sent: a server
    that stalls makes all wait that would have come meanwhile.
    """
    with opened(port, exchange) as (connections, length):
        latencies = paced(connections, exchange.ask, length, seconds, rate)
    latencies.sort()
    p99 = latencies[int(len(latencies) * 0.99)]
    return Sample(len(latencies) / seconds, p99 / 1e9)


@contextmanager
def opened(port: int, exchange: Exchange) -> Iterator[tuple[list[socket.socket], int]]:
    """Yield open connections, each through one exchange already, and the length of an answer."""
    connections = []
    try:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections.append(connection)
            if exchange.opening:
                connection.sendall(exchange.opening)
                answer_length(connection, b"\r\n\r\n")
            connection.sendall(exchange.ask)
            length = answer_length(connection, exchange.end)
        yield connections, length
    finally:
        for connection in connections:
            connection.close()


def answer_length(connection: socket.socket, end: bytes) -> int:
    """Read an answer up to its end and return its length."""
    answer = b""
    while not answer.endswith(end):
        data = connection.recv(65536)
        if not data:
            raise ConnectionError(f"the server hung up after {answer!r:.200}")
        answer += data
    return len(answer)


def paced(
    connections: list[socket.socket], ask: bytes, length: int, seconds: float, rate: float
) -> list[int]:
    """Exchange for a while and return the latencies, in nanoseconds."""
    now = time.perf_counter_ns
    gap = int(len(connections) / rate * 1e9) if rate else 0
    latencies: list[int] = []
    selector = selectors.DefaultSelector()
    due: dict[int, int] = {}  # by connection: when its request was, or is, due
    waiting: list[tuple[int, socket.socket]] = []  # connections before their turn, in order
    left: dict[int, int] = {}
    start = now()
    stop = start + int(seconds * 1e9)
    for index, connection in enumerate(connections):
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, (connection, connection.fileno()))
        due[connection.fileno()] = start + gap * index // len(connections)
        left[connection.fileno()] = length
        waiting.append((due[connection.fileno()], connection))
    while (at := now()) < stop:
        while waiting and waiting[0][0] <= at:
            _, connection = waiting.pop(0)
            connection.send(ask)
        for key, _ in selector.select(0 if waiting else PATIENCE):
            connection, number = key.data
            data = connection.recv(65536)
            left[number] -= len(data)
            if left[number] > 0 and data:
                continue
            if left[number] or not data:
                raise ConnectionError(f"an answer of another length, or none: {data!r:.200}")
            at = now()
            latencies.append(at - due[number])
            left[number] = length
            due[number] = due[number] + gap if gap else at
            if due[number] > at:
                waiting.append((due[number], connection))
            else:
                connection.send(ask)
    selector.close()
    return latencies


if __name__ == "__main__":
    for name, exchange in EXCHANGES.items():
        rate, p99 = measure(int(sys.argv[1]), exchange, 2)
        print(f"{name}: {rate:,.0f} a second, p99 {p99 * 1e3:.2f} ms")
