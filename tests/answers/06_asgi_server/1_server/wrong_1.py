"""One read, one request: what has not come yet is not missed."""

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
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(await reader.read(65536))
    request = conn.next_event()

    async def receive():
        event = conn.next_event()
        more = isinstance(event, h11.Data)
        return {"type": "http.request", "body": event.data if more else b"", "more_body": more}

    async def send(message):
        if message["type"] == "http.response.start":
            event = h11.Response(status_code=message["status"], headers=message["headers"])
            writer.write(conn.send(event))
        else:
            writer.write(conn.send(h11.Data(data=message["body"])))
            writer.write(conn.send(h11.EndOfMessage()))

    await app(scope_of(request), receive, send)
    await writer.drain()
    writer.close()
