"""06.1  A server, stage by stage.

`serve(app, reader, writer)` is called once for each client that connects, with the two ends of that
connection: `await reader.read(65536)` gives bytes (b"" when the client has hung up), and
`writer.write(data)` with `await writer.drain()` sends some. h11 makes events of bytes, and bytes of
events (chapter 06); you call the app, once for each request.

The checks are stages, each over a real socket: GET, body, keep-alive, pipelining, chunked,
disconnect, errors. Take them one at a time. Chapter 06 builds the first three with you.

Check yourself: asgi-lab check 06.1
"""

import asyncio
import contextlib
from urllib.parse import unquote

import h11


def scope_of(request):
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "path": unquote(path.decode()),
        "query_string": query,
        "headers": list(request.headers),
    }


async def serve(app, reader, writer):
    # TODO: read a request, call the app, write its answer; and so on, until somebody hangs up.
    raise NotImplementedError("your turn")
