"""It reads the body first, and then no more: nobody notices that the client goes."""

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
    conn = h11.Connection(h11.SERVER)

    async def next_event():
        while (event := conn.next_event()) is h11.NEED_DATA:
            conn.receive_data(await reader.read(65536))
        return event

    async def say(*events):
        for event in events:
            writer.write(conn.send(event))
        await writer.drain()

    async def refuse(status):
        headers = [("content-length", "0"), ("connection", "close")]
        await say(h11.Response(status_code=status, headers=headers), h11.EndOfMessage())

    async def receive():
        return await messages.get()

    async def send(message):
        if message["type"] == "http.response.start":
            headers = message.get("headers", [])
            await say(h11.Response(status_code=message["status"], headers=headers))
            return
        await say(h11.Data(data=message.get("body", b"")))
        if not message.get("more_body", False):
            await say(h11.EndOfMessage())
            over.set()

    try:
        while isinstance(request := await next_event(), h11.Request):
            over, body, messages = asyncio.Event(), b"", asyncio.Queue()
            while isinstance(event := await next_event(), h11.Data):
                body += event.data
            messages.put_nowait({"type": "http.request", "body": body, "more_body": False})
            with contextlib.suppress(Exception):  # a real server writes it into its log
                await app(scope_of(request), receive, send)
            if conn.our_state is h11.SEND_RESPONSE:
                await refuse(500)
            if conn.our_state is not h11.DONE:
                break
            while conn.their_state is h11.SEND_BODY:  # what the app has not read
                await next_event()
            conn.start_next_cycle()
    except h11.RemoteProtocolError as error:
        if conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await refuse(error.error_status_hint)
    except ConnectionError:
        pass  # the client has gone
    finally:
        writer.close()
