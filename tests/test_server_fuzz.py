"""Any app, any client: what comes out of the lab server is HTTP, and nothing is left behind."""

import asyncio
from typing import Any

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_tools import connected, run, serving

ACTS = {
    "receive": None,
    "yield": None,
    "raise": None,
    "start": {"type": "http.response.start", "status": 200},
    "start 204": {"type": "http.response.start", "status": 204},
    "start of 4": {
        "type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]
    },
    "wrong start": {"type": "http.response.start", "status": 99},
    "some": {"type": "http.response.body", "body": b"some", "more_body": True},
    "none": {"type": "http.response.body", "more_body": True},
    "last": {"type": "http.response.body", "body": b"last"},
    "end": {"type": "http.response.body"},
    "wrong body": {"type": "http.response.body", "body": "text"},
    "nonsense": {"type": "nonsense"},
}  # fmt: skip
HEADS = [
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\nbody",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
    b"nonsense\r\n\r\n",
]
acts = st.lists(st.sampled_from(sorted(ACTS)), max_size=7)
requests = st.lists(st.sampled_from(HEADS), min_size=1, max_size=4)


async def perform(acts: list[str], receive: Any, send: Any, swallow: bool) -> None:
    for act in acts:
        if act == "yield":
            await asyncio.sleep(0)
        elif act == "raise":
            raise LookupError("broken")
        elif act == "receive":
            await asyncio.wait_for(receive(), 1.0)
        else:
            try:
                await send(ACTS[act])
            except ValueError:
                if not swallow:
                    raise


def responses(requests: list[bytes], data: bytes) -> list[tuple[int, bytes, bool]]:
    """Status, body and completeness of each response. Raises h11's error for what is no HTTP."""
    found: list[tuple[int, bytes, bool]] = []
    for sent in requests:
        if not data:
            break
        wire = h11.Connection(h11.CLIENT)
        method = sent.split(b" ")[0] if sent != HEADS[-1] else b"GET"
        wire.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        wire.send(h11.EndOfMessage())
        wire.receive_data(data)
        wire.receive_data(b"")
        status, body, complete = 0, b"", False
        while True:
            try:
                event = wire.next_event()
            except h11.RemoteProtocolError as error:
                if "without sending complete" not in str(error):
                    raise
                break
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                complete = True
            elif event in (h11.PAUSED, h11.NEED_DATA) or isinstance(event, h11.ConnectionClosed):
                break
        found.append((status, body, complete))
        data = wire.trailing_data[0]
    return found


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(acts=acts, requests=requests, swallow=st.booleans(), size=st.integers(1, 400))
def test_what_comes_out_is_http(
    acts: list[str], requests: list[bytes], swallow: bool, size: int,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await perform(acts, receive, send, swallow)

    async def main() -> bytes:
        async with serving(app) as (server, _), connected(server) as client:
            data = b"".join(requests)
            for at in range(0, len(data), size):
                client.send(data[at : at + size])
                await asyncio.sleep(0)
            client.writer.write_eof()
            try:
                return await client.read()
            except ConnectionError:  # how an unfinished answer looks that has no frame
                assert any(b"HTTP/1.0" in request for request in requests)
                return b""

    caplog.clear()
    answered = responses(requests, run(main(), "jumping"))
    assert len(answered) <= len(requests)
    for status, body, complete in answered:
        if status == 200 and complete:
            assert body in (b"", b"last", b"some") or set(body) <= set(b"somelast")
        assert status in (200, 204, 400, 408, 500)
    assert [r for r in caplog.records if r.name == "asyncio"] == []
