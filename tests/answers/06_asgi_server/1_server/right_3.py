"""A task reads all the time, and puts h11's events into a queue; the app runs in a task, too."""

import asyncio

import h11

GONE = object()


async def serve(app, reader, writer):
    conn = h11.Connection(h11.SERVER)
    events, room = asyncio.Queue(), asyncio.Event()

    async def pump():
        try:
            while True:
                event = conn.next_event()
                if event is h11.NEED_DATA:
                    conn.receive_data(await reader.read(1024))
                elif event is h11.PAUSED:
                    room.clear()
                    await room.wait()
                elif isinstance(event, h11.ConnectionClosed):
                    break
                else:
                    events.put_nowait(event)
        except h11.RemoteProtocolError as error:
            events.put_nowait(error)
        events.put_nowait(GONE)

    def say(event):
        writer.write(conn.send(event))

    def refuse(status):
        say(h11.Response(status_code=status, headers=[("connection", "close"), ("x-why", "no")]))
        say(h11.Data(data=b"no"))
        say(h11.EndOfMessage())

    pumping = asyncio.create_task(pump())
    try:
        while isinstance(event := await events.get(), h11.Request):
            exchange = Exchange(event, events, say, writer)
            call = asyncio.create_task(app(exchange.scope, exchange.receive, exchange.send))
            await asyncio.wait([call])
            if conn.our_state is h11.SEND_RESPONSE:
                refuse(500)
            if conn.our_state is not h11.DONE:
                call.exception()
                return
            while not exchange.whole:
                exchange.whole = not isinstance(await events.get(), h11.Data)
            if conn.their_state is not h11.DONE:
                return
            conn.start_next_cycle()
            room.set()
        if isinstance(event, h11.RemoteProtocolError) and conn.our_state is h11.IDLE:
            refuse(event.error_status_hint)
    finally:
        pumping.cancel()
        writer.close()


class Exchange:
    def __init__(self, request, events, say, writer):
        self.events, self.say, self.writer = events, say, writer
        self.whole = False
        self.complete = asyncio.Event()
        path, _, query = request.target.partition(b"?")
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method.decode(),
            "path": path.decode(),
            "query_string": query,
            "headers": request.headers.raw_items() and list(request.headers),
        }

    async def receive(self):
        if self.complete.is_set():
            return {"type": "http.disconnect"}
        asked = [asyncio.ensure_future(each) for each in (self.events.get(), self.complete.wait())]
        try:
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            event = asked[0].result() if asked[0].done() else GONE
        finally:
            for each in asked:
                each.cancel()
        if isinstance(event, h11.Data):
            return {"type": "http.request", "body": bytes(event.data), "more_body": True}
        self.whole = True
        if isinstance(event, h11.EndOfMessage):
            return {"type": "http.request"} | {"body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.say(h11.Response(status_code=message["status"], headers=message["headers"]))
            return
        self.say(h11.Data(data=message["body"]))
        if not message.get("more_body"):
            self.say(h11.EndOfMessage())
            self.complete.set()
        await self.writer.drain()
