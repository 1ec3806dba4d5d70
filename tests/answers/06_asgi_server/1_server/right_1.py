"""As a protocol, which is called with bytes; h11 is asked for what it has, event by event."""

import asyncio

import h11


class Conversation(asyncio.Protocol):
    def __init__(self, app):
        self.app = app
        self.conn = h11.Connection(h11.SERVER)
        self.news = asyncio.Event()
        self.end = asyncio.get_running_loop().create_future()
        self.parts, self.whole, self.gone, self.task = [], False, False, None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.conn.receive_data(data)
        self.go_on()

    def eof_received(self):
        self.data_received(b"")

    def connection_lost(self, error):
        self.gone = True
        self.news.set()
        if not self.end.done():
            self.end.set_result(None)

    def go_on(self):
        try:
            while (event := self.conn.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                match event:
                    case h11.Request():
                        self.parts, self.whole, self.told = [], False, False
                        self.task = asyncio.ensure_future(self.answer(event))
                    case h11.Data():
                        self.parts.append(bytes(event.data))
                    case h11.EndOfMessage():
                        self.whole = True
                        if self.task is None:
                            self.next_one()
                    case h11.ConnectionClosed():
                        self.gone = True
                        break
        except h11.RemoteProtocolError as error:
            self.gone = True
            if self.task is None and self.conn.our_state is h11.IDLE:
                self.refuse(error.error_status_hint)
        self.news.set()
        if self.gone and self.task is None:
            self.transport.close()

    async def answer(self, request):
        path, _, query = request.target.partition(b"?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method.decode(),
            "path": path.decode(),
            "query_string": query,
            "headers": [*request.headers],
        }
        try:
            await self.app(scope, self.receive, self.send)
        except Exception:
            pass
        self.task = None
        if self.conn.our_state is h11.SEND_RESPONSE:
            self.refuse(500)
        if self.conn.our_state is not h11.DONE:
            self.transport.close()
        elif self.whole:
            self.next_one()

    def next_one(self):
        self.conn.start_next_cycle()
        self.go_on()

    async def receive(self):
        while True:
            if self.conn.our_state not in (h11.SEND_RESPONSE, h11.SEND_BODY):
                return {"type": "http.disconnect"}
            if self.gone and not (self.whole and not self.told):
                return {"type": "http.disconnect"}
            if self.parts or (self.whole and not self.told):
                body = b"".join(self.parts)
                self.parts.clear()
                self.told = self.whole
                return {"type": "http.request", "body": body, "more_body": not self.whole}
            self.news.clear()
            await self.news.wait()

    async def send(self, message):
        if self.transport.is_closing():
            raise OSError("the client has gone")
        if message["type"] == "http.response.start":
            self.say(h11.Response(status_code=message["status"], headers=message["headers"]))
            return
        self.say(h11.Data(data=message["body"]))
        if not message.get("more_body"):
            self.say(h11.EndOfMessage())
            self.news.set()

    def refuse(self, status):
        headers = [("connection", "close"), ("content-length", "0")]
        self.say(h11.Response(status_code=status, headers=headers))
        self.say(h11.EndOfMessage())
        self.transport.close()

    def say(self, event):
        self.transport.write(self.conn.send(event))


async def serve(app, reader, writer):
    conversation = Conversation(app)
    writer.transport.set_protocol(conversation)
    conversation.connection_made(writer.transport)
    await conversation.end
