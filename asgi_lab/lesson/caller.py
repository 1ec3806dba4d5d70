"""A client that speaks bytes: it says this, hears that, and can tell afterwards how it went.

    with OwnServer(serve, app) as server, Caller(server) as caller:
        caller.say(GET)
        answer = caller.answer()

What is not as it should be raises `Failed`, with all that was said and heard, the server's line,
and a mark at the byte to look at.
"""

import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import h11

from asgi_lab.lesson.checking import raised
from asgi_lab.lesson.failed import Failed, never
from asgi_lab.lesson.own_server import HOST, OwnServer
from asgi_lab.lesson.transcript import alike, told_bytes

PATIENCE = 2.0
"""Seconds until nothing has come."""

SENT, CAME, END = "we sent", "came back", "then"
HUNG_UP = END, b"the server hung up"
VERSION = b"HTTP/1.1 "


class Silent(Exception):
    """Nothing came in time. The message says so, and where the server is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `begin` and `end` are its places in all that came, `body_at` that of its body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    begin: int
    body_at: int
    end: int


class Caller:
    """A client on one connection, while this is entered."""

    def __init__(self, server: OwnServer) -> None:
        self._server = server
        self._story: list[tuple[str, bytes]] = []
        self._heard = bytearray()
        self._at = 0  # of what was heard: the end of the last answer
        self._ended = self._left = False

    def __enter__(self) -> Self:
        self._socket = socket.create_connection((HOST, self._server.port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error[0] is None and not self._left:
                self._server.gives_way()
                self.expect_no_error()
        finally:
            self._socket.close()

    # Saying and hearing.

    def say(self, data: bytes) -> None:
        """Send bytes. That the server has hung up shows in what comes."""
        self._note(SENT, data)
        with suppress(OSError):
            self._socket.sendall(data)

    def hang_up(self) -> None:
        """Close the connection."""
        self._left = True
        self._note(END, b"we hung up")
        self._socket.close()

    def read(self) -> bytes:
        """Return what comes next, b"" if the server has hung up. Raises `Silent`."""
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            where = self._server.where()
            data = self._late(where)
        except OSError:
            data = b""
        self._heard += data
        self._note(CAME, data)
        self._ended = self._ended or not data
        return data

    def _late(self, where: str) -> bytes:
        """Look once more: a machine may be slow. A server that waits will not say anything."""
        self._socket.settimeout(0.1)
        try:
            return self._socket.recv(65536)
        except TimeoutError:
            told = f"no answer within {PATIENCE:g} s"
            raise Silent(f"{told}:\n{where}" if where else told) from None
        finally:
            self._socket.settimeout(PATIENCE)

    def hear(self, answers: int) -> bytes:
        """Return all bytes until so many answers are complete, or there is no more."""
        for _ in range(answers):
            if self._next("GET", None, "") is None:
                break
        return bytes(self._heard)

    # Expecting.

    def answer(self, what: str, advice: str = "", method: str = "GET") -> Answer:
        """Return the next response. `what` says of which request: "the answer to GET /a"."""
        try:
            found = self._next(method, what, advice)
        except Silent as silent:
            raise self.failed(what, self._stopped(silent), advice) from None
        if found is None:
            raise self.failed(what, self._gone(), advice)
        return found

    def expect(self, status: int, body: bytes | None, what: str, advice: str = "") -> Answer:
        """Expect that the next response is this one."""
        wanted = f"{what}: {status}" + (f" and the body {body!r}" if body is not None else "")
        found = self.answer(wanted, advice)
        if found.status != status:
            mark = found.begin + len(VERSION)
            raise self.failed(wanted, f"the status is {found.status}", advice, mark)
        if body is not None and found.body != body:
            same = alike(found.body, body)
            place = self._heard.find(found.body[:same], found.body_at) + same
            there = place if found.body_at <= place <= found.end else None
            raise self.failed(wanted, f"the body is {found.body!r}", advice, there)
        return found

    def hears(self, data: bytes, what: str, advice: str = "") -> None:
        """Expect that this comes within the next answer, whatever is around it."""
        try:
            while data not in self._heard[self._at :]:
                if not self.read():
                    raise self.failed(what, self._gone(), advice)
        except Silent as silent:
            raise self.failed(what, self._stopped(silent), advice) from None

    def expect_torn(self, what: str, advice: str = "") -> None:
        """Expect an answer that has begun, and breaks off because the server hangs up."""
        try:
            found = self._next("GET", what, advice)
        except Silent as silent:
            raise self.failed(what, str(silent), advice) from None
        if found is not None:
            last = self._heard.rfind(b"0\r\n", found.body_at, found.end)
            mark = last if last >= 0 else found.end
            raise self.failed(what, "it looks complete: this is its end", advice, mark)
        if not self._heard:
            raise self.failed(what, self._gone(), advice)

    def where(self) -> str:
        """Return where the server is, in words."""
        return self._server.where()

    def expect_end(self, expected: str, advice: str = "") -> None:
        """Expect that the server hangs up, and says nothing before it."""
        try:
            if self._at < len(self._heard) or self.read():
                raise self.failed(expected, "more came, here:", advice, self._at)
        except Silent:
            still = f"the connection is still open, after {PATIENCE:g} s"
            raise self.failed(expected, still, advice) from None

    def expect_no_error(self) -> None:
        """Expect that nothing has left `serve` so far."""
        for error in self._server.errors[:1]:
            told = raised(error).shown
            raise self.failed("your server raises nothing", told, explained(error))

    def failed(self, expected: str, told: str, advice: str = "", mark: int | None = None) -> Failed:
        """Return the failure of an expectation, with all that was said and heard."""
        return never(expected, "\n".join([told, "", *self._told(mark)]), advice)

    def _stopped(self, silent: Silent) -> str:
        """Say that nothing comes; of an answer that has begun, that it does not end."""
        begun = "the answer begins, and then nothing more comes: " * (self._at < len(self._heard))
        return f"{begun}{silent}"

    def _gone(self) -> str:
        if self._server.errors:
            error = self._server.errors[0]
            told = "the server hung up: " + raised(error).shown
            return "\n".join([told, *([why] if (why := explained(error)) else [])])
        if self._at < len(self._heard):
            return "the server hung up in the middle of it"
        return "the server hung up without an answer"

    def _next(self, method: str, what: str | None, advice: str) -> Answer | None:
        """Return the next response, None if there is none. Raises `Silent`, and `Failed`."""
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(bytes(self._heard[self._at :]) or self.read())
        head: Any = None
        body, body_at = b"", 0
        try:
            while not isinstance(event := client.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    head, body_at = event, self._heard.index(b"\r\n\r\n", self._at) + 4
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.ConnectionClosed) or self._ended:
                    return None
                elif event is h11.NEED_DATA:
                    client.receive_data(self.read())
        except h11.RemoteProtocolError as error:
            if self._ended or what is None:
                return None
            raise self._unreadable(what, str(error), advice) from None
        if what is not None:
            self._check_names(what, head)
        begin, self._at = self._at, len(self._heard) - len(client.trailing_data[0])
        headers = [(bytes(name), bytes(value)) for name, value in head.headers]
        return Answer(head.status_code, headers, body, begin, body_at, self._at)

    def _unreadable(self, what: str, why: str, advice: str) -> Failed:
        """Return the failure of bytes that are no response, marked where they go wrong."""
        came = bytes(self._heard[self._at :])
        first = alike(came, VERSION)
        mark = self._at + first if first < min(len(came), len(VERSION)) else None
        if mark is not None:
            advice = "A response begins with HTTP/1.1 and a status."
            if self._at:
                advice += (
                    " Is this a part of the answer before it? Its content-length is wrong then."
                )
        return self.failed(what, f"no client can read it: {why}", advice, mark)

    def _check_names(self, what: str, head: h11.Response) -> None:
        """Expect headers whose names are not bytes as Python writes them."""
        for name, _ in head.headers.raw_items():
            if name[:2] in (b"b'", b'b"'):
                told = f"a header has the name {name.decode()}"
                advice = (
                    "In an f-string, bytes have a b and quotes around them. Join bytes with bytes: "
                    'name + b": " + value.'
                )
                raise self.failed(what, told, advice, self._heard.find(name, self._at))

    # Telling.

    def _note(self, who: str, data: bytes) -> None:
        if self._story and self._story[-1][0] == who:
            self._story[-1] = (who, self._story[-1][1] + data)
        elif data:
            self._story.append((who, data))
        elif self._story[-1:] != [HUNG_UP]:
            self._story.append(HUNG_UP)

    def _told(self, mark: int | None) -> list[str]:
        lines: list[str] = []
        heard = 0
        for who, data in self._story:
            here = None
            if who == CAME:
                here = mark - heard if mark is not None else None
                heard += len(data)
            lines += told_bytes(who, data, here)
        return lines


def explained(error: BaseException) -> str:
    """Return what has led to an error, probably; empty if that is not known."""
    if "not in a reusable state" in str(error):
        return (
            "start_next_cycle() needs both sides to be DONE. SEND_BODY: the answer is not "
            "complete, or the request has not been read up to its EndOfMessage. MUST_CLOSE: "
            "somebody has said `Connection: close`, and there is no next cycle."
        )
    if "coroutine" in str(error):
        return "A coroutine does nothing until it is awaited: is an `await` missing?"
    return ""
