"""The three stages of the chapter, as they are: nobody reads what the app has left."""

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


async def next_event(conn, reader):
    while (event := conn.next_event()) is h11.NEED_DATA:
        conn.receive_data(await reader.read(65536))
    return event


def receiver(conn, reader):
    async def receive():
        event = await next_event(conn, reader)
        if isinstance(event, h11.Data):
            return {"type": "http.request", "body": bytes(event.data), "more_body": True}
        if isinstance(event, h11.EndOfMessage):
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    return receive


def sender(conn, writer):
    async def send(message):
        if message["type"] == "http.response.start":
            event = h11.Response(status_code=message["status"], headers=message["headers"])
            writer.write(conn.send(event))
        else:
            writer.write(conn.send(h11.Data(data=message["body"])))
            if not message.get("more_body", False):
                writer.write(conn.send(h11.EndOfMessage()))
            await writer.drain()

    return send


async def serve(app, reader, writer):
    conn = h11.Connection(h11.SERVER)
    while isinstance(request := await next_event(conn, reader), h11.Request):
        await app(scope_of(request), receiver(conn, reader), sender(conn, writer))
        conn.start_next_cycle()
    writer.close()
