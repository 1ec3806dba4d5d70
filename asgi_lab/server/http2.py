r"""HTTP/2, bytes in and events out: no socket, no loop (RFC 9113).

    http = Http2()
    for stream, event in http.receive(b"PRI * HTTP/2.0\r\n..."):    # (1, Request(...))
        http.respond(stream, [(b":status", b"200")])
        http.send(stream, b"hi", end=True)
    http.to_send()                                                  # bytes for the client

h2 knows the states of streams, the windows and the compression of headers. `http2_frames` looks at
each frame before h2 does, `http2_request` at each header block after it. This module joins them,
and settles what h2 leaves open: what ends a stream only, and what costs too much.

Laws:
1. Events come one by one: what is done about one counts before the next frame is looked at.
2. What is wrong with a request ends its stream; only what is wrong with the connection ends that.
3. After `Broken` nothing is read any more.
"""

from collections.abc import Callable, Iterator

from h2.events import RequestReceived, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError

from asgi_lab.server.http2_allowance import Allowance
from asgi_lab.server.http2_events import Broken, Event, GoAway, Reset, Window
from asgi_lab.server.http2_frames import (
    FRAME_SIZE,
    Code,
    Frame,
    Frames,
    Kind,
    WrongFrame,
    goaway,
    window_update,
)
from asgi_lab.server.http2_request import Incoming, Malformed, check_trailers, read_head
from asgi_lab.server.http2_state import WINDOW, begin
from asgi_lab.server.request import Body, EndOfBody, Headers, Refusal, Refused, check_request
from asgi_lab.server.response import refusal


