r"""Talking to a real server by hand: bytes out, bytes back, over a real socket.

answer = await talk(app, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
"""

import asyncio
import re
from typing import Any

import h11

from asgi_lab.experiment.in_thread import ServerThread

PATIENCE = 10.0
"""Seconds for a whole answer."""

DATE = re.compile(rb"(?im)^date: [^\r\n]*\r\n")


async def talk(app: Any, *pieces: bytes, server: str = "uvicorn", answers: int = 1) -> bytes:
    """Serve an app, write these pieces, each by itself, and return what comes back.

    It ends after so many answers, or when the server hangs up. The line with the date is left out,
    because it differs from day to day. Raises TimeoutError after ten seconds.
    """
    async with ServerThread(server, app) as port, asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            return DATE.sub(b"", await _answers(reader, answers))
        finally:
            writer.close()


async def _answers(reader: asyncio.StreamReader, count: int) -> bytes:
    """Return what comes until so many answers are complete, or there is no more."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    said = b""
    while count:
        data = await reader.read(65536)
        said += data
        if not data:
            break
        client.receive_data(data)
        while (event := client.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.EndOfMessage):
                count -= 1
                if count:
                    client.start_next_cycle()
                    client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
                    client.send(h11.EndOfMessage())
                break
    return said