class Http2:
    """A server's side of one connection.

    `max_head` limits the headers of a request, `max_body` its body, in bytes; `window` is how many
    bytes of a body may wait for the app. `max_streams` is told to the client, and held by whoever
    uses this. `allowance` is for frames that ask for nothing, with a `clock` in seconds.
    """

    def __init__(
        self,
        max_head: int = 65_536,
        max_body: int | None = None,
        window: int = WINDOW,
        max_streams: int = 100,
        allowance: int = 1000,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._max_head, self._max_body = max_head, max_body
        self.frames = Frames(2 * max_head)
        self._incoming: dict[int, Incoming] = {}
        self._allowance = Allowance(allowance, clock)
        self._h2, self._fields = begin(max_head, max(window, WINDOW), max_streams)
        self._own = b""  # frames to send beside those of h2
        self.broken = False

    # What the client sends.

    def receive(self, data: bytes) -> Iterator[tuple[int, Event]]:
        """Take the next bytes; yield what they complete, with its stream (0: the connection)."""
        if self.broken:
            return
        try:
            for frame in self.frames.receive(data):
                yield from self._frame(frame)
        except WrongFrame as error:
            self.go_away(error.code, str(error))
            yield self._break(error.code, str(error))
        except ProtocolError as error:  # which h2 has told the client
            yield self._break(int(error.error_code), str(error))

    def request_complete(self, stream: int) -> bool:
        """Whether the whole body has come, or none of it is heard any more."""
        known = self._incoming.get(stream)
        return known is None or known.whole

    def _break(self, code: int, reason: str) -> tuple[int, Event]:
        self.broken = True
        return 0, Broken(code, reason)

    def _frame(self, frame: Frame) -> Iterator[tuple[int, Event]]:
        """Hand a frame to h2, unless it is settled here."""
        self._allowance.take(frame)
        known = self._incoming.get(frame.stream)
        match frame.kind:
            case Kind.DATA if known is not None and not known.fits(frame):
                self._own += window_update(0, len(frame.payload))  # as h2 does not count it
                yield self._malformed(frame.stream)
            case Kind.GOAWAY:  # h2 would send nothing more, not even what was asked for
                yield 0, GoAway(int.from_bytes(frame.payload[4:8]))
            case Kind.RST_STREAM if self._is_idle(frame.stream):
                raise WrongFrame(Code.PROTOCOL_ERROR, "RST_STREAM of an idle stream (6.4)")
            case Kind.SETTINGS:
                yield from self._from_h2(frame.with_known_settings())
            case kind if kind != Kind.PRIORITY and kind <= Kind.CONTINUATION:
                yield from self._from_h2(frame)
            # What is left means nothing: unknown frames (5.5), and priorities (5.3.2).

    def _is_idle(self, stream: int) -> bool:
        return stream % 2 == 0 or stream > self._h2.highest_inbound_stream_id

    def _from_h2(self, frame: Frame) -> Iterator[tuple[int, Event]]:
        for event in self._h2.receive_data(bytes(frame)):
            match event:
                case RequestReceived(stream_id=stream, stream_ended=end):
                    yield from self._request(stream, end is not None)
                case TrailersReceived(stream_id=stream) if stream in self._incoming:
                    yield from self._trailers(stream)
                case StreamReset(stream_id=stream, error_code=code, remote_reset=remote):
                    self.forget(stream)
                    if not remote:
                        self._allowance.spend()  # the client has made us say it
                    yield stream, Reset(int(code or 0), bool(remote))
        if frame.kind == Kind.DATA:
            yield from self._data(frame)
        elif frame.kind == Kind.SETTINGS:
            yield 0, Window()  # that of every stream may have changed: section 6.9.2
        elif frame.kind == Kind.WINDOW_UPDATE:
            yield frame.stream, Window()

    def _request(self, stream: int, ends: bool) -> Iterator[tuple[int, Event]]:
        try:
            head = read_head(self._fields.last)
            if ends and head.length:
                raise Malformed("a body is promised, and does not come")
        except Malformed:
            yield self._malformed(stream)
            return
        self._incoming[stream] = Incoming(head.request.method, head.length, whole=ends)
        try:
            if self._fields.size > self._max_head:
                raise Refusal(431, f"the headers are longer than {self._max_head} bytes")
            check_request(head.request, self._max_body)
        except Refusal as refusal:
            yield stream, refusal.event
            return
        yield stream, head.request
        if ends and stream in self._incoming:
            yield stream, EndOfBody()

    def _data(self, frame: Frame) -> Iterator[tuple[int, Event]]:
        known, data = self._incoming.get(frame.stream), frame.data
        if known is None:
            return  # the stream has ended, and h2 has counted the bytes
        known.size += len(data)
        known.held += len(data)
        known.whole = frame.ends
        padding = len(frame.payload) - len(data)
        if padding:
            self._h2.acknowledge_received_data(padding, frame.stream)
        if self._max_body is not None and known.size > self._max_body:
            yield frame.stream, Refused(413, f"the body is longer than {self._max_body} bytes")
            return
        if data:
            yield frame.stream, Body(data)
        if frame.ends:
            yield frame.stream, EndOfBody()

    def _trailers(self, stream: int) -> Iterator[tuple[int, Event]]:
        known = self._incoming[stream]
        try:
            check_trailers(self._fields.last)
            if known.promised not in (None, known.size):
                raise Malformed("the body is shorter than was promised")
        except Malformed:
            yield self._malformed(stream)
            return
        known.whole = True
        yield stream, EndOfBody()

    def _malformed(self, stream: int) -> tuple[int, Event]:
        """End the stream of a request that is none: section 8.1.1."""
        self._allowance.spend()
        self.reset(stream, Code.PROTOCOL_ERROR)
        return stream, Reset(Code.PROTOCOL_ERROR, False)

    # What the server sends.

    def respond(self, stream: int, headers: Headers, end: bool = False) -> None:
        """Begin a response, of which the headers may be all."""
        self._h2.send_headers(stream, headers, end_stream=end)

    def send(self, stream: int, data: bytes, end: bool = False) -> None:
        """Send a part of the body, for which there must be `room`."""
        self._h2.send_data(stream, data, end_stream=end)

    def room(self, stream: int) -> int:
        """Return how many bytes may be sent at once: windows and frame size (section 6.9)."""
        return max(0, min(self._h2.local_flow_control_window(stream), FRAME_SIZE))

    def taken(self, stream: int) -> None:
        """Let the client send more: the app has taken what there was."""
        known = self._incoming.get(stream)
        if known is not None and known.held:
            self._h2.acknowledge_received_data(known.held, stream)
            known.held = 0

    def forget(self, stream: int) -> None:
        """Hold no more of a stream that has ended."""
        self.taken(stream)
        self._incoming.pop(stream, None)

    def refuse(self, stream: int, status: int, reason: str, headers: Headers) -> None:
        """Answer with a few words; without them, if there is no room or a HEAD was asked for."""
        own, text = refusal(reason)
        head = [(b":status", b"%d" % status), *own, *headers]
        if self._incoming[stream].method == b"HEAD":
            text = b""
        elif len(text) > self.room(stream):
            head, text = [field for field in head if field[0] != b"content-length"], b""
        self.respond(stream, head, end=not text)
        if text:
            self.send(stream, text, end=True)
        self.finish(stream)

    def finish(self, stream: int) -> None:
        """Note that the response is complete; no more of the request is wanted (section 8.1)."""
        if not self.request_complete(stream):
            self.reset(stream, Code.NO_ERROR)
        self.forget(stream)

    def reset(self, stream: int, code: int) -> None:
        """End a stream before its time, unless it has ended."""
        self.forget(stream)
        if code == Code.REFUSED_STREAM:
            self._allowance.spend()
        try:
            self._h2.reset_stream(stream, code)
        except ProtocolError:
            pass  # no such stream any more, or no connection

    def go_away(self, code: int, reason: str = "") -> None:
        """Say which streams were looked at, and that there will be no more: section 6.8."""
        last = self._h2.highest_inbound_stream_id
        self._own = self.to_send() + goaway(last, code, reason)

    def to_send(self) -> bytes:
        """Return the bytes that are to go to the client now."""
        sent, self._own = self._own + self._h2.data_to_send(), b""
        return sent
